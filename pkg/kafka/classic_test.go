package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
)

// classicWorld are several processes over one store, in a bubble.
type classicWorld struct {
	*testing.T
	store   *slow.Store
	engines []crowdEngine
}

func inClassicBubble(t *testing.T, engines, partitions int, f func(w *classicWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		w := &classicWorld{T: t, store: slow.New(inner, slow.Options{Latency: 5 * time.Millisecond})}
		defer w.store.Close()
		for range engines {
			w.engines = append(w.engines, newCrowdEngine(t, w.store))
		}
		if err := w.engines[0].prepare(t.Context(), partitions); err != nil {
			t.Fatal(err)
		}
		f(w)
	})
}

// classicMember is a client that follows the protocol.
type classicMember struct {
	e          crowdEngine
	request    JoinRequest
	last       JoinResponse
	assignment string

	seen *atomic.Pointer[joined] // of the last join, for others than who lives it
}

// joined is what a member has when it has joined.
type joined struct {
	member     string
	generation int32
	assignment string
}

func (w *classicWorld) member(engine int) *classicMember {
	return &classicMember{e: w.engines[engine], seen: new(atomic.Pointer[joined]), request: JoinRequest{
		Group: "g", ClientID: "client", ClientHost: "/127.0.0.1", SessionTimeout: 10 * time.Second, RebalanceTimeout: 30 * time.Second,
		ProtocolType: consumerType, RequireMemberID: true,
		Protocols: []GroupProtocol{{"range", subscriptionOf(&groups.Member{Topics: []string{"red"}})}, {"roundrobin", nil}},
	}}
}

func (m *classicMember) ref() MemberRef {
	return MemberRef{Group: m.request.Group, Member: m.request.Member, Instance: m.request.Instance, Generation: m.last.Generation}
}

// join joins, and syncs. A leader numbers the members.
func (m *classicMember) join(ctx context.Context) error {
	for {
		var err error
		m.last, err = m.e.JoinGroup(ctx, m.e.c, m.request)
		if CodeOf(err) == CodeMemberIDRequired {
			m.request.Member = m.last.Member
			continue
		}
		if err != nil {
			return err
		}
		m.request.Member = m.last.Member
		parts := map[string][]byte{}
		for i, member := range m.last.Members {
			parts[member.Member] = fmt.Appendf(nil, "%d of %d", i, len(m.last.Members))
		}
		got, err := m.e.SyncGroup(ctx, m.e.c, SyncRequest{MemberRef: m.ref(), ProtocolType: consumerType, Protocol: m.last.Protocol, Assignments: parts})
		if CodeOf(err) == CodeRebalanceInProgress {
			continue
		}
		if err != nil {
			return err
		}
		m.assignment = string(got.Assignment)
		m.seen.Store(&joined{m.request.Member, m.last.Generation, m.assignment})
		return nil
	}
}

func (m *classicMember) heartbeat(ctx context.Context) error {
	return m.e.Heartbeat(ctx, m.e.c, m.ref())
}

// live heartbeats, and joins again when it has to, until the context is done.
func (m *classicMember) live(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(3 * time.Second):
		}
		switch err := m.heartbeat(ctx); CodeOf(err) {
		case 0:
		case CodeRebalanceInProgress:
			if err := m.join(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("%s joins again: %v", m.request.Member, err)
			}
		default:
			if ctx.Err() == nil {
				t.Errorf("heartbeat of %s: %v", m.request.Member, err)
			}
		}
	}
}

func (w *classicWorld) wantCode(what string, err error, code Code) {
	w.Helper()
	if CodeOf(err) != code {
		w.Errorf("%s: %v, want code %d", what, err, code)
	}
}

func (m *classicMember) commit(ctx context.Context, offset int64) error {
	errs, err := m.e.CommitOffsets(ctx, m.e.c, m.ref(), []OffsetCommit{{TopicOffset{TopicPartition{"red", 0}, offset}, 3, "note"}})
	return errors.Join(append(errs, err)...)
}

func TestClassicGroupOfOne(t *testing.T) {
	inClassicBubble(t, 1, 2, func(w *classicWorld) {
		m := w.member(0)
		began := time.Now()
		if err := m.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			w.Errorf("joining took %v", took)
		}
		if m.assignment != "0 of 1" || m.last.Generation != 1 || m.last.Leader != m.request.Member || m.last.Protocol != "range" {
			w.Errorf("answer %+v, assignment %q", m.last, m.assignment)
		}
		w.wantCode("heartbeat", m.heartbeat(w.Context()), 0)
		w.wantCode("commit", m.commit(w.Context(), 7), 0)
		got, err := m.e.FetchOffsets(w.Context(), m.e.c, "g", []TopicPartition{{"red", 0}, {"red", 1}, {"none", 0}})
		want := []OffsetCommit{{TopicOffset{TopicPartition{"red", 0}, 7}, 3, "note"}, {TopicOffset{TopicPartition{"red", 1}, -1}, -1, ""}, {TopicOffset{TopicPartition{"none", 0}, -1}, -1, ""}}
		if err != nil || !slices.Equal(got, want) {
			w.Errorf("offsets %+v, %v", got, err)
		}
		if got, err := m.e.FetchOffsets(w.Context(), m.e.c, "g", nil); err != nil || !slices.Equal(got, want[:1]) {
			w.Errorf("all offsets %+v, %v", got, err)
		}
		d, err := m.e.DescribeGroups(w.Context(), m.e.c, []string{"g", "none"})
		if err != nil || d[0].State != StateStable || len(d[0].Members) != 1 || string(d[0].Members[0].Assignment) != "0 of 1" || d[1].State != StateDead {
			w.Errorf("descriptions %+v, %v", d, err)
		}
		if topics, err := m.e.GroupTopics(w.Context(), m.e.c, "g"); err != nil || !slices.Equal(topics, []string{"red"}) {
			w.Errorf("topics %v, %v", topics, err)
		}
		w.wantCode("deleting a group with a member", m.e.RemoveGroup(w.Context(), m.e.c, "g"), CodeNonEmptyGroup)
		w.wantCode("committing without a member", func() error {
			_, err := m.e.CommitOffsets(w.Context(), m.e.c, MemberRef{Group: "g", Generation: -1}, []OffsetCommit{{TopicOffset: TopicOffset{TopicPartition{"red", 0}, 1}}})
			return err
		}(), CodeUnknownMember)
		_, err = m.e.Consume(w.Context(), m.e.c, "g", "i", []string{"red"}, auto, 0)
		if !IsKind(err, InUse) {
			w.Errorf("an instance of the REST API joins: %v", err)
		}
		w.wantCode("heartbeat after that", m.heartbeat(w.Context()), 0)
		errs, err := m.e.LeaveGroup(w.Context(), m.e.c, "g", []Leaver{{Member: m.request.Member}, {Member: "other"}})
		if err != nil || CodeOf(errs[0]) != 0 || CodeOf(errs[1]) != CodeUnknownMember {
			w.Errorf("leaving: %v, %v", errs, err)
		}
		w.wantCode("heartbeat after leaving", m.heartbeat(w.Context()), CodeUnknownMember)
		w.wantCode("commit after leaving", m.commit(w.Context(), 9), CodeUnknownMember)
		if _, err := m.e.Consume(w.Context(), m.e.c, "g", "i", []string{"red"}, manualCommit, 0); err != nil {
			w.Errorf("an instance of the REST API joins the empty group: %v", err)
		}
		_, err = m.e.JoinGroup(w.Context(), m.e.c, m.request)
		w.wantCode("joining instances of the REST API", err, CodeInconsistentProtocol)
		if err := m.e.DeleteInstance(w.Context(), m.e.c, "g", "i"); err != nil {
			w.Fatal(err)
		}
		if got, err := m.e.Committed(w.Context(), m.e.c, "g", []TopicPartition{{"red", 0}}); err != nil || got[0].Offset != 7 {
			w.Errorf("committed %v, %v", got, err)
		}
		if err := m.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		if m.last.Generation < 3 {
			w.Errorf("generation %d", m.last.Generation)
		}
	})
}

func TestClassicRefusals(t *testing.T) {
	inClassicBubble(t, 1, 1, func(w *classicWorld) {
		first := w.member(0)
		if err := first.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		for _, tt := range []struct {
			name   string
			change func(*JoinRequest)
			want   Code
		}{
			{"no group", func(r *JoinRequest) { r.Group = "" }, CodeInvalidGroupID},
			{"a short session", func(r *JoinRequest) { r.SessionTimeout = time.Second }, CodeInvalidSessionTimeout},
			{"a long session", func(r *JoinRequest) { r.SessionTimeout = time.Hour }, CodeInvalidSessionTimeout},
			{"no protocols", func(r *JoinRequest) { r.Protocols = nil }, CodeInconsistentProtocol},
			{"another protocol type", func(r *JoinRequest) { r.ProtocolType = "connect" }, CodeInconsistentProtocol},
			{"no common protocol", func(r *JoinRequest) { r.Protocols = []GroupProtocol{{"sticky", nil}} }, CodeInconsistentProtocol},
			{"an id of its own", func(r *JoinRequest) { r.Member = "client-1" }, CodeUnknownMember},
			{"a static member with an id and no instance", func(r *JoinRequest) { r.Instance, r.Member = "s", first.request.Member }, CodeUnknownMember},
			{"large metadata", func(r *JoinRequest) { r.Protocols[0].Metadata = make([]byte, 65<<10) }, CodeInvalidRequest},
		} {
			r := w.member(0).request
			tt.change(&r)
			_, err := w.engines[0].JoinGroup(w.Context(), w.engines[0].c, r)
			w.wantCode(tt.name, err, tt.want)
		}
		ref := first.ref()
		ref.Generation++
		w.wantCode("heartbeat of another generation", w.engines[0].Heartbeat(w.Context(), w.engines[0].c, ref), CodeIllegalGeneration)
		_, err := w.engines[0].SyncGroup(w.Context(), w.engines[0].c, SyncRequest{MemberRef: ref})
		w.wantCode("sync of another generation", err, CodeIllegalGeneration)
		_, err = w.engines[0].SyncGroup(w.Context(), w.engines[0].c, SyncRequest{MemberRef: first.ref(), Protocol: "roundrobin"})
		w.wantCode("sync of another protocol", err, CodeInconsistentProtocol)
		errs, err := w.engines[0].CommitOffsets(w.Context(), w.engines[0].c, first.ref(), []OffsetCommit{
			{TopicOffset{TopicPartition{"red", 0}, 1}, -1, string(make([]byte, 5000))}, {TopicOffset{TopicPartition{"red", 1}, 1}, -1, ""},
			{TopicOffset{TopicPartition{"red", 0}, -2}, -1, ""}, {TopicOffset{TopicPartition{"red", 0}, 4}, -1, ""},
		})
		var codes []Code
		for _, err := range errs {
			codes = append(codes, CodeOf(err))
		}
		if err != nil || !slices.Equal(codes, []Code{CodeOffsetMetadataTooLarge, CodeUnknownTopicOrPartition, CodeInvalidRequest, 0}) {
			w.Errorf("commits: %v, %v", codes, err)
		}
	})
}

// Members join through several processes; one of them dies, and one leaves.
func TestClassicGroupAcrossProcesses(t *testing.T) {
	inClassicBubble(t, 3, 1, func(w *classicWorld) {
		ctx, stop := context.WithCancel(w.Context())
		defer stop()
		var members []*classicMember
		var joining, living sync.WaitGroup
		for i := range 6 {
			m := w.member(i % 3)
			members = append(members, m)
			joining.Go(func() {
				if err := m.join(ctx); err != nil {
					w.Error(err)
				}
			})
		}
		joining.Wait()
		parts := func(of []*classicMember) []string {
			var out []string
			for _, m := range of {
				out = append(out, m.seen.Load().assignment)
			}
			slices.Sort(out)
			return out
		}
		if got := fmt.Sprint(parts(members)); got != "[0 of 6 1 of 6 2 of 6 3 of 6 4 of 6 5 of 6]" {
			w.Fatalf("assignments %s", got)
		}
		lives := make([]context.CancelFunc, len(members))
		for i, m := range members {
			var life context.Context
			life, lives[i] = context.WithCancel(ctx)
			living.Go(func() { m.live(life, w.T) })
		}
		time.Sleep(time.Minute)
		for _, m := range members {
			if got, first := m.seen.Load().generation, members[0].seen.Load().generation; got != first {
				w.Errorf("generations %d and %d", got, first)
			}
		}
		lives[1]() // dies
		time.Sleep(30 * time.Second)
		if got := fmt.Sprint(parts(append(slices.Clone(members[:1]), members[2:]...))); got != "[0 of 5 1 of 5 2 of 5 3 of 5 4 of 5]" {
			w.Errorf("after a death: assignments %s", got)
		}
		lives[0]()
		if errs, err := w.engines[2].LeaveGroup(ctx, w.engines[2].c, "g", []Leaver{{Member: members[0].seen.Load().member}}); err != nil || errs[0] != nil {
			w.Errorf("leaving: %v, %v", errs, err)
		}
		time.Sleep(10 * time.Second)
		if got := fmt.Sprint(parts(members[2:])); got != "[0 of 4 1 of 4 2 of 4 3 of 4]" {
			w.Errorf("after one has left: assignments %s", got)
		}
		synctest.Wait()
		w.wantCode("heartbeat of the dead", members[1].heartbeat(ctx), CodeUnknownMember)
		stop()
		living.Wait()
	})
}

// A static member that is started again gets what it had, and nobody has to join again. Who was the instance
// before is fenced.
func TestStaticMembersComeBack(t *testing.T) {
	inClassicBubble(t, 2, 1, func(w *classicWorld) {
		a, b := w.member(0), w.member(1)
		a.request.Instance, b.request.Instance = "a", "b"
		var joining sync.WaitGroup
		for _, m := range []*classicMember{a, b} {
			joining.Go(func() {
				if err := m.join(w.Context()); err != nil {
					w.Error(err)
				}
			})
		}
		joining.Wait()
		for _, old := range []*classicMember{a, b} {
			again := w.member(1)
			again.request.Instance = old.request.Instance
			if err := again.join(w.Context()); err != nil {
				w.Fatal(err)
			}
			if again.assignment != old.assignment || again.last.Generation != old.last.Generation || again.request.Member == old.request.Member || len(again.last.Members) != 0 {
				w.Errorf("instance %s: %q, generation %d; before %q, %d", old.request.Instance, again.assignment, again.last.Generation, old.assignment, old.last.Generation)
			}
			time.Sleep(2 * time.Second) // what a process knows of a group may be a second old
			w.wantCode("heartbeat of the one before", old.heartbeat(w.Context()), CodeFencedInstance)
			w.wantCode("commit of the one before", old.commit(w.Context(), 1), CodeFencedInstance)
			_, err := old.e.JoinGroup(w.Context(), old.e.c, old.request)
			w.wantCode("join of the one before", err, CodeFencedInstance)
			w.wantCode("heartbeat", again.heartbeat(w.Context()), 0)
			*old = *again
		}
		errs, err := w.engines[0].LeaveGroup(w.Context(), w.engines[0].c, "g", []Leaver{{Instance: "a"}, {Instance: "c"}, {Instance: "b", Member: "x"}})
		if err != nil || CodeOf(errs[0]) != 0 || CodeOf(errs[1]) != CodeUnknownMember || CodeOf(errs[2]) != CodeFencedInstance {
			w.Errorf("leaving: %v, %v", errs, err)
		}
		time.Sleep(2 * time.Second) // what a process knows of a group may be a second old
		w.wantCode("heartbeat after another has left", b.heartbeat(w.Context()), CodeRebalanceInProgress)
		if err := b.join(w.Context()); err != nil || b.assignment != "0 of 1" {
			w.Errorf("alone: %q, %v", b.assignment, err)
		}
	})
}

// A cooperative assignor has members join again right after a sync, with other metadata. Commits go on meanwhile.
func TestMembersThatSaySomethingElseJoinAgain(t *testing.T) {
	inClassicBubble(t, 2, 1, func(w *classicWorld) {
		a, b := w.member(0), w.member(1)
		if err := a.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		same := make(chan error, 1)
		go func() { same <- b.join(w.Context()) }()
		time.Sleep(500 * time.Millisecond)
		w.wantCode("heartbeat while another joins", a.heartbeat(w.Context()), CodeRebalanceInProgress)
		w.wantCode("commit while another joins", a.commit(w.Context(), 5), 0)
		if err := a.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		if err := <-same; err != nil {
			w.Fatal(err)
		}
		generation := a.last.Generation
		follower, leader := a, b
		if a.last.Leader != a.request.Member {
			w.Errorf("the leader has changed")
		} else {
			follower, leader = b, a
		}
		if err := follower.join(w.Context()); err != nil || follower.last.Generation != generation {
			w.Errorf("a follower that says the same joins: generation %d, %v", follower.last.Generation, err)
		}
		follower.request.Protocols = slices.Clone(follower.request.Protocols)
		follower.request.Protocols[0].Metadata = append(slices.Clone(follower.request.Protocols[0].Metadata), 1)
		go func() { same <- follower.join(w.Context()) }()
		time.Sleep(500 * time.Millisecond)
		w.wantCode("heartbeat", leader.heartbeat(w.Context()), CodeRebalanceInProgress)
		if err := leader.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		if err := <-same; err != nil || follower.last.Generation != generation+1 || leader.last.Generation != generation+1 {
			w.Errorf("generations %d and %d, %v", follower.last.Generation, leader.last.Generation, err)
		}
	})
}

// Once a newer generation was told where to start, nobody of an older one commits.
func TestCommitsOfOlderGenerationsAreRefused(t *testing.T) {
	inClassicBubble(t, 2, 1, func(w *classicWorld) {
		old := w.member(0)
		if err := old.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.wantCode("commit", old.commit(w.Context(), 5), 0)
		room, leave, err := old.e.room(w.Context(), "c1", "g")
		if err != nil {
			w.Fatal(err)
		}
		record := room.record
		leave()
		next := w.member(1)
		next.request.RebalanceTimeout = 6 * time.Second
		if err := next.join(w.Context()); err != nil { // drops the other one, which is silent
			w.Fatal(err)
		}
		late := blockCommit{partition: 0, offset: 6, classic: true, epoch: -1, generation: int64(old.last.Generation)}
		if refused, err := old.e.commitBlock(w.Context(), record, groups.BlockOf(1, 0), []blockCommit{late}); err != nil || len(refused) > 0 {
			w.Errorf("before the new generation has asked: refused %v, %v", refused, err)
		}
		got, err := next.e.FetchOffsets(w.Context(), next.e.c, "g", []TopicPartition{{"red", 0}})
		if err != nil || got[0].Offset != 6 {
			w.Errorf("the new generation begins at %+v, %v", got, err)
		}
		late.offset = 7
		if refused, err := old.e.commitBlock(w.Context(), record, groups.BlockOf(1, 0), []blockCommit{late}); err != nil || len(refused) != 1 {
			w.Errorf("after the new generation has asked: refused %v, %v", refused, err)
		}
		w.wantCode("commit", next.commit(w.Context(), 8), 0)
	})
}

// Offsets may be stored by somebody who is never a member.
func TestGroupsOfOffsetsAlone(t *testing.T) {
	inClassicBubble(t, 1, 1, func(w *classicWorld) {
		e := w.engines[0]
		commit := func(offset int64) error {
			errs, err := e.CommitOffsets(w.Context(), e.c, MemberRef{Group: "g", Generation: -1}, []OffsetCommit{{TopicOffset{TopicPartition{"red", 0}, offset}, -1, ""}})
			return errors.Join(append(errs, err)...)
		}
		w.wantCode("commit", commit(4), 0)
		w.wantCode("commit of no offset", commit(-1), 0)
		if got, err := e.FetchOffsets(w.Context(), e.c, "g", nil); err != nil || len(got) != 0 {
			w.Errorf("offsets %+v, %v", got, err)
		}
		w.wantCode("commit", commit(5), 0)
		list, err := e.ListGroups(w.Context(), e.c)
		if err != nil || len(list) != 1 || list[0].Name != "g" || list[0].State != StateEmpty {
			w.Errorf("groups %+v, %v", list, err)
		}
		if errs, err := e.DeleteOffsets(w.Context(), e.c, "g", []TopicPartition{{"red", 0}, {"red", 1}}); err != nil || errs[0] != nil || CodeOf(errs[1]) != CodeUnknownTopicOrPartition {
			w.Errorf("deleting offsets: %v, %v", errs, err)
		}
		if got, err := e.Committed(w.Context(), e.c, "g", []TopicPartition{{"red", 0}}); err != nil || got[0].Offset != -1 {
			w.Errorf("committed %v, %v", got, err)
		}
		_, err = e.DeleteOffsets(w.Context(), e.c, "none", []TopicPartition{{"red", 0}})
		w.wantCode("deleting offsets of no group", err, CodeGroupNotFound)
		w.wantCode("commit", commit(6), 0)
		w.wantCode("deleting the group", e.RemoveGroup(w.Context(), e.c, "g"), 0)
		w.wantCode("deleting it again", e.RemoveGroup(w.Context(), e.c, "g"), CodeGroupNotFound)
		if got, err := e.FetchOffsets(w.Context(), e.c, "g", nil); err != nil || len(got) != 0 {
			w.Errorf("offsets of the deleted group %+v, %v", got, err)
		}
	})
}

// A commit of which nothing is stored makes no group, as with Kafka.
func TestRefusedCommitsMakeNoGroup(t *testing.T) {
	inClassicBubble(t, 1, 1, func(w *classicWorld) {
		e := w.engines[0]
		red, none := TopicPartition{"red", 0}, TopicPartition{"none", 0}
		stranger, late := MemberRef{Group: "g", Generation: -1}, MemberRef{Group: "g", Member: "m", Generation: 3}
		for _, c := range []struct {
			what string
			from MemberRef
			of   OffsetCommit
			want Code
		}{
			{"an unknown topic", stranger, OffsetCommit{TopicOffset{none, 1}, -1, ""}, CodeUnknownTopicOrPartition},
			{"an unknown partition", stranger, OffsetCommit{TopicOffset{TopicPartition{"red", 9}, 1}, -1, ""}, CodeUnknownTopicOrPartition},
			{"too many metadata", stranger, OffsetCommit{TopicOffset{red, 1}, -1, strings.Repeat("x", maxOffsetMetadataBytes+1)}, CodeOffsetMetadataTooLarge},
			{"a negative offset", stranger, OffsetCommit{TopicOffset{red, -2}, -1, ""}, CodeInvalidRequest},
			{"no such member", late, OffsetCommit{TopicOffset{red, 1}, -1, ""}, CodeIllegalGeneration},
			{"no such member, and an unknown topic", late, OffsetCommit{TopicOffset{none, 1}, -1, ""}, CodeUnknownTopicOrPartition},
		} {
			errs, err := e.CommitOffsets(w.Context(), e.c, c.from, []OffsetCommit{c.of})
			w.wantCode(c.what, errors.Join(append(errs, err)...), c.want)
			w.wantCode(c.what+": deleting the group", e.RemoveGroup(w.Context(), e.c, "g"), CodeGroupNotFound)
			_, err = e.DeleteOffsets(w.Context(), e.c, "g", []TopicPartition{red})
			w.wantCode(c.what+": deleting its offsets", err, CodeGroupNotFound)
			if list, err := e.ListGroups(w.Context(), e.c); err != nil || len(list) != 0 {
				w.Errorf("%s: groups %+v, %v", c.what, list, err)
			}
		}
		errs, err := e.CommitOffsets(w.Context(), e.c, stranger, []OffsetCommit{{TopicOffset{none, 1}, -1, ""}, {TopicOffset{red, 1}, -1, ""}})
		if err != nil || CodeOf(errs[0]) != CodeUnknownTopicOrPartition || errs[1] != nil {
			w.Errorf("one of two: %v, %v", errs, err)
		}
		w.wantCode("deleting the group of one of two", e.RemoveGroup(w.Context(), e.c, "g"), 0)
	})
}
