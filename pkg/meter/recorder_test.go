package meter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
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

func TestLinesAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var out bytes.Buffer
		w := meter.NewWriter(&out, "instance")
		var want []meter.Entry
		for i, r := range rapid.SliceOfN(rapid.Custom(drawRecord), 1, 5).Draw(t, "records") {
			// Marshalling replaces what is not UTF-8, which no id has.
			r.Resource.ID = strings.ToValidUTF8(r.Resource.ID, "?")
			w.Record(r)
			want = append(want, meter.Entry{Instance: "instance", Number: int64(i), Sum: r.Sum()})
		}
		for i, text := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			got, err := meter.ParseLine([]byte(text))
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("%s\nis %+v, want %+v", text, got, want[i])
			}
		}
	})
}

func TestLinesAreEmbeddedMetrics(t *testing.T) {
	var out bytes.Buffer
	w := meter.NewWriter(&out, "i1")
	w.Record(meter.Record{
		Resource: db1, Class: meter.ClassRead, At: noon, Duration: 1500 * time.Microsecond, Status: 503,
		Commands: 2, BytesIn: 10, BytesOut: 20, Calls: 1, ReadUnits: 0.5,
	})
	const want = `{"_aws":{"Timestamp":1774958400000,"CloudWatchMetrics":[{"Namespace":"Skystash","Dimensions":[["product"]],` +
		`"Metrics":[{"Name":"duration","Unit":"Milliseconds"},{"Name":"failed"}]}]},"meter":1,"id":"i1","product":"redis","resource":"db1",` +
		`"class":"read","status":503,"duration":1.5,"failed":1,"commands":2,"in":10,"out":20,"calls":1,"rru":0.5}` + "\n"
	if out.String() != want {
		t.Errorf("got  %swant %s", out.String(), want)
	}
	attempt := meter.Record{Resource: db1, Class: meter.ClassDeliver, At: noon, Duration: time.Second, Status: 500}
	for want, change := range map[string]func(){
		`"Metrics":[{"Name":"endpoint","Unit":"Milliseconds"}]`: func() {},
		`"Metrics":[{"Name":"endpoint","Unit":"Milliseconds"},{"Name":"lag","Unit":"Milliseconds"}]`: func() {
			lag := 250 * time.Millisecond
			attempt.Lag = &lag
		},
		`{"Name":"dead"}]`: func() { attempt.Dead = true },
	} {
		attempt.Lag, attempt.Dead = nil, false
		change()
		var line bytes.Buffer
		meter.NewWriter(&line, "i1").Record(attempt)
		if text := line.String(); !strings.Contains(text, want) || strings.Contains(text, `"lag":250`) != (attempt.Lag != nil) || strings.Contains(text, `"dead":1`) != attempt.Dead {
			t.Errorf("an attempt is written as %s, want %s", text, want)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	// What the format asks for: each metric and dimension is a member of the document.
	metrics := doc["_aws"].(map[string]any)["CloudWatchMetrics"].([]any)[0].(map[string]any)
	for _, m := range metrics["Metrics"].([]any) {
		if _, ok := doc[m.(map[string]any)["Name"].(string)].(float64); !ok {
			t.Errorf("no number for metric %v", m)
		}
	}
	for _, d := range metrics["Dimensions"].([]any)[0].([]any) {
		if _, ok := doc[d.(string)].(string); !ok {
			t.Errorf("no text for dimension %v", d)
		}
	}
}

func TestLinesThatMakeNoSenseAreRefused(t *testing.T) {
	const good = `{"_aws":{"Timestamp":1774958400000},"meter":1,"id":"i","n":3,"product":"redis","resource":"db","class":"read","commands":1}`
	if _, err := meter.ParseLine([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"meter":1`, `"meter":2`}, {`"id":"i",`, ``}, {`"n":3`, `"n":-3`}, {`"redis"`, `"redis/x"`}, {`"read"`, `"read.q"`},
		{`"resource":"db"`, `"resource":""`}, {`"commands":1`, `"commands":-1`}, {`"commands":1`, `"commands":9000000000000000000`},
		{`"commands":1`, `"rru":1e300`}, {`"commands":1}`, `"commands":1`}, {`"db"`, `"` + strings.Repeat("x", 200) + `"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if e, err := meter.ParseLine([]byte(bad)); err == nil {
			t.Errorf("%s: read as %+v", bad, e)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add([]byte(`{"_aws":{"Timestamp":1774958400000},"meter":1,"id":"i","n":3,"product":"redis","resource":"db","class":"read","commands":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := meter.ParseLine(text)
		if err == nil && (e.Number < 0 || e.Instance == "" || e.Sum.Counters.Commands < 0) {
			t.Errorf("%q: %+v", text, e)
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
		out.Reset()
		w.Record(r)
	}
	b.SetBytes(int64(out.Len()))
}
