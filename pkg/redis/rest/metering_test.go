package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/metertest"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
)

// database is a handler over a database db1 in a store of its own.
type database struct {
	*Handler
	engine *redis.Engine
	store  *metertest.Calls
	now    time.Time
}

func newDatabase(t testing.TB, m meter.Recorder) *database {
	t.Helper()
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	d := &database{store: &metertest.Calls{Store: inner}, now: time.UnixMilli(1_774_958_400_000)}
	d.engine = redis.New(redis.Config{Store: d.store, Now: func() time.Time { return d.now }})
	if _, err := d.engine.CreateDatabase(context.Background(), redis.DatabaseOptions{ID: "db1"}); err != nil {
		t.Fatal(err)
	}
	tokens := stubVerifier{"good": {CredentialID: "c", Resource: "db1", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: 1}}
	d.Handler = New(Config{Engine: d.engine, Verifier: tokens, Meter: m, Class: d.engine.Class, Outcome: d.engine.Outcome, Gateway: func(context.Context) bool { return true }, Now: func() time.Time { return d.now }})
	d.store.Take()
	return d
}

func (d *database) send(method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

// requests are of all forms and classes.
var requests = []struct{ method, target, body string }{
	{"GET", "/ping", ""},
	{"GET", "/set/k/v", ""},
	{"GET", "/get/k", ""},
	{"POST", "/", `["hset","h","f","v"]`},
	{"POST", "/", `["HGETALL","h"]`},
	{"POST", "/", `["lpush","k","wrong type"]`},
	{"POST", "/pipeline", `[["get","k"],["mget","k","h"],["set","x",1]]`},
	{"POST", "/multi-exec", `[["incr","x"],["get","x"]]`},
	{"POST", "/", `["eval","return redis.call('incr',KEYS[1])",1,"x"]`},
	{"POST", "/", `["publish","c","m"]`},
	{"POST", "/", `["nosuch"]`},
	{"POST", "/", "{}"},
}

func TestMeteringMakesNoCalls(t *testing.T) {
	rs := &metertest.Records{}
	with, without := newDatabase(t, rs), newDatabase(t, nil)
	for _, r := range requests {
		a, b := with.send(r.method, r.target, r.body), without.send(r.method, r.target, r.body)
		if a.Code != b.Code || a.Body.String() != b.Body.String() {
			t.Errorf("%s %s: %d %s with metering, %d %s without", r.method, r.target, a.Code, a.Body, b.Code, b.Body)
		}
		if made, want := with.store.Take(), without.store.Take(); !slices.Equal(made, want) {
			t.Errorf("%s %s %s: with metering\n%q, without\n%q", r.method, r.target, r.body, made, want)
		}
	}
	if n := len(rs.Take()); n != len(requests) {
		t.Errorf("%d records of %d requests", n, len(requests))
	}
}

func TestRecordsSayWhatRequestsUsed(t *testing.T) {
	rs := &metertest.Records{}
	d := newDatabase(t, rs)
	for _, r := range requests {
		d.send(r.method, r.target, r.body)
	}
	type short struct {
		class      string
		status     int
		commands   int64
		in, out    int64
		calls      int64
		read, writ float64
	}
	var got []short
	for _, r := range rs.Take() {
		if r.Resource != (meter.Resource{Product: "redis", ID: "db1"}) || !r.At.Equal(d.now) || r.Blocked || !r.Gateway {
			t.Errorf("record %+v", r)
		}
		got = append(got, short{r.Class, r.Status, r.Commands, r.BytesIn, r.BytesOut, r.Calls, r.ReadUnits, r.WriteUnits})
	}
	want := []short{
		{"other", 200, 1, 5, 17, 0, 0, 0},
		{"write", 200, 1, 8, 15, 1, 0, 1},
		{"read", 200, 1, 6, 14, 1, 1, 0},
		{"write", 200, 1, 21, 12, 1, 0, 1},
		{"read", 200, 1, 16, 20, 1, 1, 0},
		{"write", 400, 1, 27, 77, 1, 0, 1},
		{"write", 200, 3, 53, 54, 2, 4, 1}, // both reads as one snapshot of two items
		{"write", 200, 2, 37, 29, 2, 1, 1},
		{"script", 200, 1, 51, 12, 4, 2, 2}, // the script is kept as well
		{"pubsub", 200, 1, 20, 12, 1, 2, 0},
		{"other", 400, 1, 11, 50, 0, 0, 0},
		{"other", 400, 0, 3, 31, 0, 0, 0},
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v: %+v, want %+v", requests[i], got[i], want[i])
		}
	}
}

func TestRequestsWithoutADatabaseAreNobodys(t *testing.T) {
	rs := &metertest.Records{}
	s := newServer(t, func(c *Config) { c.Meter = rs })
	s.doAs(t, "Bearer bad", "GET", "/get/k", "")
	s.do(t, "OPTIONS", "/get/k", "")
	if got := rs.Take(); len(got) > 0 {
		t.Errorf("records %+v", got)
	}
}

func TestBlockedDatabasesRefuseCommandsUntilTheLimitsTimeIsOver(t *testing.T) {
	ctx, rs := context.Background(), &metertest.Records{}
	d := newDatabase(t, rs)
	const text = "ERR max daily request limit exceeded. Limit: 10, Usage: 10."
	if err := d.engine.Block(ctx, "db1", meter.Block{Text: text, Until: d.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	d.store.Take()
	for _, r := range requests[:len(requests)-1] {
		expect(t, d.send(r.method, r.target, r.body), 400, `{"error":"`+text+`"}`)
	}
	if made := d.store.Take(); len(made) > 0 {
		t.Errorf("refusals made calls: %q", made)
	}
	if got := rs.Take(); len(got) != len(requests)-1 || !got[0].Blocked || got[0].Commands != 0 {
		t.Errorf("records %+v", got)
	}
	d.now = d.now.Add(time.Hour)
	expect(t, d.send("GET", "/ping", ""), 200, `{"result":"PONG"}`)

	if err := d.engine.Block(ctx, "db1", meter.Block{Text: text, Until: d.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := d.engine.Block(ctx, "db1", meter.Block{}); err != nil {
		t.Fatal(err)
	}
	expect(t, d.send("GET", "/ping", ""), 200, `{"result":"PONG"}`)
}

func TestStreamsAreRecordedWhenTheyEnd(t *testing.T) {
	rs := &metertest.Records{}
	d := newDatabase(t, rs)
	server := httptest.NewServer(d)
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/subscribe/c", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	const greeting = "data: subscribe,c,1\n\n"
	if _, err := io.ReadFull(resp.Body, make([]byte, len(greeting))); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	server.Close() // waits for the handler
	got := rs.Take()
	if len(got) != 1 || got[0].Class != meter.ClassPubSub || got[0].Commands != 1 || got[0].BytesOut < int64(len(greeting)) {
		t.Errorf("records %+v", got)
	}
}

// BenchmarkMetering is a whole request over the embedded store, with and without.
func BenchmarkMetering(b *testing.B) {
	for _, tc := range []struct{ name, method, target, body string }{
		{"get", "GET", "/get/key", ""},
		{"set", "POST", "/set/key", "value"},
	} {
		for _, metered := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/metered=%v", tc.name, metered), func(b *testing.B) {
				var m meter.Recorder
				d := newDatabase(b, nil)
				if metered {
					m = meter.NewAccumulator(meter.NewFolder(meter.FolderConfig{Store: d.store.Store}))
				}
				d.engine = redis.New(redis.Config{Store: d.store.Store})
				h := New(Config{Engine: d.engine, Verifier: d.verifier, Meter: m, Class: d.engine.Class})
				w := &discard{http.Header{}}
				body := strings.NewReader(tc.body)
				r := httptest.NewRequest(tc.method, tc.target, nil)
				r.Header.Set("Authorization", "Bearer good")
				r.Body, r.ContentLength = io.NopCloser(body), int64(len(tc.body))
				b.ReportAllocs()
				for b.Loop() {
					body.Reset(tc.body)
					h.ServeHTTP(w, r)
				}
			})
		}
	}
}
