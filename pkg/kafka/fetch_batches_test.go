package kafka

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	streamembedded "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// batchesFrom fetches batches of topic red, without waiting.
func (w *world) batchesFrom(offset int64) BatchPart {
	w.Helper()
	parts, err := w.e.FetchBatches(w.Context(), w.cluster, []BatchFetch{{TopicPartition{"red", 0}, offset, 1 << 20}}, BatchOptions{MaxBytes: 1 << 20})
	if err != nil {
		w.Fatal(err)
	}
	return parts[0]
}

// bases are the first offsets of batches.
func (p BatchPart) bases() (out []int64) {
	for _, b := range p.Batches {
		out = append(out, b.Base)
	}
	return out
}

func (w *world) wantBatches(offset int64, end int64, bases ...int64) {
	w.Helper()
	p := w.batchesFrom(offset)
	if p.Err != nil || p.End != end || len(p.Batches) != len(bases) {
		w.Errorf("from %d: %v, end %d, %v; want end %d, batches at %v", offset, p.bases(), p.End, p.Err, end, bases)
		return
	}
	for i, b := range p.Batches {
		if b.Base != bases[i] {
			w.Errorf("from %d: batches at %v, want %v", offset, p.bases(), bases)
		}
	}
}

// Holes are left out: no batch stands for them, and the end is behind the last message.
func TestHolesAreLeftOut(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{})
		w.void()
		w.produce("red", "a", "b") // 1, 2
		w.void()
		w.produce("red", "c") // 4
		w.void()
		w.materialize(0)
		w.wantBatches(0, 5, 1, 4)
		w.wantBatches(2, 5, 1, 4)
		w.wantBatches(3, 5, 4)
		w.wantBatches(5, 5)
		w.wantBatches(6, 6) // where REST may have committed
		w.wantKind(w.batchesFrom(7).Err, OutOfRange)
		w.wantKind(w.batchesFrom(-1).Err, OutOfRange)
	})
}

// What has expired is not there any more, and the reader is told where the log begins.
func TestExpiredBatchesAreOutOfRange(t *testing.T) {
	onEachStore(t, func(w *world) {
		w.topic("red", TopicOptions{Retention: time.Hour})
		w.produce("red", "a")
		w.materialize(0)
		w.clock.advance(30 * time.Minute)
		w.produce("red", "b")
		w.materialize(1)
		w.wantBatches(0, 2, 0, 1)
		w.clock.advance(40 * time.Minute)
		w.wantBatches(1, 2, 1)
		w.clock.advance(time.Hour)
		if p := w.batchesFrom(1); !IsKind(p.Err, OutOfRange) || p.Start != 2 {
			w.Errorf("%+v", p)
		}
		w.wantBatches(2, 2)
	})
}

// In a process that materializes the stream, a reader with nothing to read costs nothing, and is told at once.
func TestFetchOfBatchesWaitsWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := streamembedded.Open(t.Context(), streamembedded.Options{Store: inner})
		if err != nil {
			t.Fatal(err)
		}
		counted := &readCounter{Store: inner}
		e := New(Config{Store: counted, Stream: stream, RecordTTL: time.Minute})
		ended := make(chan error, 1)
		go func() { ended <- e.Run(t.Context()) }()
		c, err := e.CreateCluster(t.Context(), ClusterOptions{ID: "c1"})
		if err != nil {
			t.Fatal(err)
		}
		const partitions = 50
		if _, err := e.CreateTopic(t.Context(), c, "red", TopicOptions{Partitions: partitions}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var from []BatchFetch
		for p := range partitions {
			from = append(from, BatchFetch{TopicPartition{"red", p}, 0, 1 << 20})
		}
		poll := func(wait time.Duration) []BatchPart {
			t.Helper()
			parts, err := e.FetchBatches(t.Context(), c, from, BatchOptions{Wait: wait, MinBytes: 1, MaxBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			return parts
		}
		poll(time.Millisecond)
		counted.reads.Store(0)
		for range 8 {
			poll(500 * time.Millisecond)
		}
		if n := counted.reads.Load(); n > 0 {
			t.Errorf("%d items are read in 4 seconds", n)
		}
		began := time.Now()
		go func() {
			time.Sleep(time.Second)
			if _, err := e.Produce(t.Context(), c, []NewMessage{{Topic: "red", Partition: 7, Value: []byte("v")}}); err != nil {
				t.Error(err)
			}
		}()
		parts := poll(20 * time.Second)
		if len(parts[7].Batches) != 1 || time.Since(began) > 1100*time.Millisecond {
			t.Errorf("%+v after %v", parts[7], time.Since(began))
		}
		e.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := inner.Close(); err != nil {
			t.Error(err)
		}
	})
}

// readCounter counts the items that are read of topics' logs.
type readCounter struct {
	store.Store
	reads atomic.Int64
}

func (r *readCounter) count(keys ...store.Key) {
	for _, k := range keys {
		if strings.HasPrefix(k.Partition, "l") {
			r.reads.Add(1)
		}
	}
}

func (r *readCounter) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	r.count(key)
	return r.Store.Get(ctx, key)
}

func (r *readCounter) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	r.count(keys...)
	return r.Store.GetMany(ctx, keys, snapshot)
}
