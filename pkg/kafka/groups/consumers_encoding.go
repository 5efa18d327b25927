package groups

import (
	"maps"
	"slices"
	"strings"
)

// Encode is the group as bytes. Lists of topics that members have in common are written once.
func (g *Consumers) Encode() string {
	w := writer{encodingVersion}
	w.number(g.Epoch)
	w.text(g.Assignor)
	w.number(int64(len(g.Topics)))
	for _, name := range slices.Sorted(maps.Keys(g.Topics)) {
		w.text(name)
		w.number(g.Topics[name].ID)
		w.number(int64(g.Topics[name].Partitions))
	}
	var lists [][]string
	numbers := map[string]int{}
	number := func(list []string) int64 {
		key := strings.Join(list, "\x00")
		if _, ok := numbers[key]; !ok {
			numbers[key] = len(lists)
			lists = append(lists, list)
		}
		return int64(numbers[key])
	}
	for _, m := range g.Members {
		number(m.Names)
		number(m.Matched)
	}
	w.number(int64(len(lists)))
	for _, list := range lists {
		w.texts(list)
	}
	w.number(int64(len(g.Members)))
	for _, m := range g.Members {
		for _, s := range []string{m.ID, m.Instance, m.Rack, m.ClientID, m.ClientHost, m.Regex, m.Assignor} {
			w.text(s)
		}
		for _, n := range []int64{number(m.Names), number(m.Matched), m.Rebalance, m.Epoch, m.Previous, m.RevokeBy} {
			w.number(n)
		}
		w.parts(m.Target)
		if same := m.Owned.Equal(m.Target); same {
			w.flag(same)
		} else {
			w.flag(same)
			w.parts(m.Owned)
		}
		w.parts(m.Revoking)
	}
	return string(w)
}

// DecodeConsumers reads what Encode has written.
func DecodeConsumers(text string) (*Consumers, error) {
	r := reader{rest: text}
	if version := r.byte(); version != encodingVersion {
		return nil, errEncoding
	}
	g := &Consumers{Epoch: r.number(), Assignor: r.text(), Topics: map[string]Topic{}}
	for range r.count() {
		name := r.text()
		g.Topics[name] = Topic{ID: r.number(), Partitions: int(r.number())}
	}
	var lists [][]string
	for range r.count() {
		lists = append(lists, r.texts())
	}
	list := func() []string {
		n := r.number()
		if n < 0 || n >= int64(len(lists)) {
			r.bad = true
			return nil
		}
		return lists[n]
	}
	for range r.count() {
		m := &Consumer{
			ID: r.text(), Instance: r.text(), Rack: r.text(), ClientID: r.text(), ClientHost: r.text(), Regex: r.text(), Assignor: r.text(),
			Names: list(), Matched: list(), Rebalance: r.number(), Epoch: r.number(), Previous: r.number(), RevokeBy: r.number(),
			Target: r.parts(),
		}
		if m.Owned = m.Target; !r.flag() {
			m.Owned = r.parts()
		}
		m.Revoking = r.parts()
		g.Members = append(g.Members, m)
	}
	if r.bad {
		return nil, errEncoding
	}
	return g, nil
}
