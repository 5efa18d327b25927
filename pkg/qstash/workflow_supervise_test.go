package qstash_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// minutes moves the clock ahead as a process does that sweeps every minute.
func (w *world) minutes(n int) {
	w.t.Helper()
	for range n {
		w.run(time.Minute)
		w.sweep()
	}
}

// started starts a run whose failure callback goes to /failure.
func (w *world) started(id string, o qstash.Options) {
	w.t.Helper()
	if o.Workflow == nil {
		o.Workflow = workflow(id, true)
	}
	o.FailureCallback = &qstash.Callback{URL: "https://app.example/failure", Options: qstash.Options{Workflow: &qstash.Workflow{RunID: id, CallType: qstash.CallFailure}}}
	w.publish(workflowURL, "in", o)
	w.run(0)
}

// runState is the state of a run, and the errors of its last step.
func (w *world) runState(id string) (state, errors string) {
	w.t.Helper()
	logs, _, err := w.engine.RunLogs(w.t.Context(), acct, qstash.RunFilter{RunIDs: []string{id}}, "", 1, false)
	if err != nil || len(logs) != 1 {
		w.t.Fatal(logs, err)
	}
	text, err := json.Marshal(logs[0].Steps)
	if err != nil {
		w.t.Fatal(err)
	}
	return logs[0].State, string(text)
}

// toldOf counts the requests to a URL.
func (w *world) toldOf(url string) (n int) {
	for _, u := range w.urls() {
		if u == url {
			n++
		}
	}
	return n
}

func (w *world) runDead() []qstash.DeadMessage {
	w.t.Helper()
	list, _, err := w.engine.DeadLetters(w.t.Context(), acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true}, Count: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

const silent = "the endpoint answered 2xx without submitting a step"

func TestRunThatNothingCarriesFailsWithinTwoMinutes(t *testing.T) {
	w := newWorld(t)
	w.started("wfr_1", qstash.Options{})
	w.minutes(1)
	if state, _ := w.runState("wfr_1"); state != "RUN_STARTED" {
		t.Errorf("a minute after its start the run is %s", state)
	}
	w.minutes(1)
	w.run(0)
	state, steps := w.runState("wfr_1")
	dead := w.runDead()
	if state != "RUN_FAILED" || !strings.Contains(steps, silent) || w.toldOf("https://app.example/failure") != 1 {
		t.Fatalf("the run is %s, sent %v, log %s", state, w.urls(), steps)
	}
	if len(dead) != 1 || dead[0].WorkflowRunID != "wfr_1" || dead[0].ResponseBody != silent || dead[0].ResponseStatus != 200 ||
		dead[0].FailureCallbackInfo == nil || dead[0].FailureCallbackInfo.State != "CALLBACK_SUCCESS" {
		t.Errorf("dead letters %+v", dead)
	}
	var told struct {
		Status     int
		Body       []byte
		SourceBody []byte
	}
	if err := json.Unmarshal(w.sent[len(w.sent)-1].Body, &told); err != nil || told.Status != 200 || string(told.Body) != silent || string(told.SourceBody) != "in" {
		t.Errorf("the failure callback tells %s, %v", w.sent[len(w.sent)-1].Body, err)
	}
	run, err := w.engine.ResumeRun(t.Context(), acct, dead[0].DLQID, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.run(0)
	if d := w.sent[len(w.sent)-1]; d.Header.Get("Upstash-Workflow-Runid") != run.RunID || len(steps) == 0 {
		t.Errorf("resumed with %v", d)
	}
}

func TestRunsThatWaitAreLeftAlone(t *testing.T) {
	const event = "e"
	for _, c := range []struct {
		name string
		wait func(w *world) error
		end  func(w *world) error // nil: time ends it
	}{
		{"for a step that sleeps", func(w *world) error {
			return w.submit("wfr_1", `{"stepId":1,"sleepFor":7200}`, qstash.Options{Delay: 2 * time.Hour})
		}, nil},
		{"for a third party that fails for an hour", func(w *world) error {
			o := qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", CallType: qstash.CallTo}, Retries: retries(2), RetryDelay: "3600000",
				Callback: &qstash.Callback{URL: workflowURL, Options: qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", CallType: qstash.CallFrom}}}}
			return w.engine.Publish(w.t.Context(), acct, []qstash.Request{{Destination: "https://third.example", Options: o}})[0].Err
		}, nil},
		{"for an event", func(w *world) error {
			return w.engine.Wait(w.t.Context(), acct, event, qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL, Timeout: 2 * time.Hour, Step: json.RawMessage(`{"stepId":1}`)})
		}, nil},
		{"for an event that comes", func(w *world) error {
			return w.engine.Wait(w.t.Context(), acct, event, qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL, Timeout: 30 * 24 * time.Hour, Step: json.RawMessage(`{"stepId":1}`)})
		}, func(w *world) error {
			_, err := w.engine.Notify(w.t.Context(), acct, event, "", nil)
			return err
		}},
		{"for a run that it has invoked", func(w *world) error {
			child := workflow("wfr_2", true)
			child.Invoker = &qstash.Invoker{RunID: "wfr_1", URL: workflowURL, Step: json.RawMessage(`{"stepId":1}`)}
			if err := w.engine.Publish(w.t.Context(), acct, []qstash.Request{{Destination: workflowURL, Options: qstash.Options{Workflow: child}}})[0].Err; err != nil {
				return err
			}
			return w.submit("wfr_2", `{"stepId":1,"sleepFor":7200}`, qstash.Options{Delay: 2 * time.Hour})
		}, func(w *world) error { return w.engine.FinishRun(w.t.Context(), acct, "wfr_2", nil) }},
		{"behind a paused flow control key", func(w *world) error {
			o := qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 1}}
			if err := w.submit("wfr_1", `{"stepId":1}`, o); err != nil {
				return err
			}
			return w.engine.PauseFlow(w.t.Context(), acct, "k", true)
		}, func(w *world) error { return w.engine.PauseFlow(w.t.Context(), acct, "k", false) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				if strings.HasPrefix(d.URL, "https://third") {
					return qstash.Response{Status: 500}, nil
				}
				return qstash.Response{Status: 200}, nil
			}
			w.started("wfr_1", qstash.Options{})
			if err := c.wait(w); err != nil {
				t.Fatal(err)
			}
			w.minutes(60)
			if state, _ := w.runState("wfr_1"); state != "RUN_STARTED" {
				t.Fatalf("the run is %s while it waits", state)
			}
			if c.end != nil {
				if err := c.end(w); err != nil {
					t.Fatal(err)
				}
				w.minutes(3)
			} else {
				w.minutes(64)
			}
			// What it has waited for is over, and nothing has followed.
			if state, steps := w.runState("wfr_1"); state != "RUN_FAILED" || !strings.Contains(steps, silent) || w.toldOf("https://app.example/failure") != 1 {
				t.Errorf("the run is %s, sent %v, log %s", state, w.urls(), steps)
			}
		})
	}
}

func TestRunGoesOnWhileAnyBranchDoes(t *testing.T) {
	w := newWorld(t)
	w.started("wfr_1", qstash.Options{})
	for _, delay := range []time.Duration{0, time.Hour, 0} {
		if err := w.submit("wfr_1", `{"stepId":0,"targetStep":1,"concurrent":3}`, qstash.Options{Delay: delay}); err != nil {
			t.Fatal(err)
		}
	}
	w.minutes(59)
	if state, _ := w.runState("wfr_1"); state != "RUN_STARTED" {
		t.Fatalf("a run with a branch that sleeps is %s", state)
	}
	w.minutes(1)
	if err := w.submit("wfr_1", `{"stepId":1}`, qstash.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.FinishRun(t.Context(), acct, "wfr_1", nil); err != nil {
		t.Fatal(err)
	}
	w.minutes(5)
	if state, _ := w.runState("wfr_1"); state != "RUN_SUCCESS" || len(w.runDead()) != 0 {
		t.Errorf("a run that has ended well is %s", state)
	}
}

func TestCancellingAMessageCancelsItsRun(t *testing.T) {
	for name, cancel := range map[string]func(w *world, id string) error{
		"by id": func(w *world, id string) error { return w.engine.Cancel(w.t.Context(), acct, id) },
		"by url": func(w *world, _ string) error {
			n, err := w.engine.CancelMany(w.t.Context(), acct, qstash.Filter{URL: []string{workflowURL}}, 10)
			if n != 1 {
				w.t.Errorf("cancelled %d, want 1", n)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.publish(workflowURL, "parent", qstash.Options{Workflow: workflow("wfr_parent", true)})
			child := workflow("wfr_1", true)
			child.Invoker = &qstash.Invoker{RunID: "wfr_parent", URL: workflowURL + "/parent", Step: json.RawMessage(`{"stepId":1}`)}
			w.started("wfr_1", qstash.Options{Workflow: child})
			o := qstash.Options{Delay: 24 * time.Hour, Workflow: workflow("wfr_1", false)}
			id := w.publish(workflowURL, `{"stepId":1}`, o)
			if err := cancel(w, id); err != nil {
				t.Fatal(err)
			}
			w.minutes(3)
			if state, _ := w.runState("wfr_1"); state != "RUN_CANCELED" || w.toldOf("https://app.example/failure") != 0 {
				t.Errorf("the run is %s, sent %v", state, w.urls())
			}
			told := steps(t, w.sent[len(w.sent)-1])
			if w.sent[len(w.sent)-1].URL != workflowURL+"/parent" || !strings.Contains(told[len(told)-1], "isCanceled") {
				t.Errorf("the invoker is told %v", told)
			}
		})
	}
}

func TestCancelledRunFreesWhatItHolds(t *testing.T) {
	w := newWorld(t)
	w.started("wfr_1", qstash.Options{})
	if err := w.engine.PauseFlow(t.Context(), acct, "k", true); err == nil {
		t.Fatal("there is no key yet")
	}
	o := qstash.Options{Delay: time.Hour, Workflow: workflow("wfr_1", false)}
	asleep := w.publish(workflowURL, `{"stepId":1}`, o)
	if err := w.engine.Wait(t.Context(), acct, "e", qstash.WaitRequest{RunID: "wfr_1", URL: workflowURL, TimeoutURL: workflowURL, Timeout: time.Hour, Step: json.RawMessage(`{"stepId":2}`)}); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.CancelRun(t.Context(), acct, "wfr_1"); err != nil {
		t.Fatal(err)
	}
	waiters, err := w.engine.Waiters(t.Context(), acct, "e")
	if err != nil || len(waiters) != 0 {
		t.Errorf("waiters %v, %v", waiters, err)
	}
	if got := w.states(asleep); got != "CREATED CANCEL_REQUESTED CANCELED" {
		t.Errorf("the sleeping step is %s", got)
	}
}
