package qstash_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// log is the log of a run in short: its groups, and of each step the name, the state and how many errors there are.
func (w *world) log(id string) string {
	w.t.Helper()
	run := w.runLog(id)
	var groups []string
	for _, g := range run.Steps {
		var steps []string
		for _, s := range g.Steps {
			text := strings.TrimPrefix(fmt.Sprint(s["state"]), "STEP_")
			if s["stepName"] != nil {
				text = fmt.Sprint(s["stepName"], " ", text)
			}
			if errs, ok := s["errors"].([]map[string]any); ok && len(errs) > 0 {
				text += fmt.Sprint(" ", len(errs), "!")
			}
			steps = append(steps, text)
		}
		groups = append(groups, g.Type+"["+strings.Join(steps, ", ")+"]")
	}
	return strings.TrimPrefix(run.State, "RUN_") + ": " + strings.Join(groups, " ")
}

func (w *world) runLog(id string) qstash.RunLog {
	w.t.Helper()
	logs, _, err := w.engine.RunLogs(w.t.Context(), acct, qstash.RunFilter{RunIDs: []string{id}}, "", 1, false)
	if err != nil || len(logs) != 1 {
		w.t.Fatalf("log of %s: %v, %v", id, logs, err)
	}
	return logs[0]
}

func (w *world) wantLog(id, want string) {
	w.t.Helper()
	if got := w.log(id); got != want {
		w.t.Errorf("log of %s:\n%s, want\n%s", id, got, want)
	}
}

// field is a value of the element of a step, in JSON.
func (w *world) field(run, step, name string) string {
	w.t.Helper()
	for _, g := range w.runLog(run).Steps {
		for _, s := range g.Steps {
			if s["stepName"] == step {
				text, err := json.Marshal(s[name])
				if err != nil {
					w.t.Fatal(err)
				}
				return string(text)
			}
		}
	}
	w.t.Fatalf("run %s has no step %s", run, step)
	return ""
}

// start starts a run as its SDK does.
func (w *world) start(id string, o qstash.Options) {
	w.t.Helper()
	o.Workflow = workflow(id, true)
	w.publish(workflowURL, "in", o)
}

// call makes a request to a third party for a step of a run.
func (w *world) call(run string, step int, name string, o qstash.Options) error {
	o.Workflow = &qstash.Workflow{RunID: run, URL: workflowURL, CallType: qstash.CallTo}
	o.Callback = &qstash.Callback{URL: workflowURL, Options: qstash.Options{
		Workflow: &qstash.Workflow{RunID: run, URL: workflowURL, CallType: qstash.CallFrom, LazyFetch: true},
		Header: qstash.Header{"Upstash-Workflow-Callback": {"true"}, "Upstash-Workflow-Stepid": {fmt.Sprint(step)}, "Upstash-Workflow-Stepname": {name},
			"Upstash-Workflow-Steptype": {"Call"}, "Upstash-Workflow-Concurrent": {"1"}}}}
	return w.engine.Publish(w.t.Context(), acct, []qstash.Request{{Destination: thirdURL, Body: []byte("ask"), Options: o}})[0].Err
}

const thirdURL = "https://third.example/x"

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestRunLogHasOneElementForEachStepFromWhenItIsPending(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.start("wfr_1", qstash.Options{Retries: retries(1), RetryDelay: "60000"})
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] next[PROGRESS]")
	w.answer = failing(500)
	w.run(0)
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] next[RETRY 1!]")
	w.answer = nil
	w.run(time.Minute)
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS]")

	w.must(w.submit("wfr_1", `{"stepId":1,"stepName":"one","stepType":"Run","out":"1","concurrent":1}`, qstash.Options{}))
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] sequential[one SUCCESS] next[PROGRESS]")
	w.run(0)
	w.must(w.submit("wfr_1", `{"stepId":2,"stepName":"nap","stepType":"SleepFor","sleepFor":60,"concurrent":1}`, qstash.Options{Delay: time.Minute}))
	w.run(0)
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] sequential[one SUCCESS] sequential[nap PROGRESS]")
	if got := w.field("wfr_1", "nap", "sleepFor"); got != "60" {
		t.Errorf("sleepFor %s", got)
	}
	w.run(time.Minute)
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] sequential[one SUCCESS] sequential[nap SUCCESS]")

	w.answer = failing(503)
	w.must(w.call("wfr_1", 3, "call", qstash.Options{Method: "PUT", Retries: retries(1), RetryDelay: "60000"}))
	w.run(0)
	const before = "STARTED: sequential[init SUCCESS] sequential[one SUCCESS] sequential[nap SUCCESS]"
	w.wantLog("wfr_1", before+" sequential[call RETRY 1!]")
	for name, want := range map[string]string{"callUrl": `"` + thirdURL + `"`, "callMethod": `"PUT"`, "callBody": `"ask"`, "callType": `"toCallback"`, "stepType": `"Call"`, "stepId": "3"} {
		if got := w.field("wfr_1", "call", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	w.answer = nil
	w.run(time.Minute)
	if got := w.field("wfr_1", "call", "callType"); got != `"fromCallback"` {
		t.Errorf("call type %s", got)
	}
	w.must(w.submit("wfr_1", `{"stepId":3,"stepName":"call","stepType":"Call","out":"{\"status\":200,\"body\":\"yes\",\"header\":{\"A\":[\"b\"]}}","concurrent":1}`, qstash.Options{}))
	w.run(0)
	w.wantLog("wfr_1", before+" sequential[call SUCCESS]")
	for name, want := range map[string]string{"callUrl": `"` + thirdURL + `"`, "callType": `"step"`, "callResponseStatus": "200", "callResponseBody": `"yes"`, "callResponseHeaders": `{"A":["b"]}`} {
		if got := w.field("wfr_1", "call", name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}

	wait := qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL, Timeout: time.Minute, Step: json.RawMessage(`{"stepId":4,"stepName":"wait","stepType":"Wait","concurrent":1}`)}
	for range 2 { // its delivery is repeated
		w.must(w.engine.Wait(ctx, acct, "e", wait))
	}
	if list, err := w.engine.Waiters(ctx, acct, "e"); err != nil || len(list) != 1 {
		t.Errorf("waiters %v, %v, want one", list, err)
	}
	w.wantLog("wfr_1", before+" sequential[call SUCCESS] sequential[wait PROGRESS]")
	if got := w.field("wfr_1", "wait", "waitTimeoutDuration") + w.field("wfr_1", "wait", "waitEventId"); got != `"60s""e"` {
		t.Errorf("wait %s", got)
	}
	if _, err := w.engine.Notify(ctx, acct, "e", "", nil); err != nil {
		t.Fatal(err)
	}
	w.run(0)
	w.wantLog("wfr_1", before+" sequential[call SUCCESS] sequential[wait SUCCESS]")

	child := workflow("wfr_2", true)
	child.URL = "https://app.example/child"
	child.Invoker = &qstash.Invoker{RunID: "wfr_1", URL: workflowURL, Step: json.RawMessage(`{"stepId":5,"stepName":"invoke","stepType":"Invoke","concurrent":1}`), Body: []byte("payload")}
	w.publish(child.URL, "", qstash.Options{Workflow: child, Header: qstash.Header{"Mine": {"1"}}})
	w.run(0)
	w.wantLog("wfr_1", before+" sequential[call SUCCESS] sequential[wait SUCCESS] sequential[invoke PROGRESS]")
	if got := w.field("wfr_1", "invoke", "invokedWorkflowRunId") + w.field("wfr_1", "invoke", "invokedWorkflowRunBody") + w.field("wfr_1", "invoke", "invokedWorkflowRunHeaders"); got != `"wfr_2""payload"{"Mine":["1"]}` {
		t.Errorf("invoke %s", got)
	}
	w.must(w.engine.CancelRun(ctx, acct, "wfr_2"))
	w.run(0)
	w.wantLog("wfr_1", before+" sequential[call SUCCESS] sequential[wait SUCCESS] sequential[invoke SUCCESS]")
}

// plan submits the plans of parallel steps, named by their targets.
func (w *world) plan(run string, o qstash.Options, first int, names ...string) {
	w.t.Helper()
	o.Workflow = workflow(run, false)
	var reqs []qstash.Request
	for i, name := range names {
		body := fmt.Sprintf(`{"stepId":0,"stepName":%q,"stepType":"Run","concurrent":%d,"targetStep":%d}`, name, len(names), first+i)
		reqs = append(reqs, qstash.Request{Destination: workflowURL, Body: []byte(body), Options: o})
	}
	for _, out := range w.engine.Publish(w.t.Context(), acct, reqs) {
		w.must(out.Err)
	}
}

// failsAt answers 489 to the delivery whose last step has a text, and 200 to all others.
func failsAt(text string) func(qstash.Delivery) (qstash.Response, error) {
	return func(d qstash.Delivery) (qstash.Response, error) {
		var list []qstash.RunStep
		if d.URL == workflowURL && json.Unmarshal(d.Body, &list) == nil && strings.Contains(string(list[len(list)-1].Body), text) {
			return qstash.Response{Status: 489, Header: qstash.Header{"Upstash-Nonretryable-Error": {"True"}}, Body: []byte("no")}, nil
		}
		return qstash.Response{Status: 200}, nil
	}
}

func TestBranchThatFailsIsShownWhereItIs(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	w.plan("wfr_1", qstash.Options{}, 1, "a", "b")
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] parallel[a PROGRESS, b PROGRESS]")
	w.answer = failsAt(`"b"`)
	w.must(w.submit("wfr_1", `{"stepId":1,"stepName":"a","stepType":"Run","out":"1","concurrent":2}`, qstash.Options{}))
	w.run(0)
	w.wantLog("wfr_1", "FAILED: sequential[init SUCCESS] parallel[a SUCCESS, b FAILED 1!]")
	errs := w.field("wfr_1", "b", "errors")
	if !strings.Contains(errs, `"status":489`) || !strings.Contains(errs, `"body":"no"`) {
		t.Errorf("errors %s", errs)
	}
}

func TestSequentialFailureIsShownAsNext(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	w.answer = failsAt(`"one"`)
	w.must(w.submit("wfr_1", `{"stepId":1,"stepName":"one","stepType":"Run","out":"1","concurrent":1}`, qstash.Options{}))
	w.run(0)
	w.wantLog("wfr_1", "FAILED: sequential[init SUCCESS] sequential[one SUCCESS] next[FAILED 1!]")
}

func TestCancelledRunShowsWhatWasPending(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	w.must(w.submit("wfr_1", `{"stepId":1,"stepName":"nap","stepType":"SleepFor","sleepFor":60,"concurrent":1}`, qstash.Options{Delay: time.Minute}))
	w.must(w.engine.CancelRun(t.Context(), acct, "wfr_1"))
	w.run(time.Hour)
	w.wantLog("wfr_1", "CANCELED: sequential[init SUCCESS] sequential[nap CANCELED]")
}

func TestChildThatEndsAfterItsInvokerIsShownThere(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	w.plan("wfr_1", qstash.Options{}, 1, "invoke", "bad")
	child := workflow("wfr_2", true)
	child.URL = "https://app.example/child"
	child.Invoker = &qstash.Invoker{RunID: "wfr_1", URL: workflowURL, Step: json.RawMessage(`{"stepId":1,"stepName":"invoke","stepType":"Invoke","concurrent":2}`)}
	w.publish(child.URL, "", qstash.Options{Workflow: child})
	w.answer = failsAt(`"bad"`)
	w.run(0)
	w.wantLog("wfr_1", "FAILED: sequential[init SUCCESS] parallel[invoke PROGRESS, bad FAILED 1!]")
	sent := len(w.sent)
	w.must(w.engine.FinishRun(t.Context(), acct, "wfr_2", []byte(`1`)))
	w.run(0)
	w.wantLog("wfr_1", "FAILED: sequential[init SUCCESS] parallel[invoke SUCCESS, bad FAILED 1!]")
	if len(w.sent) != sent {
		t.Errorf("a run that has failed is told of its child: %v", w.urls()[sent:])
	}
}

func TestFailedChildThatIsResumedDoesNotReportAgain(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	child := workflow("wfr_2", true)
	child.URL = "https://app.example/child"
	child.Invoker = &qstash.Invoker{RunID: "wfr_1", URL: workflowURL, Step: json.RawMessage(`{"stepId":1,"stepName":"invoke","stepType":"Invoke","concurrent":1}`)}
	w.answer = func(d qstash.Delivery) (qstash.Response, error) {
		if d.URL == child.URL {
			return failing(500)(d)
		}
		return qstash.Response{Status: 200}, nil
	}
	w.publish(child.URL, "", qstash.Options{Workflow: child, Retries: retries(0)})
	w.run(0)
	steps, err := w.engine.RunSteps(t.Context(), acct, "wfr_1")
	if err != nil || len(steps) != 2 || !strings.Contains(string(steps[1].Body), `"out":"{\"isCanceled\":false,\"isFailed\":true}"`) {
		t.Fatalf("steps %s, %v", steps, err)
	}
	w.answer = nil
	list, _, err := w.engine.DeadLetters(t.Context(), acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true}, Count: 10})
	if err != nil || len(list) != 1 {
		t.Fatalf("dead letters %v, %v", list, err)
	}
	run, err := w.engine.ResumeRun(t.Context(), acct, list[0].DLQID, true, nil)
	w.must(err)
	w.run(0)
	w.must(w.engine.FinishRun(t.Context(), acct, run.RunID, nil))
	if steps, err := w.engine.RunSteps(t.Context(), acct, "wfr_1"); err != nil || len(steps) != 2 {
		t.Errorf("%d steps, %v, want 2", len(steps), err)
	}
}

func TestCallIsToldOfOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		status []int // of the attempts
		told   string
	}{
		{"success", []int{200}, `"status":200`},
		{"success at the second attempt", []int{500, 201}, `"status":201`},
		{"exhaustion", []int{500, 501, 502}, `"status":502`},
		{"an error that is not retried", []int{489}, `"status":489`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.start("wfr_1", qstash.Options{})
			w.run(0)
			n := 0
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				if d.URL != thirdURL {
					return qstash.Response{Status: 200}, nil
				}
				n++
				return qstash.Response{Status: c.status[n-1], Header: qstash.Header{"Upstash-Nonretryable-Error": {"true"}}}, nil
			}
			w.must(w.call("wfr_1", 1, "call", qstash.Options{Retries: retries(2), RetryDelay: "1000"}))
			w.run(time.Hour)
			var told []string
			for _, d := range w.sent[1:] {
				if d.URL == workflowURL {
					told = append(told, string(d.Body))
				}
			}
			if n != len(c.status) || len(told) != 1 || !strings.Contains(told[0], c.told) || !strings.Contains(told[0], `"maxRetries":2`) {
				t.Errorf("%d attempts, told %v", n, told)
			}
		})
	}
}

func TestFailureFunctionIsPartOfTheLogAndOfTheDeadLetter(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer qstash.Response
		state  string // "": no failure function
	}{
		{"success", qstash.Response{Status: 200, Body: []byte("told")}, "CALLBACK_SUCCESS"},
		{"failure", qstash.Response{Status: 500, Body: []byte("broken")}, "CALLBACK_FAIL"},
		{"none", qstash.Response{Status: 200, Header: qstash.Header{"Upstash-Workflow-Failure-Callback-Notfound": {"true"}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				if d.URL == workflowURL {
					return qstash.Response{Status: 502, Header: qstash.Header{"A": {"b"}}, Body: []byte("boom")}, nil
				}
				return c.answer, nil
			}
			failure := &qstash.Callback{URL: "https://app.example/failure", Options: qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", CallType: qstash.CallFailure}}}
			w.start("wfr_1", qstash.Options{Retries: retries(0), FailureCallback: failure})
			w.run(time.Hour)
			run := w.runLog("wfr_1")
			list, _, err := w.engine.DeadLetters(t.Context(), acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true}, Count: 10})
			if err != nil || len(list) != 1 || list[0].Body != "in" || list[0].ResponseBody != "boom" || list[0].ResponseStatus != 502 || list[0].DLQID != run.DLQID {
				t.Fatalf("dead letters %+v, %v", list, err)
			}
			f := run.Failure
			if c.state == "" {
				if f != nil {
					t.Errorf("failure function %+v", f)
				}
				return
			}
			if f == nil || f.State != c.state || f.URL != failure.URL || f.FailStatus != 502 || f.FailResponse != "boom" || f.FailHeaders.Get("A") != "b" || f.DLQID != run.DLQID ||
				f.ResponseStatus != c.answer.Status || f.ResponseBody != string(c.answer.Body) || list[0].FailureFunctionState != c.state {
				t.Errorf("failure function %+v, dead letter %+v", f, list[0])
			}
		})
	}
}

func TestAnswerOfACallArrivesWholeOrNotAtAll(t *testing.T) {
	long := strings.Repeat("x", 11<<20)
	for _, c := range []struct {
		name   string
		answer qstash.Response
		status int
		body   string
		limit  int // of what the workflow's platform takes; 0: none
	}{
		{"3 MB", qstash.Response{Status: 200, Body: []byte(long[:3<<20])}, 200, long[:3<<20], 0},
		{"as long as a message", qstash.Response{Status: 200, Body: []byte(long[:10<<20])}, 200, long[:10<<20], 0},
		{"more than the platform takes", qstash.Response{Status: 200, Body: []byte(long[:5<<20])}, 200, long[:5<<20], 4 << 20},
		{"longer than a message", qstash.Response{Status: 200, Body: []byte(long)}, 0, "response body exceeds 10485760 bytes", 0},
		{"more than was read", qstash.Response{Status: 200, Body: []byte("half"), Cut: true}, 0, "response body exceeds 4 bytes", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.start("wfr_1", qstash.Options{Retries: retries(0)})
			w.run(0)
			var told []byte
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				switch {
				case d.URL == thirdURL:
					return c.answer, nil
				case c.limit > 0 && len(d.Body) > c.limit:
					return qstash.Response{Status: 413}, nil
				}
				if told = d.Body; len(d.Body) == 0 {
					list, err := w.engine.RunSteps(t.Context(), acct, "wfr_1")
					w.must(err)
					last := list[len(list)-1]
					if told = last.Body; last.MessageID != d.Header.Get("Upstash-Message-Id") || last.CallType != qstash.CallFrom {
						t.Errorf("fetched %s, %s, of message %s", last.MessageID, last.CallType, d.Header.Get("Upstash-Message-Id"))
					}
				}
				return qstash.Response{Status: 200}, nil
			}
			w.must(w.call("wfr_1", 1, "call", qstash.Options{Retries: retries(0)}))
			w.run(0)
			var callback struct {
				Status int
				Body   []byte
			}
			if err := json.Unmarshal(told, &callback); err != nil || callback.Status != c.status || string(callback.Body) != c.body {
				t.Errorf("told of status %d and %d bytes, %v", callback.Status, len(callback.Body), err)
			}
			if list, err := w.engine.RunSteps(t.Context(), acct, "wfr_1"); err != nil || len(list) != 1 {
				t.Errorf("%d entries afterwards, %v", len(list), err)
			}
		})
	}
}

func TestPlainCallbackSaysThatAnAnswerIsCut(t *testing.T) {
	w := newWorld(t)
	w.answer = func(qstash.Delivery) (qstash.Response, error) {
		return qstash.Response{Status: 200, Body: []byte("half"), Cut: true}, nil
	}
	id := w.publish("https://example.com", "", qstash.Options{Callback: &qstash.Callback{URL: "https://example.com/cb"}})
	w.run(0)
	var callback struct {
		Status        int
		BodyTruncated bool
		SourceBody    *string
	}
	if err := json.Unmarshal(w.sent[1].Body, &callback); err != nil || callback.Status != 200 || !callback.BodyTruncated || callback.SourceBody == nil {
		t.Errorf("callback %s, %v", w.sent[1].Body, err)
	}
	if got := w.states(id); got != "CREATED ACTIVE DELIVERED" {
		t.Errorf("events %s", got)
	}
}

// An SDK whose first answer does not name it announces that it can fetch entries, and cannot.
func TestEntriesAreSentWholeToSDKsThatCannotFetch(t *testing.T) {
	for _, named := range []bool{true, false} {
		w := newWorld(t)
		w.answer = func(qstash.Delivery) (qstash.Response, error) {
			h := qstash.Header{"Upstash-Workflow-Sdk-Version": {"1"}}
			if named {
				h["Upstash-Workflow-Sdk"] = []string{"v1.0.0"}
			}
			return qstash.Response{Status: 200, Header: h}, nil
		}
		run := workflow("wfr_1", true)
		run.LazyFetch, run.Detect = true, qstash.DetectVersion
		w.publish(workflowURL, "in", qstash.Options{Workflow: run})
		w.run(0)
		step := workflow("wfr_1", false)
		step.LazyFetch = true
		w.publish(workflowURL, `{"stepId":1,"out":"`+strings.Repeat("x", 5<<20)+`"}`, qstash.Options{Workflow: step})
		w.run(0)
		if got := len(w.sent[1].Body); (got == 0) != named {
			t.Errorf("named %v: the body has %d bytes", named, got)
		}
	}
}

func TestResultOfARunIsKeptWhole(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	result := `"` + strings.Repeat("x", 1<<20) + `"`
	w.must(w.engine.FinishRun(t.Context(), acct, "wfr_1", []byte(result)))
	if got := w.runLog("wfr_1").Response; got != result {
		t.Errorf("a result of %d bytes is kept as %d others", len(result), len(got))
	}
}
