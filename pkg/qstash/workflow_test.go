package qstash_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

const workflowURL = "https://app.example/workflow"

func workflow(runID string, init bool) *qstash.Workflow {
	return &qstash.Workflow{RunID: runID, URL: workflowURL, Init: init}
}

// submit adds a step to a run, as its workflow does.
func (w *world) submit(runID, step string, o qstash.Options) error {
	o.Workflow = workflow(runID, false)
	return w.engine.Publish(w.t.Context(), acct, []qstash.Request{{Destination: workflowURL, Body: []byte(step), Options: o}})[0].Err
}

// steps are the bodies of the steps that a request tells of.
func steps(t *testing.T, d qstash.Delivery) []string {
	t.Helper()
	var list []qstash.RunStep
	if err := json.Unmarshal(d.Body, &list); err != nil {
		t.Fatalf("%v: %s", err, d.Body)
	}
	var bodies []string
	for _, s := range list {
		bodies = append(bodies, string(s.Body))
	}
	return bodies
}

func TestWorkflowRun(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	config := qstash.Options{Workflow: workflow("wfr_1", true), Retries: retries(1), Header: qstash.Header{"Mine": {"1"}}, Labels: []string{"l"}}
	first := w.publish(workflowURL, "in", config)
	again := w.engine.Publish(ctx, acct, []qstash.Request{{Destination: workflowURL, Body: []byte("other"), Options: config}})[0]
	if again.Err != nil || !again.Messages[0].Deduplicated || again.Messages[0].MessageID != first {
		t.Errorf("the same run again: %+v", again)
	}
	w.run(0)
	d := w.sent[0]
	if got := steps(t, d); len(w.sent) != 1 || fmt.Sprint(got) != "[in]" || d.Header.Get("Upstash-Workflow-Runid") != "wfr_1" || d.Header.Get("Mine") != "1" ||
		d.Header.Get("Upstash-Workflow-Init") != "false" || d.Header.Get("Upstash-Label") != "l" {
		t.Errorf("first call %v %+v", got, d.Header)
	}
	long := `{"stepId":1,"out":"` + strings.Repeat("x", 100_000) + `"}`
	if err := w.submit("wfr_1", long, qstash.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.submit("wfr_1", `{"stepId":2,"sleepFor":60}`, qstash.Options{Delay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if err := w.submit("wfr_1", `{"stepId":3}`, qstash.Options{}); err != nil {
		t.Fatal(err)
	}
	w.run(2 * time.Minute)
	if len(w.sent) != 4 {
		t.Fatalf("%d calls, want 4", len(w.sent))
	}
	if got := steps(t, w.sent[1]); len(got) != 2 || got[1] != long {
		t.Errorf("second call: %d steps", len(got))
	}
	if got := steps(t, w.sent[3]); len(got) != 4 || got[2] != `{"stepId":3}` || got[3] != `{"stepId":2,"sleepFor":60}` || w.sent[3].Header.Get("Mine") != "1" {
		t.Errorf("a delayed step is told of when it is due, last: %v", got)
	}
	if got, err := w.engine.RunSteps(ctx, acct, "wfr_1"); err != nil || len(got) != 4 {
		t.Errorf("steps %v, %v", got, err)
	}
	if err := w.submit("wfr_1", `{"stepId":4}`, qstash.Options{Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.engine.FinishRun(ctx, acct, "wfr_1", []byte(`"done"`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.submit("wfr_1", `{"stepId":5}`, qstash.Options{}); !errors.Is(err, qstash.ErrRunEnded) {
		t.Errorf("a step of a run that has ended: %v", err)
	}
	w.run(2 * time.Hour)
	if len(w.sent) != 4 {
		t.Error("a run that has ended is called")
	}
	if _, err := w.engine.RunSteps(ctx, acct, "wfr_1"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("steps of a run that has ended: %v", err)
	}
	logs, _, err := w.engine.RunLogs(ctx, acct, qstash.RunFilter{Label: []string{"l"}}, "", 10, false)
	if err != nil || len(logs) != 1 || logs[0].State != "RUN_SUCCESS" || logs[0].Response != `"done"` || len(logs[0].Steps) < 4 {
		t.Errorf("log %+v, %v", logs, err)
	}
}

func TestStepsAddedAtOnceAreAllThereInOneOrder(t *testing.T) {
	w := newWorld(t)
	w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true)})
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := w.submit("wfr_1", fmt.Sprintf(`{"stepId":%d}`, i+1), qstash.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.run(0)
	longest := steps(t, w.sent[0])
	for _, d := range w.sent {
		if got := steps(t, d); len(got) > len(longest) {
			longest = got
		}
	}
	if len(w.sent) != 21 || len(longest) != 21 {
		t.Fatalf("%d calls, the longest with %d steps", len(w.sent), len(longest))
	}
	for _, d := range w.sent {
		for i, s := range steps(t, d) {
			if s != longest[i] {
				t.Fatalf("step %d is %s for one call and %s for another", i, s, longest[i])
			}
		}
	}
}

func TestFailedRunIsToldOfAndCanBeResumed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	fail := true
	w.answer = func(d qstash.Delivery) (qstash.Response, error) {
		if fail && d.URL == workflowURL {
			return qstash.Response{Status: 500, Body: []byte("boom")}, nil
		}
		return qstash.Response{Status: 200}, nil
	}
	failure := &qstash.Callback{URL: "https://app.example/failure", Options: qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", CallType: qstash.CallFailure}}}
	w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true), Retries: retries(0), FailureCallback: failure})
	w.run(time.Minute)
	if len(w.sent) != 2 || w.sent[1].URL != failure.URL || w.sent[1].Header.Get("Upstash-Workflow-Runid") != "wfr_1" {
		t.Fatalf("sent %v", w.urls())
	}
	var body struct {
		Status        int
		SourceBody    []byte
		WorkflowRunID string
		Body          []byte
	}
	if err := json.Unmarshal(w.sent[1].Body, &body); err != nil || body.Status != 500 || string(body.SourceBody) != "in" || string(body.Body) != "boom" || body.WorkflowRunID != "wfr_1" {
		t.Errorf("failure callback %s, %v", w.sent[1].Body, err)
	}
	if len(w.dead()) != 0 {
		t.Error("a run's dead letter is listed among those of messages")
	}
	list, _, err := w.engine.DeadLetters(ctx, acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true}, Count: 10})
	if err != nil || len(list) != 1 || list[0].WorkflowRunID != "wfr_1" || list[0].FailureCallbackInfo == nil || list[0].FailureCallbackInfo.State != "CALLBACK_SUCCESS" {
		t.Fatalf("dead letters %+v, %v", list, err)
	}
	if _, err := w.engine.RetryFailureCallback(ctx, acct, list[0].DLQID); !isKind(err, qstash.KindInvalid) {
		t.Errorf("a failure callback that has succeeded: %v", err)
	}
	fail = false
	run, err := w.engine.ResumeRun(ctx, acct, list[0].DLQID, false, nil)
	if err != nil || run.RunID == "wfr_1" || !strings.HasPrefix(run.RunID, "wfr_") {
		t.Fatalf("%+v, %v", run, err)
	}
	w.run(0)
	last := w.sent[len(w.sent)-1]
	if got := steps(t, last); fmt.Sprint(got) != "[in]" || last.Header.Get("Upstash-Workflow-Runid") != run.RunID || len(w.sent) != 3 {
		t.Errorf("resumed with %v, sent %v", got, w.urls())
	}
}

func TestCancelledRunsAreNotCalled(t *testing.T) {
	w := newWorld(t)
	for i, path := range []string{"//a", "//b", "/c"} {
		o := qstash.Options{Workflow: &qstash.Workflow{RunID: fmt.Sprint("wfr_", i), Init: true}}
		w.publish("https://app.example"+path, "", o)
	}
	for _, want := range []int{2, 0} {
		if n, err := w.engine.CancelRuns(t.Context(), acct, qstash.RunFilter{URLPrefix: []string{"https://app.example//"}}, 10); n != want || err != nil {
			t.Errorf("cancelled %d, %v, want %d", n, err, want)
		}
	}
	w.run(time.Hour)
	if got := w.urls(); len(got) != 1 || got[0] != "https://app.example/c" {
		t.Errorf("called %v", got)
	}
	if err := w.engine.CancelRun(t.Context(), acct, "wfr_none"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("cancelling an unknown run: %v", err)
	}
}

func TestEventsAreWaitedForAndNotified(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	wait := func(event string, id int) {
		t.Helper()
		err := w.engine.Wait(ctx, acct, event, qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL + "/late", Timeout: time.Minute,
			Step: json.RawMessage(fmt.Sprintf(`{"stepId":%d,"stepType":"Wait"}`, id))})
		if err != nil {
			t.Fatal(err)
		}
	}
	last := func() string {
		t.Helper()
		w.run(0)
		all := steps(t, w.sent[len(w.sent)-1])
		return all[len(all)-1]
	}
	w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true)})
	if n, err := w.engine.Notify(ctx, acct, "e", "", []byte("nobody")); err != nil || len(n) != 0 {
		t.Errorf("nobody waits: %v, %v", n, err)
	}
	wait("e", 1)
	if list, err := w.engine.Waiters(ctx, acct, "e"); err != nil || len(list) != 1 || list[0].Deadline != w.now.Add(time.Minute).Unix() {
		t.Errorf("waiters %v, %v", list, err)
	}
	for _, want := range []int{1, 0} {
		if n, err := w.engine.Notify(ctx, acct, "e", "", []byte("data")); err != nil || len(n) != want {
			t.Errorf("notified %v, %v, want %d", n, err, want)
		}
	}
	if got := last(); got != `{"out":"ZGF0YQ==","stepId":1,"stepType":"Wait"}` {
		t.Errorf("step %s", got)
	}
	w.run(2 * time.Minute)
	if len(w.sent) != 2 {
		t.Error("the time out of a wait that has ended is told of")
	}

	wait("empty", 7)
	if n, err := w.engine.Notify(ctx, acct, "empty", "", nil); err != nil || len(n) != 1 {
		t.Errorf("notified %v, %v", n, err)
	}
	if got := last(); got != `{"out":"","stepId":7,"stepType":"Wait"}` {
		t.Errorf("step %s: an event without data is told from none by its out", got)
	}
	w.sent = w.sent[:2]

	wait("e", 2)
	w.run(2 * time.Minute)
	if got := last(); got != `{"stepId":2,"stepType":"Wait","waitTimeout":true}` || w.sent[2].URL != workflowURL+"/late" {
		t.Errorf("step %s to %s", got, w.sent[2].URL)
	}
	if n, err := w.engine.Notify(ctx, acct, "e", "", nil); err != nil || len(n) != 0 {
		t.Errorf("after the time out: %v, %v", n, err)
	}

	// A notification for one run is kept until it waits.
	for _, data := range []string{"1", "2"} {
		if n, err := w.engine.Notify(ctx, acct, "hook", "wfr_1", []byte(data)); err != nil || len(n) != 0 {
			t.Errorf("too early: %v, %v", n, err)
		}
		w.run(time.Second)
	}
	wait("hook", 3)
	if got := last(); !strings.Contains(got, `"out":"MQ=="`) {
		t.Errorf("step %s", got)
	}
	wait("hook", 4)
	if got := last(); !strings.Contains(got, `"out":"Mg=="`) {
		t.Errorf("step %s", got)
	}
}

func TestEventAgainstTimeoutHasOneWinner(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true)})
		err := w.engine.Wait(t.Context(), acct, "e", qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL, Timeout: time.Second, Step: json.RawMessage(`{"stepId":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		var key string
		for _, h := range w.hints {
			if strings.HasPrefix(h.Key, "v/") {
				key = h.Key
			}
		}
		w.now = w.now.Add(time.Second)
		var both sync.WaitGroup
		both.Go(func() {
			if err := w.engine.Handle(t.Context(), key); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, err := w.engine.Notify(t.Context(), acct, "e", "", nil); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if got, err := w.engine.RunSteps(t.Context(), acct, "wfr_1"); err != nil || len(got) != 2 {
			t.Fatalf("%d steps, %v, want 2", len(got), err)
		}
	}
}

func TestInvokedRunTellsItsInvoker(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true), Header: qstash.Header{"Mine": {"1"}}})
	invoke := func(id string) {
		t.Helper()
		run := workflow(id, true)
		run.URL = "https://app.example/other"
		run.Invoker = &qstash.Invoker{RunID: "wfr_1", URL: workflowURL, Step: json.RawMessage(`{"stepId":1}`), Body: []byte("payload")}
		w.publish(run.URL, "ignored", qstash.Options{Workflow: run})
		w.run(0)
		if d := w.sent[len(w.sent)-1]; d.URL != run.URL || fmt.Sprint(steps(t, d)) != "[payload]" {
			t.Errorf("the invoked run is called with %s", d.Body)
		}
	}
	for _, c := range []struct {
		end  func() error
		want string
	}{
		{func() error { return w.engine.FinishRun(ctx, acct, "wfr_a", []byte(`{"r":1}`)) }, `{\"body\":{\"r\":1},\"isCanceled\":false,\"isFailed\":false}`},
		{func() error { return w.engine.CancelRun(ctx, acct, "wfr_b") }, `{\"isCanceled\":true,\"isFailed\":false}`},
	} {
		invoke(map[bool]string{true: "wfr_a", false: "wfr_b"}[len(w.sent) < 3])
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
		w.run(0)
		d := w.sent[len(w.sent)-1]
		all := steps(t, d)
		if d.URL != workflowURL || d.Header.Get("Mine") != "1" || !strings.Contains(all[len(all)-1], c.want) {
			t.Errorf("the invoker is called with %v, want %s", all, c.want)
		}
	}
}

func TestFailureCallbackIsSentAgainOnlyAfterItHasFailed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.answer = failing(500)
	failure := &qstash.Callback{URL: "https://app.example/failure", Options: qstash.Options{Retries: retries(0), Workflow: &qstash.Workflow{RunID: "wfr_1", CallType: qstash.CallFailure}}}
	w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true), Retries: retries(0), FailureCallback: failure})
	w.run(0)
	find := func(states ...string) []qstash.DeadMessage {
		t.Helper()
		list, _, err := w.engine.DeadLetters(ctx, acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true, FailureState: states}, Count: 10})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list := find("CALLBACK_FAIL")
	if len(list) != 1 || len(find("CALLBACK_SUCCESS", "CALLBACK_INPROGRESS")) != 0 {
		t.Fatalf("dead letters by state: %+v", list)
	}
	id := list[0].DLQID
	if err := w.engine.CancelFailureCallback(ctx, acct, id); !isKind(err, qstash.KindInvalid) {
		t.Errorf("cancelling what has failed: %v", err)
	}
	if run, err := w.engine.RetryFailureCallback(ctx, acct, id); err != nil || run.RunID != "wfr_1" || len(find("CALLBACK_INPROGRESS")) != 1 {
		t.Fatalf("%+v, %v", run, err)
	}
	if _, err := w.engine.RetryFailureCallback(ctx, acct, id); !isKind(err, qstash.KindInvalid) {
		t.Errorf("at once again: %v", err)
	}
	if err := w.engine.CancelFailureCallback(ctx, acct, id); err != nil || len(find("CALLBACK_CANCELED")) != 1 {
		t.Errorf("cancelling: %v", err)
	}
	if _, err := w.engine.RetryFailureCallback(ctx, acct, id); err != nil {
		t.Errorf("after it was cancelled: %v", err)
	}
	w.answer = func(qstash.Delivery) (qstash.Response, error) { // it is cancelled while it is being sent, twice
		if err := w.engine.CancelFailureCallback(ctx, acct, id); err != nil {
			t.Errorf("cancelling the attempt under way: %v", err)
		}
		if err := w.engine.CancelFailureCallback(ctx, acct, id); !isKind(err, qstash.KindInvalid) {
			t.Errorf("cancelling it again: %v", err)
		}
		return qstash.Response{Status: 500}, nil
	}
	w.run(0)
	if len(find("CALLBACK_CANCELED")) != 1 {
		t.Error("the callback is not cancelled")
	}
	if _, err := w.engine.RetryFailureCallback(ctx, acct, id); err != nil {
		t.Errorf("after it was cancelled: %v", err)
	}
	w.answer = nil
	w.run(0)
	if len(find("CALLBACK_SUCCESS")) != 1 || w.log("wfr_1") == "" {
		t.Error("the callback has not succeeded")
	}
	if _, err := w.engine.RetryFailureCallback(ctx, acct, "none"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("of an unknown dead letter: %v", err)
	}
}

func TestRunsAreFound(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"wfr_a", "wfr_b"} {
		o := qstash.Options{Workflow: &qstash.Workflow{RunID: id, URL: "https://app.example/" + id, Init: true}}
		w.publish(o.Workflow.URL, "in", o)
	}
	created := w.now.UnixMilli()
	w.run(0)
	if err := w.submit("wfr_b", `{"stepId":1,"stepName":"nap","stepType":"SleepFor"}`, qstash.Options{Delay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	message := w.runLog("wfr_a").Steps[0].Steps[0]["messageId"].(string)
	for _, c := range []struct {
		name   string
		filter qstash.RunFilter
		want   string
	}{
		{"several urls", qstash.RunFilter{URL: []string{"https://app.example/wfr_a", "https://app.example/wfr_b"}}, "[wfr_b wfr_a]"},
		{"prefixes", qstash.RunFilter{URLPrefix: []string{"https://app.example/wfr_b", "https://other.example"}}, "[wfr_b]"},
		{"ids with times", qstash.RunFilter{Runs: []qstash.RunRef{{"wfr_a", created}, {"wfr_b", created + 1}}}, "[wfr_a]"},
		{"ids with and without", qstash.RunFilter{RunIDs: []string{"wfr_a"}, Runs: []qstash.RunRef{{"wfr_b", 0}}}, "[wfr_a wfr_b]"},
		{"states of steps", qstash.RunFilter{State: []string{"STEP_PROGRESS"}}, "[wfr_b]"},
		{"states of both", qstash.RunFilter{State: []string{"RUN_STARTED", "STEP_SUCCESS"}}, "[wfr_b wfr_a]"},
		{"a step's message", qstash.RunFilter{MessageID: []string{message}}, "[wfr_a]"},
	} {
		list, _, err := w.engine.RunLogs(t.Context(), acct, c.filter, "", 10, true)
		var ids []string
		for _, r := range list {
			ids = append(ids, r.RunID)
		}
		if err != nil || fmt.Sprint(ids) != c.want {
			t.Errorf("%s: %v, %v, want %s", c.name, ids, err, c.want)
		}
	}
}

func TestNotificationsForARunAreTakenInTheirOrder(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.publish(workflowURL, "in", qstash.Options{Workflow: workflow("wfr_1", true)})
	for i := range 20 { // at one moment
		if _, err := w.engine.Notify(ctx, acct, "e", "wfr_1", []byte{byte('a' + i)}); err != nil {
			t.Fatal(err)
		}
	}
	w.run(30 * 24 * time.Hour)
	for i := range 20 {
		err := w.engine.Wait(ctx, acct, "e", qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL, Timeout: time.Minute, Step: json.RawMessage(fmt.Sprintf(`{"stepId":%d}`, i+1))})
		if err != nil {
			t.Fatal(err)
		}
		list, err := w.engine.RunSteps(ctx, acct, "wfr_1")
		if err != nil || len(list) != i+2 {
			t.Fatalf("%d entries, %v, want %d", len(list), err, i+2)
		}
		var step struct{ Out []byte }
		if err := json.Unmarshal(list[i+1].Body, &step); err != nil || string(step.Out) != string(rune('a'+i)) {
			t.Errorf("wait %d got %q, %v", i+1, step.Out, err)
		}
	}
}
