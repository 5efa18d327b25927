package kafka

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/skystash/skystash/pkg/store/faulty"
)

// fencedCall is a commit, or a read of a member that has just joined, of one partition's offset.
type fencedCall struct {
	partition  int
	writes     bool
	generation int32 // of who calls
	offset     int64 // of a commit
}

// fencedOffset is a committed offset, and the generation that was told it last.
type fencedOffset struct {
	offset int64
	floor  int32
}

// fencedOffsets is a register for each partition. A commit of a generation is refused once a later one was told
// where to start.
var fencedOffsets = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byPartition := map[int][]porcupine.Operation{}
		for _, op := range history {
			p := op.Input.(fencedCall).partition
			byPartition[p] = append(byPartition[p], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range byPartition {
			out = append(out, ops)
		}
		return out
	},
	Init: func() []any { return []any{fencedOffset{-1, 0}} },
	Step: func(state, input, output any) []any {
		at, in, out := state.(fencedOffset), input.(fencedCall), output.(offsetResult)
		told := fencedOffset{at.offset, max(at.floor, in.generation)}
		switch {
		case out.refused:
			return []any{state}
		case !in.writes && out.unknown: // it may have been told
			return []any{state, told}
		case !in.writes && out.offset != at.offset:
			return nil
		case !in.writes:
			return []any{told}
		}
		committed := fencedOffset{in.offset, at.floor}
		switch {
		case out.unknown && in.generation < at.floor:
			return []any{state}
		case out.unknown:
			return []any{state, committed}
		case in.generation < at.floor:
			return nil
		}
		return []any{committed}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// classicHistory is what members of a group were told.
type classicHistory struct {
	*testing.T
	mu        sync.Mutex
	offsets   []porcupine.Operation
	newest    int32             // generation that somebody was told
	leaders   map[int32]string  // by generation: the member, or its instance
	instances map[string]string // by member: itself, or its instance
	given     map[string]string // by generation and member, or its instance: what its leader gave it
	got       map[string]string // what it got
	commits   int
	refusals  int
	rebalance int

	members             []porcupine.Operation // see membershipCall
	beats, beatsRefused int
}

func (h *classicHistory) do(client int, in fencedCall, call func() (int64, error)) {
	begin := time.Now().UnixNano()
	offset, err := call()
	out := offsetResult{offset: offset}
	switch CodeOf(err) {
	case 0:
	case CodeCoordinatorNotAvailable:
		out.unknown = true
	default:
		out.refused = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.writes && err == nil {
		h.commits++
	} else if in.writes && out.refused {
		h.refusals++
	}
	h.offsets = append(h.offsets, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: begin, Return: time.Now().UnixNano()})
}

// joined notes the answer to a join that began when before was the newest generation.
func (h *classicHistory) joined(before int32, m *classicMember, r JoinResponse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Generation < before {
		h.Errorf("%s joins generation %d; generation %d was there before", r.Member, r.Generation, before)
	}
	h.instances[r.Member] = cmp.Or(m.request.Instance, r.Member)
	leads := h.instances[r.Leader] // "": it has not been told that it does
	if leader := h.leaders[r.Generation]; leads != "" && leader != "" && leader != leads {
		h.Errorf("generation %d is led by %s and %s", r.Generation, leader, leads)
	}
	h.leaders[r.Generation] = cmp.Or(leads, h.leaders[r.Generation])
	if r.Generation > h.newest {
		h.newest = r.Generation
		h.rebalance++
	}
}

func (h *classicHistory) generation() int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest
}

// Three processes serve a group whose members come, go, die and commit, some of them long after they were
// replaced, over a store that loses answers.
func TestClassicGroupsAreLinearizable(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { classicGroupsAreLinearizable(t, seed) })
		})
	}
}

func classicGroupsAreLinearizable(t *testing.T, seed uint64) {
	const engines, clients, calls, partitions = 3, 5, 60, 3
	st, all := overFaultyStore(t, engines, partitions)
	defer st.Close()
	w := &classicWorld{T: t, engines: all}
	st.SetPlan(faulty.Plan{Seed: seed, Throttle: 0.01, Conflict: 0.01, Unavailable: 0.01, LostApplied: 0.02, LostUnapplied: 0.02})
	h := &classicHistory{T: t, leaders: map[int32]string{}, instances: map[string]string{}, given: map[string]string{}, got: map[string]string{}}
	var work sync.WaitGroup
	for client := range clients {
		work.Go(func() { h.client(w, client, rand.New(rand.NewPCG(seed, uint64(client))), calls, partitions) })
	}
	work.Wait()
	for who, part := range h.got {
		if part != h.given[who] {
			t.Errorf("member %s got %q, and its leader gave it %q", who, part, h.given[who])
		}
	}
	if h.commits < 20 || h.refusals < 3 || h.rebalance < 5 || len(h.got) < 10 {
		t.Errorf("only %d commits, %d refusals, %d rebalances and %d syncs", h.commits, h.refusals, h.rebalance, len(h.got))
	}
	if h.beats < 25 || h.beatsRefused < 5 {
		t.Errorf("only %d heartbeats, and %d that were refused", h.beats, h.beatsRefused)
	}
	if !porcupine.CheckOperations(fencedOffsets.ToModel(), h.offsets) {
		t.Errorf("%d calls are not linearizable", len(h.offsets))
	}
	for name, model := range map[string]porcupine.Model{"generations": generations, "memberships": memberships} {
		if !porcupine.CheckOperations(model, h.members) {
			t.Errorf("%s: %d joins, syncs, heartbeats and leaves are not linearizable", name, len(h.members))
		}
	}
}

// client is one member after the other.
func (h *classicHistory) client(w *classicWorld, client int, dice *rand.Rand, calls, partitions int) {
	ctx := h.Context()
	var m *classicMember
	var zombies []MemberRef
	place := func() TopicPartition { return TopicPartition{"red", dice.IntN(partitions)} }
	commit := func(ref MemberRef) error {
		tp, offset := place(), dice.Int64N(1_000_000)
		var err error
		h.do(client, fencedCall{tp.Partition, true, ref.Generation, offset}, func() (int64, error) {
			e := w.engines[dice.IntN(len(w.engines))]
			errs, all := e.CommitOffsets(ctx, e.c, ref, []OffsetCommit{{TopicOffset{tp, offset}, -1, ""}})
			err = errors.Join(append(errs, all)...)
			return 0, err
		})
		return err
	}
	for range calls {
		if m == nil {
			m = w.member(dice.IntN(len(w.engines)))
			m.request.RebalanceTimeout = 10 * time.Second
			if dice.IntN(3) == 0 {
				m.request.Instance = fmt.Sprint("static", client)
			}
		}
		m.e = w.engines[dice.IntN(len(w.engines))]
		if m.last.Generation == 0 {
			h.join(client, m)
			if m.last.Generation > 0 {
				tp := place()
				h.do(client, fencedCall{tp.Partition, false, m.last.Generation, 0}, func() (int64, error) {
					got, err := m.e.FetchOffsets(ctx, m.e.c, "g", []TopicPartition{tp})
					if err != nil {
						return 0, err
					}
					return got[0].Offset, nil
				})
			}
			continue
		}
		var err error
		switch n := dice.IntN(100); {
		case n < 35:
			err = commit(m.ref())
		case n < 45 && len(zombies) > 0:
			_ = commit(zombies[dice.IntN(len(zombies))])
		case n < 47 && len(zombies) > 0:
			h.zombie(ctx, client, w, dice, zombies)
		case n < 50: // dies
			zombies = append(zombies, m.ref())
			m = nil
		case n < 54:
			h.leave(ctx, client, m.e, m.ref())
			zombies = append(zombies, m.ref())
			m = nil
		case n < 58: // says something else
			m.request.Protocols = []GroupProtocol{{"range", fmt.Append(nil, n)}}
			zombies = append(zombies, m.ref())
			m.last.Generation = 0
		default:
			err = h.beat(ctx, client, m.e, m.ref())
		}
		switch CodeOf(err) {
		case CodeRebalanceInProgress, CodeIllegalGeneration:
			zombies = append(zombies, m.ref())
			m.last.Generation = 0
		case CodeUnknownMember, CodeFencedInstance:
			m = nil
		}
		time.Sleep(time.Duration(dice.IntN(1500)) * time.Millisecond)
	}
}

// join joins and syncs; the generation stays 0 if that fails.
func (h *classicHistory) join(client int, m *classicMember) {
	ctx := h.Context()
	before := h.generation()
	var r JoinResponse
	join := func() (err error) {
		h.membership(client, membershipCall{kind: joins, member: m.request.Member}, func() (string, int32, error) {
			r, err = m.e.JoinGroup(ctx, m.e.c, m.request)
			return r.Member, r.Generation, err
		})
		return err
	}
	err := join()
	if CodeOf(err) == CodeMemberIDRequired {
		m.request.Member = r.Member
		before = h.generation()
		err = join()
	}
	switch CodeOf(err) {
	case CodeUnknownMember, CodeFencedInstance:
		m.request.Member = ""
		return
	case 0:
	default:
		return
	}
	m.request.Member = r.Member
	h.joined(before, m, r)
	ref := MemberRef{"g", r.Member, m.request.Instance, r.Generation}
	parts := map[string][]byte{}
	h.mu.Lock()
	for i, member := range r.Members {
		parts[member.Member] = fmt.Appendf(nil, "%d of %d in %d", i, len(r.Members), r.Generation)
		h.given[fmt.Sprint(r.Generation, cmp.Or(member.Instance, member.Member))] = string(parts[member.Member])
	}
	h.mu.Unlock()
	var got SyncResponse
	h.membership(client, membershipCall{syncs, r.Member, r.Generation}, func() (string, int32, error) {
		got, err = m.e.SyncGroup(ctx, m.e.c, SyncRequest{MemberRef: ref, Assignments: parts})
		return r.Member, r.Generation, err
	})
	if err != nil {
		return
	}
	m.last = r
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got[fmt.Sprint(r.Generation, cmp.Or(m.request.Instance, r.Member))] = string(got.Assignment)
}
