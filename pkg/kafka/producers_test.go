package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// numbered is a batch of an idempotent producer.
func numbered(t testing.TB, id int64, epoch int16, first int32, values ...string) []byte {
	t.Helper()
	records := make([]batch.Record, len(values))
	for i, v := range values {
		records[i] = batch.Record{Offset: int64(i), Timestamp: start.UnixMilli(), Key: []byte("k"), Value: []byte(v)}
	}
	b, err := batch.Encode(records, 0, int64(len(records)))
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint64(b[43:], uint64(id))
	binary.BigEndian.PutUint16(b[51:], uint16(epoch))
	binary.BigEndian.PutUint32(b[53:], uint32(first))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func (w *world) append(e *Engine, data []byte) Appended {
	w.Helper()
	return e.Append(w.Context(), w.cluster, []NewBatch{{TopicPartition{"red", 0}, data}}, 0)[0]
}

// accept appends a batch that has to be accepted at an offset.
func (w *world) accept(e *Engine, offset int64, data []byte) {
	w.Helper()
	if got := w.append(e, data); got.Err != nil || got.Offset != offset {
		w.Errorf("offset %d: %v; want %d", got.Offset, got.Err, offset)
	}
}

func TestRepeatedBatchIsAnsweredWithItsOffset(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		other := New(Config{Store: w.store, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(other.Close)
		for _, e := range []*Engine{w.e, w.e, other} {
			w.accept(e, 0, numbered(w, 7, 0, 0, "a", "b"))
		}
		w.accept(w.e, 2, numbered(w, 7, 0, 2, "c"))
		w.accept(other, 3, numbered(w, 7, 0, 3, "d"))
		w.accept(w.e, 0, numbered(w, 7, 0, 0, "a", "b"))
		w.materialize(0)
		w.wantValues(w.fetch("red", 0), "a", "b", "c", "d")
	})
}

// What was reserved may be void: then the batch gets other offsets, and what comes after it has to wait.
func TestRepeatedBatchThatWasNeverWrittenIsWritten(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.accept(w.e, 0, numbered(w, 7, 0, 0, "a"))
		w.refuse(store.ErrUnavailable)
		if got := w.append(w.e, numbered(w, 7, 0, 1, "b")); got.Err == nil {
			t.Fatal("accepted")
		}
		if got := w.append(w.e, numbered(w, 7, 0, 2, "c")); got.Err == nil {
			t.Error("a batch is accepted before the one that it follows")
		}
		w.accept(w.e, 2, numbered(w, 7, 0, 1, "b"))
		w.accept(w.e, 3, numbered(w, 7, 0, 2, "c"))
		w.materialize(0)
		w.wantValues(w.fetch("red", 0), "a", "b", "c")
	})
}

// A client sends a batch that has failed to another gateway, and comes back to the first one later.
func TestProducersComeBackToTheGatewayThatHasFailedThem(t *testing.T) {
	missed := 0
	for call := 1; call <= 4; call++ {
		w := newWorld(t, openStore(t))
		w.topic("red", TopicOptions{})
		w.accept(w.e, 0, numbered(w, 8, 0, 0, "of another producer"))
		s := &interrupted{Store: w.store, before: call, fail: fmt.Errorf("test: %w", store.ErrUnavailable)}
		first := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		defer first.Close()
		if got := w.append(first, numbered(w, 7, 0, 0, "a")); got.Err == nil || first.producers.get(producerOf{w.cluster.ID, TopicPartition{"red", 0}, 7}).missing == 0 {
			continue
		}
		missed++
		if got := w.append(first, numbered(w, 7, 0, 1, "b")); got.Err == nil {
			t.Error("a batch is accepted before the one that it follows")
		}
		w.accept(w.e, 1, numbered(w, 7, 0, 0, "a"))
		w.accept(w.e, 2, numbered(w, 7, 0, 1, "b"))
		w.accept(first, 3, numbered(w, 7, 0, 2, "c"))
	}
	if missed == 0 {
		t.Error("no batch has failed before anything was known of its producer")
	}
}

func TestSequencesAreChecked(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{})
	kind := func(k ErrorKind, data []byte) {
		t.Helper()
		w.wantKind(w.append(w.e, data).Err, k)
	}
	kind(OutOfSequence, numbered(w, 7, 0, 5, "x")) // nothing can have been forgotten
	w.accept(w.e, 0, numbered(w, 7, 1, 0, "a"))
	kind(OutOfSequence, numbered(w, 7, 1, 2, "x"))
	kind(Fenced, numbered(w, 7, 0, 1, "x"))
	kind(OutOfSequence, numbered(w, 7, 2, 1, "x"))
	w.accept(w.e, 1, numbered(w, 8, 0, 5, "b")) // a producer that may have been forgotten
	for i := range 6 {
		w.accept(w.e, int64(2+i), numbered(w, 7, 1, int32(1+i), "c"))
	}
	kind(DuplicateSequence, numbered(w, 7, 1, 0, "a"))
	w.accept(w.e, 8, numbered(w, 7, 2, 0, "d"))
	w.accept(w.e, 9, numbered(w, 9, 0, math.MaxInt32, "e", "f"))
	w.accept(w.e, 11, numbered(w, 9, 0, 1, "g"))
	kind(DuplicateSequence, numbered(w, 9, 0, math.MaxInt32-1, "e"))
}

// More producers than a head has room for take turns, and none is forgotten.
func TestManyProducersOfOneLog(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		other := New(Config{Store: w.store, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(other.Close)
		offset := int64(0)
		for round := range int32(3) {
			for id := range int64(2 * hotProducers) {
				e := w.e
				if (id+int64(round))%2 == 1 {
					e = other
				}
				w.accept(e, offset, numbered(w, id, 0, round, "v"))
				w.accept(w.e, offset, numbered(w, id, 0, round, "v"))
				w.clock.advance(time.Millisecond)
				offset++
			}
		}
		head, err := w.store.Get(t.Context(), headKey("lc1/1/0"))
		if err != nil || head.Size() > 1024-len("lc1/1/0h") {
			t.Errorf("the head has %d bytes: %v", head.Size(), err)
		}
	})
}

func TestBatchesAreChecked(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{MaxMessageBytes: 1000})
	good := numbered(w, -1, -1, -1, "a", "b")
	edit := func(at int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[at] = v
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
		return b
	}
	for name, c := range map[string]struct {
		kind ErrorKind
		data []byte
	}{
		"nothing":             {Corrupt, nil},
		"format 1":            {OldFormat, edit(16, 1)},
		"base offset":         {Corrupt, edit(7, 1)},
		"checksum":            {Corrupt, append(good[:17:17], make([]byte, len(good)-17)...)},
		"length":              {Corrupt, good[:len(good)-1]},
		"two batches":         {BadRecord, append(good[:len(good):len(good)], good...)},
		"offsets without one": {BadRecord, edit(26, 5)},
		"control batch":       {BadRecord, edit(22, 0x20)},
		"transaction":         {BadRecord, edit(22, 0x10)},
		"append time":         {BadTimestamp, edit(22, 0x08)},
		"codec":               {Corrupt, edit(22, 5)},
		"gzip that is none":   {Corrupt, edit(22, 1)},
		"records":             {Corrupt, edit(61, 0x7f)},
		"large":               {TooLarge, numbered(w, -1, -1, -1, noise(2000))},
	} {
		if got := w.append(w.e, c.data); !IsKind(got.Err, c.kind) {
			t.Errorf("%s: %v", name, got.Err)
		}
	}
	if h := w.head("red"); h.next != 0 || len(w.stream.records) != 0 {
		t.Errorf("%d offsets were reserved, %d records put", h.next, len(w.stream.records))
	}
	w.topic("keys", TopicOptions{Compact: true})
	b, err := batch.Encode([]batch.Record{{Value: []byte("v")}}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.wantKind(w.e.Append(t.Context(), w.cluster, []NewBatch{{TopicPartition{"keys", 0}, b}}, 0)[0].Err, BadRecord)
	w.wantKind(w.e.Append(t.Context(), w.cluster, []NewBatch{{TopicPartition{"keys", 3}, good}}, 0)[0].Err, NotFound)
	w.accept(w.e, 0, good)
}

// numberedClient is a client with one idempotent producer. It sends some batches one after the other, and
// those that were not accepted again, perhaps to another engine.
type numberedClient struct {
	id      int64
	engines []*Engine
	dice    *rand.Rand
	offsets []int64 // by sequence number; -1: it is not accepted
}

func (n *numberedClient) run(ctx context.Context, c *Cluster, partition, batches int, t *testing.T) {
	for range batches {
		n.offsets = append(n.offsets, -1)
	}
	e := n.engines[0]
	for first := 0; first < batches; {
		failed := false
		for seq := first; seq < min(first+1+n.dice.IntN(5), batches); seq++ {
			if n.offsets[seq] >= 0 {
				continue
			}
			data := numbered(t, n.id, 0, int32(seq), fmt.Sprintf("%d %d", n.id, seq))
			got := e.Append(ctx, c, []NewBatch{{TopicPartition{"red", partition}, data}}, 0)[0]
			switch {
			case got.Err == nil:
				n.offsets[seq] = got.Offset
			case IsKind(got.Err, OutOfSequence) && failed: // what it follows has failed
			case IsKind(got.Err, DuplicateSequence), IsKind(got.Err, Fenced), IsKind(got.Err, OutOfSequence):
				t.Errorf("producer %d, batch %d: %v", n.id, seq, got.Err)
				return
			}
			failed = failed || got.Err != nil
		}
		for first < batches && n.offsets[first] >= 0 {
			first++
		}
		if failed || n.dice.IntN(20) == 0 {
			e = n.engines[n.dice.IntN(len(n.engines))]
			time.Sleep(time.Duration(n.dice.IntN(3000)) * time.Millisecond)
		}
	}
}

// Whatever fails, and whichever gateway a producer talks to: each of its batches is in the log once, in
// order, at the offset that was answered.
func TestIdempotentProducersWriteOnce(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { idempotentProducers(t, seed) })
		})
	}
}

func idempotentProducers(t *testing.T, seed uint64) {
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	st := faulty.New(inner, faulty.Plan{})
	base, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: inner})
	if err != nil {
		t.Fatal(err)
	}
	stream := &chaos{Stream: base, rand: rand.New(rand.NewPCG(7, seed))}
	var engines []*Engine
	for _, ahead := range []time.Duration{0, 2 * time.Second} {
		engines = append(engines, New(Config{Store: st, Stream: stream, RecordTTL: time.Second, Now: func() time.Time { return time.Now().Add(ahead) }}))
	}
	c := &Cluster{ID: "c1", MaxPartitions: 100}
	if _, err := engines[0].CreateCluster(t.Context(), ClusterOptions{ID: "c1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := engines[0].CreateTopic(t.Context(), c, "red", TopicOptions{Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	const odds = 0.01
	st.SetPlan(faulty.Plan{Seed: seed, Throttle: odds, Conflict: odds, Unavailable: odds, LostApplied: odds, LostUnapplied: odds, LostLate: odds})
	running, stop := context.WithCancel(t.Context())
	var background, work sync.WaitGroup
	background.Go(func() {
		for running.Err() == nil {
			if err := engines[0].Run(running); err != nil {
				time.Sleep(time.Second)
			}
		}
	})
	const perLog, batches = hotProducers + 2, 60
	clients := make([]*numberedClient, 2*perLog)
	for i := range clients {
		clients[i] = &numberedClient{id: int64(i), engines: engines, dice: rand.New(rand.NewPCG(seed, uint64(i)))}
		work.Go(func() { clients[i].run(t.Context(), c, i%2, batches, t) })
	}
	work.Wait()
	st.SetPlan(faulty.Plan{})
	for partition := range 2 {
		checkNumbered(t, engines[0], c, partition, clients)
	}
	stop()
	background.Wait()
	for _, e := range engines {
		e.Close()
	}
	if err := inner.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("%d puts killed, %d in doubt", stream.killed.Load(), stream.doubted.Load())
	if stream.killed.Load() == 0 || stream.doubted.Load() == 0 {
		t.Error("nothing has failed")
	}
}

func checkNumbered(t *testing.T, e *Engine, c *Cluster, partition int, clients []*numberedClient) {
	t.Helper()
	tp := TopicPartition{"red", partition}
	limits, err := e.Limits(t.Context(), c, tp, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	next := map[int64]int{}
	for offset := int64(0); offset < limits.End; {
		parts, err := e.FetchBatches(t.Context(), c, []BatchFetch{{tp, offset, 1 << 20}}, BatchOptions{MinBytes: 1, MaxBytes: 1 << 20})
		if err != nil || parts[0].Err != nil || len(parts[0].Batches) == 0 {
			t.Fatalf("offset %d below %d: %+v, %v", offset, limits.End, parts, err)
		}
		for _, b := range parts[0].Batches {
			id, _, seq := b.Producer()
			n := clients[id]
			if int(seq) != next[id] || n.offsets[seq] != b.Base {
				t.Errorf("producer %d: batch %d is at %d, after %d", id, seq, b.Base, next[id])
			}
			next[id] = int(seq) + 1
			offset = b.Next
		}
	}
	for id, n := range clients {
		if id%2 == partition && next[int64(id)] != len(n.offsets) {
			t.Errorf("producer %d: %d batches of %d are there", id, next[int64(id)], len(n.offsets))
		}
	}
}
