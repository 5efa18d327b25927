package kafka

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// interrupted is a store that does something else before one of its calls.
type interrupted struct {
	store.Store
	calls  int
	before int // the number of the call
	do     func()
	fail   error // what that call then answers, instead of being carried out; nil: it is carried out
}

func (s *interrupted) next() error {
	if s.calls++; s.calls == s.before {
		if s.do != nil {
			s.do()
		}
		return s.fail
	}
	return nil
}

func (s *interrupted) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	if err := s.next(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *interrupted) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	if err := s.next(); err != nil {
		return nil, err
	}
	return s.Store.GetMany(ctx, keys, snapshot)
}

func (s *interrupted) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if err := s.next(); err != nil {
		return store.Page{}, err
	}
	return s.Store.Query(ctx, q)
}

func (s *interrupted) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if err := s.next(); err != nil {
		return nil, err
	}
	return s.Store.Apply(ctx, op)
}

func (s *interrupted) Commit(ctx context.Context, ops []store.Op) error {
	if err := s.next(); err != nil {
		return err
	}
	return s.Store.Commit(ctx, ops)
}

func (s *interrupted) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	if err := s.next(); err != nil {
		return err
	}
	return s.Store.Load(ctx, puts, deletes)
}

// atEachCallOfReclaim runs Reclaim in a new world for each of its calls to the store, and does
// something before that call. check looks at what is left.
func atEachCallOfReclaim(t *testing.T, prepare, do, check func(w *world)) {
	t.Helper()
	for call, calls := 1, 1; call <= calls; call++ {
		t.Run(fmt.Sprintf("before call %d", call), func(t *testing.T) {
			w := newWorld(t, openStore(t))
			prepare(w)
			s := &interrupted{Store: w.store, before: call, do: func() { do(w) }}
			sweeper := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
			t.Cleanup(sweeper.Close)
			if _, err := sweeper.Reclaim(t.Context()); err != nil {
				t.Fatal(err)
			}
			if calls = s.calls; calls < call {
				return
			}
			check(w)
			w.reclaim()
			check(w)
		})
	}
}

func TestReclaimLeavesOffsetsOfTopicsThatAreCreatedMeanwhile(t *testing.T) {
	blue := []TopicOffset{{TopicPartition{"blue", 0}, 3}}
	atEachCallOfReclaim(t, func(w *world) {
		w.topic("red", TopicOptions{Partitions: 8})
		w.consume("i", auto, "red")
	}, func(w *world) {
		w.topic("blue", TopicOptions{})
		w.consume("i", auto, "red", "blue")
		if err := w.e.Commit(w.Context(), w.cluster, "g", "i", blue); err != nil {
			w.Fatal(err)
		}
	}, func(w *world) {
		got, err := w.e.Committed(w.Context(), w.cluster, "g", []TopicPartition{blue[0].TopicPartition})
		if err != nil || got[0].Offset != 3 {
			w.Errorf("committed %+v, %v", got, err)
		}
	})
}

func TestReclaimLeavesGroupsThatAreCreatedMeanwhile(t *testing.T) {
	for call := 1; ; call++ {
		w := newWorld(t, openStore(t))
		w.topic("red", TopicOptions{})
		s := &interrupted{Store: w.store, before: call, do: w.reclaim}
		e := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(e.Close)
		if _, err := e.Consume(t.Context(), w.cluster, "g", "i", []string{"red"}, auto, 0); err != nil {
			t.Fatal(err)
		}
		groups, err := w.e.Groups(t.Context(), w.cluster)
		if err != nil || len(groups) != 1 {
			t.Errorf("before call %d: groups %+v, %v", call, groups, err)
		}
		if s.calls < call {
			return
		}
	}
}

func TestReclaimLeavesGroupsThatAreUsedAgainMeanwhile(t *testing.T) {
	atEachCallOfReclaim(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.fill("red", "a", "b")
		w.consume("i", auto, "red")
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "g", "i"); err != nil {
			w.Fatal(err)
		}
		w.clock.advance(8 * 24 * time.Hour)
	}, func(w *world) { w.consume("i", auto, "red") }, func(w *world) {
		groups, err := w.e.Groups(w.Context(), w.cluster)
		if err != nil || len(groups) != 1 {
			w.Errorf("groups %+v, %v", groups, err)
		}
	})
}

// A creation may be so slow that Reclaim takes it for abandoned. Whoever is first wins.
func TestTopicIsCreatedOrGivenUpNeverBoth(t *testing.T) {
	for call := 1; ; call++ {
		w := newWorld(t, openStore(t))
		s := &interrupted{Store: w.store, before: call, do: func() {
			w.clock.advance(2 * time.Hour)
			w.reclaim()
		}}
		slow := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(slow.Close)
		_, err := slow.CreateTopic(t.Context(), w.cluster, "red", TopicOptions{Partitions: 2})
		topics, listErr := w.e.Topics(t.Context(), w.cluster)
		if listErr != nil || (err == nil) != (len(topics) == 1) {
			t.Errorf("before call %d: created %v, topics %v, %v", call, err, topics, listErr)
		}
		if err == nil {
			w.fill("red", "a")
			w.reclaim()
			w.wantValues(w.fetch("red", 0), "a")
		} else if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("before call %d: %v", call, err)
		}
		if s.calls < call {
			return
		}
	}
}

func TestTopicIsNotCreatedInAClusterThatIsDeletedMeanwhile(t *testing.T) {
	for call := 1; ; call++ {
		w := newWorld(t, openStore(t))
		s := &interrupted{Store: w.store, before: call, do: func() {
			if err := w.e.DeleteCluster(t.Context(), "c1"); err != nil {
				t.Fatal(err)
			}
		}}
		slow := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(slow.Close)
		_, err := slow.CreateTopic(t.Context(), w.cluster, "red", TopicOptions{Partitions: 2})
		if s.calls < call {
			return
		}
		w.wantKind(err, NotFound)
	}
}

func TestOneLogThatCannotBeReclaimedKeepsNoOtherFromIt(t *testing.T) {
	firstOnly, secondOnly := false, false
	for call := 1; ; call++ {
		w := newWorld(t, openStore(t))
		w.topic("blue", TopicOptions{Retention: time.Hour})
		w.topic("red", TopicOptions{Retention: time.Hour})
		w.fill("blue", "a")
		w.fill("red", "a")
		w.clock.advance(2 * time.Hour)
		s := &interrupted{Store: w.store, before: call, fail: store.ErrThrottled}
		sweeper := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(sweeper.Close)
		_, err := sweeper.Reclaim(t.Context())
		if s.calls < call {
			break
		}
		if !errors.Is(err, store.ErrThrottled) {
			t.Fatalf("call %d: %v", call, err)
		}
		firstLeft, secondLeft := w.head("blue").start == 0, w.head("red").start == 0
		firstOnly = firstOnly || firstLeft && !secondLeft
		secondOnly = secondOnly || !firstLeft && secondLeft
	}
	if !firstOnly || !secondOnly {
		t.Errorf("failed in the first log alone: %v, in the second alone: %v", firstOnly, secondOnly)
	}
}
