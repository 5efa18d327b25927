// Package embedded is a wake.Waker for one process. It keeps hints in memory: what
// they are about is in the engine's store, so a process that starts sweeps the store,
// and a running one does so ahead of time, which keeps far hints out of memory.
//
// # Fairness
//
// A call lasts as long as its destination takes, up to hours, and cannot be interrupted. So what
// matters is not only who comes next, but that nobody takes all the calls there may be:
//
//   - An account makes at most as many calls as are still free. Alone it gets half of
//     Options.Concurrency. The next account finds the other half free and gets half of that, and so on:
//     of 1,000 calls, nine accounts that hang leave one to the tenth.
//   - Within an account, a destination host makes at most as many calls as the account may
//     still make. Alone it gets a third of Options.Concurrency.
//   - Among those that may make a call, the account with the fewest calls under way comes first,
//     of equal ones the one that has waited longest: accounts take turns. In an account, its hosts
//     do the same.
//
// So 10,000 messages to a host that hangs delay neither another account's messages nor the same
// account's messages to other hosts.
//
// # Memory
//
// An account has at most Options.Waiting hints in memory. Further ones are dropped, since they are in
// the store, and [Waker.Missing] tells when there is room for half of them again.
package embedded

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
)

// Defaults of Options.
const (
	DefaultHorizon     = 2 * time.Minute
	DefaultConcurrency = 1000
	DefaultWaiting     = 200_000
	DefaultRetryAfter  = time.Second
)

// Options set up a Waker.
type Options struct {
	// Horizon is how far ahead hints are kept; later ones are left to the sweep, which
	// must look further ahead than the time between two of its runs. 0: DefaultHorizon;
	// negative: without end.
	Horizon     time.Duration
	Concurrency int           // calls of the handler at a time; 0: DefaultConcurrency
	Waiting     int           // hints of one account that are kept; 0: DefaultWaiting
	RetryAfter  time.Duration // until a call that failed is repeated; 0: DefaultRetryAfter

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Waker calls a handler when hints are due. Of hints with the same key that are
// waiting, the earliest counts.
type Waker struct {
	horizon time.Duration
	retry   time.Duration
	now     func() time.Time
	log     *slog.Logger
	missing chan struct{}

	mu     sync.Mutex
	later  heap[*timer]
	at     map[string]*timer // of later, by key
	ready  *shares
	handle wake.Handler // nil: not running
	ctx    context.Context
	clock  *time.Timer
	calls  sync.WaitGroup
}

// New makes a Waker. It takes hints at once, and calls nothing before Start.
func New(opts Options) *Waker {
	if opts.Horizon == 0 {
		opts.Horizon = DefaultHorizon
	}
	if opts.Concurrency == 0 {
		opts.Concurrency = DefaultConcurrency
	}
	if opts.Waiting == 0 {
		opts.Waiting = DefaultWaiting
	}
	if opts.RetryAfter == 0 {
		opts.RetryAfter = DefaultRetryAfter
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	return &Waker{horizon: opts.Horizon, retry: opts.RetryAfter, now: opts.Now, log: opts.Logger,
		missing: make(chan struct{}, 1), at: map[string]*timer{}, ready: newShares(opts.Concurrency, opts.Waiting)}
}

// Start begins to call the handler, under a context.
func (w *Waker) Start(ctx context.Context, handle wake.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.handle = ctx, handle
	w.clock = time.AfterFunc(0, w.tick)
	w.dispatch()
}

// Stop makes no more calls and waits for those under way. Hints are lost.
func (w *Waker) Stop() {
	w.mu.Lock()
	w.handle = nil
	if w.clock != nil {
		w.clock.Stop()
	}
	w.mu.Unlock()
	w.calls.Wait()
}

// Missing receives a value when there is room again for hints that were dropped. It is time for a sweep then.
func (w *Waker) Missing() <-chan struct{} { return w.missing }

// Wake implements wake.Waker. It never fails.
func (w *Waker) Wake(_ context.Context, hints ...wake.Hint) error {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range hints {
		w.add(h, now)
	}
	w.dispatch()
	return nil
}

// Repeat implements wake.Waker. It repeats nothing: a hint for each time costs nothing here.
func (w *Waker) Repeat(context.Context, string, *cron.Schedule) (bool, error) { return false, nil }

// Cease implements wake.Waker.
func (w *Waker) Cease(context.Context, string) error { return nil }

func (w *Waker) add(h wake.Hint, now time.Time) {
	if w.ready.has(h.Key) {
		return
	}
	old := w.at[h.Key]
	switch {
	case old != nil && !h.At.Before(old.At):
		return
	case old == nil && h.At.After(now) && w.horizon > 0 && h.At.Sub(now) > w.horizon:
		return
	case old == nil && !w.ready.admit(h.Account):
		return
	case !h.At.After(now):
		if old != nil {
			w.later.remove(old)
			delete(w.at, h.Key)
		}
		w.ready.push(h)
		return
	case old != nil:
		old.At = h.At
		w.later.fix(old)
	default:
		t := &timer{Hint: h}
		w.at[h.Key] = t
		w.later.push(t)
	}
	if w.later.first().Key == h.Key && w.clock != nil && w.handle != nil {
		w.clock.Reset(h.At.Sub(now))
	}
}

// ClockMoved looks at once what is due by a clock that has jumped. A clock that only goes on needs no such call.
func (w *Waker) ClockMoved() { w.tick() }

// tick moves what has become due to the ready ones.
func (w *Waker) tick() {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handle == nil {
		return
	}
	for w.later.len() > 0 && !w.later.first().At.After(now) {
		t := w.later.pop()
		delete(w.at, t.Key)
		w.ready.push(t.Hint)
	}
	if w.later.len() > 0 {
		w.clock.Reset(w.later.first().At.Sub(now))
	}
	w.dispatch()
}

// dispatch starts the calls that may be made.
func (w *Waker) dispatch() {
	for {
		h, l := w.next()
		if l == nil {
			return
		}
		w.calls.Add(1)
		go w.work(w.ctx, w.handle, h, l)
	}
}

// next takes the hint whose turn it is, nil if no call may be made.
func (w *Waker) next() (wake.Hint, *lane) {
	if w.handle == nil {
		return wake.Hint{}, nil
	}
	h, l, room := w.ready.pop()
	if room {
		select {
		case w.missing <- struct{}{}:
		default: // it has not been heard yet
		}
	}
	return h, l
}

// work makes a call and goes on with others, until no more may be made.
func (w *Waker) work(ctx context.Context, handle wake.Handler, h wake.Hint, l *lane) {
	defer w.calls.Done()
	for l != nil {
		err := handle(ctx, h.Key)
		if err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "a wake-up failed and is repeated", "key", h.Key, "error", err)
			h.At = w.now().Add(w.retry)
			w.Wake(ctx, h)
		}
		w.mu.Lock()
		w.ready.release(l)
		h, l = w.next()
		w.dispatch() // what has ended may make room for more than one
		w.mu.Unlock()
	}
}

// timer is a hint that is not due yet. The earliest comes first.
type timer struct {
	wake.Hint
	place
}

func (t *timer) before(other *timer) bool { return t.At.Before(other.At) }
