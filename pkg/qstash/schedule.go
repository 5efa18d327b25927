package qstash

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/store"
)

// ScheduleRequest asks for messages at the times of a cron expression.
type ScheduleRequest struct {
	ID          string // "": a new one
	Cron        string
	Destination string // URL, or name of a URL group
	Body        []byte
	Options     Options // Delay is that of each message
	Missed      Missed  // "": MissedSkip
}

// CreateSchedule creates a schedule, or replaces all settings of the one with the
// request's id, which stays paused if it is.
func (e *Engine) CreateSchedule(ctx context.Context, acct string, req ScheduleRequest) (string, error) {
	if req.ID == "" {
		req.ID = e.newID(schedulePrefix)
	} else if err := checkName("schedule", req.ID); err != nil {
		return "", err
	}
	var first *string // what old.Whole was when this began
	err := e.writeSchedule(ctx, acct, req.ID, func(old *schedule) (*schedule, []byte, error) {
		whole := ""
		if old != nil {
			whole = old.Whole
		}
		if first == nil {
			first = &whole
		}
		if whole != *first && whole != "" {
			return nil, nil, errReplaced
		}
		s := newSchedule(&req)
		s.whole = true
		return s, req.Body, nil
	})
	if errors.Is(err, errReplaced) {
		err = nil
	}
	return req.ID, err
}

// errReplaced says that another CreateSchedule has replaced all settings since this one began. This one counts as
// carried out just before it: nothing is left of it, so nothing has to be written.
var errReplaced = errors.New("qstash: the schedule was replaced meanwhile")

// ScheduleSettings reads what a schedule consists of, including what is redacted from its view.
func (e *Engine) ScheduleSettings(ctx context.Context, acct, id string) (ScheduleRequest, error) {
	s, err := e.readSchedule(ctx, acct, id)
	if err != nil {
		return ScheduleRequest{}, err
	}
	return e.scheduleSettings(ctx, acct, id, s)
}

func (e *Engine) scheduleSettings(ctx context.Context, acct, id string, s *schedule) (ScheduleRequest, error) {
	if s == nil {
		return ScheduleRequest{}, notFound("schedule %s not found", id)
	}
	body, err := e.scheduleBody(ctx, acct, s)
	return ScheduleRequest{ID: id, Cron: s.Cron, Destination: s.Destination, Body: body, Options: s.Options, Missed: s.Missed}, err
}

// ChangeSchedule changes settings of a schedule; the others stay, and so does what is known of its
// last run. change is called again if somebody else changes the schedule meanwhile, and its
// error ends the attempt. What the settings point to belongs to them: change replaces and does not alter it.
func (e *Engine) ChangeSchedule(ctx context.Context, acct, id string, change func(*ScheduleRequest) error) error {
	return e.writeSchedule(ctx, acct, id, func(old *schedule) (*schedule, []byte, error) {
		req, err := e.scheduleSettings(ctx, acct, id, old)
		if err != nil {
			return nil, nil, err
		}
		if err := change(&req); err != nil {
			return nil, nil, err
		}
		req.ID = id
		s := newSchedule(&req)
		s.Last, s.LastIDs, s.Whole = old.Last, old.LastIDs, old.Whole
		return s, req.Body, nil
	})
}

// writeSchedule stores the schedule that change makes of the one there is, nil if there is none.
func (e *Engine) writeSchedule(ctx context.Context, acct, id string, change func(old *schedule) (s *schedule, body []byte, err error)) error {
	unlock, err := e.lock(ctx, "s", acct, id)
	if err != nil {
		return err
	}
	defer unlock()
	var refusal error
	err = e.contend(ctx, func(ctx context.Context) error {
		old, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		s, body, err := change(old)
		if refusal = err; err != nil {
			return err
		}
		parsed, err := cron.Parse(s.Cron)
		if err != nil {
			return invalid("invalid cron: %v", err)
		}
		if err := e.checkSchedule(ctx, acct, s, body); err != nil {
			return err
		}
		now := e.now()
		s.CreatedAt, s.Next = now, parsed.Next(now)
		cond := store.Cond(store.Absent(attrJSON))
		if old != nil {
			s.CreatedAt, s.Paused = old.CreatedAt, old.Paused
			cond = store.Eq(attrVersion, store.Bytes(old.Version))
		} else {
			n, err := e.count(ctx, part("s", acct), nil)
			if err != nil {
				return err
			}
			if n >= e.limits.Schedules {
				return quota("maximum number of schedules exceeded: limit %d", e.limits.Schedules)
			}
		}
		s.Version = e.newID("")
		if s.whole {
			s.Whole = s.Version
		}
		s.BodyID = s.id + "/" + s.Version
		long := chunks(acct, s.BodyID, body, now.Add(forever))
		s.BodySize, s.Chunks = len(body), len(long)
		if len(long) > 0 {
			if err := e.store.Load(ctx, long, nil); err != nil {
				return fmt.Errorf("storing the body of schedule %s: %w", s.id, err)
			}
		}
		e.repeat(ctx, acct, s, parsed)
		attrs, err := s.encode()
		if err != nil {
			return err
		}
		if len(long) == 0 && len(body) > 0 {
			attrs = attrs.With(attrBody, store.Bytes(string(body)))
		}
		err = e.store.Commit(store.NoRepeat(ctx), append(e.moveDue(acct, old, s), store.Put(scheduleKey(acct, s.id), attrs, cond)))
		if store.Contended(err) {
			e.cease(ctx, acct, s) // somebody else has changed it
		}
		if err != nil {
			return err
		}
		if old != nil {
			e.cease(ctx, acct, old)
			if err := e.dropScheduleBody(ctx, acct, old); err != nil {
				return err
			}
		}
		if err := e.touchFlow(ctx, acct, s.Flow); err != nil {
			return err
		}
		e.wakeFirst(ctx, acct, s)
		return nil
	}, "storing schedule %s", id)
	if refusal != nil {
		return refusal
	}
	return err
}

// checkSchedule refuses what could never be published.
func (e *Engine) checkSchedule(ctx context.Context, acct string, s *schedule, body []byte) error {
	if hasScheme(s.Destination) {
		if err := checkURL(s.Destination); err != nil {
			return invalid("invalid destination url: %v", err)
		}
	} else if s.Destination == "" {
		return errNoDestination
	} else if strings.Contains(s.Destination, ":/") || checkName("topic", s.Destination) != nil {
		return invalid("invalid destination url: endpoint has invalid scheme, add http:// or https://")
	} else if _, err := e.Group(ctx, acct, s.Destination); err != nil {
		return err
	}
	if len(body) > e.limits.MaxMessageBytes {
		return &Error{KindTooLarge, fmt.Sprintf("maximum message size exceeded: limit %d bytes, message %d bytes", e.limits.MaxMessageBytes, len(body))}
	}
	if s.Queue != "" {
		if err := checkName("queue", s.Queue); err != nil {
			return err
		}
	}
	if _, err := ParseMissed(string(s.Missed)); err != nil {
		return err
	}
	return s.check(&e.limits, e.now())
}

// PauseSchedule makes a schedule's times pass without messages, or, with paused false, no more.
func (e *Engine) PauseSchedule(ctx context.Context, acct, id string, paused bool) error {
	unlock, err := e.lock(ctx, "s", acct, id)
	if err != nil {
		return err
	}
	defer unlock()
	return e.contend(ctx, func(ctx context.Context) error {
		s, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		if s == nil {
			return notFound("schedule %s not found", id)
		}
		if s.Paused == paused {
			return nil
		}
		changed := *s
		changed.Paused, changed.Repeat, changed.Version = paused, "", e.newID("")
		if !paused {
			parsed, err := cron.Parse(s.Cron)
			if err != nil {
				return fmt.Errorf("schedule %s: %w", id, err)
			}
			changed.Next = parsed.Next(e.now())
			e.repeat(ctx, acct, &changed, parsed)
		}
		done, err := e.replaceSchedule(ctx, acct, s, &changed)
		switch {
		case err != nil:
			return err
		case done:
			e.cease(ctx, acct, s)
			e.wakeFirst(ctx, acct, &changed)
			return nil
		}
		e.cease(ctx, acct, &changed)
		return errChanged
	}, "pausing schedule %s", id)
}

// DeleteSchedule deletes a schedule. Its messages go on.
func (e *Engine) DeleteSchedule(ctx context.Context, acct, id string) error {
	unlock, err := e.lock(ctx, "s", acct, id)
	if err != nil {
		return err
	}
	defer unlock()
	return e.contend(ctx, func(ctx context.Context) error {
		s, err := e.readSchedule(ctx, acct, id)
		if err != nil {
			return err
		}
		if s == nil {
			return notFound("schedule %s not found", id)
		}
		err = e.store.Commit(ctx, append(e.moveDue(acct, s, nil), store.Delete(scheduleKey(acct, id), store.Eq(attrVersion, store.Bytes(s.Version)))))
		if err != nil {
			return err
		}
		e.cease(ctx, acct, s)
		return e.dropScheduleBody(ctx, acct, s)
	}, "deleting schedule %s", id)
}
