package embedded

import stdheap "container/heap"

// entry is what a heap holds: it comes before others, and has a place.
type entry[E any] interface {
	before(E) bool
	where() *place
}

// place is where an entry is in its heap, so that it is found there without a search. The zero
// value is nowhere.
type place struct{ number int } // from 1 on

func (p *place) where() *place { return p }

// in reports whether the entry is in a heap.
func (p *place) in() bool { return p.number > 0 }

// heap holds entries, the one that comes before all others first.
type heap[E entry[E]] struct{ list ordered[E] }

func (h *heap[E]) len() int   { return len(h.list) }
func (h *heap[E]) first() E   { return h.list[0] }
func (h *heap[E]) push(e E)   { stdheap.Push(&h.list, e) }
func (h *heap[E]) pop() E     { return stdheap.Pop(&h.list).(E) }
func (h *heap[E]) fix(e E)    { stdheap.Fix(&h.list, e.where().number-1) }
func (h *heap[E]) remove(e E) { stdheap.Remove(&h.list, e.where().number-1) }

// ordered implements the interface of package container/heap.
type ordered[E entry[E]] []E

func (o ordered[E]) Len() int           { return len(o) }
func (o ordered[E]) Less(i, j int) bool { return o[i].before(o[j]) }
func (o ordered[E]) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].where().number, o[j].where().number = i+1, j+1
}

func (o *ordered[E]) Push(x any) {
	e := x.(E)
	*o = append(*o, e)
	e.where().number = len(*o)
}

func (o *ordered[E]) Pop() any {
	var none E
	last := len(*o) - 1
	e := (*o)[last]
	(*o)[last] = none
	*o = (*o)[:last]
	e.where().number = 0
	return e
}
