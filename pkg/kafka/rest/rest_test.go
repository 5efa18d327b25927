package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/kafka/kafkatest"
	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/token"
)

// api is the REST API over a cluster with the topics red (3 partitions) and blue.
type api struct {
	*testing.T
	engine   *kafka.Engine
	cluster  *kafka.Cluster
	stream   *breakable
	signer   *token.Signer
	verifier rest.Verifier
	handler  http.Handler
	log      *strings.Builder
}

// breakable is a stream that refuses records of some partitions.
type breakable struct {
	ingest.Stream
	refuse string // suffix of their keys
}

func (b *breakable) Put(ctx context.Context, records []ingest.Record) []error {
	if b.refuse == "" {
		return b.Stream.Put(ctx, records)
	}
	errs := make([]error, len(records))
	for i, r := range records {
		if strings.HasSuffix(r.Key, b.refuse) {
			errs[i] = ingest.ErrThrottled
		} else if err := b.Stream.Put(ctx, records[i:i+1]); err != nil {
			errs[i] = err[0]
		}
	}
	return errs
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{T: t, log: new(strings.Builder)}
	backend := kafkatest.New(t, func(s ingest.Stream) ingest.Stream {
		a.stream = &breakable{Stream: s}
		return a.stream
	})
	a.engine, a.cluster = backend.Engine, backend.Cluster // which tests may replace
	a.signer, a.verifier = backend.Signer, backend.Verifier
	a.handler = rest.New(rest.Config{
		Engine: a.engine, Verifier: a.verifier, MaxBodyBytes: 3 << 20, Logger: slog.New(slog.NewTextHandler(a.log, nil)),
	})
	return a
}

// credential is a user name and a password.
func (a *api) credential(change func(*token.Claims)) (user, password string) {
	a.Helper()
	claims := token.Claims{CredentialID: "cred", Resource: "c1", Products: []string{token.ProductKafka}, Scope: token.ReadWrite, Generation: 1}
	if change != nil {
		change(&claims)
	}
	password, err := a.signer.Mint(claims)
	if err != nil {
		a.Fatal(err)
	}
	return claims.KafkaUsername(), password
}

// do sends a request: "METHOD /path", a body and headers as name, value, ...
func (a *api) do(request, body string, headers ...string) (int, string) {
	a.Helper()
	user, password := a.credential(nil)
	return a.as(user, password, request, body, headers...)
}

func (a *api) as(user, password, request, body string, headers ...string) (int, string) {
	a.Helper()
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(edge.WithRequestID(a.Context(), "id1"), method, path, strings.NewReader(body))
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	resp := w.Result()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	if method != http.MethodOptions {
		if ct := resp.Header.Get("Content-Type"); ct != "application/json" || !json.Valid(got) {
			a.Errorf("%s: Content-Type %q, body %s", request, ct, got)
		}
	}
	if resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		a.Errorf("%s: no page may read the answer", request)
	}
	return resp.StatusCode, string(got)
}

// now is a time that the server has set.
var now = regexp.MustCompile(`"timestamp":\d{13}\b`)

// want sends a request that must be answered with 200 and a body, in which time is "T".
func (a *api) want(request, body, want string, headers ...string) {
	a.Helper()
	status, got := a.do(request, body, headers...)
	got = now.ReplaceAllString(got, `"timestamp":T`)
	if status != 200 || got != want {
		a.Errorf("%s %.200s: %d %.500s\nwant %s", request, body, status, got, want)
	}
}

// refused sends a request that must fail with a status and a text.
func (a *api) refused(request, body string, wantStatus int, wantText string, headers ...string) {
	a.Helper()
	status, got := a.do(request, body, headers...)
	var f struct {
		Error  string
		Status int
	}
	if err := json.Unmarshal([]byte(got), &f); err != nil || status != wantStatus || f.Status != status || !strings.Contains(f.Error, wantText) {
		a.Errorf("%s %.200s: %d %s, want %d with %q", request, body, status, got, wantStatus, wantText)
	}
}

func TestProduceForms(t *testing.T) {
	a := newAPI(t)
	a.want("GET /produce/blue/hello%20w+orld/and%2Fmore", "", `{"topic":"blue","partition":0,"offset":0,"timestamp":T}`)
	a.want("POST /produce/blue/x?key=k", "", `{"topic":"blue","partition":0,"offset":1,"timestamp":T}`)
	a.want("POST /produce/blue", `{"value":"one","timestamp":5}`, `[{"topic":"blue","partition":0,"offset":2,"timestamp":5}]`)
	a.want("GET /produce/blue/", `[{"value":"two","headers":[{"key":"h","value":"1"},{"key":"h","value":"2"}],},]`, `[{"topic":"blue","partition":0,"offset":3,"timestamp":T}]`)
	a.want("POST /produce", `{"topic":"red","partition":2,"value":null,"key":""}`, `[{"topic":"red","partition":2,"offset":0,"timestamp":T}]`,
		"Content-Type", "application/x-www-form-urlencoded")
	a.want("POST /produce", `[{"topic":"red","key":"foobar","value":"a"},{"topic":"blue","topic":"blue","value":"b","other":[1]},{"topic":"red","key":"k0","value":"c"}]`,
		`[{"topic":"red","partition":0,"offset":0,"timestamp":T},{"topic":"blue","partition":0,"offset":4,"timestamp":T},{"topic":"red","partition":2,"offset":1,"timestamp":T}]`)
	a.want("POST /produce", `[]`, `[]`)
	a.do("POST /fetch/", `{"topic":"blue","partition":0,"offset":4,"timeout":5000}`) // until all are there
	a.want("POST /fetch/", `{"topic":"blue","partition":0,"offset":0,"timeout":5000}`,
		`[{"topic":"blue","partition":0,"offset":0,"timestamp":T,"key":"","value":"hello w+orld/and/more","headers":[]}`+
			`,{"topic":"blue","partition":0,"offset":1,"timestamp":T,"key":"k","value":"x","headers":[]}`+
			`,{"topic":"blue","partition":0,"offset":2,"timestamp":5,"key":"","value":"one","headers":[]}`+
			`,{"topic":"blue","partition":0,"offset":3,"timestamp":T,"key":"","value":"two","headers":[{"key":"h","value":"1"},{"key":"h","value":"2"}]}`+
			`,{"topic":"blue","partition":0,"offset":4,"timestamp":T,"key":"","value":"b","headers":[]}]`)
}

func TestProduceIsRefusedAsAWhole(t *testing.T) {
	a := newAPI(t)
	for _, c := range []struct {
		body   string
		status int
		text   string
	}{
		{``, 400, "invalid JSON"},
		{`{`, 400, "invalid JSON"},
		{`"text"`, 400, "wrong type"},
		{`[{"topic":"red","value":"a"},{"value":"b"}]`, 400, "messages[1]: topic is missing"},
		{`{"topic":"red"}`, 400, "value is missing"},
		{`{"topic":"red","value":7}`, 400, "/value has the wrong type"},
		{`{"topic":"red","value":"x","partition":"1"}`, 400, "/partition has the wrong type"},
		{`{"topic":"red","value":"x","partition":3}`, 400, "no partition 3"},
		{`{"topic":"red","value":"x","partition":-1}`, 400, "partition -1"},
		{`{"topic":"red","value":"x","timestamp":-1}`, 400, "timestamp -1"},
		{`{"topic":"a/b","value":"x"}`, 400, "illegal topic name"},
		{`[{"topic":"red","value":"a"},{"topic":"green","value":"b"}]`, 404, `messages[1]: no topic "green"`},
		{`{"topic":"red","value":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "message of"},
		{`{"topic":"red","value":"` + strings.Repeat("x", 3<<20) + `"}`, 413, "the body is larger"},
	} {
		a.refused("POST /produce", c.body, c.status, c.text)
	}
	a.refused("POST /produce/red", `{"topic":"blue","value":"x"}`, 400, "another than the path's")
	if status, got := a.do("POST /produce", `{"topic":"`+strings.Repeat("ä", 100_000)+`","value":"x"}`); status != 400 || len(got) > 1200 || !utf8.ValidString(got) {
		t.Errorf("a long name is answered %d with %d bytes", status, len(got))
	}
	a.want("GET /offsets/latest", `[{"topic":"red","partition":0},{"topic":"red","partition":1},{"topic":"red","partition":2}]`,
		`[{"topic":"red","partition":0,"offset":0},{"topic":"red","partition":1,"offset":0},{"topic":"red","partition":2,"offset":0}]`)
}

func TestPartialFailureIsReportedForEachMessage(t *testing.T) {
	a := newAPI(t)
	a.stream.refuse = "/1"
	status, got := a.do("POST /produce", `[{"topic":"red","partition":0,"value":"a","timestamp":1},{"topic":"red","partition":1,"value":"b"}]`)
	want := `{"error":"temporarily unavailable, try again (request id1)","status":503,"results":[` +
		`{"topic":"red","partition":0,"offset":0,"timestamp":1},{"error":"temporarily unavailable, try again","status":503}]}`
	if status != 503 || got != want {
		t.Errorf("%d %s", status, got)
	}
	if !strings.Contains(a.log.String(), "id1") {
		t.Error("nothing is logged")
	}
}

func TestBytesAndNullsSurviveInFormsOfTheirOwn(t *testing.T) {
	a := newAPI(t)
	base64 := []string{"Kafka-Encoding", "base64"}
	at := func(offset int) string {
		return fmt.Sprintf(`{"topic":"blue","partition":0,"offset":%d,"timeout":5000}`, offset)
	}
	a.want("POST /produce/blue", `[{"key":"/wA=","value":"gP8=","headers":[{"key":"h","value":"/g=="}]}]`,
		`[{"topic":"blue","partition":0,"offset":0,"timestamp":T}]`, base64...)
	a.want("GET /fetch", at(0), `[{"topic":"blue","partition":0,"offset":0,"timestamp":T,"key":"/wA=","value":"gP8=","headers":[{"key":"h","value":"/g=="}]}]`, base64...)
	a.want("GET /fetch", at(0), `[{"topic":"blue","partition":0,"offset":0,"timestamp":T,"key":"�\u0000","value":"��","headers":[{"key":"h","value":"�"}]}]`)
	a.want("POST /produce/blue", `{"value":null}`, `[{"topic":"blue","partition":0,"offset":1,"timestamp":T}]`)
	a.want("GET /fetch", at(1), `[{"topic":"blue","partition":0,"offset":1,"timestamp":T,"key":null,"value":null,"headers":[]}]`, "Kafka-Nulls", "true")
	a.want("GET /fetch", at(1), `[{"topic":"blue","partition":0,"offset":1,"timestamp":T,"key":"","value":"","headers":[]}]`)
	a.want("POST /produce/blue", `{"key":"","value":""}`, `[{"topic":"blue","partition":0,"offset":2,"timestamp":T}]`)
	a.want("GET /fetch", at(2), `[{"topic":"blue","partition":0,"offset":2,"timestamp":T,"key":"","value":"","headers":[]}]`, "Kafka-Nulls", "true")
	a.refused("POST /produce/blue", `[{"value":"eA=="},{"value":"no base64"}]`, 400, "messages[1]: value is no base64", base64...)
	a.refused("GET /fetch", at(0), 400, "Kafka-Encoding must be utf8 or base64", "Kafka-Encoding", "hex")
	a.refused("GET /consume/g/i/blue", "", 400, "Kafka-Nulls must be true or false", "Kafka-Nulls", "maybe")
}

func TestWebhook(t *testing.T) {
	a := newAPI(t)
	user, password := a.credential(nil)
	status, got := a.as("", "", "POST /webhook?topic=blue&user="+user+"&pass="+password, "not { JSON",
		"Event-Origin", "here", "X-Hub-Signature-256", "sha256=1", "User-Agent", "curl", "Content-Type", "text/plain",
		"X-Amz-Sns-Message-Type", "Notification", "X-Amz-Date", "now", "X-Forwarded-For", "1.2.3.4", "Accept-Encoding", "gzip", "Cookie", "secret")
	if status != 200 || !strings.HasPrefix(got, `{"topic":"blue","partition":0,"offset":0,"timestamp":`) {
		t.Errorf("%d %s", status, got)
	}
	a.want("GET /webhook?topic=blue&key=k", "", `{"topic":"blue","partition":0,"offset":1,"timestamp":T}`)
	a.do("GET /fetch", `{"topic":"blue","partition":0,"offset":1,"timeout":5000}`)
	a.want("GET /fetch", `{"topic":"blue","partition":0,"offset":0,"timeout":5000}`,
		`[{"topic":"blue","partition":0,"offset":0,"timestamp":T,"key":"","value":"not { JSON","headers":[{"key":"event-origin","value":"here"},{"key":"x-amz-sns-message-type","value":"Notification"},{"key":"x-hub-signature-256","value":"sha256=1"}]}`+
			`,{"topic":"blue","partition":0,"offset":1,"timestamp":T,"key":"k","value":"","headers":[]}]`)
	a.refused("POST /webhook", "x", 400, "topic is missing")
	if status, _ := a.as("", "", "GET /topics?user="+user+"&pass="+password, ""); status != 401 {
		t.Errorf("credentials in the query of another endpoint: %d", status)
	}
	// A header wins.
	if status, _ := a.as("someone", "wrong", "POST /webhook?topic=blue&user="+user+"&pass="+password, ""); status != 401 {
		t.Errorf("a wrong header beside a right query: %d", status)
	}
}

func TestFetch(t *testing.T) {
	a := newAPI(t)
	a.want("POST /produce", `[{"topic":"red","partition":1,"value":"a","timestamp":1},{"topic":"blue","value":"b","timestamp":2}]`,
		`[{"topic":"red","partition":1,"offset":0,"timestamp":1},{"topic":"blue","partition":0,"offset":0,"timestamp":2}]`)
	for range 2 { // until both are there
		a.do("POST /fetch", `{"topic":"red","partition":1,"offset":0,"timeout":5000}`)
		a.do("POST /fetch", `{"topic":"blue","partition":0,"offset":0,"timeout":5000}`)
	}
	a.want("POST /fetch", `{"topicPartitionOffsets":[{"topic":"blue","partition":0,"offset":0}],"topic":"red","partition":1,"offset":0}`,
		`[{"topic":"blue","partition":0,"offset":0,"timestamp":2,"key":"","value":"b","headers":[]},{"topic":"red","partition":1,"offset":0,"timestamp":1,"key":"","value":"a","headers":[]}]`)
	a.want("POST /fetch", `{"topic":"blue","partition":0,"offset":7,"timeout":0}`, `[]`)
	a.refused("POST /fetch", `{}`, 400, "neither")
	a.refused("POST /fetch", `{"topic":"blue"}`, 400, "partition is missing")
	a.refused("POST /fetch", `{"topic":"blue","partition":0}`, 400, "offset is missing")
	a.refused("POST /fetch", `{"topic":"blue","partition":0,"offset":-1}`, 400, "negative")
	a.refused("POST /fetch", `{"topic":"blue","partition":0,"offset":0,"timeout":-1}`, 400, "timeout")
	a.refused("POST /fetch", `{"topic":"green","partition":0,"offset":0}`, 404, "no topic")
	a.refused("DELETE /fetch", ``, 405, "GET or POST")
}

func TestConsumeCommitCommitted(t *testing.T) {
	a := newAPI(t)
	earliest := []string{"Kafka-Auto-Offset-Reset", "earliest", "Kafka-Enable-Auto-Commit", "false"}
	a.want("GET /produce/blue/a", "", `{"topic":"blue","partition":0,"offset":0,"timestamp":T}`)
	a.want("POST /consume/g/i", `{"topic":"blue","timeout":5000,}`,
		`[{"topic":"blue","partition":0,"offset":0,"timestamp":T,"key":"","value":"a","headers":[]}]`, earliest...)
	a.want("GET /consume/g/i/blue?timeout=0", ``, `[]`)
	a.want("GET /consumers", ``, `[{"name":"g","instances":[{"name":"i","topics":[{"topic":"blue","partitions":[0]}]}]}]`)
	a.want("GET /committed/g/i", `[{"topic":"blue","partition":0},{"topic":"red","partition":2}]`,
		`[{"topic":"blue","partition":0,"offset":-1},{"topic":"red","partition":2,"offset":-1}]`)
	a.want("GET /commit/g/i", `{"topic":"blue","partition":0,"offset":0}`, `{"result":"Success","status":200}`)
	a.want("GET /committed/g/i", `{"topic":"blue","partition":0}`, `[{"topic":"blue","partition":0,"offset":0}]`)
	for _, body := range []string{"", "[]", "null"} {
		a.want("POST /commit/g/i", body, `{"result":"Success","status":200}`)
	}
	a.want("GET /committed/g/i?timeout=500", `{"topic":"blue","partition":0}`, `[{"topic":"blue","partition":0,"offset":1}]`)
	a.want("POST /consume/g/i", `{"topics":["blue","red"],"topic":"red","timeout":0}`, `[]`)
	a.want("GET /consumers/", ``, `[{"name":"g","instances":[{"name":"i","topics":[{"topic":"blue","partitions":[0]},{"topic":"red","partitions":[0,1,2]}]}]}]`)
	a.want("POST /delete-consumer/g/i", ``, `{"result":"Success","status":200}`)
	a.refused("DELETE /delete-consumer/g/i", ``, 404, "no instance")
	a.want("GET /consumers", ``, `[]`)
	a.refused("POST /commit/g/i", ``, 404, "no instance")
	a.refused("POST /consume/g/i", `{}`, 400, "neither topic nor topics")
	a.refused("POST /consume/g", `{}`, 404, "no such endpoint")
	a.refused("GET /consume/g/i/blue?timeout=soon", ``, 400, "timeout")
	for _, h := range [][2]string{
		{"Kafka-Enable-Auto-Commit", "maybe"}, {"Kafka-Auto-Commit-Interval", "-1"},
		{"Kafka-Auto-Offset-Reset", "middle"}, {"Kafka-Session-Timeout-Ms", "0"}, {"Kafka-Session-Timeout-Ms", "1h"},
	} {
		a.refused("GET /consume/g/i/blue", ``, 400, h[0], h[0], h[1])
	}
	a.refused("GET /consume/g2/none/blue", ``, 400, "no committed offset", "Kafka-Auto-Offset-Reset", "none", "Kafka-Session-Timeout-Ms", "6000")
}

func TestOffsetsAndTopics(t *testing.T) {
	a := newAPI(t)
	a.want("GET /topics", ``, `{"blue":1,"red":3}`)
	for i, at := range []int64{1000, 2000} {
		a.want("POST /produce/blue", fmt.Sprintf(`{"value":"x","timestamp":%d}`, at), fmt.Sprintf(`[{"topic":"blue","partition":0,"offset":%d,"timestamp":%d}]`, i, at))
	}
	for at, want := range map[string]int{"earliest": 0, "latest": 2, "0": 0, "1000": 0, "1001": 1, "2001": 2} {
		a.want("GET /offsets/"+at+"?timeout=5000", `{"topic":"blue","partition":0}`, fmt.Sprintf(`[{"topic":"blue","partition":0,"offset":%d}]`, want))
	}
	a.refused("GET /offsets/yesterday", `{"topic":"blue","partition":0}`, 400, "neither a time")
	a.refused("GET /offsets/latest", `{"topic":"blue","partition":9}`, 400, "no partition")
	a.refused("GET /nothing", ``, 404, "no such endpoint")
	a.refused("PUT /topics", ``, 405, "method PUT")
}

func TestCredentials(t *testing.T) {
	a := newAPI(t)
	if err := a.engine.RevokeCredential(t.Context(), "c1", "gone", time.Time{}); err != nil {
		t.Fatal(err)
	}
	user, password := a.credential(nil)
	for name, c := range map[string]struct{ user, password string }{
		"none":        {"", ""},
		"a wrong one": {user, password[:len(password)-4] + "AAAA"},
		"no password": {user, ""},
		"other user":  {"someone", password},
	} {
		if status, got := a.as(c.user, c.password, "GET /topics", ""); status != 401 || !strings.Contains(got, `"status":401`) {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	for name, change := range map[string]func(*token.Claims){
		"other product":    func(c *token.Claims) { c.Products = []string{token.ProductRedis} },
		"other cluster":    func(c *token.Claims) { c.Resource = "c2" },
		"other generation": func(c *token.Claims) { c.Generation = 2 },
		"revoked":          func(c *token.Claims) { c.CredentialID = "gone" },
		"expired":          func(c *token.Claims) { c.IssuedAt = time.Unix(1, 0); c.Expires = time.Unix(2, 0) },
	} {
		user, password := a.credential(change)
		if status, _ := a.as(user, password, "GET /topics", ""); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	rule := func(p token.Permission, topics string) (string, string) {
		return a.credential(func(c *token.Claims) { c.Topics = token.TopicRule{Permission: p, Topics: topics} })
	}
	for _, c := range []struct {
		permission token.Permission
		topics     string
		request    string
		body       string
		want       int
	}{
		{token.PermitProduce, "b*", "GET /produce/blue/x", "", 200},
		{token.PermitProduce, "b*", "GET /produce/red/x", "", 403},
		{token.PermitProduce, "b*", "POST /webhook?topic=red", "", 403},
		{token.PermitProduce, "*", "POST /fetch", `{"topic":"blue","partition":0,"offset":0,"timeout":0}`, 403},
		{token.PermitConsume, "*", "GET /produce/blue/x", "", 403},
		{token.PermitConsume, "blue", "POST /fetch", `{"topic":"blue","partition":0,"offset":0,"timeout":0}`, 200},
		{token.PermitConsume, "blue", "POST /consume/g/i", `{"topics":["blue","red"],"timeout":0}`, 403},
		{token.PermitConsume, "blue", "POST /consume/g/i", `{"topic":"blue","timeout":0}`, 200},
		{token.PermitAll, "red", "POST /delete-consumer/g/i", ``, 403},
		{token.PermitAll, "red", "POST /commit/g/i", ``, 403},
		{token.PermitAll, "red", "POST /committed/g/i", `{"topic":"blue","partition":0}`, 403},
		{token.PermitAll, "red", "POST /offsets/latest", `{"topic":"blue","partition":0}`, 403},
	} {
		user, password := rule(c.permission, c.topics)
		if status, got := a.as(user, password, c.request, c.body); status != c.want {
			t.Errorf("%s %s: %s %s: %d %s, want %d", c.permission, c.topics, c.request, c.body, status, got, c.want)
		}
	}
	inGroups := func(topics string, groups token.GroupRule) (string, string) {
		return a.credential(func(c *token.Claims) {
			c.Topics, c.Groups = token.TopicRule{Permission: token.PermitAll, Topics: topics}, groups
		})
	}
	for _, c := range []struct {
		groups  token.GroupRule
		request string
		body    string
		want    int
	}{
		{"h*", "POST /consume/g/i", `{"topic":"blue","timeout":0}`, 403},
		{"h*", "POST /committed/g/i", `{"topic":"blue","partition":0}`, 403},
		{"h*", "POST /commit/g/i", `{"topic":"blue","partition":0,"offset":1}`, 403},
		{"h*", "POST /delete-consumer/g/i", ``, 403},
		{"h*", "POST /consume/ha/i", `{"topic":"blue","timeout":0}`, 200},
		{"g", "POST /committed/g/i", `{"topic":"blue","partition":0}`, 200},
	} {
		user, password := inGroups("*", c.groups)
		if status, got := a.as(user, password, c.request, c.body); status != c.want {
			t.Errorf("groups %s: %s %s: %d %s, want %d", c.groups, c.request, c.body, status, got, c.want)
		}
	}
	user, password = inGroups("*", "h*")
	if _, got := a.as(user, password, "GET /consumers", ""); !strings.Contains(got, `"ha"`) || strings.Contains(got, `"g"`) {
		t.Errorf("consumers %s", got)
	}
	user, password = rule(token.PermitAll, "red")
	if _, got := a.as(user, password, "GET /topics", ""); got != `{"red":3}` {
		t.Errorf("topics %s", got)
	}
	if _, got := a.as(user, password, "GET /consumers", ""); got != `[]` {
		t.Errorf("consumers %s", got)
	}
	if strings.Contains(a.log.String(), password) {
		t.Error("the log holds a password")
	}
}

// A credential of topic red would get blue's partitions assigned to nobody by joining blue's group, or
// its instance's place.
func TestGroupOfAnotherTopicCannotBeTakenOver(t *testing.T) {
	a := newAPI(t)
	for i := range 5 {
		a.do("POST /produce/blue/"+fmt.Sprint(i), "")
	}
	status, first := a.do("POST /consume/billing/one", `{"topic":"blue","timeout":0}`, "Kafka-Auto-Offset-Reset", "earliest")
	if status != 200 {
		t.Fatalf("%d %s", status, first)
	}
	user, password := a.credential(func(c *token.Claims) {
		c.Topics = token.TopicRule{Permission: token.PermitAll, Topics: "red"}
	})
	for _, request := range []string{"POST /consume/billing/one", "POST /consume/billing/other"} {
		if status, got := a.as(user, password, request, `{"topic":"red","timeout":0}`); status != 403 {
			t.Errorf("%s: %d %s", request, status, got)
		}
	}
	for _, request := range []string{"POST /delete-consumer/billing/one", "POST /commit/billing/one"} {
		if status, got := a.as(user, password, request, ""); status != 403 {
			t.Errorf("%s: %d %s", request, status, got)
		}
	}
	for seen := strings.Count(first, `"offset"`); seen < 5; {
		status, got := a.do("POST /consume/billing/one", `{"topic":"blue","timeout":5000}`)
		n := strings.Count(got, `"offset"`)
		if status != 200 || n == 0 {
			t.Fatalf("after %d messages: %d %s", seen, status, got)
		}
		seen += n
	}
}

func TestAnswersAreNamed(t *testing.T) {
	a := newAPI(t)
	user, password := a.credential(nil)
	consume := func(received string) (answer, body string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/consume/g/i/blue?timeout=2000", nil)
		r.SetBasicAuth(user, password)
		r.Header.Set("Kafka-Auto-Offset-Reset", "earliest")
		r.Header.Set("Kafka-Answer-Received", received)
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w.Result().Header.Get("Kafka-Answer"), w.Body.String()
	}
	a.do("POST /produce/blue/a", "")
	first, got := consume("")
	if first == "" || !strings.Contains(got, `"value":"a"`) {
		t.Fatalf("answer %q: %s", first, got)
	}
	a.do("POST /produce/blue/b", "")
	for range 2 { // the first of which is lost
		if name, got := consume(first); name == first || !strings.Contains(got, `"value":"b"`) {
			t.Errorf("answer %q: %s", name, got)
		}
	}
	if _, got := consume("none"); !strings.Contains(got, `"status":400`) {
		t.Errorf("a name that is none: %s", got)
	}
}

func TestLagAndReset(t *testing.T) {
	a := newAPI(t)
	for i := range 3 {
		a.do("POST /produce/blue/"+fmt.Sprint(i), "")
	}
	a.do("POST /consume/g/i", `{"topics":["blue","red"],"timeout":0}`)
	if status, got := a.do("GET /lag/g", ""); status != 200 || !strings.Contains(got, `{"topic":"blue","partition":0,"committed":-1,"end":3,"lag":null,"instance":"i"}`) {
		t.Errorf("lag before a commit: %d %s", status, got)
	}
	a.do("POST /commit/g/i", `{"topic":"blue","partition":0,"offset":1}`)
	if status, got := a.do("GET /lag/g", ""); status != 200 || !strings.Contains(got, `"committed":1,"end":3,"lag":2,"instance":"i"}`) {
		t.Errorf("lag: %d %s", status, got)
	}
	if status, got := a.do("POST /reset/g", `{"topic":"blue","to":"earliest"}`); status != 409 {
		t.Errorf("reset with an instance: %d %s", status, got)
	}
	a.do("POST /delete-consumer/g/i", "")
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"topic":"blue","to":"latest"}`, 200, `[{"topic":"blue","partition":0,"offset":3}]`},
		{`{"topic":"blue","partition":0,"to":1}`, 200, `[{"topic":"blue","partition":0,"offset":0}]`},
		{`[{"topic":"blue","partition":0,"to":{"offset":2}}]`, 200, `[{"topic":"blue","partition":0,"offset":2}]`},
		{`{"topic":"red","to":"earliest"}`, 200, `[{"topic":"red","partition":0,"offset":0},{"topic":"red","partition":1,"offset":0},{"topic":"red","partition":2,"offset":0}]`},
		{`{"topic":"blue","to":"later"}`, 400, ""},
		{`{"topic":"blue"}`, 400, ""},
		{`{"topic":"blue","partition":1,"to":"latest"}`, 400, ""},
		{`{"topic":"green","to":"latest"}`, 404, ""},
	} {
		if status, got := a.do("POST /reset/g", c.body); status != c.status || c.want != "" && got != c.want {
			t.Errorf("reset %s: %d %s", c.body, status, got)
		}
	}
	if status, got := a.do("GET /lag/g", ""); status != 200 || !strings.Contains(got, `"committed":2,"end":3,"lag":1,"instance":null}`) {
		t.Errorf("lag after resets: %d %s", status, got)
	}
	if status, _ := a.do("GET /lag/none", ""); status != 404 {
		t.Errorf("lag of no group: %d", status)
	}
}

func TestPreflight(t *testing.T) {
	a := newAPI(t)
	if status, _ := a.as("", "", "OPTIONS /produce", "", "Access-Control-Request-Headers", "authorization"); status != 200 {
		t.Errorf("status %d", status)
	}
}

// A body of a few KB may stand for millions of objects, each of which takes many times its bytes.
func TestBodiesOfManyObjectsAreRefused(t *testing.T) {
	a := newAPI(t)
	for request, body := range map[string]string{
		"POST /produce":        "[" + strings.Repeat("{},", 200_000) + "{}]",
		"POST /produce/red":    `{"value":"","headers":[` + strings.Repeat("{},", 200_000) + "{}]}",
		"POST /fetch":          `{"topicPartitionOffsets":[` + strings.Repeat("{},", 200_000) + "{}]}",
		"POST /commit/g/i":     "[" + strings.Repeat("{},", 200_000) + "{}]",
		"POST /committed/g/i":  "[" + strings.Repeat("{},", 200_000) + "{}]",
		"POST /offsets/latest": "[" + strings.Repeat("{},", 200_000) + "{}]",
	} {
		a.refused(request, body, 413, "objects, at most 100000")
	}
	a.refused("POST /consume/g/i", `{"topics":[`+strings.Repeat("0,", 1_000_001)+"0]}", 413, "more than 1000000 values")
	// What stands in strings is neither.
	a.refused("POST /produce", `{"topic":"nosuch","value":"`+strings.Repeat(`{\"\\,`, 250_000)+`"}`, 404, `no topic "nosuch"`)
}
