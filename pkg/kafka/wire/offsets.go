package wire

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
)

// settleTime is how long ListOffsets waits for what was accepted before.
const settleTime = time.Second

// Times that are none.
const (
	latest   = -1
	earliest = -2
)

func (x *exchange) listOffsets(ctx context.Context, req *kmsg.ListOffsetsRequest, resp *kmsg.ListOffsetsResponse) error {
	named := map[kafka.TopicPartition]int{}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			named[kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)}]++
		}
	}
	for _, t := range req.Topics {
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewListOffsetsResponseTopicPartition()
			part.Partition, part.Timestamp, part.Offset = p.Partition, -1, -1
			tp := kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)}
			switch {
			case !x.MayDescribe(t.Topic):
				part.ErrorCode = kerr.TopicAuthorizationFailed.Code
			case named[tp] > 1:
				part.ErrorCode = kerr.InvalidRequest.Code
			case p.Timestamp < earliest:
				part.ErrorCode = kerr.UnsupportedVersion.Code
			default:
				if part.ErrorCode = x.epochCode(ctx, tp, p.CurrentLeaderEpoch); part.ErrorCode == 0 {
					part.ErrorCode = x.partitionCode(x.findOffset(ctx, tp, p.Timestamp, &part))
				}
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}

// partitionCode is the code of an error of reading a partition.
func (x *exchange) partitionCode(err error) int16 {
	if kafka.IsKind(err, kafka.Invalid) { // there is no such partition
		return kerr.UnknownTopicOrPartition.Code
	}
	return x.codeOf(err, kerr.NotLeaderForPartition)
}

// epochCode compares what a client takes for a partition's epoch with what it is. That there is no such partition comes first.
func (x *exchange) epochCode(ctx context.Context, tp kafka.TopicPartition, current int32) int16 {
	if current <= leaderEpoch {
		return 0
	}
	if t, err := x.s.engine.Topic(ctx, x.Cluster, tp.Topic); err != nil || tp.Partition < 0 || tp.Partition >= t.Partitions {
		return kerr.UnknownTopicOrPartition.Code
	}
	return kerr.UnknownLeaderEpoch.Code
}

func (x *exchange) findOffset(ctx context.Context, tp kafka.TopicPartition, at int64, part *kmsg.ListOffsetsResponseTopicPartition) error {
	if at >= 0 {
		m, err := x.s.engine.OffsetAt(ctx, x.Cluster, tp, at, settleTime, &x.search)
		if err == nil && m != nil {
			part.Offset, part.Timestamp, part.LeaderEpoch = m.Offset, m.Timestamp, leaderEpoch
		}
		return err
	}
	limits, err := x.s.engine.Limits(ctx, x.Cluster, tp, settleTime)
	if err != nil {
		return err
	}
	part.LeaderEpoch = leaderEpoch
	if part.Offset = limits.End; at == earliest {
		part.Offset = limits.Start
	}
	return nil
}

func (x *exchange) offsetForLeaderEpoch(ctx context.Context, req *kmsg.OffsetForLeaderEpochRequest, resp *kmsg.OffsetForLeaderEpochResponse) error {
	for _, t := range req.Topics {
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition, part.LeaderEpoch, part.EndOffset = p.Partition, -1, -1
			switch {
			case !x.Claims.MayConsume(t.Topic):
				part.ErrorCode = kerr.TopicAuthorizationFailed.Code
			default:
				tp := kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)}
				if part.ErrorCode = x.epochCode(ctx, tp, p.CurrentLeaderEpoch); part.ErrorCode != 0 {
					break
				}
				limits, err := x.s.engine.Limits(ctx, x.Cluster, tp, settleTime)
				if part.ErrorCode = x.partitionCode(err); err == nil && p.LeaderEpoch == leaderEpoch {
					part.LeaderEpoch, part.EndOffset = leaderEpoch, limits.End
				}
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return nil
}
