package kafka

import (
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

func (w *world) update(topic string, change func(*TopicOptions)) {
	w.Helper()
	if _, err := w.e.UpdateTopic(w.Context(), w.cluster, topic, change); err != nil {
		w.Fatal(err)
	}
}

func (w *world) size(topic string) TopicSize {
	w.Helper()
	t, err := w.e.Topic(w.Context(), w.cluster, topic)
	if err != nil {
		w.Fatal(err)
	}
	size, err := w.e.TopicSize(w.Context(), t)
	if err != nil {
		w.Fatal(err)
	}
	return size
}

func (w *world) earliest(topic string) int64 {
	w.Helper()
	got, err := w.e.Offsets(w.Context(), w.cluster, []TopicPartition{{topic, 0}}, Earliest, 0)
	if err != nil {
		w.Fatal(err)
	}
	return got[0].Offset
}

func TestShorterRetentionHoldsForWhatThereIs(t *testing.T) {
	onEachStore(t, func(w *world) {
		log := w.topic("red", TopicOptions{}).log(0)
		w.fill("red", "a", "b")
		w.clock.advance(2 * time.Hour)
		w.fill("red", "c")
		w.update("red", func(o *TopicOptions) { o.Retention = time.Hour })
		w.wantValues(w.fetch("red", 0), "c")
		if at, size := w.earliest("red"), w.size("red"); at != 2 || size.Messages != 1 {
			w.Errorf("earliest %d, size %+v", at, size)
		}
		w.reclaim()
		if n := w.items(log, kindSegment); n != 1 {
			w.Errorf("%d segments", n) // the store would keep them for a week
		}
		w.wantValues(w.fetch("red", 0), "c")
	})
}

func TestLongerRetentionHoldsForWhatThereIs(t *testing.T) {
	onEachStore(t, func(w *world) {
		log := w.topic("red", TopicOptions{Retention: time.Hour, MaxMessageBytes: 2 << 20}).log(0)
		w.fill("red", "a")
		w.produce("red", noise(1_000_000))
		w.materialize(0)
		for _, row := range []struct {
			retention time.Duration
			expires   int64
		}{{24 * time.Hour, start.Add(24 * time.Hour).UnixMilli()}, {-1, 0}} {
			w.update("red", func(o *TopicOptions) { o.Retention = row.retention })
			w.clock.advance(2 * time.Minute)
			w.reclaim()
			w.reclaim()
			for _, kind := range []string{kindSegment, kindPiece} {
				page, err := w.store.Query(w.Context(), store.Query{Partition: log, From: kind, To: store.PrefixEnd(kind)})
				if err != nil || len(page.Items) < 2 {
					w.Fatalf("%d items of kind %s, %v", len(page.Items), kind, err)
				}
				for _, it := range page.Items {
					if at := it.Attrs.Get(segExpires).Num(); at != row.expires || it.Attrs.Has(store.TTLAttr) != (at > 0) {
						w.Errorf("retention %v: an item of kind %s expires at %d", row.retention, kind, at)
					}
				}
			}
			if h := w.head("red"); !h.extend.IsZero() {
				w.Errorf("retention %v: not done: %+v", row.retention, h)
			}
			w.clock.advance(20 * time.Hour)
			if got := w.fetch("red", 0); len(got) != 2 {
				w.Errorf("retention %v: %d messages", row.retention, len(got))
			}
		}
	})
}

// Sweeps that come while a retention changes, and die anywhere, leave what the topic says.
func TestChangeOfRetentionIsFinishedBySweeps(t *testing.T) {
	for call := 1; ; call++ {
		w := newWorld(t, openStore(t))
		w.topic("red", TopicOptions{Retention: time.Hour})
		w.fill("red", "a")
		w.fill("red", "b")
		s := &interrupted{Store: w.store, before: call, fail: errCrash}
		other := New(Config{Store: s, Stream: w.stream, Now: w.clock.now})
		t.Cleanup(other.Close)
		_, changed := other.UpdateTopic(t.Context(), w.cluster, "red", func(o *TopicOptions) { o.Retention = 24 * time.Hour })
		for range 3 {
			w.clock.advance(2 * time.Minute)
			_, _ = other.Reclaim(t.Context())
		}
		if s.calls < call {
			return
		}
		w.clock.advance(2 * time.Hour)
		if got := w.fetch("red", 0); changed == nil && len(got) != 2 {
			t.Errorf("failing call %d: %d messages", call, len(got))
		}
	}
}

func TestCleanupPolicyHoldsForWhatThereIs(t *testing.T) {
	w := newWorld(t, openStore(t))
	log := w.topic("red", TopicOptions{Retention: time.Hour}).log(0)
	w.put("k", "1")
	w.fill("red", "without a key")
	w.put("k", "2")
	w.put("other", "1")
	w.update("red", func(o *TopicOptions) { w.must(o.SetCleanupPolicy("compact")) })
	w.clock.advance(2 * time.Minute)
	w.reclaim()
	w.reclaim()
	w.clock.advance(30 * 24 * time.Hour)
	if got := fmt.Sprint(w.contents()); got != "[2 k=2 3 other=1]" {
		t.Errorf("compacted: %s", got)
	}
	w.update("red", func(o *TopicOptions) { w.must(o.SetCleanupPolicy("delete,compact")) })
	if got := w.contents(); len(got) != 0 {
		t.Errorf("compacted and expired: %s", got)
	}
	w.put("k", "3")
	w.put("k", "4")
	w.clock.advance(time.Minute)
	w.reclaim()
	if got := fmt.Sprint(w.contents()); got != "[5 k=4]" {
		t.Errorf("compacted and expired: %s", got)
	}
	if n := w.items(log, kindSegment); n != 2 { // one of them is empty
		t.Errorf("%d segments", n)
	}
	w.update("red", func(o *TopicOptions) { w.must(o.SetCleanupPolicy("delete")) })
	w.put("k", "5")
	w.clock.advance(time.Minute)
	w.reclaim()
	if got := fmt.Sprint(w.contents()); got != "[5 k=4 6 k=5]" {
		t.Errorf("not compacted: %s", got)
	}
	for _, policy := range []string{"", "none", "compact,", "delete,keep"} {
		w.wantKind(new(TopicOptions).SetCleanupPolicy(policy), Invalid)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func TestCompactedTopicsAlsoGoBySize(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true, CompactDelete: true, RetentionBytes: 3000})
	for range 3 {
		for i := range 10 {
			w.put(fmt.Sprint(i), noise(400))
		}
	}
	w.reclaim()
	w.reclaim()
	if n := len(w.contents()); n < 6 || n > 8 {
		t.Errorf("%d messages are left", n)
	}
	if size := w.size("red"); size.Bytes < 3000 || size.Bytes > 3500 {
		t.Errorf("size %+v", size)
	}
}

func TestRecordsAreDeletedBelowAnOffset(t *testing.T) {
	onEachStore(t, func(w *world) {
		log := w.topic("red", TopicOptions{}).log(0)
		w.topic("blue", TopicOptions{Compact: true})
		w.fill("red", "a", "b", "c", "d")
		w.fill("red", "e", "f")
		red := TopicPartition{"red", 0}
		for _, row := range []struct {
			below, start int64
			left         []string
			segments     int
		}{
			{2, 2, []string{"c", "d", "e", "f"}, 2},
			{1, 2, []string{"c", "d", "e", "f"}, 2},
			{5, 5, []string{"f"}, 1},
			{-1, 6, nil, 0},
		} {
			got, err := w.e.DeleteRecords(w.Context(), w.cluster, []TopicOffset{{red, row.below}})
			if err != nil || got[0] != (TopicOffset{red, row.start}) {
				w.Errorf("below %d: %v, %v", row.below, got, err)
			}
			for range 2 { // as it is then, and after a sweep
				got := w.fetch("red", 0)
				if len(got) > 0 { // what follows the segment that was cut
					got = append(got, w.fetch("red", got[len(got)-1].Offset+1)...)
				}
				w.wantValues(got, row.left...)
				if at, size := w.earliest("red"), w.size("red"); at != row.start || size.Messages != int64(len(row.left)) {
					w.Errorf("below %d: earliest %d, size %+v", row.below, at, size)
				}
				w.reclaim()
			}
			if n := w.items(log, kindSegment); n != row.segments {
				w.Errorf("below %d: %d segments", row.below, n)
			}
		}
		w.fill("red", "g", "h")
		if _, err := w.e.DeleteRecords(w.Context(), w.cluster, []TopicOffset{{red, 7}}); err != nil {
			w.Fatal(err)
		}
		got, err := w.e.Consume(w.Context(), w.cluster, "g", "i", []string{"red"}, InstanceOptions{Reset: ResetEarliest, SessionTimeout: time.Minute}, 0)
		if err != nil {
			w.Fatal(err)
		}
		w.wantValues(got, "h")
		for _, bad := range []TopicOffset{{red, 9}, {red, -2}, {TopicPartition{"red", 1}, 0}, {TopicPartition{"blue", 0}, 0}} {
			_, err := w.e.DeleteRecords(w.Context(), w.cluster, []TopicOffset{bad})
			w.wantKind(err, Invalid)
		}
		_, err = w.e.DeleteRecords(w.Context(), w.cluster, []TopicOffset{{TopicPartition{"none", 0}, 0}})
		w.wantKind(err, NotFound)
	})
}

func TestSizesLeaveOutWhatIsGone(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Retention: time.Hour})
	w.fill("red", noise(1000))
	w.fill("red", noise(1000))
	w.clock.advance(30 * time.Minute)
	w.fill("red", noise(500))
	if size := w.size("red"); size.Messages != 3 || size.Bytes < 2500 {
		t.Errorf("size %+v", size)
	}
	w.clock.advance(45 * time.Minute)
	for range 2 { // before a sweep, and after
		if size := w.size("red"); size.Messages != 1 || size.Bytes < 500 || size.Bytes > 700 {
			t.Errorf("size %+v", size)
		}
		w.reclaim()
	}
	w.clock.advance(time.Hour)
	if size := w.size("red"); size != (TopicSize{}) {
		t.Errorf("size %+v", size)
	}
}

// A sweep that has nothing to do reads the heads, and none of the data.
func TestUnchangedLogsCostASweepNothingButTheirHeads(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Partitions: 20})
	for range 5 {
		for p := range 20 {
			w.produceAll(NewMessage{Topic: "red", Partition: p, Timestamp: -1, Value: []byte(noise(100_000))})
		}
	}
	w.materialize(0)
	w.reclaim()
	ctx, meter := store.Metering(t.Context())
	if _, err := w.e.Reclaim(ctx); err != nil {
		t.Fatal(err)
	}
	if u := meter.Total(); u.ReadUnits > 25 || u.WriteUnits > 0 {
		t.Errorf("a sweep of 20 partitions with 10 MB costs %+v", u)
	}
}
