package qstash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// RunFilter selects workflow runs.
type RunFilter struct {
	RunIDs    []string
	Runs      []RunRef // further ones
	URL       []string
	URLPrefix []string
	State     []string // of the run, or of its steps
	MessageID []string // of its steps
	Label     []string
	CallerIP  []string
	FlowKey   []string
	From, To  int64 // ms of their creation, inclusive; 0: no bound
}

// RunRef names a run by its id, and by the time of its creation unless that is 0.
type RunRef struct {
	ID      string
	Created int64 // ms
}

// matches judges a run by itself; see matchesSteps.
func (f *RunFilter) matches(r *run) bool {
	created := r.CreatedAt.UnixMilli()
	return f.names(r.id, created) && anyOf(f.URL, r.URL) && f.prefixes(r.URL) &&
		anyOf(f.runStates(), runStates[r.state]) && anyOf(f.CallerIP, r.CallerIP) &&
		created >= f.From && (f.To == 0 || created <= f.To) &&
		(len(f.Label) == 0 || slices.ContainsFunc(r.Config.Labels, func(l string) bool { return slices.Contains(f.Label, l) })) &&
		(len(f.FlowKey) == 0 || r.Config.Flow != nil && slices.Contains(f.FlowKey, r.Config.Flow.Key))
}

func (f *RunFilter) names(id string, created int64) bool {
	if len(f.RunIDs) == 0 && len(f.Runs) == 0 {
		return true
	}
	return slices.Contains(f.RunIDs, id) || slices.ContainsFunc(f.Runs, func(r RunRef) bool { return r.ID == id && (r.Created == 0 || r.Created == created) })
}

func (f *RunFilter) prefixes(url string) bool {
	return len(f.URLPrefix) == 0 || slices.ContainsFunc(f.URLPrefix, func(p string) bool { return strings.HasPrefix(url, p) })
}

// stepState tells the states of steps from those of runs.
func stepState(state string) bool { return strings.HasPrefix(state, "STEP_") }

func (f *RunFilter) runStates() []string {
	return slices.DeleteFunc(slices.Clone(f.State), stepState)
}

// bySteps reports whether a run is judged by its log, too.
func (f *RunFilter) bySteps() bool {
	return len(f.MessageID) > 0 || slices.ContainsFunc(f.State, stepState)
}

// matchesSteps judges a run by its log: one step has the id, and one a state, that the filter names.
func (f *RunFilter) matchesSteps(v *RunLog) bool {
	states := slices.DeleteFunc(slices.Clone(f.State), func(s string) bool { return !stepState(s) })
	id, state := len(f.MessageID) == 0, len(states) == 0
	for _, g := range v.Steps {
		for _, s := range g.Steps {
			own, _ := s["messageId"].(string)
			is, _ := s["state"].(string)
			id, state = id || slices.Contains(f.MessageID, own), state || slices.Contains(states, is)
		}
	}
	return id && state
}

var runStates = map[runState]string{runRunning: "RUN_STARTED", runSucceeded: "RUN_SUCCESS", runFailed: "RUN_FAILED", runCancelled: "RUN_CANCELED"}

// runs calls f with the runs that a filter selects, the latest first, from behind cursor.
func (e *Engine) runs(ctx context.Context, acct string, filter RunFilter, cursor string, f func(sort string, r *run) (bool, error)) error {
	if len(filter.RunIDs) > 0 || len(filter.Runs) > 0 {
		ids := slices.Clone(filter.RunIDs)
		for _, ref := range filter.Runs {
			ids = append(ids, ref.ID)
		}
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
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
	Failure     *RunFailure  `json:"failureFunction,omitempty"`
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
		v, err := view(r)
		if err != nil || filter.bySteps() && !filter.matchesSteps(&v) {
			return true, err
		}
		last = sort
		list = append(list, v)
		return true, nil
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
	first, err := e.runStepsUpTo(ctx, acct, old.id, 1)
	if err != nil || len(first) == 0 {
		return Resumed{}, false, err
	}
	begin := &resumption{entries: first}
	if !restart {
		if begin, err = e.resumption(ctx, old, d.msg); err != nil || begin == nil {
			return Resumed{}, false, err
		}
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
	// Its invoker has been told of the failure, and is not told again.
	o.Workflow = &Workflow{RunID: id, URL: old.URL, Init: true, Deadline: old.MayTake, LazyFetch: true}
	nd := e.newDraft(acct, &Request{Destination: old.URL, Body: first[0].Body, Options: o}, "", Endpoint{URL: old.URL})
	nd.whole = old.whole()
	nd.resumed, nd.also = begin.entries, begin.drafts(e, acct, id, old.URL)
	nd.taken = []store.Op{store.Delete(dlqKey(acct, d.id), store.Exists(attrJSON))}
	if _, err := e.startRun(ctx, nd); err != nil {
		if errors.Is(err, errTaken) {
			err = nil // somebody else has resumed it
		}
		return Resumed{}, false, err
	}
	return Resumed{id, nd.rec.CreatedAt.UnixMilli()}, true, nil
}

// RetryFailureCallback sends the failure callback of a failed run again, if it has failed or was cancelled.
func (e *Engine) RetryFailureCallback(ctx context.Context, acct, dlqID string) (Resumed, error) {
	d, m, err := e.failureCallback(ctx, acct, dlqID)
	if err != nil {
		return Resumed{}, err
	}
	switch {
	case m == nil:
		return Resumed{}, invalid("the run of %s has no failure callback", dlqID)
	case !m.state.finished():
		return Resumed{}, invalid("the failure callback of %s is in progress", dlqID)
	case m.state == stateDelivered:
		return Resumed{}, invalid("the failure callback of %s has succeeded", dlqID)
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
	err = e.commitDraft(ctx, nd, store.Absent(attrState),
		store.Update(dlqKey(acct, dlqID), store.Same(attrJSON, d.attrs.Get(attrJSON)), store.Set(attrJSON, store.Bytes(string(text)))))
	if unmet := (*unmetError)(nil); errors.As(err, &unmet) {
		return Resumed{}, invalid("the failure callback of %s is in progress", dlqID) // somebody else has sent it
	}
	if err != nil {
		return Resumed{}, err
	}
	return Resumed{d.msg.rec.Workflow.RunID, d.msg.rec.Workflow.CreatedAt.UnixMilli()}, nil
}

// CancelFailureCallback cancels the failure callback of a failed run, if it is in progress.
func (e *Engine) CancelFailureCallback(ctx context.Context, acct, dlqID string) error {
	_, m, err := e.failureCallback(ctx, acct, dlqID)
	if err != nil {
		return err
	}
	if m == nil || m.state.finished() {
		return notInProgress(dlqID)
	}
	ok, err := e.cancelAsked(ctx, acct, m.id)
	if err == nil && !ok { // it has ended meanwhile, or is cancelled after the attempt under way
		return notInProgress(dlqID)
	}
	return err
}

func notInProgress(dlqID string) error {
	return invalid("the failure callback of %s is not in progress", dlqID)
}

// failureCallback reads a dead letter, and the message of its failure callback, nil if there is none.
func (e *Engine) failureCallback(ctx context.Context, acct, dlqID string) (*dead, *message, error) {
	d, err := e.readDead(ctx, acct, dlqID)
	if err == nil && (d == nil || d.msg.rec.Workflow == nil) {
		err = notFound("message %s not found in dlq", dlqID)
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := e.readMessage(ctx, acct, d.letter.Callback)
	return d, m, err
}

// failureInfo says what became of a failure callback.
func failureInfo(m *message) *FailureCallbackInfo {
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
	return info
}
