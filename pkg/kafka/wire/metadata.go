package wire

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

const (
	brokerID    = 0 // of a gateway without a slot: there is one broker, and it leads everything
	leaderEpoch = 0
)

// notAsked is what operations are that a client may do, when it has not asked.
const notAsked = math.MinInt32

// topicID is what Kafka calls a topic's id, by its number: it is another for a topic that was made anew.
func topicID(cluster string, number int64) (id [16]byte) {
	sum := sha256.Sum256([]byte("skystash topic\x00" + cluster + "\x00" + strconv.FormatInt(number, 10)))
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4
	return id
}

func (x *exchange) metadata(ctx context.Context, req *kmsg.MetadataRequest, resp *kmsg.MetadataResponse) error {
	all := x.brokers(ctx)
	for _, b := range all {
		broker := kmsg.NewMetadataResponseBroker()
		broker.NodeID, broker.Host, broker.Port = b.id, b.Host, b.Port
		resp.Brokers = append(resp.Brokers, broker)
	}
	resp.ClusterID, resp.ControllerID = &x.Cluster.ID, all[0].id
	resp.AuthorizedOperations = notAsked
	if req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = x.clusterOperations()
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		topics, err := x.s.engine.Topics(ctx, x.Cluster)
		if err != nil {
			return fmt.Errorf("listing topics: %w", err)
		}
		for _, t := range topics {
			if x.MayDescribe(t.Name) {
				resp.Topics = append(resp.Topics, x.describeTopic(all, t, req.IncludeTopicAuthorizedOperations))
			}
		}
		return nil
	}
	var byID map[[16]byte]*kafka.Topic
	named := map[string]bool{}
	for _, asked := range req.Topics {
		if asked.TopicID != ([16]byte{}) { // the client for Java sends an empty name with it
			asked.Topic = nil
		}
		if asked.Topic != nil {
			if named[*asked.Topic] { // it is answered once
				continue
			}
			named[*asked.Topic] = true
		}
		t := kmsg.NewMetadataResponseTopic()
		t.Topic, t.TopicID = asked.Topic, asked.TopicID
		if asked.Topic == nil {
			if byID == nil {
				var err error
				if byID, err = x.topicsByID(ctx); err != nil {
					return err
				}
			}
			if found := byID[asked.TopicID]; found != nil {
				t = x.describeTopic(all, found, req.IncludeTopicAuthorizedOperations)
			} else {
				t.ErrorCode = kerr.UnknownTopicID.Code
			}
			resp.Topics = append(resp.Topics, t)
			continue
		}
		found, code, err := x.findTopic(ctx, *asked.Topic)
		if err != nil {
			return err
		}
		if t.ErrorCode = code; code == 0 {
			t = x.describeTopic(all, found, req.IncludeTopicAuthorizedOperations)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return nil
}

// findTopic finds a topic that the credential may know of. If there is none, it returns a code.
func (x *exchange) findTopic(ctx context.Context, name string) (*kafka.Topic, int16, error) {
	if !x.MayDescribe(name) {
		x.fail(http.StatusForbidden)
		return nil, kerr.TopicAuthorizationFailed.Code, nil
	}
	t, err := x.s.engine.Topic(ctx, x.Cluster, name)
	switch {
	case kafka.IsKind(err, kafka.NotFound):
		return nil, kerr.UnknownTopicOrPartition.Code, nil
	case kafka.IsKind(err, kafka.Invalid):
		return nil, kerr.InvalidTopicException.Code, nil
	}
	return t, 0, err
}

// topicsByID are the topics that the credential may know of.
func (x *exchange) topicsByID(ctx context.Context) (map[[16]byte]*kafka.Topic, error) {
	topics, err := x.s.engine.Topics(ctx, x.Cluster)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	byID := map[[16]byte]*kafka.Topic{}
	for _, t := range topics {
		if x.MayDescribe(t.Name) {
			byID[topicID(x.Cluster.ID, t.Number())] = t
		}
	}
	return byID, nil
}

// topicNamed finds the topic of an id that the credential may know of; nil: there is none.
func (x *exchange) topicNamed(ctx context.Context, id [16]byte) (*kafka.Topic, error) {
	if name, ok := x.names[id]; ok {
		t, err := x.s.engine.Topic(ctx, x.Cluster, name)
		if err == nil && topicID(x.Cluster.ID, t.Number()) == id && x.MayDescribe(name) {
			return t, nil
		}
	}
	byID, err := x.topicsByID(ctx)
	if err != nil {
		return nil, err
	}
	x.names = make(map[[16]byte]string, len(byID))
	for id, t := range byID {
		x.names[id] = t.Name
	}
	return byID[id], nil
}

func (x *exchange) describeTopic(all brokers, t *kafka.Topic, operations bool) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID = kmsg.StringPtr(t.Name), topicID(x.Cluster.ID, t.Number())
	out.AuthorizedOperations = notAsked
	if operations {
		out.AuthorizedOperations = x.topicOperations(t.Name)
	}
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions)
	for i := range out.Partitions {
		p := kmsg.NewMetadataResponseTopicPartition()
		leader := all.ofPartition(x.Cluster.ID, t, i).id
		replicas := []int32{leader}
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), leader, leaderEpoch
		p.Replicas, p.ISR = replicas, replicas
		out.Partitions[i] = p
	}
	return out
}

// Bits of operations, by Kafka's numbers of them.
const (
	mayRead            = 1 << 3
	mayWrite           = 1 << 4
	mayCreate          = 1 << 5
	mayDelete          = 1 << 6
	mayAlter           = 1 << 7
	mayDescribe        = 1 << 8
	mayDescribeConfigs = 1 << 10
	mayAlterConfigs    = 1 << 11
	mayWriteIdempotent = 1 << 12
)

func (x *exchange) topicOperations(topic string) int32 {
	ops := int32(mayDescribe | mayDescribeConfigs)
	if x.Claims.MayConsume(topic) {
		ops |= mayRead
	}
	if x.Claims.MayProduce(topic) {
		ops |= mayWrite
	}
	if x.MayAdminister(topic) {
		ops |= mayCreate | mayDelete | mayAlter | mayAlterConfigs
	}
	return ops
}

func (x *exchange) clusterOperations() int32 {
	ops := int32(mayDescribe | mayDescribeConfigs)
	if x.mayProduceAnything() {
		ops |= mayWriteIdempotent | mayCreate
	}
	return ops
}

// ofBrokers is the type of endpoints that there are; the other one is of controllers.
const ofBrokers = 1

func (x *exchange) describeCluster(ctx context.Context, req *kmsg.DescribeClusterRequest, resp *kmsg.DescribeClusterResponse) error {
	resp.EndpointType, resp.ControllerID = req.EndpointType, -1
	if req.Version > 0 && req.EndpointType != ofBrokers {
		r := x.refuse(kerr.MismatchedEndpointType, "this is a broker")
		resp.ErrorCode, resp.ErrorMessage = r.code, r.text
		return nil
	}
	all := x.brokers(ctx)
	resp.ClusterID, resp.ControllerID, resp.ClusterAuthorizedOperations = x.Cluster.ID, all[0].id, notAsked
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = x.clusterOperations()
	}
	for _, b := range all {
		broker := kmsg.NewDescribeClusterResponseBroker()
		broker.NodeID, broker.Host, broker.Port = b.id, b.Host, b.Port
		resp.Brokers = append(resp.Brokers, broker)
	}
	return nil
}
