package qstash_test

import (
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestRunFailsAtItsDeadline(t *testing.T) {
	const reason = "run exceeded its deadline of 1h0m0s"
	for name, set := range map[string]func(w *world, run *qstash.Workflow){
		"of its own": func(_ *world, run *qstash.Workflow) { run.Deadline = time.Hour },
		"of its account": func(w *world, _ *qstash.Workflow) {
			if err := w.engine.SetRunDeadline(w.t.Context(), acct, time.Hour); err != nil {
				w.t.Fatal(err)
			}
		},
		"of its own, though its wake-up is lost": func(w *world, run *qstash.Workflow) { run.Deadline, w.deaf = time.Hour, true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			run := workflow("wfr_1", true)
			set(w, run)
			w.started("wfr_1", qstash.Options{Workflow: run})
			w.deaf = false
			asleep := w.publish(workflowURL, `{"stepId":1}`, qstash.Options{Delay: 2 * time.Hour, Workflow: workflow("wfr_1", false)})
			w.minutes(59)
			if state, _ := w.runState("wfr_1"); state != "RUN_STARTED" {
				t.Fatalf("before its deadline the run is %s", state)
			}
			w.minutes(3)
			w.run(0)
			dead := w.runDead()
			if state, _ := w.runState("wfr_1"); state != "RUN_FAILED" || len(dead) != 1 || dead[0].ResponseBody != reason || w.toldOf("https://app.example/failure") != 1 {
				t.Fatalf("the run is %s, dead letters %+v, sent %v", state, dead, w.urls())
			}
			if log := w.runLog("wfr_1"); log.Reason != reason {
				t.Errorf("the log says %q", log.Reason)
			}
			if got := w.states(asleep); !strings.HasSuffix(got, "CANCELED") {
				t.Errorf("its sleeping step is %s", got)
			}
			w.minutes(120)
			if n := w.toldOf(workflowURL); n != 1 {
				t.Errorf("the workflow is called %d times", n)
			}
		})
	}
}

func TestRunThatEndsInTimeHasNoDeadline(t *testing.T) {
	w := newWorld(t)
	run := workflow("wfr_1", true)
	run.Deadline = time.Hour
	w.started("wfr_1", qstash.Options{Workflow: run})
	if err := w.engine.FinishRun(t.Context(), acct, "wfr_1", nil); err != nil {
		t.Fatal(err)
	}
	w.minutes(90)
	if state, _ := w.runState("wfr_1"); state != "RUN_SUCCESS" || len(w.runDead()) != 0 {
		t.Errorf("the run is %s", state)
	}
	run = workflow("wfr_2", true)
	run.Deadline = 400 * 24 * time.Hour
	out := w.engine.Publish(t.Context(), acct, []qstash.Request{{Destination: workflowURL, Options: qstash.Options{Workflow: run}}})
	if !isKind(out[0].Err, qstash.KindQuota) {
		t.Errorf("a deadline of more than a year: %v", out[0].Err)
	}
}
