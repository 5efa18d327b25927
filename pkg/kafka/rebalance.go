package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// rangeOf is what the i-th of n instances gets of a topic's partitions: Kafka's
// default, range assignment. The first ones get one more if it does not come out even.
func rangeOf(partitions, i, n int) (from, to int) {
	each, more := partitions/n, partitions%n
	from = i*each + min(i, more)
	to = from + each
	if i < more {
		to++
	}
	return from, to
}

// assign gives the partitions of topics to the instances that want them. Members
// are sorted by name; topics that are not there are of nobody.
func assign(members []member, topics map[string]*Topic) {
	wanted := map[string][]int{}
	for i := range members {
		members[i].Assigned = map[string]assigned{}
		for _, t := range members[i].Topics {
			wanted[t] = append(wanted[t], i)
		}
	}
	for name, who := range wanted {
		t := topics[name]
		if t == nil {
			continue
		}
		for n, i := range who {
			from, to := rangeOf(t.Partitions, n, len(who))
			members[i].Assigned[name] = assigned{t.id, from, to, t.Partitions}
		}
	}
}

// topicsOf reads the topics that members want; those that are gone are left out.
func (e *Engine) topicsOf(ctx context.Context, c *Cluster, members []member) (map[string]*Topic, error) {
	topics := map[string]*Topic{}
	for _, m := range members {
		for _, name := range m.Topics {
			if _, ok := topics[name]; ok {
				continue
			}
			t, err := e.Topic(ctx, c, name)
			if IsKind(err, NotFound) {
				topics[name] = nil
				continue
			}
			if err != nil {
				return nil, err
			}
			topics[name] = t
		}
	}
	return topics, nil
}

// balanced reports whether the assignment is still what it should be. The instance there, if any,
// counts as not expired.
func (g *groupState) balanced(topics map[string]*Topic, now int64, there string) bool {
	for _, m := range g.members {
		if m.Name != there && g.expired(&m, now) {
			return false
		}
		for _, name := range m.Topics {
			a, ok := m.Assigned[name]
			t := topics[name]
			if ok != (t != nil) || ok && (a.Topic != t.id || a.Of != t.Partitions) {
				return false
			}
		}
	}
	return true
}

// owned is a partition of an instance.
type owned struct {
	TopicPartition
	name string // in the group's item
	log  string
}

// partitions are those that an instance has.
func (m *member) partitions(cluster string) (out []owned) {
	for _, topic := range m.Topics {
		a, ok := m.Assigned[topic]
		if !ok {
			continue
		}
		t := Topic{cluster: cluster, id: a.Topic}
		for p := a.From; p < a.To; p++ {
			out = append(out, owned{TopicPartition{topic, p}, a.name(p), t.log(p)})
		}
	}
	return out
}

// rebalance carries out requests: it writes the group with the members that they ask for, without
// whoever has expired. It does not write a group that is right as it is. Requests that are refused
// stay without effect; refused says why, by instance. errRetry: somebody else was faster.
func (e *Engine) rebalance(ctx context.Context, c *Cluster, g *groupState, requests map[string]request) (refused map[string]string, err error) {
	requests = maps.Clone(requests)
	refused = map[string]string{}
	if err := e.admit(ctx, c, g, requests, refused); err != nil {
		return nil, err
	}
	for {
		members, changed := g.membersAfter(requests, e.nowMs())
		topics, err := e.topicsOf(ctx, c, members)
		if err != nil {
			return nil, err
		}
		if !changed && g.balanced(topics, e.nowMs(), "") {
			return refused, nil
		}
		assign(members, topics)
		next, fresh := g.carryOver(members, requests, e.nowMs())
		without, err := e.startPositions(ctx, g, topics, members, fresh, next, requests)
		if err != nil {
			return nil, err
		}
		g.rememberTopics(topics, next)
		if len(without) == 0 {
			return refused, e.writeGroup(ctx, g, members, next)
		}
		for name, text := range without {
			refused[name] = text
			delete(requests, name)
		}
	}
}

// membersAfter are the live members once the requests are carried out, sorted by name. It reports
// whether they are others, or want other topics, than before.
func (g *groupState) membersAfter(requests map[string]request, now int64) (members []member, changed bool) {
	members = slices.Clone(g.live(now))
	id := 0
	for _, m := range g.members {
		id = max(id, m.ID+1)
	}
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		r := requests[name]
		i := slices.IndexFunc(members, func(m member) bool { return m.Name == name })
		switch {
		case r.member == nil && i >= 0:
			members, changed = slices.Delete(members, i, i+1), true
		case r.member == nil:
		case i >= 0:
			changed = changed || !slices.Equal(members[i].Topics, r.member.Topics)
			members[i].Topics = r.member.Topics
		default:
			m := *r.member
			m.ID, m.Name = id, name
			id++
			members, changed = append(members, m), true
		}
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.Name, b.Name) })
	return members, changed
}

// carryOver is what the group's item keeps when it gets other members: committed offsets, and
// positions that stay with their instance. Where an instance that commits automatically loses a
// partition, the position is committed: of one that leaves the last one, else the confirmed one,
// because nobody knows whether the last answer has arrived. fresh are the partitions whose
// positions are still to be set.
func (g *groupState) carryOver(members []member, requests map[string]request, now int64) (next map[string]store.Value, fresh []owned) {
	next = map[string]store.Value{}
	for _, a := range g.attrs {
		if strings.HasPrefix(a.Name, attrCommitted) {
			next[a.Name] = a.Value
		}
	}
	stays := map[string]int{} // partition: instance that had it and is still there
	for _, m := range g.members {
		kept := slices.ContainsFunc(members, func(n member) bool { return n.ID == m.ID })
		if v := g.attrs.Get(attrLost + strconv.Itoa(m.ID)); kept && !v.IsZero() {
			next[attrLost+strconv.Itoa(m.ID)] = v
		}
		r, asks := requests[m.Name]
		leaves := asks && r.member == nil && !g.expired(&m, now)
		for _, p := range m.partitions(g.cluster) {
			if kept {
				stays[p.name] = m.ID
			}
			at := g.confirmed(p.name)
			if leaves {
				at = g.position(p.name).offset
			}
			if kept && g.confirmed(p.name) < g.position(p.name).offset && !keeps(members, m.ID, p) {
				name := attrLost + strconv.Itoa(m.ID)
				had := next[name].Elems()
				next[name] = store.List(append(slices.Clip(had), fmt.Sprintf("%s/%d", p.Topic, p.Partition)))
			}
			if m.Auto && at != noPosition && !keeps(members, m.ID, p) {
				next[attrCommitted+p.name] = store.Int(max(at, g.committed(p.name)))
			}
		}
	}
	for i := range members {
		m := &members[i]
		id := strconv.Itoa(m.ID)
		for _, attr := range []string{attrSeen, attrCommitTime, attrAnswer, attrPoll} {
			if v := g.attrs.Get(attr + id); !v.IsZero() {
				next[attr+id] = v
			}
		}
		if _, asks := requests[m.Name]; asks {
			next[attrSeen+id] = store.Int(now)
			if _, ok := next[attrCommitTime+id]; !ok {
				next[attrCommitTime+id] = store.Int(now)
			}
		}
		for _, p := range m.partitions(g.cluster) {
			if had, ok := stays[p.name]; !ok || had != m.ID {
				fresh = append(fresh, p)
				continue
			}
			for _, attr := range []string{attrPosition, attrSegment, attrConfirmed} {
				if v := g.attrs.Get(attr + p.name); !v.IsZero() {
					next[attr+p.name] = v
				}
			}
		}
	}
	return next, fresh
}

// spareInstances is by how many instances may be more than partitions: one that takes the place of
// a crashed one comes before the session of that has ended.
const spareInstances = 100

// admit refuses instances too many.
func (e *Engine) admit(ctx context.Context, c *Cluster, g *groupState, requests map[string]request, refused map[string]string) error {
	now := e.nowMs()
	live := map[string]bool{}
	for _, m := range g.live(now) {
		live[m.Name] = true
	}
	var joining []string
	for name, r := range requests {
		if r.member != nil && !live[name] {
			joining = append(joining, name)
		} else if r.member == nil {
			delete(live, name)
		}
	}
	if len(joining) == 0 {
		return nil
	}
	record, err := e.store.Get(ctx, clusterKey(c.ID))
	if err != nil {
		return fmt.Errorf("counting partitions: %w", err)
	}
	most := spareInstances + int(record.Get(clusterPartitions).Num())
	others, exact, err := e.otherInstances(ctx, c.ID, g.name)
	if err != nil {
		return err
	}
	if !exact && len(live)+others+len(joining) > most {
		if others, err = e.countOtherInstances(ctx, c.ID, g.name); err != nil {
			return err
		}
	}
	slices.Sort(joining)
	for _, name := range joining[min(len(joining), max(0, most-len(live)-others)):] {
		refused[name] = fmt.Sprintf("the cluster can have %d instances of groups, %d more than partitions", most, spareInstances)
		delete(requests, name)
	}
	return nil
}

// otherInstances counts the instances of all groups but one by the list of groups, without reading the
// groups. The number may be too high, but for what others do at the same time; exact says that there
// are none, which is never too high.
func (e *Engine) otherInstances(ctx context.Context, cluster, group string) (n int, exact bool, err error) {
	items, err := e.queryAll(ctx, store.Query{Partition: clusterPartition(cluster), From: "g", To: "h"})
	if err != nil {
		return 0, false, fmt.Errorf("counting instances: %w", err)
	}
	for _, it := range items {
		if it.Key.Sort[1:] == group {
			continue
		}
		if !it.Attrs.Has(indexInstances) { // listed before there were counts
			n, err = e.countOtherInstances(ctx, cluster, group)
			return n, true, err
		}
		n += int(it.Attrs.Get(indexInstances).Num())
	}
	return n, n == 0, nil
}

// countOtherInstances counts the instances of all groups but one that have not expired.
func (e *Engine) countOtherInstances(ctx context.Context, cluster, group string) (n int, err error) {
	groups, err := e.groups(ctx, cluster)
	if err != nil {
		return 0, err
	}
	for _, other := range groups {
		if other.name != group {
			n += len(other.live(e.nowMs()))
		}
	}
	return n, nil
}

// keeps reports whether the instance with that id still has a partition.
func keeps(members []member, id int, p owned) bool {
	for _, m := range members {
		if a, ok := m.Assigned[p.Topic]; ok && m.ID == id && p.name == a.name(p.Partition) && a.From <= p.Partition && p.Partition < a.To {
			return true
		}
	}
	return false
}

// startPositions sets where instances begin with partitions that are new to them. without are
// instances that ask and have nowhere to begin, with the reason.
func (e *Engine) startPositions(ctx context.Context, g *groupState, topics map[string]*Topic, members []member, fresh []owned, next map[string]store.Value, requests map[string]request) (without map[string]string, err error) {
	if len(fresh) == 0 {
		return nil, nil
	}
	logs := make([]string, len(fresh))
	for i, p := range fresh {
		logs[i] = p.log
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return nil, err
	}
	without = map[string]string{}
	for i, p := range fresh {
		h := heads[i]
		if h == nil {
			return nil, errRetry // the topic was deleted a moment ago
		}
		at, segment := int64(noPosition), int64(unknownSegment)
		owner := members[slices.IndexFunc(members, func(m member) bool { return keeps([]member{m}, m.ID, p) })]
		committed, ok := next[attrCommitted+p.name]
		switch {
		case ok && committed.Num() >= h.start && committed.Num() <= h.next:
			at = committed.Num()
		case owner.Reset == ResetEarliest, owner.Reset == ResetLatest && g.isNew(topics[p.Topic], p.Partition):
			at, segment = h.start, h.start
		case owner.Reset == ResetLatest:
			at = h.next
		default:
			if _, asks := requests[owner.Name]; asks {
				without[owner.Name] = noOffset(p.TopicPartition).Error()
			}
		}
		next[attrPosition+p.name] = store.Int(at)
		if segment != at {
			next[attrSegment+p.name] = store.Int(segment)
		}
	}
	return without, nil
}

func noOffset(tp TopicPartition) error {
	return refuse(Invalid, "no committed offset for %s/%d, and the group wants no other start", tp.Topic, tp.Partition)
}

func (e *Engine) writeGroup(ctx context.Context, g *groupState, members []member, next map[string]store.Value) error {
	text, err := encodeMembers(members)
	if err != nil {
		return err
	}
	id := writeID()
	next[attrVersion] = store.Bytes(id)
	next[attrGeneration] = store.Int(g.generation + 1)
	next[attrRebalanced] = store.Int(e.nowMs())
	next[attrMembers] = store.Bytes(text)
	var attrs []store.Attr
	for _, name := range slices.Sorted(maps.Keys(next)) {
		attrs = append(attrs, store.Attr{Name: name, Value: next[name]})
	}
	count := store.Set(indexInstances, store.Int(int64(len(members))))
	if g.attrs != nil {
		if _, err := e.store.Apply(ctx, store.Update(groupIndexKey(g.cluster, g.name), nil, count)); err != nil && !errors.Is(err, store.ErrUnknownOutcome) {
			return fmt.Errorf("counting the instances of group %s: %w", g.name, err)
		}
	}
	ops := []store.Op{store.Put(groupKey(g.cluster, g.name), store.NewAttrs(attrs...), g.unchanged())}
	if g.attrs == nil { // together: Reclaim deletes a name without a group
		ops = append(ops, store.Update(groupIndexKey(g.cluster, g.name), nil, count))
	}
	err = e.store.Commit(ctx, ops)
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, store.ErrConflict) {
		return errRetry // if it has been written, it need not be again
	}
	if err != nil {
		return fmt.Errorf("writing group %s: %w", g.name, err)
	}
	e.notifier.notify(groupKey(g.cluster, g.name).Partition)
	return nil
}
