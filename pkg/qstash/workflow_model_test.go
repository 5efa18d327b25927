package qstash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// killed is what the calls of a store panic with when their process is to die.
type killed struct{}

// mortal is a store whose process dies at one of its calls, before the call is made.
type mortal struct {
	store.Store
	left int // calls; negative: it lives on
}

func (m *mortal) call() {
	if m.left == 0 {
		panic(killed{})
	}
	m.left--
}

func (m *mortal) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	m.call()
	return m.Store.Get(ctx, key)
}

func (m *mortal) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	m.call()
	return m.Store.GetMany(ctx, keys, snapshot)
}

func (m *mortal) Query(ctx context.Context, q store.Query) (store.Page, error) {
	m.call()
	return m.Store.Query(ctx, q)
}

func (m *mortal) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	m.call()
	return m.Store.Apply(ctx, op)
}

func (m *mortal) Commit(ctx context.Context, ops []store.Op) error {
	m.call()
	return m.Store.Commit(ctx, ops)
}

func (m *mortal) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	m.call()
	return m.Store.Load(ctx, puts, deletes)
}

// action is one step of a workflow.
type action struct {
	Kind   string // run, sleep, call, wait, invoke, parallel, silent or broken
	Flaky  int    // so many times the endpoint answers 500 first
	Late   bool   // the endpoint answers 500 once after it has submitted the step
	Length int    // minutes, or branches
	Child  []action
}

func actions(depth int) *rapid.Generator[[]action] {
	return rapid.Custom(func(t *rapid.T) []action {
		kinds := []string{"run", "run", "sleep", "call", "wait", "parallel", "silent", "broken"}
		if depth > 0 {
			kinds = append(kinds, "invoke", "invoke")
		}
		list := make([]action, rapid.IntRange(0, 3).Draw(t, "steps"))
		for i := range list {
			a := action{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Length: rapid.IntRange(1, 3).Draw(t, "length"),
				Flaky: rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "flaky"), Late: rapid.SampledFrom([]bool{false, false, true}).Draw(t, "late")}
			if a.Kind == "invoke" {
				a.Child = actions(depth-1).Draw(t, "child")
			}
			list[i] = a
		}
		return list
	})
}

// healthy reports whether a workflow comes to its end. A child that fails does not fail its invoker.
func healthy(list []action) bool {
	return !slices.ContainsFunc(list, func(a action) bool { return a.Kind == "silent" || a.Kind == "broken" })
}

// runs is a process that dies and begins again, and an endpoint with workflows.
type runs struct {
	t        *rapid.T
	ctx      context.Context
	sound    store.Store // survives the process
	inner    store.Store // the same, but for its faults
	mortal   *mortal
	engine   *qstash.Engine
	alone    bool
	now      time.Time
	hints    []wake.Hint
	programs map[string][]action // by run
	parents  map[string]string
	tried    map[string]int // by run, step and what for
	failures map[string]int // failure callbacks delivered, by run
	deaths   []int          // calls until the next deaths
	random   *rand.ChaCha8
}

func (r *runs) Wake(_ context.Context, hints ...wake.Hint) error {
	r.hints = append(r.hints, hints...)
	return nil
}
func (r *runs) Repeat(context.Context, string, *cron.Schedule) (bool, error) { return false, nil }
func (r *runs) Cease(context.Context, string) error                          { return nil }

// begin begins a process, which will die in its turn.
func (r *runs) begin() {
	r.mortal = &mortal{r.inner, -1}
	if len(r.deaths) > 0 {
		r.mortal.left, r.deaths = r.deaths[0], r.deaths[1:]
	}
	r.hints = nil
	r.engine = qstash.New(qstash.Config{Store: r.mortal, Sender: r, Waker: r, Alone: r.alone, Now: func() time.Time { return r.now },
		Random: func(b []byte) { r.random.Read(b) }, Limits: qstash.Limits{MaxTimeout: 20 * time.Second}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// live runs f in the process, and begins another one if it dies.
func (r *runs) live(f func()) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			r.begin()
		}
	}()
	f()
}

// minute handles what is due within a minute, and sweeps.
func (r *runs) minute() {
	end := r.now.Add(time.Minute)
	for {
		slices.SortStableFunc(r.hints, func(a, b wake.Hint) int { return a.At.Compare(b.At) })
		if len(r.hints) == 0 || r.hints[0].At.After(end) {
			break
		}
		h := r.hints[0]
		r.hints = r.hints[1:]
		if h.At.After(r.now) {
			r.now = h.At
		}
		r.live(func() { _ = r.engine.Handle(r.ctx, h.Key) }) // what fails is found by the sweep
	}
	r.now = end
	r.live(func() { _, _ = r.engine.Sweep(r.ctx, r.engine.Overdue()) })
}

// once reports true n times.
func (r *runs) once(n int, what string) bool {
	if r.tried[what] >= n {
		return false
	}
	r.tried[what]++
	return true
}

// Send is the endpoint, and the third party.
func (r *runs) Send(ctx context.Context, d qstash.Delivery) (qstash.Response, error) {
	run := d.Header.Get("Upstash-Workflow-Runid")
	switch {
	case strings.HasPrefix(d.URL, "https://third"):
		if r.once(1, d.URL) {
			return qstash.Response{Status: 500}, nil
		}
		return qstash.Response{Status: 200}, nil
	case strings.HasPrefix(d.URL, "https://failure"):
		r.failures[run]++
		return qstash.Response{Status: 200}, nil
	case d.Header.Get("Called") != "":
		step := 0
		fmt.Sscan(d.Header.Get("Called"), &step)
		return r.answer(r.step(run, step, 0, 0)), nil
	}
	return r.answer(r.serve(ctx, run, d.Body)), nil
}

// answer is what the SDK answers.
func (r *runs) answer(err error) qstash.Response {
	switch {
	case err == nil, errors.Is(err, qstash.ErrRunEnded):
		return qstash.Response{Status: 200}
	}
	return qstash.Response{Status: 500, Body: []byte(err.Error())}
}

// entry is a step as this endpoint writes it.
type entry struct {
	ID     int `json:"stepId"`
	Branch int `json:"branch,omitempty"` // from 1
	Plan   int `json:"plan,omitempty"`   // the branch that it only plans
}

var errBroken = errors.New("broken")

// serve runs the workflow up to its next step.
func (r *runs) serve(ctx context.Context, run string, body []byte) error {
	var list []qstash.RunStep
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	done := map[entry]bool{}
	var last entry
	repeated := false
	for _, s := range list[1:] {
		last = entry{}
		if err := json.Unmarshal(s.Body, &last); err != nil {
			return err
		}
		repeated = done[last]
		done[last] = true
	}
	if repeated {
		return nil // who has brought the step first goes on
	}
	program := r.programs[run]
	if last.Plan > 0 {
		return r.step(run, last.ID, last.Plan, 0)
	}
	next := 1
	for ; next <= len(program); next++ {
		a := program[next-1]
		if a.Kind != "parallel" {
			if !done[entry{ID: next}] {
				break
			}
			continue
		}
		n := 0
		for b := 1; b <= a.Length; b++ {
			if done[entry{ID: next, Branch: b}] {
				n++
			}
		}
		if n == a.Length {
			continue
		}
		if last.ID == next {
			return nil // another branch will bring the last result
		}
		break
	}
	if next > len(program) {
		return r.engine.FinishRun(ctx, acct, run, []byte(`"done"`))
	}
	a := program[next-1]
	at := fmt.Sprint(run, "/", next)
	if a.Kind == "silent" {
		return nil
	}
	if a.Kind == "broken" || r.once(a.Flaky, at+" flaky") {
		return errBroken
	}
	err := r.act(ctx, run, next, a)
	if err == nil && a.Late && r.once(1, at+" late") {
		return errBroken
	}
	return err
}

// step submits the result of a step, or of a branch, or the plan of one.
func (r *runs) step(run string, id, branch, plan int) error {
	text, err := json.Marshal(entry{id, branch, plan})
	if err != nil {
		return err
	}
	return r.publish(qstash.Request{Destination: workflowURL, Body: text, Options: qstash.Options{Workflow: &qstash.Workflow{RunID: run, URL: workflowURL}}})
}

func (r *runs) publish(reqs ...qstash.Request) error {
	for _, out := range r.engine.Publish(r.ctx, acct, reqs) {
		if out.Err != nil {
			return out.Err
		}
	}
	return nil
}

// act submits what a step waits for.
func (r *runs) act(ctx context.Context, run string, id int, a action) error {
	text, err := json.Marshal(entry{ID: id})
	if err != nil {
		return err
	}
	req := qstash.Request{Destination: workflowURL, Body: text, Options: qstash.Options{Workflow: &qstash.Workflow{RunID: run, URL: workflowURL}}}
	switch a.Kind {
	case "sleep":
		req.Options.Delay = time.Duration(a.Length) * time.Minute
	case "call":
		req.Destination, req.Options.Workflow.CallType = fmt.Sprintf("https://third.example/%s/%d", run, id), qstash.CallTo
		req.Options.Retries, req.Options.RetryDelay = retries(1), "60000"
		req.Options.Callback = &qstash.Callback{URL: workflowURL, Options: qstash.Options{Header: qstash.Header{"Called": {fmt.Sprint(id)}},
			Workflow: &qstash.Workflow{RunID: run, URL: workflowURL, CallType: qstash.CallFrom}}}
	case "wait":
		return r.engine.Wait(ctx, acct, fmt.Sprint("event", id%2), qstash.WaitRequest{RunID: run, URL: workflowURL, TimeoutURL: workflowURL,
			Timeout: time.Duration(a.Length) * 5 * time.Minute, Step: text})
	case "invoke":
		child := fmt.Sprint(run, ".", id)
		r.programs[child], r.parents[child] = a.Child, run
		return r.start(child, &qstash.Invoker{RunID: run, URL: workflowURL, Step: text})
	case "parallel":
		var plans []qstash.Request
		for b := 1; b <= a.Length; b++ {
			plan := req
			if plan.Body, err = json.Marshal(entry{ID: id, Plan: b}); err != nil {
				return err
			}
			if b == 2 {
				plan.Options.Delay = time.Minute // a branch that sleeps
			}
			plans = append(plans, plan)
		}
		return r.publish(plans...)
	}
	return r.publish(req)
}

func (r *runs) start(run string, by *qstash.Invoker) error {
	failure := &qstash.Callback{URL: "https://failure.example", Options: qstash.Options{Retries: retries(20), RetryDelay: "1000",
		Workflow: &qstash.Workflow{RunID: run, CallType: qstash.CallFailure}}}
	return r.publish(qstash.Request{Destination: workflowURL, Options: qstash.Options{
		Workflow: &qstash.Workflow{RunID: run, URL: workflowURL, Init: true, Invoker: by}, Retries: retries(12), RetryDelay: "1000", FailureCallback: failure}})
}

// log reads what is known of all runs.
func (r *runs) log() map[string]qstash.RunLog {
	engine := qstash.New(qstash.Config{Store: r.sound, Sender: r, Waker: r, Now: func() time.Time { return r.now }})
	logs, _, err := engine.Runs(r.ctx, acct, qstash.RunFilter{}, "", 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	byRun := map[string]qstash.RunLog{}
	for _, l := range logs {
		byRun[l.RunID] = l
	}
	return byRun
}

// Whatever workflows do, whatever the store does to single calls and wherever the process dies: each run
// ends, a healthy one with success, and of each that fails there is a dead letter and somebody is told.
func TestNoRunIsEverStuck(t *testing.T) {
	rapid.Check(t, inBubble(t, func(ctx context.Context, t *rapid.T) {
		st, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		chance := rapid.SampledFrom([]float64{0, 0, 0.01}).Draw(t, "faults")
		bad := faulty.New(st, faulty.Plan{})
		r := &runs{t: t, ctx: ctx, sound: st, inner: bad, alone: rapid.Bool().Draw(t, "alone"), now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
			programs: map[string][]action{}, parents: map[string]string{}, tried: map[string]int{}, failures: map[string]int{},
			deaths: rapid.SliceOfN(rapid.IntRange(0, 120), 0, 6).Draw(t, "deaths")}
		seed := rapid.Uint64().Draw(t, "seed")
		r.random = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
		setup := qstash.New(qstash.Config{Store: st, Sender: r, Waker: r})
		if _, err := setup.CreateAccount(ctx, acct, qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		bad.SetPlan(faulty.Plan{Seed: seed, Throttle: chance, Unavailable: chance, Conflict: chance, LostApplied: chance, LostUnapplied: chance})
		r.begin()
		accepted := map[string]bool{}
		for i := range rapid.IntRange(1, 2).Draw(t, "runs") {
			id := fmt.Sprint("wfr_", i)
			r.programs[id] = actions(1).Draw(t, id)
			r.live(func() { accepted[id] = r.start(id, nil) == nil })
		}
		for minute := 0; ; minute++ {
			if at := minute % 7; at == 3 {
				r.live(func() { _, _ = r.engine.Notify(ctx, acct, "event1", "", []byte("x")) })
			}
			r.minute()
			open := 0
			logs := r.log()
			for id := range accepted {
				if l, ok := logs[id]; accepted[id] && !ok {
					t.Fatalf("run %s was accepted and does not exist", id)
				} else if ok && l.State == "RUN_STARTED" {
					open++
				}
			}
			for id := range r.programs {
				if l, ok := logs[id]; ok && l.State == "RUN_STARTED" {
					open++
				}
			}
			if open == 0 {
				break
			}
			if minute > 240 {
				t.Fatalf("after %d minutes the runs are %+v", minute, logs)
			}
		}
		bad.SetPlan(faulty.Plan{})
		r.mortal.left = -1
		for range 30 {
			r.minute() // of failure callbacks
		}
		dead := map[string]bool{}
		letters, _, err := r.engine.DeadLetters(ctx, acct, qstash.DLQQuery{Filter: qstash.Filter{Workflow: true}, Count: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range letters {
			dead[l.WorkflowRunID] = true
		}
		for id, l := range r.log() {
			switch {
			case l.State == "RUN_FAILED" && (!dead[id] || r.failures[id] == 0):
				t.Errorf("run %s has failed: in the dead letter queue %v, %d failure callbacks", id, dead[id], r.failures[id])
			case l.State == "RUN_SUCCESS" && (dead[id] || r.failures[id] > 0):
				t.Errorf("run %s has succeeded, and somebody is told that it has failed", id)
			case l.State == "RUN_FAILED" && healthy(r.programs[id]) && chance == 0:
				t.Errorf("run %s is healthy and has failed", id)
			case l.State == "RUN_SUCCESS" && !healthy(r.programs[id]):
				t.Errorf("run %s has succeeded without its last steps", id)
			}
		}
	}))
}

// inBubble runs a property where the pauses between attempts take no time.
func inBubble(t *testing.T, property func(context.Context, *rapid.T)) func(*rapid.T) {
	return func(rt *rapid.T) {
		var failed any
		synctest.Test(t, func(t *testing.T) {
			defer func() { failed = recover() }()
			property(t.Context(), rt)
		})
		if failed != nil {
			panic(failed)
		}
	}
}
