package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/qstash/wake"
	storeembedded "github.com/skystash/skystash/pkg/store/embedded"
)

// own is the address under which the API is reached by its own deliveries.
const own = "https://own.example"

// ring is an API that delivers to itself, one message after the other.
type ring struct {
	t       *testing.T
	engine  *qstash.Engine
	handler http.Handler
	token   string
	now     time.Time
	hints   []wake.Hint
	sent    []qstash.Delivery            // to the API itself
	others  []qstash.Delivery            // to anywhere else
	called  func(d qstash.Delivery)      // is told of others; nil: nobody is
	answers []*httptest.ResponseRecorder // of the API to its deliveries
}

func newRing(t *testing.T) *ring {
	t.Helper()
	st, err := storeembedded.Open(storeembedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	r := &ring{t: t, token: rest.Envelope(acct, "password"), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return r.now }
	r.engine = qstash.New(qstash.Config{Store: st, Sender: r, Waker: r, Alone: true, Now: clock})
	if _, err := r.engine.CreateAccount(t.Context(), acct, qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	r.handler = rest.New(rest.Config{Engine: r.engine, Authenticator: rest.Fixed{Token: r.token, Account: acct}, Now: clock})
	return r
}

// Wake implements wake.Waker.
func (r *ring) Wake(_ context.Context, hints ...wake.Hint) error {
	r.hints = append(r.hints, hints...)
	return nil
}

// Repeat implements wake.Waker.
func (r *ring) Repeat(context.Context, string, *cron.Schedule) (bool, error) { return false, nil }

// Cease implements wake.Waker.
func (r *ring) Cease(context.Context, string) error { return nil }

// Send implements qstash.Sender.
func (r *ring) Send(_ context.Context, d qstash.Delivery) (qstash.Response, error) {
	path, mine := strings.CutPrefix(d.URL, own)
	if !mine {
		r.others = append(r.others, d)
		if r.called != nil {
			r.called(d)
		}
		return qstash.Response{Status: 200}, nil
	}
	r.sent = append(r.sent, d)
	w := r.do(d.Method, path, string(d.Body), http.Header(d.Header))
	r.answers = append(r.answers, w)
	return qstash.Response{Status: w.Code, Header: qstash.Header(w.Header()), Body: w.Body.Bytes()}, nil
}

// do serves a request as it would come over the network.
func (r *ring) do(method, path, body string, h http.Header) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(method, "/", strings.NewReader(body))
	req.RequestURI = path
	req.Header = h.Clone()
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return w
}

// ok sends a client's request, which must succeed. header holds names and values.
func (r *ring) ok(method, path, body string, header ...string) {
	r.t.Helper()
	h := http.Header{"Authorization": {"Bearer " + r.token}}
	for pair := range slices.Chunk(header, 2) {
		h.Set(pair[0], pair[1])
	}
	if w := r.do(method, path, body, h); w.Code > 299 {
		r.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

// run moves the clock ahead by d and handles what is due, until nothing is.
func (r *ring) run(d time.Duration) {
	r.t.Helper()
	end := r.now.Add(d)
	for {
		slices.SortStableFunc(r.hints, func(a, b wake.Hint) int { return a.At.Compare(b.At) })
		if len(r.hints) == 0 || r.hints[0].At.After(end) {
			r.now = end
			return
		}
		if len(r.sent) > 5000 {
			r.t.Fatal("it does not end")
		}
		h := r.hints[0]
		r.hints = r.hints[1:]
		if h.At.After(r.now) {
			r.now = h.At
		}
		if err := r.engine.Handle(r.t.Context(), h.Key); err != nil {
			r.t.Fatal(err)
		}
	}
}

// failure is what the log says of the first message that has failed.
func (r *ring) failure() qstash.LogEntry {
	r.t.Helper()
	list, _, err := r.engine.Logs(r.t.Context(), acct, qstash.LogQuery{Filter: qstash.Filter{State: []string{qstash.EventError}}, Count: 1000, Earliest: true})
	if err != nil || len(list) == 0 {
		r.t.Fatalf("%d errors in the log, %v", len(list), err)
	}
	return list[0]
}

func TestLoopsEnd(t *testing.T) {
	text := rest.Envelope(acct, "password")
	token := "?qstash_token=" + text
	again := own + "/v2/publish/loop" + token
	var hundred []string
	for i := range 100 {
		hundred = append(hundred, fmt.Sprintf("%s&n=%d", again, i))
	}
	for name, c := range map[string]struct {
		endpoints []string
		headers   map[string][]string // of the group
		sent      int                 // deliveries to the API itself
	}{
		"one after the other": {[]string{again}, nil, 11},
		"doubling":            {hundred[:2], nil, 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256 + 512},
		"a hundred each":      {hundred, nil, 100},
		"through a queue":     {[]string{own + "/v2/enqueue/q/loop" + token}, nil, 11},
		"older version":       {[]string{own + "/v1/publish/loop" + token}, nil, 11},
		"token in a header":   {[]string{own + "/v2/publish/loop"}, map[string][]string{"Upstash-Forward-Authorization": {"Bearer " + text}}, 11},
		"callbacks":           {[]string{"https://else.example"}, map[string][]string{"Upstash-Callback": {again}}, 11},
		"forged header":       {[]string{again}, map[string][]string{"Upstash-Forward-Upstash-Skystash-Hops": {"0;messages=1"}, "Upstash-Skystash-Hops": {"0"}}, 11},
		"forged parameter":    {[]string{again + "&upstash-skystash-hops=0&upstash-forward-upstash-skystash-hops=0"}, nil, 11},
		"header forward":      {[]string{again}, map[string][]string{"Upstash-Header-Forward": {"true"}}, 11},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(t)
			var endpoints []qstash.Endpoint
			for _, u := range c.endpoints {
				endpoints = append(endpoints, qstash.Endpoint{URL: u})
			}
			if err := r.engine.AddEndpoints(t.Context(), acct, "loop", endpoints); err != nil {
				t.Fatal(err)
			}
			if err := r.engine.SetGroupHeaders(t.Context(), acct, "loop", c.headers); err != nil {
				t.Fatal(err)
			}
			r.ok("POST", "/v2/publish/loop", "round and round")
			r.run(24 * time.Hour)
			if len(r.sent) != c.sent {
				t.Errorf("%d deliveries to the API, want %d", len(r.sent), c.sent)
			}
			last := r.answers[len(r.answers)-1]
			if last.Code != qstash.StatusNonRetryable || last.Header().Get(qstash.HeaderNonRetryable) != "true" || !strings.Contains(last.Body.String(), "loop detected") {
				t.Errorf("the last one is answered %d %s", last.Code, last.Body)
			}
			if f := r.failure(); !strings.Contains(string(f.ResponseBody), "loop detected") || f.Status != qstash.StatusNonRetryable {
				t.Errorf("the log says %d %q", f.Status, f.ResponseBody)
			}
			for _, h := range r.hints {
				t.Errorf("still to be done: %s at %v", h.Key, h.At)
			}
		})
	}
}

// Only a delivery that is itself a request goes on with a trail.
func TestHandlersMayPublishForEver(t *testing.T) {
	r := newRing(t)
	r.called = func(qstash.Delivery) {
		if len(r.others) < 50 {
			r.ok("POST", "/v2/publish/https://handler.example", "again")
		}
	}
	r.ok("POST", "/v2/publish/https://handler.example", "first")
	r.run(0)
	if len(r.others) != 50 {
		t.Fatalf("%d deliveries, want 50", len(r.others))
	}
	for _, d := range r.others {
		if got := d.Header.Get(qstash.HeaderHops); got != "1;messages=1" {
			t.Errorf("a delivery says %q", got)
		}
	}
}

func TestTrailsGoOn(t *testing.T) {
	const to = "https://else.example"
	for name, c := range map[string]struct {
		path   string // where the client's message goes
		header []string
		body   string
		want   string // what the delivery to else.example says
	}{
		"publish":  {"/v2/publish/" + to, nil, "x", "2;messages=1"},
		"batch":    {"/v2/batch", nil, `[{"destination":"` + to + `"},{"destination":"` + to + `"},{"destination":"` + to + `"}]`, "2;messages=3"},
		"schedule": {"/v2/schedules/" + to, []string{"Upstash-Forward-Upstash-Cron", "0 * * * *"}, "x", "2;messages=1"},
		"workflow": {"/v2/trigger/" + to, nil, "x", "2;messages=1"},
		"garbage":  {"/v2/publish/" + to, []string{"Upstash-Skystash-Hops", "-1;messages=x"}, "x", "2;messages=1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRing(t)
			r.ok("POST", "/v2/publish/"+own+c.path, c.body, append(c.header,
				"Upstash-Forward-Authorization", "Bearer "+r.token, "Upstash-Forward-Upstash-Skystash-Hops", "0")...)
			r.run(2 * time.Hour)
			if len(r.others) == 0 {
				t.Fatalf("no delivery; the API answered %d %s", r.answers[0].Code, r.answers[0].Body)
			}
			for _, d := range r.others {
				if got := d.Header.Get(qstash.HeaderHops); got != c.want {
					t.Errorf("the delivery says %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestDeadLetterIsRetriedUnderTheTrailOfWhoAsks(t *testing.T) {
	r := newRing(t)
	loop := own + "/v2/publish/loop?qstash_token=" + r.token
	r.ok("POST", "/v2/topics/loop/endpoints", `{"endpoints":[{"url":"`+loop+`"}]}`)
	r.ok("POST", "/v2/publish/loop", "x")
	r.run(0)
	r.ok("DELETE", "/v2/topics/loop", "")
	r.ok("POST", "/v2/topics/loop/endpoints", `{"endpoints":[{"url":"https://else.example"}]}`)
	r.ok("POST", "/v2/dlq/retry", "")
	r.run(0)
	if len(r.others) != 1 || r.others[0].Header.Get(qstash.HeaderHops) != "2;messages=1" {
		t.Errorf("once the loop is mended: %d deliveries", len(r.others))
	}
}
