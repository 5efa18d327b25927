package cron_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/qstash/cron"
)

func next(t *testing.T, expr, from string, n int) (times []string) {
	t.Helper()
	s, err := cron.Parse(expr)
	if err != nil {
		t.Fatalf("%q: %v", expr, err)
	}
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		at = s.Next(at)
		times = append(times, at.Format("2006-01-02T15:04"))
	}
	return times
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ expr, from, want string }{
		{"* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01 2026-01-01T00:02"},
		{"*/10 * * * *", "2026-01-01T00:10:00Z", "2026-01-01T00:20 2026-01-01T00:30"},
		{"5,1-3/2 23 31 12 *", "2026-01-01T00:00:00Z", "2026-12-31T23:01 2026-12-31T23:03 2026-12-31T23:05"},
		{"0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00 2032-02-29T00:00"},
		{"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00"},
		{"0 0 */1 * 5", "2026-11-01T00:00:00Z", "2026-11-06T00:00 2026-11-13T00:00"},
		{"0 12 * JAN-mar Mon", "2026-03-29T00:00:00Z", "2026-03-30T12:00 2027-01-04T12:00"},
		{"0 0 * * 7", "2026-11-24T00:00:00Z", "2026-11-29T00:00 2026-12-06T00:00"},
		{"0 0 * * 5-7", "2026-11-24T00:00:00Z", "2026-11-27T00:00 2026-11-28T00:00 2026-11-29T00:00 2026-12-04T00:00"},
		// Both days restricted: either suffices.
		{"0 0 13 * 5", "2026-11-01T00:00:00Z", "2026-11-06T00:00 2026-11-13T00:00 2026-11-20T00:00 2026-11-27T00:00 2026-12-04T00:00 2026-12-11T00:00 2026-12-13T00:00"},
		{"CRON_TZ=America/New_York 0 4 * * *", "2026-01-01T00:00:00Z", "2026-01-01T09:00"},
		{"CRON_TZ=America/New_York 0 4 * * *", "2026-07-01T00:00:00Z", "2026-07-01T08:00"},
		{"TZ=America/New_York 0 4 * * *", "2026-07-01T00:00:00Z", "2026-07-01T08:00"},
		{"@hourly", "2026-11-24T12:00:00Z", "2026-11-24T13:00 2026-11-24T14:00"},
		{"TZ=America/New_York @daily", "2026-07-01T00:00:00Z", "2026-07-01T04:00 2026-07-02T04:00"},
		{"@midnight", "2026-07-01T00:00:00Z", "2026-07-02T00:00"},
		{"@Weekly", "2026-11-24T00:00:00Z", "2026-11-29T00:00 2026-12-06T00:00"},
		{"@monthly", "2026-11-24T00:00:00Z", "2026-12-01T00:00"},
		{"@yearly", "2026-11-24T00:00:00Z", "2027-01-01T00:00"},
		{"@annually", "2026-11-24T00:00:00Z", "2027-01-01T00:00"},
		// Clocks go forward at 02:00 on March 8th, and back at 02:00 on November 1st.
		{"CRON_TZ=America/New_York 30 2 * * *", "2026-03-07T00:00:00Z", "2026-03-07T07:30 2026-03-09T06:30"},
		{"CRON_TZ=America/New_York 30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-01T05:30 2026-11-02T06:30"},
		{"CRON_TZ=America/New_York 30 * * * *", "2026-11-01T04:45:00Z", "2026-11-01T05:30 2026-11-01T06:30 2026-11-01T07:30"},
		{"CRON_TZ=America/New_York 0 * * * *", "2026-03-08T05:30:00Z", "2026-03-08T06:00 2026-03-08T07:00 2026-03-08T08:00"},
		// Midnight is left out on September 6th in Santiago, and half an hour comes twice on Lord Howe Island.
		{"CRON_TZ=America/Santiago 0 0 * * *", "2026-09-05T00:00:00Z", "2026-09-05T04:00 2026-09-07T03:00"},
		{"CRON_TZ=America/Santiago 15 1 * * *", "2026-09-05T12:00:00Z", "2026-09-06T04:15"},
		{"CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-04T00:00:00Z", "2026-04-04T14:45 2026-04-05T15:15"},
	} {
		want := strings.Fields(c.want)
		if got := next(t, c.expr, c.from, len(want)); strings.Join(got, " ") != c.want {
			t.Errorf("%s after %s:\n got %v\nwant %v", c.expr, c.from, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, expr := range []string{"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *",
		"5-1 * * * *", "*/0 * * * *", "1- * * * *", ", * * * *", "+1 * * * *", "0 0 30 2 *", "CRON_TZ=Mars/Base * * * * *", "CRON_TZ= * * * * *",
		"CRON_TZ=Local * * * * *", "TZ= @daily", "@reboot", "@every 5m", "@daily 0", "* * * * *" + strings.Repeat(" ", 600)} {
		if _, err := cron.Parse(expr); err == nil {
			t.Errorf("%q is accepted", expr)
		}
	}
}

// Against a slow and simple reading of the rules: look at every minute.
func TestNextIsTheFirstMatchingMinute(t *testing.T) {
	field := func(min, max int) *rapid.Generator[string] {
		return rapid.OneOf(rapid.Just("*"), rapid.Map(rapid.IntRange(min, max), strconv.Itoa),
			rapid.Map(rapid.IntRange(1, (max+1)/2), func(n int) string { return "*/" + strconv.Itoa(n) }))
	}
	rapid.Check(t, func(t *rapid.T) {
		minute, hour := field(0, 59).Draw(t, "minute"), field(0, 23).Draw(t, "hour")
		dom, dow := field(1, 28).Draw(t, "dom"), field(0, 6).Draw(t, "dow")
		zone := rapid.SampledFrom([]string{"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"}).Draw(t, "zone")
		start := time.Unix(rapid.Int64Range(1_577_836_800, 1_893_456_000).Draw(t, "start"), 0)
		s, err := cron.Parse("CRON_TZ=" + zone + " " + minute + " " + hour + " " + dom + " * " + dow)
		if err != nil {
			t.Fatal(err)
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		at := start.Truncate(time.Minute).Add(-3 * time.Hour)
		for range 60 * 24 * 40 {
			at = at.Add(time.Minute)
			local := at.In(loc)
			wall := local.Format("2006-01-02T15:04")
			again := seen[wall]
			seen[wall] = true
			if !at.After(start) {
				continue
			}
			domOK, dowOK := matches(dom, local.Day(), 1), matches(dow, int(local.Weekday()), 0)
			day := domOK && dowOK
			if !isAny(dom) && !isAny(dow) {
				day = domOK || dowOK
			}
			if day && matches(hour, local.Hour(), 0) && matches(minute, local.Minute(), 0) && !(again && !isAny(hour)) {
				if got := s.Next(start); !got.Equal(at) {
					t.Fatalf("next after %v is %v, want %v", start.In(loc), got.In(loc), local)
				}
				return
			}
		}
		if got := s.Next(start); got.Before(at) {
			t.Fatalf("next after %v is %v, want none in 40 days", start, got)
		}
	})
}

func isAny(field string) bool { return field == "*" || field == "*/1" }

func matches(field string, value, min int) bool {
	if step, ok := strings.CutPrefix(field, "*/"); ok {
		return (value-min)%atoi(step) == 0
	}
	return field == "*" || atoi(field) == value
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func FuzzParse(f *testing.F) {
	f.Add("CRON_TZ=UTC */5 1-3 1,2 jan mon")
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := cron.Parse(expr)
		if err != nil {
			return
		}
		if s.Next(time.Unix(0, 0)).IsZero() {
			t.Error("accepted, but never due")
		}
		exprs, _ := s.Translate(time.Unix(0, 0))
		for _, e := range exprs {
			if len(e.Cron) > 256 {
				t.Errorf("%d characters: %s", len(e.Cron), e.Cron)
			}
		}
	})
}
