package kafka

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	objectsembedded "github.com/skystash/skystash/pkg/kafka/objects/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

const mergePreface = `
## Merging old segments into objects of 4 MiB

The sweep merges segments that are older than a day where that costs less than it saves for as long as they are kept.
DynamoDB bills a deletion, or a replacement, by the larger of an item's sizes before and after it: so moving data out of the
table costs what writing it did, and only what is kept for months pays for that. What a GB of messages costs that way, by
the size of segments, once and a month, in dollars; and what is saved where it is kept for a month, a quarter, a year:

| segments of | are in | once | saves a month | has paid after months | kept a month | a quarter | a year |
| --- | --- | --: | --: | --: | --: | --: | --: |
`

const mergeNote = `
So logs that keep their messages for less than %d days are never merged, nor are those with a limit of their size, of which
nobody knows how long they keep anything, nor compacted ones. Segments of 16 KB and more are in the table only if they come
from a time without a bucket. What is in small objects costs little to begin with: merging saves their items.

Measured: %d segments of 8,000 bytes became %d object with %s RRU, %s WRU and %d PUT, $%.6f; the sweep had expected $%.6f.
A fetch from its midst read %d bytes of it with one GET.
`

// mergeSection compares what merging costs with what it saves.
func mergeSection(t *testing.T) string {
	var out strings.Builder
	out.WriteString(mergePreface)
	const gb = 1e9
	for _, row := range []struct {
		size     int64
		inObject bool
	}{{300, false}, {1000, false}, {2000, false}, {4000, false}, {8000, false}, {16_000, false}, {60_000, false}, {16_000, true}, {60_000, true}} {
		segments := make([]kafka.SegmentSize, kafka.DefaultMergeBytes/row.size)
		for i := range segments {
			segments[i] = kafka.SegmentSize{Bytes: row.size, InObject: row.inObject}
		}
		once, monthly := kafka.MergePrice(segments)
		of := gb / float64(row.size*int64(len(segments)))
		once, monthly = once*of, monthly*of
		where := "the table"
		if row.inObject {
			where = "objects"
		}
		fmt.Fprintf(&out, "| %d bytes | %s | %.3f | %.4f | %.1f | %.2f | %.2f | %.2f |\n", row.size, where, once, monthly, once/monthly, monthly-once, 3*monthly-once, 12*monthly-once)
	}
	out.WriteString(measuredMerge(t))
	return out.String()
}

// measuredMerge merges segments over the emulators, and compares with what the sweep has expected.
func measuredMerge(t *testing.T) string {
	const size, n = 8000, 140
	b := newBench(t)
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	counted := &bucket{Store: objectsembedded.New(st)}
	b.open(kafka.Config{Objects: counted})
	if _, err := b.engine.CreateTopic(t.Context(), b.cluster, "old", kafka.TopicOptions{Retention: -1}); err != nil {
		t.Fatal(err)
	}
	for range n {
		ms := b.messages("old", 1, 1)
		for len(ms[0].Value) < size-100 {
			ms[0].Value = append(ms[0].Value, b.messages("old", 1, 1)[0].Value...)
		}
		ms[0].Value = ms[0].Value[:size-100]
		if err := b.produce(t.Context(), ms); err != nil {
			t.Fatal(err)
		}
		if _, err := b.engine.Materialize(t.Context(), b.deliveries()); err != nil {
			t.Fatal(err)
		}
	}
	b.now = b.now.Add(25 * time.Hour)
	idle := b.sweep() // it looks for orphans
	b.engine.Close()
	segments := make([]kafka.SegmentSize, n)
	for i := range segments {
		segments[i].Bytes = size
	}
	expected, _ := kafka.MergePrice(segments)
	spent := (idle.ReadUnits*dollarsPerMillionReads+idle.WriteUnits*dollarsPerMillionWrites)/1e6 + float64(counted.puts)*dollarsPerMillionObjectPuts/1e6
	if counted.puts != 1 || math.Abs(spent-expected) > expected/10 {
		t.Errorf("merging took %+v and %d PUT, $%.6f; expected were $%.6f", idle, counted.puts, spent, expected)
	}
	gets := counted.gets
	counted.readBytes = 0
	b.open(kafka.Config{Objects: counted})
	got, err := b.engine.Fetch(t.Context(), b.cluster, []kafka.TopicOffset{{TopicPartition: kafka.TopicPartition{Topic: "old"}, Offset: n - 10}}, 0)
	if err != nil || len(got) != 10 || counted.gets != gets+1 {
		t.Errorf("a fetch from the midst of an object: %d messages, %d GET, %v", len(got), counted.gets-gets, err)
	}
	return fmt.Sprintf(mergeNote, kafka.MinMergeRetention()/(24*time.Hour), n, counted.puts, number(idle.ReadUnits), number(idle.WriteUnits), counted.puts, spent, expected, counted.readBytes)
}

// sweep is what a sweep uses of the table.
func (b *bench) sweep() store.Usage {
	b.Helper()
	var meter store.Meter
	if _, err := b.engine.Reclaim(store.WithMeter(b.Context(), &meter)); err != nil {
		b.Fatal(err)
	}
	return meter.Total()
}
