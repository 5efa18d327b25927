package pubsub

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How often a message log is looked at for messages of other engines: soon after the last
// one, then ever less often. A look costs one read request unit.
const (
	pollSoon = 25 * time.Millisecond
	pollLate = 200 * time.Millisecond
)

// tail reads one log for all subscriptions of an engine. It reads each message once and offers it
// to the subscriptions that want it. It runs as long as there is a subscription.
type tail struct {
	broker *Broker
	log    messageLog
	wake   chan struct{} // a publisher of this engine has appended

	mu   sync.Mutex
	pos  int64 // number of the last message that was offered
	subs map[*Subscription]*cursor
	stop context.CancelFunc // nil: not running
}

// cursor is how far a subscription has got in a log, in case it is not where the tail is.
type cursor struct {
	pos     int64 // messages up to this number are of no concern
	lagging bool  // it reads the log by itself, from pos on, until it has caught up
}

func newTail(b *Broker, l messageLog) *tail {
	return &tail{broker: b, log: l, wake: make(chan struct{}, 1), subs: map[*Subscription]*cursor{}}
}

// join begins to offer messages that are appended from now on.
func (t *tail) join(ctx context.Context, s *Subscription) error {
	end, err := t.broker.logEnd(ctx, t.log)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop == nil {
		t.pos = end
		t.stop = t.broker.duties.Run(t.run)
	}
	t.subs[s] = &cursor{pos: end, lagging: end < t.pos}
	if end < t.pos {
		s.signal()
	}
	return nil
}

// leave ends what join has begun.
func (t *tail) leave(s *Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, s)
	if len(t.subs) == 0 && t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// poke makes the tail look at once.
func (t *tail) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *tail) run(ctx context.Context) {
	defer t.poke() // it may have taken a signal that was meant for its successor
	t.mu.Lock()
	pos := t.pos
	t.mu.Unlock()
	wait, failures := pollSoon, 0
	for {
		messages, end, err := t.broker.readLog(ctx, t.log, pos, maxLogRead)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLogGone):
			t.broker.log.Error("subscriptions are cut off", "error", err)
			if !t.cut(ctx, end) {
				return
			}
			pos = end
			continue
		case err != nil:
			if failures++; failures == 1 {
				t.broker.log.Warn("following a message log", "error", err)
			}
			if !t.sleep(ctx, &wait) {
				return
			}
			continue
		}
		failures = 0
		if len(messages) > 0 {
			if !t.offer(ctx, messages) {
				return
			}
			wait = pollSoon
			if pos = messages[len(messages)-1].seq; pos < end {
				continue
			}
		}
		if !t.sleep(ctx, &wait) {
			return
		}
	}
}

// sleep waits until it is time to look again; false: the tail ends.
func (t *tail) sleep(ctx context.Context, wait *time.Duration) bool {
	interval := *wait
	if t.broker.alone {
		interval = time.Second // this engine is the only one: its publishers wake the tail
	}
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.wake:
	case <-timer.C:
		*wait = min(*wait*3/2, pollLate)
	}
	return true
}

// offer hands messages to the subscriptions that want them. It never waits: one whose queue is full
// reads the log itself later on.
func (t *tail) offer(ctx context.Context, messages []logged) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return false // another one may be running
	}
	for _, m := range messages {
		for s, c := range t.subs {
			if c.lagging || m.seq <= c.pos {
				continue
			}
			if !s.offer(m.publication) {
				c.lagging, c.pos = true, m.seq-1
				s.signal()
			}
		}
		t.pos = m.seq
	}
	return true
}

// cut ends all subscriptions, which have missed messages.
func (t *tail) cut(ctx context.Context, end int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	for s := range t.subs {
		s.fail(errLogGone)
	}
	t.pos = end
	return true
}

// catchUp reads on for a subscription that lags. It reports whether there is anything to
// take from the queue now, or still to be read.
func (t *tail) catchUp(ctx context.Context, s *Subscription) (more bool, err error) {
	t.mu.Lock()
	c := t.subs[s]
	if c == nil || !c.lagging {
		t.mu.Unlock()
		return false, nil
	}
	pos := c.pos
	t.mu.Unlock()
	messages, _, err := t.broker.readLog(ctx, t.log, pos, maxQueuedBytes)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range messages {
		s.push(m.publication)
		c.pos = m.seq
	}
	c.lagging = c.pos < t.pos
	return true, nil
}
