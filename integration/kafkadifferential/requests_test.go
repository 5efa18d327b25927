package kafkadifferential

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kind is a kind of request.
type kind struct {
	weight int
	draw   func(*draw) kmsg.Request
}

var kinds = []kind{
	{8, (*draw).produce},
	{4, (*draw).produceIdempotent},
	{1, (*draw).initProducerID},
	{6, (*draw).fetch},
	{6, (*draw).listOffsets},
	{3, (*draw).offsetForLeaderEpoch},
	{3, (*draw).metadata},
	{1, func(d *draw) kmsg.Request { return kmsg.NewPtrDescribeClusterRequest() }},
	{5, (*draw).createTopics},
	{2, (*draw).deleteTopics},
	{2, (*draw).createPartitions},
	{2, (*draw).deleteRecords},
	{2, (*draw).describeConfigs},
	{2, (*draw).alterConfigs},
	{2, (*draw).incrementalAlterConfigs},
	{1, (*draw).describeLogDirs},
	{1, (*draw).findCoordinator},
	{3, (*draw).joinWrong},
	{3, (*draw).syncGroup},
	{4, (*draw).heartbeat},
	{2, (*draw).leaveGroup},
	{8, (*draw).offsetCommit},
	{5, (*draw).offsetFetch},
	{3, (*draw).describeGroups},
	{2, (*draw).listGroups},
	{1, (*draw).deleteGroups},
	{2, (*draw).offsetDelete},
}

func produceOf(topic string, partition int32, batch []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch}}}}
	return req
}

func (d *draw) produce() kmsg.Request {
	topic := d.topic()
	b := d.batch()
	req := produceOf(topic, d.partition(topic), encode(b))
	if d.chance(5) {
		req.Topics[0].Partitions[0].Records = d.mistake(b)
	}
	if d.chance(4) {
		other := d.topic()
		if other != topic {
			req.Topics = append(req.Topics, produceOf(other, d.partition(other), encode(d.batch())).Topics...)
		}
	}
	req.Acks = pick[int16](d, -1, -1, 1)
	if d.chance(20) {
		req.Acks = pick[int16](d, 2, -2)
	}
	return req
}

// produceIdempotent sends a next batch, mostly, or an old one again, or leaves one out.
func (d *draw) produceIdempotent() kmsg.Request {
	if len(d.s.producers) == 0 {
		return d.initProducerID()
	}
	topic := d.topic()
	of := sequence{d.IntN(len(d.s.producers)), topic, d.partition(topic)}
	b := d.batch()
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = d.s.producers[of.producer], 0, d.sequences[of]
	data := encode(b)
	switch {
	case d.chance(4) && d.last[of] != nil:
		data = append([]byte(nil), d.last[of]...)
		binary.BigEndian.PutUint64(data[43:], uint64(b.ProducerID))
		sum(data)
	case d.chance(8):
		b.FirstSequence += pick[int32](d, 1, 5)
		data = encode(b)
	}
	return produceOf(topic, of.partition, data)
}

func (d *draw) initProducerID() kmsg.Request { return kmsg.NewPtrInitProducerIDRequest() }

func (d *draw) fetch() kmsg.Request {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes, req.MaxWaitMillis = 0, 1<<20, 0
	n := 1 + d.IntN(2)
	for i := range n {
		topic := topicNames[i] // each once
		if n == 1 {
			topic = d.topic()
		}
		t := kmsg.NewFetchRequestTopic()
		t.Topic = topic
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = d.partition(topic), d.offset(), 1<<20, pick[int32](d, -1, -1, 0)
		if n == 1 && d.chance(3) {
			p.PartitionMaxBytes = 1 // the first batch all the same
		}
		if d.chance(12) {
			p.CurrentLeaderEpoch = 3
		}
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	req.IsolationLevel = int8(d.IntN(2))
	return req
}

func (d *draw) listOffsets() kmsg.Request {
	req := kmsg.NewPtrListOffsetsRequest()
	topic := d.topic()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for range 1 + d.IntN(2) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.CurrentLeaderEpoch = d.partition(topic), pick[int32](d, -1, -1, 0)
		p.Timestamp = pick[int64](d, -1, -1, -2, -2, 0, epoch+int64(d.IntN(d.produced+5)), epoch+int64(d.IntN(d.produced+5)))
		if d.chance(12) {
			p.Timestamp = pick[int64](d, -3, -9)
		}
		if d.chance(12) {
			p.CurrentLeaderEpoch = 3
		}
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func (d *draw) offsetForLeaderEpoch() kmsg.Request {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	topic := d.topic()
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = d.partition(topic), pick[int32](d, -1, 0), pick[int32](d, 0, 0, 0, 5, -1)
	if d.chance(12) {
		p.CurrentLeaderEpoch = 3
	}
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (d *draw) metadata() kmsg.Request {
	req := kmsg.NewPtrMetadataRequest()
	if d.chance(3) {
		return req // all topics
	}
	req.Topics = []kmsg.MetadataRequestTopic{}
	for range d.IntN(3) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(d.topic())
		req.Topics = append(req.Topics, t)
	}
	return req
}

func (d *draw) createTopics() kmsg.Request {
	req := kmsg.NewPtrCreateTopicsRequest()
	if d.chance(12) { // beside a.b
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = "a_b", 1, 1
		req.Topics = append(req.Topics, t)
		req.ValidateOnly = true
		req.SetVersion(1)
		return req
	}
	wrong := d.chance(4)
	first := d.IntN(len(topicNames))
	for i := range 1 + d.IntN(2) {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = topicNames[(first+i)%len(topicNames)], pick[int32](d, -1, 1, 2, 3), pick[int16](d, -1, 1)
		if wrong && i == 0 && d.chance(3) {
			t.Topic = pick(d, "", "!", "..", "a_b")
		}
		if wrong && d.chance(3) {
			t.NumPartitions = pick[int32](d, 0, -2)
		}
		if wrong && d.chance(3) {
			t.ReplicationFactor = pick[int16](d, 0, 3, -2)
		}
		if d.chance(6) && !wrong {
			t.NumPartitions, t.ReplicationFactor = -1, -1
			for i := range int32(1 + d.IntN(2)) {
				a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
				a.Partition, a.Replicas = i, []int32{0}
				if d.chance(6) {
					a.Partition++
				}
				t.ReplicaAssignment = append(t.ReplicaAssignment, a)
			}
		}
		if d.chance(4) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			if c.Name, c.Value = d.setting(); wrong && d.chance(3) {
				c.Name, c.Value = d.wrongSetting()
			}
			t.Configs = append(t.Configs, c)
		}
		req.Topics = append(req.Topics, t)
	}
	// What one side refuses and the other does not, is not made.
	req.ValidateOnly = d.chance(6) || wrong && d.versions[int16(kmsg.CreateTopics)][1] >= 1
	if req.ValidateOnly {
		req.SetVersion(1 + int16(d.IntN(int(d.versions[int16(kmsg.CreateTopics)][1]))))
	}
	return req
}

// wrongSetting is one that Kafka refuses.
func (d *draw) wrongSetting() (name string, value *string) {
	name, _ = d.setting()
	return pick(d, name, "no.such.setting"), kmsg.StringPtr(pick(d, "x", "", "-5"))
}

// setting is a topic's setting. None of them makes a log lose anything while the test runs.
func (d *draw) setting() (name string, value *string) {
	name = pick(d, "retention.ms", "retention.bytes", "max.message.bytes", "segment.bytes", "min.insync.replicas", "compression.type")
	switch {
	case name == "compression.type":
		return name, kmsg.StringPtr(pick(d, "producer", "gzip", "zstd"))
	}
	return name, kmsg.StringPtr(pick(d, "1000000", "5000000"))
}

func (d *draw) deleteTopics() kmsg.Request {
	req := kmsg.NewPtrDeleteTopicsRequest()
	name := d.topic()
	req.TopicNames = []string{name}
	req.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}
	if len(d.s.topics) > 0 && d.chance(2) && d.versions[int16(kmsg.DeleteTopics)][1] >= 6 {
		req.Topics[0] = kmsg.DeleteTopicsRequestTopic{TopicID: d.s.topics[d.IntN(len(d.s.topics))]}
		req.SetVersion(6)
	}
	return req
}

func (d *draw) createPartitions() kmsg.Request {
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = d.topic(), int32(d.IntN(5))
	req.Topics = append(req.Topics, t)
	req.ValidateOnly = d.chance(4)
	return req
}

func (d *draw) deleteRecords() kmsg.Request {
	req := kmsg.NewPtrDeleteRecordsRequest()
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = d.topic()
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = d.partition(t.Topic), d.offset()
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func (d *draw) describeConfigs() kmsg.Request {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, d.topic()
	name, _ := d.setting()
	r.ConfigNames = []string{name}
	if d.chance(10) {
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeBroker, pick(d, "0", "7", "x"), []string{}
	}
	req.Resources = append(req.Resources, r)
	return req
}

func (d *draw) alterConfigs() kmsg.Request {
	req := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.NewAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, d.topic()
	c := kmsg.NewAlterConfigsRequestResourceConfig()
	c.Name, c.Value = d.setting()
	if req.ValidateOnly = d.chance(4); req.ValidateOnly {
		c.Name, c.Value = d.wrongSetting()
	}
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	return req
}

func (d *draw) incrementalAlterConfigs() kmsg.Request {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, d.topic()
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = d.setting()
	if d.chance(4) {
		c.Op, c.Value = kmsg.IncrementalAlterConfigOpDelete, nil
	}
	if req.ValidateOnly = d.chance(4); req.ValidateOnly {
		c.Name, c.Value = d.wrongSetting()
	}
	r.Configs = append(r.Configs, c)
	req.Resources = append(req.Resources, r)
	return req
}

func (d *draw) describeLogDirs() kmsg.Request {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	if d.chance(2) {
		topic := d.topic()
		t := kmsg.NewDescribeLogDirsRequestTopic()
		t.Topic, t.Partitions = topic, []int32{d.partition(topic)}
		req.Topics = append(req.Topics, t)
	}
	return req
}
