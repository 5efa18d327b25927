package kafka

import (
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// known is a topic as a group was assigned it last. A group that begins at the end of logs does so when
// it begins to read a topic. Partitions that are added later, and a topic that is made anew, are read
// from their start: what was produced there before the group noticed them was meant for it as well.
type known struct {
	topic      int64 // id
	partitions int
}

func (k known) String() string {
	return strconv.FormatInt(k.topic, 36) + "." + strconv.Itoa(k.partitions)
}

// known is what the group knows of a topic.
func (g *groupState) known(topic string) (k known, ok bool) {
	id, partitions, _ := strings.Cut(g.attrs.Get(attrKnown+topic).Str(), ".")
	var err, err2 error
	k.topic, err = strconv.ParseInt(id, 36, 64)
	k.partitions, err2 = strconv.Atoi(partitions)
	return k, err == nil && err2 == nil
}

// isNew reports whether a partition has come to a topic that the group reads already.
func (g *groupState) isNew(t *Topic, partition int) bool {
	k, ok := g.known(t.Name)
	return ok && (k.topic != t.id || partition >= k.partitions)
}

// rememberTopics notes in next what the group knows from now on: of topics that its members read, and
// of those that it has committed offsets of.
func (g *groupState) rememberTopics(topics map[string]*Topic, next map[string]store.Value) {
	committed := map[string]bool{} // by id
	for name := range next {
		if partition, ok := strings.CutPrefix(name, attrCommitted); ok {
			id, _, _ := strings.Cut(partition, ".")
			committed[id] = true
		}
	}
	for _, a := range g.attrs {
		if id, _, _ := strings.Cut(a.Value.Str(), "."); strings.HasPrefix(a.Name, attrKnown) && committed[id] {
			next[a.Name] = a.Value
		}
	}
	for name, t := range topics {
		if t != nil {
			next[attrKnown+name] = store.Bytes(known{t.id, t.Partitions}.String())
		} else if v := g.attrs.Get(attrKnown + name); !v.IsZero() {
			next[attrKnown+name] = v // it is gone, and may be made anew
		}
	}
}
