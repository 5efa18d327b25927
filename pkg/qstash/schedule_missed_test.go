package qstash_test

import (
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestMissedTimesOfSchedules(t *testing.T) {
	for _, c := range []struct {
		name   string
		cron   string
		missed qstash.Missed
		down   time.Duration // from 12:00 on
		want   []string      // times that have messages
	}{
		{"nothing is said, and the time was hours ago", "30 * * * *", "", 5 * time.Hour, nil},
		{"skip, hours ago", "30 * * * *", qstash.MissedSkip, 5 * time.Hour, nil},
		{"skip, minutes ago", "30 * * * *", qstash.MissedSkip, 2*time.Hour + 34*time.Minute, []string{"14:30"}},
		{"skip, the last one was just now", "* * * * *", qstash.MissedSkip, 3*time.Minute + 10*time.Second, []string{"12:03"}},
		{"once", "30 * * * *", qstash.MissedOnce, 5 * time.Hour, []string{"16:30"}},
		{"all", "30 * * * *", qstash.MissedAll, 5 * time.Hour, []string{"12:30", "13:30", "14:30", "15:30", "16:30"}},
		{"all, none missed", "30 * * * *", qstash.MissedAll, 20 * time.Minute, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			id, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: c.cron, Destination: "https://a.example", Missed: c.missed})
			if err != nil {
				t.Fatal(err)
			}
			w.hints, w.now = nil, w.now.Add(c.down)
			w.sweep()
			w.sweep() // which finds nothing more
			w.run(0)
			s, err := w.engine.Schedule(t.Context(), acct, id)
			if err != nil {
				t.Fatal(err)
			}
			if len(w.sent) != len(c.want) || !time.UnixMilli(s.NextTime).After(w.now) {
				t.Fatalf("%d messages, the next at %v, want %v", len(w.sent), time.UnixMilli(s.NextTime).UTC(), c.want)
			}
			if n := len(c.want); n > 0 && time.UnixMilli(s.LastTime).UTC().Format("15:04") != c.want[n-1] {
				t.Errorf("the last time is %v, want %v", time.UnixMilli(s.LastTime).UTC(), c.want[n-1])
			}
		})
	}
}

func TestMissedTimesAreBounded(t *testing.T) {
	w := newWorld(t)
	_, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "* * * * *", Destination: "https://a.example", Missed: qstash.MissedAll})
	if err != nil {
		t.Fatal(err)
	}
	w.hints, w.now = nil, w.now.Add(24*time.Hour)
	w.sweep()
	w.run(0)
	if len(w.sent) != qstash.MaxMissed {
		t.Errorf("%d messages, want %d", len(w.sent), qstash.MaxMissed)
	}
	if _, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "* * * * *", Destination: "https://a.example", Missed: "some"}); !isKind(err, qstash.KindInvalid) {
		t.Errorf("an unknown policy: %v", err)
	}
}

func TestScheduleRunsNow(t *testing.T) {
	w := newWorld(t)
	id, err := w.engine.CreateSchedule(t.Context(), acct, qstash.ScheduleRequest{Cron: "30 * * * *", Destination: "https://a.example", Body: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.engine.PauseSchedule(t.Context(), acct, id, true); err != nil {
		t.Fatal(err)
	}
	w.hints = nil
	for range 2 { // in the same millisecond
		if ids, err := w.engine.RunSchedule(t.Context(), acct, id); err != nil || len(ids) != 1 {
			t.Fatal(ids, err)
		}
	}
	w.run(0)
	if len(w.sent) != 1 || string(w.sent[0].Body) != "hello" || w.sent[0].Header.Get("Upstash-Schedule-Id") != id {
		t.Errorf("sent %+v", w.sent)
	}
	w.run(2 * time.Hour)
	if len(w.sent) != 1 {
		t.Error("a paused schedule goes on")
	}
	if _, err := w.engine.RunSchedule(t.Context(), acct, "other"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("an unknown schedule: %v", err)
	}
}
