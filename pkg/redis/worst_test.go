package redis_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
)

var writeWorst = flag.Bool("worst", false, "search for the worst requests and write WORST.md anew")

// spent is what a request has used.
type spent struct {
	units     int64  // of work
	allocated uint64 // bytes, garbage included
	reply     int    // bytes
	cpu       time.Duration
	answer    string
}

// processorTime is what the process has used of processors.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure carries out a request. One that goes on after a minute ends.
func (d *testDB) measure(cmds [][]string) spent {
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	var w resp.Writer
	var s spent
	var err error
	db := d.database()
	runtime.GC()
	at := processorTime(d.t)
	s.allocated = allocated(func() { s.units, err = d.e.Counted(ctx, db, cmds, &w) })
	s.cpu = processorTime(d.t) - at
	s.reply, s.answer = w.Len(), "carried out"
	if err != nil {
		s.answer = "refused: " + err.Error()
	} else if text, ok := resp.ErrorText(w.Buf); ok {
		s.answer = "refused: " + text
	}
	s.answer = strings.NewReplacer("|", "/", "\n", " ", "`", "'").Replace(s.answer)
	if len(s.answer) > 90 {
		s.answer = s.answer[:90] + "…"
	}
	return s
}

const worstPreface = `# The worst requests

Written by ` + "`go test ./pkg/redis -run TestWorst -worst -timeout 1h`" + ` (%s/%s, %s). Requests of at most 1 MB, for every command that
touches data and every function of scripts, on values that are as long, wide and deep as they may be; the data is in
` + "`worst_data_test.go`" + `, the requests are in ` + "`worst_forms_test.go`" + `. In brackets are how many arguments follow.

**Work** is in millions of units, as Budget counts them, of at most 2,000 (what was refused for it may be over by one
step), and **allocated** is in MiB, garbage and the reply included: both are the same on any machine, but for caches of the store.
**Processor** is in seconds of all processors, with the garbage collector, on the machine that wrote the table, which was
not idle: it is for information. Rows are in the order of work; requests of less than 100 million units and 64 MiB are
counted at the end.

| request | work | allocated | answer | processor |
| --- | --: | --: | --- | --: |
`

// TestWorst checks that the search is about every command that touches data. With -worst, it searches, and writes
// WORST.md.
func TestWorst(t *testing.T) {
	d := newTestEngine(t)
	all := slices.Concat(forms(!*writeWorst), loops())
	if !*writeWorst {
		d.searched(all)
		return
	}
	hostile(d)
	type row struct {
		form
		spent
	}
	var rows []row
	for _, f := range all {
		for _, p := range f.prepare {
			d.raw(p...)
		}
		s := d.measure(f.cmds)
		t.Logf("%-60.60s %5d M, %5d MiB, %6.3f s: %s", f.name, s.units/1e6, s.allocated>>20, s.cpu.Seconds(), s.answer)
		rows = append(rows, row{f, s})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return int(b.units/1e6 - a.units/1e6) })
	var out strings.Builder
	fmt.Fprintf(&out, worstPreface, runtime.GOOS, runtime.GOARCH, runtime.Version())
	small := 0
	for _, r := range rows {
		if r.units < 100e6 && r.allocated < 64<<20 && r.cpu < time.Second/2 {
			small++
			continue
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %s | %.2f |\n", strings.ReplaceAll(r.name, "|", "/"), r.units/1e6, r.allocated>>20, r.answer, r.cpu.Seconds())
	}
	fmt.Fprintf(&out, "\n%d requests were measured, %d of them are not in the table.\n", len(rows), small)
	if err := os.WriteFile("WORST.md", []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// searched checks that the search has a request for every command that touches data.
func (d *testDB) searched(all []form) {
	has := map[string]bool{}
	for _, f := range all {
		for _, cmd := range f.cmds {
			has[strings.ToLower(cmd[0])] = true
			if cmd[0] == "eval" && len(cmd) > 3 {
				has[cmd[3]] = true
			}
		}
	}
	reply, err := resp.Decode(d.raw("command", "info"))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, info := range reply.([]any) {
		fields := info.([]any)
		name := fields[0].(string)
		if first, ok := fields[3].(int64); ok && first > 0 && !has[name] {
			d.t.Errorf("the search has no request with %s", name)
		}
	}
}
