package kafka

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// GroupLag is a group with what it has read and what it has not.
type GroupLag struct {
	Name       string
	Generation int64     // number of rebalances
	UsedAt     time.Time // of its last request; zero: never
	Instances  []string
	Partitions []PartitionLag // with a committed offset, a position or an instance, by topic and number
}

// PartitionLag is how far a group is in a partition.
type PartitionLag struct {
	TopicPartition
	Instance  string // to which it is assigned; "": to none
	Committed int64  // -1: nothing is committed
	Position  int64  // what its instance reads next; -1: there is none
	End       int64  // the offset that is written next
	Lag       int64  // messages behind the committed offset; -1: nothing is committed
}

// Lag is how many messages lie behind the group's committed offsets, in all partitions
// that have one. It is the whole lag only if Unknown is 0.
func (g GroupLag) Lag() (n int64) {
	for _, p := range g.Partitions {
		n += max(0, p.Lag)
	}
	return n
}

// Unknown is the number of partitions whose lag is not known, because nothing is committed there.
func (g GroupLag) Unknown() (n int) {
	for _, p := range g.Partitions {
		if p.Lag < 0 {
			n++
		}
	}
	return n
}

// Lags lists a cluster's groups, those without instances too, by name.
func (e *Engine) Lags(ctx context.Context, c *Cluster) ([]GroupLag, error) {
	groups, err := e.groups(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	return e.lags(ctx, c, groups)
}

// Lag is Lags of one group. The error is of kind NotFound if there is none.
func (e *Engine) Lag(ctx context.Context, c *Cluster, name string) (*GroupLag, error) {
	if err := checkName("group", name); err != nil {
		return nil, err
	}
	g, err := e.loadGroup(ctx, c.ID, name)
	if err != nil {
		return nil, err
	}
	if g.attrs == nil {
		return nil, refuse(NotFound, "no group %q", name)
	}
	list, err := e.lags(ctx, c, []*groupState{g})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func (e *Engine) lags(ctx context.Context, c *Cluster, groups []*groupState) ([]GroupLag, error) {
	topics, err := e.Topics(ctx, c)
	if err != nil {
		return nil, err
	}
	byID := map[int64]*Topic{}
	for _, t := range topics {
		byID[t.id] = t
	}
	out := make([]GroupLag, len(groups))
	var logs []string
	index := map[string]int{}
	for i, g := range groups {
		out[i] = e.placesOf(g, byID)
		for _, p := range out[i].Partitions {
			if log := e.logOf(topics, p.TopicPartition); log != "" && !has(index, log) {
				index[log] = len(logs)
				logs = append(logs, log)
			}
		}
	}
	if len(logs) == 0 {
		return out, nil
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return nil, err
	}
	for i := range out {
		for j := range out[i].Partitions {
			p := &out[i].Partitions[j]
			h := heads[index[e.logOf(topics, p.TopicPartition)]]
			if h == nil {
				continue // deleted meanwhile
			}
			p.End = h.next
			if p.Committed >= 0 {
				p.Lag = max(0, h.next-max(p.Committed, h.start))
			}
		}
	}
	return out, nil
}

func has(m map[string]int, key string) bool { _, ok := m[key]; return ok }

func (e *Engine) logOf(topics []*Topic, tp TopicPartition) string {
	i, ok := slices.BinarySearchFunc(topics, tp.Topic, func(t *Topic, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return ""
	}
	return topics[i].log(tp.Partition)
}

// placesOf reads from a group's item where it is. Topics that are deleted are left out.
func (e *Engine) placesOf(g *groupState, byID map[int64]*Topic) GroupLag {
	out := GroupLag{Name: g.name, Generation: g.generation}
	if at := g.usedAt(); at > 0 {
		out.UsedAt = time.UnixMilli(at)
	}
	owners := map[string]string{}
	for _, m := range g.live(e.nowMs()) {
		out.Instances = append(out.Instances, m.Name)
		for _, p := range m.partitions(g.cluster) {
			owners[p.name] = m.Name
		}
	}
	seen := map[string]bool{}
	add := func(name string) {
		id, number, _ := strings.Cut(name, ".")
		topicID, err := strconv.ParseInt(id, 36, 64)
		partition, err2 := strconv.Atoi(number)
		t := byID[topicID]
		if err != nil || err2 != nil || t == nil || partition >= t.Partitions || seen[name] {
			return
		}
		seen[name] = true
		p := PartitionLag{
			TopicPartition: TopicPartition{t.Name, partition}, Instance: owners[name],
			Committed: g.committed(name), Position: noPosition, Lag: -1,
		}
		if g.attrs.Has(attrPosition + name) {
			p.Position = g.position(name).offset
		}
		out.Partitions = append(out.Partitions, p)
	}
	for name := range owners {
		add(name)
	}
	for _, a := range g.attrs {
		if name, ok := strings.CutPrefix(a.Name, attrCommitted); ok && strings.Contains(name, ".") {
			add(name)
		} else if name, ok := strings.CutPrefix(a.Name, attrPosition); ok && strings.Contains(name, ".") {
			add(name)
		}
	}
	slices.SortFunc(out.Partitions, func(a, b PartitionLag) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out
}
