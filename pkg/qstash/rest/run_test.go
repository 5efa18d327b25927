package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDeadlineOfRuns(t *testing.T) {
	s := newService(t)
	step := func(method, path, body string, status int, want string, header ...string) {
		t.Helper()
		if got, text := s.do(method, path, body, header...); got != status || !strings.Contains(text, want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, got, text, status, want)
		}
	}
	const of = "/v2/workflows/deadline"
	step("GET", of, "", 200, `{"deadline":0}`)
	step("PUT", of, `{"deadline":"2h"}`, 200, `{"deadline":7200}`)
	step("GET", of, "", 200, `{"deadline":7200}`)
	step("PUT", of, `{"deadline":"500d"}`, 412, "maximum 366d, requested 500d")
	step("PUT", of, `{"deadline":"soon"}`, 400, "invalid duration")
	for name, c := range map[string]struct {
		header string
		want   int64
	}{"of its account": {"X-Other: 1", 7200}, "of its own": {"Upstash-Workflow-Deadline: 1d", 86400}, "forwarded by its SDK": {"Upstash-Forward-Upstash-Workflow-Deadline: 5m", 300}} {
		_, text := s.do("POST", "/v2/trigger/https://example.com", "in", c.header)
		var run struct{ WorkflowRunID string }
		if err := json.Unmarshal([]byte(text), &run); err != nil {
			t.Fatal(text, err)
		}
		s.delivery()
		_, text = s.do("GET", "/v2/workflows/logs?workflowRunId="+run.WorkflowRunID, "")
		var log struct {
			Runs []struct{ WorkflowRunCreatedAt, WorkflowRunDeadline int64 }
		}
		if err := json.Unmarshal([]byte(text), &log); err != nil || len(log.Runs) != 1 || log.Runs[0].WorkflowRunDeadline-log.Runs[0].WorkflowRunCreatedAt != c.want*1000 {
			t.Errorf("a deadline %s: %s, %v", name, text, err)
		}
	}
	step("DELETE", of, "", 200, `{"deadline":0}`)
	step("GET", of, "", 200, `{"deadline":0}`)
}

func TestRetryNowAndRunNow(t *testing.T) {
	s := newService(t)
	s.status = 500
	var published struct{ MessageID string }
	s.ok(&published, "POST", "/v2/publish/https://a.example", "x", "Upstash-Delay: 1h")
	s.ok(nil, "POST", "/v2/messages/"+published.MessageID+"/retry", "")
	if d := s.delivery(); d.Header.Get("Upstash-Message-Id") != published.MessageID {
		t.Errorf("sent %+v", d)
	}
	s.refused(404, "message msg_1 not found", "POST", "/v2/messages/msg_1/retry", "")
	s.refused(404, "workflow run wfr_1 not found", "POST", "/v2/workflows/runs/wfr_1/retry", "")
	s.refused(404, "schedule other not found", "POST", "/v2/schedules/other/run", "")
	s.refused(400, "invalid policy for missed times", "POST", "/v2/schedules/https://b.example", "y", "Upstash-Cron: 0 0 1 1 *", "Upstash-Skystash-Missed: some")
	var schedule struct {
		ScheduleID, Missed string
		MessageIDs         []string
	}
	s.ok(&schedule, "POST", "/v2/schedules/https://b.example/run", "y", "Upstash-Cron: 0 0 1 1 *", "Upstash-Skystash-Missed: ONCE")
	s.ok(&schedule, "GET", "/v2/schedules/"+schedule.ScheduleID, "")
	s.ok(&schedule, "POST", "/v2/schedules/"+schedule.ScheduleID+"/run", "")
	if d := s.delivery(); schedule.Missed != "once" || len(schedule.MessageIDs) != 1 || d.URL != "https://b.example/run" || string(d.Body) != "y" {
		t.Errorf("schedule %+v, sent %+v", schedule, d)
	}
}

func TestTailIsAStreamOfEvents(t *testing.T) {
	s := newService(t)
	get := func(path, cursor string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest("GET", s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		if cursor != "" {
			req.Header.Set("Last-Event-ID", cursor)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(text)
	}
	resp, text := get("/v2/logs/tail", "")
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") || !strings.Contains(resp.Header.Get("Cache-Control"), "no-store") ||
		!strings.HasPrefix(text, "retry: 3000\n\nid: ") {
		t.Fatalf("%d %v %q", resp.StatusCode, resp.Header, text)
	}
	s.ok(nil, "POST", "/v2/publish/https://a.example", "line\nbreak")
	s.delivery()
	_, text = get("/v2/events/tail?state=CREATED", "0:msg_:0")
	for deadline := time.Now().Add(time.Minute); !strings.Contains(text, `"state":"CREATED"`); _, text = get("/v2/events/tail?state=CREATED", "0:msg_:0") {
		if time.Now().After(deadline) {
			t.Fatalf("there is no event: %q", text)
		}
	}
	if n := strings.Count(text, "data: "); n != 1 || !strings.Contains(text, "\nid: ") {
		t.Errorf("%q", text)
	}
	if resp, text := get("/v2/logs/tail", "nonsense"); resp.StatusCode != 400 || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("a cursor that is none: %d %s", resp.StatusCode, text)
	}
	s.token += "x"
	if resp, text := get("/v2/logs/tail", ""); resp.StatusCode != 401 {
		t.Errorf("a token that is not good any more: %d %s", resp.StatusCode, text)
	}
}
