package meter_test

import (
	"context"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

var (
	noon = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	db1  = meter.Resource{Product: "redis", ID: "db1"}
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
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
	if got, want := hours[0].Counters, (meter.Counters{Requests: 2, Refused: 1, Commands: 4, BytesIn: 10, BytesOut: 20, Calls: 2, ReadUnits: 1.5, Busy: 4 * time.Millisecond}); got != want {
		t.Errorf("first hour %+v, want %+v", got, want)
	}
	if got, want := hours[1].Class(meter.ClassWrite).Counters, (meter.Counters{Requests: 1, Failed: 1, Blocked: 1, Commands: 1, Calls: 2, WriteUnits: 3, Busy: 8 * time.Millisecond}); got != want {
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
