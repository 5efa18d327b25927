package kafka

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
)

const file = "../KAFKA.md"

var update = flag.Bool("update", false, "write "+file+" instead of comparing with it")

// List prices in us-east-1: DynamoDB on demand, Standard table class, since 1 November
// 2024; Kinesis, provisioned mode.
const (
	dollarsPerMillionReads    = 0.125
	dollarsPerMillionWrites   = 0.625
	dollarsPerMillionPutUnits = 0.014
	putUnit                   = 25 << 10 // bytes, of each record
)

// counter counts calls to the store and the stream on their way.
type counter struct {
	store.Store
	ingest.Stream

	mu       sync.Mutex
	calls    map[string]int
	puts     int // requests
	putUnits int
	records  []ingest.Record
}

func (c *counter) count(op string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[op]++
}

func (c *counter) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	c.count("GetItem")
	return c.Store.Get(ctx, key)
}

func (c *counter) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	c.count("BatchGetItem")
	return c.Store.GetMany(ctx, keys, snapshot)
}

func (c *counter) Query(ctx context.Context, q store.Query) (store.Page, error) {
	c.count("Query")
	return c.Store.Query(ctx, q)
}

func (c *counter) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	c.count(map[store.OpKind]string{store.OpPut: "PutItem", store.OpUpdate: "UpdateItem", store.OpDelete: "DeleteItem", store.OpCheck: "GetItem"}[op.Kind])
	return c.Store.Apply(ctx, op)
}

func (c *counter) Commit(ctx context.Context, ops []store.Op) error {
	c.count("TransactWriteItems")
	return c.Store.Commit(ctx, ops)
}

func (c *counter) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	c.count("BatchWriteItem")
	return c.Store.Load(ctx, puts, deletes)
}

func (c *counter) Put(ctx context.Context, records []ingest.Record) []error {
	c.mu.Lock()
	c.puts++
	for _, r := range records {
		c.putUnits += (len(r.Data) + len(r.Key) + putUnit - 1) / putUnit
	}
	c.records = append(c.records, records...)
	c.mu.Unlock()
	return c.Stream.Put(ctx, records)
}

// take is what has been counted since the last time.
func (c *counter) take() (calls map[string]int, puts, putUnits int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls, puts, putUnits = c.calls, c.puts, c.putUnits
	c.calls, c.puts, c.putUnits = map[string]int{}, 0, 0
	return calls, puts, putUnits
}

// bench is an engine over emulators.
type bench struct {
	*testing.T
	engine  *kafka.Engine
	cluster *kafka.Cluster
	counter *counter
	rand    *rand.Rand
	now     time.Time
	topics  int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	client := kinesislocal.Client(t)
	b := &bench{T: t, rand: rand.New(rand.NewPCG(1, 1)), now: time.UnixMilli(4_000_000_000_000)}
	b.counter = &counter{
		Store: dynamolocal.Open(t), Stream: kinesis.New(client, kinesislocal.Stream(t, client, 1), kinesis.Options{}), calls: map[string]int{},
	}
	b.open(kafka.Config{})
	var err error
	if b.cluster, err = b.engine.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "bench", MaxPartitions: 1000}); err != nil {
		t.Fatal(err)
	}
	return b
}

// open opens the engine. Records of clusters and topics stay read: each instance of a function reads
// one a second.
func (b *bench) open(cfg kafka.Config) {
	cfg.Store, cfg.Stream, cfg.RecordTTL, cfg.Now = b.counter, b.counter, time.Hour, func() time.Time { return b.now }
	b.engine = kafka.New(cfg)
}

func (b *bench) topic(partitions int) string {
	b.Helper()
	b.topics++
	name := fmt.Sprintf("topic%03d", b.topics)
	if _, err := b.engine.CreateTopic(b.Context(), b.cluster, name, kafka.TopicOptions{Partitions: partitions}); err != nil {
		b.Fatal(err)
	}
	if _, err := b.engine.Topic(b.Context(), b.cluster, name); err != nil {
		b.Fatal(err)
	}
	return name
}

// messages are n messages of 1,000 bytes that cannot be compressed.
func (b *bench) messages(topic string, n, partitions int) []kafka.NewMessage {
	ms := make([]kafka.NewMessage, n)
	for i := range ms {
		value := make([]byte, 1000)
		for j := range value {
			value[j] = byte(b.rand.Uint32())
		}
		ms[i] = kafka.NewMessage{Topic: topic, Partition: i % partitions, Timestamp: -1, Value: value}
	}
	return ms
}

func (b *bench) produce(ctx context.Context, ms []kafka.NewMessage) error {
	got, err := b.engine.Produce(ctx, b.cluster, ms)
	if err != nil {
		return err
	}
	for _, p := range got {
		if p.Err != nil {
			return p.Err
		}
	}
	return nil
}

// deliveries are the records put since the last time, as the event source mapping delivers them.
func (b *bench) deliveries() []ingest.Delivery {
	var ds []ingest.Delivery
	for i, r := range b.counter.records {
		ds = append(ds, ingest.Delivery{Record: r, Sequence: fmt.Sprint(i), Arrived: b.now})
	}
	b.counter.records = nil
	return ds
}

// order of calls in the table.
var order = []string{"GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}

// row measures a request that is about so many messages, and says what it may
// call: at most so many of each.
func (b *bench) row(out *strings.Builder, what string, messages int, may map[string]int, mayPut int, run func(ctx context.Context) error) (dollars float64) {
	b.Helper()
	b.counter.take()
	var meter store.Meter
	if err := run(store.WithMeter(b.Context(), &meter)); err != nil {
		b.Fatalf("%s: %v", what, err)
	}
	calls, puts, putUnits := b.counter.take()
	var names []string
	for _, op := range order {
		n := calls[op]
		if n > may[op] {
			b.Errorf("%s: %d %s, at most %d are allowed", what, n, op, may[op])
		}
		switch {
		case n == 1:
			names = append(names, op)
		case n > 1:
			names = append(names, fmt.Sprintf("%d × %s", n, op))
		}
	}
	if puts > mayPut {
		b.Errorf("%s: %d PutRecords, at most %d are allowed", what, puts, mayPut)
	}
	if puts > 0 {
		names = append(names, "PutRecords")
	}
	u := meter.Total()
	dollars = u.ReadUnits*dollarsPerMillionReads + u.WriteUnits*dollarsPerMillionWrites + float64(putUnits)*dollarsPerMillionPutUnits
	dollars /= float64(messages)
	fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %.3f |\n", what, strings.Join(names, ", "), number(u.ReadUnits), number(u.WriteUnits), number(float64(putUnits)), dollars)
	return dollars
}

func number(n float64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// preface stands above the tables.
const preface = `# What Kafka's requests cost on AWS

Written by "go test ./integration/bench/kafka -update" and checked by the same test without the flag, which is part of
"go test ./...".

**Calls** are requests to DynamoDB, and PutRecords to Kinesis. **RRU** and **WRU** are read and write request units as AWS
bills them, **PUT units** those of Kinesis, of 25 KiB for each record. **$ per million messages** is the list price in
us-east-1: $0.125 for a million RRU, $0.625 for a million WRU (DynamoDB on demand, Standard table class, since 1
November 2024, <https://aws.amazon.com/dynamodb/pricing/on-demand/>), $0.014 for a million PUT units (Kinesis,
provisioned, <https://aws.amazon.com/kinesis/data-streams/pricing/>). Not in it: $0.015 an hour for each shard, Lambda,
API Gateway and transfer; storage ($0.25 for a GB and month in DynamoDB) only in the last table. Messages expire at no price.

Messages have 1,000 bytes that cannot be compressed; what can be is, with gzip, and costs less. A message that is
alone in its request costs most when it is also alone when the stream is read ("1 message"); on a busy partition
neighbours are written together ("busy"). Each function instance reads the records of a cluster and of a topic
that it serves at most once a second, for 1 RRU each.

Goals, which the test asserts: produce makes one write to DynamoDB for each partition and one put; materialize at most
one segment of 380 KiB and one watermark for each partition, and one write that tells those who wait, for each topic with
several; fetch at most two calls. An idle consumer that polls for 20 seconds at a time reads at most 1.5 units a second,
whatever its partitions; pkg/kafka's tests assert it.

What bounds the time from producing to consuming on AWS: the event source mapping looks at an idle shard once a second. A
reader that waits does not wait for it: after 25 ms it reads the stream's end itself, which takes about three more
requests. A process does so at most twice a second on one shard, of which all can read 5 times a second, and leaves the shard
alone for a while when that is too much: so the mapping gets its share.

With kafkaFanOut=true (see the settings of infra) the mapping has a part of each shard for itself, by enhanced fan-out, and
Kinesis pushes records as they come, on average 70 ms later by its documentation. A shard then costs $0.015 an hour more, which is
$10.95 a month, and what goes through it $0.013 a GB: $0.013 for a million messages of 1 KB. That pays where many
instances of the function wait for messages, or where records are to be in the table soon though nobody waits.
`

const head = "| request | calls | RRU | WRU | PUT units | $ per million messages |\n| --- | --- | --: | --: | --: | --: |\n"

// TestCosts measures all requests and compares with the table that is checked in.
func TestCosts(t *testing.T) {
	b := newBench(t)
	var out strings.Builder
	out.WriteString(preface)
	var totals []string
	for _, c := range []struct {
		n, requests int // messages of a request, requests that one run of the materializer sees
		name        string
	}{
		{1, 1, "1 message"}, {1, 100, "1 message, busy"}, {10, 1, "10 messages"}, {100, 1, "100 messages"}, {100, 10, "100 messages, busy"},
	} {
		fmt.Fprintf(&out, "\n## %s\n\n"+head, c.name)
		topic, read := b.topic(1), 0
		consume := b.consumer(topic, &read)
		total := b.row(&out, "produce", c.n, map[string]int{"UpdateItem": 1}, 1, func(ctx context.Context) error {
			return b.produce(ctx, b.messages(topic, c.n, 1))
		})
		for range c.requests - 1 {
			if err := b.produce(t.Context(), b.messages(topic, c.n, 1)); err != nil {
				t.Fatal(err)
			}
		}
		ds := b.deliveries()
		segments := (c.n*c.requests*1010 + 380<<10 - 1) / (380 << 10)
		for c.n > 1 && segments*((380<<10)/(c.n*1020)) < c.requests { // whole batches
			segments++
		}
		total += b.row(&out, fmt.Sprintf("materialize %d of these", c.requests), c.n*c.requests,
			map[string]int{"GetItem": 1, "PutItem": segments, "UpdateItem": 1}, 0, func(ctx context.Context) error {
				n, err := b.engine.Materialize(ctx, ds)
				if n < len(ds) {
					return err
				}
				return nil
			})
		total += b.row(&out, "consume", min(c.n*c.requests, kafka.MaxMessages), map[string]int{"GetItem": 2, "Query": 1, "UpdateItem": 1}, 0, consume)
		if want := min(c.n*c.requests, kafka.MaxMessages); read != want {
			t.Errorf("%s: consumed %d messages, want %d", c.name, read, want)
		}
		totals = append(totals, fmt.Sprintf("| %s | %.2f |", c.name, total))
	}

	out.WriteString("\n## Other requests\n\n" + head)
	topic, read := b.topic(4), 0
	run := b.consumer(topic, &read)
	b.row(&out, "produce 100 messages to 4 partitions", 100, map[string]int{"UpdateItem": 4}, 1, func(ctx context.Context) error {
		return b.produce(ctx, b.messages(topic, 100, 4))
	})
	ds := b.deliveries()
	b.row(&out, "materialize them", 100, map[string]int{"GetItem": 4, "PutItem": 4, "UpdateItem": 5}, 0, func(ctx context.Context) error {
		_, err := b.engine.Materialize(ctx, ds)
		return err
	})
	b.row(&out, "materialize them once more", 100, map[string]int{"GetItem": 4, "UpdateItem": 1}, 0, func(ctx context.Context) error {
		_, err := b.engine.Materialize(ctx, ds)
		return err
	})
	fetch := func(offset int64, want int) func(context.Context) error {
		return func(ctx context.Context) error {
			got, err := b.engine.Fetch(ctx, b.cluster, []kafka.TopicOffset{{TopicPartition: kafka.TopicPartition{Topic: topic, Partition: 1}, Offset: offset}}, 0)
			if err == nil && len(got) != want {
				err = fmt.Errorf("%d messages, want %d", len(got), want)
			}
			return err
		}
	}
	b.row(&out, "fetch 25 messages", 25, map[string]int{"GetItem": 1, "Query": 1}, 0, fetch(0, 25))
	b.row(&out, "fetch from the middle of a segment", 15, map[string]int{"GetItem": 1, "Query": 1}, 0, fetch(10, 15))
	b.row(&out, "fetch at the end: nothing", 1, map[string]int{"GetItem": 1}, 0, fetch(25, 0))
	b.row(&out, "consume 100 messages of 4 partitions", 100, map[string]int{"GetItem": 1, "BatchGetItem": 2, "Query": 4, "UpdateItem": 1}, 0, run)
	b.row(&out, "consume at the end: nothing, after an answer", 1, map[string]int{"GetItem": 1, "BatchGetItem": 2, "UpdateItem": 1}, 0, run)
	b.row(&out, "consume at the end: nothing", 1, map[string]int{"GetItem": 1, "BatchGetItem": 2}, 0, run)
	b.row(&out, "commit 4 partitions", 1, map[string]int{"BatchGetItem": 1, "UpdateItem": 1}, 0, func(ctx context.Context) error {
		return b.engine.Commit(ctx, b.cluster, topic, "instance", nil)
	})

	fmt.Fprintf(&out, "\n## From producing to one group's consuming\n\n| requests of | $ per million messages |\n| --- | --: |\n%s\n", strings.Join(totals, "\n"))
	out.WriteString(objectsSection(t))
	out.WriteString(mergeSection(t))
	compare(t, out.String())
}

// consumer joins a group of the topic's name, which must be empty, and returns a
// request of its, which counts what it reads.
func (b *bench) consumer(topic string, read *int) func(context.Context) error {
	b.Helper()
	o := kafka.InstanceOptions{AutoCommit: true, AutoCommitInterval: time.Hour, Reset: kafka.ResetEarliest, SessionTimeout: kafka.MaxSessionTimeout}
	run := func(ctx context.Context) error {
		got, err := b.engine.Consume(ctx, b.cluster, topic, "instance", []string{topic}, o, 0)
		*read += len(got)
		return err
	}
	if err := run(b.Context()); err != nil {
		b.Fatal(err)
	}
	return run
}

func compare(t *testing.T, measured string) {
	t.Helper()
	if *update {
		if t.Failed() {
			t.Fatalf("%s is left as it is", file)
		}
		if err := os.WriteFile(file, []byte(measured), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	checkedIn, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if string(checkedIn) == measured {
		return
	}
	old, now := strings.Split(string(checkedIn), "\n"), strings.Split(measured, "\n")
	for i := range max(len(old), len(now)) {
		var a, b string
		if i < len(old) {
			a = old[i]
		}
		if i < len(now) {
			b = now[i]
		}
		if a != b {
			t.Errorf("line %d of %s:\n- %s\n+ %s\nIf that is meant: go test ./integration/bench/kafka -update", i+1, file, a, b)
		}
	}
}
