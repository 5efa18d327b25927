package kafka

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// A group has members of one kind, however many of both come at once, to whatever process.
func TestKindsOfMembersDoNotMix(t *testing.T) {
	assigned, classic := 0, 0
	for delay := range 24 {
		inClassicBubble(t, 3, 10, func(w *classicWorld) {
			var joining sync.WaitGroup
			for i := range 4 {
				joining.Go(func() {
					time.Sleep(time.Duration(max(0, delay-12)) * 10 * time.Millisecond)
					e := w.engines[i%3]
					_, err := e.Consume(w.Context(), e.c, "g", fmt.Sprint(i), []string{"red"}, auto, 0)
					if err != nil && !IsKind(err, InUse) {
						w.Errorf("an instance of the REST API: %v", err)
					}
				})
				joining.Go(func() {
					time.Sleep(time.Duration(max(0, 12-delay)) * 10 * time.Millisecond)
					err := w.member((i + 1) % 3).join(w.Context())
					if code := CodeOf(err); code != 0 && code != CodeInconsistentProtocol {
						w.Errorf("a member of Kafka's own protocol: %v", err)
					}
				})
			}
			joining.Wait()
			e := w.engines[0]
			g, err := e.loadGroup(w.Context(), "c1", "g")
			if err != nil {
				w.Fatal(err)
			}
			instances, members := len(g.live(e.nowMs())), len(classicOf(g.attrs).State)
			switch {
			case instances > 0 && members > 0:
				w.Errorf("delay %d: %d instances, and state %q", delay, instances, classicOf(g.attrs).State)
			case instances > 0:
				assigned++
			case members > 0:
				classic++
			}
		})
	}
	if assigned == 0 || classic == 0 {
		t.Errorf("%d times the one kind came first, and %d times the other", assigned, classic)
	}
}

// Whoever has left is told so once, and the others learn it, even if somebody else writes the group meanwhile.
func TestLeavingIsTriedAgain(t *testing.T) {
	for call, calls := 1, 1; call <= calls; call++ {
		inClassicBubble(t, 1, 1, func(w *classicWorld) {
			a, b := w.member(0), w.member(0)
			var joining sync.WaitGroup
			for _, m := range []*classicMember{a, b} {
				joining.Go(func() {
					if err := m.join(w.Context()); err != nil {
						w.Error(err)
					}
				})
			}
			joining.Wait()
			s := &interrupted{Store: w.store, before: call, fail: fmt.Errorf("test: %w", store.ErrConflict)}
			other := newCrowdEngine(w, s)
			errs, err := other.LeaveGroup(w.Context(), other.c, "g", []Leaver{{Member: a.request.Member}})
			calls = s.calls
			if err != nil || errs[0] != nil {
				w.Fatalf("before call %d: leaving: %v, %v", call, errs, err)
			}
			time.Sleep(2 * time.Second) // what a process knows of a group may be a second old
			w.wantCode("heartbeat", b.heartbeat(w.Context()), CodeRebalanceInProgress)
			if err := b.join(w.Context()); err != nil || b.assignment != "0 of 1" {
				w.Errorf("alone: %q, %v", b.assignment, err)
			}
			w.wantCode("heartbeat of who has left", a.heartbeat(w.Context()), CodeUnknownMember)
		})
	}
}

func TestMembersOfBothKindsAreListedWithTheirLag(t *testing.T) {
	inClassicBubble(t, 1, 2, func(w *classicWorld) {
		e, m := w.engines[0], w.member(0)
		m.request.Instance = "static"
		r, err := e.JoinGroup(w.Context(), e.c, m.request)
		if err != nil {
			w.Fatal(err)
		}
		ref := MemberRef{"g", r.Member, "static", r.Generation}
		given := assignmentOf(&groups.Member{Runs: []groups.Run{{Topic: "red", First: 1, Places: make([]groups.Place, 1)}, {Topic: "gone", Places: make([]groups.Place, 1)}}})
		if _, err := e.SyncGroup(w.Context(), e.c, SyncRequest{MemberRef: ref, Assignments: map[string][]byte{r.Member: given}}); err != nil {
			w.Fatal(err)
		}
		errs, err := e.CommitOffsets(w.Context(), e.c, ref, []OffsetCommit{{TopicOffset{TopicPartition{"red", 0}, 0}, -1, ""}})
		if err != nil || errs[0] != nil {
			w.Fatal(errs, err)
		}
		lag, err := e.Lag(w.Context(), e.c, "g")
		if err != nil {
			w.Fatal(err)
		}
		want := []PartitionLag{
			{TopicPartition: TopicPartition{"red", 0}, Position: groups.None},
			{TopicPartition: TopicPartition{"red", 1}, Instance: "static", Committed: groups.None, Position: groups.None, Lag: -1},
		}
		if !slices.Equal(lag.Instances, []string{"static"}) || !slices.Equal(lag.Partitions, want) {
			w.Errorf("%+v", lag)
		}
		all, err := e.Groups(w.Context(), e.c)
		if got := fmt.Sprintf("%+v", all); err != nil || got != "[{Name:g Instances:[{Name:static Topics:[red] Partitions:[{Topic:gone Partition:0} {Topic:red Partition:1}]}]}]" {
			w.Errorf("%s, %v", got, err)
		}
	})
}

// A member that has died, and comes back, does not commit over a reset.
func TestResetOutlivesMembersThatHaveDied(t *testing.T) {
	inClassicBubble(t, 2, 2, func(w *classicWorld) {
		m := w.member(0)
		if err := m.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.wantCode("commit", m.commit(w.Context(), 7), 0)
		time.Sleep(time.Minute)
		e := w.engines[1]
		for offset := range int64(3) { // also right after one another
			if err := e.ResetOffsets(w.Context(), e.c, "g", []TopicOffset{{TopicPartition{"red", 0}, offset}}); err != nil {
				w.Fatalf("reset: %v", err)
			}
		}
		for _, at := range w.engines {
			m.e = at
			if err := m.commit(w.Context(), 9); err == nil {
				w.Error("a member that has died commits")
			}
		}
		if err := m.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		got, err := m.e.FetchOffsets(w.Context(), m.e.c, "g", []TopicPartition{{"red", 0}})
		if err != nil || got[0].Offset != 2 {
			w.Errorf("offsets %+v, %v", got, err)
		}
		w.wantCode("commit after joining", m.commit(w.Context(), 5), 0)
	})
}

// Offsets of a group are not reset under members of Kafka's own protocol, which would go on and commit over it.
func TestOffsetsAreNotResetUnderNativeMembers(t *testing.T) {
	inClassicBubble(t, 2, 2, func(w *classicWorld) {
		m := w.member(0)
		if err := m.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.wantCode("commit", m.commit(w.Context(), 7), 0)
		to := []TopicOffset{{TopicPartition{"red", 0}, 3}}
		for _, e := range w.engines {
			if err := e.ResetOffsets(w.Context(), e.c, "g", to); !IsKind(err, InUse) {
				w.Errorf("reset under a member: %v", err)
			}
		}
		if _, err := m.e.LeaveGroup(w.Context(), m.e.c, "g", []Leaver{{Member: m.request.Member}}); err != nil {
			w.Fatal(err)
		}
		e := w.engines[1]
		if err := e.ResetOffsets(w.Context(), e.c, "g", to); err != nil {
			w.Errorf("reset after the member has left: %v", err)
		}
		// What the member sends late changes nothing, wherever it arrives.
		for _, late := range w.engines {
			m.e = late
			if err := m.commit(w.Context(), 9); err == nil {
				w.Error("a member that has left commits")
			}
		}
		if got, err := e.Committed(w.Context(), e.c, "g", []TopicPartition{{"red", 0}}); err != nil || got[0].Offset != 3 {
			w.Errorf("committed %v, %v", got, err)
		}
	})
}
