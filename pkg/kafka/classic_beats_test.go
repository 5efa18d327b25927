package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/anishathalye/porcupine"
)

// membershipCall is a call of a member about its group: of one of the kinds below. The generation is the member's, or,
// of a join, the one that it was told.
type membershipCall struct {
	kind       membershipKind
	member     string
	generation int32
}

type membershipKind string

const (
	joins  membershipKind = "join"
	syncs  membershipKind = "sync"
	beats  membershipKind = "heartbeat"
	leaves membershipKind = "leave"
)

// membershipResult is what it returned.
type membershipResult struct {
	ok      bool
	outdone bool // refused, because there is a later generation
}

// generations is the group's generation, of which the state is the least that it can be. Whoever is told that a
// generation is the present one tells that it has begun, and that the next one had not: after that has been seen,
// nobody may be told so any more. Generations may begin and end without anybody being told.
var generations = porcupine.Model{
	Init: func() any { return int32(0) },
	Step: func(state, input, output any) (bool, any) {
		least, in, out := state.(int32), input.(membershipCall), output.(membershipResult)
		switch {
		case out.ok && in.kind != leaves:
			return in.generation >= least, in.generation
		case out.outdone:
			return true, max(least, in.generation+1)
		}
		return true, least
	},
	DescribeOperation: describeMembership,
}

// memberships are the members, of which the state is whether the member has left. Ids are never used again.
var memberships = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byMember := map[string][]porcupine.Operation{}
		for _, op := range history {
			member := op.Input.(membershipCall).member
			byMember[member] = append(byMember[member], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range byMember {
			out = append(out, ops)
		}
		return out
	},
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		left, in, out := state.(bool), input.(membershipCall), output.(membershipResult)
		switch {
		case !out.ok:
			return true, left
		case in.kind == leaves:
			return true, true
		}
		return !left, false
	},
	DescribeOperation: describeMembership,
}

func describeMembership(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) }

// membership makes a call about the group and notes it. What a process knows of a group may be classicAge old, so a
// heartbeat or a sync may be answered as if it had come that much earlier.
func (h *classicHistory) membership(client int, in membershipCall, call func() (member string, generation int32, err error)) {
	begin := time.Now()
	member, generation, err := call()
	end := time.Now()
	if in.kind == beats || in.kind == syncs {
		begin = begin.Add(-classicAge)
	}
	if in.kind == joins && err == nil {
		in.member, in.generation = member, generation
	}
	out := membershipResult{ok: err == nil, outdone: CodeOf(err) == CodeIllegalGeneration}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = append(h.members, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: begin.UnixNano(), Return: end.UnixNano()})
	if in.kind == beats && out.ok {
		h.beats++
	} else if in.kind == beats {
		h.beatsRefused++
	}
}

// beat is a heartbeat, perhaps of a member that has died or left.
func (h *classicHistory) beat(ctx context.Context, client int, e crowdEngine, ref MemberRef) (err error) {
	h.membership(client, membershipCall{beats, ref.Member, ref.Generation}, func() (string, int32, error) {
		err = e.Heartbeat(ctx, e.c, ref)
		return "", 0, err
	})
	return err
}

// leave leaves the group.
func (h *classicHistory) leave(ctx context.Context, client int, e crowdEngine, ref MemberRef) {
	h.membership(client, membershipCall{leaves, ref.Member, ref.Generation}, func() (string, int32, error) {
		errs, err := e.LeaveGroup(ctx, e.c, ref.Group, []Leaver{{Member: ref.Member}})
		if err == nil {
			err = errs[0]
		}
		return "", 0, err
	})
}

// zombie is a heartbeat of one of the members that were replaced.
func (h *classicHistory) zombie(ctx context.Context, client int, w *classicWorld, dice *rand.Rand, zombies []MemberRef) {
	_ = h.beat(ctx, client, w.engines[dice.IntN(len(w.engines))], zombies[dice.IntN(len(zombies))])
}
