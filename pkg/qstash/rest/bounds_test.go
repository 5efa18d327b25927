package rest_test

import (
	"net/http/httptest"
	"testing"

	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/tokentest"
)

func TestBoundedTokenReachesItsDestinationsOnly(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/topics/orders/endpoints", `{"endpoints":[{"url":"https://example.com/a"}]}`)
	s.ok(nil, "POST", "/v2/topics/other/endpoints", `{"endpoints":[{"url":"https://example.com/b"}]}`)
	s.ok(nil, "POST", "/v2/schedules/https://elsewhere.example/x", "", "Upstash-Cron: 0 0 1 1 *", "Upstash-Schedule-Id: theirs")

	signer, verifier := tokentest.Pair(t)
	text, err := signer.Mint(token.Claims{
		CredentialID: "c", Resource: acct, Products: []string{token.ProductQStash}, Scope: token.ReadWrite,
		Destinations: []string{"https://example.com/hooks/*", "orders"},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(rest.New(rest.Config{Engine: s.engine, Authenticator: rest.Tokens{Engine: s.engine, Verifier: verifier}}))
	defer srv.Close()
	s.url, s.token = srv.URL, rest.Envelope(acct, text)

	const in, out = "https://example.com/hooks/a", "https://example.com/admin"
	s.ok(nil, "POST", "/v2/publish/"+in, "x")
	s.ok(nil, "POST", "/v2/publish/orders", "x")
	s.ok(nil, "POST", "/v2/enqueue/queue/"+in, "x")
	s.ok(nil, "POST", "/v2/schedules/"+in, "x", "Upstash-Cron: 0 0 1 1 *", "Upstash-Schedule-Id: mine")
	s.ok(nil, "POST", "/v2/schedules/"+in, "y", "Upstash-Cron: 0 0 1 1 *", "Upstash-Schedule-Id: mine")
	s.ok(nil, "POST", "/v2/publish/"+in, "x", "Upstash-Callback: "+in, "Upstash-Failure-Callback: "+in)

	const refused = "may not publish to"
	for _, c := range []struct {
		path, body string
		header     []string
	}{
		{"/v2/publish/" + out, "x", nil},
		{"/v2/publish/other", "x", nil},
		{"/v2/publish/https://example.com/hooks/../admin", "x", nil},
		{"/v2/publish/https://example.com/hooks/%2e%2e/admin", "x", nil},
		{"/v2/publish/https://example.com.evil.example/hooks/a", "x", nil},
		{"/v2/publish/http://example.com/hooks/a", "x", nil},
		{"/v2/publish/https://example.com:444/hooks/a", "x", nil},
		{"/v2/enqueue/queue/" + out, "x", nil},
		{"/v2/schedules/" + out, "x", []string{"Upstash-Cron: 0 0 1 1 *"}},
		{"/v2/schedules/" + in, "x", []string{"Upstash-Cron: 0 0 1 1 *", "Upstash-Schedule-Id: theirs"}},
		{"/v2/publish/" + in, "x", []string{"Upstash-Callback: " + out}},
		{"/v2/publish/" + in, "x", []string{"Upstash-Failure-Callback: " + out}},
		{"/v2/publish/" + in, "x", []string{"Upstash-Callback: " + in, "Upstash-Callback-Failure-Callback: " + out}},
	} {
		s.refused(403, refused, "POST", c.path, c.body, c.header...)
	}
	var batch []struct{ Error string }
	s.ok(&batch, "POST", "/v2/batch", `[{"destination":"`+in+`"},{"destination":"`+out+`"}]`)
	if batch[0].Error != "" || batch[1].Error == "" {
		t.Errorf("the batch is answered %+v", batch)
	}
	for _, c := range [][2]string{
		{"GET", "/v2/keys"}, {"POST", "/v2/keys/rotate"}, {"GET", "/v2/messages"}, {"GET", "/v2/logs"}, {"GET", "/v2/dlq"},
		{"DELETE", "/v2/messages"}, {"GET", "/v2/topics"}, {"POST", "/v2/topics/orders/endpoints"}, {"DELETE", "/v2/schedules/theirs"},
		{"PATCH", "/v2/schedules/theirs/pause"}, {"POST", "/v2/notify/event"}, {"POST", "/v2/batch/trigger"}, {"POST", "/v2/trigger/" + in},
		{"GET", "/v2/queues"}, {"GET", "/v2/workflows/logs"},
	} {
		s.refused(403, "may only publish", c[0], c[1], "")
	}
}
