package rest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash/rest"
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
		if r.Resource != (meter.Resource{Product: "qstash", ID: acct}) {
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
		{"POST", "/v2/publish/https://example.com"}, {"POST", "/v2/enqueue/q/https://example.com"}, {"POST", "/v2/batch"},
		{"POST", "/v2/schedules/https://example.com"}, {"POST", "/v2/notify/event"},
	} {
		s.refused(429, "max daily messages exceeded", request[0], request[1], "")
	}
	if got := s.meter.Take(); len(got) != 5 || !got[0].Blocked {
		t.Errorf("records %+v", got)
	}
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
