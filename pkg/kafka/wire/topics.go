package wire

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// Sources of a setting.
const (
	fromTopic  = kmsg.ConfigSourceDynamicTopicConfig
	fromBroker = kmsg.ConfigSourceStaticBrokerConfig
	isDefault  = kmsg.ConfigSourceDefaultConfig
)

// refusal is a code with a text for people.
type refusal struct {
	code int16
	text *string
}

func (x *exchange) refuse(e *kerr.Error, text string) refusal {
	x.fail(http.StatusBadRequest)
	if text == "" {
		text = e.Description
	}
	return refusal{e.Code, &text}
}

// adminError is what a client is told of an error of changing a topic. What the engine calls invalid is a
// limit: all else was checked before.
func (x *exchange) adminError(err error) refusal {
	switch {
	case err == nil:
		return refusal{}
	case kafka.IsKind(err, kafka.Invalid):
		return x.refuse(kerr.PolicyViolation, err.Error())
	}
	return refusal{x.codeOf(err, kerr.RequestTimedOut), textOf(err)}
}

// mayAdminister refuses changes of a topic to a credential that may not make them.
func (x *exchange) mayAdminister(topic string) (refusal, bool) {
	if !x.MayAdminister(topic) {
		x.fail(http.StatusForbidden)
		return x.refuse(kerr.TopicAuthorizationFailed, ""), false
	}
	return refusal{}, true
}

// mayChange does the same for a topic that has to be there.
func (x *exchange) mayChange(topic string) (refusal, bool) {
	r, ok := x.mayAdminister(topic)
	if ok && !kafka.ValidTopicName(topic) {
		return x.refuse(kerr.UnknownTopicOrPartition, ""), false
	}
	return r, ok
}

func (x *exchange) createTopics(ctx context.Context, req *kmsg.CreateTopicsRequest, resp *kmsg.CreateTopicsResponse) error {
	count := map[string]int{}
	for _, t := range req.Topics {
		count[t.Topic]++
	}
	for _, t := range req.Topics {
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.NumPartitions, out.ReplicationFactor = t.Topic, -1, -1
		var r refusal
		if count[t.Topic] > 1 {
			r = x.refuse(kerr.InvalidRequest, "the topic is named twice")
		} else {
			r = x.createTopic(ctx, req, &t, &out)
		}
		out.ErrorCode, out.ErrorMessage = r.code, r.text
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}

func (x *exchange) createTopic(ctx context.Context, req *kmsg.CreateTopicsRequest, t *kmsg.CreateTopicsRequestTopic, out *kmsg.CreateTopicsResponseTopic) refusal {
	if r, ok := x.mayAdminister(t.Topic); !ok {
		return r
	}
	if !kafka.ValidTopicName(t.Topic) {
		return x.refuse(kerr.InvalidTopicException, "illegal topic name: letters, digits, '.', '_' and '-'")
	}
	switch _, err := x.s.engine.Topic(ctx, x.Cluster, t.Topic); {
	case err == nil:
		return x.refuse(kerr.TopicAlreadyExists, "")
	case !kafka.IsKind(err, kafka.NotFound):
		return x.adminError(err)
	}
	partitions := int(t.NumPartitions)
	if n := len(t.ReplicaAssignment); n > 0 {
		if t.NumPartitions != -1 || t.ReplicationFactor != -1 {
			return x.refuse(kerr.InvalidRequest, "an assignment of replicas says how many partitions there are, and how many replicas: the request must not")
		}
		partitions = n
		for i := range n {
			if !slices.ContainsFunc(t.ReplicaAssignment, func(a kmsg.CreateTopicsRequestTopicReplicaAssignment) bool {
				return int(a.Partition) == i && len(a.Replicas) > 0
			}) {
				return x.refuse(kerr.InvalidReplicaAssignment, "partitions are not numbered from 0 on, or have no replica")
			}
		}
	} else if t.ReplicationFactor == 0 || t.ReplicationFactor < -1 {
		return x.refuse(kerr.InvalidReplicationFactor, "")
	}
	if partitions == -1 {
		partitions = 1
	}
	if partitions < 1 {
		return x.refuse(kerr.InvalidPartitions, "")
	}
	o := kafka.TopicOptions{Partitions: partitions, Retention: kafka.DefaultRetention, MaxMessageBytes: kafka.DefaultMaxMessageBytes}
	for _, c := range t.Configs {
		if err := applySetting(&o, c.Name, c.Value); err != nil {
			return x.refuse(kerr.InvalidConfig, err.Error())
		}
	}
	if req.ValidateOnly {
		if x.Cluster.Partitions+partitions > x.Cluster.MaxPartitions {
			return x.refuse(kerr.PolicyViolation, "the cluster would have too many partitions")
		}
	} else {
		made, err := x.s.engine.CreateTopic(ctx, x.Cluster, t.Topic, o)
		if err != nil {
			return x.adminError(err)
		}
		out.TopicID = topicID(x.Cluster.ID, made.Number())
	}
	out.NumPartitions, out.ReplicationFactor = int32(partitions), 1
	for _, name := range settingNames {
		value, own := valueOf(&o, name)
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = name, &value, int8(isDefault)
		if own {
			c.Source = int8(fromTopic)
		}
		out.Configs = append(out.Configs, c)
	}
	return refusal{}
}

func (x *exchange) deleteTopics(ctx context.Context, req *kmsg.DeleteTopicsRequest, resp *kmsg.DeleteTopicsResponse) error {
	topics := req.Topics
	for _, name := range req.TopicNames {
		topics = append(topics, kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr(name)})
	}
	var byID map[[16]byte]*kafka.Topic
	for _, t := range topics {
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		if t.Topic == nil {
			if byID == nil {
				var err error
				if byID, err = x.topicsByID(ctx); err != nil {
					return err
				}
			}
			if found := byID[t.TopicID]; found != nil {
				out.Topic = &found.Name
			}
		}
		r := x.refuse(kerr.UnknownTopicID, "")
		if out.Topic != nil {
			r, out.TopicID = x.deleteTopic(ctx, *out.Topic)
		}
		out.ErrorCode, out.ErrorMessage = r.code, r.text
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}

// deleteTopic deletes a topic, and says which it was.
func (x *exchange) deleteTopic(ctx context.Context, name string) (r refusal, id [16]byte) {
	if r, ok := x.mayChange(name); !ok {
		return r, id
	}
	if t, err := x.s.engine.Topic(ctx, x.Cluster, name); err == nil {
		id = topicID(x.Cluster.ID, t.Number())
	}
	return x.adminError(x.s.engine.DeleteTopic(ctx, x.Cluster, name)), id
}

func (x *exchange) createPartitions(ctx context.Context, req *kmsg.CreatePartitionsRequest, resp *kmsg.CreatePartitionsResponse) error {
	for _, t := range req.Topics {
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = t.Topic
		r := x.addPartitions(ctx, t.Topic, int(t.Count), req.ValidateOnly)
		out.ErrorCode, out.ErrorMessage = r.code, r.text
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}

func (x *exchange) addPartitions(ctx context.Context, name string, count int, validateOnly bool) refusal {
	if r, ok := x.mayChange(name); !ok {
		return r
	}
	t, err := x.s.engine.Topic(ctx, x.Cluster, name)
	switch {
	case err != nil:
		return x.adminError(err)
	case count <= t.Partitions:
		return x.refuse(kerr.InvalidPartitions, "partitions can only be added")
	case validateOnly:
		return refusal{}
	}
	_, err = x.s.engine.UpdateTopic(ctx, x.Cluster, name, func(o *kafka.TopicOptions) { o.Partitions = count })
	return x.adminError(err)
}

func (x *exchange) deleteRecords(ctx context.Context, req *kmsg.DeleteRecordsRequest, resp *kmsg.DeleteRecordsResponse) error {
	for _, t := range req.Topics {
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewDeleteRecordsResponseTopicPartition()
			part.Partition, part.LowWatermark = p.Partition, -1
			part.LowWatermark, part.ErrorCode = x.deleteBelow(ctx, t.Topic, p.Partition, p.Offset)
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}

func (x *exchange) deleteBelow(ctx context.Context, topic string, partition int32, offset int64) (low int64, code int16) {
	if r, ok := x.mayChange(topic); !ok {
		return -1, r.code
	}
	t, err := x.s.engine.Topic(ctx, x.Cluster, topic)
	switch {
	case err != nil:
		return -1, x.codeOf(err, kerr.RequestTimedOut)
	case partition < 0 || int(partition) >= t.Partitions:
		return -1, kerr.UnknownTopicOrPartition.Code
	case t.Compact && !t.CompactDelete:
		return -1, kerr.PolicyViolation.Code
	}
	at := kafka.TopicOffset{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: int(partition)}, Offset: offset}
	got, err := x.s.engine.DeleteRecords(ctx, x.Cluster, []kafka.TopicOffset{at})
	switch {
	case kafka.IsKind(err, kafka.Invalid):
		return -1, kerr.OffsetOutOfRange.Code
	case err != nil:
		return -1, x.codeOf(err, kerr.RequestTimedOut)
	}
	return got[0].Offset, 0
}

// logDir is the name of the one directory that there seems to be.
const logDir = "/skystash"

func (x *exchange) describeLogDirs(ctx context.Context, req *kmsg.DescribeLogDirsRequest, resp *kmsg.DescribeLogDirsResponse) error {
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = logDir
	all := x.brokers(ctx)
	asked := req.Topics
	if asked == nil {
		topics, err := x.s.engine.Topics(ctx, x.Cluster)
		if err != nil {
			return err
		}
		for _, t := range topics {
			asked = append(asked, kmsg.DescribeLogDirsRequestTopic{Topic: t.Name})
		}
	}
	for _, t := range asked {
		if !x.MayDescribe(t.Topic) {
			continue
		}
		topic, err := x.s.engine.Topic(ctx, x.Cluster, t.Topic)
		var ranges []kafka.PartitionRange
		if err == nil {
			ranges, err = x.s.engine.Ranges(ctx, x.Cluster, t.Topic)
		}
		if kafka.IsKind(err, kafka.NotFound) || kafka.IsKind(err, kafka.Invalid) {
			continue
		}
		if err != nil {
			return err
		}
		out := kmsg.NewDescribeLogDirsResponseDirTopic()
		out.Topic = t.Topic
		for p, r := range ranges {
			// Clients ask each broker, and add up.
			if len(t.Partitions) > 0 && !slices.Contains(t.Partitions, int32(p)) || all.ofPartition(x.Cluster.ID, topic, p).id != x.self() && all.has(strconv.Itoa(int(x.self()))) {
				continue
			}
			part := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			part.Partition, part.Size = int32(p), r.Bytes
			out.Partitions = append(out.Partitions, part)
		}
		dir.Topics = append(dir.Topics, out)
	}
	resp.Dirs = append(resp.Dirs, dir)
	return nil
}
