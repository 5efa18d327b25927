package qstash

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// RunFilter selects workflow runs.
type RunFilter struct {
	RunIDs    []string
	URL       string
	URLPrefix string
	State     []string
	Label     []string
	CallerIP  []string
	FlowKey   []string
	From, To  int64 // ms of their creation, inclusive; 0: no bound
}

func (f *RunFilter) matches(r *run) bool {
	created := r.CreatedAt.UnixMilli()
	return anyOf(f.RunIDs, r.id) && (f.URL == "" || r.URL == f.URL) && strings.HasPrefix(r.URL, f.URLPrefix) &&
		anyOf(f.State, runStates[r.state]) && anyOf(f.CallerIP, r.CallerIP) &&
		created >= f.From && (f.To == 0 || created <= f.To) &&
		(len(f.Label) == 0 || slices.ContainsFunc(r.Config.Labels, func(l string) bool { return slices.Contains(f.Label, l) })) &&
		(len(f.FlowKey) == 0 || r.Config.Flow != nil && slices.Contains(f.FlowKey, r.Config.Flow.Key))
}

var runStates = map[runState]string{runRunning: "RUN_STARTED", runSucceeded: "RUN_SUCCESS", runFailed: "RUN_FAILED", runCancelled: "RUN_CANCELED"}

// runs calls f with the runs that a filter selects, the latest first, from behind cursor.
func (e *Engine) runs(ctx context.Context, acct string, filter RunFilter, cursor string, f func(sort string, r *run) (bool, error)) error {
	if len(filter.RunIDs) > 0 {
		for _, id := range filter.RunIDs {
			r, err := e.readRun(ctx, acct, id)
			if err != nil {
				return err
			}
			if r == nil || !filter.matches(r) {
				continue
			}
			if more, err := f("", r); err != nil || !more {
				return err
			}
		}
		return nil
	}
	q := store.Query{Partition: part("R", acct), Reverse: true, To: cursor}
	return e.each(ctx, q, func(it store.Item) (bool, error) {
		if len(it.Key.Sort) < 8 {
			return true, nil
		}
		r, err := e.readRun(ctx, acct, it.Key.Sort[8:])
		if err != nil {
			return false, err
		}
		if r == nil {
			return true, e.drop(ctx, it.Key)
		}
		if !filter.matches(r) {
			return true, nil
		}
		return f(it.Key.Sort, r)
	})
}

// CancelRuns cancels the runs that a filter selects, at most count, and returns how many.
func (e *Engine) CancelRuns(ctx context.Context, acct string, filter RunFilter, count int) (int, error) {
	filter.State = []string{runStates[runRunning]}
	n := 0
	err := e.runs(ctx, acct, filter, "", func(_ string, r *run) (bool, error) {
		if n >= count {
			return false, nil
		}
		ok, err := e.endRun(ctx, acct, r.id, runCancelled, nil)
		if ok {
			n++
		}
		return n < count, err
	})
	return n, err
}

// RunLog is a workflow run as clients see it. Times are in milliseconds.
type RunLog struct {
	RunID       string       `json:"workflowRunId"`
	URL         string       `json:"workflowUrl"`
	State       string       `json:"workflowState"`
	CreatedAt   int64        `json:"workflowRunCreatedAt"`
	CompletedAt int64        `json:"workflowRunCompletedAt,omitempty"`
	CallerIP    string       `json:"workflowRunCallerIp,omitempty"`
	Steps       []RunLogStep `json:"steps"`
	Response    string       `json:"workflowRunResponse,omitempty"`
	DLQID       string       `json:"dlqId,omitempty"`
	Label       string       `json:"label,omitempty"`
	Labels      []string     `json:"labels,omitempty"`
	FlowKey     string       `json:"flowControlKey,omitempty"`
	Invoker     *RunInvoker  `json:"invoker,omitempty"`
	StepCount   int          `json:"-"`                            // also where Steps are left out
	Reason      string       `json:"workflowRunFailure,omitempty"` // why it was failed though none of its messages has
	Deadline    int64        `json:"workflowRunDeadline,omitempty"`
}

// RunInvoker names the run that has started another one.
type RunInvoker struct {
	RunID     string `json:"workflowRunId"`
	URL       string `json:"workflowUrl"`
	CreatedAt int64  `json:"workflowRunCreatedAt,omitempty"` // ms
}

// RunLogStep is one step of a run, or the branches that run beside each other.
type RunLogStep struct {
	Type  string           `json:"type"` // sequential, parallel or next
	Steps []map[string]any `json:"steps"`
}

// RunLogs reads a page of runs, and where the next one begins, "" after the last.
func (e *Engine) RunLogs(ctx context.Context, acct string, filter RunFilter, cursor string, count int, trim bool) ([]RunLog, string, error) {
	return e.listRuns(ctx, acct, filter, cursor, count, func(r *run) (RunLog, error) { return e.runLog(ctx, r, trim) })
}

// Runs is RunLogs without the steps, which take a few reads each.
func (e *Engine) Runs(ctx context.Context, acct string, filter RunFilter, cursor string, count int) ([]RunLog, string, error) {
	return e.listRuns(ctx, acct, filter, cursor, count, func(r *run) (RunLog, error) { return r.view(), nil })
}

func (e *Engine) listRuns(ctx context.Context, acct string, filter RunFilter, cursor string, count int, view func(*run) (RunLog, error)) ([]RunLog, string, error) {
	list := []RunLog{}
	next, last := "", ""
	err := e.runs(ctx, acct, filter, cursor, func(sort string, r *run) (bool, error) {
		if len(list) == count {
			next = last
			return false, nil
		}
		last = sort
		v, err := view(r)
		list = append(list, v)
		return true, err
	})
	return list, next, err
}

// view shows a run without its steps.
func (r *run) view() RunLog {
	v := RunLog{RunID: r.id, URL: r.URL, State: runStates[r.state], CreatedAt: r.CreatedAt.UnixMilli(), CallerIP: r.CallerIP,
		CompletedAt: r.attrs.Get(attrFinished).Num(), Response: r.attrs.Get(runResponse).Str(), DLQID: r.attrs.Get(attrDLQ).Str(),
		Labels: r.Config.Labels, Steps: []RunLogStep{}, StepCount: r.steps}
	v.Reason = r.attrs.Get(runReason).Str()
	if at := r.deadline(); !at.IsZero() {
		v.Deadline = at.UnixMilli()
	}
	if len(v.Labels) > 0 {
		v.Label = v.Labels[0]
	}
	if r.Config.Flow != nil {
		v.FlowKey = r.Config.Flow.Key
	}
	if r.Invoker != nil {
		v.Invoker = &RunInvoker{r.Invoker.RunID, r.Invoker.URL, r.Invoker.Created}
	}
	return v
}

func (e *Engine) runLog(ctx context.Context, r *run, trim bool) (RunLog, error) {
	v := r.view()
	steps, err := e.runStepsUpTo(ctx, r.acct, r.id, r.steps)
	if err != nil {
		return v, err
	}
	for i, s := range steps {
		m, err := e.readMessage(ctx, r.acct, s.MessageID)
		if err != nil {
			return v, err
		}
		fields, planned := stepLog(i, s, m, trim)
		parallel := planned || fields["concurrent"] != nil && fields["concurrent"] != 1.0
		n := len(v.Steps)
		if parallel && n > 0 && v.Steps[n-1].Type == "parallel" {
			v.Steps[n-1].Steps = append(v.Steps[n-1].Steps, fields)
			continue
		}
		kind := "sequential"
		if parallel {
			kind = "parallel"
		}
		v.Steps = append(v.Steps, RunLogStep{Type: kind, Steps: []map[string]any{fields}})
	}
	if n := len(steps); n > 0 {
		m, err := e.readMessage(ctx, r.acct, steps[n-1].MessageID)
		if err != nil {
			return v, err
		}
		if next := nextStepLog(r, m); next != nil {
			v.Steps = append(v.Steps, RunLogStep{Type: "next", Steps: []map[string]any{next}})
		}
	}
	return v, nil
}

// stepLog shows a step that has been added to a run, and whether it only plans another.
func stepLog(i int, s RunStep, m *message, trim bool) (fields map[string]any, planned bool) {
	fields = map[string]any{}
	if i == 0 {
		fields["stepName"], fields["stepType"], fields["concurrent"] = "init", "Initial", 1.0
		if !trim {
			fields["out"] = string(s.Body)
		}
	} else if json.Unmarshal(s.Body, &fields) != nil {
		fields = map[string]any{}
	}
	id, _ := fields["stepId"].(float64)
	planned = i > 0 && id == 0 && fields["targetStep"] != nil
	if trim {
		delete(fields, "out")
	}
	fields["callType"], fields["messageId"], fields["state"] = s.CallType, s.MessageID, "STEP_SUCCESS"
	if m != nil {
		fields["createdAt"], fields["headers"], fields["retries"] = m.rec.CreatedAt.UnixMilli(), m.rec.Redact.header(m.rec.Header), m.rec.maxRetries()
	}
	return fields, planned
}

// nextStepLog shows the delivery that a run waits for, or has ended with.
func nextStepLog(r *run, m *message) map[string]any {
	if m == nil || r.state == runSucceeded || m.state == stateDelivered && r.state == runRunning {
		return nil
	}
	state := "STEP_PROGRESS"
	switch {
	case r.state == runCancelled:
		state = "STEP_CANCELED"
	case r.state == runFailed:
		state = "STEP_FAILED"
	case m.retried > 0:
		state = "STEP_RETRY"
	}
	fields := map[string]any{"messageId": m.id, "state": state, "retries": m.rec.maxRetries()}
	failures := []map[string]any{}
	for _, text := range m.attrs.Get(attrEvents).Elems() {
		var ev event
		if json.Unmarshal([]byte(text), &ev) == nil && ev.State == EventError {
			failures = append(failures, map[string]any{"error": ev.Error, "body": string(ev.Body), "headers": ev.Header, "status": ev.Status, "time": ev.At})
		}
	}
	if len(failures) > 0 {
		fields["errors"] = failures
	}
	return fields
}

// Resumed is a run that goes on for one that has failed.
type Resumed struct {
	RunID     string `json:"workflowRunId"`
	CreatedAt int64  `json:"workflowCreatedAt"` // ms
}

// ResumeRuns starts new runs for the failed ones that a query selects: from the step
// that has failed on or, with restart, from the beginning.
func (e *Engine) ResumeRuns(ctx context.Context, acct string, q DLQQuery, restart bool, change Override) ([]Resumed, string, error) {
	list := []Resumed{}
	q.Filter.Workflow = true
	next, err := e.deadLetters(ctx, acct, q, func(d *dead) error {
		v, ok, err := e.resume(ctx, acct, d, restart, change)
		if ok {
			list = append(list, v)
		}
		return err
	})
	return list, next, err
}

// ResumeRun is ResumeRuns for one dead letter.
func (e *Engine) ResumeRun(ctx context.Context, acct, dlqID string, restart bool, change Override) (Resumed, error) {
	list, _, err := e.ResumeRuns(ctx, acct, DLQQuery{Filter: Filter{DLQIDs: []string{dlqID}}}, restart, change)
	if err == nil && len(list) == 0 {
		return Resumed{}, notFound("message %s not found in dlq", dlqID)
	}
	if err != nil {
		return Resumed{}, err
	}
	return list[0], nil
}

func (e *Engine) resume(ctx context.Context, acct string, d *dead, restart bool, change Override) (Resumed, bool, error) {
	old, err := e.readRun(ctx, acct, d.msg.rec.Workflow.RunID)
	if err != nil || old == nil {
		return Resumed{}, false, err
	}
	n := 1
	if !restart {
		n = int(d.msg.attrs.Get(attrStep).Num()) + 1
	}
	steps, err := e.runStepsUpTo(ctx, acct, old.id, n)
	if err != nil || len(steps) == 0 {
		return Resumed{}, false, err
	}
	o := old.Config
	if change != nil {
		change(&o)
		if err := o.check(&e.limits, e.now()); err != nil {
			return Resumed{}, false, err
		}
	}
	id := derivedID(runPrefix, e.now(), "resume", d.id) // by two calls at once, one run or the other is left without a dead letter
	if o.FailureCallback != nil && o.FailureCallback.Workflow != nil {
		failure := *o.FailureCallback
		w := *failure.Workflow
		w.RunID, failure.Workflow = id, &w
		o.FailureCallback = &failure
	}
	ok, err := e.dropDead(ctx, acct, d.id)
	if err != nil || !ok {
		return Resumed{}, false, err
	}
	// Its invoker has been told of the failure, and is not told again.
	o.Workflow = &Workflow{RunID: id, URL: old.URL, Init: true, Deadline: old.MayTake, LazyFetch: true}
	nd := e.newDraft(acct, &Request{Destination: old.URL, Body: steps[0].Body, Options: o}, "", Endpoint{URL: old.URL})
	nd.resumed = steps
	if _, err := e.startRun(ctx, nd); err != nil {
		return Resumed{}, false, err
	}
	return Resumed{id, nd.rec.CreatedAt.UnixMilli()}, true, nil
}

// RetryFailureCallback sends the failure callback of a failed run again.
func (e *Engine) RetryFailureCallback(ctx context.Context, acct, dlqID string) (Resumed, error) {
	d, err := e.readDead(ctx, acct, dlqID)
	if err != nil {
		return Resumed{}, err
	}
	if d == nil || d.msg.rec.Workflow == nil || d.letter.Callback == "" {
		return Resumed{}, notFound("message %s with a failure callback not found in dlq", dlqID)
	}
	m, err := e.readMessage(ctx, acct, d.letter.Callback)
	if err != nil {
		return Resumed{}, err
	}
	if m == nil {
		return Resumed{}, notFound("the failure callback of %s is no longer known", dlqID)
	}
	body, err := e.body(ctx, m)
	if err != nil {
		return Resumed{}, err
	}
	o := m.rec.Options
	o.NotBefore, o.Trail = time.Time{}, Trail{}
	nd := e.newDraft(acct, &Request{Destination: m.rec.URL, Body: body, Options: o}, "", Endpoint{URL: m.rec.URL})
	nd.hold = true
	letter := d.letter
	letter.Callback = nd.id
	text, err := json.Marshal(letter)
	if err != nil {
		return Resumed{}, fmt.Errorf("changing dead letter %s: %w", dlqID, err)
	}
	if err := e.storeOnce(ctx, nd); err != nil {
		return Resumed{}, err
	}
	if _, err := e.store.Apply(ctx, store.Update(dlqKey(acct, dlqID), store.Exists(attrJSON), store.Set(attrJSON, store.Bytes(string(text))))); err != nil {
		return Resumed{}, fmt.Errorf("changing dead letter %s: %w", dlqID, err)
	}
	return Resumed{d.msg.rec.Workflow.RunID, d.msg.rec.Workflow.CreatedAt.UnixMilli()}, nil
}

// CancelFailureCallback cancels the failure callback of a failed run.
func (e *Engine) CancelFailureCallback(ctx context.Context, acct, dlqID string) error {
	d, err := e.readDead(ctx, acct, dlqID)
	if err != nil {
		return err
	}
	if d == nil || d.letter.Callback == "" {
		return notFound("message %s with a failure callback not found in dlq", dlqID)
	}
	return e.Cancel(ctx, acct, d.letter.Callback)
}

// failureInfo says what became of a failure callback.
func (e *Engine) failureInfo(ctx context.Context, acct, id string) (*FailureCallbackInfo, error) {
	m, err := e.readMessage(ctx, acct, id)
	if err != nil || m == nil {
		return nil, err
	}
	info := &FailureCallbackInfo{State: "CALLBACK_INPROGRESS"}
	switch m.state {
	case stateDelivered:
		info.State = "CALLBACK_SUCCESS"
	case stateFailed:
		info.State = "CALLBACK_FAIL"
	case stateCancelled:
		info.State = "CALLBACK_CANCELED"
	}
	for _, text := range m.attrs.Get(attrEvents).Elems() {
		var ev event
		if json.Unmarshal([]byte(text), &ev) == nil && (ev.State == EventError || ev.State == EventDelivered) {
			info.ResponseStatus, info.ResponseBody, info.ResponseHeaders = ev.Status, string(ev.Body), ev.Header
		}
	}
	return info, nil
}
