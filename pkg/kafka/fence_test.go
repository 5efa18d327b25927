package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
)

// glance is one look of a reader who waits for messages of partition 0 at an offset, and hurries.
func (w *world) glance(topic string, offset int64) {
	w.Helper()
	t, err := w.e.Topic(w.Context(), w.cluster, topic)
	if err != nil {
		w.Fatal(err)
	}
	reader := w.e.newWait(w.Context(), w.Context(), []string{t.log(0)})
	defer reader.stop()
	reader.hurry([]*head{w.head(topic)}, []cursor{{offset, unknownSegment}})
}

// produceOne produces a message that may fail.
func (w *world) produceOne(value string) Produced {
	w.Helper()
	got, err := w.e.Produce(w.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte(value)}})
	if err != nil {
		w.Fatal(err)
	}
	return got[0]
}

// A producer that dies between its reservation and its put holds up readers for three seconds, and the time of one read of
// the stream, whether something follows the gap or not.
func TestGapOfADeadProducerIsClosedSoon(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		die := func() {
			w.stream.put = func([]ingest.Record) []error { return []error{errKilled} }
			w.produceOne("never")
			w.stream.put = nil
		}
		for round, follows := range []bool{true, false} {
			at := w.head("red").next
			die()
			if follows {
				w.produce("red", "a")
			}
			w.materialize(0)
			records := len(w.stream.records)
			w.glance("red", at)
			w.clock.advance(3*time.Second - time.Millisecond)
			w.glance("red", at)
			if len(w.stream.records) != records {
				w.Fatalf("round %d: the gap is given up too early", round)
			}
			w.clock.advance(time.Millisecond)
			w.glance("red", at)
			w.glance("red", at)
			w.wantValues(w.fetch("red", at))
			if len(w.stream.records) != records+1 {
				w.Fatalf("round %d: %d ticks, want 1", round, len(w.stream.records)-records)
			}
			w.materialize(records)
			if follows {
				w.wantValues(w.fetch("red", at), "a")
			}
			if h := w.head("red"); h.mark != h.next {
				w.Errorf("round %d: the watermark is %d of %d", round, h.mark, h.next)
			}
		}
	})
}

// slowPut makes the next put take a time before the stream accepts the records, while a reader waits for them.
func (w *world) slowPut(before, after time.Duration) {
	w.stream.put = func(rs []ingest.Record) []error {
		w.stream.put = nil
		pass := func(d time.Duration) {
			at := w.head("red").mark
			w.glance("red", at)
			w.clock.advance(d)
			w.glance("red", at)
		}
		if before > 0 {
			pass(before)
		}
		w.stream.accept(rs)
		if after > 0 {
			pass(after)
		}
		return nil
	}
}

func TestPutIsAnsweredOnlyIfNoFenceMayHaveComeBefore(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after time.Duration
		answered      bool
		read          string
	}{
		{"quick", time.Second, time.Second / 2, true, "[slow]"},
		{"slow, and nobody has lost patience", 1500 * time.Millisecond, 1400 * time.Millisecond, true, "[slow]"},
		{"after the fence", 3 * time.Second, 0, false, "[]"},
		{"in the stream at once, with a late answer", 0, 3 * time.Second, true, "[slow]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEachStore(t, func(w *world) {
				w.topic("red", TopicOptions{})
				w.slowPut(c.before, c.after)
				if got := w.produceOne("slow"); (got.Err == nil) != c.answered || got.Err != nil && !errors.Is(got.Err, ErrUnknownOutcome) {
					w.Errorf("the producer is answered with %v", got.Err)
				}
				for i := range w.stream.records { // each by itself, as they come
					w.deliver(i)
				}
				var values []string
				for _, m := range w.fetch("red", 0) {
					values = append(values, string(m.Value))
				}
				if got := fmt.Sprint(values); got != c.read {
					w.Errorf("read %s, want %s", got, c.read)
				}
			})
		})
	}
}

// The batch after one that was given up is not put before its producer knows of that.
func TestIdempotentProducerWhoseBatchWasGivenUpKeepsItsOrder(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.accept(w.e, 0, numbered(t, 7, 0, 0, "a"))
	w.materialize(0)
	w.slowPut(3*time.Second, 0)
	if got := w.append(w.e, numbered(t, 7, 0, 1, "b")); !errors.Is(got.Err, ErrUnknownOutcome) {
		t.Fatalf("%+v", got)
	}
	for i := range w.stream.records {
		w.deliver(i)
	}
	if got := w.append(w.e, numbered(t, 7, 0, 2, "c")); got.Err == nil {
		t.Error("a batch is accepted before the one that it follows")
	}
	w.accept(w.e, 2, numbered(t, 7, 0, 1, "b"))
	w.accept(w.e, 3, numbered(t, 7, 0, 2, "c"))
	w.materialize(0)
	w.wantValues(w.fetch("red", 0), "a", "b", "c")
	w.wantValues(w.fetch("red", 1), "b", "c") // from the void on
}

// dawdler is a stream whose puts take long before and after they are accepted, or are never.
type dawdler struct {
	*manual
	mu   sync.Mutex
	rand *rand.Rand
	long int // one of how many puts takes long
}

func (d *dawdler) Put(ctx context.Context, records []ingest.Record) []error {
	d.mu.Lock()
	pause := func() time.Duration {
		if d.rand.IntN(d.long) == 0 {
			return time.Duration(d.rand.IntN(8000)) * time.Millisecond
		}
		return time.Duration(d.rand.IntN(30)) * time.Millisecond
	}
	before, after, dies := pause(), pause(), d.rand.IntN(8) == 0
	d.mu.Unlock()
	if v, err := decodeEnvelope(records[0].Data); err == nil && v.parts == 0 {
		before, after, dies = 0, 0, false // it is a reader's
	}
	time.Sleep(before)
	if dies {
		return []error{errKilled}
	}
	d.clock.at.Store(time.Now().UnixMilli()) // the stream's clock is that of the bubble
	d.accept(records)
	time.Sleep(after)
	return nil
}

// Whatever the times that puts take: what was acknowledged is in the log, at its offset, and nobody waits
// as long as it takes until a reservation is given up by its age.
func TestFencesLoseNothingThatWasAcknowledged(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, openStore(t))
			defer w.e.Close()
			stream := &dawdler{manual: w.stream, rand: rand.New(rand.NewPCG(seed, 5)), long: 4}
			engine := func() *Engine { return New(Config{Store: w.store, Stream: stream}) }
			w.topic("red", TopicOptions{})
			ctx, stop := context.WithCancel(t.Context())
			var others, producers sync.WaitGroup
			mat := engine()
			defer mat.Close()
			others.Go(func() { // what a function does that reads the stream once a second
				for done := 0; ctx.Err() == nil; time.Sleep(time.Second) {
					w.stream.mu.Lock()
					all := w.stream.records
					w.stream.mu.Unlock()
					n, err := mat.Materialize(ctx, all[done:])
					if err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					done += n
				}
			})
			acknowledged := map[int64]string{}
			var mu sync.Mutex
			for p := range 3 {
				e := engine()
				defer e.Close()
				producers.Go(func() {
					for n := range 8 {
						value := fmt.Sprint(p, "/", n)
						got, err := e.Produce(ctx, w.cluster, []NewMessage{{Topic: "red", Value: []byte(value)}})
						if err == nil && got[0].Err == nil {
							mu.Lock()
							acknowledged[got[0].Offset] = value
							mu.Unlock()
						}
						time.Sleep(time.Duration(n*p) * 200 * time.Millisecond)
					}
				})
			}
			read := map[int64]string{}
			reader := engine()
			defer reader.Close()
			others.Go(func() {
				for next, mark, since := int64(0), int64(0), time.Now(); ctx.Err() == nil; {
					got, err := reader.Fetch(ctx, w.cluster, []TopicOffset{{TopicPartition{"red", 0}, next}}, 2*time.Second)
					if err != nil {
						if ctx.Err() == nil {
							t.Error(err)
						}
						return
					}
					for _, m := range got {
						read[m.Offset], next = string(m.Value), m.Offset+1
					}
					h := w.head("red")
					if h.mark > mark || h.mark == h.next {
						mark, since = h.mark, time.Now()
					}
					// Three seconds, the materializer's one, and up to two until this looks.
					if waited := time.Since(since); waited > 7*time.Second {
						t.Errorf("seed %d: a reader has waited %v", seed, waited)
						return
					}
				}
			})
			producers.Wait()
			for w.head("red").mark < w.head("red").next {
				time.Sleep(time.Second)
			}
			time.Sleep(5 * time.Second)
			stop()
			others.Wait()
			for offset, value := range acknowledged {
				if read[offset] != value {
					t.Errorf("seed %d: offset %d is %q, acknowledged was %q", seed, offset, read[offset], value)
				}
			}
			if len(acknowledged) < 6 {
				t.Errorf("seed %d: only %d messages were acknowledged", seed, len(acknowledged))
			}
		})
	}
}
