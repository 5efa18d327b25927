package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/skystash/skystash/pkg/redis/transfer"
)

const (
	// tellEvery is how often progress is told.
	tellEvery = 2 * time.Second

	// reasonsShown is how many of the keys that were skipped are shown; --report has all.
	reasonsShown = 20
)

// teller tells people how a transfer goes on.
type teller struct {
	w      io.Writer
	total  int64 // keys, or 0 if not known
	began  time.Time
	told   time.Time
	before int64          // keys of earlier runs
	part   func() float64 // how much of a file was read; nil: no file
	shown  int
	file   *os.File
	report *bufio.Writer
	save   func(place string, s transfer.Stats) error // nil: nowhere
}

func newTeller(w io.Writer, report string, total int64) (*teller, error) {
	now := time.Now()
	t := &teller{w: w, total: total, began: now, told: now}
	if report != "" {
		f, err := os.OpenFile(report, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return nil, err
		}
		t.file, t.report = f, bufio.NewWriter(f)
	}
	return t, nil
}

// total asks a server for its number of keys. 0: not known.
func total(ctx context.Context, p transfer.Peer, match string) int64 {
	if match != "" {
		return 0
	}
	replies, err := p.Do(ctx, []string{"DBSIZE"})
	if err != nil {
		return 0 // what is wrong will be said by what comes next
	}
	n, _ := replies[0].(int64)
	return n
}

func (t *teller) placed(place string, s transfer.Stats) error {
	if now := time.Now(); now.Sub(t.told) >= tellEvery {
		t.told = now
		t.progress(now, s)
	}
	if t.save != nil {
		return t.save(place, s)
	}
	return nil
}

func (t *teller) progress(now time.Time, s transfer.Stats) {
	rate := float64(s.Keys) / now.Sub(t.began).Seconds()
	line := fmt.Sprintf("%d keys, %s, %.0f keys/s", t.before+s.Keys, size(s.Bytes), rate)
	if left := t.total - t.before - s.Keys; t.total > 0 && left > 0 && rate > 0 {
		line += fmt.Sprintf(", %d to go, about %v", left, time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	if t.part != nil {
		line += fmt.Sprintf(", %.0f %% of the file", 100*t.part())
	}
	fmt.Fprintln(t.w, line)
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f kB", float64(n)/(1<<10))
}

func (t *teller) skipped(s transfer.Skipped) {
	line := fmt.Sprintf("%.200q: %s", s.Key, s.Why)
	if s.Key == "" {
		line = s.Why
	}
	if t.report != nil {
		fmt.Fprintln(t.report, line) // its error is that of Flush
	}
	if t.shown++; t.shown <= reasonsShown {
		fmt.Fprintln(t.w, "  "+line)
	} else if t.shown == reasonsShown+1 {
		fmt.Fprintln(t.w, "  ... (--report FILE has them all)")
	}
}

// end writes the report.
func (t *teller) end() error {
	if t.report == nil {
		return nil
	}
	return errors.Join(t.report.Flush(), t.file.Close())
}

func (t *teller) summary(what string, s transfer.Stats) {
	took := time.Since(t.began)
	fmt.Fprintf(t.w, "%s %d keys, %s, in %v (%.0f keys/s)", what, t.before+s.Keys-s.Skipped, size(s.Bytes), took.Round(time.Millisecond), float64(s.Keys)/max(took.Seconds(), 1e-3))
	for _, part := range []struct {
		n    int64
		what string
	}{{s.There, "were there already"}, {s.Skipped, "skipped"}, {s.Partly, "not as they were"}} {
		if part.n > 0 {
			fmt.Fprintf(t.w, "; %d %s", part.n, part.what)
		}
	}
	fmt.Fprintln(t.w)
}
