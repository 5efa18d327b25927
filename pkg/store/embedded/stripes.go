package embedded

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// stripeCount is the number of locks that all items share. Two items meet on
// one rarely enough, and the table stays small (32 bytes each).
const stripeCount = 4096

// stripe guards the items whose keys hash to it.
type stripe struct {
	// mu is held from reading an item to making its new value visible.
	mu sync.Mutex
	// unsynced counts the writes that are or become visible but may not have reached the disk.
	unsynced atomic.Int32
	// hot is the item that was written last, if it had been written last before, too. Who writes under mu takes it away before
	// anything of the write is visible.
	hot atomic.Pointer[hotItem]
	// wrote is the hash of the item that was written last.
	wrote uint64
}

// hotItem is an item that is written again and again: to read it here takes a tenth of what the engine needs.
type hotItem struct{ dataKey, val string }

// maxHot is how long the value of a hot item may be, in bytes.
const maxHot = 1 << 10

// find returns the value of a hot item.
func (st *stripe) find(dataKey []byte) (val string, ok bool) {
	h := st.hot.Load()
	if h == nil || h.dataKey != string(dataKey) {
		return "", false
	}
	return h.val, true
}

type stripes struct {
	seed  maphash.Seed
	table [stripeCount]stripe
}

func newStripes() *stripes { return &stripes{seed: maphash.MakeSeed()} }

// of returns the stripe of a data key.
func (s *stripes) of(dataKey []byte) *stripe { return &s.table[s.index(dataKey)] }

func (s *stripes) index(dataKey []byte) int { return int(s.hash(dataKey) % stripeCount) }

func (s *stripes) hash(dataKey []byte) uint64 { return maphash.Bytes(s.seed, dataKey) }

// wrote notes, under the locked stripe, that an item has been written alone, and is visible.
func (s *stripes) wrote(dataKey, val []byte) {
	hash := s.hash(dataKey)
	st := &s.table[hash%stripeCount]
	if st.wrote == hash && len(val) <= maxHot {
		st.hot.Store(&hotItem{string(dataKey), string(val)})
	}
	st.wrote = hash
}

// stripeSet is a set of stripes to be locked together; in ascending order, so
// that two sets never wait for each other in a circle.
type stripeSet struct {
	of      *stripes
	indices []int
}

// fill makes the set that of the keys' stripes.
func (ss *stripeSet) fill(of *stripes, dataKeys [][]byte) {
	ss.of, ss.indices = of, ss.indices[:0]
	for _, k := range dataKeys {
		ss.indices = append(ss.indices, of.index(k))
	}
	if len(ss.indices) > 1 {
		slices.Sort(ss.indices)
		ss.indices = slices.Compact(ss.indices)
	}
}

func (ss *stripeSet) clone() stripeSet {
	return stripeSet{of: ss.of, indices: slices.Clone(ss.indices)}
}

func (ss *stripeSet) lock() {
	for _, i := range ss.indices {
		ss.of.table[i].mu.Lock()
	}
}

func (ss *stripeSet) unlock() {
	for _, i := range ss.indices {
		ss.of.table[i].mu.Unlock()
	}
}

// cool takes hot items away, under the locked stripes.
func (ss *stripeSet) cool() {
	for _, i := range ss.indices {
		if st := &ss.of.table[i]; st.hot.Load() != nil {
			st.hot.Store(nil)
		}
	}
}

func (ss *stripeSet) addUnsynced(delta int32) {
	for _, i := range ss.indices {
		ss.of.table[i].unsynced.Add(delta)
	}
}

func (ss *stripeSet) anyUnsynced() bool {
	return slices.ContainsFunc(ss.indices, func(i int) bool { return ss.of.table[i].unsynced.Load() > 0 })
}
