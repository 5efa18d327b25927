package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

// tailFilters are the filters of the live tail.
const tailFilters = "url topicName queueName scheduleId label flowControlKey callerIp state host path trimBody"

// errTails refuses one reader too many.
var errTails = &edge.Error{Status: http.StatusTooManyRequests, Text: "too many readers follow the log", Header: map[string]string{"Retry-After": "5"}}

// tail serves /v2/logs/tail and /v2/events/tail, the log as it grows, as server-sent events. An answer ends after
// some events, or some seconds, and clients call again with the field Last-Event-ID, as browsers
// do by themselves. So each answer has a check of the token, and a gateway that cannot stream is no hindrance.
func (x *exchange) tail() error {
	s, err := x.selects(tailFilters, 1)
	if err != nil {
		return err
	}
	entries, cursor, err := x.h.engine.Tail(x.r.Context(), x.acct, qstash.LogQuery{Filter: s.filter, TrimBody: s.trim, Cursor: x.r.Header.Get("Last-Event-Id")})
	if errors.Is(err, qstash.ErrTooManyTails) {
		return errTails
	}
	if err != nil {
		return err
	}
	texts := make([]string, len(entries))
	for i := range entries {
		text, err := json.Marshal(&entries[i])
		if err != nil {
			return fmt.Errorf("encoding the answer: %w", err)
		}
		texts[i] = string(text)
	}
	x.out = x.h.engine.EventStream(texts, cursor)
	x.status, x.contentType = http.StatusOK, "text/event-stream; charset=utf-8"
	return nil
}
