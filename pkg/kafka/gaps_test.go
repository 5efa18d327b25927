package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store"
)

// refuse makes the stream refuse the next put.
func (w *world) refuse(err error) {
	w.stream.put = func(rs []ingest.Record) []error {
		w.stream.put = nil
		errs := make([]error, len(rs))
		for i := range errs {
			errs[i] = fmt.Errorf("put: %w", err)
		}
		return errs
	}
}

func TestGapOfARefusedPutIsClosedAtOnce(t *testing.T) {
	onEachStore(t, func(w *world) {
		log := w.topic("red", TopicOptions{}).log(0)
		for _, err := range []error{ingest.ErrThrottled, ingest.ErrTooLarge, store.ErrUnavailable} {
			w.refuse(err)
			if got, failed := w.e.Produce(w.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("never")}}); failed != nil || !errors.Is(got[0].Err, err) {
				w.Fatalf("%+v, %v", got, failed)
			}
		}
		w.fill("red", "a")
		w.wantValues(w.fetch("red", 0), "a")
		if n := w.items(log, kindPending); n != 0 {
			w.Errorf("%d items wait", n)
		}
	})
}

// Of the messages of several producers some are refused. Nobody waits for those, whatever the order in
// which the others arrive.
func TestGapsAmongOthersAreClosedAtOnce(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(t, openStore(t))
		log := w.topic("red", TopicOptions{}).log(0)
		r := rand.New(rand.NewPCG(seed, 1))
		var want []string
		for i := range 12 {
			if r.IntN(3) == 0 {
				w.refuse(ingest.ErrThrottled)
				if _, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("never")}}); err != nil {
					t.Fatal(err)
				}
				continue
			}
			w.produce("red", fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
			if r.IntN(4) == 0 {
				w.deliver(r.Perm(len(w.stream.records))...)
			}
		}
		w.deliver(r.Perm(len(w.stream.records))...)
		var got []Message
		for next := int64(0); next < 12; next++ {
			for _, m := range w.fetch("red", next) {
				if m.Offset == next {
					got = append(got, m)
				}
			}
		}
		w.wantValues(got, want...)
		if h := w.head("red"); h.mark != 12 {
			t.Errorf("seed %d: the watermark is %d", seed, h.mark)
		}
		if n := w.items(log, kindPending); n != 0 {
			t.Errorf("seed %d: %d items wait", seed, n)
		}
	}
}

// A put whose outcome is unknown may arrive. Its gap stays open.
func TestGapOfAnUnknownPutStaysOpen(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	var late []ingest.Record
	w.stream.put = func(rs []ingest.Record) []error {
		late, w.stream.put = rs, nil
		return []error{ingest.ErrUnknownOutcome}
	}
	if _, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("late")}}); err != nil {
		t.Fatal(err)
	}
	w.fill("red", "a")
	w.wantValues(w.fetch("red", 0))
	w.stream.accept(late)
	w.materialize(1)
	w.wantValues(w.fetch("red", 0), "late", "a")
}

// A process that was killed leaves offsets without data, batches in the stream, and batches that wait.
// Its next run closes the gaps before it does anything else.
func TestGapsOfAnEarlierRunAreClosedAtTheStart(t *testing.T) {
	s := openStore(t)
	stream, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: s, RetryAfter: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	dying := &chaosPut{Stream: stream}
	e := New(Config{Store: s, Stream: dying})
	t.Cleanup(e.Close)
	c, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"red", "blue"} {
		if _, err := e.CreateTopic(t.Context(), c, name, TopicOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, killed := range []bool{true, false, true, true, false, true} {
		dying.killed = killed
		if _, err := e.Produce(t.Context(), c, []NewMessage{{Topic: "red", Value: fmt.Append(nil, i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.CloseGaps(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for next := range int64(6) {
		ms, err := e.Fetch(t.Context(), c, []TopicOffset{{TopicPartition{"red", 0}, next}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if m.Offset == next {
				got = append(got, string(m.Value))
			}
		}
	}
	heads, err := e.heads(t.Context(), []string{"lc1/1/0", "lc1/2/0"})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "[1 4]" || heads[0].mark != 6 || heads[1].mark != 0 {
		t.Errorf("read %v, watermarks %d and %d", got, heads[0].mark, heads[1].mark)
	}
}

// chaosPut is a stream into which nothing gets while the producer is killed.
type chaosPut struct {
	ingest.Stream
	killed bool
}

func (c *chaosPut) Put(ctx context.Context, records []ingest.Record) []error {
	if c.killed {
		return []error{errKilled}
	}
	return c.Stream.Put(ctx, records)
}
