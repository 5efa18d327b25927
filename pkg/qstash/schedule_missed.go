package qstash

import (
	"context"
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
)

// Missed says what happens with the times of a schedule that were missed. A time is missed if a later
// one has come before its message was published, or if it is more than five minutes ago: nobody ran,
// or the sweep that finds lost wake-ups did not.
type Missed string

const (
	MissedSkip Missed = "skip" // they have no messages; the default
	MissedOnce Missed = "once" // the last one has its message, however late, the others have none
	MissedAll  Missed = "all"  // each has its message, of more than MaxMissed the last ones
)

// MaxMissed bounds the missed times of a schedule that messages are published for at once.
const MaxMissed = 100

// missedAfter is how late a time's message may be without the time being missed.
const missedAfter = 5 * time.Minute

// ParseMissed reads a policy; "" is MissedSkip.
func ParseMissed(text string) (Missed, error) {
	switch m := Missed(text); m {
	case "":
		return MissedSkip, nil
	case MissedSkip, MissedOnce, MissedAll:
		return m, nil
	}
	return "", invalid("invalid policy for missed times %q: want skip, once or all", text)
}

// times are those of a schedule, up to now, that messages are to be published for.
func (s *schedule) times(parsed *cron.Schedule, now time.Time) (times []time.Time) {
	for at := s.Next; !at.IsZero() && !at.After(now); at = parsed.Next(at) {
		if s.Missed != MissedAll {
			times = times[:0]
		} else if len(times) == MaxMissed {
			times = append(times[:0], times[1:]...)
		}
		times = append(times, at)
	}
	if last := len(times) - 1; last >= 0 && now.Sub(times[last]) > missedAfter && (s.Missed == "" || s.Missed == MissedSkip) {
		return nil
	}
	return times
}

// publishTimes publishes the messages of a schedule's times, and returns the last time that has some,
// with their ids. The times before are done if there is an error.
func (e *Engine) publishTimes(ctx context.Context, acct string, s *schedule, times []time.Time) (last time.Time, ids []string, err error) {
	for _, at := range times {
		published, err := e.publishTick(ctx, acct, s, at)
		if refused := (*Error)(nil); errors.As(err, &refused) {
			e.log.WarnContext(ctx, "a schedule's message cannot be published", "schedule", s.id, "error", err)
			continue
		}
		if err != nil {
			return last, ids, err
		}
		last, ids = at, published
	}
	return last, ids, nil
}

// RunSchedule publishes the messages of a schedule at once, as if it were due, and returns their ids. Its
// times stay as they are, and one that is paused stays paused.
func (e *Engine) RunSchedule(ctx context.Context, acct, id string) ([]string, error) {
	s, err := e.readSchedule(ctx, acct, id)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, notFound("schedule %s not found", id)
	}
	return e.publishTick(ctx, acct, s, e.now(), "now")
}
