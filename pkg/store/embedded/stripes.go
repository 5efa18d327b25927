package embedded

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// stripeCount is the number of locks that all items share. Two items meet on
// one rarely enough, and the table stays small (16 bytes each).
const stripeCount = 4096

// stripe guards the items whose keys hash to it.
type stripe struct {
	// mu is held from reading an item to making its new value visible.
	mu sync.Mutex
	// unsynced counts the writes that are or become visible but may not have reached the disk.
	unsynced atomic.Int32
}

type stripes struct {
	seed  maphash.Seed
	table [stripeCount]stripe
}

func newStripes() *stripes { return &stripes{seed: maphash.MakeSeed()} }

// of returns the stripe of a data key.
func (s *stripes) of(dataKey []byte) *stripe { return &s.table[s.index(dataKey)] }

func (s *stripes) index(dataKey []byte) int {
	return int(maphash.Bytes(s.seed, dataKey) % stripeCount)
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

func (ss *stripeSet) addUnsynced(delta int32) {
	for _, i := range ss.indices {
		ss.of.table[i].unsynced.Add(delta)
	}
}

func (ss *stripeSet) anyUnsynced() bool {
	return slices.ContainsFunc(ss.indices, func(i int) bool { return ss.of.table[i].unsynced.Load() > 0 })
}
