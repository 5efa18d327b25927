package redis_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/redis/script"
	"github.com/skystash/skystash/pkg/store/embedded"
)

var (
	writeWorst = flag.Bool("worst", false, "search for the worst requests and write WORST.md anew")
	onlyWorst  = flag.String("worst-only", "", "`regexp` of the requests to measure; WORST.md stays as it is, or with -worst for all others")
)

// spent is what a request has used.
type spent struct {
	units     int64  // of work
	allocated uint64 // bytes, garbage included
	memory    int64  // bytes that were in use at a time, besides the reply
	reply     int    // bytes
	cpu       time.Duration
	answer    string
}

// processorTime is what the process has used of processors.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure carries out a request twice, for the memory it uses is seen only if garbage is collected all the time. One
// that goes on after a minute ends.
func (d *testDB) measure(f form) spent {
	var s spent
	request := func() {
		for _, p := range f.prepare {
			d.raw(p...)
		}
		runtime.GC()
	}
	var w resp.Writer
	carryOut := func() (units int64, err error) {
		ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
		defer cancel()
		return d.e.Counted(ctx, d.database(), f.cmds, &w)
	}
	request()
	at := processorTime(d.t)
	var err error
	s.allocated = allocated(func() { s.units, err = carryOut() })
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
	if s.allocated > smallMemory {
		w = resp.Writer{}
		request()
		s.memory = max(inUse(func() { _, _ = carryOut() })-int64(cap(w.Buf)), 0)
	}
	return s
}

// smallMemory is how much a request may allocate that is of no interest.
const smallMemory = 64 << 20

// inUse is how many bytes more than before are in use at a time while fn runs, as collections of garbage find them
// that follow each other after 16 MiB.
func inUse(fn func()) int64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 {
		metrics.Read(live)
		return int64(live[0].Value.Uint64())
	}
	before := read()
	defer debug.SetGCPercent(debug.SetGCPercent(max(int(16<<20*100/before), 1)))
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	most := before
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-tick.C:
			most = max(most, read())
		case <-done:
			tick.Stop()
			return most - before
		}
	}
}

// stopped makes everything else stand still while garbage is collected. Otherwise what is allocated meanwhile counts as
// in use, however short its life: hundreds of MiB if the machine is busy.
const stopped = "GODEBUG=gcstoptheworld=1"

const worstPreface = `# The worst requests

Written by ` + "`" + stopped + " go test ./pkg/redis -run TestWorst -worst -timeout 1h`" + ` (%s/%s, %s). Requests of at most 1 MB, for every command that
touches data and every function of scripts, on values that are as long, wide and deep as they may be; the data is in
` + "`worst_data_test.go`" + `, the requests are in ` + "`worst_forms_test.go`" + ` and ` + "`worst_bombs_test.go`" + `. In brackets are how many arguments follow.

**Work** is in millions of units, as Budget counts them, of at most 2,000 (what was refused for it may be over by one
step). **Processor** is in seconds of CPU time of the whole process, user and system, with the garbage collector and the
store's work in the background. It is no time by the clock: how busy the machine is otherwise matters little. A request is to take less
than 2 s. **Memory** is in MiB, the most that is in use at a time and belongs neither to the reply nor to the arguments,
with what the store buffers; a collection of garbage, during which everything else stands still, finds it every 16 MiB. A request is to
take less than 128 MiB. **Allocated** is in
MiB, garbage and the reply included. Rows are in the order of work; requests of less than 100 million units, 64 MiB and half a
second are counted at the end.

| request | work | processor | memory | allocated | answer |
| --- | --: | --: | --: | --: | --- |
`

// TestWorst checks that the search is about every command that touches data. With -worst, it searches, and writes
// WORST.md.
func TestWorst(t *testing.T) {
	search := *writeWorst || *onlyWorst != ""
	all := slices.Concat(forms(!search), bombs(!search), loops())
	for i := range all {
		all[i].name = strings.ReplaceAll(all[i].name, "|", "/") // as the table has it
	}
	if !search {
		newTestEngine(t).searched(all)
		return
	}
	if !strings.Contains("GODEBUG="+os.Getenv("GODEBUG"), stopped) {
		t.Fatalf("the search needs %s in its environment: memory in use cannot be told from garbage otherwise", stopped)
	}
	only, err := regexp.Compile(*onlyWorst)
	if err != nil {
		t.Fatal(err)
	}
	st, err := embedded.Open(embedded.Options{Dir: t.TempDir(), SyncEvery: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	d := newTestEngineOf(t, redis.Config{Store: st, Scripts: script.Limits{Time: time.Minute}}) // what bounds a script is its steps, however busy the machine is
	measured := slices.DeleteFunc(slices.Clone(all), func(f form) bool { return !only.MatchString(f.name) })
	if slices.ContainsFunc(measured, func(f form) bool { return !strings.HasPrefix(f.name, "lua ") }) { // scripts make what they need
		hostile(d)
	}
	var rows []worstRow
	if *onlyWorst != "" {
		rows = slices.DeleteFunc(readWorst(t), func(r worstRow) bool { return only.MatchString(r.name) })
	}
	for _, f := range measured {
		s := d.measure(f)
		over := ""
		if s.cpu > 2*time.Second || s.memory > 128<<20 {
			over = " OVER"
		}
		t.Logf("%-60.60s %5d M, %6.3f s, %5d MiB, %5d MiB: %s%s", f.name, s.units/1e6, s.cpu.Seconds(), s.memory>>20, s.allocated>>20, s.answer, over)
		if s.units < 100e6 && s.allocated < 64<<20 && s.cpu < time.Second/2 {
			continue
		}
		rows = append(rows, worstRow{f.name, s.units / 1e6, fmt.Sprintf("| %s | %d | %.2f | %d | %d | %s |",
			f.name, s.units/1e6, s.cpu.Seconds(), s.memory>>20, s.allocated>>20, s.answer)})
	}
	if !*writeWorst {
		return
	}
	slices.SortStableFunc(rows, func(a, b worstRow) int { return int(b.work - a.work) })
	var out strings.Builder
	fmt.Fprintf(&out, worstPreface, runtime.GOOS, runtime.GOARCH, runtime.Version())
	for _, r := range rows {
		fmt.Fprintln(&out, r.line)
	}
	fmt.Fprintf(&out, "\n%d requests were measured, %d of them are not in the table.\n", len(all), len(all)-len(rows))
	if err := os.WriteFile("WORST.md", []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// worstRow is a line of the table.
type worstRow struct {
	name string
	work int64 // millions of units
	line string
}

// readWorst is the table as it is.
func readWorst(t *testing.T) (rows []worstRow) {
	t.Helper()
	text, err := os.ReadFile("WORST.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if work, err := strconv.ParseInt(cells[min(1, len(cells)-1)], 10, 64); err == nil {
			rows = append(rows, worstRow{strings.TrimPrefix(cells[0], "| "), work, strings.TrimSpace(line)})
		}
	}
	return rows
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
		bound := d.e.NatureOf([]string{name}) == redis.Bound // to a connection
		if first, ok := fields[3].(int64); ok && first > 0 && !has[name] && !bound {
			d.t.Errorf("the search has no request with %s", name)
		}
	}
}
