package qstash

import (
	"cmp"
	"encoding/json"
	"fmt"
)

// callbackBody is what a callback tells. Times are in milliseconds.
type callbackBody struct {
	Status          int    `json:"status"` // 0: there was no answer, and Body says why
	Header          Header `json:"header"`
	Body            []byte `json:"body"`
	BodyTruncated   bool   `json:"bodyTruncated,omitempty"` // Body is only the beginning of the answer
	Retried         int    `json:"retried,omitempty"`
	MaxRetries      int    `json:"maxRetries"`
	SourceMessageID string `json:"sourceMessageId"`
	Topic           string `json:"topicName,omitempty"`
	Endpoint        string `json:"endpointName,omitempty"`
	URL             string `json:"url"`
	Method          string `json:"method"`
	SourceHeader    Header `json:"sourceHeader,omitempty"`
	SourceBody      []byte `json:"sourceBody"`
	NotBefore       int64  `json:"notBefore"`
	CreatedAt       int64  `json:"createdAt"`
	ScheduleID      string `json:"scheduleId,omitempty"`
	CallerIP        string `json:"callerIP,omitempty"`
	DLQID           string `json:"dlqId,omitempty"`

	WorkflowRunID     string `json:"workflowRunId,omitempty"`
	WorkflowURL       string `json:"workflowUrl,omitempty"`
	WorkflowCreatedAt int64  `json:"workflowCreatedAt,omitempty"`
}

// callbacks are the messages that tell of an attempt.
func (e *Engine) callbacks(m *message, o outcome, sent []byte) ([]*draft, error) {
	if o.state == stateCancelled {
		return nil, nil
	}
	var drafts []*draft
	// A workflow hears of a request to a third party once, of its final outcome.
	untold := o.state == stateWaiting && m.rec.Workflow != nil && m.rec.Workflow.CallType == CallTo
	if cb := m.rec.Callback; cb != nil && !untold {
		d, err := e.callback(m, cb, o, sent, "")
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, d)
	}
	if cb := m.rec.FailureCallback; cb != nil && o.state == stateFailed {
		d, err := e.callback(m, cb, o, sent, o.dlqID)
		if err != nil {
			return nil, err
		}
		d.rec.FailureOfDLQ = o.dlqID
		drafts = append(drafts, d)
	}
	return drafts, nil
}

func (e *Engine) callback(m *message, cb *Callback, o outcome, sent []byte, dlqID string) (*draft, error) {
	body := callbackBody{
		Status:          o.resp.Status,
		Header:          o.resp.Header,
		Body:            o.resp.Body,
		BodyTruncated:   o.resp.Cut,
		Retried:         m.retried,
		MaxRetries:      m.rec.maxRetries(),
		SourceMessageID: m.id,
		Topic:           m.rec.Topic,
		Endpoint:        m.rec.Endpoint,
		URL:             m.rec.URL,
		Method:          m.rec.method(),
		SourceHeader:    m.rec.Header,
		SourceBody:      sent,
		NotBefore:       m.rec.NotBefore.UnixMilli(),
		CreatedAt:       m.rec.CreatedAt.UnixMilli(),
		ScheduleID:      m.rec.ScheduleID,
		CallerIP:        m.rec.CallerIP,
		DLQID:           dlqID,
	}
	if o.err != nil {
		body.Body = []byte(o.err.Error())
	}
	if body.Header == nil {
		body.Header = Header{}
	}
	// Clients look for these also if they are empty.
	if body.Body == nil {
		body.Body = []byte{}
	}
	if body.SourceBody == nil {
		body.SourceBody = []byte{}
	}
	if w := m.rec.Workflow; w != nil {
		body.WorkflowRunID, body.WorkflowURL, body.WorkflowCreatedAt = w.RunID, w.URL, w.CreatedAt.UnixMilli()
	}
	text, err := json.Marshal(&body)
	if err != nil {
		return nil, fmt.Errorf("writing the callback of message %s: %w", m.id, err)
	}
	req := Request{Destination: cb.URL, Body: text, Options: cb.Options}
	opts := &req.Options
	if opts.Retries == nil && (opts.Workflow == nil || opts.Workflow.CallType != CallFrom) {
		retries := m.rec.maxRetries()
		opts.Retries = &retries
	}
	opts.CallerIP = m.rec.CallerIP
	opts.Trail = m.rec.Trail.parted(m.retried + 1) // it is one of as many
	opts.Callback, opts.Queue = nil, ""
	if w := opts.Workflow; w != nil && m.rec.Workflow != nil {
		own := *w
		own.URL, own.CreatedAt = cmp.Or(w.URL, m.rec.Workflow.URL), m.rec.Workflow.CreatedAt
		opts.Workflow = &own
	}
	header := Header{"Content-Type": {"application/json"}}
	for name, values := range opts.Header {
		header[name] = values
	}
	opts.Header = header
	d := e.newDraft(m.acct, &req, "", Endpoint{URL: cb.URL})
	d.rec.CallbackOf = m.id
	if m.rec.Queue != "" {
		d.rec.Parent = m.id
	}
	return d, nil
}
