package meter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/store/faulty"
)

func drawRecord(t *rapid.T) meter.Record {
	count := rapid.Int64Range(0, 1<<40)
	return meter.Record{
		Resource: meter.Resource{
			Product: rapid.SampledFrom([]string{"redis", "kafka", "qstash"}).Draw(t, "product"),
			ID:      rapid.StringN(1, 20, 128).Draw(t, "id"),
		},
		Class:    rapid.SampledFrom([]string{meter.ClassRead, meter.ClassWrite, meter.ClassDeliver}).Draw(t, "class"),
		At:       time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")),
		Duration: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "duration")),
		Status:   rapid.IntRange(100, 599).Draw(t, "status"),
		Blocked:  rapid.Bool().Draw(t, "blocked"),
		Gateway:  rapid.Bool().Draw(t, "gateway"),
		Commands: count.Draw(t, "commands"), BytesIn: count.Draw(t, "in"), BytesOut: count.Draw(t, "out"), Calls: count.Draw(t, "calls"),
		ReadUnits:  float64(count.Draw(t, "read")) / 2,
		WriteUnits: float64(count.Draw(t, "write")),
	}
}

// read is what lines hold.
func read(t tb, lines string) []meter.Entry {
	t.Helper()
	var all []meter.Entry
	for text := range strings.Lines(lines) {
		entries, err := meter.ParseLine([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, entries...)
	}
	return all
}

func TestLinesHoldWhatWasRecorded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		w := meter.NewWriter(&out, "instance")
		var want truth
		for _, r := range rapid.SliceOfN(rapid.Custom(drawRecord), 1, 9).Draw(t, "records") {
			// Marshalling replaces what is not UTF-8, which no id has.
			r.Resource.ID = strings.ToValidUTF8(r.Resource.ID, "?")
			w.Record(r)
			want.add(r.Sum())
			if rapid.Bool().Draw(t, "flush") {
				w.Flush()
			}
		}
		w.Flush()
		var got truth
		for i, e := range read(t, out.String()) {
			if e.Instance != "instance" || e.Number != int64(i) {
				t.Fatalf("entry %d is number %d of %q", i, e.Number, e.Instance)
			}
			got.add(e.Sum)
		}
		for r, hours := range want.hours {
			if len(hours) != len(got.hours[r]) {
				t.Fatalf("%s has usage of %d hours, want %d", r, len(got.hours[r]), len(hours))
			}
			for hour, u := range hours {
				if !reflect.DeepEqual(plain([]meter.Usage{*got.hours[r][hour]}), plain([]meter.Usage{*u})) {
					t.Fatalf("%s, %v: %+v, want %+v", r, hour, got.hours[r][hour], u)
				}
			}
		}
	})
}

// requests is how many requests each line is about.
func requests(t *testing.T, lines string) []int64 {
	t.Helper()
	var n []int64
	for text := range strings.Lines(lines) {
		sum := int64(0)
		for _, e := range read(t, text) {
			sum += e.Sum.Counters.Requests
		}
		n = append(n, sum)
	}
	return n
}

func TestRecordsAreHeldForAMinuteAtMostWhileRequestsCome(t *testing.T) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "i1")
	at := func(d time.Duration) {
		w.Record(meter.Record{Resource: db1, Class: meter.ClassRead, At: noon.Add(d), Status: 200, Commands: 1})
	}
	for _, step := range []struct {
		after time.Duration
		lines []int64
	}{
		{0, []int64{1}}, // the first request has a line at once
		{time.Second, []int64{1}},
		{59 * time.Second, []int64{1}},
		{60 * time.Second, []int64{1, 3}},
		{61 * time.Second, []int64{1, 3}},
		{time.Hour, []int64{1, 3, 2}},               // the instance was frozen with one
		{time.Hour - time.Second, []int64{1, 3, 2}}, // clocks are set
		{time.Minute, []int64{1, 3, 2, 2}},
		{time.Minute + 1, []int64{1, 3, 2, 2}},
	} {
		at(step.after)
		if got := requests(t, out.String()); !slices.Equal(got, step.lines) {
			t.Fatalf("after %v there are lines of %v requests, want %v", step.after, got, step.lines)
		}
	}
	w.Flush()
	w.Flush() // nothing is left
	if got := requests(t, out.String()); !slices.Equal(got, []int64{1, 3, 2, 2, 1}) {
		t.Errorf("in the end there are lines of %v requests", got)
	}
}

func TestBusyInstancesHoldAThousandRecords(t *testing.T) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "i1")
	for i := range 2001 {
		w.Record(meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Duration: time.Duration(i) * time.Millisecond, Status: 200})
	}
	if got := requests(t, out.String()); !slices.Equal(got, []int64{1, 1000, 1000}) {
		t.Errorf("lines of %v requests", got)
	}
	out.Reset()
	for i := range 1000 {
		w.Record(meter.Record{Resource: meter.Resource{Product: "redis", ID: strings.Repeat("d", 120) + strconv.Itoa(i)}, Class: meter.ClassRead, At: noon, Status: 200})
	}
	w.Flush()
	longest, lines := 0, 0
	for text := range strings.Lines(out.String()) {
		longest = max(longest, len(text))
		lines++
	}
	if got := len(read(t, out.String())); lines < 10 || longest > 200_000 || got != 1000 {
		t.Errorf("%d sums in %d lines, the longest has %d bytes", got, lines, longest)
	}
}

func TestLinesAreShort(t *testing.T) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "i1")
	w.Record(meter.Record{
		Resource: db1, Class: meter.ClassRead, At: noon, Duration: 1500 * time.Microsecond, Status: 503,
		Commands: 2, BytesIn: 10, BytesOut: 20, Calls: 1, ReadUnits: 0.5,
	})
	const want = `{"meter":2,"id":"i1","sums":[{"p":"redis","r":"db1","c":"read","h":493044,` +
		`"n":{"a":1,"c":2,"d":1500000,"f":1,"i":10,"k":1,"o":20,"q":1,"r":500},"l":[84,1]}]}` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
}

func TestAttemptsAreEmbeddedMetrics(t *testing.T) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "i1")
	lag := 250 * time.Millisecond
	attempt := meter.Record{Resource: meter.Resource{Product: "qstash", ID: "acct"}, Class: meter.ClassDeliver, At: noon, Duration: time.Second, Status: 500}
	w.Record(attempt)
	if text := out.String(); !strings.Contains(text, `"Metrics":[{"Name":"endpoint","Unit":"Milliseconds"}]`) {
		t.Errorf("an attempt is written as %s", text)
	}
	out.Reset()
	late, dead := attempt, attempt
	late.Lag, dead.Dead = &lag, true
	for range 33 {
		w.Record(attempt)
		w.Record(late)
		w.Record(dead)
	}
	if w.Record(attempt); strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("100 attempts are written as %s", out.String())
	}
	var doc map[string]any
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	// What the format asks for: each metric and dimension is a member of the document.
	described := doc["_aws"].(map[string]any)
	metrics := described["CloudWatchMetrics"].([]any)[0].(map[string]any)
	var names []string
	for _, m := range metrics["Metrics"].([]any) {
		names = append(names, m.(map[string]any)["Name"].(string))
	}
	if !slices.Equal(names, []string{"endpoint", "lag", "dead"}) || metrics["Namespace"] != "Skystash" || described["Timestamp"] != float64(noon.UnixMilli()) {
		t.Errorf("described as %v", described)
	}
	for name, want := range map[string]int{"endpoint": 100, "lag": 33} {
		if values := doc[name].([]any); len(values) != want {
			t.Errorf("%d values of %s, want %d", len(values), name, want)
		}
	}
	if doc["dead"] != 33.0 || doc["lag"].([]any)[0] != 250.0 || doc["endpoint"].([]any)[0] != 1000.0 {
		t.Errorf("values %v, %v, %v", doc["dead"], doc["lag"], doc["endpoint"])
	}
	for _, d := range metrics["Dimensions"].([]any)[0].([]any) {
		if doc[d.(string)] != "qstash" {
			t.Errorf("dimension %v is %v", d, doc[d.(string)])
		}
	}
}

func TestLinesOfTheVersionBeforeAreRead(t *testing.T) {
	const text = `{"_aws":{"Timestamp":1774958400000},"meter":1,"id":"i","n":3,"product":"qstash","resource":"db","class":"deliver",` +
		`"status":503,"endpoint":1.5,"lag":250,"dead":1,"failed":1,"commands":1,"wru":5}`
	got, err := meter.ParseLine([]byte(text))
	want := meter.Record{
		Resource: meter.Resource{Product: "qstash", ID: "db"}, Class: meter.ClassDeliver, At: noon, Duration: 1500 * time.Microsecond, Status: 503,
		Commands: 1, WriteUnits: 5,
	}
	if err != nil || !reflect.DeepEqual(got, []meter.Entry{{Instance: "i", Number: 3, Sum: want.Sum()}}) {
		t.Errorf("%+v, %v", got, err)
	}
}

const (
	goodRecord = `{"_aws":{"Timestamp":1774958400000},"meter":1,"id":"i","n":3,"product":"redis","resource":"db","class":"read","commands":1}`
	goodSum    = `{"meter":2,"id":"i","n":3,"sums":[{"p":"redis","r":"db","c":"read","h":493044,"n":{"q":1},"l":[87,1]}]}`
)

func TestLinesThatMakeNoSenseAreRefused(t *testing.T) {
	for good, changes := range map[string][][2]string{
		goodRecord: {
			{`"meter":1`, `"meter":3`}, {`"id":"i",`, ``}, {`"n":3`, `"n":-3`}, {`"redis"`, `"redis/x"`}, {`"read"`, `"read.q"`},
			{`"resource":"db"`, `"resource":""`}, {`"commands":1`, `"commands":-1`}, {`"commands":1`, `"commands":9000000000000000000`},
			{`"commands":1`, `"rru":1e300`}, {`"commands":1}`, `"commands":1`}, {`"db"`, `"` + strings.Repeat("x", 200) + `"`},
		},
		goodSum: {
			{`"meter":2`, `"meter":0`}, {`"id":"i",`, ``}, {`"n":3`, `"n":-3`}, {`"redis"`, `"redis/x"`}, {`"read"`, `""`}, {`"r":"db"`, `"r":""`},
			{`"q":1`, `"q":-1`}, {`"q":1`, `"q":9000000000000000000`}, {`"q":1`, `"x":1`}, {`"q":1`, `"9":1`}, {`"q":1`, `"":1`}, {`[87,1]`, `[87]`},
			{`[87,1]`, `[240,1]`}, {`[87,1]`, `[-1,1]`}, {`[87,1]`, `[87,-1]`}, {`"h":493044`, `"h":-1`}, {`"h":493044`, `"h":900000000`},
			{`[{`, `[` + strings.Repeat(`{"p":"redis","r":"db","c":"read"},`, 100) + `{`},
		},
	} {
		if _, err := meter.ParseLine([]byte(good)); err != nil {
			t.Fatal(err)
		}
		for _, change := range changes {
			bad := strings.Replace(good, change[0], change[1], 1)
			if e, err := meter.ParseLine([]byte(bad)); err == nil {
				t.Errorf("%s: read as %+v", bad, e)
			}
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(goodRecord))
	f.Add([]byte(goodSum))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := meter.ParseLine(text)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.Number < 0 || e.Instance == "" || e.Sum.Counters.Commands < 0 || e.Sum.Resource.ID == "" {
				t.Errorf("%q: %+v", text, e)
			}
		}
	})
}

func TestAccumulatorsLoseNothing(t *testing.T) {
	inner := openStore(t)
	st := faulty.New(inner, faulty.Plan{Seed: 1, Throttle: 0.2, Unavailable: 0.2, LostApplied: 0.2, LostUnapplied: 0.1, LostLate: 0.1})
	acc := meter.NewAccumulator(meter.NewFolder(meter.FolderConfig{Store: st, Now: clock, Logger: quiet}))
	const workers, each = 4, 3000
	var mu sync.Mutex
	var tr truth
	var recording, flushing sync.WaitGroup
	for w := range workers {
		recording.Go(func() {
			for i := range each {
				r := meter.Record{
					Resource: meter.Resource{Product: "redis", ID: string(rune('a' + i%3))}, Class: meter.ClassWrite,
					At: noon.Add(time.Duration(i) * time.Second), Duration: time.Duration(1 << (10 + (i+w)%31)), Status: 200,
					Commands: 1, WriteUnits: float64(i % 5), Blocked: i%100 == 0,
				}
				acc.Record(r)
				mu.Lock()
				tr.add(r.Sum())
				mu.Unlock()
			}
		})
	}
	stop := make(chan struct{})
	flushing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = acc.Flush(context.Background()) // what failed comes again
			}
		}
	})
	recording.Wait()
	close(stop)
	flushing.Wait()
	st.SetPlan(faulty.Plan{})
	if _, err := acc.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	st.Flush()
	tr.check(t, inner)
}

func TestLatenciesOfAllBucketsCanBeFolded(t *testing.T) {
	st := openStore(t)
	acc := meter.NewAccumulator(newFolder(st))
	var tr truth
	for i := range 4 * meter.Buckets {
		r := meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Duration: time.Duration(1024 * pow(1.025, i)), Status: 200, Commands: 1}
		acc.Record(r)
		tr.add(r.Sum())
	}
	done, err := acc.Flush(context.Background())
	if err != nil || done.Entries < 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	tr.check(t, st)
}

func pow(x float64, n int) float64 {
	p := 1.0
	for range n {
		p *= x
	}
	return p
}

func BenchmarkAccumulator(b *testing.B) {
	acc := meter.NewAccumulator(newFolder(openStore(b)))
	r := meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Duration: 40 * time.Microsecond, Status: 200, Commands: 1}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			acc.Record(r)
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "i1")
	r := meter.Record{Resource: db1, Class: meter.ClassRead, At: noon, Duration: 40 * time.Microsecond, Status: 200, Commands: 1, Calls: 1, ReadUnits: 1}
	b.ReportAllocs()
	for b.Loop() {
		w.Record(r)
	}
	b.ReportMetric(float64(out.Len())/float64(b.N), "line-bytes/op")
}
