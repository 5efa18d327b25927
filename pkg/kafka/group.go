package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a group's item.
const (
	groupForm        = "m"  // formItems; anything else: an older build has written the item, see old.go
	groupIncarnation = "in" // in the keys of the group's offsets; a group made anew has another one
	groupGeneration  = "g"  // grows with each rebalance
	groupWant        = "n"  // wishes of instances so far
	groupDone        = "a"  // of these, carried out
	groupLease       = "o"  // who carries them out, see leaseOf; none: nobody
	groupUsed        = "r"  // Unix ms: the last rebalance, or offset that was set
	groupTopics      = "t"  // topics that the members read
	groupKnown       = "k"  // topics as the group was assigned them last, see encodeKnown
	groupDue         = "d"  // Unix ms: the first session of the members may end then
)

// formItems is the groupForm of groups whose members and offsets are items of their own. Older builds
// cannot read it, so they leave the group alone.
const formItems = "\x02"

// Attributes of a member's item.
const (
	memberIncarnation = "i" // none: it is no member yet
	memberWrite       = "v" // id of the last write of its state
	memberFence       = "g" // generation of the rebalance that fenced it, or gave it its state
	memberCall        = "w" // see groups.Member.Call
	memberState       = "b" // see groups.Member.Encode
	memberAsk         = "j" // see groups.Ask
	memberQuit        = "q" // Unix ms: it is to leave
	memberRefused     = "r" // id of its last ask, and why it was refused
	memberBack        = "k" // see groups.Member.Back
)

// Reset says where a group begins to read a partition without a committed offset.
type Reset = groups.Reset

// Values of Reset.
const (
	ResetEarliest = groups.ResetEarliest
	ResetLatest   = groups.ResetLatest
	ResetNone     = groups.ResetNone // not at all: that is an error
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

func (o InstanceOptions) member() groups.Options {
	return groups.Options{
		Auto: o.AutoCommit, Interval: o.AutoCommitInterval.Milliseconds(), Reset: o.Reset, Timeout: o.SessionTimeout.Milliseconds(),
	}
}

// Kinds of items in a group's partition: what their sort keys begin with.
const (
	kindOffsets = "c"
	kindGroup   = "g"
	kindMember  = "m"
)

func groupPartition(cluster, name string) string { return "g" + cluster + "/" + name }

func groupKey(cluster, name string) store.Key {
	return store.Key{Partition: groupPartition(cluster, name), Sort: kindGroup}
}

func memberKey(cluster, group, name string) store.Key {
	return store.Key{Partition: groupPartition(cluster, group), Sort: kindMember + name}
}

func groupIndexKey(cluster, name string) store.Key {
	return store.Key{Partition: clusterPartition(cluster), Sort: "g" + name}
}

// Attributes of the item that lists a group.
const (
	indexInstances = "n" // instances, perhaps more than have not expired
	indexCreated   = "at"
)

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

// groupItem is a group's item as it was read.
type groupItem struct {
	cluster, name string
	attrs         store.Attrs // nil: there is no such group
	seats         []*seat     // all that there are, by name; only of loadGroup
}

// seat is a member's item as it was read.
type seat struct {
	groups.Candidate
	attrs store.Attrs
}

func (g *groupItem) generation() int64   { return g.attrs.Get(groupGeneration).Num() }
func (g *groupItem) incarnation() string { return g.attrs.Get(groupIncarnation).Str() }
func (g *groupItem) isOld() bool         { return g.attrs != nil && g.attrs.Get(groupForm).Str() != formItems }

// loadRecord reads a group's item alone.
func (e *Engine) loadRecord(ctx context.Context, cluster, name string) (*groupItem, error) {
	for {
		attrs, err := e.store.Get(ctx, groupKey(cluster, name))
		if err != nil {
			return nil, fmt.Errorf("reading group %s: %w", name, err)
		}
		g := &groupItem{cluster: cluster, name: name, attrs: attrs}
		if !g.isOld() {
			return g, nil
		}
		if err := e.convert(ctx, g); err != nil {
			return nil, err
		}
	}
}

// loadGroup reads a group with its members.
func (e *Engine) loadGroup(ctx context.Context, cluster, name string) (*groupItem, error) {
	for {
		items, err := e.queryAll(ctx, store.Query{Partition: groupPartition(cluster, name), From: kindGroup, To: store.PrefixEnd(kindMember)})
		if err != nil {
			return nil, fmt.Errorf("reading group %s: %w", name, err)
		}
		g := &groupItem{cluster: cluster, name: name}
		for _, it := range items {
			switch {
			case it.Key.Sort == kindGroup:
				g.attrs = it.Attrs
			case strings.HasPrefix(it.Key.Sort, kindMember):
				s, err := seatOf(it.Key.Sort[len(kindMember):], it.Attrs)
				if err != nil {
					return nil, fmt.Errorf("reading group %s: %w", name, err)
				}
				g.seats = append(g.seats, s)
			}
		}
		if !g.isOld() {
			return g, nil
		}
		if err := e.convert(ctx, g); err != nil {
			return nil, err
		}
	}
}

func (e *Engine) loadSeat(ctx context.Context, cluster, group, name string) (*seat, error) {
	attrs, err := e.store.Get(ctx, memberKey(cluster, group, name))
	if err != nil {
		return nil, fmt.Errorf("reading instance %s of group %s: %w", name, group, err)
	}
	return seatOf(name, attrs)
}

func seatOf(name string, attrs store.Attrs) (*seat, error) {
	s := &seat{attrs: attrs, Candidate: groups.Candidate{Name: name, Fence: attrs.Get(memberFence).Num(), Quit: attrs.Has(memberQuit)}}
	if attrs.Has(memberIncarnation) {
		m, err := groups.DecodeMember(attrs.Get(memberState).Str())
		if err != nil {
			return nil, fmt.Errorf("reading instance %s: %w", name, err)
		}
		m.Name, m.Incarnation, m.Call = name, attrs.Get(memberIncarnation).Str(), attrs.Get(memberCall).Str()
		m.Back = attrs.Get(memberBack).Num()
		s.Member = m
	}
	if text := attrs.Get(memberAsk); !text.IsZero() {
		var err error
		if s.Ask, err = groups.DecodeAsk(text.Str()); err != nil {
			return nil, fmt.Errorf("reading what instance %s asks for: %w", name, err)
		}
	}
	return s, nil
}

// asRead is the condition that neither the member nor another rebalance has written the member's state
// since it was read.
func (s *seat) asRead() store.And {
	return store.And{
		store.Same(memberIncarnation, s.attrs.Get(memberIncarnation)),
		store.Same(memberWrite, s.attrs.Get(memberWrite)),
		store.Same(memberFence, s.attrs.Get(memberFence)),
	}
}

// live are the members that have not expired, by name.
func (g *groupItem) live(now int64) (live []*groups.Member) {
	for _, s := range g.seats {
		if s.Member != nil && !s.Member.Expired(now) {
			live = append(live, s.Member)
		}
	}
	return live
}

// usedAt is when the group was used last, Unix ms; 0: not known.
func (g *groupItem) usedAt() int64 {
	at := g.attrs.Get(groupUsed).Num()
	for _, s := range g.seats {
		if s.Member != nil {
			at = max(at, s.Member.Seen)
		}
		if s.Ask != nil {
			at = max(at, s.Ask.At)
		}
	}
	return at
}

// encodeKnown makes a list of topics: id in base 36, partitions, name, with dots in between.
func encodeKnown(known map[string]groups.Topic) store.Value {
	list := make([]string, 0, len(known))
	for name, t := range known {
		list = append(list, strconv.FormatInt(t.ID, 36)+"."+strconv.Itoa(t.Partitions)+"."+name)
	}
	slices.Sort(list)
	return store.List(list)
}

func decodeKnown(v store.Value) map[string]groups.Topic {
	known := map[string]groups.Topic{}
	for _, text := range v.Elems() {
		parts := strings.SplitN(text, ".", 3)
		if len(parts) != 3 {
			continue
		}
		id, err := strconv.ParseInt(parts[0], 36, 64)
		n, err2 := strconv.Atoi(parts[1])
		if err == nil && err2 == nil {
			known[parts[2]] = groups.Topic{ID: id, Partitions: n}
		}
	}
	return known
}

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

// groups reads all groups of a cluster, by name.
func (e *Engine) groups(ctx context.Context, cluster string) ([]*groupItem, error) {
	names, err := e.groupNames(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var out []*groupItem
	for _, name := range names {
		g, err := e.loadGroup(ctx, cluster, name)
		if err != nil {
			return nil, err
		}
		if g.attrs != nil {
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
	Name       string           // of a member of Kafka's own protocol: its instance id, or else its member id
	Topics     []string         // that it reads
	Partitions []TopicPartition // assigned to it, by topic and number
}

// Groups lists the groups that have instances, or members of Kafka's own protocol.
func (e *Engine) Groups(ctx context.Context, c *Cluster) ([]Group, error) {
	all, err := e.groups(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var out []Group
	now := e.nowMs()
	for _, g := range all {
		listed := Group{Name: g.name}
		for _, m := range g.live(now) {
			inst := Instance{Name: m.Name, Topics: m.Topics}
			for _, r := range m.Runs {
				for i := range r.Places {
					inst.Partitions = append(inst.Partitions, TopicPartition{r.Topic, r.First + i})
				}
			}
			listed.Instances = append(listed.Instances, inst)
		}
		if len(listed.Instances) == 0 {
			if listed.Instances, err = e.consumers(ctx, g); err != nil {
				return nil, err
			}
		}
		if len(listed.Instances) > 0 {
			out = append(out, listed)
		}
	}
	return out, nil
}

// GroupTopics are the topics that a group's instances read, by name. A group without instances, or one
// that does not exist, has none.
func (e *Engine) GroupTopics(ctx context.Context, c *Cluster, group string) ([]string, error) {
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	g, err := e.loadRecord(ctx, c.ID, group)
	if err != nil {
		return nil, err
	}
	return g.attrs.Get(groupTopics).Elems(), nil // also of those that have expired and hold partitions still
}

// errRetry means that somebody else has changed a group meanwhile.
var errRetry = fmt.Errorf("kafka: the group has changed: %w", store.ErrConflict)
