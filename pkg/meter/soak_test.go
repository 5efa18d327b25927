package meter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// truth is the usage of resources by hours and days, added up the plain way.
type truth struct {
	hours, days map[meter.Resource]map[time.Time]*meter.Usage
}

func (tr *truth) add(s meter.Sum) {
	class := meter.ClassUsage{Class: s.Class, Counters: s.Counters, Latency: s.Latency}
	one := meter.Usage{Counters: s.Counters, Latency: s.Latency, Classes: []meter.ClassUsage{class}}
	for _, in := range []struct {
		all   *map[meter.Resource]map[time.Time]*meter.Usage
		start time.Time
	}{{&tr.hours, s.Hour}, {&tr.days, s.Hour.Truncate(24 * time.Hour)}} {
		if *in.all == nil {
			*in.all = map[meter.Resource]map[time.Time]*meter.Usage{}
		}
		starts := (*in.all)[s.Resource]
		if starts == nil {
			starts = map[time.Time]*meter.Usage{}
			(*in.all)[s.Resource] = starts
		}
		if starts[in.start] == nil {
			starts[in.start] = &meter.Usage{Start: in.start}
		}
		starts[in.start].Add(one)
	}
}

// tb is testing.TB and rapid.T.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check compares all usage in the store with the truth.
func (tr *truth) check(t tb, st store.Store) {
	t.Helper()
	book := meter.NewBook(st)
	from, to := noon.AddDate(-100, 0, 0), noon.AddDate(100, 0, 0)
	for _, what := range []struct {
		all  map[meter.Resource]map[time.Time]*meter.Usage
		read func(context.Context, meter.Resource, time.Time, time.Time) ([]meter.Usage, error)
	}{{tr.hours, book.Hours}, {tr.days, book.Days}} {
		for r, starts := range what.all {
			got, err := what.read(context.Background(), r, from, to)
			if err != nil {
				t.Fatalf("reading: %v", err)
			}
			var want []meter.Usage
			for _, u := range starts {
				want = append(want, *u)
			}
			slices.SortFunc(want, func(a, b meter.Usage) int { return a.Start.Compare(b.Start) })
			if !reflect.DeepEqual(plain(got), plain(want)) {
				t.Fatalf("usage of %s is\n%+v, want\n%+v", r, plain(got), plain(want))
			}
		}
	}
}

// plainUsage is a usage as values that can be compared.
type plainUsage struct {
	Start    int64
	Counters meter.Counters
	Latency  map[int]int64
	Classes  map[string]plainUsage
}

func plain(all []meter.Usage) []plainUsage {
	buckets := func(s meter.Sketch) map[int]int64 {
		m := map[int]int64{}
		for b, n := range s.All() {
			m[b] = n
		}
		return m
	}
	var out []plainUsage
	for _, u := range all {
		p := plainUsage{u.Start.Unix(), u.Counters, buckets(u.Latency), map[string]plainUsage{}}
		for _, c := range u.Classes {
			p.Classes[c.Class] = plainUsage{Counters: c.Counters, Latency: buckets(c.Latency)}
		}
		out = append(out, p)
	}
	return out
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestAnyTransportFoldsExactly(t *testing.T) {
	classes := []string{meter.ClassRead, meter.ClassWrite, meter.ClassScript}
	folded, again := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		st := openRapid(t)
		defer st.Close()
		folder := meter.NewFolder(meter.FolderConfig{Store: st, Now: clock, Logger: quiet})
		var written []meter.Entry
		numbers := map[string]int64{}
		var tr truth
		given := map[[2]any]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				for range rapid.IntRange(1, 8).Draw(t, "records") {
					instance := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "instance")
					r := meter.Record{
						Resource: meter.Resource{Product: "redis", ID: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "id")},
						Class:    rapid.SampledFrom(classes).Draw(t, "class"),
						At:       noon.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "hours")) * time.Hour),
						Duration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "duration")),
						Status:   rapid.SampledFrom([]int{200, 400, 503}).Draw(t, "status"),
						Blocked:  rapid.Bool().Draw(t, "blocked"),
						Commands: rapid.Int64Range(0, 5).Draw(t, "commands"), ReadUnits: float64(rapid.IntRange(0, 9).Draw(t, "units")) / 2,
					}
					written = append(written, meter.Entry{Instance: instance, Number: numbers[instance], Sum: r.Sum()})
					numbers[instance]++
				}
			},
			"fold": func(t *rapid.T) {
				if len(written) == 0 {
					t.Skip("nothing written")
				}
				batch := rapid.SliceOfN(rapid.SampledFrom(written), 1, 20).Draw(t, "batch")
				if _, err := folder.Fold(context.Background(), batch); err != nil {
					t.Fatalf("fold: %v", err)
				}
				for _, e := range batch {
					id := [2]any{e.Instance, e.Number}
					folded++
					if given[id] {
						again++
						continue
					}
					given[id] = true
					tr.add(e.Sum)
				}
			},
			"": func(t *rapid.T) { tr.check(t, st) },
		})
	})
	if again == 0 {
		t.Errorf("of %d entries that were folded, none came again", folded)
	}
}

// TestSoak has a transport that shuffles, repeats and delivers late to folders that run at once over a store
// that fails and loses answers, and that crash between transactions. The totals are the truth in the end.
func TestSoak(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const instances, each, folders = 12, 400, 4
	var tr truth
	var entries []meter.Entry
	for i := range instances {
		for n := range each {
			r := meter.Record{
				Resource: meter.Resource{Product: "redis", ID: fmt.Sprint(rng.IntN(40))},
				Class:    []string{meter.ClassRead, meter.ClassWrite, meter.ClassOther}[rng.IntN(3)],
				At:       noon.Add(time.Duration(rng.IntN(72)) * time.Hour), Duration: time.Duration(rng.ExpFloat64() * 5e6),
				Status: []int{200, 200, 200, 400, 500}[rng.IntN(5)], Commands: int64(rng.IntN(20)),
				BytesIn: rng.Int64N(1e6), BytesOut: rng.Int64N(1e6), Calls: int64(rng.IntN(3)),
				ReadUnits: float64(rng.IntN(10)) / 2, WriteUnits: float64(rng.IntN(10)),
			}
			e := meter.Entry{Instance: fmt.Sprint("instance", i), Number: int64(n), Sum: r.Sum()}
			tr.add(e.Sum)
			entries = append(entries, e)
		}
	}
	// Batches overlap; some come again, right after or much later. Lines move by a few hundred places.
	at := map[*meter.Entry]float64{}
	order := make([]*meter.Entry, len(entries))
	for i := range entries {
		order[i] = &entries[i]
		at[order[i]] = float64(entries[i].Number) + 150*rng.Float64()
	}
	slices.SortFunc(order, func(a, b *meter.Entry) int {
		if at[a] < at[b] {
			return -1
		}
		return 1
	})
	var batches [][]meter.Entry
	for i := 0; i < len(order); {
		n := min(1+rng.IntN(120), len(order)-i)
		var batch []meter.Entry
		for _, e := range order[max(0, i-rng.IntN(30)) : i+n] {
			batch = append(batch, *e)
		}
		batches = append(batches, batch)
		for rng.IntN(3) == 0 {
			batches = append(batches, batches[rng.IntN(len(batches))])
		}
		i += n
	}

	inner := openStore(t)
	st := faulty.New(inner, faulty.Plan{
		Seed: 3, Throttle: 0.02, Conflict: 0.05, Unavailable: 0.02, LostApplied: 0.05, LostUnapplied: 0.03, LostLate: 0.05,
	})
	work := make(chan []meter.Entry)
	var wg sync.WaitGroup
	for range folders {
		wg.Go(func() {
			for batch := range work {
				for {
					// A function that fails is given the batch again, by a new instance of it.
					folder := meter.NewFolder(meter.FolderConfig{Store: st, Now: clock, Logger: quiet})
					_, err := folder.Fold(context.Background(), batch)
					if err == nil {
						break
					}
					if !errors.Is(err, store.ErrThrottled) && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrConflict) {
						t.Errorf("fold: %v", err)
						break
					}
				}
			}
		})
	}
	for _, batch := range batches {
		work <- batch
	}
	close(work)
	wg.Wait()
	st.Flush()
	tr.check(t, inner)
	if c := st.Counts(); c.LostApplied == 0 || c.LostLate == 0 || c.Throttled == 0 {
		t.Errorf("the store hardly failed: %+v", c)
	}
}
