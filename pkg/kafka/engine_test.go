package kafka

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// start is the time at which tests begin. It is far ahead: DynamoDB Local deletes what
// has expired by the real time.
var start = time.UnixMilli(4_000_000_000_000)

// clock is a clock that stands still unless it is moved.
type clock struct{ at atomic.Int64 } // Unix ms

func (c *clock) now() time.Time          { return time.UnixMilli(c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(d.Milliseconds()) }

// world is a cluster with its engine over a store and a stream of its own.
type world struct {
	testing.TB
	e       *Engine
	store   store.Store
	stream  *manual
	clock   *clock
	cluster *Cluster
}

// manual is a stream that a test moves on by hand: materialize delivers.
type manual struct {
	mu      sync.Mutex
	records []ingest.Delivery
	clock   *clock
	put     func([]ingest.Record) []error // instead of accepting, if set
	tails   int
}

func (m *manual) Put(_ context.Context, records []ingest.Record) []error {
	if m.put != nil {
		return m.put(records)
	}
	m.accept(records)
	return nil
}

func (m *manual) accept(records []ingest.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		m.records = append(m.records, ingest.Delivery{Record: r, Sequence: fmt.Sprint(len(m.records)), Arrived: m.clock.now()})
	}
}

func (m *manual) Tail(_ context.Context, _ string, _ time.Time, handle func([]ingest.Delivery) error) error {
	m.mu.Lock()
	all := m.records
	m.tails++
	m.mu.Unlock()
	return handle(all)
}

func (m *manual) Consume(ctx context.Context, _ func(context.Context, []ingest.Delivery) error) error {
	<-ctx.Done()
	return nil
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	s, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// oneCheck is a test for one of the many checks of a model: what the check has opened is closed at its end, and not held until that of all.
type oneCheck struct {
	testing.TB
	check *rapid.T
}

func (o oneCheck) Cleanup(f func()) { o.check.Cleanup(f) }

// onEachStore runs a test on both stores.
func onEachStore(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { f(newWorld(t, openStore(t))) })
	t.Run("dynamo", func(t *testing.T) { f(newWorld(t, dynamolocal.Open(t))) })
}

func newWorld(t testing.TB, s store.Store) *world {
	t.Helper()
	c := &clock{}
	c.at.Store(start.UnixMilli())
	stream := &manual{clock: c}
	w := &world{TB: t, store: s, stream: stream, clock: c, e: New(Config{Store: s, Stream: stream, Now: c.now})}
	t.Cleanup(w.e.Close)
	var err error
	if w.cluster, err = w.e.CreateCluster(t.Context(), ClusterOptions{ID: "c1", Name: "first"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) topic(name string, o TopicOptions) *Topic {
	w.Helper()
	t, err := w.e.CreateTopic(w.Context(), w.cluster, name, o)
	if err != nil {
		w.Fatal(err)
	}
	return t
}

// produce produces values to partition 0 of a topic and returns the first's offset.
func (w *world) produce(topic string, values ...string) int64 {
	w.Helper()
	var ms []NewMessage
	for _, v := range values {
		ms = append(ms, NewMessage{Topic: topic, Timestamp: -1, Value: []byte(v)})
	}
	return w.produceAll(ms...)[0].Offset
}

func (w *world) produceAll(ms ...NewMessage) []Produced {
	w.Helper()
	got, err := w.e.Produce(w.Context(), w.cluster, ms)
	if err != nil {
		w.Fatal(err)
	}
	for _, p := range got {
		if p.Err != nil {
			w.Fatal(p.Err)
		}
	}
	return got
}

// materialize delivers records of the stream from index from on.
func (w *world) materialize(from int) {
	w.Helper()
	if _, err := w.e.Materialize(w.Context(), w.stream.records[from:]); err != nil {
		w.Fatal(err)
	}
}

// deliver delivers single records in an order of the test's choice.
func (w *world) deliver(indices ...int) {
	w.Helper()
	for _, i := range indices {
		if _, err := w.e.Materialize(w.Context(), w.stream.records[i:i+1]); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) fetch(topic string, offset int64) []Message {
	w.Helper()
	got, err := w.e.Fetch(w.Context(), w.cluster, []TopicOffset{{TopicPartition{topic, 0}, offset}}, 0)
	if err != nil {
		w.Fatal(err)
	}
	return got
}

// wantValues checks the values and, as they must be ascending, the offsets.
func (w *world) wantValues(got []Message, want ...string) {
	w.Helper()
	last := int64(-1)
	var values []string
	for _, m := range got {
		values = append(values, string(m.Value))
		if m.Offset <= last {
			w.Errorf("offset %d follows %d", m.Offset, last)
		}
		last = m.Offset
	}
	if fmt.Sprint(values) != fmt.Sprint(want) {
		w.Errorf("got %.200q, want %.200q", values, want)
	}
}

func (w *world) head(topic string) *head {
	w.Helper()
	t, err := w.e.Topic(w.Context(), w.cluster, topic)
	if err != nil {
		w.Fatal(err)
	}
	heads, err := w.e.heads(w.Context(), []string{t.log(0)})
	if err != nil {
		w.Fatal(err)
	}
	return heads[0]
}

func (w *world) wantKind(err error, kind ErrorKind) {
	w.Helper()
	if !IsKind(err, kind) {
		w.Errorf("error %v, want kind %d", err, kind)
	}
}

// items counts the items of a partition of the store that have a prefix.
func (w *world) items(log, prefix string) int {
	w.Helper()
	page, err := w.store.Query(w.Context(), store.Query{Partition: log, From: prefix, To: store.PrefixEnd(prefix), CountOnly: true})
	if err != nil {
		w.Fatal(err)
	}
	return page.Count
}

func header(k, v string) batch.Header { return batch.Header{Key: k, Value: []byte(v)} }
