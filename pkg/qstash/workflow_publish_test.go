package qstash_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// Calls with messages of a run, of all kinds and with refusals among them, against a store that fails: what was answered
// with success is there in the order of the calls, what was refused is not there at all, and of a call with an unknown outcome
// everything is there or nothing.
func TestCallsOfARunAreStoredWholeOrNotAtAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		whole := w.store
		w.start("wfr_1", qstash.Options{})
		w.store = faulty.New(whole, faulty.Plan{Seed: rapid.Uint64().Draw(rt, "seed"), Conflict: 0.05, Unavailable: 0.05, LostApplied: 0.05, LostUnapplied: 0.05})
		e := w.newEngine()
		state := map[int]string{} // by step: stored, refused or unknown
		var groups [][]int
		step := 0
		for range rapid.IntRange(1, 8).Draw(rt, "calls") {
			var reqs []qstash.Request
			var ids []int
			refused := false
			for range rapid.IntRange(1, 5).Draw(rt, "messages") {
				step++
				o := qstash.Options{Workflow: workflow("wfr_1", false)}
				body := fmt.Sprintf(`{"stepId":%d}`, step)
				switch rapid.IntRange(0, 9).Draw(rt, "kind") {
				case 0:
					o.Retries, refused = retries(1_000_000), true
				case 1:
					o.Delay, refused = 900*24*time.Hour, true
				case 2:
					o.Delay = time.Hour
					step--
				case 3:
					o.Workflow.CallType = qstash.CallTo
					step--
				}
				if o.Delay != time.Hour && o.Workflow.CallType == "" {
					ids = append(ids, step)
				}
				reqs = append(reqs, qstash.Request{Destination: workflowURL, Body: []byte(body), Options: o})
			}
			outs := e.Publish(t.Context(), acct, reqs)
			said := "stored"
			if err := outs[0].Err; err != nil {
				said = "unknown"
				if refusal := (*qstash.Error)(nil); errors.As(err, &refusal) {
					said = "refused"
					if refusal.Kind != qstash.KindQuota {
						rt.Fatalf("refused with kind %d: %v", refusal.Kind, err)
					}
				}
			}
			for _, out := range outs {
				if (out.Err == nil) != (outs[0].Err == nil) {
					rt.Fatalf("outcomes differ: %+v", outs)
				}
			}
			if refused != (said == "refused") {
				rt.Fatalf("%v: refused %v", outs[0].Err, refused)
			}
			for _, id := range ids {
				state[id] = said
			}
			groups = append(groups, ids)
		}
		w.store = whole
		list, err := w.newEngine().RunSteps(t.Context(), acct, "wfr_1")
		if err != nil {
			rt.Fatal(err)
		}
		seen := map[int]bool{}
		last := 0
		for _, s := range list[1:] {
			var body struct{ StepID int }
			if err := json.Unmarshal(s.Body, &body); err != nil {
				rt.Fatal(err)
			}
			if body.StepID <= last {
				rt.Errorf("step %d comes after step %d", body.StepID, last)
			}
			last = body.StepID
			if seen[last] = true; state[last] == "refused" {
				rt.Errorf("step %d of a refused call is there", last)
			}
		}
		for _, ids := range groups {
			n := 0
			for _, id := range ids {
				if seen[id] {
					n++
				}
			}
			if n != 0 && n != len(ids) || len(ids) > 0 && state[ids[0]] == "stored" && n == 0 {
				rt.Errorf("%d of the steps %v are there, said to be %s", n, ids, state[ids[0]])
			}
		}
	})
}
