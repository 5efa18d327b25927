package kafka

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
)

// GroupLag is a group with what it has read and what it has not.
type GroupLag struct {
	Name       string
	Generation int64          // number of rebalances
	UsedAt     time.Time      // of its last request; zero: never
	Instances  []string       // and members of Kafka's own protocol, as Instance names them
	Partitions []PartitionLag // with a committed offset, a position or an instance, by topic and number
}

// PartitionLag is how far a group is in a partition.
type PartitionLag struct {
	TopicPartition
	Instance  string // to which it is assigned; "": to none
	Committed int64  // -1: nothing is committed
	Position  int64  // what its instance reads next; -1: there is none
	Start     int64  // the oldest offset that there is
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

// Unread is how many messages a partition holds that the group has not committed. Where nothing is committed those are all that there
// are, which a consumer that begins at the beginning will read.
func (p PartitionLag) Unread() int64 {
	if p.Lag >= 0 {
		return p.Lag
	}
	return max(0, p.End-p.Start)
}

// Unread is the sum of the partitions'.
func (g GroupLag) Unread() (n int64) {
	for _, p := range g.Partitions {
		n += p.Unread()
	}
	return n
}

// Lags lists a cluster's groups, those without instances too, by name.
func (e *Engine) Lags(ctx context.Context, c *Cluster) ([]GroupLag, error) {
	all, err := e.groups(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	return e.lags(ctx, c, all)
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
	list, err := e.lags(ctx, c, []*groupItem{g})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func (e *Engine) lags(ctx context.Context, c *Cluster, all []*groupItem) ([]GroupLag, error) {
	topics, err := e.Topics(ctx, c)
	if err != nil {
		return nil, err
	}
	byID := map[int64]*Topic{}
	for _, t := range topics {
		byID[t.id] = t
	}
	out := make([]GroupLag, len(all))
	var logs []string
	index := map[string]int{}
	for i, g := range all {
		blocks, _, err := e.loadBlocks(ctx, g)
		if err != nil {
			return nil, err
		}
		out[i] = e.placesOf(g, blocks, byID)
		if len(out[i].Instances) == 0 {
			consumers, err := e.consumers(ctx, g)
			if err != nil {
				return nil, err
			}
			out[i].take(consumers, topics)
		}
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
			p.Start, p.End = h.start, h.next
			if p.Committed >= 0 {
				p.Lag = max(0, h.next-max(p.Committed, h.start))
			}
		}
	}
	return out, nil
}

// take adds members of Kafka's own protocol, with what they have of topics that there are.
func (g *GroupLag) take(consumers []Instance, topics []*Topic) {
	for _, c := range consumers {
		g.Instances = append(g.Instances, c.Name)
		for _, tp := range c.Partitions {
			i := slices.IndexFunc(g.Partitions, func(p PartitionLag) bool { return p.TopicPartition == tp })
			if i < 0 {
				known := slices.ContainsFunc(topics, func(t *Topic) bool { return t.Name == tp.Topic && tp.Partition >= 0 && tp.Partition < t.Partitions })
				if !known {
					continue
				}
				i = len(g.Partitions)
				g.Partitions = append(g.Partitions, PartitionLag{TopicPartition: tp, Committed: groups.None, Position: groups.None, Lag: -1})
			}
			g.Partitions[i].Instance = c.Name
		}
	}
	g.sort()
}

func (g *GroupLag) sort() {
	slices.SortFunc(g.Partitions, func(a, b PartitionLag) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

func has(m map[string]int, key string) bool { _, ok := m[key]; return ok }

func (e *Engine) logOf(topics []*Topic, tp TopicPartition) string {
	i, ok := slices.BinarySearchFunc(topics, tp.Topic, func(t *Topic, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return ""
	}
	return topics[i].log(tp.Partition)
}

// placesOf finds where a group is. Topics that are deleted are left out.
func (e *Engine) placesOf(g *groupItem, blocks map[groups.BlockKey]*groups.Block, byID map[int64]*Topic) GroupLag {
	out := GroupLag{Name: g.name, Generation: g.generation()}
	if at := g.usedAt(); at > 0 {
		out.UsedAt = time.UnixMilli(at)
	}
	type part struct {
		topic     int64
		partition int
	}
	places := map[part]*PartitionLag{}
	add := func(topic int64, partition int) *PartitionLag {
		at := part{topic, partition}
		if t := byID[topic]; places[at] == nil && t != nil && partition < t.Partitions {
			places[at] = &PartitionLag{TopicPartition: TopicPartition{t.Name, partition}, Committed: groups.None, Position: groups.None, Lag: -1}
		}
		return places[at]
	}
	now := e.nowMs()
	for _, s := range g.seats {
		if s.Member == nil {
			continue
		}
		expired := s.Member.Expired(now)
		if !expired {
			out.Instances = append(out.Instances, s.Name)
		}
		for _, r := range s.Member.Runs {
			for i, at := range r.Places {
				if p := add(r.ID, r.First+i); p != nil {
					p.Position = at.Position
					if !expired {
						p.Instance = s.Name
					}
				}
			}
		}
	}
	for key, b := range blocks {
		for partition, o := range b.Offsets {
			if p := add(key.Topic, partition); p != nil {
				p.Committed = o.Committed
			}
		}
	}
	for _, p := range places {
		if p != nil && (p.Committed != groups.None || p.Position != groups.None || p.Instance != "") {
			out.Partitions = append(out.Partitions, *p)
		}
	}
	out.sort()
	return out
}
