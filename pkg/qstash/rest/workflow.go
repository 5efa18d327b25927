package rest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/qstash"
)

// Header fields of workflows.
const (
	runIDHeader   = "Upstash-Workflow-Runid"
	bySDKHeader   = "Upstash-Workflow-Trigger-By-Sdk"
	invokeHeader  = "Upstash-Workflow-Invoke"
	sdkHeader     = "Upstash-Workflow-Sdk-Version"
	featureHeader = "Upstash-Feature-Set"
)

// parseWorkflow reads what a message has to do with a workflow run.
func parseWorkflow(h http.Header) *qstash.Workflow {
	id := h.Get(runIDHeader)
	if id == "" {
		return nil
	}
	w := &qstash.Workflow{
		RunID:     id,
		URL:       h.Get("Upstash-Workflow-Url"),
		Init:      strings.EqualFold(h.Get("Upstash-Workflow-Init"), "true"),
		BySDK:     strings.EqualFold(h.Get(bySDKHeader), "true"),
		LazyFetch: slices.Contains(list(h.Get(featureHeader)), "LazyFetch"),
	}
	for _, known := range []string{qstash.CallTo, qstash.CallFrom, qstash.CallFailure} {
		if strings.EqualFold(h.Get("Upstash-Workflow-Calltype"), known) {
			w.CallType = known
		}
	}
	return w
}

// looseHeader is a header in JSON, whose values may be texts or arrays of them; clients
// send other things along, which are left out.
type looseHeader map[string]json.RawMessage

func (l looseHeader) header() http.Header {
	h := http.Header{}
	for name, raw := range l {
		var one string
		var many []string
		switch {
		case json.Unmarshal(raw, &many) == nil:
			h[textproto.CanonicalMIMEHeaderKey(name)] = many
		case json.Unmarshal(raw, &one) == nil:
			h[textproto.CanonicalMIMEHeaderKey(name)] = []string{one}
		}
	}
	return h
}

// invoke completes the start of a run by another one: the body tells of that.
func invoke(h http.Header, req *qstash.Request) error {
	w := req.Options.Workflow
	if w == nil || !w.Init || !strings.EqualFold(h.Get(invokeHeader), "true") {
		return nil
	}
	var by struct {
		URL     string          `json:"workflowUrl"`
		RunID   string          `json:"workflowRunId"`
		Headers looseHeader     `json:"headers"`
		Step    json.RawMessage `json:"step"`
		Body    *string         `json:"body"`
	}
	if err := json.Unmarshal(req.Body, &by); err != nil || by.RunID == "" || !isURL(by.URL) || len(by.Step) == 0 {
		return badRequest("invalid invoke request")
	}
	o, err := parseOptions(by.Headers.header())
	if err != nil {
		return err
	}
	w.Invoker = &qstash.Invoker{RunID: by.RunID, URL: by.URL, Options: o, Step: by.Step}
	if by.Body != nil {
		w.Invoker.Body = []byte(*by.Body)
	}
	return nil
}

// hook serves the addresses that third parties call to tell a run of an event; whoever
// knows one may. It reports whether the path is one.
func (c *call) hook() (handled bool, err error) {
	rest, ok := c.after("workflows", "hooks")
	if !ok || c.version1 {
		return false, nil
	}
	parts, err := segments(rest)
	if err != nil || len(parts) != 3 || slices.Contains(parts, "") {
		return true, errNotFound
	}
	body, err := c.body(maxEvent)
	if err != nil {
		return true, err
	}
	header := map[string][]string(c.r.Header)
	data, err := json.Marshal(map[string]any{"method": c.r.Method, "header": header, "body": body, "proto": c.scheme(), "host": c.r.Host, "url": c.r.RequestURI})
	if err != nil {
		return true, err
	}
	if _, err := c.h.engine.Notify(c.r.Context(), parts[0], parts[2], parts[1], data); err != nil {
		return true, err
	}
	return true, c.ok(struct{}{})
}

// scheme is the one that the client has used.
func (c *call) scheme() string {
	if c.r.TLS != nil || strings.EqualFold(c.r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https"
	}
	return "http"
}

// maxEvent bounds what comes along with an event.
const maxEvent = 128 << 10

func (c *call) trigger(dest string) error {
	body, err := c.body(int64(c.h.engine.Limits().MaxMessageBytes))
	if err != nil {
		return err
	}
	run, err := c.start(dest, c.header(), body)
	if err != nil {
		return err
	}
	return c.ok(run)
}

// start starts a run without an SDK. Its id may be chosen.
func (c *call) start(dest string, h http.Header, body []byte) (map[string]any, error) {
	if h.Get(runIDHeader) == "" {
		h.Set(runIDHeader, "wfr_"+rand.Text())
	}
	h.Set("Upstash-Workflow-Init", "true")
	req, err := c.request(dest, "", h, body)
	if err != nil {
		return nil, err
	}
	req.Options.Workflow.UnknownSDK = h.Get(sdkHeader) == "" && h.Get(forwardPrefix+sdkHeader) == ""
	out := c.h.engine.Publish(c.r.Context(), c.acct, []qstash.Request{req})[0]
	if out.Err != nil {
		return nil, out.Err
	}
	if out.Group {
		return nil, badRequest("a workflow is triggered by its url")
	}
	logs, _, err := c.h.engine.RunLogs(c.r.Context(), c.acct, qstash.RunFilter{RunIDs: []string{h.Get(runIDHeader)}}, "", 1, true)
	if err != nil {
		return nil, err
	}
	run := map[string]any{"workflowRunId": h.Get(runIDHeader)}
	if len(logs) > 0 {
		run["workflowCreatedAt"] = logs[0].CreatedAt
	}
	if out.Messages[0].Deduplicated {
		run["deduplicated"] = true
	}
	return run, nil
}

func (c *call) batchTrigger() error {
	items, err := c.batchItems()
	if err != nil {
		return err
	}
	runs := make([]any, len(items))
	for i, it := range items {
		h := http.Header{}
		for name, values := range looseHeader(it.Headers).header() {
			h[name] = values
		}
		var body []byte
		if it.Body != nil {
			body = []byte(*it.Body)
		}
		if runs[i], err = c.start(it.Destination, h, body); err != nil {
			if runs[i], err = itemError(err); err != nil {
				return err
			}
		}
	}
	return c.answer(http.StatusCreated, runs)
}

func (c *call) wait() error {
	if !c.is("wait", "*") || !c.changes() {
		return c.unserved("wait")
	}
	var req struct {
		URL            string          `json:"url"`
		Timeout        string          `json:"timeout"`
		TimeoutURL     string          `json:"timeoutUrl"`
		TimeoutHeaders looseHeader     `json:"timeoutHeaders"`
		Step           json.RawMessage `json:"step"`
	}
	if err := c.json(&req); err != nil {
		return err
	}
	if len(req.Step) == 0 {
		return badRequest("step is required")
	}
	if req.TimeoutURL == "" {
		req.TimeoutURL = req.URL
	}
	timeout, err := qstash.ParseDuration(req.Timeout)
	if err != nil {
		return err
	}
	h := c.header()
	o, err := parseOptions(h)
	if err != nil {
		return err
	}
	late, err := parseOptions(req.TimeoutHeaders.header())
	if err != nil {
		return err
	}
	id := h.Get(runIDHeader)
	if id == "" {
		id = req.TimeoutHeaders.header().Get(runIDHeader)
	}
	if id == "" {
		return badRequest("workflow run id is required")
	}
	return c.done(c.h.engine.Wait(c.r.Context(), c.acct, c.seg[1], qstash.WaitRequest{
		RunID: id, URL: req.URL, Timeout: timeout, TimeoutURL: req.TimeoutURL, Step: req.Step, Options: o, TimeoutOptions: late}))
}

func (c *call) notify() error {
	if !c.changes() || !c.is("notify", "*") && !c.is("notify", "*", "*") {
		return c.unserved("notify")
	}
	event, runID := c.seg[len(c.seg)-1], ""
	if len(c.seg) == 3 {
		runID = c.seg[1]
	}
	data, err := c.body(maxEvent)
	if err != nil {
		return err
	}
	list, err := c.h.engine.Notify(c.r.Context(), c.acct, event, runID, data)
	if err != nil {
		return err
	}
	return c.ok(list)
}

func (c *call) waiters() error {
	if !c.is("waiters", "*") || c.r.Method != http.MethodGet {
		return c.unserved("waiters")
	}
	list, err := c.h.engine.Waiters(c.r.Context(), c.acct, c.seg[1])
	if err != nil {
		return err
	}
	return c.ok(list)
}

func (c *call) workflows() error {
	ctx, e := c.r.Context(), c.h.engine
	get, del := c.r.Method == http.MethodGet, c.r.Method == http.MethodDelete
	switch {
	case c.is("workflows", "runs", "*") && get:
		steps, err := e.RunSteps(ctx, c.acct, c.seg[2])
		if err != nil {
			return err
		}
		return c.ok(steps)
	case c.is("workflows", "runs", "*") && del:
		return c.endRun(c.seg[2])
	case c.is("workflows", "runs") && del:
		return c.cancelRuns()
	case (c.is("workflows", "events") || c.is("workflows", "logs")) && get:
		return c.runLogs()
	case c.is("workflows", "dlq") && (get || del):
		s, err := c.selects(dlqFilters, maxDLQ)
		if err != nil {
			return err
		}
		s.filter.Workflow = true
		if get {
			return c.listDLQ(s)
		}
		return c.deleteDLQ(s)
	case (c.is("workflows", "dlq", "resume") || c.is("workflows", "dlq", "restart")) && c.changes():
		return c.resumeRuns(strings.EqualFold(c.seg[2], "restart"))
	case (c.is("workflows", "dlq", "resume", "*") || c.is("workflows", "dlq", "restart", "*")) && c.changes():
		change, err := c.override()
		if err != nil {
			return err
		}
		run, err := e.ResumeRun(ctx, c.acct, c.seg[3], strings.EqualFold(c.seg[2], "restart"), change)
		if err != nil {
			return err
		}
		return c.ok(run)
	case c.is("workflows", "dlq", "callback", "*") && c.changes():
		run, err := e.RetryFailureCallback(ctx, c.acct, c.seg[3])
		if err != nil {
			return err
		}
		return c.ok(run)
	case c.is("workflows", "dlq", "callback", "*") && del:
		return c.done(e.CancelFailureCallback(ctx, c.acct, c.seg[3]))
	case c.is("workflows", "dlq", "*") && get:
		m, err := e.DeadLetter(ctx, c.acct, c.seg[2])
		if err != nil {
			return err
		}
		return c.ok(m)
	case c.is("workflows", "dlq", "*") && del:
		return c.done(e.DeleteDeadLetter(ctx, c.acct, c.seg[2]))
	}
	return errNotFound
}

// endRun ends a run as its workflow says, or cancels it.
func (c *call) endRun(id string) error {
	q, err := url.ParseQuery(c.query)
	if err != nil {
		return badRequest("invalid query")
	}
	if q.Get("cancel") != "false" {
		return c.done(c.h.engine.CancelRun(c.r.Context(), c.acct, id))
	}
	body, err := c.body(int64(c.h.engine.Limits().MaxMessageBytes))
	if err != nil {
		return err
	}
	return c.done(c.h.engine.FinishRun(c.r.Context(), c.acct, id, body))
}

const (
	cancelFilters = "workflowRunIds workflowUrl workflowUrlExactMatch label callerIp flowControlKey fromDate toDate count"
	runFilters    = "workflowUrl workflowRunId workflowCreatedAt workflowRuns state label callerIp flowControlKey fromDate toDate count trimBody cursor groupBy order"
	maxRuns       = 1000
	maxRunGroups  = 10
)

// runFilter reads the filters of runs, with those that only runs have.
func (c *call) runFilter(names string, maxCount int) (qstash.RunFilter, selection, error) {
	exact, runs := true, []string(nil)
	q, err := url.ParseQuery(c.query)
	if err != nil {
		return qstash.RunFilter{}, selection{}, badRequest("invalid query")
	}
	prefixed := strings.Contains(names, "workflowUrlExactMatch")
	if prefixed {
		exact = strings.EqualFold(q.Get("workflowUrlExactMatch"), "true")
	}
	for _, item := range q["workflowRuns"] {
		for _, one := range list(item) {
			id, _, _ := strings.Cut(one, "@")
			runs = append(runs, id)
		}
	}
	q.Del("workflowUrlExactMatch")
	q.Del("workflowRuns")
	c.query = q.Encode()
	s, err := c.selects(names, maxCount)
	if err != nil {
		return qstash.RunFilter{}, s, err
	}
	f := qstash.RunFilter{RunIDs: append(s.filter.RunID, runs...), State: s.filter.State, Label: s.filter.Label, CallerIP: s.filter.CallerIP,
		FlowKey: s.filter.FlowKey, From: s.filter.From, To: s.filter.To}
	if len(s.filter.WorkflowURL) > 1 {
		return f, s, badRequest("more than one workflowUrl")
	}
	if len(s.filter.WorkflowURL) == 1 && exact {
		f.URL = s.filter.WorkflowURL[0]
	} else if len(s.filter.WorkflowURL) == 1 {
		f.URLPrefix = s.filter.WorkflowURL[0]
	}
	return f, s, nil
}

func (c *call) cancelRuns() error {
	f, s, err := c.runFilter(cancelFilters, maxRuns)
	if err != nil {
		return err
	}
	total := 0
	for {
		n, err := c.h.engine.CancelRuns(c.r.Context(), c.acct, f, s.count)
		if err != nil {
			return err
		}
		if total += n; s.counted || n < s.count {
			return c.ok(map[string]int{"cancelled": total})
		}
	}
}

func (c *call) runLogs() error {
	f, s, err := c.runFilter(runFilters, maxRuns)
	if err != nil {
		return err
	}
	if !s.counted {
		s.count = maxRunGroups
	}
	cursor := ""
	if s.cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(s.cursor)
		if err != nil {
			return badRequest("invalid cursor")
		}
		cursor = string(raw)
	}
	list, next, err := c.h.engine.RunLogs(c.r.Context(), c.acct, f, cursor, s.count, s.trim)
	if err != nil {
		return err
	}
	if next != "" {
		next = base64.RawURLEncoding.EncodeToString([]byte(next))
	}
	return c.page(http.StatusOK, "runs", list, next)
}

func (c *call) resumeRuns(restart bool) error {
	s, err := c.selects(dlqFilters, maxResume)
	if err != nil {
		return err
	}
	change, err := c.override()
	if err != nil {
		return err
	}
	list, next, err := c.h.engine.ResumeRuns(c.r.Context(), c.acct, s.dlq(), restart, change)
	if err != nil {
		return err
	}
	return c.page(http.StatusOK, "workflowRuns", list, next)
}

// maxResume bounds the runs that one call resumes.
const maxResume = 50

// endsBatch reports whether the failure of one message is answered for all: a workflow
// asks in this way whether its run still goes on.
func endsBatch(err error) bool { return errors.Is(err, qstash.ErrRunEnded) }
