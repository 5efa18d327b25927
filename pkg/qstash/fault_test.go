package qstash_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// Whatever the store does to single calls: each acknowledged message is delivered, none
// of them twice, as nothing crashes, and what queue and key count is right in the end.
func TestFailingStoreLosesAndRepeatsNothing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t)
			w.store = faulty.New(w.store, faulty.Plan{Seed: seed + 1, Throttle: 0.03, Conflict: 0.03, Unavailable: 0.03, LostApplied: 0.04, LostUnapplied: 0.04})
			w.live(t)
			var mu sync.Mutex
			delivered, attempts := map[string]int{}, map[string]int{}
			done := make(chan struct{}, 1)
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				name := string(d.Body)
				if attempts[name]++; attempts[name] == 1 && len(name)%2 == 0 {
					return qstash.Response{Status: 500}, nil
				}
				delivered[name]++
				select {
				case done <- struct{}{}:
				default:
				}
				return qstash.Response{Status: 200}, nil
			}
			accepted := map[string]bool{}
			for i := range 60 {
				o := qstash.Options{RetryDelay: "1"}
				switch i % 3 {
				case 1:
					o.Queue = "q"
				case 2:
					o.Flow = &qstash.Flow{Key: "k", Parallelism: 2}
				}
				name := fmt.Sprint("message ", i)
				out := w.engine.Publish(t.Context(), acct, []qstash.Request{{Destination: "https://example.com", Body: []byte(name), Options: o}})
				accepted[name] = out[0].Err == nil
			}
			stop := time.After(10 * time.Minute)
			sweep := time.NewTicker(50 * time.Millisecond)
			defer sweep.Stop()
			left := func() (n int) {
				mu.Lock()
				defer mu.Unlock()
				for name, ok := range accepted {
					if ok && delivered[name] == 0 {
						n++
					}
				}
				return n
			}
			finished := func() bool {
				q, qerr := w.engine.Queue(t.Context(), acct, "q")
				f, ferr := w.engine.FlowControl(t.Context(), acct, "k")
				return qerr == nil && ferr == nil && q.Lag == 0 && f.ParallelismCount == 0 && f.WaitListSize == 0
			}
			for left() > 0 || !finished() {
				select {
				case <-done:
				case <-sweep.C:
					// A sweep may fail, too; the next one does what it has not done.
					_, _ = w.engine.Sweep(t.Context(), time.Now().Add(time.Minute))
				case <-stop:
					f, err := w.engine.FlowControl(t.Context(), acct, "k")
					t.Fatalf("%d messages are not delivered; key %+v, %v", left(), f, err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for name, n := range delivered {
				if accepted[name] && n > 1 {
					t.Errorf("%s is delivered %d times", name, n)
				}
			}
		})
	}
}
