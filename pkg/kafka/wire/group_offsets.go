package wire

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// Versions of OffsetFetch from which on an error is one for all, and from which on it names several groups.
const (
	firstFetchOfErrors = 2
	firstFetchOfMany   = 8
	firstOffsetsByID   = 10 // so it is of OffsetCommit: topics have ids instead of names
)

func (x *exchange) offsetFetch(ctx context.Context, req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) error {
	if req.Version >= firstFetchOfMany {
		for _, g := range req.Groups {
			m := kafka.MemberRef{Group: g.Group, Member: text(g.MemberID), Generation: g.MemberEpoch}
			out, err := x.groupOffsets(ctx, m, g.Topics, req.Version >= firstOffsetsByID)
			if err != nil {
				return err
			}
			if out.ErrorCode != 0 {
				out.Topics = nil
			}
			resp.Groups = append(resp.Groups, out)
		}
		return nil
	}
	var asked []kmsg.OffsetFetchRequestGroupTopic
	if req.Topics != nil {
		asked = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		asked = append(asked, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	got, err := x.groupOffsets(ctx, kafka.MemberRef{Group: req.Group, Generation: -1}, asked, false)
	if err != nil {
		return err
	}
	resp.ErrorCode = got.ErrorCode
	for _, t := range got.Topics {
		out := kmsg.NewOffsetFetchResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetFetchResponseTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch, part.Metadata, part.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			if got.ErrorCode != 0 && req.Version < firstFetchOfErrors {
				part.ErrorCode = got.ErrorCode // an offset of -1 alone would make the client begin anew
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}

// groupOffsets are the offsets of a group, for a member of it or anybody; topics nil: of all topics that it has some of. An error is one of
// looking up the topics' ids.
func (x *exchange) groupOffsets(ctx context.Context, m kafka.MemberRef, topics []kmsg.OffsetFetchRequestGroupTopic, byID bool) (kmsg.OffsetFetchResponseGroup, error) {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group, resp.ErrorCode = m.Group, x.mayUse(ctx, m.Group)
	if byID {
		for i := range topics {
			t, err := x.topicNamed(ctx, topics[i].TopicID)
			if err != nil {
				return resp, err
			}
			if topics[i].Topic = ""; t != nil {
				topics[i].Topic = t.Name
			}
		}
	}
	everything := topics == nil
	var tps []kafka.TopicPartition
	if !everything {
		tps = []kafka.TopicPartition{}
	}
	for _, t := range topics {
		for _, p := range t.Partitions {
			if x.Claims.MayConsume(t.Topic) && (t.Topic != "" || !byID) {
				tps = append(tps, kafka.TopicPartition{Topic: t.Topic, Partition: int(p)})
			}
		}
	}
	found := map[kafka.TopicPartition]kafka.OffsetCommit{}
	if resp.ErrorCode == 0 {
		got, err := x.s.engine.FetchMemberOffsets(ctx, x.Cluster, m, tps)
		resp.ErrorCode = x.groupCode(err)
		for _, o := range got {
			if found[o.TopicPartition] = o; everything && x.Claims.MayConsume(o.Topic) {
				topics = addPartition(topics, o.TopicPartition)
			}
		}
	}
	for _, t := range topics {
		out := kmsg.NewOffsetFetchResponseGroupTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		if byID && everything {
			topic, err := x.s.engine.Topic(ctx, x.Cluster, t.Topic)
			if err != nil {
				continue // it has gone
			}
			out.TopicID = topicID(x.Cluster.ID, topic.Number())
		}
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch, part.Metadata = p, -1, -1, kmsg.StringPtr("")
			o, ok := found[kafka.TopicPartition{Topic: t.Topic, Partition: int(p)}]
			switch {
			case byID && t.Topic == "":
				part.ErrorCode = kerr.UnknownTopicID.Code
			case !x.Claims.MayConsume(t.Topic):
				part.ErrorCode = kerr.TopicAuthorizationFailed.Code
			case ok:
				part.Offset, part.LeaderEpoch, part.Metadata = o.Offset, o.LeaderEpoch, &o.Metadata
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp, nil
}

// addPartition adds a partition to a list by topics.
func addPartition(topics []kmsg.OffsetFetchRequestGroupTopic, tp kafka.TopicPartition) []kmsg.OffsetFetchRequestGroupTopic {
	i := slices.IndexFunc(topics, func(t kmsg.OffsetFetchRequestGroupTopic) bool { return t.Topic == tp.Topic })
	if i < 0 {
		i = len(topics)
		topics = append(topics, kmsg.OffsetFetchRequestGroupTopic{Topic: tp.Topic})
	}
	topics[i].Partitions = append(topics[i].Partitions, int32(tp.Partition))
	return topics
}
