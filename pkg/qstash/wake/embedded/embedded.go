// Package embedded is a wake.Waker for one process. It keeps hints in memory: what
// they are about is in the engine's store, so a process that starts sweeps the store,
// and a running one does so ahead of time, which keeps far hints out of memory.
package embedded

import (
	"container/heap"
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
	DefaultRetryAfter  = time.Second
)

// Options set up a Waker.
type Options struct {
	// Horizon is how far ahead hints are kept; later ones are left to the sweep, which
	// must look further ahead than the time between two of its runs. 0: DefaultHorizon;
	// negative: without end.
	Horizon     time.Duration
	Concurrency int           // calls of the handler at a time; 0: DefaultConcurrency
	RetryAfter  time.Duration // until a call that failed is repeated; 0: DefaultRetryAfter

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Waker calls a handler when hints are due. Of hints with the same key that are
// waiting, the earliest counts.
type Waker struct {
	horizon time.Duration
	limit   int
	retry   time.Duration
	now     func() time.Time
	log     *slog.Logger

	mu      sync.Mutex
	later   timers
	at      map[string]*timer // of later, by key
	ready   []string          // keys that are due, from first on
	first   int
	queued  map[string]bool // of ready
	running int
	handle  wake.Handler // nil: not running
	ctx     context.Context
	clock   *time.Timer
	calls   sync.WaitGroup
}

// New makes a Waker. It takes hints at once, and calls nothing before Start.
func New(opts Options) *Waker {
	w := &Waker{horizon: opts.Horizon, limit: opts.Concurrency, retry: opts.RetryAfter, now: opts.Now, log: opts.Logger,
		at: map[string]*timer{}, queued: map[string]bool{}}
	if w.horizon == 0 {
		w.horizon = DefaultHorizon
	}
	if w.limit == 0 {
		w.limit = DefaultConcurrency
	}
	if w.retry == 0 {
		w.retry = DefaultRetryAfter
	}
	if w.now == nil {
		w.now = time.Now
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	return w
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
	if w.queued[h.Key] {
		return
	}
	old := w.at[h.Key]
	switch {
	case !h.At.After(now):
		if old != nil {
			heap.Remove(&w.later, old.index)
			delete(w.at, h.Key)
		}
		w.queued[h.Key] = true
		w.ready = append(w.ready, h.Key)
		return
	case w.horizon > 0 && h.At.Sub(now) > w.horizon:
		return
	case old != nil:
		if !h.At.Before(old.at) {
			return
		}
		old.at = h.At
		heap.Fix(&w.later, old.index)
	default:
		t := &timer{at: h.At, key: h.Key}
		w.at[h.Key] = t
		heap.Push(&w.later, t)
	}
	if w.later[0].key == h.Key && w.clock != nil && w.handle != nil {
		w.clock.Reset(h.At.Sub(now))
	}
}

// tick moves what has become due to the ready ones.
func (w *Waker) tick() {
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handle == nil {
		return
	}
	for len(w.later) > 0 && !w.later[0].at.After(now) {
		t := heap.Pop(&w.later).(*timer)
		delete(w.at, t.key)
		w.queued[t.key] = true
		w.ready = append(w.ready, t.key)
	}
	if len(w.later) > 0 {
		w.clock.Reset(w.later[0].at.Sub(now))
	}
	w.dispatch()
}

// dispatch starts workers for ready keys.
func (w *Waker) dispatch() {
	for waiting := len(w.ready) - w.first; w.handle != nil && waiting > 0 && w.running < w.limit; waiting-- {
		w.running++
		w.calls.Add(1)
		go w.work(w.ctx, w.handle)
	}
}

// work handles ready keys until there are none.
func (w *Waker) work(ctx context.Context, handle wake.Handler) {
	defer w.calls.Done()
	for {
		key, ok := w.next()
		if !ok {
			return
		}
		if err := handle(ctx, key); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "a wake-up failed and is repeated", "key", key, "error", err)
			w.Wake(ctx, wake.Hint{At: w.now().Add(w.retry), Key: key})
		}
	}
}

func (w *Waker) next() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handle == nil || w.first == len(w.ready) {
		w.running--
		return "", false
	}
	key := w.ready[w.first]
	w.ready[w.first] = ""
	w.first++
	if w.first == len(w.ready) {
		w.ready, w.first = w.ready[:0], 0
	} else if w.first > 1024 && w.first > len(w.ready)/2 {
		w.ready = append(w.ready[:0], w.ready[w.first:]...)
		w.first = 0
	}
	delete(w.queued, key)
	return key, true
}

// timer is a hint that is not due yet.
type timer struct {
	at    time.Time
	key   string
	index int
}

// timers is a heap, the earliest first.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

func (t *timers) Push(x any) {
	e := x.(*timer)
	e.index = len(*t)
	*t = append(*t, e)
}

func (t *timers) Pop() any {
	old := *t
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	return e
}
