package kafka

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/objects"
	objectsembedded "github.com/skystash/skystash/pkg/kafka/objects/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// List prices in us-east-1: S3 Standard, and a month's storage of a GB.
const (
	dollarsPerMillionObjectPuts = 5.0 // and lists
	dollarsPerMillionObjectGets = 0.4
	dollarsPerGBInObjects       = 0.023
	dollarsPerGBInTable         = 0.25
)

// goal is what a million messages of 1 KB may cost that are produced in hundreds, consumed once and
// stored for a month, in dollars.
const goal = 0.20

// bucket counts what is done with objects.
type bucket struct {
	objects.Store
	puts, gets, bytes int
	readBytes         int64
}

func (b *bucket) Put(ctx context.Context, name string, data []byte) error {
	b.puts++
	b.bytes += len(data)
	return b.Store.Put(apart(ctx), name, data)
}

func (b *bucket) Get(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	b.gets++
	b.readBytes += length
	return b.Store.Get(apart(ctx), name, offset, length)
}

// apart is a context under which the store that stands in for S3 is not counted as DynamoDB.
func apart(ctx context.Context) context.Context { return store.WithMeter(ctx, new(store.Meter)) }

// way is messages' way from one producer to one group, with their storage.
type way struct{ requests, storage float64 } // dollars per million messages

func (w way) total() float64 { return w.requests + w.storage }

// travel measures the way of messages that are produced in requests of n, of which the materializer
// sees several at once.
func (b *bench) travel(n, requests int, objects *bucket) way {
	b.Helper()
	topic, read := b.topic(1), 0
	consume := b.consumer(topic, &read)
	before, puts, gets, bytes := b.size(), objects.puts, objects.gets, objects.bytes
	b.counter.take()
	var meter store.Meter
	ctx := store.WithMeter(b.Context(), &meter)
	for range requests {
		if err := b.produce(ctx, b.messages(topic, n, 1)); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := b.engine.Materialize(ctx, b.deliveries()); err != nil {
		b.Fatal(err)
	}
	for read < n*requests {
		if err := consume(ctx); err != nil {
			b.Fatal(err)
		}
	}
	_, _, putUnits := b.counter.take()
	u, messages := meter.Total(), float64(n*requests)
	puts, gets, bytes = objects.puts-puts, objects.gets-gets, objects.bytes-bytes
	dollars := u.ReadUnits*dollarsPerMillionReads + u.WriteUnits*dollarsPerMillionWrites + float64(putUnits)*dollarsPerMillionPutUnits +
		float64(puts)*dollarsPerMillionObjectPuts + float64(gets)*dollarsPerMillionObjectGets
	inTable := float64(b.size()-before) - float64(bytes)
	const perGB = 1e6 / 1e9 // of a million messages, from bytes of one
	return way{dollars / messages, (inTable*dollarsPerGBInTable + float64(bytes)*dollarsPerGBInObjects) * perGB / messages}
}

func (b *bench) size() int64 {
	b.Helper()
	s, err := b.engine.Size(b.Context(), b.cluster.ID)
	if err != nil {
		b.Fatal(err)
	}
	return s.Bytes
}

// objectsSection compares what messages cost with and without objects.
func objectsSection(t *testing.T) string {
	inTable := newBench(t)
	inBucket := newBench(t)
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	counted := &bucket{Store: objectsembedded.New(st)}
	inBucket.open(kafka.Config{Objects: counted})
	var out strings.Builder
	out.WriteString(objectsPreface)
	for _, c := range []struct {
		n, requests int
		name        string
	}{
		{1, 1, "1 message"}, {1, 100, "1 message, busy"}, {10, 1, "10 messages"}, {20, 1, "20 messages"}, {100, 1, "100 messages"}, {100, 10, "100 messages, busy"},
	} {
		a, b := inTable.travel(c.n, c.requests, &bucket{}), inBucket.travel(c.n, c.requests, counted)
		fmt.Fprintf(&out, "| %s | %.3f | %.3f | %.3f | %.3f | %.3f | %.3f |\n", c.name, a.requests, a.storage, a.total(), b.requests, b.storage, b.total())
		if c.n == 100 && b.total() > goal {
			t.Errorf("%s: $%.3f a million, at most $%.2f are allowed", c.name, b.total(), goal)
		}
	}
	return out.String()
}

const objectsPreface = `
## With segments in objects

Segments of 9 KiB and more can be objects in S3: $5 for a million PUT, $0.40 for a million GET, $0.023 for a GB and month
(<https://aws.amazon.com/s3/pricing/>). A PUT costs as much as 8 KB of writes to DynamoDB. The table is about messages that
are produced in such requests, consumed by one group and kept for a month, in dollars per million. Goal, which the test
asserts: at most $0.20 for those of requests of 100.

| requests of | in the table: requests | storage | together | in objects: requests | storage | together |
| --- | --: | --: | --: | --: | --: | --: |
`
