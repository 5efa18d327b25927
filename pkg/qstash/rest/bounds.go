package rest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/skystash/skystash/pkg/qstash"
)

// A token may be for some destinations only. It can then publish, enqueue and schedule to
// these, with callbacks to these, and nothing else: what it could read, or do to messages,
// groups and keys, would reach beyond them.

var errBounded = &refusal{http.StatusForbidden, "the token may only publish, enqueue and schedule"}

// checkBounds refuses a request with which a bounded token would reach beyond its destinations.
func (c *call) checkBounds(req *qstash.Request) error {
	if c.bounds == nil {
		return nil
	}
	if req.Options.Workflow != nil {
		return errBounded // its steps name further destinations
	}
	if !c.bounds.MayDeliver(req.Destination) {
		return errDestination(req.Destination)
	}
	return c.checkCallbacks(&req.Options)
}

func (c *call) checkCallbacks(o *qstash.Options) error {
	for _, cb := range []*qstash.Callback{o.Callback, o.FailureCallback} {
		if cb == nil {
			continue
		}
		if !c.bounds.MayDeliver(cb.URL) {
			return errDestination(cb.URL)
		}
		if err := c.checkCallbacks(&cb.Options); err != nil {
			return err
		}
	}
	return nil
}

// checkSchedule refuses to replace a schedule that sends elsewhere.
func (c *call) checkSchedule(id string) error {
	if c.bounds == nil || id == "" {
		return nil
	}
	s, err := c.h.engine.Schedule(c.r.Context(), c.acct, id)
	refused := (*qstash.Error)(nil)
	switch {
	case errors.As(err, &refused):
		return nil // there is none, or the id is no good, which whoever creates it will find
	case err != nil:
		return err
	case !c.bounds.MayDeliver(s.Destination):
		return errDestination(s.Destination)
	}
	return nil
}

func errDestination(dest string) error {
	return &refusal{http.StatusForbidden, fmt.Sprintf("the token may not publish to %.200q", dest)}
}
