package cron

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Expression is what one schedule of EventBridge Scheduler needs to be told.
type Expression struct {
	Cron string // ScheduleExpression, such as "cron(0 12 ? * 2-6 *)"
	Zone string // ScheduleExpressionTimezone, such as "Europe/Berlin"
}

// maxSchedulerExpression is the longest ScheduleExpression.
const maxSchedulerExpression = 256

// Translate writes the schedule as the fewest cron expressions of EventBridge Scheduler
// that together are due exactly when it is, from a time on and as far ahead as Next looks.
// It reports false if there are none.
//
// Scheduler's expressions have six fields, the last for the year. Days of the week are 1
// to 7, beginning with Sunday. Only one of the day fields can be restricted, the other is
// "?": where either suffices, as in "0 0 13 * 5", there are two expressions, which are both
// due on a day that is a 13th and a Friday, at the same time. Expressions that would be longer than
// Scheduler takes are divided.
//
// Scheduler leaves out what falls into the hour that daylight saving time leaves out, as
// Next does, and what falls into the one that is repeated it runs once, even if it is due
// every hour, as Next does not (docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html).
// A schedule of every hour that this concerns is written in UTC, which has no such hours,
// with its minutes moved by the zone's offset. That cannot be done if the day is restricted, or
// the offset changes by a part of an hour that the minutes do not repeat after.
func (s *Schedule) Translate(from time.Time) ([]Expression, bool) {
	zone, minute := s.loc.String(), s.minute
	if s.hourly() && s.repeats(from) {
		var ok bool
		if minute, ok = s.minutesInUTC(from); !ok {
			return nil, false
		}
		zone = "UTC"
	}
	var list []Expression
	for _, day := range s.days() {
		list = appendExpressions(list, zone, minute, s.hour, day)
	}
	return list, true
}

// days are the fields for day of month, month and day of week, once or, if either day suffices, twice.
func (s *Schedule) days() [][3]string {
	month := list(s.month, 0, everyMonth)
	dom := [3]string{list(s.dom, 0, everyDom), month, "?"}
	dow := [3]string{"?", month, list(s.dow, 1, everyDow)}
	switch {
	case s.anyDow:
		return [][3]string{dom}
	case s.anyDom && s.dow != everyDow:
		return [][3]string{dow}
	case s.dow == everyDow, s.dom == everyDom:
		return [][3]string{{"*", month, "?"}}
	case !s.hasDom():
		return [][3]string{dow}
	}
	return [][3]string{dom, dow}
}

func (s *Schedule) everyDay() bool { return s.days()[0] == [3]string{"*", "*", "?"} }

// hasDom reports whether one of the months has one of the days of the month.
func (s *Schedule) hasDom() bool {
	for month := time.January; month <= time.December; month++ {
		last := time.Date(2000, month+1, 0, 0, 0, 0, 0, time.UTC).Day() // of a leap year
		if s.month&(1<<month) != 0 && s.dom&(1<<(last+1)-1) != 0 {
			return true
		}
	}
	return false
}

// repeats reports whether the clocks of the zone are set back over a time that is due.
func (s *Schedule) repeats(from time.Time) bool {
	due := false
	s.shifts(from, func(at time.Time, back time.Duration) {
		for again := at; again.Before(at.Add(back)); again = again.Add(time.Minute) {
			t := again.In(s.loc)
			due = due || s.month&(1<<t.Month()) != 0 && s.matchDay(t) && s.minute&(1<<t.Minute()) != 0
		}
	})
	return due
}

// shifts calls f with the times when the zone's offset changes, and by how much clocks are then set back.
func (s *Schedule) shifts(from time.Time, f func(at time.Time, back time.Duration)) {
	for end := from.AddDate(horizon, 0, 0); ; {
		_, next := from.In(s.loc).ZoneBounds()
		if next.IsZero() || next.After(end) {
			return
		}
		f(next, offset(next.Add(-1))-offset(next))
		from = next
	}
}

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// minutesInUTC are the minutes of the hour at which a schedule of every hour of every day is
// due in UTC, if they are always the same.
func (s *Schedule) minutesInUTC(from time.Time) (uint64, bool) {
	if !s.everyDay() {
		return 0, false
	}
	at := func(t time.Time) uint64 {
		by := int((offset(t) % time.Hour) / time.Minute)
		by = (by + 60) % 60
		return (s.minute>>by | s.minute<<(60-by)) & everyMinute
	}
	minute, same := at(from.In(s.loc)), true
	s.shifts(from, func(t time.Time, _ time.Duration) { same = same && at(t) == minute })
	return minute, same
}

// appendExpressions adds an expression, in several parts if it would be too long.
func appendExpressions(exprs []Expression, zone string, minute, hour uint64, day [3]string) []Expression {
	fields := []string{list(minute, 0, everyMinute), list(hour, 0, everyHour), day[0], day[1], day[2], "*"}
	text := "cron(" + strings.Join(fields, " ") + ")"
	if len(text) <= maxSchedulerExpression {
		return append(exprs, Expression{text, zone})
	}
	half := minute
	for bits.OnesCount64(half) > bits.OnesCount64(minute)/2 {
		half &= half - 1
	}
	exprs = appendExpressions(exprs, zone, minute&^half, hour, day)
	return appendExpressions(exprs, zone, half, hour, day)
}

// list writes values, moved by a number, as "*", one range or a list.
func list(values uint64, by int, every uint64) string {
	if values == every {
		return "*"
	}
	first, last := bits.TrailingZeros64(values), bits.Len64(values)-1
	if n := bits.OnesCount64(values); n > 2 && last-first == n-1 {
		return strconv.Itoa(first+by) + "-" + strconv.Itoa(last+by)
	}
	var texts []string
	for ; values != 0; values &= values - 1 {
		texts = append(texts, strconv.Itoa(bits.TrailingZeros64(values)+by))
	}
	return strings.Join(texts, ",")
}

// Within reports whether the schedule is due again and again, never more than a time
// apart that is shorter than an hour.
func (s *Schedule) Within(d time.Duration) bool {
	if !s.hourly() || !s.everyDay() {
		return false
	}
	first := bits.TrailingZeros64(s.minute)
	previous := bits.Len64(s.minute) - 1 - 60
	for minute := first; minute < 60; minute++ {
		if s.minute&(1<<minute) == 0 {
			continue
		}
		if time.Duration(minute-previous)*time.Minute > d {
			return false
		}
		previous = minute
	}
	return true
}
