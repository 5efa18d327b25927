package groups

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The model is a store whose items change one at a time, by conditional writes as package kafka makes them.
// Two leaders at once carry out plans, in steps that mix with everything else; either may die at any step, or
// go on much later. Whatever happens: what is committed was received, commits of who has lost a partition are
// refused, and once a leader is left in peace, each partition has one owner.

// world is the store, and what the clients know.
type world struct {
	now        int64
	generation int64
	known      map[string]Topic
	partitions int
	seats      map[string]*modelSeat
	blocks     map[BlockKey]*Block
	ends       map[int]int64  // of the logs
	received   map[int]int64  // by partition: what instances have had, by their own account
	claims     map[int]string // by partition: the latest claim
	leaders    []*modelLeader
	late       []lateCommit
	ids        int
}

// modelSeat is an instance's item. version is the id of its last write.
type modelSeat struct {
	Candidate
	version int
	silent  bool // its last answer was lost, so it never calls again
}

// lateCommit is a commit that is under way.
type lateCommit struct {
	partition  int
	claim      string
	generation int64
	offset     int64
}

// modelLeader is a leader that is somewhere in its work. Each step is one write.
type modelLeader struct {
	steps []func() bool // false: it gives up
}

const modelTopic = 1

func (w *world) id() string {
	w.ids++
	return fmt.Sprintf("%08d", w.ids)
}

func (w *world) candidates() (out []*Candidate) {
	for _, s := range w.seats {
		c := s.Candidate
		if c.Member != nil {
			c.Member = c.Member.Clone()
		}
		out = append(out, &c)
	}
	return out
}

func (w *world) block(key BlockKey) *Block {
	if b := w.blocks[key]; b != nil {
		return b
	}
	return &Block{}
}

// lead makes the plan of a leader, and the steps in which it is carried out.
func (w *world) lead(t *rapid.T) *modelLeader {
	l := &modelLeader{}
	versions := map[string]modelSeat{}
	for name, s := range w.seats {
		versions[name] = *s
	}
	plan := NewPlan(w.candidates(), w.known, w.now)
	plan.Assign(map[string]Topic{"red": {modelTopic, w.partitions}})
	changed := plan.Changed()
	if len(changed) == 0 {
		return l
	}
	blocks := maps.Clone(w.blocks)
	w.generation++
	generation, fenced := w.generation, map[string]*Member{}
	for _, name := range changed {
		if versions[name].Member == nil {
			continue
		}
		l.steps = append(l.steps, func() bool {
			s := w.seats[name]
			if s == nil || s.Member == nil || s.Member.Incarnation != versions[name].Member.Incarnation || s.Fence >= generation {
				return false
			}
			s.Fence = generation
			fenced[name] = s.Member.Clone()
			v := versions[name]
			v.version, v.Fence = s.version, generation
			versions[name] = v
			return true
		})
	}
	l.steps = append(l.steps, func() bool {
		settled := plan.Settle(generation, fenced, blocks)
		w.settle(t, l, settled, versions, blocks, generation)
		return true
	})
	return l
}

// settle adds the steps that follow once all members are fenced.
func (w *world) settle(t *rapid.T, l *modelLeader, settled *Settled, versions map[string]modelSeat, blocks map[BlockKey]*Block, generation int64) {
	for key, moves := range settled.Moves {
		l.steps = append(l.steps, func() bool {
			was := w.block(key)
			next, ok := was.Move(moves, generation, w.now)
			if !ok {
				return false
			}
			for _, m := range moves {
				if m.To != "" && m.To <= w.claims[m.Partition] {
					t.Fatalf("partition %d: the claim %x takes the place of %x", m.Partition, m.To, w.claims[m.Partition])
				}
				w.claims[m.Partition] = max(m.To, w.claims[m.Partition])
			}
			for p, o := range next.Offsets {
				if o.Committed > w.received[p] {
					t.Fatalf("partition %d: %d is committed, and %d was received", p, o.Committed, w.received[p])
				}
			}
			w.blocks[key], blocks[key] = next, next
			return true
		})
	}
	same := func(name string) bool {
		s, v := w.seats[name], versions[name]
		if s == nil {
			return false
		}
		return (s.Member == nil) == (v.Member == nil) && (s.Member == nil || s.Member.Incarnation == v.Member.Incarnation) &&
			s.version == v.version && s.Fence == v.Fence && s.Ask == v.Ask && s.Quit == v.Quit
	}
	for i := range settled.Members {
		l.steps = append(l.steps, func() bool {
			if i == 0 {
				settled.Started(blocks, generation)
			}
			m := settled.Members[i]
			if !same(m.Name) {
				return false
			}
			for _, r := range m.Runs {
				for n, at := range r.Places {
					if at.Position == None && at.Start > w.received[r.First+n] {
						t.Fatalf("%s begins partition %d at %d, and %d was received", m.Name, r.First+n, at.Start, w.received[r.First+n])
					}
				}
			}
			s := w.seats[m.Name]
			if s.Member == nil || s.Member.Incarnation != m.Incarnation {
				s.silent = false
			}
			s.Member, s.Fence, s.Ask, s.Quit = m.Clone(), generation, nil, false
			s.version++
			return true
		})
	}
	for _, name := range settled.Left {
		l.steps = append(l.steps, func() bool {
			if !same(name) {
				return false
			}
			delete(w.seats, name)
			return true
		})
	}
	l.steps = append(l.steps, func() bool {
		if settled.Known == nil { // no member was given anything
			settled.Started(blocks, generation)
		}
		w.known = settled.Known
		return true
	})
}

// step carries out one step of a leader; false: it is done.
func (l *modelLeader) step() bool {
	if len(l.steps) == 0 {
		return false
	}
	next := l.steps[0]
	l.steps = l.steps[1:]
	if !next() {
		l.steps = nil
	}
	return len(l.steps) > 0
}

// settledSeat is an instance's seat if the instance can move.
func (w *world) settledSeat(name string) *modelSeat {
	s := w.seats[name]
	if s == nil || s.Member == nil || s.silent || s.Quit || s.Fence != s.Member.Generation || s.Member.Expired(w.now) {
		return nil
	}
	return s
}

// poll gives an instance what there is. The answer may be lost, with the instance.
func (w *world) poll(s *modelSeat, lost bool) {
	m := s.Member
	m.Seen = w.now
	m.Lost = nil
	for _, r := range m.Runs {
		for i := range r.Places {
			at, p := &r.Places[i], r.First+i
			at.Confirmed = None
			if at.Position == None {
				at.Position = max(at.Start, 0)
			}
			if end := w.ends[p]; at.Position < end && m.Back == 0 { // with Back, it asks a leader first
				at.Confirmed, at.Position = at.Position, end
				if !lost {
					w.received[p] = max(w.received[p], end)
				}
			}
		}
	}
	s.silent = lost
	s.version++
}

// commit is the write of a commit, which may come late.
func (w *world) commit(t *rapid.T, c lateCommit) {
	key := BlockOf(modelTopic, c.partition)
	b := w.block(key)
	if !b.MayCommit(c.partition, c.claim, c.generation) {
		return
	}
	for name, s := range w.seats {
		if s.Member == nil {
			continue
		}
		at := s.Member.Place(modelTopic, c.partition)
		if at != nil && at.Position != None && s.Member.ClaimOf(at) > c.claim && b.At(c.partition).Claim == s.Member.ClaimOf(at) {
			t.Fatalf("a commit of partition %d is taken, which %s has got since", c.partition, name)
		}
	}
	next := &Block{Floor: b.Floor, CommitTime: w.now, Offsets: maps.Clone(b.Offsets)}
	if next.Offsets == nil {
		next.Offsets = map[int]Offset{}
	}
	o := b.At(c.partition)
	o.Committed = c.offset
	next.Offsets[c.partition] = o
	w.blocks[key] = next
}

// quiesce lets one leader work in peace until there is nothing to do, and checks what that leads to.
func (w *world) quiesce(t *rapid.T) {
	w.leaders = nil
	for range 10 {
		l := w.lead(t)
		if len(l.steps) == 0 {
			w.checkSettled(t)
			return
		}
		for l.step() {
		}
	}
	t.Fatalf("a leader in peace does not come to an end")
}

func (w *world) checkSettled(t *rapid.T) {
	owners := map[int]string{}
	for name, s := range w.seats {
		if s.Member == nil || s.Ask != nil || s.Quit || s.Member.Expired(w.now) || s.Fence != s.Member.Generation {
			t.Fatalf("%s is left as %+v", name, s)
		}
		for _, r := range s.Member.Runs {
			for i := range r.Places {
				p := r.First + i
				if other, ok := owners[p]; ok {
					t.Fatalf("partition %d is of %s and %s", p, other, name)
				}
				owners[p] = name
				claim := s.Member.ClaimOf(&r.Places[i])
				if held := w.block(BlockOf(modelTopic, p)).At(p).Claim; held != claim {
					t.Fatalf("%s has partition %d, and %x may commit it", name, p, held)
				}
			}
		}
	}
	if len(w.seats) > 0 && len(owners) != w.partitions {
		t.Fatalf("of %d partitions %d have an owner", w.partitions, len(owners))
	}
}

func TestAssignedGroupsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{
			now: 1_000_000, known: map[string]Topic{}, partitions: rapid.IntRange(1, 20).Draw(t, "partitions"),
			seats: map[string]*modelSeat{}, blocks: map[BlockKey]*Block{}, ends: map[int]int64{}, received: map[int]int64{}, claims: map[int]string{},
		}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				n := name.Draw(t, "name")
				s := w.seats[n]
				if s == nil {
					s = &modelSeat{Candidate: Candidate{Name: n}}
					w.seats[n] = s
				}
				s.Ask = &Ask{ID: w.id(), At: w.now, Topics: []string{"red"}, Options: Options{
					Auto: rapid.Bool().Draw(t, "auto"), Reset: ResetEarliest, Timeout: 10_000}}
			},
			"quit": func(t *rapid.T) {
				if s := w.settledSeat(name.Draw(t, "name")); s != nil {
					s.Quit = true
				}
			},
			"time": func(t *rapid.T) { w.now += rapid.Int64Range(1, 6_000).Draw(t, "ms") },
			"produce": func(t *rapid.T) {
				w.ends[rapid.IntRange(0, w.partitions-1).Draw(t, "partition")] += 3
			},
			"add partitions": func(*rapid.T) { w.partitions = min(w.partitions+3, 24) },
			"poll": func(t *rapid.T) {
				if s := w.settledSeat(name.Draw(t, "name")); s != nil {
					w.poll(s, rapid.IntRange(0, 9).Draw(t, "lost") == 0)
				}
			},
			"begin a commit": func(t *rapid.T) {
				s := w.settledSeat(name.Draw(t, "name"))
				if s == nil {
					return
				}
				for _, r := range s.Member.Runs {
					for i := range r.Places {
						if at := &r.Places[i]; at.Position != None && at.Received() <= w.received[r.First+i] {
							w.late = append(w.late, lateCommit{r.First + i, s.Member.ClaimOf(at), w.generation, at.Received()})
						}
					}
				}
			},
			"end a commit": func(t *rapid.T) {
				if len(w.late) == 0 {
					return
				}
				i := rapid.IntRange(0, len(w.late)-1).Draw(t, "commit")
				w.commit(t, w.late[i])
				w.late = slices.Delete(w.late, i, i+1)
			},
			"a leader begins": func(t *rapid.T) {
				if len(w.leaders) < 2 {
					w.leaders = append(w.leaders, w.lead(t))
				}
			},
			"a leader goes on": func(t *rapid.T) {
				if len(w.leaders) == 0 {
					return
				}
				i := rapid.IntRange(0, len(w.leaders)-1).Draw(t, "leader")
				if !w.leaders[i].step() {
					w.leaders = slices.Delete(w.leaders, i, i+1)
				}
			},
			"a leader dies": func(*rapid.T) {
				if len(w.leaders) > 0 && len(w.leaders[0].steps)%3 == 0 {
					w.leaders = w.leaders[1:]
				}
			},
			"peace": func(t *rapid.T) { w.quiesce(t) },
			"": func(t *rapid.T) {
				for key, b := range w.blocks {
					if b.Floor > w.generation {
						t.Fatalf("block %v has floor %d in generation %d", key, b.Floor, w.generation)
					}
				}
			},
		})
	})
}
