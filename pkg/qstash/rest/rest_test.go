package rest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/skystash/skystash/pkg/meter/metertest"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	storeembedded "github.com/skystash/skystash/pkg/store/embedded"
)

const acct = "acct"

// service is the API over an engine whose destinations the test plays.
type service struct {
	t      *testing.T
	url    string
	token  string
	engine *qstash.Engine
	meter  *metertest.Records

	mu     sync.Mutex
	status int
	header qstash.Header // of answers
	sent   []qstash.Delivery
	more   chan struct{}
}

func newService(t *testing.T) *service {
	t.Helper()
	st, err := storeembedded.Open(storeembedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := &service{t: t, token: rest.Envelope(acct, "password"), status: 200, more: make(chan struct{}, 1000), meter: &metertest.Records{}}
	waker := embedded.New(embedded.Options{})
	s.engine = qstash.New(qstash.Config{Store: st, Sender: s, Waker: waker, Alone: true, Meter: s.meter, Limits: qstash.Limits{MaxMessageBytes: 10_000, Queues: 3}})
	if _, err := s.engine.CreateAccount(t.Context(), acct, qstash.Keys{Current: "sig_1", Next: "sig_2"}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(rest.New(rest.Config{
		Engine: s.engine, Authenticator: rest.Fixed{Token: s.token, Account: acct}, Meter: s.meter, Gateway: func(context.Context) bool { return true },
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	waker.Start(t.Context(), s.engine.Handle)
	t.Cleanup(waker.Stop)
	return s
}

// Send implements qstash.Sender.
func (s *service) Send(_ context.Context, d qstash.Delivery) (qstash.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, d)
	s.more <- struct{}{}
	if s.status < 0 {
		return qstash.Response{}, &qstash.NoAnswer{Reason: "nobody answers"}
	}
	return qstash.Response{Status: s.status, Header: s.header, Body: []byte("answer")}, nil
}

// delivery is the next request to a destination.
func (s *service) delivery() qstash.Delivery {
	s.t.Helper()
	<-s.more
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.sent[0]
	s.sent = s.sent[1:]
	return d
}

// do sends a request; the path is taken as it is. header holds "name: value" lines.
func (s *service) do(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	target, query, _ := strings.Cut(path, "?")
	req.URL.Opaque, req.URL.RawQuery = target, query
	req.Header.Set("Authorization", "Bearer "+s.token)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Add(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.Header.Get("Content-Type") != "application/json" {
		s.t.Errorf("%s %s: content type %q", method, path, resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, string(text)
}

// ok sends a request that must succeed, and decodes its answer.
func (s *service) ok(v any, method, path, body string, header ...string) {
	s.t.Helper()
	status, text := s.do(method, path, body, header...)
	if status > 299 {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			s.t.Fatalf("%s %s: %s: %v", method, path, text, err)
		}
	}
}

func (s *service) refused(status int, text, method, path, body string, header ...string) {
	s.t.Helper()
	got, answer := s.do(method, path, body, header...)
	var e struct{ Error string }
	if err := json.Unmarshal([]byte(answer), &e); got != status || err != nil || !strings.Contains(e.Error, text) {
		s.t.Errorf("%s %s: %d %s, want %d with %q", method, path, got, answer, status, text)
	}
}

func TestDestinationsAreTakenAsTheyAre(t *testing.T) {
	s := newService(t)
	for path, want := range map[string]string{
		"/v2/publish/https://example.com/a//b?x=1&y=%2F&x=2":                   "https://example.com/a//b?x=1&y=%2F&x=2",
		"/v2/publish/https://example.com?upstash-retries=0&a=b&upstash-label=": "https://example.com?a=b",
		"/v2/publish/https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc":                    "https://example.com/a?b=c",
		"/v2/publish/https:/example.com/one-slash":                             "https://example.com/one-slash",
		"/v2/publish/http://example.com/a%2Fb/":                                "http://example.com/a%2Fb/",
		"/v1/publish/https://example.com/v1":                                   "https://example.com/v1",
		"/v2/PUBLISH/https://example.com/case":                                 "https://example.com/case",
		"/v2/enqueue/my_queue/https://example.com/?q=1":                        "https://example.com/?q=1",
	} {
		var got struct{ MessageID, URL string }
		s.ok(&got, "POST", path, "body")
		if got.URL != want || !strings.HasPrefix(got.MessageID, "msg_") {
			t.Errorf("%s: answered %+v, want %s", path, got, want)
		}
		if d := s.delivery(); d.URL != want || string(d.Body) != "body" {
			t.Errorf("%s: delivered to %s", path, d.URL)
		}
	}
	for _, dest := range []string{"ftp://example.com", "a:/b", "https://"} {
		s.refused(400, "invalid destination url", "POST", "/v2/publish/"+dest, "")
	}
	s.refused(400, "invalid destination url: endpoint has invalid scheme, add http:// or https://", "POST", "/v2/publish/ftp://x", "")
	s.refused(404, "topic unknown not found", "POST", "/v2/publish/unknown", "")
}

func TestHeaderMapHoldsWhatIsForwardedAndNothingElse(t *testing.T) {
	s := newService(t)
	publish := func(header ...string) map[string]any {
		t.Helper()
		var p struct{ MessageID string }
		s.ok(&p, "POST", "/v2/publish/https://example.com", "x", append(header, "Upstash-Delay: 1h", "Upstash-Telemetry-Sdk: x", "Upstash-Caller-IP: 6.6.6.6")...)
		var m map[string]any
		s.ok(&m, "GET", "/v2/messages/"+p.MessageID, "")
		if m["callerIP"] != "127.0.0.1" {
			t.Errorf("caller %v", m["callerIP"])
		}
		return m
	}
	encode := func(v any) string { text, _ := json.Marshal(v); return string(text) }
	if got := encode(publish("Upstash-Forward-test-header: test-value")["header"]); got != `{"Test-Header":["test-value"]}` {
		t.Errorf("forwarded: %s", got)
	}
	if got := encode(publish("Content-Type: text/x")["header"]); got != `{"Content-Type":["text/x"]}` {
		t.Errorf("content type: %s", got)
	}
	if got := encode(publish("Upstash-Header-Forward: true", "X-Hook: a", "User-Agent: hooker")["header"]); got != `{"X-Hook":["a"]}` {
		t.Errorf("all: %s", got)
	}
	m := publish("Upstash-Method: get", "Upstash-Retries: 5", "Upstash-Retry-Delay: 1000 * retried", "Upstash-Timeout: 90s", "Upstash-Label: a,b",
		"Upstash-Callback: https://cb.example?foo=bar", "Upstash-Callback-Forward-Mine: 1", "Upstash-Failure-Callback: https://f.example",
		"Upstash-Flow-Control-Key: key", "Upstash-Flow-Control-Value: parallelism=3, rate=5, period=1d")
	for name, want := range map[string]any{"method": "GET", "maxRetries": 5.0, "retryDelayExpression": "1000 * retried", "timeout": 90000.0, "label": "a",
		"callback": "https://cb.example?foo=bar", "failureCallback": "https://f.example", "flowControlKey": "key", "parallelism": 3.0, "rate": 5.0, "period": 86400.0, "body": "x"} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	if encode(m["callbackHeader"]) != `{"Mine":["1"]}` || encode(m["labels"]) != `["a","b"]` {
		t.Errorf("callback header %v, labels %v", m["callbackHeader"], m["labels"])
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	s := newService(t)
	for _, header := range []string{"Upstash-Retries: -1", "Upstash-Retries: x", "Upstash-Delay: 5y", "Upstash-Method: HEAD",
		"Upstash-Retry-Delay: system(1)", "Upstash-Callback: ftp://x", "Upstash-Flow-Control-Key: alone", "Upstash-Flow-Control-Value: rate=1",
		"Upstash-Deduplication-Id: a:b", "Upstash-Redact-Fields: everything", "Upstash-Not-Before: soon", "Upstash-Cron: * * *"} {
		s.refused(400, "", "POST", "/v2/publish/https://example.com", "", header)
	}
	for _, header := range []string{"Upstash-Delay: 10000d", "Upstash-Timeout: 3h", "Upstash-Retries: 1000000", "Upstash-Not-Before: 4102444800"} {
		name, _, _ := strings.Cut(strings.TrimPrefix(header, "Upstash-"), ":")
		s.refused(412, strings.ToLower(name)+" exceeded the limit: maximum ", "POST", "/v2/publish/https://example.com", "", header)
	}
	s.refused(400, "", "POST", "/v2/publish/https://example.com", "", "Upstash-Callback: https://cb.example", "Upstash-Callback-Delay: 5s")
	s.refused(413, "maximum message size exceeded", "POST", "/v2/publish/https://example.com", strings.Repeat("x", 10_001))
}

func TestAnswersHaveTheShapesThatClientsIndex(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/topics/group/endpoints", `{"endpoints":[{"url":"https://a.example","name":"a"},{"url":"https://b.example"}]}`)
	var list []struct{ MessageID, URL string }
	s.ok(&list, "POST", "/v2/publish/group", "")
	if len(list) != 2 || list[1].URL != "https://b.example" {
		t.Errorf("to a URL group: %+v", list)
	}
	var batch []json.RawMessage
	s.ok(&batch, "POST", "/v2/batch", `[{"destination":"https://a.example?x=1","headers":{"upstash-delay":"1h"},"body":"1"},{"destination":"group","queue":"q","headers":{}},{"destination":"ftp://x","headers":{}},{"destination":"https://a.example","headers":{"upstash-retries":"x"}}]`)
	if len(batch) != 4 || batch[0][0] != '{' || batch[1][0] != '[' || !strings.Contains(string(batch[2]), "error") || !strings.Contains(string(batch[3]), "error") {
		t.Errorf("batch %s", batch)
	}
	for _, body := range []string{"", "{}", "[]", "[1]"} {
		s.refused(400, "invalid batch", "POST", "/v2/batch", body)
	}
	for _, want := range []int{200, 202} {
		if status, text := s.do("POST", "/v2/publish/https://a.example", "", "Upstash-Deduplication-Id: once"); status != want || strings.Contains(text, "deduplicated") != (want == 202) {
			t.Errorf("duplicate: %d %s", status, text)
		}
	}
	var p struct{ MessageID string }
	s.ok(&p, "POST", "/v2/publish/https://a.example", "", "Upstash-Delay: 1h")
	if _, text := s.do("DELETE", "/v2/messages/"+p.MessageID, ""); text != `{"cancelled":1}` {
		t.Errorf("cancelled: %s", text)
	}
	s.refused(404, "", "DELETE", "/v2/messages/"+p.MessageID, "")
	for path, want := range map[string]string{"/v2/dlq": `{"messages":[]}`, "/v2/events?label=none": `{"events":[]}`, "/v2/logs?label=none": `{"logs":[]}`} {
		if status, text := s.do("GET", path, ""); status != 200 || text != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	var queues []struct{ Name string }
	s.ok(&queues, "GET", "/v2/queues/", "")
	if len(queues) != 1 || queues[0].Name != "q" {
		t.Errorf("queues: %+v", queues)
	}
}

func TestEventsHaveTheSpellingsOfAllClients(t *testing.T) {
	s := newService(t)
	s.status = 404
	var p struct{ MessageID string }
	s.ok(&p, "POST", "/v2/publish/https://a.example", "in", "Upstash-Retries: 0", "Upstash-Retry-Delay: 5")
	var page struct{ Events []map[string]any }
	for len(page.Events) < 4 {
		s.ok(&page, "GET", "/v2/events?order=earliestFirst&messageId="+p.MessageID, "")
	}
	var states []any
	for _, e := range page.Events {
		states = append(states, e["state"])
	}
	if !slices.Equal(states, []any{"CREATED", "ACTIVE", "ERROR", "FAILED"}) {
		t.Errorf("states %v", states)
	}
	e := page.Events[2]
	if e["retryDelayExpr"] != "5" || e["retryDelayExpression"] != "5" || e["responseStatus"] != 404.0 || e["body"] != base64.StdEncoding.EncodeToString([]byte("in")) || e["responseBody"] != base64.StdEncoding.EncodeToString([]byte("answer")) {
		t.Errorf("event %v", e)
	}
	s.ok(&page, "GET", "/v2/events?count=1", "")
	if len(page.Events) != 1 {
		t.Errorf("count=1: %v", page.Events)
	}
}

func TestFiltersWithTypingErrorsSelectNothing(t *testing.T) {
	s := newService(t)
	for _, c := range []string{"DELETE /v2/dlq?labeel=x", "POST /v2/dlq/retry?labeel=x", "GET /v2/dlq?host=x", "DELETE /v2/messages?labeel=x", "GET /v2/events?labeel=x",
		"DELETE /v2/workflows/runs?labeel=x", "DELETE /v2/messages?messageIds=", "DELETE /v2/dlq?count=0", "GET /v2/events?cursor=nonsense"} {
		method, path, _ := strings.Cut(c, " ")
		s.refused(400, "", method, path, "")
	}
	s.refused(400, "", "DELETE", "/v2/messages", `{"messageIdz":["a"]}`)
	for range 3 {
		s.ok(nil, "POST", "/v2/publish/https://a.example", "", "Upstash-Delay: 1h")
	}
	if _, text := s.do("GET", "/v2/events?api=llm", ""); text != `{"events":[]}` {
		t.Errorf("events of a provider: %s", text)
	}
	if _, text := s.do("DELETE", "/v2/messages?count=1", ""); text != `{"cancelled":1}` {
		t.Errorf("count=1: %s", text)
	}
	if _, text := s.do("DELETE", "/v2/messages", `{"messageIds":["none"]}`); text != `{"cancelled":0}` {
		t.Errorf("by ids in the body: %s", text)
	}
	if _, text := s.do("DELETE", "/v2/messages/", ""); text != `{"cancelled":2}` {
		t.Errorf("everything, with a slash: %s", text)
	}
}

func TestResourcesAreTolerantOfMethodsAndPaths(t *testing.T) {
	s := newService(t)
	var created struct{ ScheduleID string }
	s.ok(&created, "POST", "/v2/Schedules/https://example.com/?a=b", "body", "Upstash-Cron:  */10 * * * * ", "Upstash-Queue-Name: q", "Upstash-Timeout: 30")
	if _, text := s.do("GET", "/v2/schedules/"+created.ScheduleID, ""); !strings.Contains(text, `"timeout":30000`) {
		t.Errorf("schedule %s", text)
	}
	for i, method := range []string{"PATCH", "POST", "PUT"} {
		for _, action := range []string{"pause", "resume"} {
			s.ok(nil, method, "/v2/schedules/"+created.ScheduleID+"/"+action, "")
			var got struct {
				IsPaused          bool
				Cron, Destination string
				QueueName         string
			}
			s.ok(&got, "GET", "/v2/SCHEDULES/"+created.ScheduleID+"/", "")
			if got.IsPaused != (action == "pause") || got.Cron != "*/10 * * * *" || got.Destination != "https://example.com/?a=b" || got.QueueName != "q" {
				t.Errorf("%d: after %s %s: %+v", i, method, action, got)
			}
		}
	}
	var byPublish struct{ ScheduleID string }
	s.ok(&byPublish, "POST", "/v1/publish/https://example.com", "", "Upstash-Cron: 0 0 * * *", "Upstash-Schedule-Id: mine")
	if byPublish.ScheduleID != "mine" {
		t.Errorf("schedule by publish: %+v", byPublish)
	}
	s.refused(400, "invalid cron", "POST", "/v2/schedules/https://example.com", "", "Upstash-Cron: 61 * * * *")
	s.refused(400, "", "POST", "/v2/schedules/https://example.com", "", "Upstash-Cron: 1 * * * *", "Upstash-Schedule-Id: a b")
	s.ok(nil, "DELETE", "/v2/schedules/mine", "")
	s.refused(404, "", "DELETE", "/v2/schedules/mine", "")

	s.ok(nil, "DELETE", "/v2/topics/none", "")
	s.ok(nil, "DELETE", "/v2/queues/none", "")
	s.refused(404, "", "GET", "/v2/queues/none", "")
	s.refused(400, "", "GET", "/v2/queues/a%20b", "")
	s.ok(nil, "POST", "/v2/queues/", `{"queueName":"q1","parallelism":2}`)
	s.ok(nil, "POST", "/v2/queues", `{"queueName":"q2"}`)
	s.ok(nil, "POST", "/v2/queues", `{"queueName":"q3"}`)
	s.refused(412, "", "POST", "/v2/queues", `{"queueName":"q4"}`)
	s.ok(nil, "POST", "/v2/queues", `{"queueName":"q1","paused":true}`)
	var q struct {
		Paused      bool
		Parallelism int
	}
	s.ok(&q, "GET", "/v2/queues/q1", "")
	if !q.Paused || q.Parallelism != 2 {
		t.Errorf("queue %+v", q)
	}

	s.ok(nil, "POST", "/v2/publish/https://example.com", "", "Upstash-Flow-Control-Key: a/b c", "Upstash-Flow-Control-Value: rate=7")
	var f struct {
		FlowControlKey      string
		RateMax, RatePeriod int
		IsPinnedRate        bool
	}
	s.ok(nil, "POST", "/v2/flowControl/a%2Fb%20c/pin?rate=9&period=120", "")
	s.ok(&f, "GET", "/v2/flowcontrol/a%2Fb%20c", "")
	if f.FlowControlKey != "a/b c" || f.RateMax != 9 || f.RatePeriod != 120 || !f.IsPinnedRate {
		t.Errorf("flow control %+v", f)
	}
	s.refused(400, "", "POST", "/v2/flowControl/a%2Fb%20c/pin?rate=x", "")
	s.refused(404, "", "GET", "/v2/flowControl/none", "")

	var keys qstash.Keys
	s.ok(&keys, "POST", "/v2/rotate", "")
	if keys.Current != "sig_2" || !strings.HasPrefix(keys.Next, "sig_") {
		t.Errorf("rotated keys %+v", keys)
	}
	for _, path := range []string{"/v2/nothing", "/v2/", "/v2/llm/v1/chat/completions", "/v1/queues", "/v2/messages/a/b"} {
		s.refused(404, "", "GET", path, "")
	}
}

func TestWrongMethodsAreToldTheRightOnes(t *testing.T) {
	s := newService(t)
	for _, row := range [][3]string{
		{"POST", "/v2/messages", "DELETE"},
		{"DELETE", "/v2/logs", "GET"},
		{"DELETE", "/v2/queues", "GET, POST, PUT, PATCH"},
		{"GET", "/v2/queues/q/pause", "POST, PUT, PATCH"},
		{"GET", "/v2/topics/t/endpoints", "POST, PUT, PATCH, DELETE"},
		{"PATCH", "/v2/workflows/runs/r", "GET, DELETE"},
		{"GET", "/v2/batch", "POST, PUT, PATCH"},
		{"GET", "/v2/topics/t/endpoints/more", ""},
	} {
		req, err := http.NewRequest(row[0], s.url+row[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want := http.StatusMethodNotAllowed
		if row[2] == "" {
			want = http.StatusNotFound
		}
		if allow := resp.Header.Get("Allow"); resp.StatusCode != want || allow != row[2] {
			t.Errorf("%s %s: %d, Allow %q", row[0], row[1], resp.StatusCode, allow)
		}
	}
}

func TestGroupHeadersAreDefaults(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/topics/group/endpoints", `{"endpoints":[{"url":"https://a.example"}]}`)
	s.ok(nil, "PATCH", "/v2/topics/group", `{"headers":{"upstash-retries":"7","Upstash-Forward-Mine":["default"]}}`)
	s.refused(400, "", "PATCH", "/v2/topics/group", `{"headers":{"upstash-retries":"x"}}`)
	for _, c := range []struct {
		header  string
		retries int
		mine    string
	}{{"X: y", 7, "default"}, {"Upstash-Retries: 1", 1, "default"}, {"Upstash-Forward-Mine: own", 7, "own"}} {
		var p []struct{ MessageID string }
		s.ok(&p, "POST", "/v2/publish/group", "", c.header)
		var m struct {
			MaxRetries int
			Header     map[string][]string
		}
		s.ok(&m, "GET", "/v2/messages/"+p[0].MessageID, "")
		if m.MaxRetries != c.retries || m.Header["Mine"][0] != c.mine {
			t.Errorf("%s: %+v", c.header, m)
		}
	}
}

func TestWebhooksNeedNoToken(t *testing.T) {
	s := newService(t)
	s.header = sdkAnswer
	s.refused(404, "workflow run wfr_1 not found", "POST", "/v2/workflows/hooks/acct/wfr_1/event", "", "Authorization: ")
	var run struct {
		WorkflowRunID     string
		WorkflowCreatedAt int64
	}
	s.ok(&run, "POST", "/v2/trigger/https://app.example/w", `{"in":1}`)
	if d := s.delivery(); run.WorkflowCreatedAt == 0 || d.Header.Get("Upstash-Workflow-Sdk-Version") != "1" || d.Header.Get("Upstash-Workflow-Runid") != run.WorkflowRunID {
		t.Errorf("triggered %+v, called with %v", run, d.Header)
	}
	s.ok(nil, "PUT", "/v2/workflows/hooks/acct/"+run.WorkflowRunID+"/event?x=1", "hooked", "Authorization: ")
	s.ok(nil, "POST", "/v2/wait/event", `{"url":"https://app.example/w","timeout":"7d","timeoutUrl":"https://app.example/w","timeoutHeaders":{"odd":{"x":1}},"step":{"stepId":1}}`,
		"Upstash-Workflow-RunId: "+run.WorkflowRunID)
	var steps []struct{ Body []byte }
	s.ok(&steps, "GET", "/v2/workflows/runs/"+run.WorkflowRunID, "")
	var step struct{ Out []byte }
	var event struct {
		Method, URL, Proto string
		Body               []byte
	}
	if len(steps) != 2 || json.Unmarshal(steps[1].Body, &step) != nil || json.Unmarshal(step.Out, &event) != nil ||
		event.Method != "PUT" || string(event.Body) != "hooked" || !strings.HasSuffix(event.URL, "/event?x=1") || event.Proto != "http" {
		t.Errorf("steps %s, event %+v", steps, event)
	}
	for _, want := range []int{200, 200} {
		if status, text := s.do("DELETE", "/v2/workflows/runs/"+run.WorkflowRunID+"?cancel=false", `"out"`); status != want {
			t.Errorf("finishing: %d %s", status, text)
		}
	}
	s.refused(400, "", "POST", "/v2/batch", `[{"destination":"https://app.example/w","headers":{"upstash-workflow-runid":"`+run.WorkflowRunID+`"},"body":"{}"}]`)
	s.refused(404, "", "GET", "/v2/workflows/runs/"+run.WorkflowRunID, "")
	s.refused(404, "", "DELETE", "/v2/workflows/runs/none?cancel=true", "")
	if _, text := s.do("DELETE", "/v2/workflows/runs?workflowRunIds=none", ""); text != `{"cancelled":0}` {
		t.Errorf("cancelling unknown runs: %s", text)
	}
}

func TestTokens(t *testing.T) {
	s := newService(t)
	raw, err := base64.StdEncoding.DecodeString(s.token)
	if err != nil || string(raw) != `{"UserID":"acct","Password":"password"}` {
		t.Errorf("envelope %s, %v", raw, err)
	}
	s.refused(401, "", "GET", "/v2/keys", "", "Authorization: ")
	s.refused(401, "", "GET", "/v2/keys", "", "Authorization: ", "Authorization: Bearer "+s.token+"x")
	var got struct{ URL string }
	s.ok(&got, "POST", "/v2/publish/https://example.com/?a=1&qstash_token="+strings.ReplaceAll(s.token, "=", "%3D")+"&b=2", "", "Authorization: ")
	if got.URL != "https://example.com/?a=1&b=2" {
		t.Errorf("destination %s", got.URL)
	}
}

// A request of 72 KB must not become 100,000 messages.
func TestTooManyMessagesInOneRequest(t *testing.T) {
	s := newService(t)
	var endpoints []string
	for i := range 100 {
		endpoints = append(endpoints, fmt.Sprintf(`{"url":"https://%d.example"}`, i))
	}
	s.ok(nil, "POST", "/v2/topics/group/endpoints", `{"endpoints":[`+strings.Join(endpoints, ",")+`]}`)
	batch := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	const text = "maximum number of messages per request exceeded: limit 1000"
	toGroup := `{"destination":"group","headers":{"Upstash-Delay":"1h"},"body":"x"}`
	s.refused(413, text, "POST", "/v2/batch", batch(1000, toGroup))
	s.refused(413, text, "POST", "/v2/batch", batch(11, toGroup))
	s.refused(413, text, "POST", "/v2/batch", batch(10, toGroup)[:len(batch(10, toGroup))-1]+`,{"destination":"https://a.example"}]`)
	s.refused(413, text, "POST", "/v2/batch", batch(1001, `{}`))
	s.refused(413, text, "POST", "/v2/batch/trigger", batch(1001, `{}`))
	s.refused(400, "a workflow is triggered by its url", "POST", "/v2/trigger/group", "")
	for _, bad := range []string{"", "null", "{}", "[", "[{}", "[1]", "[{}]x", "[{},]"} {
		s.refused(400, "invalid batch", "POST", "/v2/batch", bad)
	}
	pending := func() int {
		list, _, err := s.engine.Pending(t.Context(), acct, qstash.PendingQuery{Count: 2000})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := pending(); n != 0 {
		t.Fatalf("%d messages of what was refused", n)
	}
	s.ok(nil, "POST", "/v2/batch", batch(10, toGroup))
	if n := pending(); n != 1000 {
		t.Errorf("%d messages, want 1000", n)
	}
}

func TestDestinationThatIsMissingIsRefused(t *testing.T) {
	s := newService(t)
	const want = "a non-empty destination must be provided"
	for _, path := range []string{"/v2/publish", "/v2/publish/", "/v2/enqueue/q", "/v2/enqueue/q/"} {
		s.refused(400, want, "POST", path, "x")
	}
	s.refused(400, want, "POST", "/v2/schedules/", "x", "Upstash-Cron: * * * * *")
	s.refused(400, "a workflow is triggered by its url", "POST", "/v2/trigger/", "x")
	s.refused(400, "enqueue needs", "POST", "/v2/enqueue/", "x")
	var out []struct{ Error string }
	s.ok(&out, "POST", "/v2/batch", `[{"destination":"","body":"x"}]`)
	if len(out) != 1 || out[0].Error != want {
		t.Errorf("%+v", out)
	}
	s.ok(nil, "GET", "/v2/schedules", "")
}

func TestSchedulesForUnknownGroupsAreRefused(t *testing.T) {
	s := newService(t)
	s.refused(404, "topic none not found", "POST", "/v2/schedules/none", "x", "Upstash-Cron: @daily")
	s.ok(nil, "POST", "/v2/topics/some/endpoints", `{"endpoints":[{"url":"https://example.com"}]}`)
	s.ok(nil, "POST", "/v2/schedules/some", "x", "Upstash-Cron: TZ=Europe/Berlin @daily")
}

func TestUnknownStatesAreRefused(t *testing.T) {
	s := newService(t)
	for _, path := range []string{"/v2/events?state=FOO", "/v2/logs?state=FOO", "/v2/events?state=DELIVERED&state=delivered", "/v2/workflows/events?groupBy=workflowRunId&state=RUN_BROKEN", "/v2/dlq?failureFunctionState=FAIL"} {
		s.refused(400, "unknown state", "GET", path, "")
	}
	for _, path := range []string{"/v2/events?state=DELIVERED&state=IN_PROGRESS", "/v2/workflows/events?groupBy=workflowRunId&state=STEP_PROGRESS", "/v2/dlq?source=workflow&failureFunctionState=CALLBACK_FAIL"} {
		s.ok(nil, "GET", path, "")
	}
}

func TestEncodingsThatAreNotTakenOffAreForwarded(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/publish/https://example.com", "br bytes", "Content-Encoding: br")
	if d := s.delivery(); d.Header.Get("Content-Encoding") != "br" || string(d.Body) != "br bytes" {
		t.Errorf("%v %s", d.Header, d.Body)
	}
	s.ok(nil, "POST", "/v2/batch", "["+item("https://example.com", "x", "Content-Encoding: zstd")+"]")
	if d := s.delivery(); d.Header.Get("Content-Encoding") != "zstd" {
		t.Errorf("of a batch: %v", d.Header)
	}
	s.ok(nil, "POST", "/v2/publish/https://example.com", "x", "Content-Encoding: identity")
	if d := s.delivery(); d.Header.Get("Content-Encoding") != "" {
		t.Errorf("%v", d.Header)
	}
	s.refused(415, "unsupported Content-Encoding", "POST", "/v2/batch", "[]", "Content-Encoding: br")
}

// A few KB may be inflated to very much, of which several copies are made.
func TestWhatABatchIsInflatedToIsBounded(t *testing.T) {
	s := newService(t)
	zip := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.String()
	}
	bomb := zip("[" + strings.Repeat(" ", 17<<20) + "]")
	s.refused(413, "limit 16777216 bytes", "POST", "/v2/batch", bomb, "Content-Encoding: gzip")
	s.refused(400, "invalid batch", "POST", "/v2/batch", "["+strings.Repeat(" ", 17<<20)+"]")
}
