// Package slow is a store that takes its time, as DynamoDB does, and counts what it is asked for.
// The embedded store answers in microseconds, so that callers hardly ever meet at an item. Over this
// one they do: tests see what contention costs, in calls and in request units.
//
//	s := slow.New(inner, slow.Options{Latency: 5 * time.Millisecond})
//
// A call reaches the wrapped store in the middle of its latency. What a caller has read is therefore
// as old as on a network when the caller decides by it.
//
// # Transactions
//
// A commit of several operations holds its items while it takes place. DynamoDB refuses other writes
// on them meanwhile, with TransactionConflict, and bills those refusals. So does this store, and
// like pkg/store/dynamo it asks again after a pause before it gives up with [store.ErrConflict].
package slow

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Options say how slow a store is.
type Options struct {
	// Latency is the mean of what a call takes. Each call takes between half and one and a half of it.
	Latency time.Duration

	// Sleep waits for d, or until the context is done. Nil means a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Counts are what a store was asked for so far.
type Counts struct {
	Calls      map[string]int // by method of store.Store
	Unmet      int            // writes whose condition did not hold
	Conflicts  int            // writes refused because a transaction held an item
	ReadUnits  float64        // as DynamoDB bills them
	WriteUnits float64
}

// Total is the number of calls of all methods.
func (c Counts) Total() (n int) {
	for _, calls := range c.Calls {
		n += calls
	}
	return n
}

// Reads is the number of calls that only read.
func (c Counts) Reads() int { return c.Calls["Get"] + c.Calls["GetMany"] + c.Calls["Query"] }

// Store is a store.Store with latency. It is safe for concurrent use.
type Store struct {
	inner   store.Store
	latency time.Duration
	sleep   func(ctx context.Context, d time.Duration) error

	mu     sync.Mutex
	counts Counts
	held   map[store.Key]bool // by transactions that take place
}

var _ store.Store = (*Store)(nil)

// New wraps a store, which Close closes.
func New(inner store.Store, o Options) *Store {
	if o.Sleep == nil {
		o.Sleep = timer
	}
	return &Store{
		inner: inner, latency: o.Latency, sleep: o.Sleep,
		counts: Counts{Calls: map[string]int{}},
		held:   map[store.Key]bool{},
	}
}

func timer(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Counts tells what the store was asked for since it was made, or since Reset.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Calls = make(map[string]int, len(s.counts.Calls))
	for method, n := range s.counts.Calls {
		c.Calls[method] = n
	}
	return c
}

// Reset begins to count anew.
func (s *Store) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = Counts{Calls: map[string]int{}}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key store.Key) (attrs store.Attrs, err error) {
	err = s.call(ctx, "Get", func(ctx context.Context) error {
		attrs, err = s.inner.Get(ctx, key)
		return err
	})
	return attrs, err
}

// GetMany implements store.Store.
func (s *Store) GetMany(ctx context.Context, keys []store.Key, snapshot bool) (items []store.Attrs, err error) {
	err = s.call(ctx, "GetMany", func(ctx context.Context) error {
		items, err = s.inner.GetMany(ctx, keys, snapshot)
		return err
	})
	return items, err
}

// Query implements store.Store.
func (s *Store) Query(ctx context.Context, q store.Query) (page store.Page, err error) {
	err = s.call(ctx, "Query", func(ctx context.Context) error {
		page, err = s.inner.Query(ctx, q)
		return err
	})
	return page, err
}

// Apply implements store.Store.
func (s *Store) Apply(ctx context.Context, op store.Op) (old store.Attrs, err error) {
	if op.Kind == store.OpCheck {
		err = s.call(ctx, "Apply", func(ctx context.Context) error {
			old, err = s.inner.Apply(ctx, op)
			return err
		})
		return old, err
	}
	err = s.write(ctx, "Apply", []store.Op{op}, func(ctx context.Context) error {
		old, err = s.inner.Apply(ctx, op)
		return err
	})
	return old, err
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, ops []store.Op) error {
	return s.write(ctx, "Commit", ops, func(ctx context.Context) error { return s.inner.Commit(ctx, ops) })
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	return s.call(ctx, "Load", func(ctx context.Context) error { return s.inner.Load(ctx, puts, deletes) })
}

// Close closes the wrapped store.
func (s *Store) Close() error { return s.inner.Close() }

// Pauses between attempts of a write that meets a transaction, as pkg/store/dynamo makes them.
const (
	firstPause   = 10 * time.Millisecond
	longestPause = 500 * time.Millisecond
	maxAttempts  = 40
)

// write carries out a write unless a transaction holds one of its items.
func (s *Store) write(ctx context.Context, method string, ops []store.Op, run func(context.Context) error) error {
	for attempt := 0; ; attempt++ {
		if s.hold(ops) {
			err := s.call(ctx, method, run)
			s.release(ops)
			if store.Contended(err) {
				s.mu.Lock()
				s.counts.Unmet++
				s.mu.Unlock()
			}
			return err
		}
		err := s.call(ctx, method, func(ctx context.Context) error {
			s.refused(ctx, ops)
			return nil
		})
		if err != nil {
			return err
		}
		if attempt+1 == maxAttempts || store.IsNoRepeat(ctx) {
			return fmt.Errorf("slow: %s: %w", method, store.ErrConflict)
		}
		if err := s.sleep(ctx, rand.N(min(longestPause, firstPause<<min(attempt, 10)))); err != nil {
			return fmt.Errorf("slow: %s: %w: %w", method, store.ErrConflict, err)
		}
	}
}

// hold takes the items of a write, unless a transaction holds one of them. A single write needs
// that none is held, and holds nothing: DynamoDB lets it wait its turn at the item.
func (s *Store) hold(ops []store.Op) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range ops {
		if s.held[op.Key] {
			return false
		}
	}
	if len(ops) > 1 {
		for _, op := range ops {
			s.held[op.Key] = true
		}
	}
	return true
}

func (s *Store) release(ops []store.Op) {
	if len(ops) < 2 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, op := range ops {
		delete(s.held, op.Key)
	}
}

// refused bills a write that met a transaction, as if its items were small.
func (s *Store) refused(ctx context.Context, ops []store.Op) {
	units := float64(len(ops))
	if len(ops) > 1 {
		units *= 2
	}
	store.Record(ctx, store.Usage{Calls: 1, WriteUnits: units})
	s.mu.Lock()
	s.counts.Conflicts++
	s.mu.Unlock()
}

// call counts a call and carries it out in the middle of its latency.
func (s *Store) call(ctx context.Context, method string, run func(context.Context) error) error {
	half := s.latency / 4
	if half > 0 {
		half += rand.N(2 * half)
	}
	if err := s.wait(ctx, half); err != nil {
		return err
	}
	metered, meter := store.Metering(ctx)
	err := run(metered)
	used := meter.Total()
	store.Record(ctx, used)
	s.mu.Lock()
	s.counts.Calls[method]++
	s.counts.ReadUnits += used.ReadUnits
	s.counts.WriteUnits += used.WriteUnits
	s.mu.Unlock()
	// Once carried out, a call is answered: its caller may not be told that it was not.
	_ = s.wait(context.WithoutCancel(ctx), half)
	return err
}

func (s *Store) wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("slow: %w: %w", store.ErrUnavailable, err)
	}
	if d == 0 {
		return nil
	}
	if err := s.sleep(ctx, d); err != nil {
		return fmt.Errorf("slow: %w: %w", store.ErrUnavailable, err)
	}
	return nil
}
