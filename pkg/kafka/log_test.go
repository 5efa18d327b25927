package kafka

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
)

func TestProducedMessagesAreReadAsTheyWere(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Partitions: 3})
		ms := []NewMessage{
			{Topic: "red", Partition: 1, Timestamp: 5, Key: []byte("k"), Value: []byte("v"), Headers: []batch.Header{header("a", "1"), header("a", "2")}},
			{Topic: "red", Partition: 1, Timestamp: -1, Value: []byte{0, 0xff}},
			{Topic: "red", Partition: AnyPartition, Timestamp: -1, Key: []byte("k1"), Value: nil},
		}
		got := w.produceAll(ms...)
		want := []Produced{{"red", 1, 0, 5, nil}, {"red", 1, 1, start.UnixMilli(), nil}, {"red", 2, 0, start.UnixMilli(), nil}}
		if !reflect.DeepEqual(got, want) {
			w.Fatalf("produced %+v", got)
		}
		w.materialize(0)
		read, err := w.e.Fetch(w.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 2}, 0}, {TopicPartition{"red", 1}, 0}}, 0)
		if err != nil || len(read) != 3 {
			w.Fatalf("%d messages, %v", len(read), err)
		}
		if m := read[0]; m.Partition != 2 || string(m.Key) != "k1" || m.Value != nil {
			w.Errorf("message %+v", m)
		}
		if m := read[1]; m.Timestamp != 5 || string(m.Key) != "k" || !reflect.DeepEqual(m.Headers, ms[0].Headers) {
			w.Errorf("message %+v", m)
		}
		if m := read[2]; m.Key != nil || string(m.Value) != "\x00\xff" || m.Offset != 1 {
			w.Errorf("message %+v", m)
		}
	})
}

func TestReadingBeginsAnywhereInASegment(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	var all []string
	for i := range 5 {
		var vs []string
		for j := range 4 {
			vs = append(vs, fmt.Sprint(4*i+j))
		}
		w.produce("red", vs...)
		all = append(all, vs...)
		w.materialize(len(w.stream.records) - 1)
	}
	for offset := range 20 {
		var got []Message
		for next := int64(offset); ; {
			more := w.fetch("red", next)
			if len(more) == 0 {
				break
			}
			got = append(got, more...)
			next = got[len(got)-1].Offset + 1
		}
		w.wantValues(got, all[offset:]...)
	}
}

func TestNeighboursBecomeOneSegment(t *testing.T) {
	w := newWorld(t, openStore(t))
	log := w.topic("red", TopicOptions{}).log(0)
	for i := range 10 {
		w.produce("red", fmt.Sprint(i))
	}
	w.materialize(0)
	if n := w.items(log, kindSegment); n != 1 {
		t.Errorf("%d segments", n)
	}
	w.wantValues(w.fetch("red", 3), "3", "4", "5", "6", "7", "8", "9")
}

func TestAnyOrderAndRepetitionGivesTheSameLog(t *testing.T) {
	for seed := range uint64(30) {
		w := newWorld(t, openStore(t))
		log := w.topic("red", TopicOptions{}).log(0)
		var want []string
		for i := range 12 {
			a, b := fmt.Sprint(i, "a"), fmt.Sprint(i, "b")
			w.produce("red", a, b)
			want = append(want, a, b)
		}
		r := rand.New(rand.NewPCG(seed, 0))
		order := append(r.Perm(12), r.Perm(12)...)
		for len(order) > 0 {
			n := min(len(order), 1+r.IntN(4))
			var ds []ingest.Delivery
			for _, i := range order[:n] {
				ds = append(ds, w.stream.records[i])
			}
			if _, err := w.e.Materialize(t.Context(), ds); err != nil {
				t.Fatal(err)
			}
			order = order[n:]
		}
		var got []Message
		for len(got) < 24 {
			more := w.fetch("red", int64(len(got)))
			if len(more) == 0 {
				break
			}
			got = append(got, more...)
		}
		w.wantValues(got, want...)
		if h := w.head("red"); h.mark != 24 || h.next != 24 {
			t.Errorf("head %+v", h)
		}
		if n := w.items(log, kindPending); n != 0 {
			t.Errorf("%d pending items are left", n)
		}
	}
}

func TestGapIsClosedOnlyWhenItsProducerHasGivenUp(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.produce("red", "first")
		w.stream.put = func([]ingest.Record) []error { return []error{errors.New("lost")} }
		if got, err := w.e.Produce(w.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("never")}}); err != nil || got[0].Err == nil {
			w.Fatalf("%+v, %v", got, err)
		}
		w.stream.put = nil
		w.produce("red", "second")
		w.materialize(0)
		w.wantValues(w.fetch("red", 0), "first")

		// Something that arrives a little too early decides nothing.
		w.clock.advance(DefaultProduceDeadline + DefaultClockMargin)
		w.produce("red", "third")
		w.materialize(2)
		w.wantValues(w.fetch("red", 0), "first")

		w.clock.advance(2 * time.Millisecond)
		w.produce("red", "fourth")
		w.materialize(3)
		got := w.fetch("red", 0)
		w.wantValues(got, "first", "second", "third", "fourth")
		w.wantValues(w.fetch("red", 1), "second", "third", "fourth") // from the void on
		if got[1].Offset != 2 {
			w.Errorf("second has offset %d", got[1].Offset)
		}
	})
}

func TestDataAndVoidNeverBothWin(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	var zombie []ingest.Record
	w.stream.put = func(rs []ingest.Record) []error {
		zombie = rs
		return []error{ingest.ErrUnknownOutcome}
	}
	if _, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("zombie")}}); err != nil {
		t.Fatal(err)
	}
	w.stream.put = nil
	w.produce("red", "a")
	w.clock.advance(time.Minute)
	w.produce("red", "b")
	w.materialize(0)
	w.wantValues(w.fetch("red", 0), "a", "b")
	w.stream.accept(zombie)
	w.materialize(2)
	w.materialize(0)
	w.wantValues(w.fetch("red", 0), "a", "b")
	if h := w.head("red"); h.mark != 3 {
		t.Errorf("watermark %d", h.mark)
	}
}

func TestGapAtTheEndOfAnIdlePartitionIsClosedByATick(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.stream.put = func([]ingest.Record) []error { return []error{errors.New("lost")} }
	if _, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("never")}}); err != nil {
		t.Fatal(err)
	}
	w.stream.put = nil
	wait := func() {
		t.Helper()
		if got, err := w.e.Fetch(t.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, 0}}, 60*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("%v, %v", got, err)
		}
	}
	wait()
	if len(w.stream.records) != 0 || w.stream.tails == 0 {
		t.Errorf("%d records, %d reads of the tail", len(w.stream.records), w.stream.tails)
	}
	w.clock.advance(time.Minute)
	tails := w.stream.tails
	wait()
	if len(w.stream.records) != 1 || w.stream.tails != tails {
		t.Fatalf("%d records, %d reads of the tail", len(w.stream.records), w.stream.tails-tails)
	}
	w.materialize(0)
	if h := w.head("red"); h.mark != 1 {
		t.Errorf("watermark %d", h.mark)
	}
	wait()
	if len(w.stream.records) != 1 {
		t.Error("the tick is repeated")
	}
}

func TestFetchAfterProduceNeedsNoMaterializer(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		for i := range 3 {
			offset := w.produce("red", fmt.Sprint(i))
			got, err := w.e.Fetch(w.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, offset}}, 10*time.Second)
			if err != nil {
				w.Fatal(err)
			}
			w.wantValues(got, fmt.Sprint(i))
		}
	})
}

func TestLargeMessages(t *testing.T) {
	onEachStore(t, func(w *world) {
		log := w.topic("red", TopicOptions{MaxMessageBytes: 2 << 20}).log(0)
		noise := make([]byte, 1<<20)
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		large := string(noise)
		w.produce("red", "small", large, "small too", strings.Repeat("a", 100_000))
		w.produce("red", large)
		for i := len(w.stream.records) - 1; i >= 0; i-- { // each part by itself, the last first
			w.deliver(i)
		}
		var got []Message
		for len(got) < 5 {
			more := w.fetch("red", int64(len(got)))
			if len(more) == 0 {
				w.Fatalf("only %d messages", len(got))
			}
			got = append(got, more...)
		}
		w.wantValues(got, "small", large, "small too", strings.Repeat("a", 100_000), large)
		if n := w.items(log, kindPending); n != 0 {
			w.Errorf("%d pending items are left", n)
		}
	})
}

func TestAnswersAreBounded(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	for range 3 {
		ms := make([]string, 400)
		w.produce("red", ms...)
	}
	for range 6 {
		w.produce("red", strings.Repeat("x", 1_000_000))
	}
	w.materialize(0)
	next, count := int64(0), 0
	for {
		got := w.fetch("red", next)
		if len(got) == 0 {
			break
		}
		size := 0
		for _, m := range got {
			size += len(m.Value)
		}
		if len(got) > MaxMessages || size > MaxBytes {
			t.Errorf("%d messages of %d bytes", len(got), size)
		}
		count += len(got)
		next = got[len(got)-1].Offset + 1
	}
	if count != 1206 {
		t.Errorf("%d messages", count)
	}
}

func TestRequestsAreRefusedAsAWhole(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Partitions: 2, MaxMessageBytes: 1000})
	w.topic("compact", TopicOptions{Compact: true})
	good := NewMessage{Topic: "red", Partition: 0, Value: []byte("good")}
	for _, c := range []struct {
		bad  NewMessage
		kind ErrorKind
	}{
		{NewMessage{Topic: "blue", Partition: 0}, NotFound},
		{NewMessage{Topic: "no/topic", Partition: 0}, Invalid},
		{NewMessage{Topic: "red", Partition: 2}, Invalid},
		{NewMessage{Topic: "red", Partition: -2}, Invalid},
		{NewMessage{Topic: "red", Value: make([]byte, 1000)}, TooLarge},
		{NewMessage{Topic: "compact", Value: []byte("without a key")}, Invalid},
	} {
		_, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{good, good, c.bad})
		w.wantKind(err, c.kind)
		if err == nil || !strings.HasPrefix(err.Error(), "messages[2]: ") {
			t.Errorf("error %v does not say which", err)
		}
	}
	if h := w.head("red"); h.next != 0 || len(w.stream.records) != 0 {
		t.Errorf("%d offsets are reserved, %d records in the stream", h.next, len(w.stream.records))
	}
	if got, err := w.e.Produce(t.Context(), w.cluster, nil); err != nil || len(got) != 0 {
		t.Errorf("nothing produced: %v, %v", got, err)
	}
}

func TestMessageThatNoAnswerHasRoomForIsRefused(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.e = New(Config{Store: w.store, Stream: w.stream, Now: w.clock.now, MaxWeight: 100, Weigh: func(r *batch.Record) int { return 7 * len(r.Value) }})
	t.Cleanup(w.e.Close)
	w.topic("red", TopicOptions{})
	w.produce("red", strings.Repeat("x", 14))
	_, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte(strings.Repeat("x", 15))}})
	w.wantKind(err, TooLarge)
}

func TestPartialFailureIsToldForEachMessage(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Partitions: 2})
	w.stream.put = func(rs []ingest.Record) []error {
		errs := make([]error, len(rs))
		for i, r := range rs {
			if strings.HasSuffix(r.Key, "/1") {
				errs[i] = ingest.ErrThrottled
			} else {
				w.stream.accept(rs[i : i+1])
			}
		}
		return errs
	}
	got, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{
		{Topic: "red", Partition: 0, Value: []byte("a")}, {Topic: "red", Partition: 1, Value: []byte("b")}, {Topic: "red", Partition: 0, Value: []byte("c")},
	})
	if err != nil || got[0].Err != nil || got[2].Err != nil || !errors.Is(got[1].Err, ingest.ErrThrottled) {
		t.Errorf("%+v, %v", got, err)
	}
	w.materialize(0)
	w.wantValues(w.fetch("red", 0), "a", "c")
}

func TestProducerThatWasTooSlowIsNotAnswered(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	w.stream.put = func(rs []ingest.Record) []error {
		w.clock.advance(DefaultProduceDeadline + time.Millisecond)
		w.stream.accept(rs)
		return nil
	}
	got, err := w.e.Produce(t.Context(), w.cluster, []NewMessage{{Topic: "red", Value: []byte("a")}})
	if err != nil || !errors.Is(got[0].Err, ErrUnknownOutcome) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRecordsOfNobodyDoNotHoldUpTheStream(t *testing.T) {
	w := newWorld(t, openStore(t))
	red := w.topic("red", TopicOptions{})
	w.stream.accept([]ingest.Record{{Key: "nonsense", Data: []byte("x")}, {Key: red.log(0), Data: []byte{9, 9, 9}}, {Key: red.log(7), Data: (&envelope{next: 1, parts: 1, data: []byte("x")}).encode()}})
	w.produce("red", "a")
	w.materialize(0)
	w.wantValues(w.fetch("red", 0), "a")
}

func TestOffsetsByTime(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		times := []int64{100, 200, 150, 400, 300, 300, 900, 50}
		for _, at := range times {
			w.produceAll(NewMessage{Topic: "red", Timestamp: at, Value: []byte("x")})
			w.materialize(len(w.stream.records) - 1)
		}
		for at, want := range map[int64]int64{
			Earliest: 0, Latest: 8, 0: 0, 100: 0, 101: 1, 200: 1, 201: 3, 400: 3, 401: 6, 900: 6, 901: 8,
		} {
			got, err := w.e.Offsets(w.Context(), w.cluster, []TopicPartition{{"red", 0}}, at, time.Second)
			if err != nil || got[0].Offset != want {
				w.Errorf("at %d: %+v, %v, want %d", at, got, err, want)
			}
		}
		// Messages that were accepted count, even if nothing else has moved them yet.
		w.produceAll(NewMessage{Topic: "red", Timestamp: 2000, Value: []byte("x")})
		got, err := w.e.Offsets(w.Context(), w.cluster, []TopicPartition{{"red", 0}}, 1000, 10*time.Second)
		if err != nil || got[0].Offset != 8 {
			w.Errorf("%+v, %v, want 8", got, err)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	v := envelope{base: 1, next: 2, reserved: 3, keep: 4, part: 0, parts: 1, data: []byte("x")}
	f.Add(v.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeEnvelope(b)
		if err != nil {
			return
		}
		again, err := decodeEnvelope(v.encode())
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%+v becomes %+v, %v", v, again, err)
		}
	})
}
