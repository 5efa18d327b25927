package embedded_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/qstash/wake/waketest"
)

func TestConformance(t *testing.T) {
	waketest.Run(t, func(t *testing.T, handle wake.Handler) wake.Waker {
		w := embedded.New(embedded.Options{RetryAfter: time.Millisecond})
		w.Start(t.Context(), handle)
		t.Cleanup(w.Stop)
		return w
	})
}

func TestHintsAreHandledToTheMillisecondAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []time.Duration
		begin := time.Now()
		w := embedded.New(embedded.Options{Concurrency: 1})
		for _, at := range []time.Duration{30 * time.Second, time.Second, time.Minute, time.Hour} {
			w.Wake(t.Context(), wake.Hint{At: begin.Add(at), Key: "k" + at.String()})
		}
		w.Wake(t.Context(), wake.Hint{At: begin.Add(20 * time.Second), Key: "k1m0s"}) // earlier than before
		w.Wake(t.Context(), wake.Hint{At: begin.Add(40 * time.Second), Key: "k1s"})   // later
		w.Start(t.Context(), func(context.Context, string) error {
			got = append(got, time.Since(begin))
			return nil
		})
		time.Sleep(2 * time.Hour)
		w.Stop()
		want := []time.Duration{time.Second, 20 * time.Second, 30 * time.Second} // an hour is beyond the horizon
		if len(got) != len(want) {
			t.Fatalf("handled at %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("handled at %v, want %v", got, want)
			}
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		w := embedded.New(embedded.Options{Concurrency: 3})
		w.Start(t.Context(), func(context.Context, string) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		})
		for i := range 20 {
			w.Wake(t.Context(), wake.Hint{Key: string(rune('a' + i))})
		}
		time.Sleep(time.Minute)
		w.Stop()
		if most.Load() != 3 {
			t.Errorf("%d calls at a time, want 3", most.Load())
		}
	})
}
