package kafka

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/testenv/leaving"
)

// inBubble runs a test with a world in a synctest bubble, whose clock is the engine's.
func inBubble(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openStore(t))
		w.e.now = time.Now
		w.e.retry = w.e.retry.WithClock(time.Now)
		f(w)
	})
}

// waiting is a call of Consume that goes on in the background.
type waiting struct {
	got []Message
	err error
	end chan struct{}
}

func (w *world) poll(instance string, o InstanceOptions, timeout time.Duration) *waiting {
	p := &waiting{end: make(chan struct{})}
	go func() {
		defer close(p.end)
		p.got, p.err = w.e.Consume(w.Context(), w.cluster, "g", instance, []string{"red"}, o, timeout)
	}()
	return p
}

func (p *waiting) wantNothing(w *world, why string) {
	w.Helper()
	<-p.end
	if len(p.got) != 0 || p.err != nil {
		w.Errorf("%s: the call answers %d messages, %v", why, len(p.got), p.err)
	}
}

// A client that is gone has left a call behind which waits. Its messages are those of the next call.
func TestAbandonedPollsTakeNothingFromTheNextOne(t *testing.T) {
	for name, o := range map[string]InstanceOptions{"automatic": auto, "manual": manualCommit} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				const rounds = 60
				w.topic("red", TopicOptions{})
				w.consume("i", o, "red")
				seen := 0
				for i := range rounds {
					abandoned := w.poll("i", o, 10*time.Second)
					time.Sleep(100 * time.Millisecond)
					live := w.poll("i", o, 10*time.Second)
					time.Sleep(100 * time.Millisecond)
					w.fill("red", fmt.Sprint(i))
					<-live.end
					seen += len(live.got)
					abandoned.wantNothing(w, "abandoned")
				}
				if seen != rounds {
					w.Errorf("the live client has got %d of %d messages", seen, rounds)
				}
			})
		})
	}
}

func TestDeletionEndsTheInstancesPoll(t *testing.T) {
	inBubble(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.consume("i", auto, "red")
		p := w.poll("i", auto, 20*time.Second)
		time.Sleep(3 * time.Second)
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "g", "i"); err != nil {
			w.Fatal(err)
		}
		began := time.Now()
		p.wantNothing(w, "after the deletion")
		if took := time.Since(began); took > time.Second {
			w.Errorf("the call has gone on for %v", took)
		}
		if groups, err := w.e.Groups(w.Context(), w.cluster); err != nil || len(groups) != 0 {
			w.Errorf("groups after the deletion: %+v, %v", groups, err)
		}
		w.fill("red", "a")
		w.wantValues(w.consume("j", auto, "red"), "a")
	})
}

// What was answered counts as received only when the instance calls again, or is deleted.
func TestAnswerThatNobodyConfirmedIsGivenToTheSuccessor(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		values := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
		w.fill("red", values...)
		w.wantValues(w.consume("i", auto, "red"), values...)
		w.clock.advance(3 * time.Minute)
		w.wantValues(w.consume("j", auto, "red"), values...)
		w.wantValues(w.consume("j", auto, "red"))
		w.clock.advance(3 * time.Minute)
		w.fill("red", "new")
		w.wantValues(w.consume("k", auto, "red"), "new")
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "g", "k"); err != nil {
			w.Fatal(err)
		}
		if got := w.committed("red", 0); got != 11 {
			w.Errorf("after the instance was closed %d is committed, want all that it was given", got)
		}
	})
}

func TestSessionTimeoutsAreBounded(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	for _, timeout := range []time.Duration{0, time.Millisecond, time.Second - time.Millisecond, 31 * time.Minute} {
		o := auto
		o.SessionTimeout = timeout
		_, err := w.e.Consume(t.Context(), w.cluster, "g", "i", []string{"red"}, o, 0)
		w.wantKind(err, Invalid)
	}
}

// Who commits what it was given must be told if some of it is another's by now.
func TestCommitOfPositionsTellsWhatWasLost(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Partitions: 2})
	for p := range 2 {
		w.produceAll(NewMessage{Topic: "red", Partition: p, Timestamp: -1, Value: []byte("x")})
	}
	w.materialize(0)
	if got := w.consume("a", manualCommit, "red"); len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	w.consume("b", manualCommit, "red")
	w.clock.advance(31 * time.Second)
	w.consume("b", manualCommit, "red") // takes partition 1, which a was asked for
	var partly *CommitError
	if err := w.e.Commit(t.Context(), w.cluster, "g", "a", nil); !errors.As(err, &partly) || len(partly.Results) != 2 {
		t.Fatalf("commit: %v", err)
	}
	if r := partly.Results; r[0].Partition != 0 || r[0].Err != nil || r[1].Partition != 1 || !IsKind(r[1].Err, Lost) {
		t.Errorf("results %+v", r)
	}
	if a, b := w.committed("red", 0), w.committed("red", 1); a != 1 || b != -1 {
		t.Errorf("committed %d and %d", a, b)
	}
	w.consume("a", manualCommit, "red")
	if err := w.e.Commit(t.Context(), w.cluster, "g", "a", nil); err != nil {
		t.Errorf("commit after the next call: %v", err)
	}
}

func TestOffsetsOfAnEmptyGroupAreReset(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.fill("red", "a", "b", "c")
		at := []TopicOffset{{TopicPartition{"red", 0}, 1}}
		w.wantKind(w.e.ResetOffsets(w.Context(), w.cluster, "g", at), NotFound)
		w.wantValues(w.consume("i", auto, "red"), "a", "b", "c")
		w.consume("i", auto, "red") // which confirms them
		w.wantKind(w.e.ResetOffsets(w.Context(), w.cluster, "g", at), InUse)
		w.clock.advance(3 * time.Minute)
		if err := w.e.ResetOffsets(w.Context(), w.cluster, "g", at); err != nil {
			w.Fatal(err)
		}
		w.wantValues(w.consume("j", auto, "red"), "b", "c")
		if err := w.e.DeleteInstance(w.Context(), w.cluster, "g", "j"); err != nil {
			w.Fatal(err)
		}
		found, err := w.e.FindResets(w.Context(), w.cluster, []ResetTo{{TopicPartition{"red", 0}, -1, Earliest}}, 0)
		if err != nil || found[0].Offset != 0 {
			w.Fatalf("earliest is %v, %v", found, err)
		}
		if err := w.e.ResetOffsets(w.Context(), w.cluster, "g", found); err != nil {
			w.Fatal(err)
		}
		w.wantValues(w.consume("k", auto, "red"), "a", "b", "c")
	})
}

// A client that says which answer it got last misses none.
func TestAnswerThatTheClientHasNotGotIsGivenAgain(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		poll := func(received string) Answer {
			a, err := w.e.Poll(w.Context(), w.cluster, "g", "i", []string{"red"}, auto, received, 0)
			if err != nil {
				w.Fatal(err)
			}
			return a
		}
		w.fill("red", "a")
		first := poll("")
		w.wantValues(first.Messages, "a")
		w.fill("red", "b", "c")
		w.wantValues(poll(first.ID).Messages, "b", "c") // which is lost
		w.clock.advance(6 * time.Second)
		again := poll(first.ID)
		w.wantValues(again.Messages, "b", "c")
		if got := w.committed("red", 0); got != 1 {
			w.Errorf("committed %d, want what was received", got)
		}
		empty := poll(again.ID)
		w.wantValues(empty.Messages)
		w.wantValues(poll(empty.ID).Messages)
		w.clock.advance(6 * time.Second)
		poll(empty.ID)
		if got := w.committed("red", 0); got != 3 {
			w.Errorf("committed %d", got)
		}
	})
}

// A client may go away while its answer is made.
func TestPositionsAreTakenBackIfTheClientGoesWhileTheyMove(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.fill("red", "a", "b")
	ctx := &leaving.Context{Context: t.Context()}
	w.e.weigh = func(r *batch.Record) int {
		ctx.Gone.Store(true)
		return len(r.Value)
	}
	if got, err := w.e.Consume(ctx, w.cluster, "g", "i", []string{"red"}, auto, 0); err == nil {
		t.Errorf("a client that has gone gets %d messages", len(got))
	}
	w.wantValues(w.consume("i", auto, "red"), "a", "b")
}

// A commit of two blocks of offsets, of which the store takes one.
func TestCommitTellsOfWhichOffsetsTheStoreHasFailed(t *testing.T) {
	partly := 0
	for call, more := 1, true; more; call++ {
		w := newWorld(t, openStore(t))
		w.topic("red", TopicOptions{Partitions: 20})
		w.consume("i", manualCommit, "red")
		s := &interrupted{Store: w.store, before: call, fail: fmt.Errorf("test: %w", store.ErrUnavailable)}
		e := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		defer e.Close()
		err := e.Commit(t.Context(), w.cluster, "g", "i", []TopicOffset{{TopicPartition{"red", 0}, 5}, {TopicPartition{"red", 19}, 5}})
		more = err != nil
		var of *CommitError
		if !errors.As(err, &of) {
			continue
		}
		partly++
		if !errors.Is(err, store.ErrUnavailable) || len(of.Results) != 2 {
			t.Errorf("before call %d: %v, %+v", call, err, of.Results)
		}
		for _, r := range of.Results {
			want := int64(5)
			if r.Err != nil {
				want = -1
			}
			if got := w.committed("red", r.Partition); got != want {
				t.Errorf("before call %d: of partition %d %d is committed, and the result is %v", call, r.Partition, got, r.Err)
			}
		}
	}
	if partly != 2 { // each block once
		t.Errorf("%d commits were stored in part", partly)
	}
}
