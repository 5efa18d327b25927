package qstash

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// resumption is what a run begins with that goes on for a failed one.
type resumption struct {
	entries []RunStep // the last one is delivered
	plans   []RunStep // of branches without a result: each is delivered, with all that is before it
	sleeps  []sleep   // branches that sleep
}

type sleep struct {
	plan RunStep
	at   time.Time
}

// resumption collects what a failed run has come to. Of a sequential failure these are the entries
// up to the failed one; a call whose answer could not be told is made again by the step before it. Of parallel
// branches, all results are kept, and the branches without one are delivered again.
func (e *Engine) resumption(ctx context.Context, r *run, failed *message) (*resumption, error) {
	all, err := e.runStepsUpTo(ctx, r.acct, r.id, r.steps)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	links, err := e.links(ctx, r.acct, r.id)
	if err != nil {
		return nil, err
	}
	results := map[int]bool{}
	for _, s := range all[1:] {
		if id, target := stepNumbers(s.Body); target == 0 {
			results[id] = true
		}
	}
	late, err := e.lateResults(ctx, r, links, results)
	if err != nil {
		return nil, err
	}
	p := &resumption{}
	planned := map[int]bool{}
	for i, s := range all {
		_, target := stepNumbers(s.Body)
		switch {
		case i == 0 || target == 0 || results[target]:
			p.entries = append(p.entries, s)
		case !planned[target]: // SDKs drop a delivery that ends with a plan they have seen
			p.plans = append(p.plans, s)
		}
		planned[target] = true
	}
	p.entries = append(p.entries, late...)
	if err := e.sleepingBranches(ctx, r, links, results, planned, p); err != nil {
		return nil, err
	}
	if len(p.plans) == 0 && len(p.sleeps) == 0 && failed.attrs.Has(attrStep) {
		n, err := e.runStepsUpTo(ctx, r.acct, r.id, int(failed.attrs.Get(attrStep).Num())+1)
		if err != nil || len(n) == 0 {
			return nil, err
		}
		p.entries = n
	}
	if len(p.plans) > 0 {
		p.entries, p.plans = append(p.entries, p.plans[0]), p.plans[1:]
	}
	return p, nil
}

// stepNumbers are the id of a step, and the step that it is the plan of; 0: it is none.
func stepNumbers(body []byte) (id, target int) {
	var step struct {
		ID     int `json:"stepId"`
		Target int `json:"targetStep"`
	}
	if json.Unmarshal(body, &step) != nil || step.ID != 0 {
		return step.ID, 0
	}
	return 0, step.Target
}

// lateResults are those of invoked runs that have ended after the run.
func (e *Engine) lateResults(ctx context.Context, r *run, links []link, results map[int]bool) (late []RunStep, err error) {
	for _, l := range links {
		if l.Run == nil || !l.Run.Ended || len(l.Run.Step) == 0 {
			continue
		}
		id, _ := stepNumbers(l.Run.Step)
		child, err := e.readRun(ctx, r.acct, l.name)
		if err != nil {
			return nil, err
		}
		if child == nil || child.state == runRunning || results[id] {
			continue
		}
		response, err := e.response(ctx, child)
		if err != nil {
			return nil, err
		}
		out, err := json.Marshal(newInvokeResult(child.state, []byte(response)))
		if err != nil {
			return nil, fmt.Errorf("writing the result of workflow run %s: %w", child.id, err)
		}
		body, err := completed(l.Run.Step, stepOut, string(out))
		if err != nil {
			return nil, err
		}
		results[id] = true
		late = append(late, RunStep{MessageID: derivedID(messagePrefix, child.CreatedAt, "late", child.id, r.id), Body: body, CallType: CallStep})
	}
	return late, nil
}

// sleepingBranches adds the branches whose plans were to be delivered later.
func (e *Engine) sleepingBranches(ctx context.Context, r *run, links []link, results, planned map[int]bool, p *resumption) error {
	for _, l := range links {
		if l.kind != linkMessage {
			continue
		}
		m, err := e.readMessage(ctx, r.acct, l.name)
		if err != nil {
			return err
		}
		if m == nil || !m.rec.Workflow.step() || m.attrs.Has(attrStep) {
			continue
		}
		body, err := e.body(ctx, m)
		if err != nil {
			return err
		}
		if _, target := stepNumbers(body); target > 0 && !planned[target] && !results[target] {
			planned[target] = true
			p.sleeps = append(p.sleeps, sleep{RunStep{Body: body, CallType: CallStep}, m.rec.NotBefore})
		}
	}
	return nil
}

// drafts are the messages of the branches beyond the first one.
func (p *resumption) drafts(e *Engine, acct, runID, url string) (list []*draft) {
	add := func(s RunStep, at time.Time) {
		o := Options{NotBefore: at, Workflow: &Workflow{RunID: runID, URL: url, LazyFetch: true}}
		d := e.newDraft(acct, &Request{Destination: url, Body: s.Body, Options: o}, "", Endpoint{URL: url})
		d.hold = true
		list = append(list, d)
	}
	for _, s := range p.plans {
		add(s, time.Time{})
	}
	for _, s := range p.sleeps {
		add(s.plan, s.at)
	}
	return list
}

// resumeOps completes the writes with which a run begins that goes on for a failed one: with the dead
// letter that goes, and with further messages, as many as fit into the commit. Those are taken out of d.also.
// Their entries have the numbers from number on.
func (e *Engine) resumeOps(ctx context.Context, d *draft, r *run, number int, ops []store.Op) ([]store.Op, error) {
	if d.whole {
		ops[0].Attrs = ops[0].Attrs.With(runWhole, store.Int(1))
	}
	ops = append(ops, d.taken...)
	for i, also := range d.also {
		if len(ops)+maxContinuationOps > store.MaxCommitOps {
			d.woken, d.also = d.also[:i], d.also[i:]
			return ops, nil
		}
		list, err := e.staged(ctx, []*draft{also})
		if err != nil {
			return nil, err
		}
		more, err := e.continuationOps(ctx, r, number, list[0])
		if err != nil {
			return nil, err
		}
		if list[0].entry != nil {
			number++
		}
		ops = append(ops, more...)
		ops[0].Attrs = ops[0].Attrs.With(runSteps, store.Int(int64(number)))
	}
	d.woken, d.also = d.also, nil
	return ops, nil
}
