package meter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
)

func TestStorageIsMeasuredWhenItMayHaveChanged(t *testing.T) {
	st := openStore(t)
	now, walks, bytes, fail := noon, 0, int64(0), error(nil)
	sizer := meter.NewSizer(meter.SizerConfig{
		Store: st, Now: func() time.Time { return now },
		Measure: map[string]func(context.Context, string) (meter.Storage, error){"redis": func(_ context.Context, id string) (meter.Storage, error) {
			walks++
			return meter.Storage{Bytes: bytes, Items: bytes / 1000, At: now}, fail
		}},
	})
	book, folder, number := meter.NewBook(st), newFolder(st), int64(0)
	// step writes so many units, lets time pass, and checks.
	step := func(what string, units float64, passes time.Duration, holds int64, wantWalks int) {
		t.Helper()
		r := meter.Record{Resource: db1, Class: meter.ClassWrite, At: now, Status: 200, Commands: 1, WriteUnits: units}
		if _, err := folder.Fold(t.Context(), []meter.Entry{{Instance: "i", Number: number, Sum: r.Sum()}}); err != nil {
			t.Fatal(err)
		}
		number++
		now, bytes = now.Add(passes), holds
		err := sizer.Check(t.Context(), db1, meter.Resource{Product: "other", ID: "x"})
		if !errors.Is(err, fail) {
			t.Fatalf("%s: %v", what, err)
		}
		if walks != wantWalks {
			t.Errorf("%s: measured %d times, want %d", what, walks, wantWalks)
		}
		if s, err := book.Storage(t.Context(), db1); err != nil || s.Bytes != holds && walks == wantWalks && fail == nil && s.At.Equal(now) {
			t.Errorf("%s: %+v, %v", what, s, err)
		}
	}
	step("never written", 0, 0, 0, 0)
	step("the first write", 1000, 0, 1_000_000, 1)
	step("little is written", 200, 2*time.Hour, 1_200_000, 1)
	step("a quarter, together", 50, time.Hour, 1_250_000, 2)
	step("much, but at once", 5000, time.Minute, 5_000_000, 2)
	step("much, an hour later", 0, time.Hour, 5_000_000, 3)
	step("on the next day, little", 10, 24*time.Hour, 5_000_000, 3)
	step("a week later", 1, 7*24*time.Hour, 100_000, 4)
	fail = errors.New("no")
	step("a failure", 1000, 2*time.Hour, 1_000_000, 5)
	fail = nil
	step("which is made up for", 0, 0, 1_000_000, 6)
	if s, err := book.Storage(t.Context(), db1); err != nil || s.Bytes != 1_000_000 || s.Items != 1000 || !s.At.Equal(now) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestStorageIsCountedByTheHour(t *testing.T) {
	st := openStore(t)
	begin := time.Date(2026, 3, 31, 22, 0, 0, 0, time.UTC)
	now, bytes := begin, int64(0)
	sizer := meter.NewSizer(meter.SizerConfig{
		Store: st, Now: func() time.Time { return now },
		Measure: map[string]func(context.Context, string) (meter.Storage, error){"redis": func(context.Context, string) (meter.Storage, error) {
			return meter.Storage{Bytes: bytes, At: now}, nil
		}},
	})
	book := meter.NewBook(st)
	for _, step := range []struct {
		at    time.Duration // since begin
		bytes int64
		want  float64 // byte hours of the month
	}{
		{0, 1000, 0}, // what was there before is not known
		{time.Hour, 3000, 2000},
		{3 * time.Hour, 5000, 4500},            // an hour of the new month, from 4000 on
		{4 * time.Hour, 5000, 9500},            //
		{4*time.Hour + time.Minute, 0, 9541.7}, // deleted
		{24 * time.Hour, 0, 9541.7},
	} {
		now, bytes = begin.Add(step.at), step.bytes
		if err := sizer.Measure(t.Context(), db1); err != nil {
			t.Fatal(err)
		}
		s, err := book.Storage(t.Context(), db1)
		if got := s.Until(now); err != nil || got < step.want-0.1 || got > step.want+0.1 {
			t.Errorf("after %v: %.1f byte hours, want %.1f: %v", step.at, got, step.want, err)
		}
	}
	now, bytes = now.Add(time.Hour), 100
	if err := sizer.Measure(t.Context(), db1); err != nil {
		t.Fatal(err)
	}
	s, _ := book.Storage(t.Context(), db1)
	if had := s.Until(now); s.Until(now.Add(10*time.Hour)) != had+1000 {
		t.Errorf("ten hours later there are %.1f byte hours, after %.1f", s.Until(now.Add(10*time.Hour)), had)
	}
}

func TestStorageIsMeasuredOftenWhereThatCostsNothing(t *testing.T) {
	st := openStore(t)
	now, walks := noon, 0
	sizer := meter.NewSizer(meter.SizerConfig{
		Store: st, Every: time.Minute, Now: func() time.Time { return now },
		Measure: map[string]func(context.Context, string) (meter.Storage, error){"redis": func(context.Context, string) (meter.Storage, error) {
			walks++
			return meter.Storage{Bytes: 1_000_000, At: now}, nil
		}},
	})
	folder := newFolder(st)
	for i, step := range []struct {
		units  float64
		passes time.Duration
		want   int
	}{{1, 0, 1}, {1, time.Second, 1}, {0, time.Minute, 2}, {0, time.Minute, 2}, {0, time.Hour, 3}} {
		r := meter.Record{Resource: db1, Class: meter.ClassWrite, At: now, Status: 200, Commands: 1, WriteUnits: step.units}
		if _, err := folder.Fold(t.Context(), []meter.Entry{{Instance: "i", Number: int64(i), Sum: r.Sum()}}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(step.passes)
		if err := sizer.Check(t.Context(), db1); err != nil || walks != step.want {
			t.Errorf("step %d: measured %d times, want %d: %v", i, walks, step.want, err)
		}
	}
}
