package faulty

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/skystash/skystash/pkg/store"
)

// Plan says what goes wrong, and how often: probabilities from 0 to 1, each for
// one call. The zero Plan lets everything through.
type Plan struct {
	Seed uint64

	// Throttle fails any call with store.ErrThrottled. Nothing is carried out,
	// except that a Load may have been carried out in part.
	Throttle float64
	// Conflict fails Apply, Commit and snapshots of GetMany with
	// store.ErrConflict. Nothing is carried out.
	Conflict float64
	// Unavailable fails any call with store.ErrUnavailable. Nothing is carried out.
	Unavailable float64

	// The answer to a write of Apply or Commit is lost, whatever it was: it is
	// store.ErrUnknownOutcome.
	LostApplied   float64 // after the write was attempted
	LostUnapplied float64 // the write never arrives
	LostLate      float64 // the write arrives later, before one of the next LateCalls calls
	LateCalls     int     // 0: 5

	// Before, if not nil, is called at the start of every call with the name of
	// the method. It may wait, and change the plan.
	Before func(ctx context.Context, method string)
}

// Counts are the calls so far, and what was done to them.
type Counts struct {
	Calls         int
	Throttled     int
	Conflicts     int
	Unavailable   int
	LostApplied   int // answers lost to writes that took effect
	LostUnapplied int // answers lost to writes that never did, or whose condition was not met
	LostLate      int // answers lost to writes that were held back
}

// Store is a store.Store that fails by plan. It is safe for concurrent use.
type Store struct {
	inner store.Store

	mu     sync.Mutex
	plan   Plan
	rand   *rand.Rand
	counts Counts
	held   []heldWrite
}

// heldWrite is a write whose answer was lost and which has yet to arrive.
type heldWrite struct {
	calls int // it arrives when that many more calls have begun
	run   func()
}

var _ store.Store = (*Store)(nil)

// New wraps a store, which Close closes.
func New(inner store.Store, plan Plan) *Store {
	s := &Store{inner: inner}
	s.SetPlan(plan)
	return s
}

// SetPlan changes the plan for the calls to come and starts its random numbers
// anew. Writes that were held back stay so until they are due.
func (s *Store) SetPlan(plan Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = plan
	s.rand = rand.New(rand.NewPCG(plan.Seed, 0))
}

// Counts tells what has happened so far.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Flush lets all writes arrive that are still held back.
func (s *Store) Flush() {
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	for _, w := range held {
		w.run()
	}
}

// Get reads one item, or fails.
func (s *Store) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	if _, err := s.begin(ctx, "Get", reading); err != nil {
		return nil, err
	}
	return s.inner.Get(ctx, key)
}

// GetMany reads items, or fails.
func (s *Store) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	kind := reading
	if snapshot {
		kind = readingSnapshot
	}
	if _, err := s.begin(ctx, "GetMany", kind); err != nil {
		return nil, err
	}
	return s.inner.GetMany(ctx, keys, snapshot)
}

// Query reads a page, or fails.
func (s *Store) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if _, err := s.begin(ctx, "Query", reading); err != nil {
		return store.Page{}, err
	}
	return s.inner.Query(ctx, q)
}

// Apply carries out one operation, or fails, or loses the answer.
func (s *Store) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	kind := writing
	if op.Kind == store.OpCheck {
		kind = reading
	}
	fate, err := s.begin(ctx, "Apply", kind)
	if err != nil {
		return nil, err
	}
	var old store.Attrs
	err = s.write(ctx, "Apply", fate, func(ctx context.Context) (err error) {
		old, err = s.inner.Apply(ctx, op)
		return err
	})
	if err != nil {
		return nil, err
	}
	return old, nil
}

// Commit carries out operations, or fails, or loses the answer.
func (s *Store) Commit(ctx context.Context, ops []store.Op) error {
	fate, err := s.begin(ctx, "Commit", writing)
	if err != nil {
		return err
	}
	if fate == late {
		ops = append([]store.Op(nil), ops...) // the caller may reuse its slice
	}
	return s.write(ctx, "Commit", fate, func(ctx context.Context) error { return s.inner.Commit(ctx, ops) })
}

// Load writes items, or fails having written some of them.
func (s *Store) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	_, err := s.begin(ctx, "Load", reading)
	if !errors.Is(err, store.ErrThrottled) {
		if err != nil {
			return err
		}
		return s.inner.Load(ctx, puts, deletes)
	}
	s.mu.Lock()
	puts, deletes = puts[:s.rand.IntN(len(puts)+1)], deletes[:s.rand.IntN(len(deletes)+1)]
	s.mu.Unlock()
	return errors.Join(err, s.inner.Load(ctx, puts, deletes))
}

// Close closes the wrapped store.
func (s *Store) Close() error {
	s.Flush()
	return s.inner.Close()
}

type kind uint8

const (
	reading kind = iota
	readingSnapshot
	writing
)

type fate uint8

const (
	carriedOut fate = iota // and answered
	lostAfter
	lostBefore
	late
)

// begin lets due writes arrive and decides what happens to a call.
func (s *Store) begin(ctx context.Context, method string, k kind) (fate, error) {
	s.mu.Lock()
	before := s.plan.Before
	s.mu.Unlock()
	if before != nil {
		before(ctx, method)
	}
	due, f, err := s.decide(method, k)
	for _, w := range due {
		w.run()
	}
	return f, err
}

func (s *Store) decide(method string, k kind) (due []heldWrite, f fate, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Calls++
	kept := s.held[:0]
	for _, w := range s.held {
		if w.calls--; w.calls <= 0 {
			due = append(due, w)
		} else {
			kept = append(kept, w)
		}
	}
	s.held = kept

	p := s.plan
	switch {
	case s.happens(p.Throttle):
		s.counts.Throttled++
		err = store.ErrThrottled
	case s.happens(p.Unavailable):
		s.counts.Unavailable++
		err = store.ErrUnavailable
	case k != reading && s.happens(p.Conflict):
		s.counts.Conflicts++
		err = store.ErrConflict
	case k == writing && s.happens(p.LostApplied):
		f = lostAfter
	case k == writing && s.happens(p.LostUnapplied):
		f = lostBefore
	case k == writing && s.happens(p.LostLate):
		f = late
	}
	if err != nil {
		err = fmt.Errorf("faulty: %s: %w", method, err)
	}
	return due, f, err
}

// happens draws with a probability; it needs s.mu.
func (s *Store) happens(probability float64) bool {
	return probability > 0 && s.rand.Float64() < probability
}

// write carries out a write according to its fate.
func (s *Store) write(ctx context.Context, method string, f fate, run func(context.Context) error) error {
	switch f {
	case carriedOut:
		return run(ctx)
	case lostAfter:
		err := run(ctx)
		s.mu.Lock()
		if err == nil {
			s.counts.LostApplied++
		} else {
			s.counts.LostUnapplied++
		}
		s.mu.Unlock()
	case lostBefore:
		s.mu.Lock()
		s.counts.LostUnapplied++
		s.mu.Unlock()
	case late:
		s.mu.Lock()
		s.counts.LostLate++
		most := s.plan.LateCalls
		if most <= 0 {
			most = 5
		}
		// Nobody waits for the result any more: an error, such as a condition
		// that is not met by then, is as good as a write that never arrived.
		ctx := context.WithoutCancel(ctx)
		s.held = append(s.held, heldWrite{calls: 1 + s.rand.IntN(most), run: func() { _ = run(ctx) }})
		s.mu.Unlock()
	}
	return fmt.Errorf("faulty: %s: %w", method, store.ErrUnknownOutcome)
}
