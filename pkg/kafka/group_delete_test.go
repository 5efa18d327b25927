package kafka

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// left are the sort keys of a group's items.
func left(t *testing.T, st store.Store, group string) (out []string) {
	t.Helper()
	page, err := st.Query(t.Context(), store.Query{Partition: groupPartition("c1", group)})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range page.Items {
		out = append(out, it.Key.Sort)
	}
	return out
}

func TestNothingIsLeftOfDeletedGroups(t *testing.T) {
	for name, remove := range map[string]func(w *world) error{
		"deleted":        func(w *world) error { return w.e.DeleteGroup(w.Context(), w.cluster, "g") },
		"reclaimed":      func(w *world) error { w.clock.advance(8 * 24 * time.Hour); w.reclaim(); return nil },
		"of the cluster": func(w *world) error { return w.e.DeleteCluster(w.Context(), "c1") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openStore(t))
			w.topic("red", TopicOptions{Partitions: 40})
			w.fill("red", "a")
			for _, i := range []string{"i", "j"} {
				w.consume(i, auto, "red")
			}
			if err := w.e.Commit(t.Context(), w.cluster, "g", "i", nil); err != nil {
				t.Fatal(err)
			}
			if err := w.e.DeleteInstance(t.Context(), w.cluster, "g", "i"); err != nil {
				t.Fatal(err)
			}
			w.wantKind(w.e.DeleteGroup(t.Context(), w.cluster, "g"), Invalid)
			w.clock.advance(10 * time.Minute)
			if err := remove(w); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(time.Hour)
			w.reclaim()
			if keys := left(t, w.store, "g"); len(keys) > 0 {
				t.Errorf("left are %q", keys)
			}
			if names, err := w.e.groupNames(t.Context(), "c1"); err != nil || len(names) > 0 {
				t.Errorf("groups %v, %v", names, err)
			}
		})
	}
}

// A deletion that is cut off at any call is ended by later sweeps; a group of the name that is made meanwhile stays.
func TestDeletionsOfGroupsThatAreCutOff(t *testing.T) {
	for _, anew := range []bool{false, true} {
		for call := 1; ; call++ {
			w := newWorld(t, openStore(t))
			w.topic("red", TopicOptions{Partitions: 40})
			w.consume("i", auto, "red")
			if err := w.e.Commit(t.Context(), w.cluster, "g", "i", nil); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(10 * time.Minute)
			s := &interrupted{Store: w.store, before: call, fail: store.ErrUnavailable}
			e := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
			t.Cleanup(e.Close)
			err := e.DeleteGroup(t.Context(), w.cluster, "g")
			if anew {
				w.consume("new", auto, "red")
				if err := w.e.Commit(t.Context(), w.cluster, "g", "new", []TopicOffset{{TopicPartition{"red", 7}, 3}}); err != nil {
					t.Fatal(err)
				}
			}
			w.clock.advance(2 * time.Hour)
			w.reclaim()
			switch {
			case anew:
				if got := w.committed("red", 7); got != 3 {
					t.Errorf("call %d: the new group has committed %d", call, got)
				}
			case s.calls >= call && err == nil:
				t.Errorf("call %d: a call failed, and the deletion succeeded", call)
			}
			if !anew && err != nil {
				if err := w.e.DeleteGroup(t.Context(), w.cluster, "g"); err != nil && !IsKind(err, NotFound) {
					t.Errorf("call %d: again: %v", call, err)
				}
			}
			if keys := left(t, w.store, "g"); !anew && len(keys) > 0 {
				t.Errorf("call %d: left are %q", call, keys)
			}
			if s.calls < call {
				break
			}
		}
	}
}

// Groups of Kafka's own protocol live as long as their members do, even if nothing is ever committed.
func TestClassicGroupsAreReclaimedOnceTheirMembersAreDead(t *testing.T) {
	inClassicBubble(t, 1, 1, func(w *classicWorld) {
		e, ahead := w.engines[0], time.Duration(0)
		e.now = func() time.Time { return time.Now().Add(ahead) }
		m := w.member(0)
		m.request.Instance, m.request.SessionTimeout = "static", maxClassicSession
		if err := m.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		days := func(n int, do func()) {
			for range n * 72 {
				ahead += 20 * time.Minute
				do()
			}
			if _, err := e.Reclaim(w.Context()); err != nil {
				w.Fatal(err)
			}
		}
		for range 9 {
			days(1, func() { w.wantCode("heartbeat", m.heartbeat(w.Context()), 0) })
		}
		w.wantCode("commit", m.commit(w.Context(), 5), 0)
		days(6, func() {})
		if got, err := e.Committed(w.Context(), e.c, "g", []TopicPartition{{"red", 0}}); err != nil || got[0].Offset != 5 {
			w.Errorf("committed %v, %v", got, err)
		}
		days(2, func() {})
		if keys := left(w.T, w.store, "g"); len(keys) > 0 {
			w.Errorf("left are %q", keys)
		}
		w.wantCode("heartbeat of a forgotten group", m.heartbeat(w.Context()), CodeUnknownMember)
		m.request.Member = ""
		if err := m.join(w.Context()); err != nil || m.last.Generation != 1 {
			w.Errorf("joining the group anew: generation %d, %v", m.last.Generation, err)
		}
	})
}
