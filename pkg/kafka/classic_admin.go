package kafka

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// States of groups, as DescribeGroups and ListGroups name them.
const (
	StateEmpty      = "Empty"
	StatePreparing  = "PreparingRebalance"
	StateCompleting = "CompletingRebalance"
	StateStable     = "Stable"
	StateDead       = "Dead" // there is no such group

	StateReconciling = "Reconciling" // of the consumer protocol: some members have yet to come to what they are to have
)

func stateName(s groups.ClassicState) string {
	switch s {
	case groups.Preparing:
		return StatePreparing
	case groups.Completing:
		return StateCompleting
	case groups.Stable:
		return StateStable
	}
	return StateEmpty
}

// rangeProtocol is the protocol of groups of the REST API.
const rangeProtocol = "range"

// DescribeGroups describes groups, one for each name, in order.
func (e *Engine) DescribeGroups(ctx context.Context, c *Cluster, names []string) ([]GroupDescription, error) {
	out := make([]GroupDescription, len(names))
	for i, name := range names {
		g, err := e.loadGroup(ctx, c.ID, name)
		if err != nil {
			return nil, err
		}
		if out[i], err = e.description(g); err != nil {
			return nil, err
		}
		if live := g.live(e.nowMs()); len(live) > 0 {
			for _, m := range live {
				out[i].Members = append(out[i].Members, MemberDescription{
					Member: m.Name, ClientID: m.Name, Metadata: subscriptionOf(m), Assignment: assignmentOf(m),
				})
			}
			continue
		}
		if out[i].Members, err = e.describeMembers(ctx, g); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// description is a group without its members.
func (e *Engine) description(g *groupItem) (GroupDescription, error) {
	d := GroupDescription{Name: g.name, State: StateDead}
	if g.attrs == nil {
		return d, nil
	}
	state := classicOf(g.attrs)
	d.State, d.ProtocolType, d.Protocol = stateName(state.State), state.ProtocolType, state.Protocol
	if len(g.live(e.nowMs())) > 0 {
		d.State, d.ProtocolType, d.Protocol = StateStable, consumerType, rangeProtocol
		return d, nil
	}
	if isConsumers(g.attrs) {
		consumers, err := consumersOf(g.attrs)
		if err != nil {
			return d, fmt.Errorf("reading group %s: %w", g.name, err)
		}
		d.Consumers, d.State, d.ProtocolType, d.Protocol = true, consumersState(consumers), consumerType, consumers.Assignor
	}
	return d, nil
}

// describeMembers describes the members of a group of Kafka's own protocols.
func (e *Engine) describeMembers(ctx context.Context, g *groupItem) (out []MemberDescription, err error) {
	state := classicOf(g.attrs)
	if isConsumers(g.attrs) {
		return describeConsumers(g)
	}
	if state.State == groups.Empty {
		return nil, nil
	}
	items, err := e.queryAll(ctx, store.Query{Partition: groupPartition(g.cluster, g.name), From: kindClassic, To: store.PrefixEnd(kindClassic)})
	if err != nil {
		return nil, fmt.Errorf("reading the members of group %s: %w", g.name, err)
	}
	keys := make([]store.Key, len(items))
	for i, it := range items {
		m, err := groups.DecodeClassicMember(it.Attrs.Get(classicBody).Str())
		if err != nil {
			return nil, fmt.Errorf("reading the members of group %s: %w", g.name, err)
		}
		id := it.Key.Sort[len(kindClassic):]
		keys[i] = assignmentKey(g.cluster, g.name, state.Generation, id)
		out = append(out, MemberDescription{
			Member: id, Instance: m.Instance, ClientID: m.ClientID, ClientHost: m.ClientHost, Metadata: []byte(m.Metadata(state.Protocol)),
		})
	}
	if state.State != groups.Stable || len(keys) == 0 {
		return out, nil
	}
	parts, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading what the members of group %s have: %w", g.name, err)
	}
	for i, part := range parts {
		out[i].Assignment = []byte(part.Get(classicBody).Str())
	}
	return out, nil
}

// consumers are the members of a group whose clients assign the partitions, as instances are listed. A static member
// has the name of its instance.
func (e *Engine) consumers(ctx context.Context, g *groupItem) (out []Instance, err error) {
	members, err := e.describeMembers(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		inst := Instance{Name: cmp.Or(m.Instance, m.Member), Topics: slices.Sorted(slices.Values(groups.Subscription(string(m.Metadata))))}
		assigned := groups.Assigned(string(m.Assignment))
		for _, topic := range slices.Sorted(maps.Keys(assigned)) {
			for _, p := range slices.Sorted(slices.Values(assigned[topic])) {
				inst.Partitions = append(inst.Partitions, TopicPartition{topic, p})
			}
		}
		out = append(out, inst)
	}
	return out, nil
}

// ListGroups lists all groups of the cluster, without their members.
func (e *Engine) ListGroups(ctx context.Context, c *Cluster) (out []GroupDescription, err error) {
	all, err := e.groups(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		d, err := e.description(g)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// RemoveGroup is Kafka's DeleteGroups of one group: CodeGroupNotFound, CodeNonEmptyGroup.
func (e *Engine) RemoveGroup(ctx context.Context, c *Cluster, name string) error {
	if checkName("group", name) != nil {
		return groupError(CodeInvalidGroupID, "illegal group id")
	}
	err := e.DeleteGroup(ctx, c, name)
	switch {
	case IsKind(err, NotFound):
		return groupError(CodeGroupNotFound, "no group %q", name)
	case IsKind(err, Invalid):
		return groupError(CodeNonEmptyGroup, "%s", err)
	}
	return err
}

// subscriptionOf is what a consumer with the instance's topics says to a leader.
func subscriptionOf(m *groups.Member) []byte { return subscription(m.Topics) }

// subscription is Kafka's ConsumerProtocolSubscription, version 0.
func subscription(topics []string) []byte {
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics)))
	for _, t := range topics {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(t))), t...)
	}
	return binary.BigEndian.AppendUint32(b, 0xffffffff) // no user data
}

// assignmentOf is what a leader gives a consumer that is to have what an instance has.
func assignmentOf(m *groups.Member) []byte {
	parts := map[string][]int{}
	for _, r := range m.Runs {
		for i := range r.Places {
			parts[r.Topic] = append(parts[r.Topic], r.First+i)
		}
	}
	return assignment(parts)
}

// assignment is Kafka's ConsumerProtocolAssignment, version 0.
func assignment(parts map[string][]int) []byte {
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(parts)))
	for _, topic := range slices.Sorted(maps.Keys(parts)) {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(topic))), topic...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(parts[topic])))
		for _, p := range parts[topic] {
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		}
	}
	return binary.BigEndian.AppendUint32(b, 0xffffffff) // no user data
}
