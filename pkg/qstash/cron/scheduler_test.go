package cron_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	robfig "github.com/robfig/cron/v3"
	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/qstash/cron"
)

var beginning = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTranslate(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{"* * * * *", "cron(* * * * ? *) UTC"},
		{"*/15 0 * * *", "cron(0,15,30,45 0 * * ? *) UTC"},
		{"0 9-17 * * 1-5", "cron(0 9-17 ? * 2-6 *) UTC"},
		{"0 9 * jan,DEC sun,sat", "cron(0 9 ? 1,12 1,7 *) UTC"},
		{"0 9 * * 5-7", "cron(0 9 ? * 1,6,7 *) UTC"},
		{"0 0 1,15 * *", "cron(0 0 1,15 * ? *) UTC"},
		{"0 0 ? * 0", "cron(0 0 ? * 1 *) UTC"},
		{"0 0 */1 * 1", "cron(0 0 ? * 2 *) UTC"},
		// Either day suffices, unless one of them always does, or never.
		{"0 0 13 * 5", "cron(0 0 13 * ? *) UTC, cron(0 0 ? * 6 *) UTC"},
		{"0 0 13 * 0-6", "cron(0 0 * * ? *) UTC"},
		{"0 0 1-31 * 5", "cron(0 0 * * ? *) UTC"},
		{"0 0 31 4,6 1", "cron(0 0 ? 4,6 2 *) UTC"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "cron(30 2 * * ? *) Europe/Berlin"},
		// What is due every hour is due in the repeated one, too.
		{"CRON_TZ=Europe/Berlin 20 * * * *", "cron(20 * * * ? *) UTC"},
		{"CRON_TZ=Europe/Berlin 20 0-23 * * *", "cron(20 * * * ? *) UTC"},
		{"CRON_TZ=Asia/Kathmandu 20 * * * *", "cron(20 * * * ? *) Asia/Kathmandu"},
		{"CRON_TZ=America/St_Johns 10 * * * *", "cron(40 * * * ? *) UTC"},
		{"CRON_TZ=Australia/Lord_Howe 15,45 * * * *", "cron(15,45 * * * ? *) UTC"},
		{"CRON_TZ=Australia/Lord_Howe 15 * * * *", "cron(15 * * * ? *) Australia/Lord_Howe"},
		{"CRON_TZ=Australia/Lord_Howe 45 * * * *", ""},
		// Clocks are set back on a Sunday.
		{"CRON_TZ=America/New_York 0 * * * 1-5", "cron(0 * ? * 2-6 *) America/New_York"},
		{"CRON_TZ=America/New_York 0 * * * 0", ""},
	} {
		s, err := cron.Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		exprs, ok := s.Translate(beginning)
		for _, e := range exprs {
			got = append(got, e.Cron+" "+e.Zone)
		}
		if strings.Join(got, ", ") != c.want || ok != (c.want != "") {
			t.Errorf("%s: %v, %v, want %s", c.expr, got, ok, c.want)
		}
	}
}

func TestWithin(t *testing.T) {
	for expr, want := range map[string]bool{
		"* * * * *": true, "*/15 * * * *": true, "CRON_TZ=Europe/Berlin 14-59/15 0-23 * * *": true, "5,20,35,50 * 1-31 1-12 3": true,
		"*/20 * * * *": false, "0-44/15 * * * *": false, "*/5 9-17 * * *": false, "*/5 * * * 1-5": false, "*/5 * * 1-11 *": false, "5-59/15,1 * * * *": true,
	} {
		s, err := cron.Parse(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Within(15 * time.Minute); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

// zones with one hour and half an hour of daylight saving time, on both hemispheres, around
// midnight, and without any.
var zones = []string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe", "America/Santiago",
	"America/St_Johns", "Africa/Cairo", "Asia/Beirut", "Antarctica/Troll", "Asia/Kathmandu", "America/Phoenix"}

// expressions generates all that unix knows: names, ranges, steps and lists.
var expressions = rapid.Custom(func(t *rapid.T) string {
	names := [][]string{3: {"", "jan", "FEB", "mar", "Apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
		4: {"sun", "Mon", "TUE", "wed", "thu", "fri", "sat"}}
	var words []string
	for i, f := range []struct{ min, max int }{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}} {
		value := func(n int) string {
			if i >= 3 && n < len(names[i]) && rapid.Bool().Draw(t, "named") {
				return names[i][n]
			}
			return strconv.Itoa(n)
		}
		item := func() string {
			a, b := rapid.IntRange(f.min, f.max).Draw(t, "a"), rapid.IntRange(f.min, f.max).Draw(t, "b")
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				return value(a)
			case 1:
				return value(min(a, b)) + "-" + value(max(a, b))
			case 2:
				return fmt.Sprintf("*/%d", 1+a)
			case 3:
				return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), 1+(a+b)%7)
			}
			return "*"
		}
		word := "*"
		if rapid.IntRange(0, 2).Draw(t, "restricted") > 0 {
			var items []string
			for range rapid.IntRange(1, 3).Draw(t, "items") {
				items = append(items, item())
			}
			word = strings.Join(items, ",")
		}
		words = append(words, word)
	}
	return "CRON_TZ=" + rapid.SampledFrom(zones).Draw(t, "zone") + " " + strings.Join(words, " ")
})

// spans are what is compared: a few days around each change of the clocks, and the turns of
// months and years; and a year where that is not too much.
func spans(loc *time.Location, all bool) [][2]time.Time {
	var list [][2]time.Time
	end := beginning.AddDate(5, 0, 0)
	for at := beginning; ; {
		_, next := at.In(loc).ZoneBounds()
		if next.IsZero() || next.After(end) {
			break
		}
		list = append(list, [2]time.Time{next.Add(-30 * time.Hour), next.Add(30 * time.Hour)})
		at = next
	}
	for year := range 5 {
		at := beginning.AddDate(year, 2*year+2, 0)
		list = append(list, [2]time.Time{at.AddDate(0, 0, -2), at.AddDate(0, 0, 1)})
	}
	if all {
		list = append(list, [2]time.Time{beginning, end})
	}
	return list
}

// sparse reports whether a schedule is due at most as often as a few times a day.
func sparse(s *cron.Schedule) bool {
	n := 0
	for at, end := beginning, beginning.AddDate(1, 0, 0); at.Before(end) && n < 200; n++ {
		if at = s.Next(at); at.IsZero() {
			break
		}
	}
	return n < 200
}

func TestTranslationIsDueWhenTheScheduleIs(t *testing.T) {
	translated, due := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		expr := expressions.Draw(t, "expr")
		s, err := cron.Parse(expr)
		if err != nil {
			t.Skip(err) // no such date
		}
		exprs, ok := s.Translate(beginning)
		if !ok {
			return // it is left to hints
		}
		translated++
		zone, _, _ := strings.Cut(strings.TrimPrefix(expr, "CRON_TZ="), " ")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, span := range spans(loc, sparse(s)) {
			union := map[time.Time]bool{}
			for _, e := range exprs {
				if len(e.Cron) > 256 {
					t.Fatalf("%d characters: %s", len(e.Cron), e.Cron)
				}
				times, err := schedulerTimes(e, span[0], span[1])
				if err != nil {
					t.Fatalf("%s: %v", e.Cron, err)
				}
				for _, at := range times {
					union[at] = true
				}
			}
			got := slices.SortedFunc(maps.Keys(union), time.Time.Compare)
			var want []time.Time
			for at := s.Next(span[0].Add(-time.Minute)); !at.IsZero() && at.Before(span[1]); at = s.Next(at) {
				want = append(want, at)
			}
			due += len(want)
			if d := firstDifference(got, want); d >= 0 {
				t.Fatalf("%s as %v differs between %v and %v:\n%v\n%v", expr, exprs, span[0], span[1], around(got, d, loc), around(want, d, loc))
			}
		}
	})
	if translated == 0 || due == 0 {
		t.Errorf("%d schedules were translated, with %d times: nothing was compared", translated, due)
	}
}

func firstDifference(a, b []time.Time) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || !a[i].Equal(b[i]) {
			return i
		}
	}
	return -1
}

func around(times []time.Time, i int, loc *time.Location) (texts []string) {
	for _, at := range times[min(len(times), max(0, i-1)):min(len(times), i+3)] {
		texts = append(texts, at.In(loc).Format(time.RFC3339))
	}
	return texts
}

// schedulerTimes reads an expression as EventBridge Scheduler's documentation explains it: six
// fields, days of the week from 1 for Sunday, "?" in exactly one of the day fields; local
// times that do not exist are skipped, and those that there are twice count once.
func schedulerTimes(e cron.Expression, from, to time.Time) ([]time.Time, error) {
	loc, err := time.LoadLocation(e.Zone)
	if err != nil {
		return nil, err
	}
	inner, ok := strings.CutPrefix(e.Cron, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	words := strings.Split(inner, " ")
	if !ok || !closed || len(words) != 6 || (words[2] == "?") == (words[4] == "?") {
		return nil, fmt.Errorf("malformed")
	}
	var sets [6]map[int]bool
	for i, bounds := range [][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {1, 7}, {1970, 2199}} {
		if words[i] == "?" && (i == 2 || i == 4) {
			continue
		}
		if sets[i], err = schedulerField(words[i], bounds[0], bounds[1]); err != nil {
			return nil, err
		}
	}
	var times []time.Time
	start, end := from.In(loc), to.In(loc)
	for day := time.Date(start.Year(), start.Month(), start.Day()-1, 0, 0, 0, 0, time.UTC); !day.After(time.Date(end.Year(), end.Month(), end.Day()+1, 0, 0, 0, 0, time.UTC)); day = day.AddDate(0, 0, 1) {
		if !sets[3][int(day.Month())] || !sets[5][day.Year()] || sets[2] != nil && !sets[2][day.Day()] || sets[4] != nil && !sets[4][int(day.Weekday())+1] {
			continue
		}
		for hour := range 24 {
			for minute := range 60 {
				if !sets[1][hour] || !sets[0][minute] {
					continue
				}
				if at, ok := instant(day, hour, minute, loc); ok && !at.Before(from) && at.Before(to) {
					times = append(times, at)
				}
			}
		}
	}
	return times, nil
}

// instant is when the clocks of a zone first show a time, if they do.
func instant(day time.Time, hour, minute int, loc *time.Location) (time.Time, bool) {
	wall := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, time.UTC)
	at := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, loc)
	for _, candidate := range []time.Time{at.Add(-2 * time.Hour), at.Add(-time.Hour), at.Add(-30 * time.Minute), at, at.Add(30 * time.Minute), at.Add(time.Hour)} {
		local := candidate.In(loc)
		if y, m, d := local.Date(); time.Date(y, m, d, local.Hour(), local.Minute(), 0, 0, time.UTC).Equal(wall) {
			return candidate.UTC(), true
		}
	}
	return time.Time{}, false
}

func schedulerField(word string, min, max int) (map[int]bool, error) {
	set := map[int]bool{}
	for item := range strings.SplitSeq(word, ",") {
		low, high, ranged := strings.Cut(item, "-")
		a, b := min, max
		if item != "*" {
			var err error
			if a, err = strconv.Atoi(low); err != nil {
				return nil, err
			}
			if b = a; ranged {
				if b, err = strconv.Atoi(high); err != nil {
					return nil, err
				}
			}
		}
		if a < min || b > max || a > b || item == "*" && word != "*" {
			return nil, fmt.Errorf("field %q", word)
		}
		for n := a; n <= b; n++ {
			set[n] = true
		}
	}
	return set, nil
}

// robfig/cron reads the same expressions, but differs where clocks change: it is due twice in a
// repeated hour whatever the hour field says; it may miss a day that does not begin at midnight;
// and it counts hours from the wrong half where half an hour is added or left out. Unix cron does
// neither, so zones with such days and hours are compared away from them.
func TestNextIsThatOfRobfigCron(t *testing.T) {
	parser := robfig.NewParser(robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow)
	due := 0
	rapid.Check(t, func(t *rapid.T) {
		expr := expressions.Draw(t, "expr")
		s, err := cron.Parse(expr)
		if err != nil {
			t.Skip(err)
		}
		zone, fields, _ := strings.Cut(strings.TrimPrefix(expr, "CRON_TZ="), " ")
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		// It has no 7 for Sunday.
		words := strings.Fields(fields)
		words[4] = withoutSeven(words[4])
		theirs, err := parser.Parse("CRON_TZ=" + zone + " " + strings.Join(words, " "))
		if err != nil {
			t.Fatal(err)
		}
		hourly := hours(words[1]) == 24
		odd := slices.Contains([]string{"Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Beirut"}, zone)
		for _, span := range spans(loc, !odd && sparse(s)) {
			if _, change := span[0].In(loc).ZoneBounds(); odd && change.Before(span[1]) {
				continue
			}
			var got, want []time.Time
			for at := s.Next(span[0]); !at.IsZero() && at.Before(span[1]); at = s.Next(at) {
				got = append(got, at)
			}
			seen := map[string]bool{}
			for at := theirs.Next(span[0].Add(-3 * time.Hour)); !at.IsZero() && at.Before(span[1]); at = theirs.Next(at) {
				wall := at.In(loc).Format("2006-01-02T15:04")
				if at.After(span[0]) && (hourly || !seen[wall]) {
					want = append(want, at.UTC())
				}
				seen[wall] = true
			}
			due += len(want)
			if d := firstDifference(got, want); d >= 0 {
				t.Fatalf("%s differs between %v and %v:\n ours %v\ntheirs %v", expr, span[0], span[1], around(got, d, loc), around(want, d, loc))
			}
		}
	})
	if due == 0 {
		t.Error("no schedule was due in any span: nothing was compared")
	}
}

// withoutSeven writes a field for the day of the week with numbers below 7, or as it is if it has no 7.
func withoutSeven(word string) string {
	if !strings.Contains(word, "7") {
		return word
	}
	days := map[string]bool{}
	for item := range strings.SplitSeq(word, ",") {
		span, step, _ := strings.Cut(item, "/")
		n := 1
		if step != "" {
			n = atoi(step)
		}
		low, high, ranged := strings.Cut(span, "-")
		a, b := 0, 6
		if span != "*" {
			if a = weekday(low); !ranged {
				b = a
			} else {
				b = weekday(high)
			}
		}
		for d := a; d <= b; d += n {
			days[strconv.Itoa(d%7)] = true
		}
	}
	list := slices.Sorted(maps.Keys(days))
	if slices.Contains(strings.Split(word, ","), "*") || slices.Contains(strings.Split(word, ","), "*/1") {
		list = append(list, "*") // which matters beside the day of the month
	}
	return strings.Join(list, ",")
}

func weekday(text string) int {
	for i, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if strings.EqualFold(text, name) {
			return i
		}
	}
	return atoi(text)
}

// hours is how many hours a field asks for.
func hours(word string) int {
	set := map[int]bool{}
	for item := range strings.SplitSeq(word, ",") {
		span, step, _ := strings.Cut(item, "/")
		n := 1
		if step != "" {
			n = atoi(step)
		}
		low, high, ranged := strings.Cut(span, "-")
		a, b := 0, 23
		if span != "*" {
			if a = atoi(low); !ranged {
				b = a
			} else {
				b = atoi(high)
			}
		}
		for h := a; h <= b; h += n {
			set[h] = true
		}
	}
	return len(set)
}
