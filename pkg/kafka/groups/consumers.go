package groups

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// Consumers is a group of Kafka's consumer protocol (KIP-848): we assign the partitions, and members come to have theirs step by
// step. All of it is one value, so that each step is one write.
type Consumers struct {
	Epoch    int64            // grows with each new target
	Topics   map[string]Topic // that there are, of those that members read, as the target was made
	Assignor string           // by which it was made
	Members  []*Consumer      // by id
}

// Consumer is a member of such a group.
type Consumer struct {
	ID, Instance, Rack   string // Instance: of a static member; "": it is dynamic
	ClientID, ClientHost string
	Names                []string // topics that it reads, in order
	Regex                string   // and those whose names it matches; "": none
	Matched              []string // that Regex matches, in order
	Assignor             string   // that it wants; "": any
	Rebalance            int64    // timeout, ms: to give partitions back

	Epoch    int64 // of the target that it has come to, or is about to; LeftEpoch: see Static
	Previous int64 // before
	Target   Parts // what it is to have
	Owned    Parts // what it has
	Revoking Parts // what it has had, and has been asked to give back
	RevokeBy int64 // Unix ms: until then; 0: it has not been asked
}

// Epochs of heartbeats that say something else.
const (
	JoinEpoch  = 0
	LeaveEpoch = -1
	LeftEpoch  = -2 // a static member leaves, and means to come back: its partitions stay its own meanwhile
)

// Assignors. The first is the default.
const (
	UniformAssignor = "uniform" // every member has as many partitions as the others, and keeps what it has
	RangeAssignor   = "range"   // of each topic, every member has neighbouring partitions
)

// Why a heartbeat is refused.
var (
	ErrUnknownConsumer    = errors.New("the group does not know the member")
	ErrFencedEpoch        = errors.New("the member's epoch is not the group's: it has to join again")
	ErrFencedInstance     = errors.New("another member has the instance id")
	ErrUnreleasedInstance = errors.New("the instance id is still used by another member")
)

// Beat is a heartbeat.
type Beat struct {
	Consumer // who: ID, Instance, Rack, ClientID, ClientHost, Epoch; and what follows, where it is said

	Subscribes bool // Names, Regex and Matched are the member's; else those that it has stay
	Asks       bool // so is Assignor
	Times      bool // so is Rebalance
	Owns       bool // Owned is what the member has, by its own account
}

// Clone is a copy with members of its own.
func (g *Consumers) Clone() *Consumers {
	next := *g
	next.Members = make([]*Consumer, len(g.Members))
	for i, m := range g.Members {
		copied := *m
		next.Members[i] = &copied
	}
	return &next
}

// Find is the member of an id; nil: there is none.
func (g *Consumers) Find(id string) *Consumer {
	i, ok := slices.BinarySearchFunc(g.Members, id, func(m *Consumer, id string) int { return cmp.Compare(m.ID, id) })
	if !ok {
		return nil
	}
	return g.Members[i]
}

// FindInstance is the static member of an instance id; nil: there is none.
func (g *Consumers) FindInstance(instance string) *Consumer {
	i := slices.IndexFunc(g.Members, func(m *Consumer) bool { return instance != "" && m.Instance == instance })
	if i < 0 {
		return nil
	}
	return g.Members[i]
}

func (g *Consumers) add(m *Consumer) {
	i, _ := slices.BinarySearchFunc(g.Members, m.ID, func(m *Consumer, id string) int { return cmp.Compare(m.ID, id) })
	g.Members = slices.Insert(g.Members, i, m)
}

// Reads are the names of the topics that members read, whether there are such or not, in order.
func (g *Consumers) Reads() (names []string) {
	for _, m := range g.Members {
		names = append(append(names, m.Names...), m.Matched...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Owner is the member that has a partition, or has yet to give it back; nil: nobody does.
func (g *Consumers) Owner(topic int64, partition int) *Consumer {
	for _, m := range g.Members {
		if m.Holds(topic, partition) {
			return m
		}
	}
	return nil
}

// Holds reports whether the member has a partition, or has yet to give it back.
func (m *Consumer) Holds(topic int64, partition int) bool {
	return m.Owned.Has(topic, partition) || m.Revoking.Has(topic, partition)
}

// Claim is the member's claim of any partition that it holds. Members that hold a partition one after the other have ever
// greater ones: a member's epoch is that of a target by which it is to have what it holds, and no target gives a
// partition to two.
func (m *Consumer) Claim() string { return Claim(max(m.Epoch, m.Previous), m.ID) }

// Settled reports whether the member has what it is to have.
func (g *Consumers) Settled(m *Consumer) bool {
	return m.Epoch == g.Epoch && m.Revoking.Len() == 0 && m.Owned.Equal(m.Target)
}

// Leave takes members out, and makes a new target. The caller has found them.
func (g *Consumers) Leave(ids ...string) {
	g.Members = slices.DeleteFunc(g.Members, func(m *Consumer) bool { return slices.Contains(ids, m.ID) })
	g.retarget()
}

// Late are the members that were to give partitions back by now.
func (g *Consumers) Late(now int64) (ids []string) {
	for _, m := range g.Members {
		if m.RevokeBy != 0 && m.RevokeBy < now {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Beat carries out a heartbeat, for a member that joins or is there; Leave and Pause are for those that leave. topics are those that there
// are, of the names that members read, the caller among them. It returns the member. The group is changed, unless there is an error.
func (g *Consumers) Beat(b *Beat, topics map[string]Topic, now int64) (*Consumer, error) {
	m, came, err := g.identify(b)
	if err != nil {
		return nil, err
	}
	m.ClientID, m.ClientHost, m.Rack = b.ClientID, b.ClientHost, cmp.Or(b.Rack, m.Rack)
	if b.Times {
		m.Rebalance = b.Rebalance
	}
	if b.Asks {
		m.Assignor = b.Assignor
	}
	changed := came
	if b.Subscribes {
		changed = changed || !slices.Equal(m.Names, b.Names) || !slices.Equal(m.Matched, b.Matched)
		m.Names, m.Regex, m.Matched = b.Names, b.Regex, b.Matched
	}
	if known := g.known(topics); changed || !maps.Equal(known, g.Topics) || g.vote() != g.Assignor {
		g.Topics = known
		g.retarget()
	}
	g.reconcile(m, b, now)
	return m, nil
}

// known are the topics that members read.
func (g *Consumers) known(topics map[string]Topic) map[string]Topic {
	known := map[string]Topic{}
	for _, name := range g.Reads() {
		if t, ok := topics[name]; ok {
			known[name] = t
		}
	}
	return known
}

// identify finds the member of a heartbeat, or makes one. came: the group has not known it.
func (g *Consumers) identify(b *Beat) (m *Consumer, came bool, err error) {
	if b.Instance != "" {
		return g.identifyStatic(b)
	}
	m = g.Find(b.ID)
	switch {
	case m == nil && b.Epoch == JoinEpoch:
		m = &Consumer{ID: b.ID}
		g.add(m)
		return m, true, nil
	case m == nil:
		return nil, false, ErrUnknownConsumer
	}
	return m, false, m.check(b)
}

func (g *Consumers) identifyStatic(b *Beat) (m *Consumer, came bool, err error) {
	m = g.FindInstance(b.Instance)
	switch {
	case m == nil && b.Epoch == JoinEpoch && g.Find(b.ID) == nil:
		m = &Consumer{ID: b.ID, Instance: b.Instance}
		g.add(m)
		return m, true, nil
	case m == nil:
		return nil, false, ErrUnknownConsumer
	case m.ID == b.ID:
		return m, false, m.check(b)
	case b.Epoch != JoinEpoch:
		return nil, false, ErrFencedInstance
	case m.Epoch != LeftEpoch:
		return nil, false, ErrUnreleasedInstance
	case g.Find(b.ID) != nil:
		return nil, false, ErrFencedInstance
	}
	// The new one takes the place of the old one, with what that had. The epoch grows, so that its claims are greater.
	g.Members = slices.DeleteFunc(g.Members, func(o *Consumer) bool { return o == m })
	replaced := *m
	replaced.ID, replaced.Epoch, replaced.Previous = b.ID, JoinEpoch, JoinEpoch
	replaced.Revoking, replaced.RevokeBy = nil, 0
	g.add(&replaced)
	return &replaced, true, nil
}

// check checks the epoch of a member's heartbeat. One that has not got its last answer may still have the epoch before.
func (m *Consumer) check(b *Beat) error {
	switch {
	case b.Epoch == JoinEpoch, b.Epoch == m.Epoch:
		return nil
	case b.Epoch > m.Epoch, b.Epoch != m.Previous, !b.Owns, !m.Owned.Contains(b.Owned):
		return ErrFencedEpoch
	}
	return nil
}

// Leaver finds who leaves.
func (g *Consumers) Leaver(b *Beat) (*Consumer, error) {
	m := g.Find(b.ID)
	if b.Instance != "" {
		if m = g.FindInstance(b.Instance); m != nil && m.ID != b.ID {
			return nil, ErrFencedInstance
		}
	}
	if m == nil {
		return nil, ErrUnknownConsumer
	}
	return m, nil
}

// Pause lets a static member be away until its session ends.
func (g *Consumers) Pause(m *Consumer) {
	m.Previous, m.Epoch = max(m.Previous, m.Epoch), LeftEpoch
}

// retarget makes a new target.
func (g *Consumers) retarget() {
	g.Epoch++
	known := g.known(g.Topics)
	g.Topics, g.Assignor = known, g.vote()
	assignors[g.Assignor](g.Members, g.Topics)
}

// vote is the assignor that most members want.
func (g *Consumers) vote() string {
	votes := map[string]int{}
	for _, m := range g.Members {
		votes[m.Assignor]++
	}
	if votes[RangeAssignor] > votes[UniformAssignor]+votes[""] {
		return RangeAssignor
	}
	return UniformAssignor
}

// reconcile brings a member one step nearer to the target: it is asked to give back what it is not to have, and when it has,
// it is given what nobody else holds.
func (g *Consumers) reconcile(m *Consumer, b *Beat, now int64) {
	joins := b.Epoch == JoinEpoch
	still := func(parts Parts) bool { // it may have some of these
		return !joins && (!b.Owns || b.Owned.Meets(parts))
	}
	if m.Revoking.Len() > 0 {
		if still(m.Revoking) {
			return
		}
		m.Revoking, m.RevokeBy = nil, 0
	}
	if g.Settled(m) {
		return
	}
	keep := m.Owned.And(m.Target)
	if revoke := m.Owned.Minus(keep); revoke.Len() > 0 && still(revoke) {
		m.Owned, m.Revoking, m.RevokeBy = keep, revoke, now+m.Rebalance
		return
	}
	if m.Epoch != g.Epoch {
		m.Previous, m.Epoch = max(m.Epoch, JoinEpoch), g.Epoch
	}
	m.Owned = keep // it holds nothing else from here on
	m.Owned = keep.Or(g.free(m.Target.Minus(keep)))
}

// free are those of some partitions that nobody holds.
func (g *Consumers) free(parts Parts) Parts {
	for _, m := range g.Members {
		parts = parts.Minus(m.Owned).Minus(m.Revoking)
	}
	return parts
}
