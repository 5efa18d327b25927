package kafka

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// Two hundred clients of several processes join at once.
func TestManyClassicMembersJoinAtOnce(t *testing.T) {
	units := func(members int) (total float64) {
		inClassicBubble(t, 2, 1, func(w *classicWorld) {
			w.store.Reset()
			began := time.Now()
			var joining sync.WaitGroup
			got := make([]*classicMember, members)
			for i := range members {
				got[i] = w.member(i % 2)
				joining.Go(func() {
					if err := got[i].join(w.Context()); err != nil {
						w.Error(err)
					}
				})
			}
			joining.Wait()
			took, counts := time.Since(began), w.store.Counts()
			w.Logf("%d members: %v, %v read and %v write units", members, took.Round(time.Millisecond), counts.ReadUnits, counts.WriteUnits)
			if took > 5*time.Second || counts.WriteUnits > 900 || counts.ReadUnits > 1000 {
				w.Errorf("%d members: %v, %v read and %v write units", members, took, counts.ReadUnits, counts.WriteUnits)
			}
			parts := map[string]bool{}
			for _, m := range got {
				parts[m.assignment] = true
			}
			if len(parts) != members {
				w.Errorf("%d members have %d parts", members, len(parts))
			}
			total = counts.ReadUnits + counts.WriteUnits
		})
		return total
	}
	if half, all := units(100), units(200); all > 2.2*half {
		t.Errorf("200 members cost %v units, 100 %v", all, half)
	}
}

// A stable group costs what one look a second costs, however many members it has.
func TestIdleClassicGroupsCostLittle(t *testing.T) {
	inClassicBubble(t, 1, 1, func(w *classicWorld) {
		ctx, stop := context.WithCancel(w.Context())
		var joining, living sync.WaitGroup
		members := make([]*classicMember, 50)
		for i := range members {
			members[i] = w.member(0)
			members[i].request.SessionTimeout = 45 * time.Second
			joining.Go(func() {
				if err := members[i].join(ctx); err != nil {
					w.Error(err)
				}
			})
		}
		joining.Wait()
		for _, m := range members {
			living.Go(func() { m.live(ctx, w.T) })
		}
		time.Sleep(time.Minute)
		w.store.Reset()
		time.Sleep(time.Minute)
		if c := w.store.Counts(); c.ReadUnits > 66 || c.WriteUnits > 18 {
			w.Errorf("%d members take %v read and %v write units in a minute", len(members), c.ReadUnits, c.WriteUnits)
		}
		stop()
		living.Wait()
	})
}

// Whoever waits is told when its server goes down.
func TestClosedEnginesSendClassicMembersAway(t *testing.T) {
	inClassicBubble(t, 2, 1, func(w *classicWorld) {
		a, b := w.member(0), w.member(1)
		if err := a.join(w.Context()); err != nil {
			w.Fatal(err)
		}
		joined := make(chan error, 1)
		go func() { joined <- b.join(w.Context()) }()
		time.Sleep(time.Second)
		b.e.Close()
		w.wantCode("join", <-joined, CodeNotCoordinator)
	})
}

// The life of a group on both stores, in real time.
func TestClassicGroupsOnEachStore(t *testing.T) {
	for name, open := range map[string]func(testing.TB) store.Store{
		"embedded": openStore, "dynamo": func(t testing.TB) store.Store { return dynamolocal.Open(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := open(t)
			w := &classicWorld{T: t, engines: []crowdEngine{newCrowdEngine(t, st), newCrowdEngine(t, st)}}
			if err := w.engines[0].prepare(t.Context(), 40); err != nil {
				t.Fatal(err)
			}
			a, b := w.member(0), w.member(1)
			a.request.Instance = "a"
			for _, m := range []*classicMember{a, b} { // however slow the machine is
				m.request.SessionTimeout, m.request.RebalanceTimeout = maxClassicSession, maxClassicSession
			}
			if err := a.join(t.Context()); err != nil {
				t.Fatal(err)
			}
			joined := make(chan error, 1)
			go func() { joined <- b.join(t.Context()) }()
			for CodeOf(a.heartbeat(t.Context())) != CodeRebalanceInProgress {
				time.Sleep(10 * time.Millisecond)
			}
			if err := a.join(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-joined; err != nil || a.assignment == b.assignment {
				t.Errorf("%q and %q, %v", a.assignment, b.assignment, err)
			}
			again := w.member(0)
			again.request = a.request
			again.request.Member = ""
			if err := again.join(t.Context()); err != nil || again.assignment != a.assignment {
				t.Errorf("%q, %v, want %q", again.assignment, err, a.assignment)
			}
			var offsets []OffsetCommit
			for p := range 40 {
				offsets = append(offsets, OffsetCommit{TopicOffset{TopicPartition{"red", p}, int64(p)}, 0, "note"})
			}
			if errs, err := again.e.CommitOffsets(t.Context(), again.e.c, again.ref(), offsets); err != nil || errors.Join(errs...) != nil {
				t.Errorf("commit: %v, %v", errs, err)
			}
			if got, err := b.e.FetchOffsets(t.Context(), b.e.c, "g", nil); err != nil || !slices.Equal(got, offsets) {
				t.Errorf("offsets %+v, %v", got, err)
			}
			errs, err := b.e.LeaveGroup(t.Context(), b.e.c, "g", []Leaver{{Instance: "a"}, {Member: b.request.Member}})
			if err != nil || errors.Join(errs...) != nil {
				t.Errorf("leaving: %v, %v", errs, err)
			}
			if got, err := b.e.Consume(t.Context(), b.e.c, "g", "i", []string{"red"}, auto, 0); err != nil || len(got) > 0 {
				t.Errorf("an instance of the REST API: %d messages, %v", len(got), err)
			}
			if err := b.e.DeleteInstance(t.Context(), b.e.c, "g", "i"); err != nil {
				t.Error(err)
			}
			w.wantCode("deleting offsets", func() error {
				errs, err := b.e.DeleteOffsets(t.Context(), b.e.c, "g", []TopicPartition{{"red", 3}})
				return errors.Join(append(errs, err)...)
			}(), 0)
			if err := b.e.RemoveGroup(t.Context(), b.e.c, "g"); err != nil {
				t.Error(err)
			}
			if keys := left(t, st, "g"); len(keys) > 0 {
				t.Errorf("left are %q", keys)
			}
		})
	}
}
