package rest

import (
	"net/http"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// deadlineHeader says how long a workflow run may take. It is not one of Upstash's. SDKs forward the
// fields that their users give, so the forwarded field counts as well.
const deadlineHeader = "Upstash-Workflow-Deadline"

func parseDeadline(h http.Header) (time.Duration, error) {
	text := h.Get(deadlineHeader)
	if text == "" {
		text = h.Get(forwardPrefix + deadlineHeader)
	}
	if text == "" {
		return 0, nil
	}
	return qstash.ParseDuration(text)
}

// deadlineView is the default deadline of an account's workflow runs, in seconds; 0: none.
type deadlineView struct {
	Deadline float64 `json:"deadline"`
}

// deadline serves /v2/workflows/deadline: GET reads the default deadline, PUT sets it to a duration
// such as "2h", DELETE removes it.
func (x *exchange) deadline() error {
	ctx, e := x.r.Context(), x.h.engine
	var after time.Duration
	switch {
	case x.method == http.MethodGet:
		a, err := e.Account(ctx, x.acct)
		if err != nil {
			return err
		}
		return x.ok(deadlineView{a.RunDeadline.Seconds()})
	case x.method == http.MethodDelete:
	default:
		var req struct {
			Deadline string `json:"deadline"`
		}
		if err := x.json(&req); err != nil {
			return err
		}
		var err error
		if after, err = qstash.ParseDuration(req.Deadline); err != nil {
			return err
		}
	}
	if err := e.SetRunDeadline(ctx, x.acct, after); err != nil {
		return err
	}
	return x.ok(deadlineView{after.Seconds()})
}
