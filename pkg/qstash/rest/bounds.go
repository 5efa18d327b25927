package rest

import (
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/qstash"
)

// A token may be for some destinations only. It can then publish, enqueue and schedule to
// these, with callbacks to these, and nothing else: what it could read, or do to messages,
// groups and keys, would reach beyond them.

var errBounded = edge.Refuse(http.StatusForbidden, "the token may only publish, enqueue and schedule")

// checkBounds refuses a request with which a bounded token would reach beyond its destinations.
func (x *exchange) checkBounds(req *qstash.Request) error {
	if x.bounds == nil {
		return nil
	}
	if req.Options.Workflow != nil {
		return errBounded // its steps name further destinations
	}
	if !x.bounds.MayDeliver(req.Destination) {
		return errDestination(req.Destination)
	}
	return x.checkCallbacks(&req.Options)
}

func (x *exchange) checkCallbacks(o *qstash.Options) error {
	for _, cb := range []*qstash.Callback{o.Callback, o.FailureCallback} {
		if cb == nil {
			continue
		}
		if !x.bounds.MayDeliver(cb.URL) {
			return errDestination(cb.URL)
		}
		if err := x.checkCallbacks(&cb.Options); err != nil {
			return err
		}
	}
	return nil
}

// checkSchedule refuses to replace a schedule that sends elsewhere.
func (x *exchange) checkSchedule(id string) error {
	if x.bounds == nil || id == "" {
		return nil
	}
	s, err := x.h.engine.Schedule(x.r.Context(), x.acct, id)
	refused := (*qstash.Error)(nil)
	switch {
	case errors.As(err, &refused):
		return nil // there is none, or the id is no good, which whoever creates it will find
	case err != nil:
		return err
	case !x.bounds.MayDeliver(s.Destination):
		return errDestination(s.Destination)
	}
	return nil
}

func errDestination(dest string) error {
	return edge.Refusef(http.StatusForbidden, "the token may not publish to %.200q", dest)
}
