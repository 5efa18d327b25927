package rest_test

import (
	"encoding/json"
	"strings"
	"testing"
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
