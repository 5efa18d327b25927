package kafka

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// A group of the consumer protocol (KIP-848) is in its group's item, as one attribute, so that each step is one conditional write,
// by any process. A heartbeat that changes nothing writes nothing: what it goes by may be a second old. Who is alive
// is found out as with classic groups, see room.beat.

// Attributes of a group's item that only groups of the consumer protocol have. groupGeneration is their epoch.
const (
	consumersBody  = "h"  // groups.Consumers.Encode
	consumersEpoch = "he" // its epoch: it counts only while that is the group's generation
)

const (
	maxConsumers      = 500       // members of a group
	maxConsumersBytes = 256 << 10 // of its body
)

// isConsumers reports whether the group is, or was last, one of the consumer protocol.
func isConsumers(as store.Attrs) bool {
	return as.Has(consumersBody) && as.Get(consumersEpoch).Num() == as.Get(groupGeneration).Num()
}

func consumersOf(as store.Attrs) (*groups.Consumers, error) {
	if !isConsumers(as) {
		return &groups.Consumers{Epoch: as.Get(groupGeneration).Num()}, nil
	}
	return groups.DecodeConsumers(as.Get(consumersBody).Str())
}

// listedConsumers is what room.listed is of a group of the consumer protocol: no id of a roster begins so.
func listedConsumers(write store.Value) string { return "consumers\x00" + write.Str() }

// consumerRoster are the members as room.beat and room.alive go by them.
func consumerRoster(as store.Attrs, g *groups.Consumers) (roster []rosterEntry) {
	session := sessionOf(as).Milliseconds()
	for _, m := range g.Members {
		roster = append(roster, rosterEntry{m.ID, m.Instance, session})
	}
	return roster
}

// writeConsumers writes the group's state, on the condition that nobody has written it since it was read. errRetry: somebody
// has.
func (r *room) writeConsumers(ctx context.Context, next *groups.Consumers) error {
	body := next.Encode()
	if len(next.Members) > maxConsumers || len(body) > maxConsumersBytes {
		return groupError(CodeGroupMaxSizeReached, "a group has at most %d members, and %d bytes of what they subscribe to and have", maxConsumers, maxConsumersBytes)
	}
	if n := len(next.Members); n != len(r.consumers.Members) || r.record.attrs == nil {
		if err := r.list(ctx, n); err != nil {
			return err
		}
	}
	write := store.Bytes(writeID())
	edits := append(classicEdits(groups.Classic{Generation: next.Epoch}, write),
		store.Set(consumersBody, store.Bytes(body)), store.Set(consumersEpoch, store.Int(next.Epoch)), store.Set(groupTopics, store.List(next.Reads())))
	was, begun := r.record.attrs, r.e.now()
	edits, err := r.put(ctx, write, edits)
	if err != nil {
		return err
	}
	now, ok := store.ApplyEdits(was, edits)
	if !ok {
		return nil // it is to be read again
	}
	r.record, r.at = &groupItem{cluster: r.cluster, name: r.name, attrs: now}, begun
	r.state, r.consumers = classicOf(now), next
	r.enrol(consumerRoster(now, next), listedConsumers(write))
	r.forget()
	return nil
}

// enrol notes who the members are.
func (r *room) enrol(roster []rosterEntry, listed string) {
	r.shortest, r.longest, r.safe = 0, 0, time.Time{}
	for i, m := range roster {
		session := time.Duration(m.session) * time.Millisecond
		if i == 0 || session < r.shortest {
			r.shortest = session
		}
		r.longest = max(r.longest, session)
		if _, ok := r.heard[m.id]; !ok {
			r.heard[m.id] = r.e.now()
		}
	}
	r.roster, r.listed = roster, listed
}

// lost are members, but one, that have not been heard of for their session, or were to give partitions back by now.
func (r *room) lost(but string) (ids []string) {
	ids = r.consumers.Late(r.e.nowMs())
	for _, m := range r.roster {
		if !r.alive(m.id, m.session) {
			ids = append(ids, m.id)
		}
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == but })
}

// admitConsumers makes sure that the group has no members of another kind.
func (r *room) admitConsumers(ctx context.Context, c *Cluster) error {
	if err := r.load(ctx, 0); err != nil {
		return err
	}
	if r.state.State != groups.Empty {
		if live, err := r.e.hasClassic(ctx, r.record); err != nil {
			return err
		} else if live {
			return groupError(CodeGroupNotFound, "the group has members of the classic protocol")
		}
		if err := r.takeOutAll(ctx); err != nil {
			return err
		}
		if err := r.load(ctx, 0); err != nil {
			return err
		}
	}
	return r.refuseInstances(ctx, c, CodeGroupNotFound)
}

// refuseConsumers makes sure that the group has no members of the consumer protocol.
func (r *room) refuseConsumers(ctx context.Context) error {
	if len(r.consumers.Members) == 0 {
		return nil
	}
	if err := r.load(ctx, 0); err != nil {
		return err
	}
	if err := r.beat(ctx); err != nil {
		return err
	}
	lost := r.lost("")
	if len(lost) < len(r.consumers.Members) {
		return groupError(CodeInconsistentProtocol, "the group has members of the consumer protocol")
	}
	return r.takeOutAll(ctx)
}

// takeOutAll takes all members out, of either protocol of Kafka.
func (r *room) takeOutAll(ctx context.Context) error {
	var ids []string
	if len(r.consumers.Members) > 0 {
		for _, m := range r.consumers.Members {
			ids = append(ids, m.ID)
		}
		next := r.consumers.Clone()
		next.Leave(ids...)
		return r.writeConsumers(ctx, next)
	}
	if err := r.loadMembers(ctx, 0); err != nil {
		return err
	}
	for _, m := range r.members {
		ids = append(ids, m.ID)
	}
	return r.takeOut(ctx, ids)
}

// maxNamed is how many topics are looked up one by one. For more, all are listed.
const maxNamed = 32

// named are those topics of some names that there are.
func (r *room) named(ctx context.Context, c *Cluster, names []string) (map[string]groups.Topic, error) {
	slices.Sort(names)
	names = slices.Compact(names)
	topics := map[string]groups.Topic{}
	if len(names) > maxNamed {
		if err := r.listTopics(ctx, c); err != nil {
			return nil, err
		}
		for _, name := range names {
			if t, ok := r.topics[name]; ok {
				topics[name] = t
			}
		}
		return topics, nil
	}
	for _, name := range names {
		t, err := r.e.Topic(ctx, c, name)
		switch {
		case IsKind(err, NotFound), IsKind(err, Invalid):
		case err != nil:
			return nil, err
		default:
			topics[name] = groups.Topic{ID: t.id, Partitions: t.Partitions}
		}
	}
	return topics, nil
}

// topicsAge is how old a list of topics may be.
const topicsAge = 5 * time.Second

// listTopics lists the topics of the cluster, unless that was done a moment ago.
func (r *room) listTopics(ctx context.Context, c *Cluster) error {
	now := r.e.now()
	if !r.listedAt.IsZero() && now.Sub(r.listedAt) < topicsAge {
		return nil
	}
	all, err := r.e.Topics(ctx, c)
	if err != nil {
		return err
	}
	r.topics, r.listedAt = make(map[string]groups.Topic, len(all)), now
	for _, t := range all {
		r.topics[t.Name] = groups.Topic{ID: t.id, Partitions: t.Partitions}
	}
	return nil
}

// matching are the names of topics that an expression matches as a whole, in order.
func (r *room) matching(ctx context.Context, c *Cluster, expression string, may func(string) bool) (names []string, err error) {
	if expression == "" {
		return nil, nil
	}
	re, err := wholeName(expression)
	if err != nil {
		return nil, err
	}
	if err := r.listTopics(ctx, c); err != nil {
		return nil, err
	}
	for name := range r.topics {
		if re.MatchString(name) && may(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// consumer finds a member of the consumer protocol that commits or reads offsets. Before it refuses one, it looks again.
func (r *room) consumer(ctx context.Context, m MemberRef, holds func(*groups.Consumer) bool) (*groups.Consumer, error) {
	me, err := r.member(m)
	if err == nil && holds(me) {
		return me, nil
	}
	if err := r.load(ctx, 0); err != nil {
		return nil, err
	}
	return r.member(m)
}

func (r *room) member(m MemberRef) (*groups.Consumer, error) {
	me := r.consumers.Find(m.Member)
	switch {
	case me == nil:
		return nil, groupError(CodeUnknownMember, "the group does not know the member")
	case me.Epoch != int64(m.Generation):
		return nil, groupError(CodeStaleMemberEpoch, "the member's epoch is %d", me.Epoch)
	}
	return me, nil
}

// errExpression is the refusal of an expression that topics are to match.
func errExpression(err error) error {
	return groupError(CodeInvalidRegularExpression, "%s", fmt.Sprint(err))
}
