package edge

import (
	"context"
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// StatusClientClosed is the status of a request whose client has gone, as nginx has it. Nobody
// reads it; it keeps such requests apart from failures of ours in the log and in usage.
const StatusClientClosed = 499

// again tells clients to wait a second. The store has repeated the call itself for much of the request's
// time by then, so an immediate repetition would only add to the load.
var again = map[string]string{"Retry-After": "1"}

// table says which error becomes which status. The first row that matches counts, because
// an error may be of several kinds: a write that timed out is of unknown outcome first, and a store
// that throttled until the deadline was throttled first.
//
// The statuses are chosen by what the official clients, and the proxies in between, do with them:
//
//   - @upstash/redis and @upstash/qstash repeat a request only if there was no answer at all, and show
//     any status outside 2xx as an error. So a failure must have an answer, in the form they can read.
//   - @upstash/kafka repeats whatever is not 200, five times: the status changes nothing.
//   - @upstash/qstash takes 429 for a limit that the account has (daily, burst or chat, by the headers).
//     So a throttled store is 503 and not 429: nobody has set that limit.
//   - @upstash/workflow takes 400 and 412 for "this run is over" and stops without an error. So no
//     failure of ours has these.
//   - Proxies and HTTP libraries repeat 503 and 504 on their own, and honour Retry-After. They leave 500
//     alone. So a write of unknown outcome is 500 without Retry-After: to repeat it may do it twice,
//     and only its sender knows whether that matters.
var table = []struct {
	is     error
	status int
	header map[string]string
	text   string // for products that have no words of their own
}{
	{store.ErrUnknownOutcome, http.StatusInternalServerError, nil, "it is unknown whether this has happened: it may have been carried out, once, or not at all"},
	{store.ErrTooLarge, http.StatusRequestEntityTooLarge, nil, "too large to be stored"},
	{store.ErrThrottled, http.StatusServiceUnavailable, again, "temporarily unavailable, try again"},
	{store.ErrConflict, http.StatusServiceUnavailable, again, "too many concurrent writes, try again"}, // also the end of store.Retry
	{store.ErrUnavailable, http.StatusServiceUnavailable, again, "temporarily unavailable, try again"},
	{token.ErrKeysUnavailable, http.StatusServiceUnavailable, again, "temporarily unavailable, try again"},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, nil, "time ran out"},
	{context.Canceled, StatusClientClosed, nil, "the request was cancelled"},
}

// Of finds the answer to a request that has failed with err: err itself, if it is an Error or wraps
// one, or what the table says. Everything else is an internal error, whose text tells nothing.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var large *TooLargeError
	if errors.As(err, &large) {
		return Refusef(http.StatusRequestEntityTooLarge, "the request body is larger than %d bytes", large.Limit)
	}
	for i := range table {
		if row := &table[i]; errors.Is(err, row.is) {
			return &Error{Status: row.status, Text: row.text, Header: row.header, Err: err}
		}
	}
	return &Error{Status: http.StatusInternalServerError, Text: "internal error", Err: err}
}
