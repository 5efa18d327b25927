package wire

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
)

const (
	// maxWait bounds the time that a Fetch waits.
	maxWait = 30 * time.Second
	// blockedPause is how long a client is asked to wait whose cluster has reached a limit.
	blockedPause = time.Second
	// firstFetchOfZstd is the version of Fetch from which on clients read zstd, if they do.
	firstFetchOfZstd = 10
)

func (x *exchange) fetch(ctx context.Context, req *kmsg.FetchRequest, resp *kmsg.FetchResponse) error {
	if req.SessionID != 0 {
		resp.ErrorCode = kerr.FetchSessionIDNotFound.Code
		return nil
	}
	var asked []kafka.BatchFetch
	var parts []*kmsg.FetchResponseTopicPartition
	refused := false
	for _, t := range req.Topics {
		out := kmsg.NewFetchResponseTopic()
		out.Topic = t.Topic
		out.Partitions = make([]kmsg.FetchResponseTopicPartition, len(t.Partitions))
		for i, p := range t.Partitions {
			part := &out.Partitions[i]
			*part = kmsg.NewFetchResponseTopicPartition()
			part.Partition, part.HighWatermark, part.LastStableOffset, part.LogStartOffset = p.Partition, -1, -1, -1
			part.PreferredReadReplica, part.RecordBatches = -1, []byte{}
			switch {
			case !x.Claims.MayConsume(t.Topic):
				part.ErrorCode = kerr.TopicAuthorizationFailed.Code
				refused = true
			case p.CurrentLeaderEpoch > leaderEpoch:
				part.ErrorCode = x.epochCode(ctx, kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)}, p.CurrentLeaderEpoch)
				refused = true
			default:
				asked = append(asked, kafka.BatchFetch{
					TopicPartition: kafka.TopicPartition{Topic: t.Topic, Partition: int(p.Partition)},
					Offset:         p.FetchOffset, MaxBytes: int(p.PartitionMaxBytes),
				})
				parts = append(parts, part)
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	if x.Cluster.Blocked.Holds(x.s.now()) {
		x.blocked, x.throttle = true, blockedPause
		resp.ThrottleMillis = int32(blockedPause.Milliseconds())
		return nil
	}
	o := kafka.BatchOptions{
		Wait:     min(maxWait, time.Duration(max(0, req.MaxWaitMillis))*time.Millisecond),
		MinBytes: int(req.MinBytes), MaxBytes: min(int(req.MaxBytes), x.s.answerBytes()),
	}
	if refused {
		o.Wait = 0
	}
	if len(asked) == 0 && !refused {
		return x.idle(ctx, o.Wait)
	}
	return x.fetchBatches(ctx, req.Version, asked, parts, o)
}

// idle waits in the place of a Fetch that asks for nothing, which would come again at once.
func (x *exchange) idle(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *exchange) fetchBatches(ctx context.Context, version int16, asked []kafka.BatchFetch, parts []*kmsg.FetchResponseTopicPartition, o kafka.BatchOptions) error {
	// Another partition is the first one each time: it always has room in the answer.
	if n := len(asked); n > 0 {
		x.rotation = (x.rotation + 1) % n
		asked = append(asked[x.rotation:n:n], asked[:x.rotation]...)
		parts = append(parts[x.rotation:n:n], parts[:x.rotation]...)
	}
	got, err := x.s.engine.FetchBatches(ctx, x.Cluster, asked, o)
	if x.Life.Err() != nil {
		return x.Life.Err()
	}
	for i, part := range parts {
		if err != nil {
			part.ErrorCode = x.codeOf(err, kerr.NotLeaderForPartition)
			continue
		}
		g := &got[i]
		part.ErrorCode = x.codeOf(g.Err, kerr.NotLeaderForPartition)
		if kafka.IsKind(g.Err, kafka.Invalid) {
			part.ErrorCode = kerr.UnknownTopicOrPartition.Code
		}
		if g.Err == nil {
			part.HighWatermark, part.LastStableOffset, part.LogStartOffset = g.End, g.End, g.Start
			part.RecordBatches, part.ErrorCode = x.appendBatches(g.Batches, version)
		}
	}
	return nil
}

// appendBatches makes the records of an answer.
func (x *exchange) appendBatches(batches []batch.Info, version int16) ([]byte, int16) {
	size := 0
	for _, b := range batches {
		size += len(b.Bytes)
	}
	out := make([]byte, 0, size)
	for i := range batches {
		b := &batches[i]
		start := len(out)
		switch zstd, ours := b.Codec() == batch.Zstd, b.Epoch() != batch.ByClient; {
		case zstd && ours: // of before REST used gzip: kafka-python and kafkajs do not read it
			plain, err := b.AppendPlain(out)
			if err != nil {
				return out, x.codeOf(err, kerr.CorruptMessage)
			}
			out = plain
		case zstd && version < firstFetchOfZstd:
			if len(out) == 0 {
				return out, kerr.UnsupportedCompressionType.Code
			}
			return out, 0
		default:
			out = append(out, b.Bytes...)
		}
		batch.SetEpoch(out[start:], -1)
		x.messages += b.Count
	}
	return out, 0
}
