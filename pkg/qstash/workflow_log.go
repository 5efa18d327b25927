package qstash

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// States of steps in the log of a run.
const (
	stepProgress = "STEP_PROGRESS"
	stepRetry    = "STEP_RETRY"
	stepSuccess  = "STEP_SUCCESS"
	stepFailed   = "STEP_FAILED"
	stepCanceled = "STEP_CANCELED"
)

// timeline makes the log of a run: one element for each step that the workflow has, from the moment
// it is pending. Entries come in their order. A plan and the result that follows it are one element, a branch
// of the parallel group that its siblings are in.
type timeline struct {
	r      *run
	trim   bool
	msgs   map[string]*message // of the run, by id
	groups []*stepGroup
	byStep map[int]*stepElement // by the id of the step, or the target of its plan
	last   *message             // delivers the last entry
	plan   bool                 // the last entry is a plan
}

type stepGroup struct {
	parallel bool
	size     int // of a parallel group: branches, counting those that are not planned yet
	elements []*stepElement
}

type stepElement struct {
	fields  map[string]any
	target  int
	done    bool
	message *message // of what is pending, or has failed
}

// runLog reads the log of a run.
func (e *Engine) runLog(ctx context.Context, r *run, trim bool) (RunLog, error) {
	v := r.view()
	var err error
	if v.Response, err = e.response(ctx, r); err != nil {
		return v, err
	}
	steps, err := e.runStepsUpTo(ctx, r.acct, r.id, r.steps)
	if err != nil {
		return v, err
	}
	links, err := e.links(ctx, r.acct, r.id)
	if err != nil {
		return v, err
	}
	t := &timeline{r: r, trim: trim, byStep: map[int]*stepElement{}}
	if t.msgs, err = e.runMessages(ctx, r, steps, links); err != nil {
		return v, err
	}
	for i, s := range steps {
		t.entry(i, s)
	}
	for _, l := range links {
		if err := t.link(ctx, e, l); err != nil {
			return v, err
		}
	}
	v.Steps = t.log()
	v.Failure, err = e.runFailure(ctx, r)
	return v, err
}

// runMessages reads the messages that entries and links name, and those that tell of calls.
func (e *Engine) runMessages(ctx context.Context, r *run, steps []RunStep, links []link) (map[string]*message, error) {
	var ids []string
	for _, s := range steps {
		ids = append(ids, s.MessageID)
	}
	for _, l := range links {
		if l.kind == linkMessage {
			ids = append(ids, l.name)
		}
	}
	msgs := map[string]*message{}
	for len(ids) > 0 {
		keys := make([]store.Key, len(ids))
		for i, id := range ids {
			keys[i] = messageKey(r.acct, id)
		}
		items, err := e.store.GetMany(ctx, keys, false)
		if err != nil {
			return nil, fmt.Errorf("reading the messages of workflow run %s: %w", r.id, err)
		}
		var answers []string
		for i, attrs := range items {
			if attrs == nil {
				continue
			}
			m, err := parseMessage(r.acct, ids[i], attrs)
			if err != nil {
				return nil, err
			}
			msgs[m.id] = m
			if answer := attrs.Get(attrAnswer).Str(); answer != "" {
				answers = append(answers, answer)
			}
		}
		ids = answers
	}
	return msgs, nil
}

// entry adds an entry of the run.
func (t *timeline) entry(i int, s RunStep) {
	fields := map[string]any{}
	if i == 0 {
		fields["stepId"], fields["stepName"], fields["stepType"], fields["concurrent"], fields["out"] = 0, "init", "Initial", 1, string(s.Body)
	} else if json.Unmarshal(s.Body, &fields) != nil {
		fields = map[string]any{}
	}
	m := t.msgs[s.MessageID]
	t.last, t.plan = m, false
	fields["callType"], fields["messageId"] = s.CallType, s.MessageID
	t.facts(fields, m)
	if target := number(fields["targetStep"]); i > 0 && target > 0 && number(fields["stepId"]) == 0 {
		t.plan = true
		t.planned(target, fields, m)
		return
	}
	id := number(fields["stepId"])
	if known := t.byStep[id]; known != nil && i > 0 && id > 0 {
		if !known.done { // of two, SDKs take the one that came first
			known.fields, known.done = fields, true
		}
		return
	}
	t.add(id, fields, &stepElement{done: true, message: m})
}

// facts are what an element shows of its message.
func (t *timeline) facts(fields map[string]any, m *message) {
	if t.trim {
		delete(fields, "out")
	}
	if m == nil {
		return
	}
	fields["createdAt"], fields["headers"], fields["retries"] = m.rec.CreatedAt.UnixMilli(), m.rec.Redact.header(m.rec.Header), m.rec.maxRetries()
	if m.rec.RetryDelay != "" {
		fields["retryDelay"] = m.rec.RetryDelay
	}
}

// number is a number of a step's JSON, 0 if there is none.
func number(v any) int {
	switch n := v.(type) {
	case float64:
		return int(n)
	case int:
		return n
	case json.Number:
		i, _ := n.Int64() // 0, as if there were none
		return int(i)
	}
	return 0
}

// planned adds a branch that has no result yet.
func (t *timeline) planned(target int, fields map[string]any, m *message) {
	if t.byStep[target] != nil {
		return
	}
	fields["stepId"] = target
	delete(fields, "targetStep")
	t.add(target, fields, &stepElement{message: m})
}

// add adds an element, to the parallel group that is not complete yet if it is a branch.
func (t *timeline) add(id int, fields map[string]any, el *stepElement) {
	el.fields, el.target = fields, id
	if id > 0 {
		t.byStep[id] = el
	}
	size := number(fields["concurrent"])
	if size <= 1 {
		t.groups = append(t.groups, &stepGroup{elements: []*stepElement{el}})
		return
	}
	if n := len(t.groups); n > 0 && t.groups[n-1].parallel && len(t.groups[n-1].elements) < t.groups[n-1].size {
		t.groups[n-1].elements = append(t.groups[n-1].elements, el)
		return
	}
	t.groups = append(t.groups, &stepGroup{parallel: true, size: size, elements: []*stepElement{el}})
}

// link adds what a link tells of a step.
func (t *timeline) link(ctx context.Context, e *Engine, l link) error {
	fields := map[string]any{}
	switch l.kind {
	case linkMessage:
		return t.messageLink(ctx, e, t.msgs[l.name])
	case linkWaiter:
		if json.Unmarshal(l.Wait.Step, &fields) != nil {
			return nil
		}
		fields["waitEventId"], fields["waitTimeoutDuration"], fields["waitTimeoutDeadline"] = l.Wait.Event, seconds(l.Wait.Timeout), l.Wait.deadline().UnixMilli()
		fields["createdAt"] = l.Wait.At.UnixMilli()
		t.pending(fields, nil)
	case linkRun:
		if json.Unmarshal(l.Run.Step, &fields) != nil {
			return nil
		}
		fields["invokedWorkflowRunId"], fields["invokedWorkflowUrl"], fields["invokedWorkflowCreatedAt"] = l.name, l.Run.URL, l.Run.CreatedAt.UnixMilli()
		fields["createdAt"] = l.Run.CreatedAt.UnixMilli()
		if err := t.invoked(ctx, e, l.name, fields); err != nil {
			return err
		}
		if el := t.pending(fields, nil); l.Run.Ended {
			el.done = true // also if its result came too late for this run
		}
	}
	return nil
}

// invoked shows what an invoked run was given.
func (t *timeline) invoked(ctx context.Context, e *Engine, id string, fields map[string]any) error {
	child, err := e.readRun(ctx, t.r.acct, id)
	if err != nil || child == nil {
		return err
	}
	fields["invokedWorkflowRunHeaders"] = child.Config.Redact.header(child.Config.Header)
	if t.trim {
		return nil
	}
	first, err := e.runStepsUpTo(ctx, t.r.acct, id, 1)
	if err == nil && len(first) > 0 {
		fields["invokedWorkflowRunBody"] = string(child.Config.Redact.body(first[0].Body))
	}
	return err
}

// seconds is a duration as clients give it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }

// messageLink adds what a message says of a step that it is to bring about.
func (t *timeline) messageLink(ctx context.Context, e *Engine, m *message) error {
	if m == nil {
		return nil
	}
	fields := map[string]any{}
	if m.rec.Workflow.CallType == CallTo {
		return t.call(ctx, e, m)
	}
	if m.attrs.Has(attrStep) {
		if m.attrs.Get(attrStep).Num() == 0 && len(t.groups) == 1 && !m.state.finished() {
			t.last = m // delivers the payload once more, see restartBySDK
		}
		return nil // shown as an entry
	}
	body, err := e.body(ctx, m)
	if err != nil {
		return err
	}
	if json.Unmarshal(body, &fields) != nil {
		return nil
	}
	fields["callType"], fields["messageId"] = CallStep, m.id
	t.facts(fields, m)
	if target := number(fields["targetStep"]); target > 0 && number(fields["stepId"]) == 0 {
		t.planned(target, fields, m)
		return nil
	}
	t.pending(fields, m)
	return nil
}

// Fields that the callback of a request to a third party forwards.
const (
	headerStepID     = "Upstash-Workflow-Stepid"
	headerStepName   = "Upstash-Workflow-Stepname"
	headerStepType   = "Upstash-Workflow-Steptype"
	headerConcurrent = "Upstash-Workflow-Concurrent"
)

// call adds what a request to a third party says of its step.
func (t *timeline) call(ctx context.Context, e *Engine, m *message) error {
	fields := map[string]any{"callType": CallTo, "messageId": m.id, "callUrl": m.rec.URL, "callMethod": m.rec.method(), "callHeaders": m.rec.Redact.header(m.rec.Header)}
	t.facts(fields, m)
	if !t.trim && m.rec.BodySize <= maxLogBody {
		body, err := e.body(ctx, m)
		if err != nil {
			return err
		}
		fields["callBody"] = string(m.rec.Redact.body(body))
	}
	pending := m
	if answer := t.msgs[m.attrs.Get(attrAnswer).Str()]; answer != nil {
		fields["callType"], pending = CallFrom, answer
	}
	if cb := m.rec.Callback; cb != nil {
		id, _ := strconv.Atoi(cb.Header.Get(headerStepID)) // 0: it belongs to no step that is known
		concurrent, _ := strconv.Atoi(cb.Header.Get(headerConcurrent))
		fields["stepId"], fields["stepName"] = id, cb.Header.Get(headerStepName)
		fields["stepType"], fields["concurrent"] = cb.Header.Get(headerStepType), max(1, concurrent)
	}
	el := t.pending(fields, pending)
	if out, ok := el.fields["out"].(string); ok && el.done {
		var answer struct {
			Status int             `json:"status"`
			Body   json.RawMessage `json:"body"`
			Header Header          `json:"header"`
		}
		if json.Unmarshal([]byte(out), &answer) == nil {
			el.fields["callResponseStatus"], el.fields["callResponseBody"], el.fields["callResponseHeaders"] = answer.Status, answer.Body, answer.Header
		}
	}
	return nil
}

// pending adds a step that has no entry yet, or completes the element that it has.
func (t *timeline) pending(fields map[string]any, m *message) *stepElement {
	id := number(fields["stepId"])
	el := t.byStep[id]
	if el == nil || id == 0 {
		el = &stepElement{message: m}
		t.add(id, fields, el)
		return el
	}
	for name, value := range fields {
		if _, there := el.fields[name]; !there || !el.done && name != "concurrent" {
			el.fields[name] = value
		}
	}
	if !el.done && m != nil {
		el.message = m
	}
	return el
}

// log is the timeline as clients see it.
func (t *timeline) log() []RunLogStep {
	list := []RunLogStep{}
	failed := t.failed()
	for _, g := range t.groups {
		kind := "sequential"
		if g.parallel {
			kind = "parallel"
			slices.SortStableFunc(g.elements, func(a, b *stepElement) int { return cmp.Compare(a.target, b.target) })
		}
		shown := RunLogStep{Type: kind, Steps: []map[string]any{}}
		for _, el := range g.elements {
			shown.Steps = append(shown.Steps, t.element(el, failed))
		}
		list = append(list, shown)
	}
	if next := t.next(failed); next != nil {
		list = append(list, RunLogStep{Type: "next", Steps: []map[string]any{next}})
	}
	return list
}

// element completes an element by its state.
func (t *timeline) element(el *stepElement, failed *message) map[string]any {
	m := el.message
	switch {
	case el.done:
		el.fields["state"] = stepSuccess
	case failed != nil && m != nil && m.id == failed.id:
		el.fields["state"], el.fields["errors"] = stepFailed, failures(m)
	case t.r.state == runCancelled:
		el.fields["state"] = stepCanceled
	default:
		el.fields["state"] = stepProgress
		t.retrying(el.fields, m)
	}
	return el.fields
}

// retrying shows that attempts have failed, and when there is another one.
func (t *timeline) retrying(fields map[string]any, m *message) {
	if m == nil || m.retried == 0 {
		return
	}
	fields["errors"] = failures(m)
	if t.r.state == runRunning && !m.state.finished() {
		fields["state"] = stepRetry
	}
	if m.state == stateWaiting {
		fields["nextDeliveryTime"] = m.at.UnixMilli()
	}
}

// failed is the message that has failed the run, nil if none has.
func (t *timeline) failed() *message {
	if t.r.state != runFailed {
		return nil
	}
	letter := t.r.attrs.Get(attrDLQ).Str()
	for _, m := range t.msgs {
		if letter != "" && m.attrs.Get(attrDLQ).Str() == letter {
			return m
		}
	}
	for _, m := range t.msgs {
		if m.state == stateFailed && buried(m) {
			return m
		}
	}
	return nil
}

// next is the delivery to the workflow that is pending, or has ended the run, unless a branch shows it.
func (t *timeline) next(failed *message) map[string]any {
	m, state := t.last, stepProgress
	switch t.r.state {
	case runSucceeded:
		return nil
	case runFailed:
		if m, state = cmp.Or(failed, t.last), stepFailed; t.shows(m) {
			return nil
		}
	case runCancelled:
		state = stepCanceled
	}
	if m == nil || t.plan && failed == nil || m.state == stateDelivered && t.r.state != runFailed {
		return nil
	}
	fields := map[string]any{"messageId": m.id, "state": state, "retries": m.rec.maxRetries()}
	if m.rec.RetryDelay != "" {
		fields["retryDelay"] = m.rec.RetryDelay
	}
	if t.r.state == runRunning {
		t.retrying(fields, m)
	} else if errs := failures(m); len(errs) > 0 {
		fields["errors"] = errs
	} else if reason := t.r.attrs.Get(runReason).Str(); reason != "" { // it has not failed by itself
		fields["errors"] = []map[string]any{{"error": reason, "body": "", "headers": Header{}, "status": 0, "time": t.r.attrs.Get(attrFinished).Num()}}
	}
	return fields
}

// shows reports whether a branch that is not done shows a message.
func (t *timeline) shows(m *message) bool {
	for _, g := range t.groups {
		if !g.parallel {
			continue
		}
		for _, el := range g.elements {
			if m != nil && !el.done && el.message != nil && el.message.id == m.id {
				return true
			}
		}
	}
	return false
}
