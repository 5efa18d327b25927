package groups

import (
	"cmp"
	"maps"
	"slices"
)

// Topic is a topic as a group needs to know it.
type Topic struct {
	ID         int64 // no other topic has had it
	Partitions int
}

// Ask is the wish of an instance to be a member.
type Ask struct {
	ID   string // unique; the incarnation of who becomes a member by it
	At   int64  // Unix ms
	Call string // id of the request that asks
	Options
	Topics []string // sorted
}

// Candidate is what the store has of an instance: a member, who wants to be one, or both.
type Candidate struct {
	Name   string
	Member *Member // nil: it is none
	Fence  int64   // generation in which it was fenced last
	Ask    *Ask    // nil: it asks for nothing
	Quit   bool    // it wants to leave
}

// LookEvery is the part of its session timeout after which a member looks at its group at the latest.
const LookEvery = 2

// AskLife is how long an Ask counts, in ms. An instance that died while it waited shall not be taken in.
const AskLife = 60 * 1000

// AskBack is how long a member may at most keep a partition that is asked back, in ms. Its session timeout bounds that,
// too.
const AskBack = 30 * 1000

// Plan is what a leader is about to do with a group.
type Plan struct {
	members  []*Member    // afterwards, sorted by name, with runs as they are to be and no places
	before   []*Candidate // by name
	topics   map[string]Topic
	known    map[string]Topic
	now      int64
	expired  map[string]bool // by name: members that were found expired
	Rejected []string        // instances whose Ask is too old
}

// NewPlan begins a plan: who is a member once all have what they ask for. known are the topics as the
// group was assigned them last.
func NewPlan(candidates []*Candidate, known map[string]Topic, now int64) *Plan {
	p := &Plan{before: slices.SortedFunc(slices.Values(candidates), func(a, b *Candidate) int { return cmp.Compare(a.Name, b.Name) }),
		known: known, now: now, expired: map[string]bool{}}
	for _, c := range p.before {
		if c.Member != nil && c.Member.Expired(now) {
			p.expired[c.Name] = true
		}
		switch asks := c.Ask != nil && c.Ask.At >= now-AskLife; {
		case c.Ask != nil && !asks:
			p.Rejected = append(p.Rejected, c.Name)
			fallthrough
		case !asks:
			if c.Member != nil && !c.Quit && !p.expired[c.Name] {
				p.members = append(p.members, c.Member.Clone())
			}
		case c.Member != nil && !c.Quit && !p.expired[c.Name]: // it wants other topics
			m := c.Member.Clone()
			m.Topics = c.Ask.Topics
			p.members = append(p.members, m)
		default:
			p.members = append(p.members, newMember(c, now))
		}
	}
	return p
}

func newMember(c *Candidate, now int64) *Member {
	return &Member{
		Name: c.Name, Incarnation: c.Ask.ID, Options: c.Ask.Options, Topics: c.Ask.Topics,
		Seen: now, CommitTime: now, Call: c.Ask.Call,
	}
}

// Joining are the instances that the plan makes members, by name.
func (p *Plan) Joining() (names []string) {
	for _, m := range p.members {
		if c := p.candidate(m.Name); c.Member == nil || c.Member.Incarnation != m.Incarnation {
			names = append(names, m.Name)
		}
	}
	return names
}

// Refuse takes an instance that asks out of the plan, as if it had not asked.
func (p *Plan) Refuse(name string) {
	i := slices.IndexFunc(p.members, func(m *Member) bool { return m.Name == name })
	c := p.candidate(name)
	if c.Member != nil && !c.Quit && !p.expired[name] {
		p.members[i] = c.Member.Clone()
		return
	}
	p.members = slices.Delete(p.members, i, i+1)
}

// Topics are the names of the topics that the members read, sorted.
func (p *Plan) Topics() (names []string) {
	for _, m := range p.members {
		names = append(names, m.Topics...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Members is how many members there are to be.
func (p *Plan) Members() int { return len(p.members) }

func (p *Plan) candidate(name string) *Candidate {
	i, ok := slices.BinarySearchFunc(p.before, name, func(c *Candidate, name string) int { return cmp.Compare(c.Name, name) })
	if !ok {
		return nil
	}
	return p.before[i]
}

// Assign gives the partitions of topics to the members that want them. Topics that are not there are of
// nobody. A member keeps its places; those of other partitions are empty and have the Claim 0. What is asked back
// stays with who has it.
func (p *Plan) Assign(topics map[string]Topic) {
	p.topics = topics
	wanted := map[string][]*Member{}
	for _, m := range p.members {
		for _, t := range m.Topics {
			wanted[t] = append(wanted[t], m)
		}
		m.Runs, m.Back = nil, 0
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		t, ok := topics[name]
		if !ok {
			continue
		}
		owners := make([]*Member, t.Partitions)
		for i, m := range wanted[name] {
			from, to := Range(t.Partitions, i, len(wanted[name]))
			for n := from; n < to; n++ {
				owners[n] = m
			}
		}
		for _, m := range wanted[name] {
			p.askBack(m, t, owners)
		}
		for i, m := range wanted[name] {
			from, _ := Range(t.Partitions, i, len(wanted[name]))
			m.Runs = append(m.Runs, runsOf(m, name, t, from, owners)...)
		}
	}
}

// askBack leaves those partitions to a member that are to be others', and whose messages the member is still busy with:
// it has them, and has not called since. When it calls, or its time is over, they are taken. So a member that is
// alive gets to commit what it has been given, and nobody else is given that.
func (p *Plan) askBack(m *Member, t Topic, owners []*Member) {
	c := p.candidate(m.Name)
	if c.Member == nil || c.Member.Incarnation != m.Incarnation || c.Ask != nil {
		return
	}
	until := c.Member.Back
	if until == 0 {
		until = p.now + min(m.Timeout, AskBack)
	}
	if until <= p.now {
		return
	}
	for _, r := range c.Member.Runs {
		if r.ID != t.ID {
			continue
		}
		for i, at := range r.Places {
			if n := r.First + i; n < len(owners) && owners[n] != m && at.Received() != at.Position {
				owners[n], m.Back = m, until
			}
		}
	}
}

// runsOf are the partitions of a topic that a member owns. It has a run, from some partition on, also if there are none.
func runsOf(m *Member, name string, t Topic, from int, owners []*Member) (runs []Run) {
	for n, owner := range owners {
		if owner != m {
			continue
		}
		if n == 0 || owners[n-1] != m {
			runs = append(runs, Run{Topic: name, ID: t.ID, First: n, Of: t.Partitions})
		}
		last := &runs[len(runs)-1]
		last.Places = append(last.Places, Place{})
	}
	if len(runs) == 0 {
		runs = append(runs, Run{Topic: name, ID: t.ID, First: from, Of: t.Partitions})
	}
	return runs
}

// Range is what the i-th of n members gets of a topic's partitions: Kafka's default, range assignment.
// The first ones get one more if it does not come out even.
func Range(partitions, i, n int) (from, to int) {
	each, more := partitions/n, partitions%n
	from = i*each + min(i, more)
	to = from + each
	if i < more {
		to++
	}
	return from, to
}

// Due is when the first session of the members ends, or something that is asked back is to be taken, Unix ms; 0: never.
func (p *Plan) Due() (due int64) {
	for _, m := range p.members {
		end := m.Seen + m.Timeout
		if m.Back > 0 {
			end = min(end, m.Back)
		}
		if due == 0 || end < due {
			due = end
		}
	}
	return due
}

// Changed are the names of the instances that the plan changes, sorted: of members that come, leave, or
// get or lose something, and of those that another leader has left fenced.
func (p *Plan) Changed() (names []string) {
	for _, c := range p.before {
		if !p.unchanged(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

// OnlyRefuses reports whether the plan changes no members: there are only asks that lead to nothing.
func (p *Plan) OnlyRefuses() bool {
	return !slices.ContainsFunc(p.Changed(), func(name string) bool { return p.candidate(name).Member != nil || p.member(name) != nil })
}

func (p *Plan) unchanged(c *Candidate) bool {
	m := p.member(c.Name)
	switch {
	case c.Member == nil || m == nil:
		return c.Member == nil && m == nil && c.Ask == nil
	case c.Member.Incarnation != m.Incarnation || c.Fence != c.Member.Generation || c.Quit || c.Ask != nil || c.Member.Back != m.Back:
		return false
	}
	return slices.EqualFunc(c.Member.Runs, m.Runs, func(a, b Run) bool {
		return a.Topic == b.Topic && a.ID == b.ID && a.First == b.First && a.Of == b.Of && len(a.Places) == len(b.Places)
	})
}

func (p *Plan) member(name string) *Member {
	i, ok := slices.BinarySearchFunc(p.members, name, func(m *Member, name string) int { return cmp.Compare(m.Name, name) })
	if !ok {
		return nil
	}
	return p.members[i]
}

// BlockKey names a block of offsets.
type BlockKey struct {
	Topic int64 // id
	Block int   // the partition divided by BlockPartitions
}

// BlockOf is the block that a partition's offset is in.
func BlockOf(topic int64, partition int) BlockKey {
	return BlockKey{topic, partition / BlockPartitions}
}

// Without finds the instances that are to begin with a partition of which nothing is committed, and do
// not want to begin there then. names are those of Joining that do so; each has one such partition.
func (p *Plan) Without(blocks map[BlockKey]*Block) map[string]Part {
	out := map[string]Part{}
	for _, name := range p.Joining() {
		m := p.member(name)
		for _, r := range m.Runs {
			for i := range r.Places {
				b := blocks[BlockOf(r.ID, r.First+i)]
				if m.Reset == ResetNone && (b == nil || b.At(r.First+i).Committed == None) {
					out[name] = Part{r.Topic, r.First + i}
				}
			}
		}
	}
	return out
}

// Settled is what a plan makes of a group in a generation.
type Settled struct {
	Members []*Member           // that were changed, sorted by name; Start of new places is not set yet
	Left    []string            // names of those that are no members any more
	Moves   map[BlockKey][]Move // partitions whose owner changes
	Known   map[string]Topic    // set by Started

	plan *Plan
}

// Settle carries the plan out, in a generation that is greater than all before. fenced are the members
// of Changed as they were when they had been fenced, by name. Partitions whose claim is another than the
// owner's move, too: a leader that has died may have left it.
func (p *Plan) Settle(generation int64, fenced map[string]*Member, blocks map[BlockKey]*Block) *Settled {
	s := &Settled{Moves: map[BlockKey][]Move{}, plan: p}
	changed := p.Changed()
	type place struct {
		topic     int64
		partition int
	}
	moves := map[place]*Move{}
	move := func(topic int64, partition int) *Move {
		at := place{topic, partition}
		if moves[at] == nil {
			moves[at] = &Move{Partition: partition, Received: None}
		}
		return moves[at]
	}
	for _, name := range changed {
		was, m := fenced[name], p.member(name)
		stays := was != nil && m != nil && was.Incarnation == m.Incarnation
		if was != nil {
			for _, r := range was.Runs {
				for i, at := range r.Places {
					n := r.First + i
					if stays && m.Place(r.ID, n) != nil {
						continue
					}
					mv := move(r.ID, n)
					mv.From = was.ClaimOf(&r.Places[i])
					if was.Auto {
						mv.Received = at.Received()
						if p.candidate(name).Quit && !p.expired[name] {
							mv.Received = at.Position // a deliberate close: it has had its last answer
						}
					}
				}
			}
		}
		if m == nil {
			s.Left = append(s.Left, name)
			continue
		}
		next := p.carryOver(m, was, stays, generation)
		for _, r := range next.Runs {
			for i := range r.Places {
				if at := &r.Places[i]; at.Claim == generation {
					move(r.ID, r.First+i).To = next.ClaimOf(at)
				} else if b := blocks[BlockOf(r.ID, r.First+i)]; b == nil || b.At(r.First+i).Claim != next.ClaimOf(at) {
					at.Claim = generation
					move(r.ID, r.First+i).To = next.ClaimOf(at)
				}
			}
		}
		s.Members = append(s.Members, next)
	}
	for at, m := range moves {
		key := BlockOf(at.topic, at.partition)
		s.Moves[key] = append(s.Moves[key], *m)
	}
	due := p.Due()
	for _, m := range s.Members {
		m.Look = min(due, p.now+m.Timeout/LookEvery)
	}
	return s
}

// carryOver is a member with the runs of the plan and the places that it keeps.
func (p *Plan) carryOver(planned, was *Member, stays bool, generation int64) *Member {
	next := planned.Clone()
	if stays {
		next = was.Clone()
		next.Topics, next.Back = planned.Topics, planned.Back
		next.Runs = slices.Clone(planned.Runs)
		if p.candidate(next.Name).Ask != nil {
			next.Seen = max(next.Seen, p.now)
		}
		for _, r := range was.Runs {
			for i, at := range r.Places {
				part := Part{r.Topic, r.First + i}
				if planned.Place(r.ID, part.Partition) == nil && at.Received() < at.Position && !slices.Contains(next.Lost, part) {
					next.Lost = append(next.Lost, part)
				}
			}
		}
	}
	for n, r := range next.Runs {
		next.Runs[n].Places = make([]Place, len(r.Places))
		for i := range r.Places {
			if stays {
				if at := was.Place(r.ID, r.First+i); at != nil {
					next.Runs[n].Places[i] = *at
					continue
				}
			}
			next.Runs[n].Places[i] = Place{
				Claim: generation, Position: None, Segment: UnknownSegment, Confirmed: None, Committed: None, Start: None,
				New: p.isNew(r.Topic, r.ID, r.First+i),
			}
		}
	}
	next.Generation = generation
	return next
}

// isNew reports whether a partition has come to a topic that the group reads already. A group that
// begins at the end of logs does so when it begins to read a topic. Partitions that are added later, and
// a topic that is made anew, are read from their start: what was produced there before the group noticed
// them was meant for it as well.
func (p *Plan) isNew(topic string, id int64, partition int) bool {
	k, ok := p.known[topic]
	return ok && (k.ID != id || partition >= k.Partitions)
}

// remember is what the group knows of topics from now on: of those that its members read, and of those
// that it has committed offsets of.
func (p *Plan) remember(blocks map[BlockKey]*Block) map[string]Topic {
	committed := map[int64]bool{}
	for key, b := range blocks {
		for _, o := range b.Offsets {
			if o.Committed != None {
				committed[key.Topic] = true
			}
		}
	}
	out := map[string]Topic{}
	for name, t := range p.known {
		if committed[t.ID] {
			out[name] = t
		}
	}
	for _, name := range p.Topics() {
		if t, ok := p.topics[name]; ok {
			out[name] = t
		} else if t, ok := p.known[name]; ok {
			out[name] = t // it is gone, and may be made anew
		}
	}
	return out
}

// Started sets where the members begin with partitions that are new to them: at what the blocks have,
// now that they were moved. It also sets what the group knows from now on.
func (s *Settled) Started(blocks map[BlockKey]*Block, generation int64) {
	s.Known = s.plan.remember(blocks)
	for _, m := range s.Members {
		for _, r := range m.Runs {
			for i := range r.Places {
				at := &r.Places[i]
				if at.Claim != generation || at.Position != None {
					continue
				}
				if b := blocks[BlockOf(r.ID, r.First+i)]; b != nil {
					at.Start = b.At(r.First + i).Committed
					at.Committed = at.Start
				}
			}
		}
	}
}
