package wire

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// newMemberID is an id for a member of version 0 of ConsumerGroupHeartbeat, whose clients may leave that to us: 16 bytes in Kafka's way.
func newMemberID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (x *exchange) consumerHeartbeat(ctx context.Context, req *kmsg.ConsumerGroupHeartbeatRequest, resp *kmsg.ConsumerGroupHeartbeatResponse) error {
	if resp.ErrorCode = x.mayUse(ctx, req.Group); resp.ErrorCode != 0 {
		return nil
	}
	if slices.ContainsFunc(req.SubscribedTopicNames, func(t string) bool { return !x.Claims.MayConsume(t) }) {
		x.fail(http.StatusForbidden)
		resp.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return nil
	}
	r := kafka.ConsumerHeartbeat{
		Group: req.Group, Member: req.MemberID, Instance: text(req.InstanceID), Rack: text(req.RackID), ClientID: x.frame.client, ClientHost: x.host(),
		Epoch: req.MemberEpoch, RebalanceTimeout: time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond,
		Topics: req.SubscribedTopicNames, Regex: req.SubscribedTopicRegex, Assignor: req.ServerAssignor, Owns: req.Topics != nil,
		MayRead: x.Claims.MayConsume, IDOf: func(number int64) [16]byte { return topicID(x.Cluster.ID, number) },
	}
	if req.Version == 0 && r.Member == "" && r.Epoch == 0 {
		r.Member = newMemberID()
	}
	for _, t := range req.Topics {
		r.Owned = append(r.Owned, kafka.IDPartitions{ID: t.TopicID, Partitions: ints(t.Partitions)})
	}
	got, err := x.s.engine.ConsumerHeartbeat(ctx, x.Cluster, r)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = x.groupCode(err), groupText(err)
		return x.Life.Err()
	}
	resp.MemberID, resp.MemberEpoch, resp.HeartbeatIntervalMillis = &got.Member, got.Epoch, int32(got.Interval.Milliseconds())
	if got.Assigned != nil {
		resp.Assignment = &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
		for _, t := range got.Assigned {
			topic := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
			topic.TopicID, topic.Partitions = t.ID, int32s(t.Partitions)
			resp.Assignment.Topics = append(resp.Assignment.Topics, topic)
		}
	}
	return nil
}

// groupText is what a client is told of a refusal besides the code; nil: nothing.
func groupText(err error) *string {
	var refused *kafka.GroupError
	if errors.As(err, &refused) {
		return &refused.Text
	}
	return nil
}

func ints(list []int32) (out []int) {
	for _, n := range list {
		out = append(out, int(n))
	}
	return out
}

func int32s(list []int) (out []int32) {
	for _, n := range list {
		out = append(out, int32(n))
	}
	return out
}

// consumerMember is the type of members that do not use the classic protocol.
const consumerMember = 1

func (x *exchange) describeConsumers(ctx context.Context, req *kmsg.ConsumerGroupDescribeRequest, resp *kmsg.ConsumerGroupDescribeResponse) error {
	for _, name := range req.Groups {
		out := kmsg.NewConsumerGroupDescribeResponseGroup()
		out.Group, out.AuthorizedOperations = name, notAsked
		if req.IncludeAuthorizedOperations {
			out.AuthorizedOperations = mayRead | mayDescribe | mayDelete
		}
		if out.ErrorCode = x.mayUse(ctx, name); out.ErrorCode == 0 {
			if err := x.describeConsumerGroup(ctx, name, &out); err != nil {
				out.ErrorCode, out.ErrorMessage = x.groupCode(err), groupText(err)
			}
		}
		resp.Groups = append(resp.Groups, out)
	}
	return nil
}

func (x *exchange) describeConsumerGroup(ctx context.Context, name string, out *kmsg.ConsumerGroupDescribeResponseGroup) error {
	d, numbers, err := x.s.engine.DescribeConsumers(ctx, x.Cluster, name)
	if err != nil {
		return err
	}
	out.State, out.Epoch, out.AssignmentEpoch, out.AssignorName = d.State, d.Epoch, d.Epoch, d.Assignor
	assignment := func(parts map[string][]int) (a kmsg.Assignment) {
		for _, topic := range slices.Sorted(maps.Keys(parts)) {
			tp := kmsg.NewAssignmentTopicPartition()
			tp.Topic, tp.TopicID, tp.Partitions = topic, topicID(x.Cluster.ID, numbers[topic]), int32s(parts[topic])
			a.TopicPartitions = append(a.TopicPartitions, tp)
		}
		return a
	}
	for _, m := range d.Members {
		one := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		one.MemberID, one.InstanceID, one.RackID, one.MemberEpoch = m.Member, pointer(m.Instance), pointer(m.Rack), m.Epoch
		one.ClientID, one.ClientHost, one.SubscribedTopics, one.SubscribedTopicRegex = m.ClientID, m.ClientHost, m.Topics, pointer(m.Regex)
		one.Assignment, one.TargetAssignment, one.MemberType = assignment(m.Assigned), assignment(m.Target), consumerMember
		out.Members = append(out.Members, one)
	}
	return nil
}
