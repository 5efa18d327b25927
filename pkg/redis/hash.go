package redis

import "iter"

// Hash is a transaction's view of a hash. A nil Hash is an absent key: it reads as empty.
type Hash members

// Field is a hash field.
type Field = pair

// Hash returns the hash at a key, nil if there is no such key.
func (tx *Txn) Hash(key string) (*Hash, error) {
	o, err := tx.typed(key, typeHash)
	if o == nil {
		return nil, err
	}
	return (*Hash)(o.members), nil
}

// HashForUpdate returns the hash at a key, a new empty one if there is no such
// key. A hash that is left empty is no key.
func (tx *Txn) HashForUpdate(key string) (*Hash, error) {
	ms, err := tx.membersForUpdate(key, typeHash)
	return (*Hash)(ms), err
}

// NewHash makes the key hold a new empty hash, whatever it held before.
func (tx *Txn) NewHash(key string) *Hash { return (*Hash)(tx.newMembers(key, typeHash)) }

func (tx *Txn) membersForUpdate(key, typ string) (*members, error) {
	o, err := tx.typed(key, typ)
	if err != nil {
		return nil, err
	}
	if o != nil {
		return o.members, nil
	}
	return tx.newMembers(key, typ), nil
}

func (tx *Txn) newMembers(key, typ string) *members {
	ent := tx.entry(key)
	o := &object{typ: typ}
	o.members = newMembers(tx, ent, o)
	tx.abandon(ent.obj)
	ent.obj = o
	ent.dirty = ent.dirty || ent.seen != nil
	return o.members
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
