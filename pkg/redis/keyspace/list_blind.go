package keyspace

import (
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// Push adds elements to an inline list, which exists if asked for, at the end or, with left, in front, one after the
// other. Its result is the list's length.
func (b *Blind) Push(values []string, left, existing bool) *Plan {
	if !Small(values) {
		return nil
	}
	edit := store.Append(attrList, values)
	if left {
		front := slices.Clone(values)
		slices.Reverse(front)
		edit = store.Prepend(attrList, front)
	}
	n := int64(len(values))
	cond := b.liveOr(typeList)
	// An emptied list that still has an expiry would pass it on.
	cond = store.And{cond, store.Or{store.Absent(attrExpiry), store.SizeGt(attrList, 0)}}
	if existing {
		cond = store.And{cond, store.SizeGt(attrList, 0)}
	}
	return &Plan{
		Op:         store.Update(b.key, cond, store.Set(attrType, store.Bytes(typeList)), edit, store.Add(attrCount, attrCount, n)),
		Trace:      store.Add("", attrCount, n),
		Collection: true,
	}
}

// PopLeft takes the first element from an inline list that has any. Its result is the element.
func (b *Blind) PopLeft() *Plan {
	cond := store.And{
		store.Eq(attrType, store.Bytes(typeList)), store.SizeGt(attrList, 0), b.live(),
		// The last element must not leave an expiry behind.
		store.Or{store.Absent(attrExpiry), store.SizeGt(attrList, 1)},
	}
	return &Plan{
		Op:         store.Update(b.key, cond, store.RemoveFirst(attrList), store.Add(attrCount, attrCount, -1)),
		Trace:      store.CopyFirst("", attrList),
		Collection: true,
	}
}

// ListLen is the length of an inline list, given its head.
func (b *Blind) ListLen(old store.Attrs) int64 { return old.Get(attrCount).Num() }

// ListFirst is the first element of an inline list that has any, given its head.
func (b *Blind) ListFirst(old store.Attrs) string { return old.Get(attrList).Elems()[0] }
