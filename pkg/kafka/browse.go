package kafka

import "context"

// PartitionRange is what a partition has.
type PartitionRange struct {
	TopicPartition
	Start int64 // first offset that can be read
	End   int64 // the offset that is written next
	Bytes int64 // of the messages that can be read, as they are stored
}

// Ranges reads what the partitions of a topic have, by number.
func (e *Engine) Ranges(ctx context.Context, c *Cluster, topic string) ([]PartitionRange, error) {
	t, err := e.Topic(ctx, c, topic)
	if err != nil {
		return nil, err
	}
	logs := make([]string, t.Partitions)
	for p := range logs {
		logs[p] = t.log(p)
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return nil, err
	}
	out := make([]PartitionRange, len(logs))
	for p, h := range heads {
		out[p].TopicPartition = TopicPartition{topic, p}
		if h == nil {
			continue // deleted meanwhile
		}
		out[p].End = h.next
		if out[p].Start, out[p].Bytes, err = e.extent(ctx, logs[p], h); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Look reads messages of one partition from an offset on and below another, at most limit and
// MaxMessageBytes bytes of them, and returns the offset to go on from. It waits for nothing: where the
// log ends, or was not yet moved on, next stays below to.
func (e *Engine) Look(ctx context.Context, c *Cluster, from TopicOffset, to int64, limit int) (out []Message, next int64, err error) {
	if from.Offset < 0 {
		return nil, 0, refuse(Invalid, "offset %d is negative", from.Offset)
	}
	log, err := e.findLog(ctx, c, from.TopicPartition)
	if err != nil {
		return nil, 0, err
	}
	heads, err := e.heads(ctx, []string{log})
	if err != nil {
		return nil, 0, err
	}
	h := heads[0]
	if h == nil {
		return nil, 0, refuse(NotFound, "no topic %q", from.Topic)
	}
	at := cursor{from.Offset, unknownSegment}
	left := &budget{messages: min(limit, MaxMessages-1), bytes: MaxMessageBytes}
	for at.offset < min(to, h.mark) && left.messages > 0 {
		records, then, err := e.readLog(ctx, log, at, h, left)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range records {
			if r.Offset < to {
				out = append(out, Message{from.Topic, from.Partition, r})
			}
		}
		if then.offset <= at.offset {
			break
		}
		at = then
	}
	return out, at.offset, nil
}
