package rest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

// Header fields of workflows.
const (
	runIDHeader    = "Upstash-Workflow-Runid"
	runURLHeader   = "Upstash-Workflow-Url"
	initHeader     = "Upstash-Workflow-Init"
	callTypeHeader = "Upstash-Workflow-Calltype"
	bySDKHeader    = "Upstash-Workflow-Trigger-By-Sdk"
	invokeHeader   = "Upstash-Workflow-Invoke"
	invokesHeader  = "Upstash-Workflow-Invoke-Count"
	sdkHeader      = "Upstash-Workflow-Sdk-Version"
	unknownHeader  = "Upstash-Workflow-Unknown-Sdk"
	featureHeader  = "Upstash-Feature-Set"
)

// continuesRun reports whether a message continues a workflow run that there must be: its own, or the one
// that invokes another.
func continuesRun(h http.Header) bool {
	return h.Get(runIDHeader) != "" && (!isTrue(h.Get(initHeader)) || isTrue(h.Get(invokeHeader)))
}

func isTrue(text string) bool { return strings.EqualFold(text, "true") }

// runsIn reports whether a batch has messages of workflow runs, and whether one of them continues its run.
func runsIn(items []batchItem) (some, continues bool) {
	for _, it := range items {
		h := looseHeader(it.Headers).header()
		some = some || h.Get(runIDHeader) != ""
		continues = continues || continuesRun(h)
	}
	return some, continues
}

// allContinue reports whether all messages of a batch continue their runs.
func allContinue(items []batchItem) bool {
	return !slices.ContainsFunc(items, func(it batchItem) bool { return !continuesRun(looseHeader(it.Headers).header()) })
}

// refuseRun is the refusal of a message that continues a run, if it does: 400 says that the run has ended,
// and all that can never be accepted is 412, see qstash.Engine.Publish.
func refuseRun(continues bool, err error) error {
	if !continues || err == nil || errors.Is(err, qstash.ErrRunEnded) {
		return err
	}
	e := edge.Of(answerOf(err))
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge:
		return edge.Refuse(http.StatusPreconditionFailed, e.Text)
	}
	return err
}

// parseWorkflow reads what a message has to do with a workflow run.
func parseWorkflow(h http.Header) *qstash.Workflow {
	id := h.Get(runIDHeader)
	if id == "" {
		return nil
	}
	w := &qstash.Workflow{
		RunID:     id,
		URL:       h.Get(runURLHeader),
		Init:      isTrue(h.Get(initHeader)),
		BySDK:     isTrue(h.Get(bySDKHeader)),
		LazyFetch: slices.Contains(list(h.Get(featureHeader)), "LazyFetch"),
	}
	if w.Init {
		w.UnknownSDK = isTrue(h.Get(unknownHeader)) || isTrue(h.Get(forwardPrefix+unknownHeader))
		if slices.Contains(list(h.Get(featureHeader)), "WF_DetectTrigger") {
			w.Detect = qstash.DetectVersion
		}
	}
	for _, known := range []string{qstash.CallTo, qstash.CallFrom, qstash.CallFailure} {
		if strings.EqualFold(h.Get(callTypeHeader), known) {
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
			h[fieldName(name)] = many
		case json.Unmarshal(raw, &one) == nil:
			h[fieldName(name)] = []string{one}
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
		Created float64         `json:"workflowRunCreatedAt"`
		Headers looseHeader     `json:"headers"`
		Step    json.RawMessage `json:"step"`
		Body    *string         `json:"body"`
	}
	if err := json.Unmarshal(req.Body, &by); err != nil || by.RunID == "" || !isURL(by.URL) || len(by.Step) == 0 {
		return badRequest("invalid invoke request")
	}
	if n, err := strconv.Atoi(h.Get(forwardPrefix + invokesHeader)); err == nil && n > maxInvokes {
		return edge.Refusef(http.StatusPreconditionFailed, "maximum depth of invoked workflow runs exceeded: limit %d, requested %d", maxInvokes, n)
	}
	o, err := parseOptions(by.Headers.header())
	if err != nil {
		return err
	}
	o.Trail = req.Options.Trail
	w.Invoker = &qstash.Invoker{RunID: by.RunID, URL: by.URL, Created: int64(by.Created), Options: o, Step: by.Step}
	if by.Body != nil {
		w.Invoker.Body = []byte(*by.Body)
	}
	return nil
}

// maxInvokes is how deep runs may be that invoke each other.
const maxInvokes = 100

// hook serves the addresses that third parties call to tell a run of an event; whoever
// knows one may. It reports whether the path is one.
func (x *exchange) hook() (handled bool, err error) {
	rest, ok := x.after("workflows", "hooks")
	if !ok || x.version1 {
		return false, nil
	}
	parts, err := segments(rest)
	if err != nil || len(parts) != 3 || slices.Contains(parts, "") {
		return true, errNotFound
	}
	if x.r.Method == http.MethodHead {
		return true, errHead
	}
	body, err := x.body(maxEvent)
	if err != nil {
		return true, err
	}
	header := map[string][]string(x.r.Header)
	data, err := json.Marshal(map[string]any{"method": x.r.Method, "header": header, "body": body, "proto": x.scheme(), "host": x.r.Host, "url": x.r.RequestURI})
	if err != nil {
		return true, err
	}
	if _, err := x.h.engine.Notify(x.r.Context(), parts[0], parts[2], parts[1], data); err != nil {
		return true, err
	}
	return true, x.ok(struct{}{})
}

// scheme is the one that the client has used.
func (x *exchange) scheme() string {
	if x.r.TLS != nil || strings.EqualFold(x.r.Header.Get("X-Forwarded-Proto"), "https") {
		return "https"
	}
	return "http"
}

// maxEvent bounds what comes along with an event.
const maxEvent = 128 << 10

func (x *exchange) trigger(dest string) error {
	body, err := x.body(int64(x.h.engine.Limits().MaxMessageBytes))
	if err != nil {
		return err
	}
	req, err := x.triggerRequest(dest, x.header(), body)
	if err != nil {
		return err
	}
	out := x.h.engine.Publish(x.r.Context(), x.acct, []qstash.Request{req})[0]
	if out.Err != nil {
		return out.Err
	}
	return x.ok(triggered(req, out))
}

func (x *exchange) batchTrigger() error {
	items, err := x.batchItems()
	if err != nil {
		return err
	}
	reqs := make([]qstash.Request, len(items))
	for i, it := range items {
		var body []byte
		if it.Body != nil {
			body = []byte(*it.Body)
		}
		if reqs[i], err = x.triggerRequest(it.Destination, looseHeader(it.Headers).header(), body); err != nil {
			return err
		}
	}
	runs := make([]any, len(items))
	for i, out := range x.h.engine.Publish(x.r.Context(), x.acct, reqs) {
		if out.Err != nil {
			return out.Err
		}
		runs[i] = triggered(reqs[i], out)
	}
	return x.answer(http.StatusCreated, runs)
}

// triggerRequest is the request that starts a run without an SDK: what an SDK says of itself
// is filled in. The run's id may be chosen.
func (x *exchange) triggerRequest(dest string, h http.Header, body []byte) (qstash.Request, error) {
	if !isURL(dest) {
		return qstash.Request{}, badRequest("a workflow is triggered by its url")
	}
	if h.Get(runIDHeader) == "" {
		h.Set(runIDHeader, "wfr_"+rand.Text())
	}
	h.Set(initHeader, "true")
	h.Set(runURLHeader, dest)
	h.Set(featureHeader, "LazyFetch,InitialBody,WF_DetectTrigger,WF_TriggerOnConfig")
	h.Set(forwardPrefix+sdkHeader, "1")
	if label := h.Get("Upstash-Label"); label != "" && h.Get(forwardPrefix+"Upstash-Label") == "" {
		h.Set(forwardPrefix+"Upstash-Label", label)
	}
	tellFailure(h, dest)
	req, err := x.request(dest, "", h, body)
	if err != nil {
		return req, err
	}
	req.Options.Workflow.Detect = qstash.DetectSDK
	return req, nil
}

// tellFailure has the failure of a run told to its workflow, unless it is to be told elsewhere, with the
// fields that the run's other deliveries have.
func tellFailure(h http.Header, url string) {
	if h.Get(failureHeader) == "" {
		h.Set(failureHeader, url)
	}
	sub := failureHeader + "-"
	own := map[string]string{
		"Workflow-Runid": h.Get(runIDHeader), "Workflow-Init": "false", "Workflow-Url": url, "Workflow-Calltype": qstash.CallFailure,
		"Feature-Set":                         h.Get(featureHeader),
		"Forward-Upstash-Workflow-Is-Failure": "true", "Forward-Upstash-Workflow-Failure-Callback": "true",
	}
	for _, name := range []string{"Retries", "Retry-Delay", "Flow-Control-Key", "Flow-Control-Value"} {
		own[name] = h.Get(prefix + name)
	}
	for field, values := range h {
		if name, ok := strings.CutPrefix(field, forwardPrefix); ok && name != sdkHeader && name != unknownHeader && len(values) > 0 {
			own["Forward-"+name] = values[0]
		}
	}
	for name, value := range own {
		if name = fieldName(sub + name); value != "" && h.Get(name) == "" {
			h[name] = []string{value}
		}
	}
}

// triggered is how the start of a run is answered.
func triggered(req qstash.Request, out qstash.Outcome) map[string]any {
	run := map[string]any{"workflowRunId": req.Options.Workflow.RunID, "workflowCreatedAt": out.Messages[0].RunCreatedAt.UnixMilli()}
	if out.Messages[0].Deduplicated {
		run["deduplicated"] = true
	}
	return run
}

func (x *exchange) wait() error {
	if !x.at(changes, "wait", "*") {
		return x.unserved()
	}
	return refuseRun(true, x.waitForEvent())
}

func (x *exchange) waitForEvent() error {
	var req struct {
		URL            string          `json:"url"`
		Timeout        string          `json:"timeout"`
		TimeoutURL     string          `json:"timeoutUrl"`
		TimeoutHeaders looseHeader     `json:"timeoutHeaders"`
		Step           json.RawMessage `json:"step"`
	}
	if err := x.json(&req); err != nil {
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
	h := x.header()
	o, err := x.options(h)
	if err != nil {
		return err
	}
	late, err := x.options(req.TimeoutHeaders.header())
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
	return x.done(x.h.engine.Wait(x.r.Context(), x.acct, x.seg[1], qstash.WaitRequest{
		RunID: id, URL: req.URL, Timeout: timeout, TimeoutURL: req.TimeoutURL, Step: req.Step, Options: o, TimeoutOptions: late}))
}

func (x *exchange) notify() error {
	if !x.at(changes, "notify", "*") && !x.at(changes, "notify", "*", "*") {
		return x.unserved()
	}
	event, runID := x.seg[len(x.seg)-1], ""
	if len(x.seg) == 3 {
		runID = x.seg[1]
	}
	data, err := x.body(maxEvent)
	if err != nil {
		return err
	}
	list, err := x.h.engine.Notify(x.r.Context(), x.acct, event, runID, data)
	if err != nil {
		return err
	}
	return x.ok(list)
}

func (x *exchange) waiters() error {
	if !x.at(reads, "waiters", "*") {
		return x.unserved()
	}
	list, err := x.h.engine.Waiters(x.r.Context(), x.acct, x.seg[1])
	if err != nil {
		return err
	}
	return x.ok(list)
}
