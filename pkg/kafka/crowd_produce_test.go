package kafka

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
)

// produced is what calls of Produce took.
type produced struct {
	mu    sync.Mutex
	times []time.Duration
	calls int // to the store, of the call that made most of them
}

// producers produce until the context ends.
func (p *produced) producers(ctx context.Context, t *testing.T, e crowdEngine, n int) (wait func()) {
	var working sync.WaitGroup
	for i := range n {
		working.Go(func() {
			for ctx.Err() == nil {
				var meter store.Meter
				at := time.Now()
				out, err := e.Produce(store.WithMeter(context.WithoutCancel(ctx), &meter), e.c,
					[]NewMessage{{Topic: "red", Partition: i, Timestamp: -1, Value: []byte("a")}})
				p.mu.Lock()
				p.times, p.calls = append(p.times, time.Since(at)), max(p.calls, meter.Total().Calls)
				p.mu.Unlock()
				if err != nil || out[0].Err != nil {
					t.Errorf("produce: %v, %v", out, err)
					return
				}
			}
		})
	}
	return working.Wait
}

func (p *produced) median() time.Duration {
	slices.Sort(p.times)
	return p.times[len(p.times)/2]
}

// A bubble's clock counts nothing but what the store takes, so this is about the calls that Produce waits for,
// and not about the machine. What a real server takes is in integration/bench/GROUPTIMES.md.
func TestProducingDoesNotWaitForInstancesThatJoin(t *testing.T) {
	const instances, producers, latency = 200, 4, 5 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		st := slow.New(inner, slow.Options{Latency: latency})
		defer st.Close()
		e := newCrowdEngine(t, st)
		if err := e.prepare(t.Context(), instances); err != nil {
			t.Fatal(err)
		}
		var alone, beside produced
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		alone.producers(ctx, t, e, producers)()

		ctx, stop = context.WithCancel(t.Context())
		defer stop()
		wait := beside.producers(ctx, t, e, producers)
		var joining sync.WaitGroup
		for i := range instances {
			joining.Go(func() {
				if err := e.join(t.Context(), i); err != nil {
					t.Errorf("instance %d: %v", i, err)
				}
			})
		}
		joining.Wait()
		stop()
		wait()
		t.Logf("alone %v (%d), beside %v (%d)", alone.median(), len(alone.times), beside.median(), len(beside.times))
		if len(beside.times) < 4*producers {
			t.Errorf("only %d calls were made while instances joined", len(beside.times))
		}
		if beside.calls > alone.calls {
			t.Errorf("a call asks the store %d times while instances join, and %d times else", beside.calls, alone.calls)
		}
		if longest, most := slices.Max(beside.times), time.Duration(alone.calls)*latency*3/2; longest > most {
			t.Errorf("a call of %d requests took %v, which is more than %v: it waits for something", alone.calls, longest, most)
		}
	})
}
