package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// primaryStore is the primary region's store as a read region uses it. Every head that passes
// through it may be newer than the replica. Before a call returns, primaryStore marks the heads
// that it has written, and those that it has read in a state that the replica does not have. Later
// reads in the region then never show an older state.
type primaryStore struct {
	store.Store // the primary region's
	region      *replicaReader
	now         func() time.Time
}

// sighting is a head among the keys of a read.
type sighting struct {
	headID
	key   store.Key
	mark  store.Key
	place int
}

func headsAmong(keys []store.Key) []sighting {
	var out []sighting
	var seen map[store.Key]bool
	if len(keys) > 1 {
		seen = make(map[store.Key]bool, len(keys))
	}
	for i, key := range keys {
		id, ok := parseHead(key)
		if !ok || seen[key] {
			continue
		}
		if seen != nil {
			seen[key] = true
		}
		out = append(out, sighting{id, key, headMark(id.db, key.Sort), i})
	}
	return out
}

// Get implements store.Store.
func (s *primaryStore) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	items, err := s.read(ctx, []store.Key{key}, func() ([]store.Attrs, error) {
		as, err := s.Store.Get(ctx, key)
		return []store.Attrs{as}, err
	})
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

// GetMany implements store.Store.
func (s *primaryStore) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	return s.read(ctx, keys, func() ([]store.Attrs, error) { return s.Store.GetMany(ctx, keys, snapshot) })
}

// read reads items and compares the heads among them with the replica's.
func (s *primaryStore) read(ctx context.Context, keys []store.Key, get func() ([]store.Attrs, error)) ([]store.Attrs, error) {
	seen := headsAmong(keys)
	if len(seen) == 0 {
		return get()
	}
	// Before the primary: what these marks stand for is then no newer than what will be read.
	ids := make([]store.Key, len(seen))
	for i, h := range seen {
		ids[i] = h.mark
	}
	marks, err := s.region.marks.GetMany(ctx, ids, false)
	if err != nil {
		return nil, fmt.Errorf("reading marks: %w", err)
	}
	copies := make(chan []store.Attrs, 1)
	go func() { copies <- s.copies(ctx, seen) }()
	items, err := get()
	theirs := <-copies
	if err != nil {
		return nil, err
	}
	now := s.now()
	errs := make([]error, len(seen))
	var wg sync.WaitGroup
	for i, h := range seen {
		m, has := readMark(marks[i], now), marks[i] != nil
		v := ""
		if items[h.place] != nil {
			v = keyspace.Version(items[h.place])
		}
		// That both have no such head proves nothing: one that has gone from here may have yet to arrive there.
		same := v != "" && theirs != nil && theirs[i] != nil && keyspace.Version(theirs[i]) == v
		var op store.Op
		switch {
		case same && !has, !same && m.exists && m.known && m.version == v && m.made > now.Add(-markLife/2).UnixMilli():
			continue
		case same:
			op = store.Delete(h.mark, store.Eq(markNonce, m.nonce))
		case has:
			op = store.Put(h.mark, newMark(now, v), store.Eq(markNonce, m.nonce))
		default:
			op = store.Put(h.mark, newMark(now, v), store.Absent(markNonce))
		}
		wg.Go(func() { errs[i] = s.remark(ctx, op, same) })
	}
	wg.Wait()
	return items, errors.Join(errs...)
}

// remark changes a mark that nobody else has changed meanwhile.
func (s *primaryStore) remark(ctx context.Context, op store.Op, same bool) error {
	_, err := s.region.marks.Apply(ctx, op)
	if err == nil || same {
		return nil // a mark that is of no use is not wrong
	}
	// Who has changed it may have seen another state. Which of them is newer is not known.
	return s.put(ctx, op.Key)
}

// copies are the replica's items for heads, nil for those that its record of the database, perhaps of
// another epoch, hides. It is nil if the replica cannot tell.
func (s *primaryStore) copies(ctx context.Context, seen []sighting) []store.Attrs {
	keys := make([]store.Key, 1, 1+len(seen))
	keys[0] = keyspace.RecordKey(seen[0].db)
	for _, h := range seen {
		keys = append(keys, h.key)
	}
	items, err := s.region.replica.GetMany(ctx, keys, false)
	if err != nil || items[0] == nil {
		return nil
	}
	record, now := items[0], s.now().UnixMilli()
	epoch := record.Get(keyspace.RecEpoch).Num()
	if now < record.Get(keyspace.RecSwitchAt).Num() {
		epoch--
	}
	items = items[1:]
	for i, h := range seen {
		if h.db != seen[0].db || h.epoch != epoch {
			items[i] = nil
		}
	}
	return items
}

// Apply implements store.Store.
func (s *primaryStore) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	old, err := s.Store.Apply(ctx, op)
	return old, s.wrote(ctx, err, op)
}

// Commit implements store.Store.
func (s *primaryStore) Commit(ctx context.Context, ops []store.Op) error {
	return s.wrote(ctx, s.Store.Commit(ctx, ops), ops...)
}

// wrote marks the heads that writes have, or may have, changed, or whose state they have told.
func (s *primaryStore) wrote(ctx context.Context, err error, ops ...store.Op) error {
	_, told := keyspace.IsConditionError(err)
	if err != nil && !told && !errors.Is(err, store.ErrUnknownOutcome) {
		return err
	}
	var marks []store.Key
	for _, op := range ops {
		if id, ok := parseHead(op.Key); ok && (op.Kind != store.OpCheck || told || len(ops) == 1) {
			marks = append(marks, headMark(id.db, op.Key.Sort))
		}
	}
	if len(marks) == 0 {
		return err
	}
	switch merr := s.put(ctx, marks...); {
	case merr == nil:
		return err
	case told:
		return merr
	default:
		return fmt.Errorf("%w: %v", store.ErrUnknownOutcome, merr)
	}
}

// put marks heads as being ahead of the replica, in a state that is not known.
func (s *primaryStore) put(ctx context.Context, keys ...store.Key) error {
	now := s.now()
	items := make([]store.Item, len(keys))
	for i, key := range keys {
		items[i] = store.Item{Key: key, Attrs: newMark(now)}
	}
	if err := s.region.marks.Load(ctx, items, nil); err != nil {
		return fmt.Errorf("marking keys as ahead of the replica: %w", err)
	}
	return nil
}
