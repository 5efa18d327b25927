package groups

import (
	"maps"
	"slices"
)

// Parts are partitions: by the topic's id their numbers, in order. Whoever has some does not change them. No topic has an empty list.
type Parts map[int64][]int

// Len is the number of partitions.
func (p Parts) Len() (n int) {
	for _, list := range p {
		n += len(list)
	}
	return n
}

// Has reports whether a partition is one of them.
func (p Parts) Has(topic int64, partition int) bool {
	_, ok := slices.BinarySearch(p[topic], partition)
	return ok
}

// Equal reports whether the same partitions are in both.
func (p Parts) Equal(q Parts) bool { return maps.EqualFunc(p, q, slices.Equal[[]int]) }

// filter are those that satisfy a condition.
func (p Parts) filter(ok func(topic int64, partition int) bool) Parts {
	out := Parts{}
	for topic, list := range p {
		for _, n := range list {
			if ok(topic, n) {
				out[topic] = append(out[topic], n)
			}
		}
	}
	return out
}

// And are the partitions of both.
func (p Parts) And(q Parts) Parts { return p.filter(q.Has) }

// Minus are those that q has not.
func (p Parts) Minus(q Parts) Parts {
	if len(q) == 0 {
		return p
	}
	return p.filter(func(topic int64, partition int) bool { return !q.Has(topic, partition) })
}

// Or are the partitions of either.
func (p Parts) Or(q Parts) Parts {
	out := maps.Clone(p)
	if out == nil {
		out = Parts{}
	}
	for topic, list := range q {
		all := append(slices.Clone(out[topic]), list...)
		slices.Sort(all)
		out[topic] = slices.Compact(all)
	}
	return out
}

// Meets reports whether one of them is in q.
func (p Parts) Meets(q Parts) bool { return p.And(q).Len() > 0 }

// Contains reports whether all of q are among them.
func (p Parts) Contains(q Parts) bool { return q.Minus(p).Len() == 0 }

// parts writes partitions as runs of neighbours.
func (w *writer) parts(p Parts) {
	w.number(int64(len(p)))
	for _, topic := range slices.Sorted(maps.Keys(p)) {
		w.number(topic)
		var runs [][2]int // first, number
		for _, n := range p[topic] {
			if last := len(runs) - 1; last >= 0 && runs[last][0]+runs[last][1] == n {
				runs[last][1]++
			} else {
				runs = append(runs, [2]int{n, 1})
			}
		}
		w.number(int64(len(runs)))
		for _, run := range runs {
			w.number(int64(run[0]))
			w.number(int64(run[1]))
		}
	}
}

// maxRun bounds the partitions of a run that is read.
const maxRun = 1 << 20

func (r *reader) parts() Parts {
	p := Parts{}
	for range r.count() {
		topic := r.number()
		for range r.count() {
			first, n := r.number(), r.number()
			if first < 0 || n < 0 || n > maxRun {
				r.bad = true
				return nil
			}
			for i := range n {
				p[topic] = append(p[topic], int(first+i))
			}
		}
	}
	return p
}
