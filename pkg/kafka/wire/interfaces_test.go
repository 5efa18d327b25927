package wire_test

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// adminCall is a call of an administration client, with what has to come of it.
type adminCall struct {
	name string
	call func(context.Context, *kadm.Client) error
	want *kerr.Error // nil: success
}

// errWrong is an answer that is not as it has to be.
var errWrong = errors.New("another answer than is expected")

// good is nil, or errWrong.
func good(ok bool) error {
	if !ok {
		return errWrong
	}
	return nil
}

// of is err, or, without one, whether an answer is as it has to be.
func of(err error, ok func() bool) error {
	if err != nil {
		return err
	}
	return good(ok())
}

func set(topic string, partitions ...int32) kadm.TopicsSet {
	s := kadm.TopicsSet{}
	s.Add(topic, partitions...)
	return s
}

// TestUserInterfacesAreServed makes the calls that Kafka UI (kafbat) and AKHQ make, in the order in which people come to their pages: a cluster,
// its brokers, topics, messages, groups and lag, and what is changed there.
func TestUserInterfacesAreServed(t *testing.T) {
	b := newBroker(t)
	me := b.mint(nil)
	b.fill(me, "red", 30)
	b.topic("full", kafka.TopicOptions{Partitions: 1})
	b.fill(me, "full", 5)
	c := b.client(me.plain(), kgo.ConsumerGroup("live"), kgo.ConsumeTopics("red"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := c.PollFetches(b.ctx()); got.Err() != nil {
		t.Fatal(got.Err())
	}
	value := "60000"
	for _, row := range []adminCall{
		{"describeCluster", func(ctx context.Context, a *kadm.Client) error {
			m, err := a.BrokerMetadata(ctx)
			return of(err, func() bool { return m.Cluster == b.cluster.ID && m.Controller == 0 && len(m.Brokers) == 1 })
		}, nil},
		{"describeConfigs of the broker, which say what can be asked for", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DescribeBrokerConfigs(ctx, 0)
			values := map[string]string{}
			for _, one := range r {
				for _, c := range one.Configs {
					values[c.Key] = c.MaybeValue()
				}
			}
			return of(err, func() bool {
				return values["inter.broker.protocol.version"] == "2.8-IV1" && values["delete.topic.enable"] == "true" && values["auto.create.topics.enable"] == "false"
			})
		}, nil},
		{"describeLogDirs", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DescribeAllLogDirs(ctx, nil)
			return of(err, func() bool { return len(r) == 1 && r[0].Size() > 0 })
		}, nil},
		{"describeLogDirs of a topic", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DescribeBrokerLogDirs(ctx, 0, set("full", 0))
			return of(err, func() bool { p, ok := r.LookupPartition("full", 0); return ok && p.Size > 0 })
		}, nil},
		{"listTopics, those of the broker's own too", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListTopicsWithInternal(ctx)
			return of(err, func() bool { return r.Has("red") && r.Has("blue") && r.Has("full") && len(r) == 3 })
		}, nil},
		{"describeTopics", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListTopics(ctx, "red")
			return of(err, func() bool { return len(r["red"].Partitions) == 3 && !r["red"].IsInternal })
		}, nil},
		{"describeTopics of none", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListTopics(ctx, "none")
			return errors.Join(err, r["none"].Err)
		}, kerr.UnknownTopicOrPartition},
		{"describeConfigs of topics", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DescribeTopicConfigs(ctx, "red", "blue")
			return of(err, func() bool { return len(r) == 2 && len(r[0].Configs) > 20 && r[0].Err == nil })
		}, nil},
		{"listOffsets, the earliest", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListStartOffsets(ctx, "red")
			return of(err, func() bool { o, ok := r.Lookup("red", 0); return ok && o.Err == nil && o.Offset == 0 })
		}, nil},
		{"listOffsets, the latest", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListEndOffsets(ctx, "red")
			sum := int64(0)
			r.Each(func(o kadm.ListedOffset) { sum += o.Offset })
			return of(err, func() bool { return sum == 30 })
		}, nil},
		{"listOffsets by time", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListOffsetsAfterMilli(ctx, 1, "full")
			return of(err, func() bool { o, ok := r.Lookup("full", 0); return ok && o.Offset == 0 && o.Timestamp > 0 })
		}, nil},
		{"listConsumerGroups", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListGroups(ctx)
			return of(err, func() bool { return r["live"].State == "Stable" && r["live"].ProtocolType == "consumer" })
		}, nil},
		{"listConsumerGroups in a state", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.ListGroups(ctx, "Empty", "Dead")
			return of(err, func() bool { return len(r) == 0 })
		}, nil},
		{"describeConsumerGroups", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DescribeGroups(ctx, "live")
			return of(errors.Join(err, r.Error()), func() bool {
				live := r["live"]
				return live.State == "Stable" && len(live.Members) == 1 && len(live.AssignedPartitions()["red"]) == 3
			})
		}, nil},
		{"alterConsumerGroupOffsets of a group with members", func(ctx context.Context, a *kadm.Client) error {
			return a.CommitAllOffsets(ctx, "live", kadm.OffsetsFromFetches(kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "red", Partitions: []kgo.FetchPartition{
				{Records: []*kgo.Record{{Topic: "red", Offset: 1}}},
			}}}}}))
		}, kerr.UnknownMemberID},
		{"alterConsumerGroupOffsets, which makes a group", func(ctx context.Context, a *kadm.Client) error {
			o := kadm.Offsets{}
			o.AddOffset("red", 0, 2, -1)
			o.AddOffset("red", 1, 3, -1)
			return a.CommitAllOffsets(ctx, "reset", o)
		}, nil},
		{"listConsumerGroupOffsets", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.FetchOffsets(ctx, "reset")
			return of(err, func() bool {
				zero, ok := r.Lookup("red", 0)
				one, also := r.Lookup("red", 1)
				return ok && also && zero.At == 2 && one.At == 3 && len(r["red"]) == 2
			})
		}, nil},
		{"listConsumerGroupOffsets of several", func(ctx context.Context, a *kadm.Client) error {
			r := a.FetchManyOffsets(ctx, "live", "reset")
			return of(r.Error(), func() bool { return len(r) == 2 && len(r["reset"].Fetched["red"]) == 2 })
		}, nil},
		{"lag", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.Lag(ctx, "reset")
			lag := r["reset"]
			return of(errors.Join(err, r.Error()), func() bool {
				one, ok := lag.Lag.Lookup("red", 0)
				return ok && one.Err == nil && one.Lag == one.End.Offset-2
			})
		}, nil},
		{"deleteConsumerGroupOffsets", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DeleteOffsets(ctx, "reset", set("red", 0))
			return errors.Join(err, r.Error())
		}, nil},
		{"deleteConsumerGroupOffsets that members read", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.DeleteOffsets(ctx, "live", set("red", 0))
			return errors.Join(err, r.Error())
		}, kerr.GroupSubscribedToTopic},
		{"deleteConsumerGroups", func(ctx context.Context, a *kadm.Client) error {
			_, err := a.DeleteGroup(ctx, "reset")
			return err
		}, nil},
		{"deleteConsumerGroups with members", func(ctx context.Context, a *kadm.Client) error {
			_, err := a.DeleteGroup(ctx, "live")
			return err
		}, kerr.NonEmptyGroup},
		{"incrementalAlterConfigs", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, "red")
			return errors.Join(err, r[0].Err)
		}, nil},
		{"incrementalAlterConfigs of what there is not", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "colour", Value: &value}}, "red")
			return errors.Join(err, r[0].Err)
		}, kerr.InvalidConfig},
		{"incrementalAlterConfigs of the broker", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "log.retention.ms", Value: &value}}, 0)
			return errors.Join(err, r[0].Err)
		}, kerr.InvalidRequest},
		{"createPartitions", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.UpdatePartitions(ctx, 2, "blue")
			return errors.Join(err, r["blue"].Err)
		}, nil},
		{"createPartitions, fewer", func(ctx context.Context, a *kadm.Client) error {
			r, err := a.UpdatePartitions(ctx, 1, "blue")
			return errors.Join(err, r["blue"].Err)
		}, kerr.InvalidPartitions},
		{"deleteRecords", func(ctx context.Context, a *kadm.Client) error {
			o := kadm.Offsets{}
			o.AddOffset("full", 0, 2, -1)
			r, err := a.DeleteRecords(ctx, o)
			return of(errors.Join(err, r.Error()), func() bool { p, _ := r.Lookup("full", 0); return p.LowWatermark == 2 })
		}, nil},
		{"createTopics", func(ctx context.Context, a *kadm.Client) error {
			_, err := a.CreateTopic(ctx, 2, -1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}, "made")
			return err
		}, nil},
		{"deleteTopics", func(ctx context.Context, a *kadm.Client) error {
			_, err := a.DeleteTopic(ctx, "made")
			return err
		}, nil},
	} {
		b.adminCall(kadm.NewClient(c), row)
	}
}

func (b *broker) adminCall(a *kadm.Client, row adminCall) {
	b.Helper()
	err := row.call(b.ctx(), a)
	switch {
	case row.want == nil && err != nil:
		b.Errorf("%s: %v", row.name, err)
	case row.want != nil && !errors.Is(err, row.want):
		b.Errorf("%s: %v, want %v", row.name, err, row.want)
	}
}

// Kafka without an authorizer says the same, and user interfaces show that there are none.
func TestAccessControlListsAreRefused(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	b.wantCode("describeAcls", raw[*kmsg.DescribeACLsResponse](b, c, kmsg.NewPtrDescribeACLsRequest()).ErrorCode, kerr.SecurityDisabled)
	create := kmsg.NewPtrCreateACLsRequest()
	create.Creations = append(create.Creations, kmsg.NewCreateACLsRequestCreation())
	b.wantCode("createAcls", raw[*kmsg.CreateACLsResponse](b, c, create).Results[0].ErrorCode, kerr.SecurityDisabled)
	remove := kmsg.NewPtrDeleteACLsRequest()
	remove.Filters = append(remove.Filters, kmsg.NewDeleteACLsRequestFilter())
	b.wantCode("deleteAcls", raw[*kmsg.DeleteACLsResponse](b, c, remove).Results[0].ErrorCode, kerr.SecurityDisabled)
}

// What is not served, clients know before they ask: they say so at once, and go on.
func TestUserInterfacesAreToldWhatIsNotServed(t *testing.T) {
	b := newBroker(t)
	c := b.client(b.mint(nil).plain())
	a := kadm.NewClient(c)
	for name, call := range map[string]func(context.Context) error{
		"describeUserScramCredentials": func(ctx context.Context) error { _, err := a.DescribeUserSCRAMs(ctx); return err },
		"listTransactions":             func(ctx context.Context) error { _, err := a.ListTransactions(ctx, nil, nil); return err },
		"describeProducers":            func(ctx context.Context) error { _, err := a.DescribeProducers(ctx, set("red", 0)); return err },
		"electLeaders": func(ctx context.Context) error {
			_, err := a.ElectLeaders(ctx, kadm.ElectPreferredReplica, set("red", 0))
			return err
		},
		"alterPartitionReassignments": func(ctx context.Context) error {
			var req kadm.AlterPartitionAssignmentsReq
			req.Assign("red", 0, []int32{0})
			_, err := a.AlterPartitionAssignments(ctx, req)
			return err
		},
		"listPartitionReassignments": func(ctx context.Context) error {
			_, err := a.ListPartitionReassignments(ctx, set("red", 0))
			return err
		},
		"describeClientQuotas":     func(ctx context.Context) error { _, err := a.DescribeClientQuotas(ctx, false, nil); return err },
		"describeDelegationTokens": func(ctx context.Context) error { _, err := a.DescribeDelegationTokens(ctx); return err },
	} {
		if err := call(b.ctx()); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if topics, err := a.ListTopics(b.ctx()); err != nil || !topics.Has("red") {
		t.Errorf("afterwards: %v, %v", topics, err)
	}
}
