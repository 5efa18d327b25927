package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// refusal is an answer to a request that is at fault: nothing has happened.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return refuse(http.StatusBadRequest, format, args...)
}

// partial is an answer to a produce request of which some messages were not accepted.
type partial struct {
	results []kafka.Produced
	worst   error
}

func (e *partial) Error() string { return e.worst.Error() }
func (e *partial) Unwrap() error { return e.worst }

// failure is the JSON of an error.
type failure struct {
	Error   string `json:"error"`
	Status  int    `json:"status"`
	Results []any  `json:"results,omitempty"` // metadata or failure
}

// refuse is the answer to a request that failed.
func (h *Handler) refuse(r *http.Request, err error) (status int, body []byte) {
	status, text := outcome(err)
	f := failure{Error: text, Status: status}
	if status >= http.StatusInternalServerError {
		id := h.requestID(r.Context())
		h.log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method, "error", err)
		f.Error += " (request " + id + ")"
	}
	var p *partial
	if errors.As(err, &p) {
		for _, m := range p.results {
			if m.Err == nil {
				f.Results = append(f.Results, metadataOf(m))
				continue
			}
			status, text := outcome(m.Err)
			f.Results = append(f.Results, failure{Error: text, Status: status})
		}
	}
	body, err = encode(f)
	if err != nil {
		body = []byte(`{"error":"internal error","status":500}`)
	}
	return status, body
}

var statuses = map[kafka.ErrorKind]int{
	kafka.Invalid:  http.StatusBadRequest,
	kafka.NotFound: http.StatusNotFound,
	kafka.Exists:   http.StatusConflict,
	kafka.TooLarge: http.StatusRequestEntityTooLarge,
	kafka.Lost:     http.StatusConflict,
}

// outcome is what a client is told of an error.
func outcome(err error) (status int, text string) {
	var refused *refusal
	var asked *kafka.Error
	switch {
	case errors.As(err, &refused):
		return refused.status, refused.text
	case errors.As(err, &asked):
		return statuses[asked.Kind], asked.Text
	case errors.Is(err, kafka.ErrUnknownOutcome), errors.Is(err, ingest.ErrUnknownOutcome), errors.Is(err, store.ErrUnknownOutcome):
		return http.StatusInternalServerError, "it is unknown whether this has happened"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusGatewayTimeout, "time ran out"
	case errors.Is(err, ingest.ErrTooLarge), errors.Is(err, store.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, "too large"
	case errors.Is(err, ingest.ErrThrottled), errors.Is(err, store.ErrThrottled), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnavailable):
		return http.StatusServiceUnavailable, "temporarily unavailable, try again"
	}
	return http.StatusInternalServerError, "internal error"
}
