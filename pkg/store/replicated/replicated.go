package replicated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Options say when writes arrive.
type Options struct {
	// Lag is asked how long after it a write arrives; an item's writes stay in order
	// all the same. nil: a write arrives when Step is called.
	Lag func() time.Duration
	// Failed is told of errors of the copy's store, whose write is then missing. nil: nobody is.
	Failed func(error)
}

// Store is the primary side. It is safe for concurrent use, does one write after
// the other, and sees those that are made through it only.
type Store struct {
	store.Store
	copy store.Store
	opts Options

	writing sync.Mutex // for a write and the look at what it has left

	mu      sync.Mutex // also held while a write arrives
	pending map[store.Key][]store.Attrs
	order   []store.Key // the keys of pending, since when they are
	closed  bool
}

var _ store.Store = (*Store)(nil)

// New wraps a primary store and an empty one for its copy. Close closes both.
func New(primary, copy store.Store, opts Options) *Store {
	return &Store{Store: primary, copy: copy, opts: opts, pending: map[store.Key][]store.Attrs{}}
}

// Replica is the copy. It refuses writes.
func (s *Store) Replica() store.Store { return replica{s.copy} }

// Apply implements store.Store.
func (s *Store) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if op.Kind == store.OpCheck {
		return s.Store.Apply(ctx, op)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	old, err := s.Store.Apply(ctx, op)
	return old, s.wrote(err, op.Key)
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, ops []store.Op) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.Store.Commit(ctx, ops)
	var keys []store.Key
	for _, op := range ops {
		if op.Kind != store.OpCheck {
			keys = append(keys, op.Key)
		}
	}
	return s.wrote(err, keys...)
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.Store.Load(ctx, puts, deletes)
	keys := append([]store.Key(nil), deletes...)
	for _, it := range puts {
		keys = append(keys, it.Key)
	}
	return s.wrote(err, keys...)
}

// Close implements store.Store. What has not arrived never will.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return errors.Join(s.Store.Close(), s.copy.Close())
}

// wrote queues the items that a write has changed, so that they arrive at the replica later. A
// write whose condition failed has changed nothing.
func (s *Store) wrote(err error, keys ...store.Key) error {
	var ce *store.ConditionError
	if errors.As(err, &ce) || len(keys) == 0 {
		return err
	}
	items, rerr := s.Store.GetMany(context.Background(), keys, false) // at nobody's cost
	if rerr != nil {
		return errors.Join(err, fmt.Errorf("replicated: %w: %w", store.ErrUnknownOutcome, rerr))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, key := range keys {
		if len(s.pending[key]) == 0 {
			s.order = append(s.order, key)
		}
		s.pending[key] = append(s.pending[key], items[i])
		if s.opts.Lag != nil {
			time.AfterFunc(s.opts.Lag(), func() { s.arrive(key) })
		}
	}
	return err
}

// Step lets one write arrive at the replica. Items with writes that have not arrived are numbered
// from 0 to n-1 in the order in which they began to wait. pick chooses one of them, and the oldest
// write of that item arrives. Step reports false if no write waits.
func (s *Store) Step(pick func(n int) int) bool {
	s.mu.Lock()
	waiting := slices.Clone(s.order)
	s.mu.Unlock()
	if len(waiting) == 0 {
		return false
	}
	s.arrive(waiting[pick(len(waiting))])
	return true
}

// CatchUp lets all writes arrive in the replica that it has not received yet.
func (s *Store) CatchUp() {
	for s.Step(func(int) int { return 0 }) {
	}
}

func (s *Store) arrive(key store.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.pending[key]
	if len(waiting) == 0 || s.closed {
		return
	}
	if len(waiting) > 1 {
		s.pending[key] = waiting[1:]
	} else {
		delete(s.pending, key)
		for i, k := range s.order {
			if k == key {
				s.order = append(s.order[:i], s.order[i+1:]...)
				break
			}
		}
	}
	op := store.Delete(key, nil)
	if waiting[0] != nil {
		op = store.Put(key, waiting[0], nil)
	}
	if _, err := s.copy.Apply(context.Background(), op); err != nil && s.opts.Failed != nil {
		s.opts.Failed(fmt.Errorf("replicated: copying a write: %w", err))
	}
}

// errReadOnly is a mistake of the caller's, which no retry helps.
var errReadOnly = errors.New("replicated: a replica is not written to")

type replica struct{ store.Store }

func (replica) Apply(context.Context, store.Op) (store.Attrs, error)  { return nil, errReadOnly }
func (replica) Commit(context.Context, []store.Op) error              { return errReadOnly }
func (replica) Load(context.Context, []store.Item, []store.Key) error { return errReadOnly }
func (replica) Close() error                                          { return nil }
