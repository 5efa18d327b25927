// Package cron reads the cron expressions of schedules and says when they are due.
//
// An expression has five fields, minute, hour, day of month, month and day of week,
// each a list of values, ranges and steps; months and days have names, and Sunday is 0
// as well as 7. If day of month and day of week are both restricted, which "*", "*/1" and
// "?" are not, either suffices. @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly
// stand for five fields. "CRON_TZ=<IANA zone> ", or "TZ=", in front sets the zone, which is
// UTC otherwise.
//
// # Daylight saving time
//
// What falls into the hour that is left out is not due that day. What falls into the
// hour that is repeated is due once, at its first occurrence, unless every hour is asked
// for: what is due every hour or every few minutes goes on without a gap.
//
// # Amazon EventBridge Scheduler
//
// [Schedule.Translate] writes a schedule in Scheduler's own syntax, if that can be done
// exactly.
package cron

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schedule is a parsed expression.
type Schedule struct {
	minute, hour, dom, month, dow uint64 // bit n: the value n
	anyDom, anyDow                bool   // the field does not restrict the other
	loc                           *time.Location
}

// Fields that leave nothing out.
const (
	everyMinute = 1<<60 - 1
	everyHour   = 1<<24 - 1
	everyDom    = 1<<32 - 2
	everyMonth  = 1<<13 - 2
	everyDow    = 1<<7 - 1
)

// maxExpression bounds what is read, in bytes.
const maxExpression = 512

type field struct {
	name     string
	min, max int
	names    []string // of min and what follows
}

var fields = []field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// Parse reads an expression.
func Parse(text string) (*Schedule, error) {
	if len(text) > maxExpression {
		return nil, fmt.Errorf("longer than %d bytes", maxExpression)
	}
	s := &Schedule{loc: time.UTC}
	words := strings.Fields(text)
	if len(words) > 0 {
		if zone, ok := cutZone(words[0]); ok {
			loc, err := time.LoadLocation(zone)
			if err != nil || zone == "" || zone == "Local" {
				return nil, fmt.Errorf("unknown time zone %q", zone)
			}
			s.loc, words = loc, words[1:]
		}
	}
	if len(words) == 1 && strings.HasPrefix(words[0], "@") {
		named, ok := nicknames[strings.ToLower(words[0])]
		if !ok {
			return nil, fmt.Errorf("unknown expression %q", words[0])
		}
		words = strings.Fields(named)
	}
	if len(words) != len(fields) {
		return nil, fmt.Errorf("expected exactly %d fields, found %d", len(fields), len(words))
	}
	for i, bits := range []*uint64{&s.minute, &s.hour, &s.dom, &s.month, &s.dow} {
		var err error
		if *bits, err = fields[i].parse(words[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", fields[i].name, err)
		}
	}
	s.anyDom, s.anyDow = unrestricted(words[2]), unrestricted(words[4])
	if s.dow&(1<<7) != 0 {
		s.dow = s.dow&^(1<<7) | 1
	}
	if s.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("there is no such date")
	}
	return s, nil
}

// nicknames are the expressions that names stand for, as in other crons.
var nicknames = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// cutZone returns the time zone that a word sets.
func cutZone(word string) (zone string, ok bool) {
	if zone, ok = strings.CutPrefix(word, "CRON_TZ="); ok {
		return zone, true
	}
	return strings.CutPrefix(word, "TZ=")
}

// hourly reports whether every hour is asked for.
func (s *Schedule) hourly() bool { return s.hour == everyHour }

// unrestricted reports whether a field of days is "*", or says so among others.
func unrestricted(word string) bool {
	return slices.ContainsFunc(strings.Split(word, ","), func(item string) bool { return isAny(strings.TrimSuffix(item, "/1")) })
}

func isAny(word string) bool { return word == "*" || word == "?" }

// parse reads a list of values, ranges and steps.
func (f field) parse(word string) (bits uint64, err error) {
	for item := range strings.SplitSeq(word, ",") {
		span, stepText, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return 0, fmt.Errorf("invalid step %q", item)
			}
		}
		from, to := f.min, f.max
		switch low, high, ranged := strings.Cut(span, "-"); {
		case isAny(span):
			if f.max == 7 {
				to = 6
			}
		case ranged:
			if from, err = f.value(low); err == nil {
				to, err = f.value(high)
			}
		default:
			from, err = f.value(span)
			if to = from; stepped {
				if to = f.max; f.max == 7 {
					to = 6
				}
			}
		}
		if err != nil {
			return 0, err
		}
		if from > to {
			return 0, fmt.Errorf("range %q runs backwards", item)
		}
		for v := from; v <= to; v += step {
			bits |= 1 << v
		}
	}
	return bits, nil
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max || strings.ContainsAny(text, "+-") {
		return 0, fmt.Errorf("invalid value %q", text)
	}
	return n, nil
}

// horizon is how far ahead Next looks: a 29th of February may be 8 years away, and on
// a given day of the week, where both are asked for, it never is the only choice.
const horizon = 10

// Next is the first time after t that the expression matches, to the minute; zero if
// there is none.
func (s *Schedule) Next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute).In(s.loc)
	for end := t.AddDate(horizon, 0, 0); t.Before(end); {
		y, month, day := t.Date()
		switch {
		case s.month&(1<<month) == 0:
			t = startOf(y, month+1, 1, t)
		case !s.matchDay(t):
			t = startOf(y, month, day+1, t)
		case s.hour&(1<<t.Hour()) == 0:
			t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
		case s.minute&(1<<t.Minute()) == 0, !s.hourly() && repeated(t):
			t = t.Add(time.Minute)
		default:
			return t.UTC()
		}
	}
	return time.Time{}
}

func (s *Schedule) matchDay(t time.Time) bool {
	dom := s.dom&(1<<t.Day()) != 0
	dow := s.dow&(1<<t.Weekday()) != 0
	if s.anyDom || s.anyDow {
		return dom && dow
	}
	return dom || dow
}

// startOf is when a day begins that is after t. Midnight may be left out, or come twice.
func startOf(y int, month time.Month, day int, t time.Time) time.Time {
	start := time.Date(y, month, day, 0, 0, 0, 0, t.Location())
	want := time.Date(y, month, day, 0, 0, 0, 0, time.UTC)
	if start.Day() != want.Day() { // the evening before
		start = start.Add(time.Hour)
	}
	if earlier := start.Add(-time.Hour); earlier.Day() == start.Day() && earlier.After(t) {
		start = earlier
	}
	if !start.After(t) {
		start = t.Add(time.Minute)
	}
	return start
}

// repeated reports whether the clock has shown the same before, as clocks have just
// been set back.
func repeated(t time.Time) bool {
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		earlier := t.Add(-back)
		if earlier.Minute() == t.Minute() && earlier.Hour() == t.Hour() && earlier.Day() == t.Day() {
			return true
		}
	}
	return false
}
