// Package ledger is a store that knows which items there are, which the port
// itself cannot tell: for tests that look for what nobody will ever delete.
package ledger

import (
	"context"
	"sync"

	"github.com/skystash/skystash/pkg/store"
)

// Store keeps account of the items of the store it wraps. It is safe for
// concurrent use, and right as long as everything is written through it and its
// calls succeed or change nothing.
type Store struct {
	store.Store

	mu   sync.Mutex
	keys map[store.Key]bool
}

// New wraps a store that has no items yet.
func New(inner store.Store) *Store {
	return &Store{Store: inner, keys: map[store.Key]bool{}}
}

// Keys lists the items that there are, in no particular order.
func (s *Store) Keys() []store.Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := make([]store.Key, 0, len(s.keys))
	for key := range s.keys {
		keys = append(keys, key)
	}
	return keys
}

func (s *Store) note(ops ...store.Op) {
	for _, op := range ops {
		switch op.Kind {
		case store.OpPut, store.OpUpdate:
			s.keys[op.Key] = true
		case store.OpDelete:
			delete(s.keys, op.Key)
		}
	}
}

// Apply implements store.Store. One write is done and noted before the next.
func (s *Store) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.Store.Apply(ctx, op)
	if err == nil {
		s.note(op)
	}
	return old, err
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, ops []store.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.Store.Commit(ctx, ops)
	if err == nil {
		s.note(ops...)
	}
	return err
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.Store.Load(ctx, puts, deletes)
	if err == nil {
		for _, it := range puts {
			s.note(store.Put(it.Key, it.Attrs, nil))
		}
		for _, key := range deletes {
			s.note(store.Delete(key, nil))
		}
	}
	return err
}
