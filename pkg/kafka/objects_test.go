package kafka

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/objects"
	objectsembedded "github.com/skystash/skystash/pkg/kafka/objects/embedded"
	"github.com/skystash/skystash/pkg/store"
)

// newObjectWorld is newWorld with all data in objects.
func newObjectWorld(t testing.TB, s store.Store) *world {
	t.Helper()
	w := newWorld(t, s)
	w.e = w.withObjects(s, objectsembedded.New(openStore(t)), 1)
	return w
}

func (w *world) withObjects(s store.Store, o objects.Store, size int) *Engine {
	e := New(Config{Store: s, Stream: w.stream, Now: w.clock.now, Objects: o, ObjectBytes: size})
	w.Cleanup(e.Close)
	return e
}

func (w *world) objectNames() []string {
	w.Helper()
	names, err := w.e.objects.List(w.Context(), "", "")
	if err != nil {
		w.Fatal(err)
	}
	return names
}

func (w *world) wantObjects(what string, n int) {
	w.Helper()
	if names := w.objectNames(); len(names) != n {
		w.Errorf("%s: %d objects, want %d: %v", what, len(names), n, names)
	}
}

func TestLargeSegmentsAreObjects(t *testing.T) {
	w := newObjectWorld(t, openStore(t))
	w.e = w.withObjects(w.store, w.e.objects, 10_000)
	log := w.topic("red", TopicOptions{Retention: time.Hour, MaxMessageBytes: 2 << 20}).log(0)
	large, huge := noise(20_000), noise(1_000_000)
	w.fill("red", "small")
	w.fill("red", large, "b")
	w.produce("red", huge)
	w.materialize(0)
	w.wantObjects("two of three", 2)
	if n := w.items(log, kindPiece); n != 0 {
		t.Errorf("%d pieces", n)
	}
	read := func(from, to int64) (got []Message) {
		for next := from; next < to; next = got[len(got)-1].Offset + 1 {
			got = append(got, w.fetch("red", next)...)
		}
		return got
	}
	w.wantValues(read(0, 4), "small", large, "b", huge)
	w.wantValues(w.fetch("red", 2), "b")
	if size := w.size("red"); size.Messages != 4 || size.Bytes < 1_020_000 || size.Bytes > 1_021_000 {
		t.Errorf("size %+v", size)
	}
	if total, err := w.e.Size(t.Context(), "c1"); err != nil || total.Bytes < 1_020_000 {
		t.Errorf("the cluster's size is %+v, %v", total, err)
	}

	// An engine that writes no more of them still reads them; one without objects says what is wrong.
	w.e = w.withObjects(w.store, w.e.objects, -1)
	w.fill("red", large)
	w.wantObjects("switched off", 2)
	w.wantValues(read(1, 5), large, "b", huge, large)
	if _, err := w.withObjects(w.store, nil, 0).Fetch(t.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, 1}}, 0); !errors.Is(err, errNoObjects) {
		t.Errorf("without objects: %v", err)
	}

	w.clock.advance(2 * time.Hour)
	w.reclaim()
	w.wantObjects("expired", 0)
	w.wantValues(w.fetch("red", 0))
}

func TestObjectsGoWithWhatNamesThem(t *testing.T) {
	w := newObjectWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.topic("blue", TopicOptions{})
	for range 3 {
		w.fill("red", "a")
		w.fill("blue", "a")
	}
	w.wantObjects("two topics", 6)
	if _, err := w.e.DeleteRecords(t.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, 2}}); err != nil {
		t.Fatal(err)
	}
	w.reclaim()
	w.wantObjects("two records are deleted", 4)
	if err := w.e.DeleteTopic(t.Context(), w.cluster, "red"); err != nil {
		t.Fatal(err)
	}
	w.reclaim()
	w.wantObjects("a topic is deleted", 3)
	if err := w.e.DeleteCluster(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Hour)
	w.reclaim()
	w.wantObjects("the cluster is deleted", 0)
}

// Whatever the order and however often records come, by how many materializers: one object for each
// segment is left, and no data is missing.
func TestSeveralMaterializersLeaveNoObjectsBehind(t *testing.T) {
	for seed := range uint64(20) {
		w := newObjectWorld(t, openStore(t))
		w.topic("red", TopicOptions{})
		var want []string
		for i := range 12 {
			w.produce("red", fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		r := rand.New(rand.NewPCG(seed, 0))
		order := append(r.Perm(12), r.Perm(12)...)
		for i := 0; i < len(order); i += 3 {
			s := &interrupted{Store: w.store, before: 1 + r.IntN(8), do: func() { w.deliver(order[(i+4)%24], order[(i+5)%24]) }}
			if r.IntN(2) == 0 {
				s.fail = errCrash
			}
			var ds []ingest.Delivery
			for _, n := range order[i : i+3] {
				ds = append(ds, w.stream.records[n])
			}
			if _, err := w.withObjects(s, w.e.objects, 1).Materialize(t.Context(), ds); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
		}
		w.materialize(0)
		read := func() {
			t.Helper()
			var got []Message
			for next := int64(0); next < 12; next = got[len(got)-1].Offset + 1 {
				more := w.fetch("red", next)
				if len(more) == 0 {
					t.Fatalf("seed %d: nothing at %d", seed, next)
				}
				got = append(got, more...)
			}
			w.wantValues(got, want...)
		}
		read()
		segments := w.items(w.log("red"), kindSegment)
		w.reclaim()
		w.clock.advance(25 * time.Hour)
		w.reclaim()
		w.wantObjects(fmt.Sprintf("seed %d", seed), segments)
		read()
	}
}

func (w *world) log(topic string) string {
	w.Helper()
	t, err := w.e.Topic(w.Context(), w.cluster, topic)
	if err != nil {
		w.Fatal(err)
	}
	return t.log(0)
}

// A sweep looks for orphans while others write: what is new, or may still be named, stays.
func TestOrphansAreOnlyWhatNobodyWillName(t *testing.T) {
	w := newObjectWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.fill("red", "a")
	log := w.log("red")
	put := func(base int64, age time.Duration) string {
		name := fmt.Sprintf("%s/%016x-%x-%s", log, base, w.e.nowMs()-age.Milliseconds(), "0011")
		if err := w.e.objects.Put(t.Context(), name, []byte("x")); err != nil {
			t.Fatal(err)
		}
		return name
	}
	w.clock.advance(48 * time.Hour)
	put(0, 25*time.Hour) // another materializer's, which lost
	fresh, ahead := put(0, time.Hour), put(1, 25*time.Hour)
	w.reclaim()
	names := w.objectNames()
	if len(names) != 3 || names[1] != fresh && names[0] != fresh || names[2] != ahead {
		t.Errorf("left: %v", names)
	}
	w.wantValues(w.fetch("red", 0), "a")
}
