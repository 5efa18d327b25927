package keyspace

import (
	"iter"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// List is a transaction's view of a list. A nil List is an absent key: it reads as empty.
//
// A spread list's elements have consecutive positions, so an index is found at
// once; inserting or removing inside moves the elements on the shorter side.
type List struct {
	tx  *Txn
	ent *entry
	obj *object

	elems []string // inline, or all of it
	front []string // inline: room in front of elems, in the same array
	n     int64    // spread: number of elements
	left  int64    // spread: position of the first

	over map[int64]*listElem // spread: by position, what is known or was changed
}

type listElem struct {
	value  text
	gone   bool // beyond the list now
	stored bool
	dirty  bool
}

// listMoveLimit is how many elements of a spread list an insertion or removal moves;
// beyond it the list is written anew.
const listMoveLimit = 40

func decodeList(tx *Txn, ent *entry, o *object, as store.Attrs) *List {
	l := &List{tx: tx, ent: ent, obj: o}
	if o.gen == "" {
		l.elems = as.Get(attrList).Elems()
		return l
	}
	l.n, l.left = as.Get(attrCount).Num(), as.Get(attrLeft).Num()
	return l
}

// List returns the list at a key, nil if there is no such key.
func (tx *Txn) List(key string) (*List, error) {
	o, err := tx.typed(key, typeList)
	if o == nil {
		return nil, err
	}
	return o.value.(*List), nil
}

// ListForUpdate returns the list at a key, a new empty one if there is no such key. A
// list that is left empty is no key.
func (tx *Txn) ListForUpdate(key string) (*List, error) {
	l, err := tx.List(key)
	if l != nil || err != nil {
		return l, err
	}
	return tx.NewList(key), nil
}

// NewList makes the key hold a new empty list, whatever it held before.
func (tx *Txn) NewList(key string) *List {
	ent := tx.entry(key)
	o := &object{typ: typeList}
	l := &List{tx: tx, ent: ent, obj: o}
	o.value = l
	tx.abandon(ent.obj)
	ent.obj = o
	ent.dirty = ent.dirty || ent.seen != nil
	return l
}

func (l *List) spread() bool { return l.obj.gen != "" }

// Len is the number of elements.
func (l *List) Len() int64 {
	switch {
	case l == nil:
		return 0
	case l.spread():
		return l.n
	}
	return int64(len(l.elems))
}

// own makes the inline elements changeable.
func (l *List) own() {
	if !l.ent.dirty {
		l.tx.Take(16 * int64(len(l.elems)))
		l.elems = slices.Clone(l.elems)
	}
	l.ent.change()
}

// Index returns the element at an index from 0 on; not ok if it lies outside.
func (l *List) Index(i int64) (string, bool) {
	if l == nil || i < 0 || i >= l.Len() {
		return "", false
	}
	if !l.spread() {
		return l.elems[i], true
	}
	pos := l.left + i
	if e := l.over[pos]; e != nil {
		e.value.plain = l.tx.keep(e.value)
		return e.value.plain, true
	}
	as := l.tx.elements(l.obj.gen, []string{indexSort(pos)})[0]
	if as == nil {
		l.torn()
		return "", false
	}
	e := l.at(pos)
	e.value, e.stored = textOf(as), true
	e.value.plain = l.tx.keep(e.value)
	return e.value.plain, true
}

// torn: an element that must be there is not, so the list has been changed under us.
func (l *List) torn() { l.tx.Fail(store.ErrConflict) }

// at is the record of a position.
func (l *List) at(pos int64) *listElem {
	if l.over == nil {
		l.over = map[int64]*listElem{}
	}
	e := l.over[pos]
	if e == nil {
		e = &listElem{}
		l.over[pos] = e
		l.tx.Hold(ElementMemory)
	}
	return e
}

// Range returns the elements from index start to stop, both inclusive and within the list.
func (l *List) Range(start, stop int64) []string {
	if l == nil || start > stop {
		return nil
	}
	if !l.spread() {
		l.tx.spend(16 * (stop + 1 - start))
		return l.elems[start : stop+1]
	}
	out := make([]string, 0, min(stop-start+1, 4096))
	for v := range l.From(start, stop-start+1) {
		l.tx.Hold(16 + int64(len(v)))
		if out = append(out, v); int64(len(out)) == stop-start+1 {
			break
		}
	}
	return out
}

// From iterates from an index on; readahead is how many elements the caller expects to look at.
func (l *List) From(start, readahead int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		if l == nil || start >= l.Len() {
			return
		}
		if !l.spread() {
			for _, v := range l.elems[start:] {
				if l.tx.spend(ElementWork); l.tx.err != nil || !yield(v) {
					return
				}
			}
			return
		}
		pos, end := l.left+start, l.left+l.n
		stored := map[int64]text{}
		// Whoever reads on reads larger and larger pages, so that a long list takes few.
		for page := min(max(readahead, 16), 4096); pos < end && l.tx.err == nil; page = min(2*page, 4096) {
			n := min(end-pos, page)
			if !l.allKnown(pos, n) {
				q := store.Query{Partition: ElemPartition(l.tx.view.db, l.obj.gen), From: indexSort(pos), To: indexSort(pos + n)}
				for it := range l.tx.query(q) {
					stored[indexOfSort(it.Key.Sort)] = textOf(it.Attrs)
				}
			}
			for ; n > 0; n, pos = n-1, pos+1 {
				v, ok := stored[pos]
				if e := l.over[pos]; e != nil {
					v, ok = e.value, true
				}
				if !ok {
					l.torn()
					return
				}
				if plain := l.tx.open(v); l.tx.err != nil || !yield(plain) {
					return
				}
			}
			clear(stored)
		}
	}
}

func (l *List) allKnown(pos, n int64) bool {
	if l.obj.fresh {
		return true
	}
	if int64(len(l.over)) < n {
		return false
	}
	for i := range n {
		if l.over[pos+i] == nil {
			return false
		}
	}
	return true
}

// PushRight appends elements.
func (l *List) PushRight(values ...string) {
	if !l.spread() {
		l.own()
		l.tx.added(values)
		l.elems = append(l.elems, values...)
		return
	}
	l.ent.change()
	for _, v := range values {
		l.put(l.left+l.n, v)
		l.n++
	}
}

// PushLeft puts elements in front, one after the other, so that the last comes first.
func (l *List) PushLeft(values ...string) {
	if !l.spread() {
		l.own()
		l.tx.added(values)
		l.makeFront(len(values))
		at := len(l.front) - len(values)
		copy(l.front[at:], values)
		slices.Reverse(l.front[at:])
		l.elems = l.front[at : len(l.front)+len(l.elems)]
		l.front = l.front[:at]
		return
	}
	l.ent.change()
	for _, v := range values {
		l.left--
		l.n++
		l.put(l.left, v)
	}
}

// makeFront makes room in front of the inline elements. A list that grows in front again and again is copied once
// for each doubling.
func (l *List) makeFront(n int) {
	at := len(l.front)
	if at >= n && len(l.elems) > 0 && cap(l.front) > at && &l.front[:at+1][at] == &l.elems[0] {
		return
	}
	room := n
	if at > 0 || l.front != nil {
		room += len(l.elems) // it is not the first time
	}
	l.tx.Take(16 * int64(room+cap(l.elems)))
	l.tx.Hold(-16 * int64(cap(l.elems)))                        // what it was before is garbage now
	all := make([]string, room+len(l.elems), room+cap(l.elems)) // with the room that there is behind them
	copy(all[room:], l.elems)
	l.front, l.elems = all[:room], all[room:]
}

func (l *List) put(pos int64, v string) {
	l.tx.Take(int64(len(v)))
	e := l.at(pos)
	e.value, e.gone, e.dirty = text{plain: v}, false, true
}

// PopLeft removes and returns up to n elements from the front.
func (l *List) PopLeft(n int64) []string {
	n = min(n, l.Len())
	if n <= 0 {
		return nil
	}
	out := slices.Clone(l.Range(0, n-1))
	l.dropLeft(n)
	return out
}

// PopRight removes and returns up to n elements from the end, the last first.
func (l *List) PopRight(n int64) []string {
	n = min(n, l.Len())
	if n <= 0 {
		return nil
	}
	out := slices.Clone(l.Range(l.Len()-n, l.Len()-1))
	slices.Reverse(out)
	l.dropRight(n)
	return out
}

func (l *List) dropLeft(n int64) {
	if !l.spread() {
		l.own()
		l.elems = l.elems[n:]
		return
	}
	l.ent.change()
	for ; n > 0; n-- {
		l.remove(l.left)
		l.left++
		l.n--
	}
}

func (l *List) dropRight(n int64) {
	if !l.spread() {
		l.own()
		l.elems = l.elems[:int64(len(l.elems))-n]
		return
	}
	l.ent.change()
	for ; n > 0; n-- {
		l.n--
		l.remove(l.left + l.n)
	}
}

func (l *List) remove(pos int64) {
	e := l.at(pos)
	e.gone, e.dirty = true, true
}

// Set replaces the element at an index within the list.
func (l *List) Set(i int64, v string) {
	if !l.spread() {
		l.own()
		l.elems[i] = v
		return
	}
	l.ent.change()
	l.put(l.left+i, v)
}

// Insert puts an element before the one at index i; i may be Len.
func (l *List) Insert(i int64, v string) {
	n := l.Len()
	switch {
	case i == 0:
		l.PushLeft(v)
	case i == n:
		l.PushRight(v)
	case !l.spread():
		l.own()
		l.tx.added([]string{v})
		l.tx.spend(16 * n)
		l.elems = slices.Insert(l.elems, int(i), v)
	case i <= listMoveLimit:
		front := slices.Clone(l.Range(0, i-1))
		if l.tx.err != nil {
			return
		}
		l.PushLeft(front[0])
		for j, e := range front[1:] {
			l.Set(int64(j)+1, e)
		}
		l.Set(i, v)
	case n-i <= listMoveLimit:
		back := slices.Clone(l.Range(i, n-1))
		if l.tx.err != nil {
			return
		}
		l.PushRight(back[len(back)-1])
		l.Set(i, v)
		for j, e := range back[:len(back)-1] {
			l.Set(i+1+int64(j), e)
		}
	default:
		all := slices.Clone(l.Range(0, n-1))
		if l.tx.err != nil {
			return
		}
		l.Replace(slices.Insert(all, int(i), v))
	}
}

// Keep removes all elements but those from index start to stop, both inclusive and within
// the list; start > stop removes all.
func (l *List) Keep(start, stop int64) {
	n := l.Len()
	switch {
	case start > stop:
		l.Replace(nil)
	case !l.spread() || start+(n-1-stop) <= 2*listMoveLimit:
		l.dropRight(n - 1 - stop)
		l.dropLeft(start)
	default:
		l.Replace(slices.Clone(l.Range(start, stop)))
	}
}

// Replace gives the list other elements, whose slice it takes over.
func (l *List) Replace(elems []string) {
	l.ent.change()
	if l.spread() {
		l.tx.abandon(l.obj)
		l.obj.gen, l.obj.fresh, l.over = "", false, nil
	}
	l.elems = elems
}
