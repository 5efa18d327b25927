package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/store"
)

// Times that Offsets takes besides Unix milliseconds.
const (
	Earliest = -2 // where the log starts
	Latest   = -1 // the offset that is written next
)

// Offsets finds for each partition the first offset whose message has a
// timestamp of at least at (Unix ms); if there is none, the offset that is written
// next. It waits at most for the timeout for messages that were accepted before.
func (e *Engine) Offsets(ctx context.Context, c *Cluster, tps []TopicPartition, at int64, timeout time.Duration) ([]TopicOffset, error) {
	logs, err := e.findLogs(ctx, c, tps)
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 {
		return []TopicOffset{}, nil
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return nil, err
	}
	out := make([]TopicOffset, len(tps))
	var search Search
	for i, h := range heads {
		if h == nil {
			return nil, refuse(NotFound, "no topic %q", tps[i].Topic)
		}
		out[i].TopicPartition = tps[i]
		switch {
		case at == Latest:
			out[i].Offset = h.next
		case at == Earliest:
			out[i].Offset, err = e.earliest(ctx, logs[i], h)
		default:
			out[i].Offset, err = e.byTime(ctx, logs[i], h, at, timeout, &search)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// earliest is the first offset that can be read.
func (e *Engine) earliest(ctx context.Context, log string, h *head) (int64, error) {
	first, _, err := e.extent(ctx, log, h)
	return first, err
}

// byTime searches the segments by their greatest timestamps so far, which ascend,
// and then reads on: single messages need not be in the order of their times.
func (e *Engine) byTime(ctx context.Context, log string, h *head, at int64, timeout time.Duration, of *Search) (int64, error) {
	end := h.next // only messages accepted before the call matter
	h, err := e.caughtUp(ctx, log, h, timeout)
	if err != nil {
		return 0, err
	}
	low, high := h.start, h.mark // the segment is in [low, high)
	for low < high && at > 0 {
		page, err := e.store.Query(ctx, store.Query{
			Partition: log, From: kindSegment, To: offsetKey(log, kindSegment, low+(high-low)/2+1).Sort, Reverse: true, Limit: 1,
		})
		if err != nil {
			return 0, fmt.Errorf("searching a log by time: %w", err)
		}
		if len(page.Items) == 0 {
			break
		}
		s := segmentOf(offsetOf(page.Items[0].Key), page.Items[0].Attrs)
		if s.next <= low || s.maxTime >= at && s.base <= low { // it holds the place, or nothing does
			break
		}
		if s.maxTime >= at {
			high = s.base
		} else {
			low = s.next
		}
	}
	found, err := e.since(ctx, log, low, h, at, of)
	if err != nil || found == nil {
		return end, err
	}
	return found.Offset, nil
}

// Search counts what is decoded to find messages by time for one request. The zero Search is ready.
type Search struct{ decoded int }

// maxSearched bounds the bytes that are decoded for a Search: all messages of a batch are that come before the one.
const maxSearched = 256 << 20

// ErrSearched means that a Search has decoded so much that it ends. With fewer partitions it would find what it is for.
var ErrSearched = errors.New("too many messages were looked through to find those of a time: ask for fewer partitions at once")

// since finds the first message from an offset on with a timestamp of at least at; nil: there is none.
func (e *Engine) since(ctx context.Context, log string, offset int64, h *head, at int64, of *Search) (*batch.Record, error) {
	for place := (cursor{offset, unknownSegment}); place.offset < h.mark; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("searching a log by time: %w", err)
		}
		if of.decoded > maxSearched {
			return nil, ErrSearched
		}
		left := newBudget()
		left.bytes, left.search = 0, of // one message is enough
		left.wants = func(r *batch.Record) bool { return r.Timestamp >= at }
		records, next, err := e.readLog(ctx, log, place, h, left)
		if err != nil {
			return nil, err
		}
		if len(records) > 0 {
			return &records[0], nil
		}
		if next.offset <= place.offset && of.decoded <= maxSearched {
			break
		}
		place = next
	}
	return nil, nil
}

// caughtUp waits until what was reserved is in the log.
func (e *Engine) caughtUp(ctx context.Context, log string, h *head, timeout time.Duration) (*head, error) {
	end := h.next
	until, cancel := e.timeout(ctx, timeout)
	defer cancel()
	w := e.newWait(ctx, until, []string{log})
	defer w.stop()
	for h.mark < end && w.more([]*head{h}, []cursor{{h.mark, unknownSegment}}) {
		heads, err := e.heads(ctx, []string{log})
		if err != nil {
			return nil, err
		}
		if heads[0] == nil {
			return nil, refuse(NotFound, "the topic was deleted meanwhile")
		}
		h = heads[0]
	}
	return h, nil
}
