package qstash_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/deliver"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/store"
	storeembedded "github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

// limit is what a kind of messages must not exceed at their destination; 0: no limit.
type limit struct {
	name        string
	options     qstash.Options
	parallelism int
	rate        int // attempts in a period, of flow control
	ordered     bool
}

const account = "acct"

// period is that of rates.
const period = 2 * time.Second

var limits = []limit{
	{"narrow queue", qstash.Options{Queue: "narrow"}, 1, 0, true},
	{"wide queue", qstash.Options{Queue: "wide"}, 3, 0, false},
	{"parallelism", qstash.Options{Flow: &qstash.Flow{Key: "parallelism", Parallelism: 4}}, 4, 0, false},
	{"rate", qstash.Options{Flow: &qstash.Flow{Key: "rate", Rate: 12, Period: period}}, 0, 12, false},
	{"both", qstash.Options{Flow: &qstash.Flow{Key: "both", Parallelism: 2, Rate: 15, Period: period}}, 2, 15, false},
	{"queue with flow control", qstash.Options{Queue: "controlled", Flow: &qstash.Flow{Key: "controlled", Parallelism: 2}}, 2, 0, false},
}

// meter is a destination that is slow, fails a fifth of all attempts, and measures. A
// message's body is the name of its limit and its number.
type meter struct {
	*httptest.Server
	mu        sync.Mutex
	running   map[string]int
	most      map[string]int
	arrivals  map[string][]time.Time
	order     map[string][]int // numbers, as attempts come in
	delivered map[string]int
	change    chan struct{}
}

func newMeter(t *testing.T) *meter {
	m := &meter{running: map[string]int{}, most: map[string]int{}, arrivals: map[string][]time.Time{}, order: map[string][]int{},
		delivered: map[string]int{}, change: make(chan struct{}, 1)}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *meter) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	name, number, _ := strings.Cut(string(body), "/")
	n, err := strconv.Atoi(number)
	if err != nil {
		panic(err)
	}
	m.mu.Lock()
	m.running[name]++
	m.most[name] = max(m.most[name], m.running[name])
	m.arrivals[name] = append(m.arrivals[name], time.Now())
	m.order[name] = append(m.order[name], n)
	m.mu.Unlock()

	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // the work
	status := http.StatusOK
	if rand.IntN(5) == 0 {
		status = http.StatusInternalServerError
	}

	// The attempt ends with the answer, which nobody has before it is written.
	m.mu.Lock()
	m.running[name]--
	if status == http.StatusOK {
		m.delivered[string(body)]++
	}
	m.mu.Unlock()
	w.WriteHeader(status)
	select {
	case m.change <- struct{}{}:
	default:
	}
}

// Two engines share a store, as Lambda functions do, which throttles them and loses answers;
// wake-ups come to either of them, or to both.
func TestLimitsHoldAtTheDestination(t *testing.T) {
	for name, open := range map[string]func(*testing.T) store.Store{
		"embedded": func(t *testing.T) store.Store {
			st, err := storeembedded.Open(storeembedded.Options{InMemory: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			return st
		},
		"dynamodb": func(t *testing.T) store.Store { return dynamolocal.Open(t) },
	} {
		t.Run(name, func(t *testing.T) { measureLimits(t, open(t), 40) })
	}
}

func measureLimits(t *testing.T, st store.Store, each int) {
	destination := newMeter(t)
	quiet := slog.New(slog.DiscardHandler) // of what fails on purpose
	waker := embedded.New(embedded.Options{Concurrency: 64, RetryAfter: 20 * time.Millisecond, Logger: quiet})
	sender := deliver.New(deliver.Config{Allow: deliver.Loopback})
	var engines []*qstash.Engine
	for seed := range uint64(2) {
		engines = append(engines, qstash.New(qstash.Config{
			Store: faulty.New(st, faulty.Plan{Seed: seed + 1, Throttle: 0.03, Conflict: 0.03, Unavailable: 0.02, LostApplied: 0.02, LostUnapplied: 0.02}),
			Waker: waker, Sender: sender, RecordTTL: time.Minute, Logger: quiet,
		}))
	}
	plain := qstash.New(qstash.Config{Store: st, Waker: waker, Sender: sender})
	if _, err := plain.CreateAccount(t.Context(), account, qstash.Keys{}); err != nil {
		t.Fatal(err)
	}
	three := 3
	if err := plain.UpsertQueue(t.Context(), account, "wide", &three, nil); err != nil {
		t.Fatal(err)
	}
	waker.Start(t.Context(), func(ctx context.Context, key string) error {
		first := rand.IntN(len(engines))
		if rand.IntN(5) > 0 {
			return engines[first].Handle(ctx, key)
		}
		var both sync.WaitGroup
		errs := make([]error, len(engines))
		for i, e := range engines {
			both.Go(func() { errs[i] = e.Handle(ctx, key) })
		}
		both.Wait()
		return errs[first]
	})
	t.Cleanup(waker.Stop)

	want := map[string]bool{} // bodies of what was acknowledged
	var mu sync.Mutex
	var publishers sync.WaitGroup
	for _, l := range limits {
		l.options.RetryDelay = "1"
		l.options.Timeout = 5 * time.Second // what an engine has claimed and given up goes on after twice that
		retries := 20
		l.options.Retries = &retries
		publishers.Go(func() {
			for n := range each {
				body := fmt.Sprintf("%s/%d", l.name, n)
				out := engines[n%2].Publish(t.Context(), account, []qstash.Request{{Destination: destination.URL, Body: []byte(body), Options: l.options}})
				if out[0].Err == nil {
					mu.Lock()
					want[body] = true
					mu.Unlock()
				}
			}
		})
	}
	publishers.Wait()

	left := func() (list []string) {
		destination.mu.Lock()
		defer destination.mu.Unlock()
		for body := range want {
			if destination.delivered[body] == 0 {
				list = append(list, body)
			}
		}
		return list
	}
	sweep := time.NewTicker(200 * time.Millisecond)
	defer sweep.Stop()
	for stop := time.After(10 * time.Minute); len(left()) > 0; {
		select {
		case <-destination.change:
		case <-sweep.C:
			// A sweep may fail, too; the next one does what it has not done.
			_, _ = engines[0].Sweep(t.Context(), time.Now().Add(time.Minute))
		case <-stop:
			t.Fatalf("not delivered: %v", left())
		}
	}
	waker.Stop()

	for body, times := range destination.delivered {
		if times > 1 {
			t.Errorf("%s is delivered %d times, though nothing crashes", body, times)
		}
	}
	for _, l := range limits {
		if got := destination.most[l.name]; l.parallelism > 0 && got > l.parallelism {
			t.Errorf("%s: %d requests at a time, want at most %d", l.name, got, l.parallelism)
		}
		if l.ordered && !slices.IsSorted(destination.order[l.name]) {
			t.Errorf("%s: attempts in the order %v", l.name, destination.order[l.name])
		}
		if l.rate == 0 {
			continue
		}
		// Requests arrive a little after the attempts begin that are counted. Within half a period
		// those of at most two periods do.
		arrivals := destination.arrivals[l.name]
		for i := range arrivals {
			if j := i + 2*l.rate; j < len(arrivals) && arrivals[j].Sub(arrivals[i]) < period/2 {
				t.Errorf("%s: %d requests in %v", l.name, 2*l.rate+1, arrivals[j].Sub(arrivals[i]))
			}
		}
		began := attempts(t, plain, l.name)
		if len(began) < len(arrivals) {
			t.Errorf("%s: %d attempts are counted, %d have arrived", l.name, len(began), len(arrivals))
		}
		for len(began) > 0 { // a period begins with its first attempt
			end := began[0] + period.Milliseconds()
			n, _ := slices.BinarySearch(began, end)
			if n > l.rate {
				t.Errorf("%s: %d attempts in a period, want at most %d", l.name, n, l.rate)
			}
			began = began[n:]
		}
	}
}

// attempts are the times, in milliseconds, at which the attempts of a limit's messages began,
// acknowledged or not.
func attempts(t *testing.T, e *qstash.Engine, name string) (began []int64) {
	t.Helper()
	q := qstash.LogQuery{Filter: qstash.Filter{FlowKey: []string{name}}, Count: 1000, Earliest: true}
	for {
		entries, cursor, err := e.Logs(t.Context(), account, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.State == qstash.EventActive {
				began = append(began, entry.Time)
			}
		}
		if q.Cursor = cursor; cursor == "" {
			slices.Sort(began)
			return began
		}
	}
}
