package wire

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// timed is a context that ends after some time, or by end. Unlike one of context.WithTimeout it sets no timer until
// somebody wants to wait for its end, which few commands do.
type timed struct {
	context.Context // has the values, and does not end
	until           time.Time
	now             func() time.Time

	asked  atomic.Uint32
	ended  atomic.Bool
	mu     sync.Mutex
	waits  atomic.Bool     // there is one that is waited for
	waited context.Context // which has the timer
	cancel context.CancelFunc
}

// askClock is at how many calls of Err one looks at the clock. The first one does.
const askClock = 16

// begin makes a zero timed a context that ends after a time.
func (t *timed) begin(values context.Context, now func() time.Time, d time.Duration) {
	t.Context, t.until, t.now = values, now().Add(d), now
}

// end ends the context, if it has not ended yet.
func (t *timed) end() {
	t.ended.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		t.cancel()
	}
}

// waiting is a context that ends together with this one.
func (t *timed) waiting() context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waited == nil {
		t.waited, t.cancel = context.WithTimeout(context.Background(), t.until.Sub(t.now()))
		if t.ended.Load() {
			t.cancel()
		}
		t.waits.Store(true)
	}
	return t.waited
}

// Deadline implements context.Context.
func (t *timed) Deadline() (time.Time, bool) { return t.until, true }

// Done implements context.Context.
func (t *timed) Done() <-chan struct{} { return t.waiting().Done() }

// Err implements context.Context.
func (t *timed) Err() error {
	if t.waits.Load() || t.ended.Load() || t.asked.Add(1)%askClock == 1 && !t.now().Before(t.until) {
		return t.waiting().Err()
	}
	return nil
}

// AfterFunc is for package context: contexts that are derived from this one need no goroutine.
func (t *timed) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(t.waiting(), f) }
