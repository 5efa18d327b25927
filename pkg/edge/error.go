package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// Error is an answer to a request that was not carried out as the client wanted.
type Error struct {
	Status int
	Text   string            // for the client, in the words that its product's clients know
	Header map[string]string // further header fields, such as Retry-After; nil: none. Must not be changed
	ID     string            // of the request in the log; "": the client is at fault, and nothing is logged
	Err    error             // what has failed on our side, for the log; nil: nothing has
}

// Refuse makes an Error for a request that is at fault: nothing has happened.
func Refuse(status int, text string) *Error { return &Error{Status: status, Text: text} }

// Refusef is Refuse with a text in the manner of fmt.Sprintf.
func Refusef(status int, format string, args ...any) *Error {
	return Refuse(status, fmt.Sprintf(format, args...))
}

// NotAllowed refuses a method. The answer lists those that are allowed.
func NotAllowed(text string, methods ...string) *Error {
	return &Error{
		Status: http.StatusMethodNotAllowed, Text: text,
		Header: map[string]string{"Allow": strings.Join(methods, ", ")},
	}
}

// Error implements error. It is for the log; clients read Message.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Text
}

// Unwrap returns what has failed on our side, if anything has.
func (e *Error) Unwrap() error { return e.Err }

// Message is the text for the client. If there is a line in the log, it ends with the id to look for.
func (e *Error) Message() string {
	if e.ID == "" {
		return e.Text
	}
	return e.Text + " (request " + e.ID + ")"
}

// SetHeader sets the answer's further header fields.
func (e *Error) SetHeader(w HeaderWriter) {
	for name, value := range e.Header {
		w.SetHeader(name, value)
	}
}

// Report is Of for a request that has failed. What is not the client's fault gets the request's id
// and a line in the log; attrs are further attributes of that line. Where the request's context was
// cancelled with a cause, the cause counts: a server that runs out of time is not a client that has gone.
func Report(ctx context.Context, log *slog.Logger, err error, attrs ...any) *Error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	e := Of(err)
	if e.Err == nil {
		return e
	}
	named := *e
	if named.ID == "" {
		named.ID = RequestID(ctx)
	}
	level := slog.LevelError
	if named.Status == StatusClientClosed {
		level = slog.LevelInfo
	}
	attrs = append([]any{"request", named.ID}, attrs...)
	attrs = append(attrs, "error", err)
	var p *PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	log.Log(ctx, level, "request failed", attrs...)
	return &named
}
