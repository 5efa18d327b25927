package qstash_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// resume resumes the only failed run, and returns the id of the run that goes on for it.
func (w *world) resume() string {
	w.t.Helper()
	list, _, err := w.engine.DeadLetters(w.t.Context(), acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true}, Count: 10})
	if err != nil || len(list) != 1 {
		w.t.Fatalf("dead letters %v, %v", list, err)
	}
	run, err := w.engine.ResumeRun(w.t.Context(), acct, list[0].DLQID, false, nil)
	w.must(err)
	if _, err := w.engine.ResumeRun(w.t.Context(), acct, list[0].DLQID, false, nil); !isKind(err, qstash.KindNotFound) {
		w.t.Errorf("resumed again: %v", err)
	}
	return run.RunID
}

// delivered are the names of the steps of the deliveries from the n-th on, in order.
func (w *world) delivered(n int) (list []string) {
	w.t.Helper()
	for _, d := range w.sent[n:] {
		var names []string
		for _, body := range steps(w.t, d) {
			var step struct {
				Name   string `json:"stepName"`
				Target int    `json:"targetStep"`
			}
			if json.Unmarshal([]byte(body), &step) != nil {
				step.Name = body
			}
			if step.Target > 0 {
				step.Name += "?"
			}
			names = append(names, step.Name)
		}
		list = append(list, strings.Join(names, " "))
	}
	return list
}

func TestResumedRunKeepsWhatItsBranchesHaveCome(t *testing.T) {
	for _, c := range []struct {
		name string
		a    string // "done": has its result, "": is under way, "late": is a run that ends after the failure
		want string
	}{
		{"the other branch is done", "done", "[in a? a b?]"},
		{"the other branch is under way", "", "[in a? in a? b?]"},
		{"the other branch ends late", "late", "[in a? a b?]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.start("wfr_1", qstash.Options{})
			w.run(0)
			w.plan("wfr_1", qstash.Options{}, 1, "a", "b")
			const a = `{"stepId":1,"stepName":"a","stepType":"Run","concurrent":2}`
			switch c.a {
			case "done":
				w.must(w.submit("wfr_1", a, qstash.Options{}))
			case "late":
				child := workflow("wfr_2", true)
				child.URL = "https://app.example/child"
				child.Invoker = &qstash.Invoker{RunID: "wfr_1", URL: workflowURL, Step: json.RawMessage(a)}
				w.publish(child.URL, "", qstash.Options{Workflow: child})
			}
			w.answer = failsAt(`"b"`)
			w.run(0)
			if c.a == "late" {
				w.must(w.engine.FinishRun(t.Context(), acct, "wfr_2", []byte("1")))
			}
			w.answer = nil
			sent := len(w.sent)
			id := w.resume()
			w.run(0)
			if got := fmt.Sprint(w.delivered(sent)); got != c.want {
				t.Errorf("delivered %s, want %s", got, c.want)
			}
			if state := w.runLog(id).State; state != "RUN_STARTED" {
				t.Errorf("the run is %s", state)
			}
		})
	}
}

func TestResumedRunSleepsInItsBranchAsBefore(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	plan := `{"stepId":0,"stepName":%q,"stepType":%q,"concurrent":2,"targetStep":%d}`
	o := qstash.Options{Workflow: workflow("wfr_1", false)}
	later := o
	later.Delay = time.Hour
	for _, out := range w.engine.Publish(t.Context(), acct, []qstash.Request{
		{Destination: workflowURL, Body: fmt.Appendf(nil, plan, "nap", "SleepFor", 1), Options: later},
		{Destination: workflowURL, Body: fmt.Appendf(nil, plan, "b", "Run", 2), Options: o},
	}) {
		w.must(out.Err)
	}
	w.wantLog("wfr_1", "STARTED: sequential[init SUCCESS] parallel[nap PROGRESS, b PROGRESS]")
	w.answer = failsAt(`"b"`)
	w.run(0)
	w.answer = nil
	sent := len(w.sent)
	id := w.resume()
	w.run(time.Minute)
	if got := fmt.Sprint(w.delivered(sent)); got != "[in b?]" {
		t.Errorf("delivered %s", got)
	}
	w.wantLog(id, "STARTED: sequential[init SUCCESS] parallel[nap PROGRESS, b PROGRESS]")
	w.run(time.Hour)
	if got := fmt.Sprint(w.delivered(sent)); got != "[in b? in b? nap?]" {
		t.Errorf("delivered %s", got)
	}
}

func TestCallWhoseAnswerCouldNotBeToldIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{Retries: retries(0)})
	w.run(0)
	w.must(w.submit("wfr_1", `{"stepId":1,"stepName":"one","stepType":"Run","out":"1","concurrent":1}`, qstash.Options{}))
	w.run(0)
	w.answer = func(d qstash.Delivery) (qstash.Response, error) {
		if d.Header.Get("Upstash-Workflow-Callback") != "" {
			return qstash.Response{Status: 500}, nil
		}
		return qstash.Response{Status: 200}, nil
	}
	w.must(w.call("wfr_1", 2, "call", qstash.Options{Retries: retries(0)}))
	w.run(0)
	w.wantLog("wfr_1", "FAILED: sequential[init SUCCESS] sequential[one SUCCESS] sequential[call FAILED 1!] next[FAILED 1!]")
	sent := len(w.sent)
	w.resume()
	w.run(0)
	if got := fmt.Sprint(w.delivered(sent)); got != "[in one]" {
		t.Errorf("delivered %s", got)
	}
}

func TestManyBranchesAreAllDeliveredAgain(t *testing.T) {
	w := newWorld(t)
	w.start("wfr_1", qstash.Options{})
	w.run(0)
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("branch %d", i))
	}
	w.plan("wfr_1", qstash.Options{}, 1, names...)
	w.answer = failsAt(`"branch 99"`)
	w.run(0)
	w.answer = nil
	sent := len(w.sent)
	w.resume()
	w.run(0)
	if got := w.delivered(sent); len(got) != 100 || got[99] != "in "+strings.Join(names, "? ")+"?" {
		t.Errorf("%d deliveries", len(got))
	}
}
