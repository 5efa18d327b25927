package qstash_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestCancelledMessagesAreNotSent(t *testing.T) {
	w := newWorld(t)
	a := w.publish("https://a.example/x", "", qstash.Options{Delay: time.Hour, Labels: []string{"l"}})
	b := w.publish("https://b.example", "", qstash.Options{Delay: time.Hour, Labels: []string{"l", "m"}})
	c := w.publish("https://c.example", "", qstash.Options{Delay: time.Hour, Queue: "q"})
	d := w.publish("https://d.example", "", qstash.Options{Delay: time.Hour, Flow: &qstash.Flow{Key: "k", Rate: 1}})
	if n, err := w.engine.CancelMany(t.Context(), acct, qstash.Filter{Label: []string{"l"}}, 1); n != 1 || err != nil {
		t.Errorf("count 1: %d, %v", n, err)
	}
	if n, err := w.engine.CancelMany(t.Context(), acct, qstash.Filter{Label: []string{"l"}}, 100); n != 1 || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	if n, err := w.engine.CancelMany(t.Context(), acct, qstash.Filter{MessageIDs: []string{a, b, c}}, 100); n != 1 || err != nil {
		t.Errorf("by id, two of them again: %d, %v", n, err)
	}
	if err := w.engine.Cancel(t.Context(), acct, d); err != nil {
		t.Error(err)
	}
	if err := w.engine.Cancel(t.Context(), acct, d); !isKind(err, qstash.KindNotFound) {
		t.Errorf("again: %v", err)
	}
	w.run(2 * time.Hour)
	w.sweep()
	if len(w.sent) != 0 || w.states(a) != "CREATED CANCEL_REQUESTED CANCELED" {
		t.Errorf("sent %v, events %s", w.urls(), w.states(a))
	}
	if q, err := w.engine.Queue(t.Context(), acct, "q"); q.Lag != 0 || err != nil {
		t.Errorf("queue %+v, %v", q, err)
	}
}

// Whoever is told that a message is cancelled may rely on it, whatever the attempt comes to that is under way
// in another process.
func TestCancellingAnAttemptUnderWay(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(qstash.Delivery) (qstash.Response, error)
		want   string // events
	}{
		{"that succeeds", nil, "CREATED ACTIVE CANCEL_REQUESTED CANCELED"},
		{"that fails", failing(500), "CREATED ACTIVE CANCEL_REQUESTED ERROR CANCELED"},
		{"that is not answered", func(qstash.Delivery) (qstash.Response, error) { return qstash.Response{}, errors.New("no answer") },
			"CREATED ACTIVE CANCEL_REQUESTED ERROR CANCELED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			other := w.newEngine()
			var id string
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				if err := other.Cancel(t.Context(), acct, id); err != nil {
					t.Error(err)
				}
				if err := other.Cancel(t.Context(), acct, id); !isKind(err, qstash.KindNotFound) {
					t.Errorf("again: %v", err)
				}
				if c.answer == nil {
					return qstash.Response{Status: 200, Body: []byte("done")}, nil
				}
				return c.answer(d)
			}
			id = w.publish("https://example.com", "", qstash.Options{Queue: "q", Flow: &qstash.Flow{Key: "k", Parallelism: 1},
				Callback: &qstash.Callback{URL: "https://callback.example"}, FailureCallback: &qstash.Callback{URL: "https://failed.example"}})
			w.run(time.Hour)
			w.sweep()
			w.run(time.Hour)
			if got := w.states(id); got != c.want || len(w.sent) != 1 || len(w.dead()) != 0 {
				t.Errorf("events %s, sent %v, dead letters %v", got, w.urls(), w.dead())
			}
			all, err := w.engine.Metrics(t.Context(), acct, 0, 0)
			if err != nil || all[0].Delivered != 0 || all[0].Cancelled != 1 || all[0].Attempts != 1 {
				t.Errorf("metrics %+v, %v", all[0], err)
			}
			if c.answer == nil {
				log := w.pages(qstash.LogQuery{Filter: qstash.Filter{MessageIDs: []string{id}}, Count: 1})
				if log[0].State != qstash.EventCancelled || log[0].Status != 200 {
					t.Errorf("the log does not say what the destination has answered: %+v", log[0])
				}
			}
			w.answer = nil
			w.publish("https://next.example", "", qstash.Options{Queue: "q", Flow: &qstash.Flow{Key: "k", Parallelism: 1}})
			w.run(0)
			if len(w.sent) != 2 {
				t.Errorf("its place in the queue, or at the flow control key, is not free: sent %v", w.urls())
			}
		})
	}
}

// The engine that makes the attempt ends, or is late, so that another one finds the lease expired. It would
// make the attempt again.
func TestCancelledAttemptIsNotMadeAgain(t *testing.T) {
	for name, o := range map[string]qstash.Options{"alone": {}, "queue": {Queue: "q"}, "flow control": {Flow: &qstash.Flow{Key: "k", Parallelism: 1}}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			o.Timeout = 10 * time.Second
			ctx, end := context.WithCancel(t.Context())
			var id string
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				if err := w.newEngine().Cancel(t.Context(), acct, id); err != nil {
					t.Error(err)
				}
				end()
				return qstash.Response{}, ctx.Err()
			}
			id = w.publish("https://example.com", "", o)
			if err := w.engine.Handle(ctx, "m/"+acct+"/"+id); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			w.hints, w.answer = nil, nil
			w.engine = w.newEngine()
			w.run(61 * time.Second)
			w.sweep()
			w.run(0)
			if got := w.states(id); len(w.sent) != 1 || got != "CREATED ACTIVE CANCEL_REQUESTED CANCELED" {
				t.Errorf("%d attempts, %s", len(w.sent), got)
			}
			w.publish("https://next.example", "", o)
			w.run(0)
			if len(w.sent) != 2 {
				t.Errorf("its place is not free: sent %v", w.urls())
			}
		})
	}
}

// An engine that has claimed a message and is slow to read its body renews its lease before it sends.
func TestCancelledBeforeASlowEngineSends(t *testing.T) {
	w := newWorld(t)
	id := w.publish("https://example.com", noise(5000), qstash.Options{Timeout: 10 * time.Second})
	slow := &slowStore{Store: w.store}
	slow.slow = func() {
		slow.slow = func() {}
		w.mu.Lock()
		w.now = w.now.Add(20 * time.Second)
		w.mu.Unlock()
		if err := w.newEngine().Cancel(t.Context(), acct, id); err != nil {
			t.Error(err)
		}
	}
	if err := w.newEngine(func(c *qstash.Config) { c.Store = slow }).Handle(t.Context(), "m/"+acct+"/"+id); err != nil {
		t.Fatal(err)
	}
	if got := w.states(id); len(w.sent) != 0 || got != "CREATED ACTIVE CANCEL_REQUESTED CANCELED" {
		t.Errorf("%d attempts, %s", len(w.sent), got)
	}
}

// Two engines are woken at the due moment while a third one cancels.
func TestCancellingAtTheDueMoment(t *testing.T) {
	for range 100 {
		w := newWorld(t)
		id := w.publish("https://a.example", "x", qstash.Options{Retries: retries(3)})
		var asked atomic.Bool // the answer "cancelled" has been given
		late := false
		w.answer = func(qstash.Delivery) (qstash.Response, error) {
			late = late || asked.Load() && w.states(id) == "CREATED ACTIVE"
			return qstash.Response{Status: 200}, nil
		}
		var all sync.WaitGroup
		for range 2 {
			engine := w.newEngine()
			all.Go(func() {
				if err := engine.Handle(t.Context(), "m/"+acct+"/"+id); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			switch err := w.newEngine().Cancel(t.Context(), acct, id); {
			case err == nil:
				asked.Store(true)
			case !isKind(err, qstash.KindNotFound):
				t.Error(err)
			}
		})
		all.Wait()
		w.run(time.Minute)
		w.sweep()
		w.run(0)
		states := w.states(id)
		if cancelled := strings.HasSuffix(states, "CANCELED"); len(w.sent) > 1 || cancelled != asked.Load() || strings.Contains(states, "DELIVERED") == cancelled || late {
			t.Fatalf("%d attempts, cancelled %v, %s", len(w.sent), asked.Load(), states)
		}
	}
}

// A step whose delivery is under way is cancelled with its run, and not when the run ends by itself.
func TestCancellingAStepUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		cancel    func(w *world, id string) error
		run, step string
	}{
		"by the message": {func(w *world, id string) error { return w.newEngine().Cancel(w.t.Context(), acct, id) }, "RUN_CANCELED", "CANCELED"},
		"by the run":     {func(w *world, _ string) error { return w.newEngine().CancelRun(w.t.Context(), acct, "wfr_1") }, "RUN_CANCELED", "DELIVERED"},
		"after its end": {func(w *world, _ string) error {
			return w.newEngine().FinishRun(w.t.Context(), acct, "wfr_1", nil)
		}, "RUN_SUCCESS", "DELIVERED"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.started("wfr_1", qstash.Options{})
			var id string
			w.answer = func(qstash.Delivery) (qstash.Response, error) {
				return qstash.Response{Status: 200}, c.cancel(w, id)
			}
			id = w.publish(workflowURL, `{"stepId":1}`, qstash.Options{Workflow: workflow("wfr_1", false)})
			w.run(0)
			w.minutes(3)
			if state, _ := w.runState("wfr_1"); state != c.run || !strings.HasSuffix(w.states(id), c.step) {
				t.Errorf("the run is %s, the step %s", state, w.states(id))
			}
		})
	}
}
