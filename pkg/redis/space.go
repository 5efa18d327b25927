package redis

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// space is the keys of all databases in a store: what the transactions of an engine, its blind writes and its
// reclaimer share. It is safe for concurrent use.
type space struct {
	store   store.Store
	now     func() time.Time
	log     *slog.Logger
	retry   store.Retry
	random  *rand.Rand
	budget  Budget
	written func(db, key string)
	clear   func(ctx context.Context, db string) (int, error)

	traces traceLog
}

// spaceConfig is what a space is made of. All of it is needed.
type spaceConfig struct {
	store  store.Store
	now    func() time.Time
	log    *slog.Logger
	retry  store.Retry
	random *rand.Rand // safe for concurrent use, as its source is
	budget Budget     // of a request, without zero fields

	// written is told of each key that was, or may have been, written.
	written func(db, key string)
	// clear deletes all that a deleted database has left, and returns the number of items.
	clear func(ctx context.Context, db string) (int, error)
}

func newSpace(cfg spaceConfig) *space {
	return &space{
		store: cfg.store, now: cfg.now, log: cfg.log, retry: cfg.retry, random: cfg.random, budget: cfg.budget,
		written: cfg.written, clear: cfg.clear,
	}
}

func (s *space) nowMs() int64 { return s.now().UnixMilli() }

// heads are key heads that have been read; nil attributes: there is no such item.
type heads map[string]store.Attrs

// load reads heads, as of one moment with snapshot and at most store.MaxSnapshotItems keys.
func (s *space) load(ctx context.Context, v view, keys []string, snapshot bool) (heads, error) {
	ids := make([]store.Key, len(keys))
	for i, k := range keys {
		ids[i] = v.headKey(k)
	}
	items, err := s.store.GetMany(ctx, ids, snapshot && len(keys) <= store.MaxSnapshotItems)
	if err != nil {
		return nil, fmt.Errorf("reading %d keys: %w", len(keys), err)
	}
	out := make(heads, len(keys))
	for i, k := range keys {
		out[k] = items[i]
	}
	return out, nil
}
