package keyspace

import (
	"math/bits"

	"github.com/skystash/skystash/pkg/store"
)

// Waited is for which keys of a database commands wait, with engines that look seldom. Whoever writes such a key says so
// in the item at WaitedKey. It is a Bloom filter: a few other keys look as if they were waited for, too.
type Waited struct {
	until  int64  // Unix ms: after that nobody waits
	filter string // waitedBytes, or empty
}

const (
	waitedBytes  = 512
	waitedHashes = 3
	// MaxWaited is how many keys a Waited is for at most: with more of them, too many others look the same.
	MaxWaited = 1000
)

// WaitedKey is where the writes of keys that are waited for are counted, in the attribute WaitedCount.
func WaitedKey(db string) store.Key { return store.Key{Partition: WaitedPartition(db), Sort: "n"} }

// WaitedPartition holds the item at WaitedKey.
func WaitedPartition(db string) string { return "w" + db }

// WaitedCount is the attribute of the item at WaitedKey.
const WaitedCount = "n"

func decodeWaited(v store.Value) Waited {
	s := v.Str()
	if len(s) != 8+waitedBytes {
		return Waited{}
	}
	return Waited{until: int64(GetUint64(s[:8])), filter: s[8:]}
}

// Value is how the record holds it.
func (w Waited) Value() store.Value { return store.Bytes(PutUint64(uint64(w.until)) + w.filter) }

// IsZero reports whether nobody has waited yet.
func (w Waited) IsZero() bool { return w.filter == "" }

// Until is when it ends, in Unix ms.
func (w Waited) Until() int64 { return w.until }

// waitedBits are the places of a key in the filter.
func waitedBits(key string) (places [waitedHashes]uint32) {
	h := HashOf(key)
	for i := range places {
		places[i] = (uint32(h) + uint32(i)*uint32(h>>32|1)) % (8 * waitedBytes)
	}
	return places
}

// For reports whether the key is waited for at a time (Unix ms).
func (w Waited) For(key string, now int64) bool {
	if w.until <= now {
		return false
	}
	for _, b := range waitedBits(key) {
		if w.filter[b/8]&(1<<(b%8)) == 0 {
			return false
		}
	}
	return true
}

// With is for further keys, and lasts until a time (Unix ms). What does not hold at now any more, or has filled up, is left out.
func (w Waited) With(keys []string, now, until int64) Waited {
	filter := make([]byte, waitedBytes)
	if w.until > now && !w.full() {
		copy(filter, w.filter)
	}
	for _, key := range keys {
		for _, b := range waitedBits(key) {
			filter[b/8] |= 1 << (b % 8)
		}
	}
	return Waited{until: until, filter: string(filter)}
}

// full reports whether so many keys have been added that many others look the same.
func (w Waited) full() bool {
	n := 0
	for i := range len(w.filter) {
		n += bits.OnesCount8(w.filter[i])
	}
	return n > 8*waitedBytes*2/3
}
