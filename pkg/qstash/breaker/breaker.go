// Package breaker is the state of a circuit breaker as a pure value: what has become of attempts goes
// in, and whether the next one may be made comes out. It has neither clock nor storage.
//
//	closed ──Failures in a row──> open ──Until is over: one attempt as a probe──> open
//	   ^                            │                 (it fails: Pause is doubled)
//	   └──────── any answer ────────┘
//
// A failure is an attempt without an answer: no connection, or none in time. An answer of any
// status closes the breaker, since somebody is there.
//
// A probe moves Until on by a pause before it is made. So who does not make the probe waits for the
// next one, and a prober that dies holds nobody up for longer than that.
package breaker

import (
	"cmp"
	"time"
)

// Config says when a breaker opens, and for how long. A zero field has the default below.
type Config struct {
	Failures int           // in a row that open it; negative: it never opens
	Pause    time.Duration // before the first probe; each further pause is twice as long
	MaxPause time.Duration // the longest
}

// Defaults of Config.
const (
	DefaultFailures = 10
	DefaultPause    = time.Second
	DefaultMaxPause = 30 * time.Second
)

// WithDefaults fills in the fields that are zero.
func (c Config) WithDefaults() Config {
	return Config{
		Failures: cmp.Or(c.Failures, DefaultFailures),
		Pause:    cmp.Or(c.Pause, DefaultPause),
		MaxPause: cmp.Or(c.MaxPause, DefaultMaxPause),
	}
}

// State is a breaker's state. The zero State is closed.
type State struct {
	Failures int           // in a row, while it is closed
	Pause    time.Duration // between two probes; 0: it is closed
	Until    time.Time     // when the next probe may be made, of an open one
}

// Open reports whether attempts are held.
func (s State) Open() bool { return s.Pause > 0 }

// Verdict says what is to be done with an attempt.
type Verdict int

const (
	Pass  Verdict = iota // make it
	Probe                // make it, after the State returned has been stored: it decides
	Hold                 // not before State.Until
)

// Admit decides about an attempt.
func (c Config) Admit(s State, now time.Time) (State, Verdict) {
	switch {
	case !s.Open():
		return s, Pass
	case now.Before(s.Until):
		return s, Hold
	}
	s.Until = now.Add(s.Pause)
	return s, Probe
}

// Failed is the state after an attempt without an answer. While the breaker is open only a probe counts:
// the others began before it opened, or could wait no longer.
func (c Config) Failed(s State, now time.Time, probe bool) State {
	switch {
	case c.Failures < 0:
		return State{}
	case s.Open() && probe:
		s.Pause = min(2*s.Pause, c.MaxPause)
		s.Until = now.Add(s.Pause)
	case !s.Open():
		if s.Failures++; s.Failures >= c.Failures {
			s = State{Pause: min(c.Pause, c.MaxPause), Until: now.Add(min(c.Pause, c.MaxPause))}
		}
	}
	return s
}

// Answered is the state after an attempt with an answer: closed, and nothing counted.
func (c Config) Answered(State) State { return State{} }
