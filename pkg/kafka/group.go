package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a group's item. Those that end in a number or a partition are one
// for each instance, or partition; a partition is the topic's id in base 36, a
// dot and its number.
const (
	attrVersion    = "v" // id of the last write
	attrGeneration = "g" // grows with each rebalance
	attrMembers    = "m" // []member, see encodeMembers
	attrSeen       = "l" // instance: last request, Unix ms
	attrCommitTime = "t" // instance: last automatic commit, Unix ms
	attrAnswer     = "u" // instance: id of the write that gave out its last messages
	attrPoll       = "w" // instance: id of the call of Consume that may give out messages
	attrLost       = "y" // instance: partitions taken from it that its last answer had messages of
	attrPosition   = "o" // partition: offset to give out next; negative: there is none
	attrSegment    = "h" // partition: the segment that holds it, if it does not begin there
	attrConfirmed  = "k" // partition: position before the last answer, if the instance has not called since
	attrCommitted  = "c" // partition
	attrKnown      = "n" // topic's name: its id and partitions when the group was assigned it last, see known
	attrRebalanced = "r" // Unix ms: the time of the last rebalance, also of one that left no instance
)

// noPosition is the position of a partition whose group wanted to begin nowhere.
const noPosition = -1

// Reset says where a group begins to read a partition without a committed offset.
type Reset string

const (
	ResetEarliest Reset = "earliest"
	ResetLatest   Reset = "latest"
	ResetNone     Reset = "none" // not at all: that is an error
)

// Bounds of an instance's session timeout. Below them an instance would expire while its own call is served.
const (
	MinSessionTimeout = time.Second
	MaxSessionTimeout = 30 * time.Minute
)

// InstanceOptions are settings of an instance, which hold from its first request on.
type InstanceOptions struct {
	AutoCommit         bool
	AutoCommitInterval time.Duration
	Reset              Reset
	SessionTimeout     time.Duration
}

// member is an instance as the group's item has it.
type member struct {
	ID       int                 `json:"i"` // of its attributes; not used again while others are there
	Name     string              `json:"n"`
	Topics   []string            `json:"t"` // sorted
	Auto     bool                `json:"a,omitempty"`
	Interval int64               `json:"c"` // ms
	Reset    Reset               `json:"r"`
	Timeout  int64               `json:"s"` // ms
	Assigned map[string]assigned `json:"p"` // by topic
}

// assigned is a run of partitions of a topic.
type assigned struct {
	Topic int64 `json:"i"` // id
	From  int   `json:"f"`
	To    int   `json:"t"` // exclusive
	Of    int   `json:"o"` // partitions that the topic had
}

func (a assigned) name(partition int) string {
	return strconv.FormatInt(a.Topic, 36) + "." + strconv.Itoa(partition)
}

// groupState is a group's item as it was read.
type groupState struct {
	cluster, name string
	attrs         store.Attrs // nil: there is no such group
	generation    int64
	members       []member // sorted by name
}

func groupKey(cluster, name string) store.Key {
	return store.Key{Partition: "g" + cluster + "/" + name, Sort: "g"}
}

func groupIndexKey(cluster, name string) store.Key {
	return store.Key{Partition: clusterPartition(cluster), Sort: "g" + name}
}

// maxName bounds names of groups and instances, in bytes.
const maxName = 255

func checkName(what, name string) error {
	if name == "" || len(name) > maxName {
		return refuse(Invalid, "illegal %s name: 1 to %d bytes", what, maxName)
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return refuse(Invalid, "illegal %s name: it has control characters or is not UTF-8", what)
		}
	}
	return nil
}

func (e *Engine) loadGroup(ctx context.Context, cluster, name string) (*groupState, error) {
	attrs, err := e.store.Get(ctx, groupKey(cluster, name))
	if err != nil {
		return nil, fmt.Errorf("reading group %s: %w", name, err)
	}
	return groupOf(cluster, name, attrs)
}

func groupOf(cluster, name string, attrs store.Attrs) (*groupState, error) {
	g := &groupState{cluster: cluster, name: name, attrs: attrs, generation: attrs.Get(attrGeneration).Num()}
	var err error
	if g.members, err = decodeMembers(attrs.Get(attrMembers).Str()); err != nil {
		return nil, fmt.Errorf("reading group %s: %w", name, err)
	}
	return g, nil
}

func (g *groupState) number(attr string, id int) int64 {
	return g.attrs.Get(attr + strconv.Itoa(id)).Num()
}

// member finds an instance, nil if there is none. It may have expired.
func (g *groupState) member(name string) *member {
	i := slices.IndexFunc(g.members, func(m member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return &g.members[i]
}

func (g *groupState) expired(m *member, now int64) bool {
	return now-g.number(attrSeen, m.ID) > m.Timeout
}

// live are the instances that have not expired.
func (g *groupState) live(now int64) []member {
	var live []member
	for _, m := range g.members {
		if !g.expired(&m, now) {
			live = append(live, m)
		}
	}
	return live
}

// usedAt is when an instance was heard of last, or joined or left, Unix ms; 0: not known.
func (g *groupState) usedAt() (at int64) {
	at = g.attrs.Get(attrRebalanced).Num()
	for _, a := range g.attrs {
		if strings.HasPrefix(a.Name, attrSeen) {
			at = max(at, a.Value.Num())
		}
	}
	return at
}

// position is the place of a partition that an instance has.
func (g *groupState) position(partition string) cursor {
	at := cursor{g.attrs.Get(attrPosition + partition).Num(), 0}
	at.segment = at.offset
	if s := g.attrs.Get(attrSegment + partition); !s.IsZero() {
		at.segment = s.Num()
	}
	return at
}

// confirmed is the position up to which the instance is known to have had its messages: the one
// before the last answer, until the instance calls again.
func (g *groupState) confirmed(partition string) int64 {
	if v := g.attrs.Get(attrConfirmed + partition); !v.IsZero() {
		return v.Num()
	}
	return g.position(partition).offset
}

// lost are the partitions that were taken from an instance since its last call, and of which its last
// answer had messages.
func (g *groupState) lost(m *member) (tps []TopicPartition) {
	for _, text := range g.attrs.Get(attrLost + strconv.Itoa(m.ID)).Elems() {
		topic, number, _ := strings.Cut(text, "/")
		if n, err := strconv.Atoi(number); err == nil {
			tps = append(tps, TopicPartition{topic, n})
		}
	}
	return tps
}

// poll is the id of the call that may give out an instance's messages, "" if none has begun.
func (g *groupState) poll(m *member) string {
	return g.attrs.Get(attrPoll + strconv.Itoa(m.ID)).Str()
}

// committed is a partition's committed offset, -1 if there is none.
func (g *groupState) committed(partition string) int64 {
	if v := g.attrs.Get(attrCommitted + partition); !v.IsZero() {
		return v.Num()
	}
	return -1
}

// Attribute of the item that lists a group.
const indexInstances = "n" // instances, perhaps more than have not expired

// groupNames are the names of a cluster's groups.
func (e *Engine) groupNames(ctx context.Context, cluster string) ([]string, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: clusterPartition(cluster), From: "g", To: "h"})
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	var names []string
	for _, it := range items {
		names = append(names, it.Key.Sort[1:])
	}
	return names, nil
}

// groups reads all groups of a cluster.
func (e *Engine) groups(ctx context.Context, cluster string) ([]*groupState, error) {
	names, err := e.groupNames(ctx, cluster)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	keys := make([]store.Key, len(names))
	for i, n := range names {
		keys[i] = groupKey(cluster, n)
	}
	all, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	var out []*groupState
	for i, attrs := range all {
		g, err := groupOf(cluster, names[i], attrs)
		if err != nil {
			return nil, err
		}
		if attrs != nil {
			out = append(out, g)
		}
	}
	return out, nil
}

// Group is a group with its instances, for who lists them.
type Group struct {
	Name      string
	Instances []Instance
}

// Instance is a member of a group.
type Instance struct {
	Name       string
	Topics     []string         // that it reads
	Partitions []TopicPartition // assigned to it, by topic and number
}

// Groups lists the groups that have instances.
func (e *Engine) Groups(ctx context.Context, c *Cluster) ([]Group, error) {
	all, err := e.groups(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var out []Group
	now := e.nowMs()
	for _, g := range all {
		group := Group{Name: g.name}
		for _, m := range g.live(now) {
			inst := Instance{Name: m.Name, Topics: m.Topics}
			for _, topic := range m.Topics {
				a := m.Assigned[topic]
				for p := a.From; p < a.To; p++ {
					inst.Partitions = append(inst.Partitions, TopicPartition{topic, p})
				}
			}
			group.Instances = append(group.Instances, inst)
		}
		if len(group.Instances) > 0 {
			out = append(out, group)
		}
	}
	return out, nil
}

// DeleteGroup forgets a group with its committed offsets. The error is of kind
// NotFound if there is none, and Invalid while it has instances.
func (e *Engine) DeleteGroup(ctx context.Context, c *Cluster, name string) error {
	g, err := e.loadGroup(ctx, c.ID, name)
	switch {
	case err != nil:
		return err
	case g.attrs == nil:
		return refuse(NotFound, "no group %q", name)
	case len(g.live(e.nowMs())) > 0:
		return refuse(Invalid, "group %q has instances", name)
	}
	return e.dropGroup(ctx, g)
}

func (e *Engine) dropGroup(ctx context.Context, g *groupState) error {
	err := e.store.Commit(ctx, []store.Op{
		store.Delete(groupIndexKey(g.cluster, g.name), nil),
		store.Delete(groupKey(g.cluster, g.name), g.unchanged()),
	})
	if _, ok := unmet(err); ok {
		return refuse(Invalid, "group %q is in use", g.name)
	}
	if err != nil {
		return fmt.Errorf("deleting group %s: %w", g.name, err)
	}
	return nil
}

// unchanged is the condition that nobody has written the group since it was read.
func (g *groupState) unchanged() store.Cond {
	if g.attrs == nil {
		return store.Absent(attrVersion)
	}
	return store.Eq(attrVersion, g.attrs.Get(attrVersion))
}

// errRetry means that somebody else has changed a group meanwhile.
var errRetry = fmt.Errorf("kafka: the group has changed: %w", store.ErrConflict)
