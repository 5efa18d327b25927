package embedded

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/skystash/skystash/pkg/store"
)

// scratch holds the buffers of a call; nothing of it outlives the call.
type scratch struct {
	key []byte // a data key, or both bounds of a range
	idx []byte // an expiry index key, or the last sort key of a page
	val []byte // a value, maybe after its sort key

	// Of writes.
	ops      []store.Op
	dataKeys [][]byte // parts of key
	changes  []change
	stripes  stripeSet
	written  *pebble.Batch // to wait for in person
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// keepScratch is the size up to which a buffer is worth keeping.
const keepScratch = 64 << 10

func (sc *scratch) release() {
	if cap(sc.val) > keepScratch {
		sc.val = nil
	}
	if cap(sc.key) > keepScratch {
		sc.key = nil
	}
	clear(sc.ops)
	clear(sc.dataKeys)
	clear(sc.changes)
	scratchPool.Put(sc)
}

// addDataKey appends an item's data key to dataKeys.
func (sc *scratch) addDataKey(k store.Key) {
	start := len(sc.key)
	sc.key = appendDataKey(sc.key, k)
	sc.dataKeys = append(sc.dataKeys, sc.key[start:])
}

// getter is what pebble.DB and pebble.Snapshot have in common.
type getter interface {
	Get(key []byte) ([]byte, io.Closer, error)
}

// load reads the item under a data key; nil if there is none.
func load(from getter, dataKey []byte) (store.Attrs, error) {
	val, closer, err := from.Get(dataKey)
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	as, err := decodeAttrs(string(val))
	if cerr := closer.Close(); err == nil {
		err = cerr
	}
	return as, err
}

// current reads the item under a data key as it is now; nil if there is none. The stripe is the item's.
func (s *Store) current(dataKey []byte) (store.Attrs, *stripe, error) {
	hash := s.stripes.hash(dataKey)
	st := s.stripes.ofHash(hash)
	if val, ok := s.recent.find(hash, dataKey); ok {
		as, err := decodeAttrs(val)
		return as, st, err
	}
	before := st.changes.Load()
	val, closer, err := s.db.Get(dataKey)
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			err = nil
		}
		return nil, st, err
	}
	as, err := decodeAttrs(string(val))
	if err == nil && st.mu.TryLock() { // nobody writes
		if st.changes.Load() == before {
			s.recent.put(hash, dataKey, val)
		}
		st.mu.Unlock()
	}
	if cerr := closer.Close(); err == nil {
		err = cerr
	}
	return as, st, err
}

// forget takes items that are about to be written away from the recent ones. Their stripes are locked.
func (s *Store) forget(dataKeys ...[]byte) {
	for _, k := range dataKeys {
		s.recent.remove(s.stripes.hash(k))
	}
}

// ensureDurable waits until everything that a call has read is on disk. unsynced says that some of
// it may not be: a crash could still take it back, and the caller would have seen what never was.
func (s *Store) ensureDurable(ctx context.Context, unsynced bool) error {
	if !unsynced || !s.syncer.waits() {
		return nil
	}
	return s.syncer.await(ctx, s.syncer.join())
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if err := s.begin(ctx, "get", false); err != nil {
		return nil, err
	}
	defer s.calls.leave()
	sc := scratchPool.Get().(*scratch)
	defer sc.release()
	sc.key = appendDataKey(sc.key[:0], key)
	as, st, err := s.current(sc.key)
	if err == nil {
		err = s.ensureDurable(ctx, st.unsynced.Load() > 0)
	}
	if err != nil {
		return nil, unavailable("get "+keyText(key), err)
	}
	if store.Metered(ctx) {
		store.Record(ctx, staleHalf(ctx, store.Usage{Calls: 1, ReadUnits: readUnits(itemSize(key, as))}))
	}
	return as, nil
}

// inOrder lists the indices of keys in the order in which the store has them, so that keys that lie in one
// block are read one after the other. For a block that is not in the cache is decompressed for each of them.
func inOrder(keys []store.Key) []int {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(strings.Compare(keys[a].Partition, keys[b].Partition), strings.Compare(keys[a].Sort, keys[b].Sort))
	})
	return order
}

// GetMany implements store.Store.
func (s *Store) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return nil, err
		}
	}
	if err := s.begin(ctx, "get many", false); err != nil {
		return nil, err
	}
	defer s.calls.leave()
	sc := scratchPool.Get().(*scratch)
	defer sc.release()

	var snap *pebble.Snapshot
	if snapshot && len(keys) > 1 {
		snap = s.db.NewSnapshot()
		defer snap.Close()
	}
	out := make([]store.Attrs, len(keys))
	unsynced := false
	for n, i := range inOrder(keys) {
		if n%64 == 63 && ctx.Err() != nil {
			return nil, unavailable("get many", ctx.Err())
		}
		k := keys[i]
		sc.key = appendDataKey(sc.key[:0], k)
		var as store.Attrs
		var err error
		if snap == nil {
			as, _, err = s.current(sc.key)
		} else {
			as, err = load(snap, sc.key)
		}
		if err != nil {
			return nil, unavailable("get "+keyText(k), err)
		}
		out[i] = as
		unsynced = unsynced || s.stripes.of(sc.key).unsynced.Load() > 0
	}
	if err := s.ensureDurable(ctx, unsynced); err != nil {
		return nil, unavailable("get many", err)
	}
	if store.Metered(ctx) {
		u := getManyUsage(keys, out, snapshot)
		if !snapshot {
			u = staleHalf(ctx, u)
		}
		store.Record(ctx, u)
	}
	return out, nil
}
