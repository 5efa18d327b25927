package groups

import (
	"cmp"
	"maps"
	"slices"
)

// assignors give each member its Target, by their names.
var assignors = map[string]func([]*Consumer, map[string]Topic){UniformAssignor: assignUniform, RangeAssignor: assignRange}

// IsAssignor reports whether there is an assignor of the name.
func IsAssignor(name string) bool { return assignors[name] != nil }

// readersOf are the members that read each topic, by instance or id.
func readersOf(members []*Consumer, topics map[string]Topic) map[string][]*Consumer {
	readers := map[string][]*Consumer{}
	for _, m := range members {
		names := append(slices.Clone(m.Names), m.Matched...)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if _, ok := topics[name]; ok {
				readers[name] = append(readers[name], m)
			}
		}
	}
	for _, list := range readers {
		slices.SortFunc(list, func(a, b *Consumer) int { return cmp.Compare(cmp.Or(a.Instance, a.ID), cmp.Or(b.Instance, b.ID)) })
	}
	return readers
}

// assignRange gives each reader of a topic neighbouring partitions. The first ones get one more, if they do not come out even.
func assignRange(members []*Consumer, topics map[string]Topic) {
	for _, m := range members {
		m.Target = Parts{}
	}
	for name, readers := range readersOf(members, topics) {
		t, from := topics[name], 0
		for i, m := range readers {
			to := from + t.Partitions/len(readers)
			if i < t.Partitions%len(readers) {
				to++
			}
			for p := from; p < to; p++ {
				m.Target[t.ID] = append(m.Target[t.ID], p)
			}
			from = to
		}
	}
}

// share is what a member gets while it is being worked out.
type share struct {
	*Consumer
	parts map[place]bool
}

// place is a partition.
type place struct {
	topic     string
	partition int
}

// assignUniform leaves members what they have, gives what is left to those that have least, and then moves partitions from those that have
// more to those that have less, as long as that makes them more alike. Of members that read the same topics, none has two more than another.
func assignUniform(members []*Consumer, topics map[string]Topic) {
	shares := map[*Consumer]*share{}
	for _, m := range members {
		shares[m] = &share{m, map[place]bool{}}
	}
	readers := map[string][]*share{}
	for name, list := range readersOf(members, topics) {
		for _, m := range list {
			readers[name] = append(readers[name], shares[m])
		}
	}
	names := slices.Sorted(maps.Keys(readers))
	least := func(topic string) *share {
		return slices.MinFunc(readers[topic], func(a, b *share) int { return cmp.Compare(len(a.parts), len(b.parts)) })
	}
	var left []place
	for _, name := range names {
		t := topics[name]
		for p := range t.Partitions {
			i := slices.IndexFunc(readers[name], func(s *share) bool { return s.Target.Has(t.ID, p) })
			if i < 0 {
				left = append(left, place{name, p})
			} else {
				readers[name][i].parts[place{name, p}] = true
			}
		}
	}
	for _, p := range left {
		least(p.topic).parts[p] = true
	}
	for moved := true; moved; {
		moved = false
		for _, name := range names {
			for _, s := range readers[name] {
				for p := 0; p < topics[name].Partitions && len(least(name).parts)+1 < len(s.parts); p++ {
					if at := (place{name, p}); s.parts[at] {
						to := least(name)
						delete(s.parts, at)
						to.parts[at] = true
						moved = true
					}
				}
			}
		}
	}
	for m, s := range shares {
		m.Target = Parts{}
		for p := range s.parts {
			id := topics[p.topic].ID
			m.Target[id] = append(m.Target[id], p.partition)
		}
		for _, list := range m.Target {
			slices.Sort(list)
		}
	}
}
