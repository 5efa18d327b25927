package kafka

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/turns"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int
}

// TopicOffset is a place in a partition.
type TopicOffset struct {
	TopicPartition
	Offset int64
}

// findLog finds a partition's log.
func (e *Engine) findLog(ctx context.Context, c *Cluster, tp TopicPartition) (log string, err error) {
	t, err := e.Topic(ctx, c, tp.Topic)
	if err != nil {
		return "", err
	}
	if tp.Partition < 0 || tp.Partition >= t.Partitions {
		return "", refuse(Invalid, "no partition %d: topic %q has %d", tp.Partition, t.Name, t.Partitions)
	}
	return t.log(tp.Partition), nil
}

func (e *Engine) findLogs(ctx context.Context, c *Cluster, tps []TopicPartition) ([]string, error) {
	logs := make([]string, len(tps))
	for i, tp := range tps {
		var err error
		if logs[i], err = e.findLog(ctx, c, tp); err != nil {
			return nil, err
		}
	}
	return logs, nil
}

// Fetch reads messages from some offsets on, in order for each partition. An
// offset below the log's start reads from there. If there is nothing it waits, at
// most for the timeout, and then returns nothing.
func (e *Engine) Fetch(ctx context.Context, c *Cluster, from []TopicOffset, timeout time.Duration) ([]Message, error) {
	tps := make([]TopicPartition, len(from))
	at := make([]cursor, len(from))
	for i, f := range from {
		if f.Offset < 0 {
			return nil, refuse(Invalid, "offset %d is negative", f.Offset)
		}
		tps[i], at[i] = f.TopicPartition, cursor{f.Offset, unknownSegment}
	}
	logs, err := e.findLogs(ctx, c, tps)
	if err != nil {
		return nil, err
	}
	until, cancel := e.timeout(ctx, timeout)
	defer cancel()
	w := e.newWait(ctx, until, logs)
	defer w.stop()
	turn := turns.Of(ctx)
	defer turn.Release()
	for {
		heads, err := w.heads(ctx, at)
		if err != nil {
			return nil, err
		}
		var out []Message
		left := newBudget()
		for i, h := range heads {
			if h == nil || at[i].offset >= h.mark || left.messages == 0 {
				continue
			}
			var records []batch.Record
			for more := true; more; { // what has expired, or was compacted away, is passed over at once
				before := at[i].offset
				if err := turn.Spend(ctx, placeWork); err != nil {
					return nil, err
				}
				if records, at[i], err = e.readLog(ctx, logs[i], at[i], h, left); err != nil {
					return nil, err
				}
				more = len(records) == 0 && at[i].offset > before && at[i].offset < h.mark
			}
			for _, r := range records {
				out = append(out, Message{tps[i].Topic, tps[i].Partition, r})
			}
		}
		turn.Release()
		if len(out) > 0 || !w.more(heads, at) {
			return out, nil
		}
	}
}

// placeWork is what it takes to read from one place, besides decoding, in units of work.
const placeWork = 20_000

// help materializes what has arrived for one log since a time.
func (e *Engine) help(ctx context.Context, log string, since time.Time) error {
	return e.stream.Tail(ctx, log, since, func(ds []ingest.Delivery) error {
		var ours []ingest.Delivery
		for _, d := range ds {
			if d.Key == log {
				ours = append(ours, d)
			}
		}
		_, err := e.materialize(ctx, ours, false)
		return err
	})
}
