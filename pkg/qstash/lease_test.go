package qstash_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
	stores "github.com/skystash/skystash/pkg/store/embedded"
)

// deaf is a waker that nobody is woken by: what is due is found by sweeps.
type deaf struct{ wake.Waker }

func (deaf) Wake(context.Context, ...wake.Hint) error { return nil }

// awoken is a waker that keeps the keys.
type awoken struct {
	wake.Waker
	keys []string
}

func (a *awoken) Wake(_ context.Context, hints ...wake.Hint) error {
	for _, h := range hints {
		a.keys = append(a.keys, h.Key)
	}
	return nil
}

// sight is the store as one process sees it, until it dies or loses the network.
type sight struct {
	store.Store
	gone    atomic.Bool
	applied atomic.Int64
}

func (s *sight) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if s.gone.Load() {
		return nil, store.ErrUnavailable
	}
	s.applied.Add(1)
	return s.Store.Apply(ctx, op)
}

// slowly is a destination that answers after a time. It notes when requests begin, and whether two of them run at a time.
type slowly struct {
	mu     sync.Mutex
	takes  []time.Duration // the requests in their order, the last for all that follow
	begun  []time.Time
	ended  []time.Time // of those that were given up, too
	beside bool
}

func (s *slowly) Send(ctx context.Context, _ qstash.Delivery) (qstash.Response, error) {
	s.mu.Lock()
	takes := s.takes[min(len(s.begun), len(s.takes)-1)]
	s.beside = s.beside || len(s.begun) > len(s.ended)
	s.begun = append(s.begun, time.Now())
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.ended = append(s.ended, time.Now())
		s.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return qstash.Response{}, ctx.Err()
	case <-time.After(takes):
		return qstash.Response{Status: 200}, nil
	}
}

// attempts are when requests have begun, and whether two of them ran at a time.
func (s *slowly) attempts() (begun []time.Time, beside bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.begun), s.beside
}

// leased runs a test with two engines over one store: the first has its own view of it. publish stores a message and
// has the first engine attempt it; sweep is a sweep of the second, which attempts what it finds.
func leased(t *testing.T, takes []time.Duration, test func(view *sight, to *slowly, publish func(qstash.Options) <-chan error, sweep func())) {
	synctest.Test(t, func(t *testing.T) {
		st, err := stores.Open(stores.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		view, to, found := &sight{Store: st}, &slowly{takes: takes}, &awoken{}
		limits := qstash.Limits{MaxTimeout: 12 * time.Hour}
		first := qstash.New(qstash.Config{Store: view, Sender: to, Waker: deaf{}, Limits: limits})
		second := qstash.New(qstash.Config{Store: st, Sender: to, Waker: found, Limits: limits})
		if _, err := first.CreateAccount(t.Context(), acct, qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		defer wg.Wait()
		publish := func(o qstash.Options) <-chan error {
			out := first.Publish(t.Context(), acct, []qstash.Request{{Destination: "https://long.example", Options: o}})[0]
			if out.Err != nil {
				t.Fatal(out.Err)
			}
			done := make(chan error, 1)
			wg.Go(func() { done <- first.Handle(t.Context(), "m/"+acct+"/"+out.Messages[0].MessageID) })
			return done
		}
		sweep := func() {
			if _, err := second.Sweep(t.Context(), second.Overdue()); err != nil {
				t.Error(err)
			}
			keys := found.keys
			found.keys = nil
			for _, key := range keys {
				wg.Go(func() {
					if err := second.Handle(t.Context(), key); err != nil {
						t.Error(err)
					}
				})
			}
		}
		test(view, to, publish, sweep)
	})
}

func TestLeaseIsRenewedWhileAnAttemptGoesOn(t *testing.T) {
	leased(t, []time.Duration{110 * time.Minute}, func(_ *sight, to *slowly, publish func(qstash.Options) <-chan error, sweep func()) {
		done := publish(qstash.Options{Timeout: 2 * time.Hour})
		for range 120 {
			time.Sleep(time.Minute)
			sweep()
		}
		err := <-done
		if begun, _ := to.attempts(); err != nil || len(begun) != 1 {
			t.Errorf("%d attempts, %v", len(begun), err)
		}
	})
}

// A process that dies without notice, or loses the store, holds its message up for two minutes, whatever the timeout.
func TestAttemptIsMadeAgainSoonAfterItsProcessIsGone(t *testing.T) {
	for _, after := range []time.Duration{0, 50 * time.Minute} {
		leased(t, []time.Duration{11 * time.Hour, time.Second}, func(view *sight, to *slowly, publish func(qstash.Options) <-chan error, sweep func()) {
			done := publish(qstash.Options{Timeout: 12 * time.Hour, Retries: retries(0)})
			time.Sleep(after + time.Second)
			view.gone.Store(true)
			lost := time.Now()
			begun, beside := to.attempts()
			for len(begun) < 2 && time.Since(lost) < time.Hour {
				time.Sleep(time.Second)
				sweep()
				synctest.Wait()
				begun, beside = to.attempts()
			}
			if took := begun[len(begun)-1].Sub(lost); len(begun) != 2 || took > 2*time.Minute+time.Second || beside {
				t.Errorf("lost after %v: %d attempts, the last %v later, two at a time: %v", after, len(begun), took, beside)
			}
			if err := <-done; err == nil {
				t.Error("the first attempt has ended without an error")
			}
		})
	}
}

// A lease costs a write for each half minute, nothing if the answer comes before, or if the
// timeout is shorter than a lease.
func TestRenewalsOfALease(t *testing.T) {
	writes := func(takes, timeout time.Duration) (n int64) {
		leased(t, []time.Duration{takes}, func(view *sight, _ *slowly, publish func(qstash.Options) <-chan error, _ func()) {
			if err := <-publish(qstash.Options{Timeout: timeout}); err != nil {
				t.Error(err)
			}
			n = view.applied.Load()
		})
		return n
	}
	for takes, want := range map[time.Duration]int64{29 * time.Second: 0, 91 * time.Second: 3} {
		if got := writes(takes, time.Hour) - writes(takes, 115*time.Second); got != want {
			t.Errorf("the lease of an attempt of %v is renewed %d times, want %d", takes, got, want)
		}
	}
}
