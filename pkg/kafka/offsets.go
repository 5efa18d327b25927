package kafka

import (
	"context"
	"fmt"
	"time"

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
			out[i].Offset, err = e.byTime(ctx, logs[i], h, at, timeout)
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
func (e *Engine) byTime(ctx context.Context, log string, h *head, at int64, timeout time.Duration) (int64, error) {
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
	for place := (cursor{low, unknownSegment}); place.offset < h.mark; {
		records, next, err := e.readLog(ctx, log, place, h, newBudget())
		if err != nil {
			return 0, err
		}
		for _, r := range records {
			if r.Timestamp >= at {
				return r.Offset, nil
			}
		}
		if next.offset <= place.offset {
			break
		}
		place = next
	}
	return end, nil
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
