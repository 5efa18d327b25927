package keyspace

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// members are the elements of a hash, set or sorted set, by name, in either
// encoding. A value is a hash field's value, a score as encodeScore makes it,
// or nothing.
type members struct {
	tx  *Txn
	ent *entry
	obj *object

	// attrs is an inline head that has not been taken apart yet; m is nil then.
	attrs store.Attrs
	// m holds, inline, all members; spread, those that were read or changed.
	m map[string]*member
	n int64 // spread: number of live members
}

type member struct {
	value   text
	expires int64 // of a hash field, Unix ms; 0: never
	live    bool

	stored bool        // spread: there is an item for it
	was    store.Attrs // spread: that item
	dirty  bool        // spread: the item must be written
}

// Field is a hash field that was read, or a member of a set or sorted set; see Hash.Text for its value.
type Field struct {
	Name    string
	value   text  // see members.text
	Expires int64 // of a hash field, Unix ms; 0: never
}

// ValueLen is the length of a field's value.
func (p Field) ValueLen() int { return p.value.len() }

func decodeMembers(tx *Txn, ent *entry, o *object, as store.Attrs) *members {
	ms := &members{tx: tx, ent: ent, obj: o, attrs: as}
	if o.gen != "" {
		ms.n = as.Get(attrCount).Num()
	}
	return ms
}

// newMembers makes a key hold a new empty collection of a type, whatever it held before.
func (tx *Txn) newMembers(key, typ string) *members {
	ent := tx.entry(key)
	o := &object{typ: typ}
	ms := &members{tx: tx, ent: ent, obj: o}
	tx.abandon(ent.obj)
	ent.obj = o
	ent.dirty = ent.dirty || ent.seen != nil
	return ms
}

func (ms *members) spread() bool { return ms.obj.gen != "" }

// decode takes an inline head apart.
func (ms *members) decode() {
	if ms.m != nil {
		return
	}
	ms.m = make(map[string]*member, len(ms.attrs))
	ms.tx.Hold(ElementMemory * int64(len(ms.attrs)))
	if ms.spread() {
		return
	}
	for _, a := range ms.attrs {
		if !isMemberAttr(a.Name) {
			continue
		}
		ms.tx.spend(ElementWork)
		exp := fieldExpiry(ms.attrs, a.Name)
		if exp != 0 && exp <= ms.tx.now {
			continue
		}
		ms.m[memberOfAttr(a.Name)] = &member{value: text{plain: a.Value.Str()}, expires: exp, live: true}
	}
	ms.attrs = nil
}

// len is the number of members. In a spread hash it includes fields that have
// expired and were not reclaimed, as in Redis.
func (ms *members) len() int64 {
	switch {
	case ms == nil:
		return 0
	case ms.spread():
		return ms.n
	case ms.m == nil:
		var n int64
		for _, a := range ms.attrs {
			if isMemberAttr(a.Name) && !fieldExpired(ms.attrs, a.Name, ms.tx.now) {
				n++
			}
		}
		return n
	}
	return int64(len(ms.m))
}

// get returns a member.
func (ms *members) get(name string) (Field, bool) {
	if ms == nil {
		return Field{}, false
	}
	ms.tx.spend(ElementWork)
	if ms.m == nil && !ms.spread() {
		ms.tx.spend(ElementWork) // its name is made, and searched for
		attr := memberAttr(name)
		v := ms.attrs.Get(attr)
		if v.IsZero() || fieldExpired(ms.attrs, attr, ms.tx.now) {
			return Field{}, false
		}
		return Field{name, text{plain: v.Str()}, fieldExpiry(ms.attrs, attr)}, true
	}
	if ms.spread() {
		ms.fetch([]string{name})
	}
	e := ms.m[name]
	if e == nil || !e.live {
		return Field{}, false
	}
	return Field{name, e.value, e.expires}, true
}

// fetch reads members of a spread value that are not known yet, in one round.
func (ms *members) fetch(names []string) {
	if ms == nil || !ms.spread() {
		return
	}
	ms.decode()
	if ms.tx.spend(ElementWork * int64(len(names))); ms.tx.err != nil {
		return
	}
	var missing, sorts []string
	for _, name := range names {
		if ms.m[name] == nil {
			ms.tx.Hold(ElementMemory + int64(len(name)))
			missing = append(missing, name)
			sorts = append(sorts, memberSort(name))
			ms.m[name] = &member{}
		}
	}
	if len(missing) == 0 || ms.obj.fresh {
		return
	}
	for i, as := range ms.tx.elements(ms.obj.gen, sorts) {
		ms.note(missing[i], as)
	}
}

// note records what the store has for a member.
func (ms *members) note(name string, as store.Attrs) *member {
	e := &member{stored: as != nil, was: as}
	if as != nil {
		e.value, e.expires = textOf(as), as.Get(attrExpiry).Num()
		e.live = e.expires == 0 || e.expires > ms.tx.now
	}
	ms.m[name] = e
	return e
}

// text is the value of a member that was read. What this transaction keeps of it is decompressed once.
func (ms *members) text(p Field) string {
	if p.value.known() {
		return p.value.plain
	}
	if e := ms.m[p.Name]; e != nil && e.value.packed == p.value.packed {
		e.value.plain = ms.tx.keep(e.value)
		return e.value.plain
	}
	return ms.tx.open(p.value)
}

// put sets a member and reports whether it is new.
func (ms *members) put(name, value string, expires int64) bool {
	return ms.putText(name, text{plain: value}, expires)
}

func (ms *members) putText(name string, value text, expires int64) bool {
	ms.decode()
	ms.fetch([]string{name})
	ms.ent.change()
	e := ms.m[name]
	if e == nil {
		e = &member{}
		ms.m[name] = e
		ms.tx.Hold(ElementMemory + int64(len(name)))
	}
	ms.tx.Take(int64(len(value.plain)+len(value.packed)) + ElementWork)
	if !e.counted() {
		ms.n++
	}
	isNew := !e.live
	e.value, e.expires, e.live, e.dirty = value, expires, true, true
	return isNew
}

// counted: the member is part of a spread value's count, which includes fields
// that have expired in the store and were not reclaimed.
func (e *member) counted() bool {
	if e.dirty {
		return e.live
	}
	return e.stored
}

// del removes a member and reports whether it was there.
func (ms *members) del(name string) bool {
	if ms == nil {
		return false
	}
	ms.decode()
	ms.fetch([]string{name})
	e := ms.m[name]
	if e == nil || !e.live {
		return false
	}
	ms.ent.change()
	if !ms.spread() {
		delete(ms.m, name)
		return true
	}
	e.live, e.dirty = false, true
	ms.n--
	return true
}

// all iterates over all members, inline and spread, in no particular order but
// always the same one for the same content (that of the hashes).
func (ms *members) all() iter.Seq[Field] { return ms.from(0, 0) }

// from iterates in order of hashes, starting at one. readahead is how many members the
// caller expects to look at, 0 for all.
func (ms *members) from(hash uint64, readahead int) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		if ms == nil {
			return
		}
		ms.decode()
		known := ms.known(hash)
		if ms.spread() && !ms.obj.fresh {
			q := store.Query{
				Partition: ElemPartition(ms.tx.view.db, ms.obj.gen),
				From:      elemMember + PutUint64(hash), To: store.PrefixEnd(elemMember), Limit: 0,
			}
			if readahead > 0 {
				q.Limit = readahead + 8
			}
			for it := range ms.pages(q, readahead) {
				name := nameOfItem(it, 9)
				if ms.m[name] != nil {
					continue // what this transaction knows comes from known
				}
				exp := it.Attrs.Get(attrExpiry).Num()
				if exp != 0 && exp <= ms.tx.now {
					continue
				}
				for len(known) > 0 && lessByHash(known[0].Name, name) {
					if !yield(known[0]) {
						return
					}
					known = known[1:]
				}
				if !yield(Field{name, textOf(it.Attrs), exp}) {
					return
				}
			}
		}
		for _, p := range known {
			if !yield(p) {
				return
			}
		}
	}
}

// pages is Txn.query, but a limited query goes on with further pages.
func (ms *members) pages(q store.Query, readahead int) iter.Seq[store.Item] {
	if readahead == 0 {
		return ms.tx.query(q)
	}
	return func(yield func(store.Item) bool) {
		for {
			n, last := 0, ""
			for it := range ms.tx.query(q) {
				n, last = n+1, it.Key.Sort
				if !yield(it) {
					return
				}
			}
			if n < q.Limit {
				return
			}
			q.From = last + "\x00"
		}
	}
}

// known lists the live members in m from a hash on, in order of hashes.
func (ms *members) known(hash uint64) []Field {
	if ms.tx.spend(4 * ElementWork * int64(len(ms.m))); ms.tx.err != nil {
		return nil // they are looked at, hashed and sorted
	}
	out := make([]Field, 0, len(ms.m))
	for name, e := range ms.m {
		if e.live && (hash == 0 || HashOf(name) >= hash) {
			out = append(out, Field{name, e.value, e.expires})
		}
	}
	slices.SortFunc(out, func(a, b Field) int {
		return cmp.Or(cmp.Compare(HashOf(a.Name), HashOf(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return out
}

func lessByHash(a, b string) bool {
	ha, hb := HashOf(a), HashOf(b)
	return ha < hb || ha == hb && a < b
}

// nameOfItem is the member that an element item stands for: the rest of its
// sort key behind a header, or an attribute if it is too long for that.
func nameOfItem(it store.Item, header int) string {
	if k := it.Attrs.Get(attrKey); !k.IsZero() {
		return k.Str()
	}
	return it.Key.Sort[header:]
}

// scan returns about count members from a cursor on and the next cursor, 0 at the end.
func (ms *members) scan(cursor uint64, count int) ([]Field, uint64) {
	if ms == nil {
		return nil, 0
	}
	if !ms.spread() {
		// As in Redis: a small collection comes whole.
		return slices.Collect(ms.all()), 0
	}
	ms.tx.relaxed = ms.tx.relaxed || !ms.tx.mode.Write
	var out []Field
	var last uint64
	for p := range ms.from(cursor<<(64-CursorBits), count) {
		c := HashOf(p.Name) >> (64 - CursorBits)
		if len(out) >= count && c != last {
			return out, c
		}
		out, last = append(out, p), c
	}
	return out, 0
}

// random returns n distinct members, all if there are fewer; in a spread value they are
// drawn from runs of neighbours in the order of hashes at random places.
func (ms *members) random(n int64) []Field {
	if ms == nil || n <= 0 {
		return nil
	}
	if !ms.spread() || n >= ms.len()/3 {
		all := slices.Collect(ms.all())
		ms.shuffle(all)
		return all[:min(n, int64(len(all)))]
	}
	out := make([]Field, 0, n)
	seen := make(map[string]bool, n)
	take := func(ps []Field, limit int) {
		for _, p := range ps {
			if limit == 0 || int64(len(out)) == n {
				return
			}
			if !seen[p.Name] {
				seen[p.Name] = true
				out = append(out, p)
				limit--
			}
		}
	}
	runs := min(int(n), maxRandomRuns)
	each := (int(n) + runs - 1) / runs
	for tries := 0; int64(len(out)) < n && tries < 2*runs && ms.tx.err == nil; tries++ {
		run := ms.randomRun(each + randomRun - 1)
		ms.shuffle(run)
		take(run, each)
	}
	if int64(len(out)) < n {
		take(slices.Collect(ms.all()), int(n))
	}
	return out
}

const (
	// randomRun is how many neighbours of a random place a random member is drawn
	// from, which evens out the gaps between hashes.
	randomRun = 16
	// maxRandomRuns bounds the number of places, hence of queries.
	maxRandomRuns = 32
)

// randomRun returns up to n neighbours in the order of hashes from a random place on.
func (ms *members) randomRun(n int) []Field {
	run := make([]Field, 0, n)
	for _, start := range []uint64{ms.tx.space.random.Uint64(), 0} {
		for p := range ms.from(start, n) {
			if run = append(run, p); len(run) == n {
				return run
			}
		}
	}
	return run
}

func (ms *members) shuffle(ps []Field) {
	ms.tx.space.random.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
}

// randomOne returns a random member.
func (ms *members) randomOne() (Field, bool) {
	if ms.len() == 0 {
		return Field{}, false
	}
	var from []Field
	if ms.spread() {
		from = ms.randomRun(randomRun)
	} else {
		from = slices.Collect(ms.all())
	}
	if len(from) == 0 {
		return Field{}, false
	}
	return from[ms.tx.space.random.IntN(len(from))], true
}
