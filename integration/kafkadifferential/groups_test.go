package kafkadifferential

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	protocolType = "consumer"
	protocolName = "range"
)

// group is a group as both sides have it.
type group struct {
	members    []*member
	generation int32
	rounds     int
	completing bool // the leader has not said yet what whose part is
}

// member is a member of a group, with its connection to each side.
type member struct {
	id       int // in the order in which ids were met
	instance *string
	conns    map[*side]*conn
}

// memberAnswer is what a member was told. Which one leads is for the server to choose, and what only the leader is told is told of
// all of them together.
type memberAnswer struct {
	InstanceID, MemberID string // as it was before
	ErrorCode            int16
	Generation           int32
	ProtocolType         *string
	Protocol             *string
	Assignment           []byte
}

// meeting is what came of members joining or syncing at once.
type meeting struct {
	Answers []memberAnswer
	Leaders int // how many say that they lead
	Members []kmsg.JoinGroupResponseMember
}

// answered is an answer, or why there is none.
type answered struct {
	resp kmsg.Response
	err  error
}

// rebalance lets all members of a group join, a new one as well if there is room, and then, mostly, sync. It returns what is
// different.
func (r *round) rebalance(name string) []difference {
	g := r.w.groups[name]
	if g == nil {
		g = &group{}
		r.w.groups[name] = g
	}
	g.rounds++
	var joiner *member
	if len(g.members) < 3 && (len(g.members) == 0 || r.w.IntN(2) == 0) {
		joiner = &member{id: -1, conns: map[*side]*conn{r.fake: r.fake.dial(), r.ours: r.ours.dial()}}
		if r.w.IntN(3) == 0 {
			joiner.instance = kmsg.StringPtr(fmt.Sprint("i", len(r.fake.members)))
		}
		if joiner.instance == nil {
			if diffs := r.introduce(name, joiner); len(diffs) > 0 {
				return diffs
			}
		}
	}
	v := r.w.versions[int16(kmsg.JoinGroup)]
	version := max(v[0], 5) + int16(r.w.IntN(int(v[1]-max(v[0], 5))+1))
	var meetings [2]meeting
	for i, s := range r.sides() {
		meetings[i] = r.join(s, name, g, joiner, version)
	}
	req := joinOf(name, protocolType, protocolName, "")
	if diffs := compare(req, r.fake, r.ours, meetings[0], meetings[1]); len(diffs) > 0 {
		return diffs
	}
	if joiner != nil {
		joiner.id = slices.Index(r.ours.members, joiner.idOn(r.ours, meetings[1]))
		g.members = append(g.members, joiner)
	}
	for _, a := range meetings[1].Answers {
		if a.ErrorCode != 0 {
			return nil // both the same
		}
		g.generation = a.Generation
	}
	g.completing = true
	if r.w.IntN(5) == 0 {
		return nil
	}
	for i, s := range r.sides() {
		meetings[i] = r.sync(s, name, g)
	}
	g.completing = false
	return compare(kmsg.NewPtrSyncGroupRequest(), r.fake, r.ours, meetings[0], meetings[1])
}

// idOn finds the id of a member that was new, in the answers.
func (m *member) idOn(s *side, of meeting) string {
	if m.id >= 0 {
		return s.members[m.id]
	}
	for _, one := range of.Members {
		if one.InstanceID != nil && *one.InstanceID == *m.instance {
			return one.MemberID
		}
	}
	return ""
}

// introduce lets a member ask for its id, as clients do from version 4 on.
func (r *round) introduce(name string, m *member) []difference {
	req := joinOf(name, protocolType, protocolName, "hello")
	req.SetVersion(5)
	got := map[*side]kmsg.Response{}
	for _, s := range r.sides() {
		resp, err := m.conns[s].do(req)
		if err != nil {
			s.Fatal(err)
		}
		got[s] = resp
	}
	if diffs := compare(req, r.fake, r.ours, got[r.fake], got[r.ours]); len(diffs) > 0 {
		return diffs
	}
	m.id = slices.Index(r.ours.members, got[r.ours].(*kmsg.JoinGroupResponse).MemberID)
	return nil
}

// join lets the members of a group join on one side: first the one that begins, then the others.
func (r *round) join(s *side, name string, g *group, joiner *member, version int16) (out meeting) {
	all := slices.Clone(g.members)
	if joiner != nil {
		all = slices.Insert(all, 0, joiner)
	}
	answers := make([]chan answered, len(all))
	for i, m := range all {
		req := joinOf(name, protocolType, protocolName, fmt.Sprintf("metadata %d", g.rounds)) // another each time: so the group begins anew
		req.SetVersion(version)
		if req.InstanceID = m.instance; m.id >= 0 {
			req.MemberID = s.members[m.id]
		}
		answers[i] = m.send(s, req)
		if i == 0 && len(all) > 1 {
			s.wait(name, "PreparingRebalance")
		}
	}
	for i, m := range all {
		resp := r.answer(s, answers[i]).(*kmsg.JoinGroupResponse)
		one := memberAnswer{ErrorCode: resp.ErrorCode, Generation: resp.Generation, ProtocolType: resp.ProtocolType, Protocol: resp.Protocol}
		if m.id >= 0 {
			one.MemberID = s.members[m.id]
		}
		if m.instance != nil {
			one.InstanceID = *m.instance
		}
		out.Answers = append(out.Answers, one)
		if resp.ErrorCode == 0 && resp.LeaderID == resp.MemberID {
			out.Leaders++
		}
		if len(resp.Members) > 0 {
			out.Members = resp.Members
		}
	}
	return out
}

// sync lets a group's members ask for their parts. Each of them says what the parts are: that of the leader counts.
func (r *round) sync(s *side, name string, g *group) (out meeting) {
	answers := make([]chan answered, len(g.members))
	for i, m := range g.members {
		req := kmsg.NewPtrSyncGroupRequest()
		req.SetVersion(5)
		req.Group, req.MemberID, req.InstanceID, req.Generation = name, s.members[m.id], m.instance, g.generation
		req.ProtocolType, req.Protocol = kmsg.StringPtr(protocolType), kmsg.StringPtr(protocolName)
		for _, each := range g.members {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = s.members[each.id], fmt.Appendf(nil, "part of %d in %d", each.id, g.rounds)
			req.GroupAssignment = append(req.GroupAssignment, a)
		}
		answers[i] = m.send(s, req)
	}
	for i, m := range g.members {
		got := r.answer(s, answers[i]).(*kmsg.SyncGroupResponse)
		out.Answers = append(out.Answers, memberAnswer{
			MemberID: s.members[m.id], ErrorCode: got.ErrorCode, ProtocolType: got.ProtocolType, Protocol: got.Protocol, Assignment: got.MemberAssignment,
		})
	}
	return out
}

// send sends a member's request. Its answer may wait for others.
func (m *member) send(s *side, req kmsg.Request) chan answered {
	out := make(chan answered, 1)
	go func() {
		resp, err := m.conns[s].do(req)
		out <- answered{resp, err}
	}()
	return out
}

// answer is the answer to a request that was sent.
func (r *round) answer(s *side, to chan answered) kmsg.Response {
	s.Helper()
	a := <-to
	if a.err != nil {
		s.Fatalf("%s: a member of a group has no answer: %v", s.name, a.err)
	}
	return a.resp
}
