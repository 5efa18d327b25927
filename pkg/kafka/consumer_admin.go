package kafka

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

func consumersState(g *groups.Consumers) string {
	switch {
	case len(g.Members) == 0:
		return StateEmpty
	case slices.ContainsFunc(g.Members, func(m *groups.Consumer) bool { return !g.Settled(m) }):
		return StateReconciling
	}
	return StateStable
}

// names are partitions by the names of topics that the group knows.
func topicNames(g *groups.Consumers, parts groups.Parts) map[string][]int {
	out := map[string][]int{}
	for name, t := range g.Topics {
		if list := parts[t.ID]; len(list) > 0 {
			out[name] = list
		}
	}
	return out
}

// describeConsumers describes the members of a group of the consumer protocol as those of a classic one.
func describeConsumers(g *groupItem) (out []MemberDescription, err error) {
	consumers, err := consumersOf(g.attrs)
	if err != nil {
		return nil, fmt.Errorf("reading group %s: %w", g.name, err)
	}
	for _, m := range consumers.Members {
		names := slices.Sorted(slices.Values(slices.Concat(m.Names, m.Matched)))
		out = append(out, MemberDescription{
			Member: m.ID, Instance: m.Instance, ClientID: m.ClientID, ClientHost: m.ClientHost,
			Metadata: subscription(slices.Compact(names)), Assignment: assignment(topicNames(consumers, m.Owned)),
		})
	}
	return out, nil
}

// ConsumersDescription is a group of the consumer protocol.
type ConsumersDescription struct {
	State    string
	Epoch    int32
	Assignor string
	Members  []ConsumerDescription
}

// ConsumerDescription is a member of one. Partitions are by the names of topics.
type ConsumerDescription struct {
	Member, Instance, Rack, ClientID, ClientHost string
	Epoch                                        int32
	Topics                                       []string // that it names
	Regex                                        string
	Assigned, Target                             map[string][]int
}

// DescribeConsumers describes a group of the consumer protocol: CodeGroupNotFound if it is not one. Numbers are those of the topics that are
// named in it.
func (e *Engine) DescribeConsumers(ctx context.Context, c *Cluster, name string) (d ConsumersDescription, numbers map[string]int64, err error) {
	if checkName("group", name) != nil {
		return d, nil, groupError(CodeInvalidGroupID, "illegal group id")
	}
	g, err := e.loadRecord(ctx, c.ID, name)
	if err != nil {
		return d, nil, err
	}
	if !isConsumers(g.attrs) {
		return d, nil, groupError(CodeGroupNotFound, "group %s is not of the consumer protocol", name)
	}
	consumers, err := consumersOf(g.attrs)
	if err != nil {
		return d, nil, fmt.Errorf("reading group %s: %w", name, err)
	}
	d = ConsumersDescription{State: consumersState(consumers), Epoch: int32(consumers.Epoch), Assignor: consumers.Assignor}
	for _, m := range consumers.Members {
		d.Members = append(d.Members, ConsumerDescription{
			Member: m.ID, Instance: m.Instance, Rack: m.Rack, ClientID: m.ClientID, ClientHost: m.ClientHost, Epoch: int32(m.Epoch),
			Topics: m.Names, Regex: m.Regex, Assigned: topicNames(consumers, m.Owned), Target: topicNames(consumers, m.Target),
		})
	}
	numbers = map[string]int64{}
	for name, t := range consumers.Topics {
		numbers[name] = t.ID
	}
	return d, numbers, nil
}

// GroupSettings are settings of a group, as Kafka has them of groups of the consumer protocol.
type GroupSettings struct {
	Session  time.Duration // after which a member that is not heard of is taken for dead
	Interval time.Duration // between heartbeats
}

// Bounds of GroupSettings. A member's session is told from one process to the others, so three intervals go into it.
const (
	MaxConsumerInterval  = time.Minute
	consumerSessionBeats = 3
)

// GroupSettings reads a group's settings. There need not be such a group.
func (e *Engine) GroupSettings(ctx context.Context, c *Cluster, group string) (s GroupSettings, err error) {
	if err := checkName("group", group); err != nil {
		return s, err
	}
	g, err := e.loadRecord(ctx, c.ID, group)
	if err != nil {
		return s, err
	}
	return GroupSettings{sessionOf(g.attrs), intervalOf(g.attrs)}, nil
}

// SetGroupSettings changes a group's settings; of which the durations are 0, those are Kafka's defaults. A group that there is not is
// made. The error is of kind Invalid if a duration is out of bounds.
func (e *Engine) SetGroupSettings(ctx context.Context, c *Cluster, group string, s GroupSettings) error {
	if err := checkName("group", group); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	return e.retry.Do(ctx, func(ctx context.Context) error {
		room, leave, err := e.room(ctx, c.ID, group)
		if err != nil {
			return err
		}
		defer leave()
		if err := room.load(ctx, 0); err != nil {
			return err
		}
		if room.record.attrs == nil {
			if err := room.list(ctx, 0); err != nil {
				return err
			}
			if err := room.write(ctx, groups.Classic{}); err != nil {
				return err
			}
			if err := room.load(ctx, 0); err != nil {
				return err
			}
		}
		update := store.Update(groupKey(c.ID, group), store.Same(groupIncarnation, room.record.attrs.Get(groupIncarnation)),
			setting(groupSession, s.Session), setting(groupInterval, s.Interval), store.Set(classicWrite, store.Bytes(writeID()))) // others look anew
		err = e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, update); return err })
		room.at = time.Time{}
		if _, ok := unmet(err); ok {
			return errRetry
		}
		return err
	})
}

// Check says what is out of bounds: an error of kind Invalid.
func (s GroupSettings) Check() error {
	session, interval := s.Session, s.Interval
	if session == 0 {
		session = DefaultConsumerSession
	}
	if interval == 0 {
		interval = DefaultConsumerInterval
	}
	switch {
	case session < minClassicSession || session > maxClassicSession:
		return refuse(Invalid, "a session must be %v to %v", minClassicSession, maxClassicSession)
	case interval < time.Second || interval > MaxConsumerInterval:
		return refuse(Invalid, "an interval of heartbeats must be %v to %v", time.Second, MaxConsumerInterval)
	case session < consumerSessionBeats*interval:
		return refuse(Invalid, "a session must be as long as %d intervals of heartbeats", consumerSessionBeats)
	}
	return nil
}

func setting(name string, d time.Duration) store.Edit {
	if d == 0 {
		return store.Remove(name)
	}
	return store.Set(name, store.Int(d.Milliseconds()))
}
