package rest_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/meter/metertest"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store/embedded"
)

func TestRequestsAndDeliveriesAreRecorded(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/publish/https://example.com", "hello")
	s.delivery()
	s.ok(nil, "GET", "/v2/queues", "")
	s.refused(404, "", "GET", "/v2/nothing", "")
	s.token = "wrong"
	s.refused(401, "", "GET", "/v2/queues", "")

	byClass := map[string][]meter.Record{}
	for _, r := range s.meter.Wait(t.Context(), 4) { // a delivery is recorded after its outcome
		if r.Resource != (meter.Resource{Product: "qstash", ID: acct}) || r.Gateway != (r.Class != meter.ClassDeliver) {
			t.Errorf("record %+v", r)
		}
		byClass[r.Class] = append(byClass[r.Class], r)
	}
	if got := byClass[meter.ClassPublish]; len(got) != 1 || got[0].Status != 200 || got[0].Commands != 0 || got[0].WriteUnits == 0 || got[0].BytesIn < 5 || got[0].BytesOut == 0 {
		t.Errorf("publish: %+v", got)
	}
	if got := byClass[meter.ClassDeliver]; len(got) != 1 || got[0].Status != 200 || got[0].Commands != 1 || got[0].WriteUnits == 0 || got[0].BytesOut != 5 || got[0].BytesIn != 6 {
		t.Errorf("deliver: %+v", got)
	}
	if got := byClass[meter.ClassAPI]; len(got) != 2 || got[0].Status != 200 || got[1].Status != 404 {
		t.Errorf("other requests: %+v", got)
	}
}

// blocked authenticates everybody for an account with a limit that has been reached.
type blocked struct{ block meter.Block }

func (b blocked) Authenticate(context.Context, string) (rest.Access, error) {
	return rest.Access{Account: acct, Blocked: b.block}, nil
}

func TestBlockedAccountsTakeNoMessages(t *testing.T) {
	s := newService(t)
	s.header = sdkAnswer
	s.startRun("wfr_1")
	// The run's first delivery is counted after it has been answered.
	for !slices.ContainsFunc(s.meter.Take(), func(r meter.Record) bool { return r.Class == meter.ClassDeliver }) {
		time.Sleep(time.Millisecond)
	}
	const run = "Upstash-Workflow-RunId: wfr_1"
	now := time.UnixMilli(1_774_958_400_000)
	until := now.Add(time.Hour)
	if err := s.engine.Block(t.Context(), acct, meter.Block{Text: "max daily messages exceeded", Limit: 1000, Until: until}); err != nil {
		t.Fatal(err)
	}
	account, err := s.engine.Account(t.Context(), acct)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(rest.New(rest.Config{
		Engine: s.engine, Authenticator: blocked{account.Blocked}, Meter: s.meter, Now: func() time.Time { return now },
	}))
	defer srv.Close()
	s.url = srv.URL
	for _, request := range [][2]string{
		{"/v2/publish/https://example.com", ""}, {"/v2/enqueue/q/https://example.com", ""}, {"/v2/trigger/" + app, ""},
		{"/v2/batch", `[{"destination":"https://example.com"}]`}, {"/v2/batch/trigger", "[" + item(app, "in") + "]"}, {"/v2/batch", "[" + item(app, "{}", run) + "," + item(app, "x") + "]"},
		{"/v2/batch", "[" + item(app, "in", "Upstash-Workflow-RunId: wfr_2", "Upstash-Workflow-Init: true") + "]"}, {"/v2/schedules/https://example.com", ""},
	} {
		s.refused(429, "max daily messages exceeded", "POST", request[0], request[1])
	}
	s.refused(429, "max daily messages exceeded", "POST", "/v2/publish/"+app, "x", run, "Upstash-Cron: * * * * *")
	if got := s.meter.Take(); len(got) != 9 || !got[0].Blocked || !got[8].Blocked {
		t.Errorf("records %+v", got)
	}
	// A run that goes on does not end by it.
	s.ok(nil, "POST", "/v2/batch", "["+item(app, `{"stepId":1}`, run)+","+item("https://third.example", "", run, "Upstash-Workflow-CallType: toCallback")+"]")
	s.ok(nil, "POST", "/v2/publish/"+app, `{"stepId":2}`, run)
	s.ok(nil, "POST", "/v2/wait/event", `{"url":"`+app+`","timeout":"1d","timeoutUrl":"`+app+`","timeoutHeaders":{},"step":{"stepId":3}}`, run)
	s.ok(nil, "POST", "/v2/notify/event", "data")
	s.ok(nil, "DELETE", "/v2/workflows/runs/wfr_1?cancel=false", "")
	resp, err := http.Post(s.url+"/v2/publish/https://example.com", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for name, want := range map[string]string{"RateLimit-Limit": "1000", "RateLimit-Remaining": "0", "RateLimit-Reset": strconv.FormatInt(until.Unix(), 10)} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s.ok(nil, "GET", "/v2/queues", "")
	s.ok(nil, "DELETE", "/v2/messages", "")
	now = until
	s.ok(nil, "POST", "/v2/publish/https://example.com", "")
}

// hints is a waker that keeps what it is told.
type hints []wake.Hint

func (h *hints) Wake(_ context.Context, more ...wake.Hint) error {
	*h = append(*h, more...)
	return nil
}

func (h *hints) Repeat(context.Context, string, *cron.Schedule) (bool, error) { return false, nil }

func (h *hints) Cease(context.Context, string) error { return nil }

// deliver has the engine do what is due at a time.
func (h *hints) deliver(t *testing.T, engine *qstash.Engine, at time.Time) {
	t.Helper()
	for i := 0; i < len(*h); i++ {
		if due := (*h)[i]; !due.At.After(at) {
			if err := engine.Handle(t.Context(), due.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
	*h = nil
}

func TestMeteringMakesNoCalls(t *testing.T) {
	now, rs := time.UnixMilli(1_774_958_400_000), &metertest.Records{}
	// open makes a service whose ids follow from what it is asked.
	open := func(m meter.Recorder) (*service, *metertest.Calls, *hints) {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { inner.Close() })
		calls, waker, random := &metertest.Calls{Store: inner}, &hints{}, rand.NewChaCha8([32]byte{})
		s := &service{t: t, token: rest.Envelope(acct, "password"), status: 200, more: make(chan struct{}, 100)}
		clock := func() time.Time { return now }
		s.engine = qstash.New(qstash.Config{
			Store: calls, Sender: s, Waker: waker, Meter: m, Now: clock, Random: func(b []byte) { random.Read(b) },
		})
		if _, err := s.engine.CreateAccount(t.Context(), acct, qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(rest.New(rest.Config{Engine: s.engine, Authenticator: rest.Fixed{Token: s.token, Account: acct}, Meter: m, Now: clock}))
		t.Cleanup(srv.Close)
		s.url = srv.URL
		calls.Take()
		return s, calls, waker
	}
	with, made, wakes := open(rs)
	without, want, wantWakes := open(nil)
	long := string(bytes.Repeat([]byte("x"), 500_000))
	requests := []struct {
		method, path, body string
		deliveries         int
		header             []string
	}{
		{"POST", "/v2/publish/https://example.com", "hello", 1, nil},
		{"POST", "/v2/publish/https://example.com", long, 1, nil},
		{"POST", "/v2/enqueue/q/https://example.com", "first", 1, nil},
		{"POST", "/v2/batch", `[{"destination":"https://a.example","body":"1"},{"destination":"https://b.example","queue":"q"}]`, 2, nil},
		{"POST", "/v2/schedules/https://example.com", "", 0, []string{"Upstash-Cron: 0 0 * * *"}},
		{"GET", "/v2/schedules", "", 0, nil},
		{"GET", "/v2/queues/q", "", 0, nil},
		{"GET", "/v2/events", "", 0, nil},
		{"GET", "/v2/messages/msg_none", "", 0, nil},
		{"POST", "/v2/publish/unknown", "", 0, nil},
	}
	records := 0
	for _, r := range requests {
		status, answer := with.do(r.method, r.path, r.body, r.header...)
		wantStatus, wantAnswer := without.do(r.method, r.path, r.body, r.header...)
		if status != wantStatus || answer != wantAnswer {
			t.Errorf("%s %s: %d %s with metering, %d %s without", r.method, r.path, status, answer, wantStatus, wantAnswer)
		}
		if made, want := made.Take(), want.Take(); !slices.Equal(made, want) || len(made) == 0 {
			t.Errorf("%s %s: with metering\n%q, without\n%q", r.method, r.path, made, want)
		}
		wakes.deliver(t, with.engine, now)
		wantWakes.deliver(t, without.engine, now)
		if n := len(with.sent); n != r.deliveries {
			t.Errorf("%s %s: %d deliveries, want %d", r.method, r.path, n, r.deliveries)
		}
		with.sent, without.sent = nil, nil
		if made, want := made.Take(), want.Take(); !slices.Equal(made, want) {
			t.Errorf("delivery of %s %s: with metering\n%q, without\n%q", r.method, r.path, made, want)
		}
		records += 1 + r.deliveries
	}
	if n := len(rs.Wait(t.Context(), records)); n != records {
		t.Errorf("%d records, want %d", n, records)
	}
}
