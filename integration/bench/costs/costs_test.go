// Package costs writes the tables of what Skystash costs on AWS. It has no code to import, only tests.
//
// ../COSTS.md is made of the price list (pkg/meter/price), the units of ../CALLS.md, and the lines of usage and their
// counting, which are measured here. README.md quotes its first table.
//
//	go test ./integration/bench/costs            compare both with what they should say
//	go test ./integration/bench/costs -update    write both
package costs

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/price"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

var update = flag.Bool("update", false, "write COSTS.md and the table in README.md")

const (
	costsFile  = "../COSTS.md"
	callsFile  = "../CALLS.md"
	readmeFile = "../../../README.md"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// units are those of a row of CALLS.md that begins with cells.
func units(t *testing.T, calls, cells string) (reads, writes float64) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(cells) + ` \|[^|]*\|[^|]*\| ([0-9.]*) ?\| ([0-9.]*) ?\|`).FindStringSubmatch(calls)
	if m == nil {
		t.Fatalf("CALLS.md has no row %q", cells)
	}
	for i, to := range []*float64{&reads, &writes} {
		if m[i+1] == "" {
			continue
		}
		var err error
		if *to, err = strconv.ParseFloat(m[i+1], 64); err != nil {
			t.Fatal(err)
		}
	}
	return reads, writes
}

func TestExamplesHaveTheUnitsThatWereMeasured(t *testing.T) {
	calls := read(t, callsFile)
	rows := []struct {
		cells string
		of    float64 // commands in it
	}{
		{"GET k | a string", 1}, {"SET k value | no key", 1}, {"POST /pipeline | 10 GETs", 10},
		{"POST /multi-exec | 4 commands on 1 key: INCR, INCR, GET, EXPIRE", 4}, {"GET k | a string", 1},
	}
	examples := price.Prices().Examples()
	if len(rows) != len(examples) {
		t.Fatalf("%d examples, of which %d are compared", len(examples), len(rows))
	}
	for i, row := range rows {
		reads, writes := units(t, calls, row.cells)
		if r := examples[i].Request; r.ReadUnits*row.of != reads || r.WriteUnits*row.of != writes || r.Requests*row.of != 1 && row.of > 1 {
			t.Errorf("%s: %+v; CALLS.md says %v and %v units for %v commands", examples[i].Name, r, reads, writes, row.of)
		}
	}
}

// busy are the records of a minute of an instance that serves ten GETs a second.
func busy(at time.Time) []meter.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []meter.Record
	for i := range 600 {
		all = append(all, meter.Record{
			Resource: meter.Resource{Product: "redis", ID: "0123456789abcdef0123456789abcdef"}, Class: meter.ClassRead,
			At: at.Add(time.Duration(i) * time.Minute / 600), Status: 200, Commands: 1, BytesIn: 20, BytesOut: 60, Calls: 1, ReadUnits: 1,
			Duration: time.Duration(6e6 + rng.ExpFloat64()*4e6),
		})
	}
	return all
}

// eventBytes is what CloudWatch Logs adds to the bytes of each event, on the bill.
const eventBytes = 26

// TestLinesCostWhatThePriceListSays measures a line of a busy instance, and what it takes to count it.
func TestLinesCostWhatThePriceListSays(t *testing.T) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	noon := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	records := busy(noon)
	w.Record(records[0])
	lone := out.Len() + eventBytes
	out.Reset()
	for _, r := range records[1:] {
		w.Record(r)
	}
	w.Flush()
	line := out.Len() + eventBytes

	st := dynamo.New(dynamolocal.Client(t), dynamolocal.Table(t, dynamolocal.Client(t)))
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	now := func() time.Time { return noon }
	folder := meter.NewFolder(meter.FolderConfig{Store: st, Now: now})
	limiter := meter.NewLimiter(meter.LimiterConfig{Store: st, Limits: control.New(control.Config{Store: st}).Limits, Cost: price.Cost, Now: now})
	entries, err := meter.ParseLine(bytes.TrimSpace(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // the items of the hour and the day are there after the first
		ctx, units := store.Metering(t.Context())
		done, err := folder.Fold(ctx, entries)
		if err == nil {
			err = limiter.Check(ctx, done.Resources...)
		}
		if err != nil {
			t.Fatal(err)
		}
		used := units.Total()
		t.Logf("a line of %d bytes, alone %d; counted with %v read and %v write units", line, lone, used.ReadUnits, used.WriteUnits)
		if err := price.CheckLine(line, lone, used.ReadUnits, used.WriteUnits); err != nil {
			t.Error(err)
		}
		entries[0].Number++
	}
}

func compare(t *testing.T, file, got, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got == want {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("%s, line %d says\n%s\nnot\n%s\n-update writes it", file, i+1, a[i], b[i])
		}
	}
	t.Fatalf("%s has %d lines, not %d; -update writes it", file, len(a), len(b))
}

// Where the table is in README.md.
const (
	begin = "<!-- costs: written by go test ./integration/bench/costs -update -->\n"
	end   = "<!-- end of costs -->\n"
)

func TestTablesSayWhatThingsCost(t *testing.T) {
	list := price.Prices()
	compare(t, costsFile, read(t, costsFile), document(list))
	readme := read(t, readmeFile)
	before, rest, ok := strings.Cut(readme, begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatal("README.md has no place for the table")
	}
	compare(t, readmeFile, readme, before+begin+commands(list)+end+after)
}

func TestTargets(t *testing.T) {
	examples := price.Prices().Examples()
	for i, most := range map[int]float64{0: 0.45, 1: 0.95} {
		if d := price.Prices().Million(examples[i].Request).Total(false); d > most {
			t.Errorf("a million of %s cost %.3f by function URL, more than %v", examples[i].Name, d, most)
		}
	}
}

// commands is the table of what a million commands cost.
func commands(list *price.List) string {
	var b strings.Builder
	b.WriteString("| a million of | DynamoDB | Lambda | counting, checks | sum, function URL | sum, HTTP API | Upstash |\n|---|---:|---:|---:|---:|---:|---:|\n")
	for _, e := range list.Examples() {
		d := list.Million(e.Request)
		fmt.Fprintf(&b, "| %s | %.3f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", e.Name, d.DynamoDB, d.Lambda, d.Counting+d.Checks, d.Total(false), d.Total(true), e.Upstash)
	}
	return b.String()
}
