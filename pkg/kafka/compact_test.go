package kafka

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/store"
)

// put produces a message to partition 0 and makes it a segment of its own, with what was produced
// before. An empty value is a tombstone.
func (w *world) put(key, value string) {
	w.Helper()
	m := NewMessage{Topic: "red", Timestamp: -1, Key: []byte(key)}
	if value != "" {
		m.Value = []byte(value)
	}
	w.produceAll(m)
	w.materialize(len(w.stream.records) - 1)
}

// contents reads all of topic red as "offset key=value".
func (w *world) contents() (out []string) {
	w.Helper()
	for next, end := int64(0), w.head("red").mark; next < end; {
		got := w.fetch("red", next)
		if len(got) == 0 {
			// A page of segments that compaction has left nothing of.
			next++
			continue
		}
		for _, m := range got {
			out = append(out, fmt.Sprintf("%d %s=%s", m.Offset, m.Key, m.Value))
		}
		next = got[len(got)-1].Offset + 1
	}
	return out
}

// smallPasses is an engine over a world's store that compacts few keys at a time.
func (w *world) smallPasses(s store.Store, keys int) *Engine {
	e := New(Config{Store: s, Stream: w.stream, Now: w.clock.now, CompactKeys: keys})
	w.Cleanup(e.Close)
	return e
}

// noise is a value that cannot be compressed.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

func TestKeysBeyondTheMemoryOfAPassStayDeleted(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true})
	w.e = w.smallPasses(w.store, 10)
	w.put("k", "old")
	w.put("k", "")
	for i := range 100 {
		w.put(fmt.Sprint(i), "a")
	}
	w.reclaim()
	w.clock.advance(25 * time.Hour)
	for i := range 100 {
		w.put(fmt.Sprint(i), "b")
	}
	w.reclaim()
	w.clock.advance(25 * time.Hour)
	w.reclaim()
	got := w.contents()
	if len(got) != 100 {
		t.Errorf("%d messages are left: %.300v", len(got), got)
	}
	for _, m := range got {
		if strings.Contains(m, " k=") || strings.HasSuffix(m, "=a") {
			t.Errorf("left: %s", m)
		}
	}
}

func TestTombstonesAreCountedFromTheirFirstCleaning(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true})
	w.put("k", "v")
	w.produceAll(NewMessage{Topic: "red", Timestamp: 1, Key: []byte("k")}) // by a client whose clock is at 1970
	w.materialize(1)
	w.put("other", "v")
	for _, row := range []struct {
		after time.Duration
		want  string
	}{{0, "[1 k= 2 other=v]"}, {23 * time.Hour, "[1 k= 2 other=v]"}, {2 * time.Hour, "[2 other=v]"}} {
		w.clock.advance(row.after)
		w.reclaim()
		if got := fmt.Sprint(w.contents()); got != row.want {
			t.Errorf("%v later: %s, want %s", row.after, got, row.want)
		}
	}
}

func TestEndOfTheDataNeverMovesBack(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true})
	w.put("a", "v")
	w.put("a", "")
	for range 3 {
		w.reclaim()
		w.clock.advance(25 * time.Hour)
	}
	if got := fmt.Sprint(w.contents()); got != "[1 a=]" {
		t.Errorf("left: %s", got)
	}
}

func TestOlderHalfOfALargeLogIsCompacted(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true})
	w.e = w.smallPasses(w.store, 8)
	for range 3 {
		for i := range 40 {
			w.put(fmt.Sprint(i), "v")
		}
	}
	w.reclaim()
	if got := w.contents(); len(got) != 40 || !strings.HasPrefix(got[0], "80 ") {
		t.Errorf("%d messages are left: %.300v", len(got), got)
	}
}

// A large log of which little has changed is not read again.
func TestCompactionWaitsUntilItIsWorthWhile(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", TopicOptions{Compact: true})
	for i := range 100 {
		w.put(fmt.Sprint(i), noise(1000))
	}
	w.reclaim()
	units := func() float64 {
		ctx, meter := store.Metering(t.Context())
		if _, err := w.e.Reclaim(ctx); err != nil {
			t.Fatal(err)
		}
		return meter.Total().ReadUnits
	}
	w.put("0", "changed")
	if n := units(); n > 12 {
		t.Errorf("a sweep after one change has read %v units", n)
	}
	if got := w.contents(); len(got) != 101 {
		t.Errorf("%d messages", len(got))
	}
	w.clock.advance(8 * 24 * time.Hour)
	if n := units(); n < 25 {
		t.Errorf("a sweep a week later has read %v units", n)
	}
	if got := w.contents(); len(got) != 100 {
		t.Errorf("%d messages", len(got))
	}
}

// compacted are a compacted topic's options, with settings given as names and values.
func compacted(settings ...string) TopicOptions {
	o := TopicOptions{Compact: true}
	for i := 0; i < len(settings); i += 2 {
		o.SetSetting(settings[i], &settings[i+1])
	}
	return o
}

// TestSettingsOfCompactionAct puts two messages of one key and then one of another into a log, the last one later,
// and sweeps at some time after that.
func TestSettingsOfCompactionAct(t *testing.T) {
	const hour = "3600000"
	for _, row := range []struct {
		name     string
		settings []string
		value    string // of the key's second message
		after    time.Duration
		want     string
	}{
		{"a tombstone stays for a day", nil, "", 23 * time.Hour, "[1 k= 2 other=v]"},
		{"delete.retention.ms is over", []string{settingTombstones, hour}, "", 61 * time.Minute, "[2 other=v]"},
		{"delete.retention.ms is not over", []string{settingTombstones, hour}, "", 59 * time.Minute, "[1 k= 2 other=v]"},
		{"what was replaced goes at once", nil, "b", 0, "[1 k=b 2 other=v]"},
		{"min.compaction.lag.ms is not over", []string{settingMinLag, hour}, "b", 59 * time.Minute, "[0 k=a 1 k=b 2 other=v]"},
		{"min.compaction.lag.ms is over", []string{settingMinLag, hour}, "b", 61 * time.Minute, "[1 k=b 2 other=v]"},
		{"settings that cannot be read do not act", []string{settingMinLag, "long", settingTombstones, "-5"}, "b", 0, "[1 k=b 2 other=v]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, openStore(t))
			w.topic("red", compacted(row.settings...))
			w.put("k", "a")
			w.put("k", row.value)
			w.put("other", "v")
			w.reclaim()
			w.clock.advance(row.after)
			w.reclaim()
			if got := fmt.Sprint(w.contents()); got != row.want {
				t.Errorf("%v later: %s, want %s", row.after, got, row.want)
			}
		})
	}
}

// What is old enough is compacted beside what is not.
func TestCompactionEndsBeforeWhatIsTooYoung(t *testing.T) {
	w := newWorld(t, openStore(t))
	w.topic("red", compacted(settingMinLag, "3600000"))
	w.put("k", "a")
	w.put("k", "b")
	w.clock.advance(2 * time.Hour)
	w.put("k", "c")
	w.put("other", "v")
	for range 2 {
		w.reclaim()
		if got := fmt.Sprint(w.contents()); got != "[1 k=b 2 k=c 3 other=v]" {
			t.Errorf("left: %s", got)
		}
	}
	w.clock.advance(2 * time.Hour)
	w.reclaim()
	if got := fmt.Sprint(w.contents()); got != "[2 k=c 3 other=v]" {
		t.Errorf("later: %s", got)
	}
}

func TestTopicsSayWhenAPassIsWorthWhile(t *testing.T) {
	for _, row := range []struct {
		name     string
		settings []string
		after    time.Duration
		passes   bool
	}{
		{"a tenth is new", nil, time.Hour, false},
		{"a tenth is new, and that is enough", []string{settingDirtyRatio, "0.05"}, time.Hour, true},
		{"a week has gone by", nil, 8 * 24 * time.Hour, true},
		{"a week has gone by, and that is too early", []string{settingMaxLag, "864000000"}, 8 * 24 * time.Hour, false},
		{"an hour has gone by, and that is enough", []string{settingMaxLag, "3600000"}, time.Hour, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, openStore(t))
			w.topic("red", compacted(row.settings...))
			for i := range 10 {
				w.put(fmt.Sprint(i), "v")
			}
			w.reclaim()
			w.put("0", "new")
			w.clock.advance(row.after)
			w.reclaim()
			if got := w.contents(); len(got) != 10 && row.passes || len(got) != 11 && !row.passes {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestLargeBatchesAreCompacted(t *testing.T) {
	onEachStore(t, func(w *world) {
		log := w.topic("red", TopicOptions{Compact: true, MaxMessageBytes: 2 << 20}).log(0)
		first, second := noise(500_000), noise(1_000_000)
		w.produceAll(
			NewMessage{Topic: "red", Timestamp: -1, Key: []byte("a"), Value: []byte(first)},
			NewMessage{Topic: "red", Timestamp: -1, Key: []byte("b"), Value: []byte(second)},
		)
		w.materialize(0)
		w.put("a", "small")
		w.reclaim()
		w.wantValues(w.fetch("red", 0), second, "small")
		if n := w.items(log, kindPiece); n != 3 {
			w.Errorf("%d pieces", n)
		}
		w.put("b", "small")
		w.clock.advance(8 * 24 * time.Hour)
		w.reclaim()
		if n := w.items(log, kindPiece); n != 0 {
			w.Errorf("%d pieces are left", n)
		}
	})
}

// modelLog is a compacted log beside a map of the last values.
type modelLog struct {
	*world
	last map[string]string // by key; a key that was deleted is not in it
	seen int               // messages produced
}

var errCrash = errors.New("crashed by the test")

// TestCompactionAgainstAMapOfLastValues compacts with passes of few keys, which crash before any call
// to the store, or beside another compactor. A reader from the beginning must always get at the last
// values, and nothing that was deleted may come back.
func TestCompactionAgainstAMapOfLastValues(t *testing.T) {
	t.Run("in the store", func(t *testing.T) { compactionModel(t, newWorld) })
	t.Run("in objects", func(t *testing.T) { compactionModel(t, newObjectWorld) })
}

func compactionModel(t *testing.T, open func(testing.TB, store.Store) *world) {
	rapid.Check(t, func(rt *rapid.T) {
		one := oneCheck{t, rt}
		w := open(one, openStore(one))
		hours := rapid.SampledFrom([]string{"0", "3600000", "36000000"})
		w.topic("red", compacted(settingMinLag, hours.Draw(rt, "lag"), settingTombstones, hours.Draw(rt, "tombstones")))
		m := &modelLog{world: w, last: map[string]string{}}
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"})
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				m.seen++
				m.last[k] = fmt.Sprint(m.seen)
				w.put(k, m.last[k])
			},
			"delete": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				m.seen++
				delete(m.last, k)
				w.put(k, "")
			},
			"wait":    func(rt *rapid.T) { w.clock.advance(time.Duration(rapid.IntRange(1, 40).Draw(rt, "hours")) * time.Hour) },
			"compact": func(rt *rapid.T) { m.compact(rt, &interrupted{Store: w.store}) },
			"compact and crash": func(rt *rapid.T) {
				m.compact(rt, &interrupted{Store: w.store, before: rapid.IntRange(1, 60).Draw(rt, "call"), fail: errCrash})
			},
			"compact twice at once": func(rt *rapid.T) {
				m.compact(rt, &interrupted{
					Store: w.store, before: rapid.IntRange(1, 60).Draw(rt, "call"), do: func() { m.compact(rt, &interrupted{Store: w.store}) },
				})
			},
			"merge, beside a compaction or a crash": m.merge,
			"compact beside a merge": func(rt *rapid.T) {
				if m.e.objects == nil {
					return
				}
				m.ripen(rt)
				m.compact(rt, &interrupted{Store: w.store, before: rapid.IntRange(1, 60).Draw(rt, "call"), do: func() {
					m.update("red", func(o *TopicOptions) { o.Compact, o.Retention = false, -1 })
					m.clock.advance(2 * time.Minute)
					e := m.merging(w.store, m.e.objects, 1)
					defer e.Close()
					if _, err := e.Reclaim(m.Context()); err != nil {
						rt.Fatal(err)
					}
				}})
				m.update("red", func(o *TopicOptions) { o.Compact = true })
			},
			"": m.check,
		})
	})
}

func (m *modelLog) compact(rt *rapid.T, s *interrupted) {
	e := New(Config{Store: s, Stream: m.stream, Now: m.clock.now, Objects: m.e.objects, ObjectBytes: 1, CompactKeys: rapid.IntRange(1, 4).Draw(rt, "keys")})
	defer e.Close()
	if _, err := e.Reclaim(m.Context()); err != nil && !errors.Is(err, errCrash) {
		rt.Fatal(err)
	}
}

// ripen makes some segments that are old enough to be merged.
func (m *modelLog) ripen(rt *rapid.T) {
	for range rapid.IntRange(2, 5).Draw(rt, "segments") {
		k := string(rune('a' + rapid.IntRange(0, 7).Draw(rt, "key")))
		m.seen++
		m.last[k] = fmt.Sprint(m.seen)
		m.put(k, m.last[k])
	}
	m.clock.advance(25 * time.Hour)
}

// merge merges what a log has, while its topic does not want it to be compacted.
func (m *modelLog) merge(rt *rapid.T) {
	if m.e.objects == nil {
		return
	}
	m.ripen(rt)
	m.update("red", func(o *TopicOptions) { o.Compact, o.Retention = false, -1 })
	m.clock.advance(2 * time.Minute)
	s := &interrupted{Store: m.store, before: rapid.IntRange(1, 60).Draw(rt, "call")}
	if rapid.Bool().Draw(rt, "crash") {
		s.fail = errCrash
	} else {
		s.do = func() {
			m.update("red", func(o *TopicOptions) { o.Compact = true })
			m.clock.advance(time.Hour)
			m.compact(rt, &interrupted{Store: m.store})
		}
	}
	e := m.merging(s, m.e.objects, 1)
	defer e.Close()
	if _, err := e.Reclaim(m.Context()); err != nil && !errors.Is(err, errCrash) {
		rt.Fatal(err)
	}
	m.update("red", func(o *TopicOptions) { o.Compact = true })
}

func (m *modelLog) check(rt *rapid.T) {
	got, all := map[string]string{}, m.contents()
	for _, line := range all {
		_, pair, _ := strings.Cut(line, " ")
		k, v, _ := strings.Cut(pair, "=")
		got[k] = v
		if v == "" {
			delete(got, k)
		}
	}
	if !maps.Equal(got, m.last) {
		rt.Fatalf("the log says %v, want %v: %v", got, m.last, all)
	}
	h := m.head("red")
	clean := map[string]bool{}
	for _, line := range all {
		var offset int64
		var pair string
		if _, err := fmt.Sscan(line, &offset, &pair); err != nil {
			rt.Fatal(err)
		}
		k, _, _ := strings.Cut(pair, "=")
		if offset < h.cleaned.upTo && clean[k] {
			rt.Fatalf("%s occurs twice below %d: %v", k, h.cleaned.upTo, all)
		}
		clean[k] = true
	}
}
