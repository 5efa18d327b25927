package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// How those who wait for messages look for them: whoever moves them into the log
// in this process tells at once, what others do is seen when looking again.
const (
	firstLook = 25 * time.Millisecond
	lastLook  = 250 * time.Millisecond
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
	for {
		heads, err := e.heads(ctx, logs)
		if err != nil {
			return nil, err
		}
		var out []Message
		left := newBudget()
		for i, h := range heads {
			if h == nil || at[i].offset >= h.mark || left.messages == 0 {
				continue
			}
			records, next, err := e.readLog(ctx, logs[i], at[i], h, left)
			if err != nil {
				return nil, err
			}
			at[i] = next
			for _, r := range records {
				out = append(out, Message{tps[i].Topic, tps[i].Partition, r})
			}
		}
		if len(out) > 0 || !w.more(heads, at) {
			return out, nil
		}
	}
}

// wait is one call's waiting for messages.
type wait struct {
	e      *Engine
	ctx    context.Context // of the call
	until  context.Context // within it: done when the call must not wait any longer, see timeout
	logs   []string
	news   chan struct{}
	stop   func()
	look   time.Duration
	rounds int
}

// timeout makes a context for waiting: it is done when the time is over, or the engine is closed.
func (e *Engine) timeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(e.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// newWait begins to wait: what happens to the logs from now on is not missed.
func (e *Engine) newWait(ctx, until context.Context, logs []string) *wait {
	w := &wait{e: e, ctx: ctx, until: until, logs: logs, look: firstLook}
	w.news, w.stop = e.notifier.watch(logs)
	return w
}

// more waits until it makes sense to look again. It reports false if time is over, or the client has gone: no
// position must move for it. Some contexts tell that by Err alone, so it asks each time.
func (w *wait) more(heads []*head, at []cursor) bool {
	if w.until.Err() != nil {
		return false
	}
	timer := time.NewTimer(w.look)
	defer timer.Stop()
	select {
	case <-w.news:
		return w.ctx.Err() == nil
	case <-w.until.Done():
		return w.ctx.Err() == nil // once more
	case <-timer.C:
	}
	if w.ctx.Err() != nil {
		return false
	}
	w.look = min(2*w.look, lastLook)
	w.rounds++
	w.hurry(heads, at)
	return true
}

// hurry moves what the stream has accepted, and the log does not have yet, into
// the log: on an idle stream, whoever should do this comes only once a second.
func (w *wait) hurry(heads []*head, at []cursor) {
	for i, h := range heads {
		if h == nil || h.next <= max(h.mark, at[i].offset) {
			continue
		}
		var err error
		if now := w.e.now(); now.Before(w.e.reservationsEnd(h)) {
			err = w.e.help(w.until, w.logs[i], now.Add(-w.e.reservationLife()))
		} else if w.rounds == 1 {
			err = w.e.tick(w.until, w.logs[i], h)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			w.e.log.WarnContext(w.until, "the stream's tail could not be read", "error", err)
		}
	}
}

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
