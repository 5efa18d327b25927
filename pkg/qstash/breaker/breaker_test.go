package breaker_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/qstash/breaker"
)

func TestItOpensProbesAfterGrowingPausesAndCloses(t *testing.T) {
	c := breaker.Config{Failures: 3, Pause: time.Second, MaxPause: 3 * time.Second}
	now := time.Unix(0, 0)
	var s breaker.State
	for range 2 {
		s = c.Failed(s, now, false)
	}
	s = c.Failed(c.Answered(s), now, false) // an answer in between: they are not in a row
	for range 2 {
		if s, v := c.Admit(s, now); v != breaker.Pass || s.Open() {
			t.Fatalf("%+v: %v before the third failure in a row", s, v)
		}
		s = c.Failed(s, now, false)
	}
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
		s = c.Failed(s, now, false) // of an attempt that began before
		if _, v := c.Admit(s, now.Add(pause-1)); v != breaker.Hold || !s.Until.Equal(now.Add(pause)) {
			t.Fatalf("%+v: %v just before the end of a pause of %v", s, v, pause)
		}
		now = now.Add(pause)
		var v breaker.Verdict
		if s, v = c.Admit(s, now); v != breaker.Probe {
			t.Fatalf("%+v: %v after a pause of %v", s, v, pause)
		}
		if _, v := c.Admit(s, now); v != breaker.Hold {
			t.Fatalf("%v beside a probe", v)
		}
		s = c.Failed(s, now, true)
	}
	if s, v := c.Admit(c.Answered(s), now); v != breaker.Pass || s.Open() {
		t.Errorf("%+v: %v after an answer", s, v)
	}
}

// A host is up or down, and attempts come at any time and take any time. Whatever happens, the model
// says in other words what the breaker has to do.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := breaker.Config{
			Failures: rapid.IntRange(1, 5).Draw(t, "failures"),
			Pause:    time.Duration(rapid.IntRange(1, 5).Draw(t, "pause")) * time.Second,
			MaxPause: time.Duration(rapid.IntRange(1, 30).Draw(t, "max pause")) * time.Second,
		}
		now := time.Unix(0, 0)
		var s breaker.State
		type attempt struct{ probe bool }
		var underWay []attempt
		row := 0           // failures in a row while it is closed
		open := false      // by the model
		var probes int     // without an answer since it opened
		var next time.Time // nothing passes before
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"attempt", "end", "end", "time"}).Draw(t, "step") {
			case "attempt":
				was := s
				var v breaker.Verdict
				s, v = c.Admit(s, now)
				switch {
				case !open && v != breaker.Pass:
					t.Fatalf("%v although it is closed: %+v", v, was)
				case open && now.Before(next) && v != breaker.Hold, open && !now.Before(next) && v != breaker.Probe:
					t.Fatalf("%v at %v, next probe at %v", v, now, next)
				case v == breaker.Hold && s != was:
					t.Fatalf("holding changes %+v to %+v", was, s)
				case v == breaker.Probe:
					next = s.Until
					if !next.After(now) || next.Sub(now) > max(c.MaxPause, 0) {
						t.Fatalf("the probe after this one is in %v", next.Sub(now))
					}
				}
				if v != breaker.Hold {
					underWay = append(underWay, attempt{v == breaker.Probe})
				}
			case "end":
				if len(underWay) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(underWay)-1).Draw(t, "which")
				a := underWay[i]
				underWay = append(underWay[:i:i], underWay[i+1:]...)
				if rapid.Bool().Draw(t, "answered") {
					s = c.Answered(s)
					open, row, probes = false, 0, 0
					break
				}
				s = c.Failed(s, now, a.probe)
				switch {
				case !open:
					if row++; row >= c.Failures {
						open, probes, row = true, 0, 0
						next = now.Add(min(c.Pause, c.MaxPause))
					}
				case a.probe:
					probes++
					next = now.Add(min(c.Pause<<min(probes, 20), c.MaxPause))
				}
			case "time":
				now = now.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "ms")) * time.Millisecond)
			}
			if s.Open() != open || open && !s.Until.Equal(next) {
				t.Fatalf("%+v, want open %v until %v", s, open, next)
			}
		}
	})
}
