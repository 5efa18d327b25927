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
	// changes counts the begins and ends of writes, under mu: what is read while the number stays the same is as it was written last.
	changes atomic.Uint32
}

type stripes struct {
	seed  maphash.Seed
	table [stripeCount]stripe
}

func newStripes() *stripes { return &stripes{seed: maphash.MakeSeed()} }

// of returns the stripe of a data key.
func (s *stripes) of(dataKey []byte) *stripe { return s.ofHash(s.hash(dataKey)) }

func (s *stripes) ofHash(hash uint64) *stripe { return &s.table[hash%stripeCount] }

func (s *stripes) index(dataKey []byte) int { return int(s.hash(dataKey) % stripeCount) }

func (s *stripes) hash(dataKey []byte) uint64 { return maphash.Bytes(s.seed, dataKey) }

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

// change notes, under the locked stripes, that a write begins or ends.
func (ss *stripeSet) change() {
	for _, i := range ss.indices {
		ss.of.table[i].changes.Add(1)
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
