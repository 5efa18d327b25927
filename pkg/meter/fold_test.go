package meter_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/ledger"
)

var (
	noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	db1  = meter.Resource{Product: "redis", ID: "db1"}
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	st := openRapid(t)
	t.Cleanup(func() { st.Close() })
	return st
}

// openRapid opens a store that the caller closes.
func openRapid(t tb) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatalf("opening a store: %v", err)
	}
	return st
}

func clock() time.Time { return noon }

func newFolder(st store.Store) *meter.Folder {
	return meter.NewFolder(meter.FolderConfig{Store: st, Now: clock})
}

func TestRecordsAddUpToHoursDaysAndMonths(t *testing.T) {
	ctx, st := context.Background(), openStore(t)
	records := []meter.Record{
		{Class: meter.ClassRead, At: noon, Duration: 2 * time.Millisecond, Status: 200, Commands: 3, BytesIn: 10, BytesOut: 20, Calls: 1, ReadUnits: 0.5},
		{Class: meter.ClassRead, At: noon.Add(59 * time.Minute), Duration: 2 * time.Millisecond, Status: 400, Commands: 1, Calls: 1, ReadUnits: 1},
		{Class: meter.ClassWrite, At: noon.Add(time.Hour), Duration: 8 * time.Millisecond, Status: 500, Commands: 1, Calls: 2, WriteUnits: 3},
		{Class: meter.ClassWrite, At: noon.Add(time.Hour), Status: 400, Blocked: true},
		{Class: meter.ClassWrite, At: noon.Add(24 * time.Hour), Duration: 9 * time.Millisecond, Status: 200, Commands: 1, WriteUnits: 1},
	}
	var entries []meter.Entry
	for i, r := range records {
		r.Resource = db1
		entries = append(entries, meter.Entry{Instance: "i", Number: int64(i), Sum: r.Sum()})
	}
	done, err := newFolder(st).Fold(ctx, entries)
	if err != nil {
		t.Fatal(err)
	}
	if done.Entries != 5 || done.Duplicates != 0 || len(done.Resources) != 1 {
		t.Errorf("folded %+v", done)
	}

	book := meter.NewBook(st)
	hours, err := book.Hours(ctx, db1, noon, noon.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(hours) != 3 || !hours[0].Start.Equal(noon) || !hours[2].Start.Equal(noon.Add(24*time.Hour)) {
		t.Fatalf("hours %+v", hours)
	}
	if got, want := hours[0].Counters, (meter.Counters{Requests: 2, Refused: 1, Errors: 1, Commands: 4, BytesIn: 10, BytesOut: 20, Calls: 2, ReadUnits: 1.5, Busy: 4 * time.Millisecond}); got != want {
		t.Errorf("first hour %+v, want %+v", got, want)
	}
	if got, want := hours[1].Class(meter.ClassWrite).Counters, (meter.Counters{Requests: 1, Failed: 1, Errors: 1, Blocked: 1, Commands: 1, Calls: 2, WriteUnits: 3, Busy: 8 * time.Millisecond}); got != want {
		t.Errorf("second hour's writes %+v, want %+v", got, want)
	}
	days, err := book.Days(ctx, db1, noon.Truncate(24*time.Hour), noon.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(days) != 2 || days[0].Counters.Requests != 3 || len(days[0].Classes) != 2 || days[1].Counters.Requests != 1 {
		t.Errorf("days %+v", days)
	}
	march, err := book.Month(ctx, db1, noon)
	if err != nil {
		t.Fatal(err)
	}
	if march.Counters != days[0].Counters || march.Latency.Count() != 3 {
		t.Errorf("March %+v, want its only day's %+v", march, days[0])
	}
	if p50, p99 := march.P50(), march.P99(); p50 < 1900*time.Microsecond || p50 > 2100*time.Microsecond || p99 < 7600*time.Microsecond || p99 > 8400*time.Microsecond {
		t.Errorf("median %v, 99th percentile %v", p50, p99)
	}
	if other, err := book.Month(ctx, meter.Resource{Product: "kafka", ID: "db1"}, noon); err != nil || other.Counters != (meter.Counters{}) {
		t.Errorf("another product's resource of the same id: %+v, %v", other, err)
	}
}

func TestLinesThatNeverArriveDoNotMakeAMarkerGrow(t *testing.T) {
	ctx, st := context.Background(), openStore(t)
	folder := meter.NewFolder(meter.FolderConfig{Store: st, Now: clock, Logger: quiet})
	r := meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Commands: 1}
	every2nd := func(from, n int) (entries []meter.Entry) {
		for i := range n {
			entries = append(entries, meter.Entry{Instance: "i", Number: int64(from + 2*i), Sum: r.Sum()})
		}
		return entries
	}
	if _, err := folder.Fold(ctx, every2nd(0, 600)); err != nil {
		t.Fatal(err)
	}
	// Of the odd numbers, the old ones are given up, the new ones are still waited for.
	old, err := folder.Fold(ctx, every2nd(1, 300))
	if err != nil || old.Entries != 0 {
		t.Errorf("old gaps: %+v, %v", old, err)
	}
	late, err := folder.Fold(ctx, every2nd(1001, 99))
	if err != nil || late.Entries != 99 {
		t.Errorf("new gaps: %+v, %v", late, err)
	}
	day, err := meter.NewBook(st).Day(ctx, db1, noon)
	if err != nil || day.Counters.Requests != 699 {
		t.Errorf("%d requests, %v", day.Counters.Requests, err)
	}
}

func TestManyResourcesTakeSeveralTransactions(t *testing.T) {
	ctx, st := context.Background(), openStore(t)
	var tr truth
	var entries []meter.Entry
	for i := range 500 {
		r := meter.Record{Resource: meter.Resource{Product: "redis", ID: fmt.Sprint(i % 250)}, Class: meter.ClassRead, At: noon, Commands: 1}
		e := meter.Entry{Instance: fmt.Sprint(i % 70), Number: int64(i / 70), Sum: r.Sum()}
		entries = append(entries, e)
		tr.add(e.Sum)
	}
	done, err := newFolder(st).Fold(ctx, entries)
	if err != nil || done.Entries != 500 || len(done.Resources) != 250 {
		t.Errorf("%+v, %v", done, err)
	}
	tr.check(t, st)
}

func TestForgottenResourcesLeaveNothingBehind(t *testing.T) {
	ctx := context.Background()
	st := ledger.New(openStore(t))
	r := meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Commands: 1}
	if _, err := newFolder(st).Fold(ctx, []meter.Entry{{Instance: "i", Sum: r.Sum()}}); err != nil {
		t.Fatal(err)
	}
	if err := meter.NewBook(st).Forget(ctx, db1); err != nil {
		t.Fatal(err)
	}
	if keys := st.Keys(); len(keys) != 1 || keys[0].Partition != "uii" {
		t.Errorf("left behind, besides the instance's marker: %v", keys)
	}
}
