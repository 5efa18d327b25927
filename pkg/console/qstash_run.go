package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

func qstashRunPages() []*page {
	const p = control.QStash
	return []*page{
		{route: "GET /r/{id}/runs", title: "Workflow runs", view: "qstash-runs", product: p, moves: true, nav: nav{groupData, "Workflow runs", "play"}, serve: showWorkflowRuns},
		{route: "GET /r/{id}/runs/{run}", title: "Workflow run", view: "qstash-run", product: p, moves: true, serve: showWorkflowRun},
		{route: "POST /r/{id}/runs/{run}/cancel", product: p, serve: cancelWorkflowRun},
		{route: "POST /r/{id}/runs/{run}/retry", product: p, serve: retryWorkflowRun},
		{route: "POST /r/{id}/runs/{run}/notify", product: p, serve: notifyWorkflowRun},
		{route: "POST /r/{id}/runs/{run}/resume", product: p, serve: resumeWorkflowRun},
	}
}

// States of runs.
const (
	runStarted   = "RUN_STARTED"
	runSuccess   = "RUN_SUCCESS"
	runFailed    = "RUN_FAILED"
	runCancelled = "RUN_CANCELED"
)

// runRow is a workflow run as pages show it.
type runRow struct {
	qstash.RunLog
	Badge      stateBadge
	Path       string
	Start, End time.Time // End: zero if it goes on
	Took       string    // "" if it goes on
}

func (r *request) runRow(l qstash.RunLog) runRow {
	row := runRow{RunLog: l, Badge: badgeOf(l.State), Path: r.path("runs", l.RunID), Start: time.UnixMilli(l.CreatedAt)}
	if l.CompletedAt > 0 {
		row.End = time.UnixMilli(l.CompletedAt)
		row.Took = duration(row.End.Sub(row.Start))
	}
	return row
}

// duration writes a length of time with as much precision as matters.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return span(d.Round(time.Minute))
}

// runsPage is what the view "qstash-runs" shows.
type runsPage struct {
	State, Workflow, Run string
	States               []option
	Rows                 []runRow
	First, Next          string
	Filtered             bool
}

func showWorkflowRuns(r *request) error {
	q := r.URL.Query()
	p := &runsPage{State: q.Get("state"), Workflow: q.Get("url"), Run: q.Get("run"), States: []option{{"", "All runs"}}}
	for _, s := range []string{runStarted, runSuccess, runFailed, runCancelled} {
		p.States = append(p.States, option{s, stateNames[s]})
	}
	p.Filtered = p.State != "" || p.Workflow != "" || p.Run != ""
	list, next, err := r.h.qstash.Runs(r.Context(), r.resource.ID, qstash.RunFilter{
		RunIDs: only(p.Run), URL: only(p.Workflow), State: only(p.State),
	}, q.Get("cursor"), deliveriesPerPage)
	if err != nil {
		return qstashError(err)
	}
	for _, l := range list {
		p.Rows = append(p.Rows, r.runRow(l))
	}
	if err := r.markWaiting(p.Rows); err != nil {
		return err
	}
	p.First, p.Next = r.turn(q, next)
	return r.render(p)
}

// runStep is a step of a run in the timeline.
type runStep struct {
	Name, Kind string
	Badge      stateBadge
	At         time.Time // zero: not known
	Parallel   bool      // it runs beside others
	Message    string    // address of its message; "" if it has none
	Facts      [][2]string
	Out        preview
	Errors     []stepError
	Attempts   string    // "" if there was one at most
	Done       bool      // it has a result
	Event      string    // that it waits for, or has waited for
	Until      time.Time // it waits no longer
	Wakes      time.Time // of one that sleeps; zero: it does not
	Child      string    // address of the run that it has started; "": none
	ChildID    string
}

// stepError is an attempt at a step that has failed.
type stepError struct {
	At     time.Time
	Status int
	Text   string
	Body   preview
}

// stepFields are the fields of a step that the page shows. Workflow SDKs write steps; other fields
// are ignored.
type stepFields struct {
	StepID     float64         `json:"stepId"`
	TargetStep float64         `json:"targetStep"`
	StepName   string          `json:"stepName"`
	StepType   string          `json:"stepType"`
	CallType   string          `json:"callType"`
	MessageID  string          `json:"messageId"`
	State      string          `json:"state"`
	CreatedAt  int64           `json:"createdAt"`
	Out        json.RawMessage `json:"out"`
	SleepFor   json.RawMessage `json:"sleepFor"`
	SleepUntil float64         `json:"sleepUntil"` // Unix seconds
	Event      string          `json:"waitEventId"`
	WaitUntil  float64         `json:"waitTimeoutDeadline"` // Unix ms
	ChildRun   string          `json:"invokedWorkflowRunId"`
	CallMethod string          `json:"callMethod"`
	CallURL    string          `json:"callUrl"`
	Errors     []struct {
		Error  string `json:"error"`
		Body   string `json:"body"`
		Status int    `json:"status"`
		Time   int64  `json:"time"`
	} `json:"errors"`
}

// runSteps are the steps of a run, the first one first. A step that was planned is left out once
// there is what came of it.
func (r *request) runSteps(l *qstash.RunLog) ([]runStep, error) {
	var list []runStep
	done := map[float64]bool{}
	var all []stepFields
	var parallel []bool
	for _, group := range l.Steps {
		for _, fields := range group.Steps {
			f, err := readStep(fields)
			if err != nil {
				return nil, err
			}
			if f.StepID > 0 {
				done[f.StepID] = true
			}
			all, parallel = append(all, f), append(parallel, group.Type == "parallel")
		}
	}
	for i, f := range all {
		planned := f.StepID == 0 && f.TargetStep > 0
		if planned && done[f.TargetStep] {
			continue
		}
		if planned {
			f.State = "STEP_PROGRESS"
			if l.State != runStarted {
				f.State = "STEP_CANCELED"
			}
		}
		s := f.step(parallel[i])
		s.Attempts = attempts(&s)
		if f.ChildRun != "" {
			s.Child, s.ChildID = r.path("runs", f.ChildRun), f.ChildRun
		}
		if f.MessageID != "" {
			s.Message = r.path("messages", f.MessageID)
		}
		list = append(list, s)
	}
	return list, nil
}

// readStep reads the fields of a step.
func readStep(fields map[string]any) (f stepFields, err error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return f, err
	}
	var wrong *json.UnmarshalTypeError // a field that its workflow uses in another way
	if err := json.Unmarshal(text, &f); err != nil && !errors.As(err, &wrong) {
		return f, err
	}
	return f, nil
}

// waits reports whether the step waits for an event.
func (f *stepFields) waits() bool { return f.Event != "" && f.State != "STEP_SUCCESS" }

func (f *stepFields) step(parallel bool) runStep {
	s := runStep{Name: f.StepName, Kind: f.StepType, Badge: badgeOf(f.State), Parallel: parallel, Out: previewOf(plainText(f.Out), 8<<10)}
	switch {
	case f.StepName == "init" && f.StepType == "Initial":
		s.Name, s.Kind = "Started", ""
	case s.Name == "" && f.CallType == "":
		s.Name = "Next call of the workflow"
	case s.Name == "":
		s.Name = "Step"
	}
	if f.CreatedAt > 0 {
		s.At = time.UnixMilli(f.CreatedAt)
	}
	fact := func(name, value string) {
		if value != "" {
			s.Facts = append(s.Facts, [2]string{name, line(value)})
		}
	}
	if text := plainText(f.SleepFor); text != "" && text != "0" {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			text += "s"
		}
		fact("Sleeps for", text)
	}
	if f.SleepUntil > 0 {
		fact("Sleeps until", time.Unix(int64(f.SleepUntil), 0).UTC().Format("2 Jan 2006, 15:04:05 UTC"))
	}
	s.Done, s.Event = f.State == "STEP_SUCCESS", f.Event
	switch {
	case f.waits():
		s.Badge = stateBadge{"Waiting", "warn"}
		fact("Waits for event", f.Event)
	default:
		fact("Has waited for event", f.Event)
	}
	if f.WaitUntil > 0 {
		s.Until = time.UnixMilli(int64(f.WaitUntil))
	}
	s.Wakes = f.wakes(s.At)
	if f.CallURL != "" {
		fact("Calls", f.CallMethod+" "+f.CallURL)
	}
	for _, e := range f.Errors {
		s.Errors = append(s.Errors, stepError{time.UnixMilli(e.Time), e.Status, e.Error, previewOf(e.Body, 4<<10)})
	}
	return s
}

// wakes is when a step ends that sleeps, and has begun to at a time; zero: it does not sleep.
func (f *stepFields) wakes(at time.Time) time.Time {
	if f.SleepUntil > 0 {
		return time.Unix(int64(f.SleepUntil), 0)
	}
	text := plainText(f.SleepFor)
	if at.IsZero() || text == "" {
		return time.Time{}
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if n <= 0 {
			return time.Time{}
		}
		return at.Add(time.Duration(n * float64(time.Second)))
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return at.Add(d)
	}
	return time.Time{}
}

// plainText is a string of JSON, or else the JSON.
func plainText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil || string(raw) == "null" {
		return text
	}
	return string(raw)
}

// runPage is what the view "qstash-run" shows.
type runPage struct {
	runRow
	Steps    []runStep
	Bars     []bar
	Waits    []wait
	Result   preview
	Running  bool
	Retrying bool // a step of it waits for a retry
	Deadline time.Time
	Dead     *qstash.DeadMessage // nil: it cannot be resumed
	Answer   preview             // of the last attempt, if Dead
	Callback *qstash.FailureCallbackInfo
	Invoked  string // address of the run that has started it
}

// workflowRun reads the run that the address names.
func (r *request) workflowRun() (*qstash.RunLog, error) {
	list, _, err := r.h.qstash.RunLogs(r.Context(), r.resource.ID, qstash.RunFilter{RunIDs: []string{r.PathValue("run")}}, "", 1, false)
	if err != nil {
		return nil, qstashError(err)
	}
	if len(list) == 0 {
		return nil, notFound("workflow run")
	}
	return &list[0], nil
}

func showWorkflowRun(r *request) error {
	l, err := r.workflowRun()
	if err != nil {
		return err
	}
	p := &runPage{runRow: r.runRow(*l), Running: l.State == runStarted, Result: previewOf(l.Response, 32<<10)}
	if p.Steps, err = r.runSteps(l); err != nil {
		return err
	}
	p.Bars = waterfall(p.Steps, p.Start, p.End, r.h.now())
	if p.Waits, err = waitsOf(l); err != nil {
		return err
	}
	if len(p.Waits) > 0 {
		p.Badge = stateBadge{"Waiting for an event", "warn"}
	}
	for _, s := range p.Steps {
		p.Retrying = p.Retrying || p.Running && s.Badge == badgeOf("STEP_RETRY")
	}
	if l.Deadline > 0 {
		p.Deadline = time.UnixMilli(l.Deadline)
	}
	if l.Invoker != nil {
		p.Invoked = r.path("runs", l.Invoker.RunID)
	}
	if l.DLQID != "" {
		d, err := r.h.qstash.DeadLetter(r.Context(), r.resource.ID, l.DLQID)
		ref := refused(qstashError(err))
		switch {
		case err == nil:
			p.Dead, p.Callback, p.Answer = &d, d.FailureCallbackInfo, previewOf(d.ResponseBody+string(d.ResponseBodyBase64), 8<<10)
		case ref == nil || ref.Status != http.StatusNotFound:
			return err
		}
	}
	return r.render(p)
}

func cancelWorkflowRun(r *request) error {
	l, err := r.workflowRun()
	if err != nil {
		return err
	}
	if l.State != runStarted {
		return edge.Refuse(http.StatusConflict, "It has ended already, so there is nothing to cancel.")
	}
	if err := r.h.qstash.CancelRun(r.Context(), r.resource.ID, l.RunID); err != nil {
		return qstashError(err)
	}
	return r.redirect(r.path("runs", l.RunID), "Cancelled.")
}

func retryWorkflowRun(r *request) error {
	id := r.PathValue("run")
	n, err := r.h.qstash.RetryRunNow(r.Context(), r.resource.ID, id)
	if err != nil {
		return qstashError(err)
	}
	if n == 0 {
		return r.redirect(r.path("runs", id), "Nothing of it waits for a retry.")
	}
	return r.redirect(r.path("runs", id), "What waits for a retry is sent now.")
}

func resumeWorkflowRun(r *request) error {
	l, err := r.workflowRun()
	if err != nil {
		return err
	}
	restart := r.form("restart") != ""
	next, err := r.h.qstash.ResumeRun(r.Context(), r.resource.ID, l.DLQID, restart, nil)
	if ref := refused(qstashError(err)); ref != nil && ref.Status == http.StatusNotFound {
		return edge.Refuse(http.StatusConflict, "It can no longer be resumed. Somebody may have done so already, or its dead letter was deleted.")
	}
	if err != nil {
		return qstashError(err)
	}
	text := "This new run goes on from the step that had failed."
	if restart {
		text = "This new run has begun from the first step."
	}
	return r.redirect(r.path("runs", next.RunID), text)
}
