package keyspace

import (
	"iter"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/store"
)

func (l *List) belongTo(ent *entry) { l.ent = ent }
func (l *List) empty() bool         { return l.Len() == 0 }
func (l *List) materialise()        {}

func (l *List) encode(u *update) (spread bool) {
	if l.spread() {
		u.elems = l.ops()
		u.set(attrCount, store.Int(l.n))
		u.set(attrLeft, store.Int(l.left))
		return true
	}
	size := 0
	for _, e := range l.elems {
		size += len(e) + 1
	}
	n := store.Int(int64(len(l.elems)))
	if size <= inlineLimit {
		u.set(attrList, store.List(l.elems))
		u.set(attrCount, n)
		return false
	}
	l.tx.regenerate(l.obj)
	for i, e := range l.elems {
		u.add(indexSort(int64(i)), store.Attrs{l.tx.stored(text{plain: e}, 0)})
	}
	u.set(attrCount, n)
	u.set(attrLeft, store.Int(0))
	return true
}

// ops lists the writes of a spread list's elements: first what lies outside the old bounds.
func (l *List) ops() []elemOp {
	oldLeft, oldN := l.seen()
	var ops []elemOp
	for pos, e := range l.over {
		inOld := pos >= oldLeft && pos < oldLeft+oldN
		inNew := pos >= l.left && pos < l.left+l.n
		if !e.dirty || !inOld && !inNew {
			continue
		}
		op := elemOp{sort: indexSort(pos)}
		if inNew {
			op.attrs = store.Attrs{l.tx.stored(e.value, 0)}
		}
		ops = append(ops, op)
	}
	// In steps, the list must stay whole: it grows from its old bounds outwards, and shrinks from
	// the outside inwards.
	slices.SortFunc(ops, func(a, b elemOp) int { return strings.Compare(a.sort, b.sort) })
	var lefts, rest []elemOp
	for _, op := range ops {
		pos := indexOfSort(op.sort)
		switch {
		case pos < oldLeft: // grows to the left
			op.dn, op.dleft = 1, -1
			lefts = append(lefts, op)
		case pos < l.left: // shrinks from the left
			op.dn, op.dleft = -1, 1
			rest = append(rest, op)
		case pos >= oldLeft+oldN: // grows to the right
			op.dn = 1
			rest = append(rest, op)
		case pos >= l.left+l.n: // shrinks from the right
			op.dn = -1
			rest = append(rest, op)
		default:
			rest = append(rest, op)
		}
	}
	slices.Reverse(lefts)
	if l.left+l.n < oldLeft+oldN {
		slices.Reverse(rest)
	}
	return append(lefts, rest...)
}

// seen is a spread list's bounds as they were read.
func (l *List) seen() (left, n int64) {
	if l.obj.gen != l.ent.seen.Get(AttrGen).Str() {
		return l.left, 0
	}
	return l.ent.seen.Get(attrLeft).Num(), l.ent.seen.Get(attrCount).Num()
}

func (l *List) copyTo(key string) {
	elems := make([]string, 0, l.Len())
	for v := range l.From(0, l.Len()) {
		elems = append(elems, v)
	}
	l.tx.NewList(key).PushRight(elems...)
}

func (l *List) dump(fits func(n int) bool) rdb.Value {
	v := rdb.Value{Kind: rdb.List}
	for e := range l.From(0, l.Len()) {
		if v.List = append(v.List, e); !fits(len(e)) {
			break
		}
	}
	return v
}

func (l *List) size(samples int64) int64 {
	return estimate(l.Len(), samples, func(readahead int64) iter.Seq[int64] {
		return func(yield func(int64) bool) {
			for v := range l.From(0, readahead) {
				if !yield(int64(len(v))) {
					return
				}
			}
		}
	})
}

func (l *List) encoding() string {
	size := 0
	for v := range l.From(0, 256) {
		if size += len(v) + 2; size > listpackListBytes {
			return "quicklist"
		}
	}
	return "listpack"
}
