package keyspace

import (
	"iter"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// Set is a transaction's view of a set. A nil Set is an absent key: it reads as empty.
type Set members

// Set returns the set at a key, nil if there is no such key.
func (tx *Txn) Set(key string) (*Set, error) {
	o, err := tx.typed(key, typeSet)
	if o == nil {
		return nil, err
	}
	return o.value.(*Set), nil
}

// SetForUpdate returns the set at a key, a new empty one if there is no such key.
// A set that is left empty is no key.
func (tx *Txn) SetForUpdate(key string) (*Set, error) {
	s, err := tx.Set(key)
	if s == nil && err == nil {
		s = tx.NewSet(key)
	}
	return s, err
}

// NewSet makes the key hold a new empty set, whatever it held before.
func (tx *Txn) NewSet(key string) *Set {
	s := (*Set)(tx.newMembers(key, typeSet))
	s.obj.value = s
	return s
}

func (s *Set) ms() *members { return (*members)(s) }

// Len is the number of members.
func (s *Set) Len() int64 { return s.ms().len() }

// Has reports whether the set has a member.
func (s *Set) Has(member string) bool {
	_, ok := s.ms().get(member)
	return ok
}

// Fetch reads members that are about to be needed, in one round.
func (s *Set) Fetch(members []string) { s.ms().fetch(members) }

// Add adds a member and reports whether it is new.
func (s *Set) Add(member string) bool {
	if s.Has(member) {
		return false
	}
	return s.ms().put(member, "", 0)
}

// Remove removes a member and reports whether it was there.
func (s *Set) Remove(member string) bool { return s.ms().del(member) }

// All iterates over the members.
func (s *Set) All() iter.Seq[string] { return names(s.ms().all()) }

// Scan returns about count members from a cursor on, and the next cursor, 0 at the end.
func (s *Set) Scan(cursor uint64, count int) ([]string, uint64) {
	ps, next := s.ms().scan(cursor, count)
	return namesOf(ps), next
}

// Random returns n distinct members, all if there are fewer.
func (s *Set) Random(n int64) []string { return namesOf(s.ms().random(n)) }

// RandomOne returns a random member.
func (s *Set) RandomOne() (string, bool) {
	p, ok := s.ms().randomOne()
	return p.Name, ok
}

func names(seq iter.Seq[Field]) iter.Seq[string] {
	return func(yield func(string) bool) {
		for p := range seq {
			if !yield(p.Name) {
				return
			}
		}
	}
}

func namesOf(ps []Field) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.Name
	}
	return out
}

func (s *Set) belongTo(ent *entry)            { s.ms().belongTo(ent) }
func (s *Set) empty() bool                    { return s.ms().empty() }
func (s *Set) materialise()                   { s.ms().decode() }
func (s *Set) encode(u *update) (spread bool) { return s.ms().encode(u, false) }
func (s *Set) copyTo(key string)              { s.ms().addTo(s.tx.NewSet(key).ms()) }
func (s *Set) size(samples int64) int64       { return s.ms().size(samples) }

func (s *Set) dump(fits func(n int) bool) rdb.Value {
	v := rdb.Value{Kind: rdb.Set}
	for p := range s.ms().all() {
		if v.Set = append(v.Set, p.Name); !fits(len(p.Name)) {
			break
		}
	}
	return v
}

// restore fills a new set.
func (s *Set) restore(members []string) {
	for _, name := range members {
		s.ms().put(name, "", 0)
	}
}

func (s *Set) encoding() string {
	switch {
	case s.ms().integers():
		return "intset"
	case s.ms().compact(listpackSetLen, false):
		return "listpack"
	}
	return "hashtable"
}
