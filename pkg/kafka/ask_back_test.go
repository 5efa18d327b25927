package kafka

import (
	"fmt"
	"testing"
	"time"
)

// busy makes instance a the owner of two partitions, with an answer that has a message of each.
func (w *world) busy(o InstanceOptions) {
	w.Helper()
	w.topic("red", TopicOptions{Partitions: 2})
	w.toBoth("first")
	if got := w.consume("a", o, "red"); len(got) != 2 {
		w.Fatalf("%d messages", len(got))
	}
}

// toBoth produces a message to both partitions.
func (w *world) toBoth(value string) {
	w.Helper()
	before := len(w.stream.records)
	for p := range 2 {
		w.produceAll(NewMessage{Topic: "red", Partition: p, Timestamp: -1, Value: fmt.Appendf(nil, "%s %d", value, p)})
	}
	w.materialize(before)
}

// A partition moves when its owner has called again, so nobody else is given what the owner is busy with.
func TestPartitionIsAskedBackBeforeItIsAnothers(t *testing.T) {
	for name, o := range map[string]InstanceOptions{"automatic": auto, "manual": manualCommit} {
		t.Run(name, func(t *testing.T) {
			onEachStore(t, func(w *world) {
				w.busy(o)
				w.wantValues(w.consume("b", o, "red"))
				if !o.AutoCommit {
					if err := w.e.Commit(w.Context(), w.cluster, "g", "a", nil); err != nil {
						w.Errorf("a commits what it was given: %v", err)
					}
				}
				w.toBoth("second")
				w.wantValues(w.consume("a", o, "red"), "second 0")
				if got := w.committed("red", 1); got != 1 {
					w.Errorf("of the partition that has moved %d is committed", got)
				}
				w.wantValues(w.consume("b", o, "red"), "second 1")
			})
		})
	}
}

// Whoever does not call again loses what it was asked for, and the next owner is given what that one was given.
func TestPartitionThatIsNotGivenBackIsTaken(t *testing.T) {
	for _, row := range []struct {
		session, early, late time.Duration
	}{
		{2 * time.Minute, 29 * time.Second, 2 * time.Second},
		{20 * time.Second, 19 * time.Second, 2 * time.Second},
	} {
		t.Run(fmt.Sprint(row.session), func(t *testing.T) {
			w := newWorld(t, openStore(t))
			o := auto.with(func(o *InstanceOptions) { o.SessionTimeout = row.session })
			w.busy(o)
			w.wantValues(w.consume("b", auto, "red"))
			w.clock.advance(row.early)
			w.wantValues(w.consume("b", auto, "red"))
			w.clock.advance(row.late)
			got := w.consume("b", auto, "red")
			if len(got) == 0 || string(got[len(got)-1].Value) != "first 1" && string(got[0].Value) != "first 1" {
				t.Errorf("b gets %v", got)
			}
		})
	}
}

// An instance that waits has had its last answer: it gives up at once what another one is to have.
func TestInstancesThatWaitGivePartitionsUpAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.busy(auto)
		a := w.poll("a", auto, 20*time.Second)
		time.Sleep(time.Second)
		b := w.poll("b", auto, 20*time.Second)
		time.Sleep(time.Second)
		w.toBoth("second")
		<-a.end
		<-b.end
		w.wantValues(a.got, "second 0")
		w.wantValues(b.got, "second 1")
	})
}

// Who waits for a partition has it as soon as its owner calls.
func TestInstancesThatWaitForPartitionsAreToldAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.busy(auto)
		b := w.poll("b", auto, 20*time.Second)
		time.Sleep(time.Second)
		w.toBoth("second")
		time.Sleep(time.Second)
		began := time.Now()
		w.wantValues(w.consume("a", auto, "red"), "second 0")
		<-b.end
		w.wantValues(b.got, "second 1")
		if took := time.Since(began); took > time.Second {
			w.Errorf("b has waited for %v", took)
		}
	})
}
