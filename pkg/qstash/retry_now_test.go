package qstash_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestRetryNow(t *testing.T) {
	for name, o := range map[string]qstash.Options{
		"of a message":        {},
		"of one in a queue":   {Queue: "q"},
		"of one with a limit": {Flow: &qstash.Flow{Key: "k", Parallelism: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = failing(500)
			o.RetryDelay, o.Retries = "3600000", retries(2)
			id := w.publish("https://a.example", "x", o)
			w.run(time.Minute)
			for range 2 { // the second one finds it due
				if err := w.engine.RetryNow(t.Context(), acct, id); err != nil {
					t.Fatal(err)
				}
			}
			w.run(0)
			if len(w.sent) != 2 || w.sent[1].Header.Get("Upstash-Retried") != "1" {
				t.Fatalf("%d attempts", len(w.sent))
			}
			w.run(59 * time.Minute)
			w.sweep()
			w.run(0)
			if len(w.sent) != 2 {
				t.Errorf("%d attempts before the next retry is due", len(w.sent))
			}
			w.run(2 * time.Hour)
			w.sweep()
			if len(w.sent) != 3 || len(w.dead()) != 1 {
				t.Errorf("%d attempts, %d dead letters", len(w.sent), len(w.dead()))
			}
			if err := w.engine.RetryNow(t.Context(), acct, id); !isKind(err, qstash.KindNotFound) {
				t.Errorf("retrying what has failed: %v", err)
			}
		})
	}
}

func TestRetryNowAgainstWakeUpAndCancel(t *testing.T) {
	for range 30 {
		w := newWorld(t)
		id := w.publish("https://a.example", "x", qstash.Options{Delay: time.Second})
		w.now = w.now.Add(time.Second - time.Millisecond)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := w.engine.RetryNow(t.Context(), acct, id); err != nil && !isKind(err, qstash.KindNotFound) && !isKind(err, qstash.KindInvalid) {
					t.Error(err)
				}
			})
			all.Go(func() {
				if err := w.engine.Handle(t.Context(), "m/"+acct+"/"+id); err != nil {
					t.Error(err)
				}
			})
		}
		cancelled := false
		all.Go(func() { cancelled = w.engine.Cancel(t.Context(), acct, id) == nil })
		all.Wait()
		w.run(time.Minute)
		w.sweep()
		w.run(0)
		states := w.states(id)
		if n := len(w.sent); n > 1 || n == 0 && !cancelled || n == 0 && !strings.HasSuffix(states, "CANCELED") {
			t.Fatalf("%d attempts, cancelled %v, %s", n, cancelled, states)
		}
	}
}

func TestRetryRunNow(t *testing.T) {
	w := newWorld(t)
	w.answer = failing(500)
	w.started("wfr_1", qstash.Options{RetryDelay: "3600000", Retries: retries(2)})
	w.publish(workflowURL, `{"stepId":1}`, qstash.Options{Delay: 30 * time.Minute, Workflow: workflow("wfr_1", false)})
	w.answer = nil
	if n, err := w.engine.RetryRunNow(t.Context(), acct, "wfr_1"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.run(0)
	if len(w.sent) != 2 || w.sent[1].Header.Get("Upstash-Retried") != "1" {
		t.Errorf("%d attempts", len(w.sent))
	}
	if n, err := w.engine.RetryRunNow(t.Context(), acct, "wfr_1"); n != 0 || err != nil {
		t.Error("a step that sleeps is woken", n, err)
	}
	if _, err := w.engine.RetryRunNow(t.Context(), acct, "wfr_2"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("an unknown run: %v", err)
	}
}
