package qstash

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/store"
)

// repeat has the waker repeat a call of tick for a schedule, if it can. It is called
// before the schedule is stored with Repeat: what is repeated for another one, or none,
// finds that out and ends itself.
func (e *Engine) repeat(ctx context.Context, acct string, s *schedule, parsed *cron.Schedule) {
	s.Repeat = ""
	if s.Paused {
		return
	}
	id := s.id + "@" + e.newID("")
	ok, err := e.waker.Repeat(ctx, hintKey(dueRepeat, acct, id), parsed)
	if err != nil {
		e.log.WarnContext(ctx, "a schedule's wake-ups cannot be repeated; each is arranged by itself", "schedule", s.id, "error", err)
	}
	if ok && err == nil {
		s.Repeat = id
	}
}

// cease ends what repeat has arranged. If that fails, the next call does.
func (e *Engine) cease(ctx context.Context, acct string, s *schedule) {
	if s.Repeat == "" {
		return
	}
	if err := e.waker.Cease(ctx, hintKey(dueRepeat, acct, s.Repeat)); err != nil {
		e.log.WarnContext(ctx, "a schedule's wake-ups go on and are ignored", "schedule", s.id, "error", err)
	}
}

// repeatsFrom is how long it may take until a repeating wake-up that was just arranged comes for
// the first time.
const repeatsFrom = 2 * time.Minute

// wakeFirst asks for the wake-up of a schedule that has begun.
func (e *Engine) wakeFirst(ctx context.Context, acct string, s *schedule) {
	if !s.Paused && (s.Repeat == "" || s.Next.Sub(e.now()) < repeatsFrom) {
		e.wake(ctx, hint(s.Next, dueSchedule, acct, s.id))
	}
}

// repeated is tick for a call that the waker repeats.
func (e *Engine) repeated(ctx context.Context, acct, repeat string) error {
	id, _, _ := strings.Cut(repeat, "@")
	s, err := e.readSchedule(ctx, acct, id)
	if err != nil {
		return err
	}
	if s == nil || s.Repeat != repeat {
		// Deleted, paused or replaced, without the waker hearing of it.
		return e.waker.Cease(ctx, hintKey(dueRepeat, acct, repeat))
	}
	return e.tick(ctx, acct, s)
}

// tick publishes the messages of a schedule that is due, and sets its next time.
// Several engines may do so at once: the messages' ids follow from the time.
func (e *Engine) tick(ctx context.Context, acct string, s *schedule) error {
	now := e.now()
	if s == nil || s.Paused || s.Next.After(now) {
		return nil // whoever has set the next time has asked for its wake-up
	}
	parsed, err := cron.Parse(s.Cron)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", s.id, err)
	}
	times := s.times(parsed, now)
	if len(times) == 0 {
		e.log.InfoContext(ctx, "the times of a schedule were missed and are left out", "schedule", s.id, "since", s.Next)
	}
	last, ids, err := e.publishTimes(ctx, acct, s, times)
	if err != nil {
		return err
	}
	next := *s
	next.Next, next.Version = parsed.Next(now), e.newID("")
	if len(ids) > 0 {
		next.Last, next.LastIDs = last, ids
	}
	if s.Repeat != "" && now.Sub(s.Next) > sweepGrace {
		// The sweep had to find it: the waker may have lost it.
		if ok, err := e.waker.Repeat(ctx, hintKey(dueRepeat, acct, s.Repeat), parsed); err != nil || !ok {
			next.Repeat = ""
		}
	}
	done, err := e.advance(ctx, acct, s, &next)
	if done && next.Repeat == "" {
		e.wake(ctx, hint(next.Next, dueSchedule, acct, s.id))
	}
	return err
}

// advance is replaceSchedule for the next time, in single writes, which cost half of a
// transaction's: the due entry is there before it counts. One that does not count in the
// end is found and removed by the sweep.
func (e *Engine) advance(ctx context.Context, acct string, old, s *schedule) (bool, error) {
	attrs, err := s.encode()
	if err != nil {
		return false, err
	}
	if body := old.attrs.Get(attrBody); !body.IsZero() {
		attrs = attrs.With(attrBody, body)
	}
	if _, err := e.store.Apply(ctx, store.Put(scheduleDue(acct, s), store.Attrs{}, nil)); err != nil {
		return false, fmt.Errorf("storing schedule %s: %w", s.id, err)
	}
	_, err = e.store.Apply(ctx, store.Put(scheduleKey(acct, s.id), attrs, store.Eq(attrVersion, store.Bytes(old.Version))))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("storing schedule %s: %w", s.id, err)
	}
	if err := e.drop(ctx, scheduleDue(acct, old)); err != nil {
		e.log.WarnContext(ctx, "the due entry of a schedule's last time is left to the sweep", "error", err)
	}
	return true, nil
}

// publishTick stores the messages of a schedule's time, once for the same time and parts.
func (e *Engine) publishTick(ctx context.Context, acct string, s *schedule, at time.Time, parts ...string) ([]string, error) {
	body, err := e.scheduleBody(ctx, acct, s)
	if err != nil {
		return nil, err
	}
	req := Request{Destination: s.Destination, Body: body, Options: s.Options}
	drafts, _, err := e.draft(ctx, acct, &req)
	if err != nil {
		return nil, err
	}
	if err := e.part(drafts, len(drafts)); err != nil {
		return nil, err
	}
	ids := make([]string, len(drafts))
	for i, d := range drafts {
		d.id = derivedID(messagePrefix, at, append([]string{s.id, s.CreatedAt.String(), d.rec.URL, d.rec.Endpoint}, parts...)...)
		d.rec.ScheduleID = s.id
		ids[i] = d.id
		if err := e.storeOnce(ctx, d); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// storeOnce stores a message unless there is one with its id.
func (e *Engine) storeOnce(ctx context.Context, d *draft) error {
	if err := e.touchFlow(ctx, d.acct, d.rec.Flow); err != nil {
		return err
	}
	new := store.Absent(attrState)
	began := e.now()
	if err := e.keepBody(ctx, d); err != nil {
		return err
	}
	if d.rec.Queue != "" || e.now().Sub(began) >= sweepGrace/2 {
		err := e.commitDraft(ctx, d, new)
		if refused := (*unmetError)(nil); errors.As(err, &refused) {
			return nil
		}
		return err
	}
	// The due entry is alone for a moment: two single writes cost half of a transaction.
	ops, err := e.draftOps(ctx, d, new)
	for i := 0; err == nil && i < len(ops); i++ {
		_, err = e.store.Apply(ctx, ops[i])
	}
	if _, unmet := unmetCondition(err); unmet {
		return nil
	}
	if err != nil {
		return fmt.Errorf("storing message %s: %w", d.id, err)
	}
	e.wake(ctx, d.hint())
	return nil
}
