package keyspace

import (
	"iter"
	"slices"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/store"
)

// What the values of hashes, sets and sorted sets share.

func (ms *members) belongTo(ent *entry) { ms.ent = ent }
func (ms *members) empty() bool         { return ms.len() == 0 }

// encode is that of value; with scored, members have index items.
func (ms *members) encode(u *update, scored bool) (spread bool) {
	ms.decode()
	if ms.spread() {
		u.elems = ms.ops(scored)
		u.set(attrCount, store.Int(ms.n))
		return true
	}
	if ms.headSize() <= inlineLimit {
		for name, e := range ms.m {
			u.set(memberAttr(name), store.Bytes(ms.tx.open(e.value)))
			if e.expires != 0 {
				u.set(fieldExpAttr(name), store.Int(e.expires))
			}
		}
		return false
	}
	ms.tx.regenerate(ms.obj)
	for name, e := range ms.m {
		for _, op := range ms.elementOps(name, e, scored) {
			u.add(op.sort, op.attrs)
		}
	}
	u.set(attrCount, store.Int(int64(len(ms.m))))
	return true
}

// headSize estimates the bytes that the members take inline.
func (ms *members) headSize() int {
	n := 0
	for name, e := range ms.m {
		n += len(name) + e.value.len() + 2
		if e.expires != 0 {
			n += len(name) + 10
		}
	}
	return n
}

// ops lists the writes of changed members.
func (ms *members) ops(scored bool) []elemOp {
	var ops []elemOp
	for _, name := range sortedNames(ms.m) {
		e := ms.m[name]
		if !e.dirty || !e.live && !e.stored {
			continue
		}
		var mine []elemOp
		if e.stored && scored {
			if old := e.was.Get(AttrValue).Str(); !e.live || old != e.value.plain {
				mine = append(mine, elemOp{sort: scoreSort(decodeScore(old), name)})
			}
		}
		if e.live {
			next := ms.elementOps(name, e, scored)
			if len(mine) > 0 && mine[0].sort == next[len(next)-1].sort {
				mine = nil // the index item stays where it is (-0 becomes 0)
			}
			mine = append(mine, next...)
		} else {
			mine = append(mine, elemOp{sort: memberSort(name)})
		}
		switch {
		case e.live && !e.stored:
			mine[0].dn = 1
		case !e.live && e.stored:
			mine[0].dn = -1
		}
		for i := range mine[1:] {
			mine[i+1].same = true
		}
		ops = append(ops, mine...)
	}
	return ops
}

func sortedNames(m map[string]*member) []string {
	names := make([]string, 0, len(m))
	for name, e := range m {
		if e.dirty {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// elementOps are the items of a live member: itself and, of a sorted set, its index item.
func (ms *members) elementOps(name string, e *member, scored bool) []elemOp {
	var attrs []store.Attr
	if e.value != (text{}) {
		attrs = append(attrs, ms.tx.stored(e.value, len(name)))
	}
	if e.expires != 0 {
		attrs = append(attrs, store.Attr{Name: attrExpiry, Value: store.Int(e.expires)})
	}
	long := store.Attr{Name: attrKey, Value: store.Bytes(name)}
	if len(name) > longName {
		attrs = append(attrs, long)
	}
	ops := []elemOp{{sort: memberSort(name), attrs: store.NewAttrs(attrs...)}}
	if !scored {
		return ops
	}
	attrs = nil
	if len(name) > longName {
		attrs = append(attrs, long)
	}
	return append(ops, elemOp{sort: scoreSort(decodeScore(e.value.plain), name), attrs: store.NewAttrs(attrs...)})
}

// addTo writes all members to a new collection.
func (ms *members) addTo(dest *members) {
	for p := range ms.all() {
		dest.putText(p.Name, p.value, p.Expires)
	}
}

func (ms *members) size(samples int64) int64 {
	return estimate(ms.len(), samples, func(readahead int64) iter.Seq[int64] {
		return func(yield func(int64) bool) {
			for p := range ms.from(0, int(min(readahead, MaxScanCount))) {
				if !yield(int64(len(p.Name) + p.value.len())) {
					return
				}
			}
		}
	})
}

// compact reports whether there are at most n members, and all of them, with
// values their values too, are short.
func (ms *members) compact(n int64, values bool) bool {
	if ms.len() > n {
		return false
	}
	for p := range ms.all() {
		if len(p.Name) > listpackEntryBytes || values && p.value.len() > listpackEntryBytes {
			return false
		}
	}
	return true
}

// integers reports whether the members are few and all integers.
func (ms *members) integers() bool {
	if ms.len() > intsetLen {
		return false
	}
	for p := range ms.all() {
		if _, ok := num.ParseInt(p.Name); !ok {
			return false
		}
	}
	return true
}
