package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/qstash"
)

// sdkAnswer is the header of a workflow's answers.
var sdkAnswer = qstash.Header{"Upstash-Workflow-Sdk-Version": {"1"}, "Upstash-Workflow-Sdk": {"v1.0.0"}}

const app = "https://app.example/w"

// item is a message of a batch, as JSON.
func item(dest, body string, header ...string) string {
	fields := map[string]string{}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		fields[name] = value
	}
	text, _ := json.Marshal(map[string]any{"destination": dest, "headers": fields, "body": body}) // texts always can be
	return string(text)
}

// startRun starts a run as an SDK does, and takes its first delivery.
func (s *service) startRun(id string) {
	s.t.Helper()
	s.ok(nil, "POST", "/v2/batch", "["+item(app, "in", "Upstash-Workflow-RunId: "+id, "Upstash-Workflow-Url: "+app, "Upstash-Workflow-Init: true")+"]")
	s.delivery()
}

func (s *service) entries(id string) int {
	s.t.Helper()
	var list []any
	s.ok(&list, "GET", "/v2/workflows/runs/"+id, "")
	return len(list)
}

func TestCallWithAMessageOfARunIsAcceptedOrRefusedAsAWhole(t *testing.T) {
	s := newService(t)
	s.startRun("wfr_1")
	run := "Upstash-Workflow-RunId: wfr_1"
	good := item(app, `{"stepId":1}`, run)
	other := item("https://example.com", "plain")
	for _, c := range []struct{ name, bad, text string }{
		{"delay", item(app, "{}", run, "Upstash-Delay: 900d"), "delay exceeded the limit: maximum 366d, requested 900d"},
		{"retries", item("https://third.example", "", run, "Upstash-Workflow-CallType: toCallback", "Upstash-Retries: 1000000"), "retries exceeded the limit: maximum 1000, requested 1000000"},
		{"timeout", item("https://third.example", "", run, "Upstash-Workflow-CallType: toCallback", "Upstash-Timeout: 30m"), "timeout exceeded the limit: maximum 15m0s, requested 30m0s"},
		{"not before", item(app, "{}", run, "Upstash-Not-Before: 4102444800"), "not-before exceeded the limit: maximum 366d from now, requested 2100-01-01T00:00:00Z"},
		{"size", item(app, strings.Repeat("x", 10_001), run), "maximum message size exceeded"},
		{"scheme", item("ftp://third.example", "", run, "Upstash-Workflow-CallType: toCallback"), "invalid scheme"},
		{"unknown group", item("none", "", run), "topic none not found"},
		{"method", item(app, "", run, "Upstash-Method: HEAD"), "invalid method"},
		{"expression", item(app, "", run, "Upstash-Retry-Delay: system(1)"), "invalid retry delay expression"},
		{"malformed number", item(app, "", run, "Upstash-Retries: many"), "Upstash-Retries"},
		{"callback's retries", item(app, "", run, "Upstash-Callback: https://cb.example", "Upstash-Callback-Retries: 5000"), "retries exceeded the limit"},
		{"invoke's retries", item("https://app.example/child", `{"workflowUrl":"`+app+`","workflowRunId":"wfr_1","step":{"stepId":1}}`, "Upstash-Workflow-RunId: wfr_2", "Upstash-Workflow-Init: true", "Upstash-Workflow-Invoke: true", "Upstash-Retries: 5000"), "retries exceeded the limit"},
		{"invoke's depth", item("https://app.example/child", `{"workflowUrl":"`+app+`","workflowRunId":"wfr_1","step":{"stepId":1}}`, "Upstash-Workflow-RunId: wfr_2", "Upstash-Workflow-Init: true", "Upstash-Workflow-Invoke: true", "Upstash-Forward-Upstash-Workflow-Invoke-Count: 101"), "maximum depth"},
		{"invoke's body", item("https://app.example/child", `{}`, "Upstash-Workflow-RunId: wfr_2", "Upstash-Workflow-Init: true", "Upstash-Workflow-Invoke: true"), "invalid invoke request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, batch := range [][]string{{good, other, c.bad}, {c.bad, good}} {
				s.refused(412, c.text, "POST", "/v2/batch", "["+strings.Join(batch, ",")+"]")
			}
		})
	}
	s.refused(412, "maximum number of messages", "POST", "/v2/batch", "["+strings.Repeat(good+",", 1000)+good+"]")
	s.refused(412, "delay exceeded", "POST", "/v2/publish/"+app, "{}", run, "Upstash-Delay: 900d")
	s.refused(412, "maximum message size exceeded", "POST", "/v2/publish/"+app, strings.Repeat("x", 10_001), run)
	wait := `{"url":"` + app + `","timeout":"%s","timeoutUrl":"%s","timeoutHeaders":{},"step":{"stepId":1}}`
	s.refused(412, "timeout exceeded the limit: maximum 366d, requested 400d", "POST", "/v2/wait/e", fmt.Sprintf(wait, "400d", app), run)
	s.refused(412, "invalid duration", "POST", "/v2/wait/e", fmt.Sprintf(wait, "soon", app), run)
	s.refused(412, "invalid url", "POST", "/v2/wait/e", fmt.Sprintf(wait, "1d", "ftp://x"), run)
	s.refused(412, "step is required", "POST", "/v2/wait/e", `{}`, run)
	if n := s.entries("wfr_1"); n != 1 {
		t.Errorf("%d entries after refusals, want 1", n)
	}
	if n := len(s.more); n != 0 {
		t.Errorf("%d deliveries after refusals", n)
	}
	s.ok(nil, "POST", "/v2/batch", "["+good+","+other+"]")
	s.delivery()
	s.delivery()
	if n := s.entries("wfr_1"); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func TestMessagesForARunThatHasEndedAre400(t *testing.T) {
	s := newService(t)
	s.startRun("wfr_1")
	s.startRun("wfr_2")
	s.ok(nil, "DELETE", "/v2/workflows/runs/wfr_1?cancel=false", "")
	for _, id := range []string{"wfr_1", "wfr_unknown"} {
		run := "Upstash-Workflow-RunId: " + id
		for _, bodies := range []string{
			item(app, "{}", run),
			item(app, "{}", "Upstash-Workflow-RunId: wfr_2") + "," + item(app, "{}", run),
			item(app, "{}", run, "Upstash-Delay: 1h"),
			item("https://third.example", "", run, "Upstash-Workflow-CallType: toCallback"),
			item("https://app.example/child", `{"workflowUrl":"`+app+`","workflowRunId":"`+id+`","step":{"stepId":1}}`, "Upstash-Workflow-RunId: wfr_3", "Upstash-Workflow-Init: true", "Upstash-Workflow-Invoke: true"),
		} {
			s.refused(400, "can not append to a cancelled workflow", "POST", "/v2/batch", "["+bodies+"]")
		}
		s.refused(400, "can not append", "POST", "/v2/publish/"+app, "{}", run)
		s.refused(400, "can not append", "POST", "/v2/wait/e", `{"url":"`+app+`","timeout":"1d","step":{"stepId":1}}`, run)
	}
	if n := s.entries("wfr_2"); n != 1 {
		t.Errorf("%d entries of a run whose call was refused, want 1", n)
	}
}

// A callback that names its run is no step of the run, also if it does not say so.
func TestCallbacksOfRunsAreNoSteps(t *testing.T) {
	s := newService(t)
	s.ok(nil, "POST", "/v2/publish/"+app, "in", "Upstash-Workflow-RunId: wfr_1", "Upstash-Workflow-Init: true", "Upstash-Workflow-Url: "+app, "Upstash-Feature-Set: WF_DetectTrigger",
		"Upstash-Failure-Callback: https://app.example/failed", "Upstash-Failure-Callback-Workflow-Runid: wfr_1")
	s.delivery()
	if d := s.delivery(); d.URL != "https://app.example/failed" {
		t.Errorf("the failure is told to %s", d.URL)
	}
	s.header = sdkAnswer
	s.startRun("wfr_2")
	s.ok(nil, "POST", "/v2/publish/https://third.example", "ask", "Upstash-Workflow-RunId: wfr_2", "Upstash-Workflow-CallType: toCallback",
		"Upstash-Callback: "+app, "Upstash-Callback-Workflow-RunId: wfr_2")
	s.delivery()
	var told struct{ Status int }
	if d := s.delivery(); d.URL != app || json.Unmarshal(d.Body, &told) != nil || told.Status != http.StatusOK {
		t.Errorf("the answer is told to %s with %s", d.URL, d.Body)
	}
}

func TestPlainBatchesHaveAnErrorForEachMessage(t *testing.T) {
	s := newService(t)
	var out []struct{ MessageID, Error string }
	s.ok(&out, "POST", "/v2/batch", "["+item("https://example.com", "a", "Upstash-Delay: 900d")+","+item("https://example.com", "b")+"]")
	if len(out) != 2 || !strings.Contains(out[0].Error, "delay exceeded") || out[1].MessageID == "" {
		t.Errorf("%+v", out)
	}
}

func TestTriggerSaysWhatAnSDKWouldSay(t *testing.T) {
	s := newService(t)
	s.status = 500
	var run struct {
		WorkflowRunID     string
		WorkflowCreatedAt int64
		Deduplicated      bool
	}
	header := []string{"Upstash-Retries: 0", "Upstash-Label: l", "Upstash-Forward-Mine: 1"}
	s.ok(&run, "POST", "/v2/trigger/"+app, "in", header...)
	first, failure := s.delivery(), s.delivery()
	for name, want := range map[string]string{"Upstash-Workflow-Runid": run.WorkflowRunID, "Upstash-Workflow-Sdk-Version": "1", "Mine": "1", "Upstash-Label": "l",
		"Upstash-Workflow-Init": "false", "Upstash-Workflow-Url": app, "Upstash-Workflow-Unknown-Sdk": "", "Upstash-Workflow-Is-Failure": ""} {
		if got := first.Header.Get(name); got != want {
			t.Errorf("first delivery: %s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{"Upstash-Workflow-Runid": run.WorkflowRunID, "Upstash-Workflow-Is-Failure": "true", "Upstash-Workflow-Failure-Callback": "true", "Mine": "1", "Upstash-Label": "l"} {
		if got := failure.Header.Get(name); failure.URL != app || got != want {
			t.Errorf("failure callback to %s: %s is %q, want %q", failure.URL, name, got, want)
		}
	}

	// Asked for its SDK, the workflow starts the run anew, which changes nothing of what was given.
	s.ok(&run, "POST", "/v2/trigger/"+app, "in", append(header, "Upstash-Workflow-Unknown-Sdk: true", "Upstash-Workflow-RunId: wfr_asked")...)
	if d := s.delivery(); d.Header.Get("Upstash-Workflow-Unknown-Sdk") != "true" || run.WorkflowRunID != "wfr_asked" {
		t.Errorf("%+v is asked with %v", run, d.Header)
	}
	s.delivery() // of the failure
	s.status, s.header = 200, sdkAnswer
	s.ok(&run, "POST", "/v2/trigger/"+app, "in", append(header, "Upstash-Workflow-Unknown-Sdk: true", "Upstash-Workflow-RunId: wfr_probe")...)
	s.delivery()
	s.status = 500
	again := "[" + item(app, "in", "Upstash-Workflow-RunId: wfr_probe", "Upstash-Workflow-Url: "+app, "Upstash-Workflow-Init: true", "upstash-workflow-trigger-by-sdk: true", "Upstash-Feature-Set: LazyFetch") + "]"
	for _, want := range []bool{false, true} {
		var out []struct{ Deduplicated bool }
		s.ok(&out, "POST", "/v2/batch", again)
		if out[0].Deduplicated != want {
			t.Errorf("started by its SDK: %+v, want deduplicated %v", out, want)
		}
		if want {
			break
		}
		if d := s.delivery(); d.Header.Get("Upstash-Workflow-Unknown-Sdk") != "" || d.Header.Get("Mine") != "1" || d.Header.Get("Upstash-Workflow-Sdk-Version") != "1" {
			t.Errorf("after the SDK has started the run: %v", d.Header)
		}
		if d := s.delivery(); d.Header.Get("Upstash-Workflow-Is-Failure") != "true" {
			t.Errorf("retries 0 of the trigger do not hold: %s %v", d.URL, d.Header)
		}
	}

	s.status = 200
	s.refused(400, "not a valid url", "POST", "/v2/batch/trigger", "["+item(app, "", "Upstash-Workflow-RunId: wfr_x")+","+item("https://", "")+"]")
	s.refused(404, "wfr_x", "GET", "/v2/workflows/runs/wfr_x", "")
	s.refused(412, "retries exceeded", "POST", "/v2/batch/trigger", "["+item(app, "", "Upstash-Workflow-RunId: wfr_x")+","+item(app, "", "Upstash-Retries: 5000")+"]")
	var runs []struct {
		WorkflowRunID string
		Deduplicated  bool
	}
	s.ok(&runs, "POST", "/v2/batch/trigger", "["+item(app, "", "Upstash-Workflow-RunId: wfr_x")+","+item(app, "", "Upstash-Workflow-RunId: wfr_x")+"]")
	if len(runs) != 2 || runs[0].Deduplicated || !runs[1].Deduplicated {
		t.Errorf("the same run twice: %+v", runs)
	}
}

// failedRun is the part that matters here of the log of a run, which must have failed.
func (s *service) failedRun(id string) (run struct {
	WorkflowState string
	Steps         []struct {
		Type  string
		Steps []struct {
			State  string
			Errors []struct {
				Error, Body string
				Status      int
			}
		}
	}
}) {
	s.t.Helper()
	var logs struct{ Runs []json.RawMessage }
	s.ok(&logs, "GET", "/v2/workflows/events?groupBy=workflowRunId&workflowRunId="+id, "")
	if len(logs.Runs) != 1 || json.Unmarshal(logs.Runs[0], &run) != nil || run.WorkflowState != "RUN_FAILED" {
		s.t.Fatalf("run %s has not failed: %+v", id, run)
	}
	return run
}

func TestWhatIsNoWorkflowFailsItsRunAtOnce(t *testing.T) {
	const sdkMissing = "detected a non-workflow destination for trigger/invoke. make sure you are sending the request to the correct endpoint"
	for _, c := range []struct {
		name, path, want string
		header           qstash.Header
	}{
		{"started by an SDK", "/v2/publish/", sdkMissing, nil},
		{"started without one", "/v2/trigger/", "trigger rest api is only usable with sdk versions after v1.0.0 major version", qstash.Header{"Upstash-Workflow-Sdk-Version": {"1"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t)
			s.header = c.header
			s.ok(nil, "POST", c.path+app, "in", "Upstash-Workflow-RunId: wfr_1", "Upstash-Workflow-Init: true", "Upstash-Workflow-Url: "+app, "Upstash-Feature-Set: LazyFetch,WF_DetectTrigger",
				"Upstash-Failure-Callback: https://app.example/failed", "Upstash-Failure-Callback-Workflow-Runid: wfr_1", "Upstash-Failure-Callback-Workflow-Calltype: failureCall")
			s.delivery()
			if d := s.delivery(); d.URL != "https://app.example/failed" {
				t.Fatalf("the second delivery goes to %s", d.URL)
			}
			run := s.failedRun("wfr_1")
			if len(run.Steps) != 2 || run.Steps[0].Type != "sequential" || run.Steps[0].Steps[0].State != "STEP_SUCCESS" || run.Steps[1].Type != "next" || run.Steps[1].Steps[0].State != "STEP_FAILED" {
				t.Fatalf("log %+v", run)
			}
			if errs := run.Steps[1].Steps[0].Errors; len(errs) != 1 || errs[0].Error != c.want || errs[0].Status != http.StatusOK || errs[0].Body != "answer" {
				t.Errorf("errors %+v", errs)
			}
			var dlq struct {
				Messages []struct{ ResponseBody string }
			}
			s.ok(&dlq, "GET", "/v2/dlq?source=workflow", "")
			if len(dlq.Messages) != 1 || dlq.Messages[0].ResponseBody != "answer" {
				t.Errorf("dead letters %+v", dlq.Messages)
			}
		})
	}
}

func TestOnlyTheFirstDeliverySaysWhetherThereIsAWorkflow(t *testing.T) {
	s := newService(t)
	s.header = sdkAnswer
	detect := "Upstash-Feature-Set: LazyFetch,WF_DetectTrigger"
	s.ok(nil, "POST", "/v2/publish/"+app, "in", "Upstash-Workflow-RunId: wfr_1", "Upstash-Workflow-Init: true", detect)
	s.delivery()
	s.header = nil
	s.ok(nil, "POST", "/v2/publish/"+app, `{"stepId":1}`, "Upstash-Workflow-RunId: wfr_1", detect)
	s.delivery()
	s.ok(nil, "POST", "/v2/publish/"+app, `{"stepId":2}`, "Upstash-Workflow-RunId: wfr_1", detect)
	s.delivery()
	if n := s.entries("wfr_1"); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
}
