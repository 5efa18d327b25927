package keyspace

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Keyspace is the keys of all databases in a store: what the transactions of an engine, its blind writes and its
// reclaimer share. It is safe for concurrent use.
type Keyspace struct {
	store   store.Store
	now     func() time.Time
	log     *slog.Logger
	retry   store.Retry
	random  *rand.Rand
	budget  Budget
	written func(ctx context.Context, db *Database, key string)
	tell    func(ctx context.Context, db *Database, events []Event)
	clear   func(ctx context.Context, db string) (int, error)

	traces traceLog
}

// Config is what a Keyspace is made of. All of it is needed.
type Config struct {
	Store  store.Store
	Now    func() time.Time
	Log    *slog.Logger
	Retry  store.Retry
	Random *rand.Rand // safe for concurrent use, as its source is
	Budget Budget     // of a request, without zero fields

	// Written is told of each key that was, or may have been, written.
	Written func(ctx context.Context, db *Database, key string)
	// Tell is told of the events that a transaction has brought about, once it has committed.
	Tell func(ctx context.Context, db *Database, events []Event)
	// Clear deletes all that a deleted database has left, and returns the number of items.
	Clear func(ctx context.Context, db string) (int, error)
}

// New makes a Keyspace.
func New(cfg Config) *Keyspace {
	return &Keyspace{
		store: cfg.Store, now: cfg.Now, log: cfg.Log, retry: cfg.Retry, random: cfg.Random, budget: cfg.Budget,
		written: cfg.Written, tell: cfg.Tell, clear: cfg.Clear,
	}
}

func (s *Keyspace) nowMs() int64 { return s.now().UnixMilli() }

// Heads are key heads that have been read; nil attributes: there is no such item.
type Heads map[string]store.Attrs

// Load reads heads, as of one moment with snapshot and at most store.MaxSnapshotItems keys.
func (s *Keyspace) Load(ctx context.Context, v View, keys []string, snapshot bool) (Heads, error) {
	ids := make([]store.Key, len(keys))
	for i, k := range keys {
		ids[i] = v.HeadKey(k)
	}
	items, err := s.store.GetMany(ctx, ids, snapshot && len(keys) <= store.MaxSnapshotItems)
	if err != nil {
		return nil, fmt.Errorf("reading %d keys: %w", len(keys), err)
	}
	out := make(Heads, len(keys))
	for i, k := range keys {
		out[k] = items[i]
	}
	return out, nil
}
