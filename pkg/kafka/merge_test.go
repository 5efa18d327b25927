package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/kafka/objects"
	objectsembedded "github.com/skystash/skystash/pkg/kafka/objects/embedded"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// mergeWorld is a world that merges segments into objects of 1,000 bytes, whatever that costs. A segment of one short
// message has some 70 bytes.
func newMergeWorld(t testing.TB, s store.Store) *world {
	t.Helper()
	w := newWorld(t, s)
	w.e = w.merging(s, objectsembedded.New(openStore(t)), 1000)
	w.topic("red", TopicOptions{Retention: -1})
	return w
}

// merging is an engine that merges, and has segments of so many bytes in objects from the start.
func (w *world) merging(s store.Store, o objects.Store, objectBytes int) *Engine {
	e := New(Config{Store: s, Stream: w.stream, Now: w.clock.now, Objects: o, ObjectBytes: objectBytes, MergeBytes: 1000})
	e.mergePays = func(*head, *run, int64) bool { return true }
	w.Cleanup(e.Close)
	return e
}

// fillMany makes n segments, of one message each.
func (w *world) fillMany(n int) (values []string) {
	w.Helper()
	for range n {
		v := fmt.Sprint("v", len(w.stream.records))
		w.produce("red", v)
		w.materialize(len(w.stream.records) - 1)
		values = append(values, v)
	}
	return values
}

// all reads the topic red from an offset on, as REST's clients do.
func (w *world) all(e *Engine, from int64) (got []Message, err error) {
	for {
		more, err := e.Fetch(w.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, from}}, 0)
		if err != nil || len(more) == 0 {
			return got, err
		}
		got = append(got, more...)
		from = got[len(got)-1].Offset + 1
	}
}

// allBatches reads the topic red from an offset on, as clients of Kafka's protocol do, little at once.
func (w *world) allBatches(e *Engine, from int64) (got []Message, err error) {
	for {
		parts, err := e.FetchBatches(w.Context(), w.cluster, []BatchFetch{{TopicPartition{"red", 0}, from, 100}}, BatchOptions{MaxBytes: 100})
		if err != nil || parts[0].Err != nil || len(parts[0].Batches) == 0 {
			return got, errors.Join(err, parts[0].Err)
		}
		for _, b := range parts[0].Batches {
			records, err := b.Records()
			if err != nil {
				return got, err
			}
			for _, r := range records {
				if r.Offset >= from {
					got = append(got, Message{"red", 0, r})
				}
			}
			from = max(from, b.Next)
		}
	}
}

func TestOldSmallSegmentsAreMerged(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { oldSmallSegments(newMergeWorld(t, openStore(t))) })
	t.Run("dynamo", func(t *testing.T) { oldSmallSegments(newMergeWorld(t, dynamolocal.Open(t))) })
}

func oldSmallSegments(w *world) {
	values := w.fillMany(30)
	w.clock.advance(25 * time.Hour)
	values = append(values, w.fillMany(5)...)
	before, _ := w.e.Size(w.Context(), "c1")
	size := w.size("red")
	w.reclaim()
	if n, objects := w.items(w.log("red"), kindSegment), len(w.objectNames()); objects < 2 || n > 5+objects+3 {
		w.Errorf("%d segments, %d objects", n, objects)
	}
	if after, err := w.e.Size(w.Context(), "c1"); err != nil || after.Bytes >= before.Bytes {
		w.Errorf("%d bytes were %d, %v", after.Bytes, before.Bytes, err)
	}
	if got := w.size("red"); got != size {
		w.Errorf("size %+v, was %+v", got, size)
	}
	for from := range int64(35) {
		got, err := w.all(w.e, from)
		w.must(err)
		w.wantValues(got, values[from:]...)
		got, err = w.allBatches(w.e, from)
		w.must(err)
		w.wantValues(got, values[from:]...)
	}
	// A sweep of an unchanged log looks at nothing.
	s := &interrupted{Store: w.store}
	h := w.head("red")
	topic, err := w.e.Topic(w.Context(), w.cluster, "red")
	w.must(err)
	w.must(w.merging(s, w.e.objects, 1000).mergeSegments(w.Context(), topic, w.log("red"), h))
	if s.calls != 0 {
		w.Errorf("an unchanged log took %d calls", s.calls)
	}

	// DeleteRecords cuts an object; retention, and then the topic's deletion, remove them.
	_, err = w.e.DeleteRecords(w.Context(), w.cluster, []TopicOffset{{TopicPartition{"red", 0}, 5}})
	w.must(err)
	w.reclaim()
	got, err := w.all(w.e, 0)
	w.must(err)
	w.wantValues(got, values[5:]...)
	w.update("red", func(o *TopicOptions) { o.Retention = 10 * time.Hour })
	w.reclaim()
	got, err = w.all(w.e, 0)
	w.must(err)
	w.wantValues(got, values[30:]...)
	w.must(w.e.DeleteTopic(w.Context(), w.cluster, "red"))
	w.reclaim()
	w.wantObjects("the topic is deleted", 0)
}

// A fetch in the middle of a merged segment reads its part of the object, and no more.
func TestMergedSegmentsAreReadByParts(t *testing.T) {
	w := newMergeWorld(t, openStore(t))
	values := w.fillMany(13)
	w.clock.advance(25 * time.Hour)
	w.reclaim()
	counted := &ranges{Store: w.e.objects}
	e := w.merging(w.store, counted, 1000)
	look, _, err := e.Look(t.Context(), w.cluster, TopicOffset{TopicPartition{"red", 0}, 6}, 7, 1)
	w.must(err)
	w.wantValues(look, values[6])
	if counted.gets != 1 || counted.bytes > 100 {
		t.Errorf("%d requests read %d bytes", counted.gets, counted.bytes)
	}
}

// ranges counts what is read of objects.
type ranges struct {
	objects.Store
	gets, bytes int
}

func (r *ranges) Get(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	r.gets, r.bytes = r.gets+1, r.bytes+int(length)
	return r.Store.Get(ctx, name, offset, length)
}

// What is deleted by size, compacted, expires before it pays, or is new, is left alone.
func TestOnlyWhatStaysIsMerged(t *testing.T) {
	for name, o := range map[string]TopicOptions{
		"a month":   {Retention: 30 * 24 * time.Hour},
		"by size":   {Retention: -1, RetentionBytes: 10_000},
		"compacted": {Compact: true},
	} {
		w := newMergeWorld(t, openStore(t))
		w.must(w.e.DeleteTopic(t.Context(), w.cluster, "red"))
		w.topic("red", o)
		for i := range 30 {
			w.put(fmt.Sprint(i), "v")
		}
		w.clock.advance(25 * time.Hour)
		w.reclaim()
		w.wantObjects(name, 0)
	}
	w := newMergeWorld(t, openStore(t))
	w.fillMany(30)
	w.clock.advance(23 * time.Hour)
	w.reclaim()
	w.wantObjects("new", 0)
}

// Merges that die at any call, of the store or of objects, lose nothing, and sweeps leave nothing behind.
func TestMergesThatAreCutOff(t *testing.T) {
	for call, more := 1, true; more; call++ {
		more = false
		for _, where := range []string{"store", "objects"} {
			w := newMergeWorld(t, openStore(t))
			values := w.fillMany(14)
			w.e = w.merging(w.store, w.e.objects, 1) // what is new goes into objects at once
			values = append(values, w.fillMany(8)...)
			w.clock.advance(25 * time.Hour)
			s, o := &interrupted{Store: w.store}, &interruptedObjects{Store: w.e.objects}
			if where == "store" {
				s.before, s.fail = call, errCrash
			} else {
				o.before, o.fail = call, errCrash
			}
			_, _ = w.merging(s, o, 1).Reclaim(t.Context())
			more = more || s.calls >= call || o.calls >= call
			want := func(when string) {
				t.Helper()
				for from := range len(values) {
					got, err := w.all(w.merging(w.store, w.e.objects, 1), int64(from))
					if err != nil {
						t.Fatalf("%s, call %d, %s, from %d: %v", where, call, when, from, err)
					}
					w.wantValues(got, values[from:]...)
				}
			}
			want("cut off")
			for range 4 {
				w.clock.advance(25 * time.Hour)
				w.reclaim()
			}
			want("finished")
			w.wantMerged(fmt.Sprint(where, ", call ", call), 2, 5)
		}
	}
}

// wantMerged wants the log red to have so many segments, all objects to be named by one, and no merge to be left.
func (w *world) wantMerged(what string, least, most int) {
	w.Helper()
	page, err := w.store.Query(w.Context(), store.Query{Partition: w.log("red"), From: kindSegment, To: store.PrefixEnd(kindSegment)})
	w.must(err)
	there, named := w.objectNames(), 0
	for _, it := range page.Items {
		s := segmentOf(offsetOf(it.Key), it.Attrs)
		switch i := slices.Index(there, s.object); {
		case i >= 0:
			named++
		case s.object != "" && s.next > w.head("red").start: // others have expired
			w.Errorf("%s: no object %s", what, s.object)
		}
	}
	if n := len(page.Items); n < least || n > most {
		w.Errorf("%s: %d segments, want %d to %d", what, n, least, most)
	}
	if len(there) != named {
		w.Errorf("%s: %d objects, %d are named", what, len(there), named)
	}
	if h := w.head("red"); h.merging != nil {
		w.Errorf("%s: a merge is left: %+v", what, h.merging)
	}
}

// modelMerges is a log beside the list of what was produced.
type modelMerges struct {
	*world
	values  []string // by offset
	times   []int64  // when they were appended, Unix ms
	keep    int64    // ms; 0: for ever
	start   int
	readers *Engine // nil: the next ones know nothing of the log
}

// TestMergesAgainstAList merges a log beside other sweeps, writers, readers and DeleteRecords, with crashes before any
// call. Readers must get everything from any place on, in order, at any moment.
func TestMergesAgainstAList(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		one := oneCheck{t, rt}
		m := &modelMerges{world: newMergeWorld(one, openStore(one))}
		m.e = m.merging(m.store, m.e.objects, rapid.SampledFrom([]int{1, 90, 100_000}).Draw(rt, "in objects from"))
		if rapid.Bool().Draw(rt, "expires") {
			m.keep = (100 * 24 * time.Hour).Milliseconds()
			m.update("red", func(o *TopicOptions) { o.Retention = time.Duration(m.keep) * time.Millisecond })
		}
		call := rapid.IntRange(1, 50)
		hours := rapid.IntRange(1, 60)
		actions := map[string]func(*rapid.T){
			"produce": func(rt *rapid.T) {
				for range rapid.IntRange(1, 12).Draw(rt, "segments") {
					m.produceSome(rapid.IntRange(1, 3).Draw(rt, "messages"), rapid.SampledFrom([]int{1, 20, 300}).Draw(rt, "size"))
				}
			},
			"wait": func(rt *rapid.T) { m.clock.advance(time.Duration(hours.Draw(rt, "hours")) * time.Hour) },
			"wait long": func(rt *rapid.T) {
				m.clock.advance(time.Duration(rapid.IntRange(30, 110).Draw(rt, "days")) * 24 * time.Hour)
			},
			"sweep":          func(rt *rapid.T) { m.sweep(rt, &interrupted{Store: m.store}, m.e.objects) },
			"delete records": func(rt *rapid.T) { m.delete(rt, rapid.IntRange(0, len(m.values)).Draw(rt, "below")) },
			"sweep and crash": func(rt *rapid.T) {
				m.sweep(rt, &interrupted{Store: m.store, before: call.Draw(rt, "call"), fail: errCrash}, m.e.objects)
			},
			"sweep with objects that fail": func(rt *rapid.T) {
				m.sweep(rt, m.store, &interruptedObjects{Store: m.e.objects, interrupted: interrupted{before: rapid.IntRange(1, 8).Draw(rt, "call"), fail: errCrash}})
			},
			"sweep beside another one": func(rt *rapid.T) {
				late := time.Duration(rapid.SampledFrom([]int{1, 30, 2000, 2400}).Draw(rt, "hours")) * time.Hour
				m.ripen(rt)
				m.sweep(rt, &interrupted{Store: m.store, before: call.Draw(rt, "call"), do: func() {
					m.clock.advance(late)
					m.sweep(rt, m.store, m.e.objects)
				}}, m.e.objects)
			},
			"sweep beside DeleteRecords": func(rt *rapid.T) {
				m.ripen(rt)
				m.sweep(rt, &interrupted{Store: m.store, before: call.Draw(rt, "call"), do: func() {
					m.delete(rt, rapid.IntRange(0, len(m.values)).Draw(rt, "below"))
					if rapid.Bool().Draw(rt, "and a sweep") {
						m.sweep(rt, m.store, m.e.objects)
					}
				}}, m.e.objects)
			},
			"sweep beside readers": func(rt *rapid.T) {
				m.ripen(rt)
				m.sweep(rt, &interrupted{Store: m.store, before: call.Draw(rt, "call"), do: func() { m.read(rt, m.store) }}, m.e.objects)
			},
			"read beside a sweep": func(rt *rapid.T) {
				m.ripen(rt)
				m.read(rt, &interrupted{Store: m.store, before: call.Draw(rt, "call"), do: func() { m.sweep(rt, m.store, m.e.objects) }})
			},
			"": func(rt *rapid.T) { m.read(rt, m.store) },
		}
		rt.Repeat(actions)
		for range 5 { // what was given up is finished
			m.clock.advance(50 * time.Hour)
			m.sweep(rt, m.store, m.e.objects)
		}
		m.read(rt, m.store)
		m.wantMerged("in the end", 0, math.MaxInt)
	})
}

// ripen makes some segments that are old enough to be merged.
func (m *modelMerges) ripen(rt *rapid.T) {
	for range rapid.IntRange(4, 16).Draw(rt, "segments") {
		m.produceSome(rapid.IntRange(1, 2).Draw(rt, "messages"), rapid.SampledFrom([]int{1, 20, 60}).Draw(rt, "size"))
	}
	m.clock.advance(25 * time.Hour)
}

func (m *modelMerges) produceSome(n, size int) {
	var values []string
	for range n {
		values = append(values, fmt.Sprintf("%0*d", size, len(m.values)+len(values)))
	}
	m.produce("red", values...)
	m.materialize(len(m.stream.records) - 1)
	for range n {
		m.times = append(m.times, m.e.nowMs())
	}
	m.values = append(m.values, values...)
}

// live are the offsets from which on everything has to be there, and below which nothing may be: a message stays until the
// last one of its object expires.
func (m *modelMerges) live(now int64) (all, none int) {
	for all = m.start; m.keep > 0 && all < len(m.times) && m.times[all]+m.keep <= now; all++ {
	}
	for none = m.start; m.keep > 0 && none < len(m.times) && m.times[none]+m.keep+mergeSpan <= now; none++ {
	}
	return all, none
}

func (m *modelMerges) delete(rt *rapid.T, below int) {
	if _, err := m.e.DeleteRecords(m.Context(), m.cluster, []TopicOffset{{TopicPartition{"red", 0}, int64(below)}}); err != nil {
		rt.Fatal(err)
	}
	m.start = max(m.start, below)
}

func (m *modelMerges) sweep(rt *rapid.T, s store.Store, o objects.Store) {
	e := m.merging(s, o, m.e.objectBytes)
	defer e.Close()
	if _, err := e.Reclaim(m.Context()); err != nil && !errors.Is(err, errCrash) {
		rt.Fatal(err)
	}
}

// read reads from somewhere on, as both kinds of clients do.
func (m *modelMerges) read(rt *rapid.T, s store.Store) {
	from := rapid.IntRange(m.start, len(m.values)).Draw(rt, "from")
	_, none := m.live(m.e.nowMs()) // before a sweep that waits
	if m.readers == nil || s != m.store {
		// A process that knows nothing yet, or one that knows places from before.
		m.readers = m.merging(s, m.e.objects, m.e.objectBytes)
	}
	for what, read := range map[string]func(*Engine, int64) ([]Message, error){"REST": m.all, "batches": m.allBatches} {
		got, err := read(m.readers, int64(from))
		if IsKind(err, OutOfRange) { // they have expired
			first := m.earliest("red")
			got, err = read(m.readers, first)
		}
		if err != nil {
			rt.Fatalf("%s from %d: %v", what, from, err)
		}
		all, _ := m.live(m.e.nowMs())
		first := len(m.values) - len(got)
		if first < max(from, none) || first > max(from, all) {
			rt.Fatalf("%s from %d: messages from %d on, want all from %d and none below %d", what, from, first, all, none)
		}
		for i, g := range got {
			if g.Offset != int64(first+i) || string(g.Value) != m.values[first+i] {
				rt.Fatalf("%s from %d: message %d is %d %q", what, from, first+i, g.Offset, g.Value)
			}
		}
	}
	if s != m.store {
		m.readers = nil
	}
}

// interruptedObjects is interrupted for objects.
type interruptedObjects struct {
	objects.Store
	interrupted
}

func (o *interruptedObjects) Put(ctx context.Context, name string, data []byte) error {
	if err := o.next(); err != nil {
		return err
	}
	return o.Store.Put(ctx, name, data)
}

func (o *interruptedObjects) Get(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if err := o.next(); err != nil {
		return nil, err
	}
	return o.Store.Get(ctx, name, offset, length)
}

func (o *interruptedObjects) Delete(ctx context.Context, names []string) error {
	if err := o.next(); err != nil {
		return err
	}
	return o.Store.Delete(ctx, names)
}

func TestMergePrice(t *testing.T) {
	p := price.Prices().AWS.DynamoDB
	if p.MillionReadUnits/1e6 != dollarsPerReadUnit || p.MillionWriteUnits/1e6 != dollarsPerWriteUnit {
		t.Errorf("units have other prices by now: %+v", p)
	}
	pays := func(size, n int, retention time.Duration) bool {
		w := newMergeWorld(t, openStore(t))
		r := &run{}
		for i := range int64(n) {
			s := &segment{base: i, next: i + 1, data: make([]byte, size), appended: w.e.nowMs()}
			if retention > 0 {
				s.expires = s.appended + retention.Milliseconds()
			}
			r.segments, r.bytes = append(r.segments, s), r.bytes+s.size()
		}
		return mergePaysOff(&head{}, r, w.e.nowMs())
	}
	const day = 24 * time.Hour
	for _, row := range []struct {
		what      string
		size, n   int
		retention time.Duration
		want      bool
	}{
		{"a month", 8000, 500, 30 * day, false},
		{"a quarter", 8000, 500, 92 * day, true},
		{"a year, small", 200, 10_000, 365 * day, true},
		{"half a year, tiny", 60, 10_000, 183 * day, false},
		{"for ever, tiny", 60, 10_000, 0, true},
		{"two of a KB for a year", 1000, 2, 365 * day, false},
		{"two of a KB for ever", 1000, 2, 0, true},
	} {
		if got := pays(row.size, row.n, row.retention); got != row.want {
			t.Errorf("%s: %v", row.what, got)
		}
	}
	if days := MinMergeRetention() / day; days < 60 || days > 90 {
		t.Errorf("merging begins at a retention of %d days", days)
	}
}
