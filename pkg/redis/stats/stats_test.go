package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/resp"
)

func newBook() (*Book, command.Table) {
	table := command.NewTable()
	return NewBook(table.Size(), time.Now), table
}

func section(d *Database, name string) string {
	var b strings.Builder
	d.Section(name, func(name string, value any) { fmt.Fprintf(&b, "%s:%v\n", name, value) })
	return b.String()
}

func TestCallsOfManyAreCounted(t *testing.T) {
	b, table := newBook()
	d := b.Of("db")
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for i := range 1000 {
				d.Ran(table["get"], time.Microsecond, i%10 == 0)
				d.Failed("E" + strconv.Itoa(i%3) + " text")
			}
		})
	}
	calls.Wait()
	if got, want := section(d, "commandstats"), "cmdstat_get:calls=8000,usec=8000,usec_per_call=1.00,rejected_calls=0,failed_calls=800\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := section(d, "errorstats"), "errorstat_E0:count=2672\nerrorstat_E1:count=2664\nerrorstat_E2:count=2664\n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	d.Reset()
	if got := section(d, "commandstats") + section(d, "errorstats"); got != "" || b.counters.Load() != 0 {
		t.Errorf("after a reset: %s, %d counters", got, b.counters.Load())
	}
}

// The bounds are those that Redis 7.2 shows.
func TestHistogramsHaveRedisBounds(t *testing.T) {
	var h histogram
	want := []row{}
	for i, micros := range []int64{1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908, 33816, 67633, 135266, 270532, 541065, 1082130} {
		h.add(time.Duration(1<<(leastBits+i)) - 1)
		want = append(want, row{micros, int64(i + 1)})
	}
	if rows, calls := h.cumulative(); calls != int64(len(want)) || !slices.Equal(rows, want) {
		t.Errorf("%v", rows)
	}
	h = histogram{}
	h.add(-1)
	h.add(time.Hour)
	if rows, _ := h.cumulative(); !slices.Equal(rows, []row{{1, 1}, {1082130, 2}}) {
		t.Errorf("%v", rows)
	}
}

// A percentile is no less than the true one, and no more than a quarter above it.
func TestPercentiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []int64
	for range 10_000 {
		d := 1024 + random.Int64N(1<<(10+random.IntN(20)))
		all = append(all, d)
		h.add(time.Duration(d))
	}
	slices.Sort(all)
	for _, p := range []float64{0, 1, 50, 99, 99.9, 100} {
		want := all[max(int(p/100*float64(len(all)))-1, 0)]
		if got := h.percentile(p); got < want || float64(got) > 1.25*float64(want)+1 {
			t.Errorf("%g: %d, want %d", p, got, want)
		}
	}
	if got := new(histogram).percentile(50); got != 0 {
		t.Errorf("without calls: %d", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b, table := newBook()
	commands := slices.Collect(func(yield func(*command.Command) bool) {
		for _, cmd := range table {
			if !yield(cmd) {
				return
			}
		}
	})
	for i := range 2 * maxDatabases {
		d := b.Of(strconv.Itoa(i))
		for _, cmd := range commands {
			d.Ran(cmd, 0, false)
		}
		for j := range 2 * maxErrors {
			d.Failed("KIND" + strconv.Itoa(j) + " text")
		}
		if n := len(d.failures.of); n > maxErrors+1 {
			t.Fatalf("%d kinds of errors", n)
		}
	}
	kept := int64(0)
	for _, d := range b.of {
		kept += int64(len(d.counted()))
	}
	if len(b.of) > maxDatabases || b.counters.Load() > maxCounters || kept != b.counters.Load() {
		t.Errorf("%d databases, %d counters, of which %d are said to be", len(b.of), kept, b.counters.Load())
	}
}

func TestEventsHaveOneSampleASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, table := newBook()
		d := b.Of("db")
		if _, err := d.Set("latency-monitor-threshold", "10"); err != nil {
			t.Fatal(err)
		}
		start := time.Now().Unix()
		for i := range 200 {
			d.Ran(table["keys"], 9*time.Millisecond, false)
			d.Ran(table["keys"], time.Duration(10+i)*time.Millisecond, false)
			d.Ran(table["keys"], 10*time.Millisecond, false)
			time.Sleep(time.Second)
		}
		var w resp.Writer
		d.History(&w, "command")
		if want := fmt.Sprintf("*160\r\n*2\r\n:%d\r\n:50\r\n", start+40); !strings.HasPrefix(string(w.Buf), want) {
			t.Errorf("%.60q, want %q", w.Buf, want)
		}
		text, _ := d.Graph("command")
		if want := "command - high 209 ms, low 50 ms (all time high 209 ms)\n"; !strings.HasPrefix(text, want) {
			t.Errorf("%s", text)
		}
		if text := d.Doctor(-1); !strings.Contains(text, "1. command: 160 latency spikes (average 129ms, mean deviation 40ms, period 1.00 sec). Worst all time event 209ms.") {
			t.Errorf("%s", text)
		}
	})
}

func BenchmarkRan(b *testing.B) {
	book, table := newBook()
	d := book.Of("db")
	b.ReportAllocs()
	for b.Loop() {
		d.Ran(table["get"], 20*time.Microsecond, false)
	}
}
