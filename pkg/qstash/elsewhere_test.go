package qstash_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// starter notes the processes that are asked for.
type starter struct {
	started []struct{ key, owner string }
	err     error
}

func (s *starter) Start(_ context.Context, key, owner string) error {
	s.started = append(s.started, struct{ key, owner string }{key, owner})
	return s.err
}

// newLongWorld is a world whose engine may run for 14 minutes, and has longer attempts made elsewhere.
func newLongWorld(t *testing.T) (*world, *starter) {
	s := &starter{}
	return newWorld(t, s.used), s
}

func (s *starter) used(c *qstash.Config) {
	c.Limits = qstash.Limits{MaxTimeout: 2 * time.Hour, Timeout: 14 * time.Minute}
	c.Elsewhere = qstash.Elsewhere{Starter: s, Beyond: 14 * time.Minute}
}

// begin plays the n-th process that was started.
func (s *starter) begin(w *world, n int) {
	w.t.Helper()
	e := w.newEngine(func(c *qstash.Config) {
		c.Limits, c.Owner = qstash.Limits{MaxTimeout: 2 * time.Hour}, s.started[n].owner
	})
	if err := e.Attempt(w.t.Context(), s.started[n].key); err != nil {
		w.t.Fatal(err)
	}
}

func TestLongAttemptsAreMadeElsewhere(t *testing.T) {
	for name, o := range map[string]qstash.Options{"alone": {}, "queue": {Queue: "q"}, "flow control": {Flow: &qstash.Flow{Key: "k", Parallelism: 1}}} {
		t.Run(name, func(t *testing.T) {
			w, s := newLongWorld(t)
			w.publish("https://short.example", "", qstash.Options{})
			w.run(0)
			if len(s.started) != 0 || len(w.sent) != 1 {
				t.Fatalf("%d processes for a short message, sent %v", len(s.started), w.urls())
			}
			o.Timeout = 2 * time.Hour
			id := w.publish("https://long.example", "body", o)
			w.run(time.Minute)
			w.sweep()
			for _, e := range []*qstash.Engine{w.engine, w.newEngine(s.used)} { // a wake-up comes twice
				if err := e.Handle(t.Context(), s.started[0].key); err != nil {
					t.Fatal(err)
				}
			}
			if len(s.started) != 1 || len(w.sent) != 1 {
				t.Fatalf("%d processes, sent %v", len(s.started), w.urls())
			}
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				w.mu.Lock()
				w.now = w.now.Add(119 * time.Second)
				w.mu.Unlock()
				w.sweep() // finds that the attempt goes on
				return qstash.Response{Status: 200}, nil
			}
			s.begin(w, 0)
			if got := w.states(id); got != "CREATED ACTIVE DELIVERED" || len(s.started) != 1 || len(w.sent) != 2 || w.sent[1].Timeout != 2*time.Hour || string(w.sent[1].Body) != "body" {
				t.Errorf("%s, %d processes, sent %v", got, len(s.started), w.urls())
			}
			s.begin(w, 0) // it is started twice
			w.answer = nil
			o.Timeout = 0
			w.publish("https://next.example", "", o)
			w.run(0)
			if got := w.urls(); len(got) != 3 || got[2] != "https://next.example" {
				t.Errorf("sent %v: the place is not free, or the message was sent again", got)
			}
		})
	}
}

// A process that cannot be started, or never begins, costs no retry.
func TestLongAttemptsWhoseProcessIsMissing(t *testing.T) {
	w, s := newLongWorld(t)
	s.err = errors.New("no capacity")
	id := w.publish("https://long.example", "", qstash.Options{Timeout: time.Hour, Retries: retries(0)})
	w.run(40 * time.Second)
	if got := w.states(id); len(s.started) != 2 || got != "CREATED ACTIVE RETRY ACTIVE RETRY" {
		t.Fatalf("%d processes, %s", len(s.started), got)
	}
	s.err = nil
	w.run(30 * time.Second)
	if len(s.started) != 3 {
		t.Fatalf("%d processes", len(s.started))
	}
	w.run(qstash.StartTime - 15*time.Second) // of which 10 have passed
	w.sweep()
	w.run(0)
	if len(s.started) != 3 {
		t.Fatal("the process is given up before its time")
	}
	w.run(2 * time.Minute)
	w.sweep()
	w.run(0)
	if len(s.started) != 4 {
		t.Fatalf("%d processes, want another one for the one that is missing", len(s.started))
	}
	s.begin(w, 2) // late
	if len(w.sent) != 0 {
		t.Error("the process that was given up makes the attempt")
	}
	s.begin(w, 3)
	if len(w.sent) != 1 || w.sent[0].Header.Get("Upstash-Retried") != "0" || !strings.HasSuffix(w.states(id), "DELIVERED") {
		t.Errorf("sent %v, %s", w.urls(), w.states(id))
	}
}

func TestLongAttemptIsCancelledBeforeItBegins(t *testing.T) {
	w, s := newLongWorld(t)
	id := w.publish("https://long.example", "", qstash.Options{Timeout: time.Hour})
	w.run(0)
	if err := w.newEngine().Cancel(t.Context(), acct, id); err != nil {
		t.Fatal(err)
	}
	s.begin(w, 0)
	if got := w.states(id); len(w.sent) != 0 || got != "CREATED ACTIVE CANCEL_REQUESTED CANCELED" {
		t.Errorf("%d attempts, %s", len(w.sent), got)
	}
}

// A task that AWS stops gives its attempt back: the next one is started at once, not when the lease ends.
func TestLongAttemptWhoseProcessIsStoppedIsMadeAgainAtOnce(t *testing.T) {
	for name, o := range map[string]qstash.Options{"alone": {}, "queue": {Queue: "q"}, "flow control": {Flow: &qstash.Flow{Key: "k", Parallelism: 1}}} {
		t.Run(name, func(t *testing.T) {
			w, s := newLongWorld(t)
			o.Timeout, o.Retries = 2*time.Hour, retries(0)
			id := w.publish("https://long.example", "", o)
			w.run(0)
			ctx, stop := context.WithCancel(t.Context())
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				stop()
				return qstash.Response{}, context.Canceled
			}
			first := w.newEngine(func(c *qstash.Config) {
				c.Limits, c.Owner = qstash.Limits{MaxTimeout: 2 * time.Hour}, s.started[0].owner
			})
			if err := first.Attempt(ctx, s.started[0].key); !errors.Is(err, context.Canceled) {
				t.Errorf("the attempt that was stopped ends with %v", err)
			}
			w.answer = nil
			w.run(0)
			if len(s.started) != 2 {
				t.Fatalf("%d processes were started, want another one", len(s.started))
			}
			s.begin(w, 1)
			if got := w.states(id); len(w.sent) != 2 || got != "CREATED ACTIVE DELIVERED" {
				t.Errorf("%d attempts, %s", len(w.sent), got)
			}
		})
	}
}
