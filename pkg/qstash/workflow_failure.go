package qstash

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// failures are the failed attempts of a message.
func failures(m *message) []map[string]any {
	list := []map[string]any{}
	for _, text := range m.attrs.Get(attrEvents).Elems() {
		var ev event
		if json.Unmarshal([]byte(text), &ev) == nil && ev.State == EventError {
			list = append(list, map[string]any{"error": statusError(ev), "body": string(ev.Body), "headers": ev.Header, "status": ev.Status, "time": ev.At})
		}
	}
	return list
}

// statusError is the error of an attempt as the log of a run shows it: 400 Bad Request, or why there was no answer.
func statusError(ev event) string {
	if ev.Status == 0 || !strings.HasPrefix(ev.Error, statusPrefix) {
		return ev.Error
	}
	return strings.TrimSpace(strconv.Itoa(ev.Status) + " " + statusTexts[ev.Status])
}

// statusTexts are the reason phrases of HTTP for what destinations answer.
var statusTexts = map[int]string{
	300: "Multiple Choices", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect",
	400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
	408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed", 413: "Request Entity Too Large",
	415: "Unsupported Media Type", 422: "Unprocessable Entity", 425: "Too Early", 429: "Too Many Requests",
	500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}

// RunFailure is what became of a failed run's failure callback.
type RunFailure struct {
	MessageID    string `json:"messageId"`
	URL          string `json:"url"`
	FailHeaders  Header `json:"failHeaders,omitempty"`
	FailStatus   int    `json:"failStatus"`
	FailResponse string `json:"failResponse"`
	DLQID        string `json:"dlqId"`
	MaxRetries   int    `json:"maxRetries"`
	FailureCallbackInfo
	Errors []map[string]any `json:"errors,omitempty"`
}

// headerNoFailureFunction is the field of an answer which says that the workflow wants to hear of no failures.
const headerNoFailureFunction = "Upstash-Workflow-Failure-Callback-Notfound"

// runFailure reads what became of a run's failure callback, nil if it has none.
func (e *Engine) runFailure(ctx context.Context, r *run) (*RunFailure, error) {
	letter := r.attrs.Get(attrDLQ).Str()
	if letter == "" {
		return nil, nil
	}
	d, err := e.readDead(ctx, r.acct, letter)
	if err != nil || d == nil || d.letter.Callback == "" {
		return nil, err
	}
	m, err := e.readMessage(ctx, r.acct, d.letter.Callback)
	if err != nil || m == nil {
		return nil, err
	}
	info := failureInfo(m)
	if strings.EqualFold(info.ResponseHeaders.Get(headerNoFailureFunction), "true") {
		return nil, nil
	}
	return &RunFailure{
		MessageID: m.id, URL: m.rec.URL, FailHeaders: d.letter.Header, FailStatus: d.letter.Status, FailResponse: string(d.body), DLQID: letter,
		MaxRetries: m.rec.maxRetries(), FailureCallbackInfo: *info, Errors: failures(m),
	}, nil
}
