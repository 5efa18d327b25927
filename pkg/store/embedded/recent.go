package embedded

import (
	"encoding/binary"
	"sync"
)

// Sizes of what is kept of recent items. Memory is taken from the system only as it is written to.
const (
	recentShards = 64
	recentRing   = 1 << 20 // bytes of a shard
	recentSlots  = 1 << 14 // of a shard: a ring holds about 9,000 items of 100 bytes
	slotBytes    = 8

	// maxRecent is how long the value of an item that is kept may be, in bytes.
	maxRecent = 1 << 10
)

// recent is items that were written or read lately, as the engine has them. To find one here takes a fifth of what the engine
// needs, which looks through memtables of hundreds of thousands of items. An item's stripe says when it may be put here, and when it
// has to be taken away.
type recent struct {
	memory []byte // of all shards; the garbage collector does not know of it
	shards [recentShards]recentShard
}

// recentShard is the items with some hashes. Its ring has items one behind the other, each with the lengths of its key and its
// value in front of it: the newest overwrites the oldest.
//
// A slot says where an item lies: a number of bytes since the begin, of which the ring has the last ones, and behind it
// recentTag bits of the hash and a bit that says that the item was taken away. There are two slots for an item; 0 is an empty one.
type recentShard struct {
	mu    sync.Mutex
	ring  []byte
	slots []byte
	end   uint64 // where the next item is put, in bytes since the begin
}

const (
	recentHead = 4 // bytes of both lengths
	recentTag  = 16
	slotGone   = 1
)

func newRecent() (*recent, error) {
	const shard = recentRing + recentSlots*slotBytes
	memory, err := takeMemory(recentShards * shard)
	if err != nil {
		return nil, err
	}
	r := &recent{memory: memory}
	for i := range r.shards {
		part := memory[i*shard : (i+1)*shard]
		r.shards[i] = recentShard{ring: part[:recentRing], slots: part[recentRing:], end: 1}
	}
	return r, nil
}

// close gives the memory back. Nobody may call r any more.
func (r *recent) close() error { return giveMemory(r.memory) }

// shard returns the shard of a hash, the first of the two slots of items with it, and its tag.
func (r *recent) shard(hash uint64) (s *recentShard, slot int, tag uint64) {
	hash /= stripeCount
	return &r.shards[hash%recentShards], int(hash/recentShards%recentSlots) &^ 1, hash >> (64 - 12 - recentTag)
}

// find returns the value of an item.
func (r *recent) find(hash uint64, dataKey []byte) (val string, ok bool) {
	s, slot, tag := r.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := slot; i < slot+2; i++ {
		at := s.slot(i)
		if at&slotGone != 0 {
			continue
		}
		if key, old := s.item(at, tag); string(key) == string(dataKey) {
			return string(old), true
		}
	}
	return "", false
}

// put keeps an item.
func (r *recent) put(hash uint64, dataKey, val []byte) {
	if len(val) == 0 || len(val) > maxRecent {
		return
	}
	s, slot, tag := r.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := slot; i < slot+2; i++ {
		at := s.slot(i)
		if key, old := s.item(at, tag); len(old) == len(val) && string(key) == string(dataKey) {
			copy(old, val)
			s.setSlot(i, at&^slotGone)
			return
		}
	}
	for i := slot; i < slot+2; i++ { // one of another length may be there
		if at := s.slot(i); at&slotGone != 0 {
			s.setSlot(i, 0)
		}
	}
	if s.slot(slot) != 0 {
		s.setSlot(slot+1, s.slot(slot))
	}
	s.setSlot(slot, s.add(dataKey, val)<<(recentTag+1)|tag<<1)
}

// remove takes items away whose tag is that of the hash.
func (r *recent) remove(hash uint64) {
	s, slot, tag := r.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := slot; i < slot+2; i++ {
		if at := s.slot(i); at>>1&(1<<recentTag-1) == tag {
			s.setSlot(i, at|slotGone)
		}
	}
}

func (s *recentShard) slot(i int) uint64 { return binary.NativeEndian.Uint64(s.slots[i*slotBytes:]) }

func (s *recentShard) setSlot(i int, at uint64) {
	binary.NativeEndian.PutUint64(s.slots[i*slotBytes:], at)
}

// item is the item at a slot's place, which is good until another one is added; nil: it has another tag, or was overwritten.
func (s *recentShard) item(at, tag uint64) (key, val []byte) {
	place := at >> (recentTag + 1)
	if place == 0 || at>>1&(1<<recentTag-1) != tag || place+recentRing < s.end {
		return nil, nil
	}
	b := s.ring[place%recentRing:]
	k, v := int(binary.NativeEndian.Uint16(b)), int(binary.NativeEndian.Uint16(b[2:]))
	b = b[recentHead : recentHead+k+v]
	return b[:k], b[k:]
}

// add puts an item into the ring, in one piece, and returns its place.
func (s *recentShard) add(dataKey, val []byte) uint64 {
	n := uint64(recentHead + len(dataKey) + len(val))
	if left := recentRing - s.end%recentRing; left < n {
		s.end += left
	}
	place := s.end
	s.end += n
	b := s.ring[place%recentRing:]
	binary.NativeEndian.PutUint16(b, uint16(len(dataKey)))
	binary.NativeEndian.PutUint16(b[2:], uint16(len(val)))
	copy(b[recentHead:], dataKey)
	copy(b[recentHead+len(dataKey):], val)
	return place
}
