package keyspace

import (
	"iter"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/store"
)

// Hash is a transaction's view of a hash. A nil Hash is an absent key: it reads as empty.
type Hash members

// Hash returns the hash at a key, nil if there is no such key.
func (tx *Txn) Hash(key string) (*Hash, error) {
	o, err := tx.typed(key, typeHash)
	if o == nil {
		return nil, err
	}
	return o.value.(*Hash), nil
}

// HashForUpdate returns the hash at a key, a new empty one if there is no such
// key. A hash that is left empty is no key.
func (tx *Txn) HashForUpdate(key string) (*Hash, error) {
	h, err := tx.Hash(key)
	if h == nil && err == nil {
		h = tx.NewHash(key)
	}
	return h, err
}

// NewHash makes the key hold a new empty hash, whatever it held before.
func (tx *Txn) NewHash(key string) *Hash {
	h := (*Hash)(tx.newMembers(key, typeHash))
	h.obj.value = h
	return h
}

func (h *Hash) ms() *members { return (*members)(h) }

// Len is the number of fields.
func (h *Hash) Len() int64 { return h.ms().len() }

// Get returns a field.
func (h *Hash) Get(name string) (Field, bool) {
	return h.ms().get(name)
}

// Fetch reads fields that are about to be needed, in one round.
func (h *Hash) Fetch(names []string) { h.ms().fetch(names) }

// Set sets a field, with an expiry (Unix ms) or 0, and reports whether it is new.
func (h *Hash) Set(name, value string, expires int64) bool { return h.ms().put(name, value, expires) }

// FieldText is the value of a hash field that was read, for who does not keep it.
func (tx *Txn) FieldText(f Field) string { return tx.open(f.value) }

// Text is the value of a field that was read.
func (h *Hash) Text(f Field) string { return h.ms().text(f) }

// SetExpiry changes the expiry (Unix ms, or 0) of a field that was read.
func (h *Hash) SetExpiry(f Field, expires int64) { h.ms().putText(f.Name, f.value, expires) }

// Delete removes a field and reports whether it was there.
func (h *Hash) Delete(name string) bool { return h.ms().del(name) }

// All iterates over the fields.
func (h *Hash) All() iter.Seq[Field] { return h.ms().all() }

// Scan returns about count fields from a cursor on, and the next cursor, 0 at the end.
func (h *Hash) Scan(cursor uint64, count int) ([]Field, uint64) {
	return h.ms().scan(cursor, count)
}

// Random returns n distinct fields, all if there are fewer.
func (h *Hash) Random(n int64) []Field { return h.ms().random(n) }

// RandomOne returns a random field.
func (h *Hash) RandomOne() (Field, bool) {
	return h.ms().randomOne()
}

func (h *Hash) belongTo(ent *entry)      { h.ms().belongTo(ent) }
func (h *Hash) empty() bool              { return h.ms().empty() }
func (h *Hash) materialise()             { h.ms().decode() }
func (h *Hash) copyTo(key string)        { h.ms().addTo(h.tx.NewHash(key).ms()) }
func (h *Hash) size(samples int64) int64 { return h.ms().size(samples) }

func (h *Hash) encode(u *update) (spread bool) {
	if !h.ms().encode(u, false) {
		return false
	}
	sweep := h.nextSweep()
	if sweep != 0 {
		u.set(attrSweep, store.Int(sweep))
	}
	if sweep != h.obj.sweep {
		u.sweep = sweep
	}
	return true
}

// nextSweep is when a spread hash should be looked through after what the
// transaction has changed (Unix ms); 0: no field expires.
func (h *Hash) nextSweep() int64 {
	soonest := int64(0)
	for _, e := range h.m {
		if e.live && e.expires != 0 && (e.dirty || h.obj.fresh) && (soonest == 0 || e.expires < soonest) {
			soonest = e.expires
		}
	}
	if soonest == 0 {
		return h.obj.sweep
	}
	due := soonest + h.count()*sweepPause.Milliseconds()
	if h.obj.sweep != 0 && h.obj.sweep <= due {
		return h.obj.sweep
	}
	return due
}

// count is the number of fields of a spread hash.
func (h *Hash) count() int64 {
	if h.obj.fresh {
		return int64(len(h.m))
	}
	return h.n
}

func (h *Hash) dump(fits func(n int) bool) rdb.Value {
	v := rdb.Value{Kind: rdb.Hash}
	for p := range h.ms().all() {
		if !fits(len(p.Name) + p.value.len()) {
			break
		}
		v.Hash = append(v.Hash, rdb.Field{Name: p.Name, Value: h.tx.open(p.value), ExpireAt: p.Expires})
	}
	return v
}

// restore fills a new hash. Fields that have expired are left out.
func (h *Hash) restore(fields []rdb.Field) {
	for _, f := range fields {
		if f.ExpireAt == 0 || f.ExpireAt > h.tx.now {
			h.Set(f.Name, f.Value, f.ExpireAt)
		}
	}
}

func (h *Hash) encoding() string {
	if h.ms().compact(listpackHashLen, true) {
		return "listpack"
	}
	return "hashtable"
}
