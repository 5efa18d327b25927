package qstash_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	stores "github.com/skystash/skystash/pkg/store/embedded"
)

// unreachable answers for no host whose name begins with "dead".
func unreachable(d qstash.Delivery) (qstash.Response, error) {
	if strings.HasPrefix(d.URL, "https://dead") {
		return qstash.Response{}, &qstash.NoAnswer{Reason: "unable to connect"}
	}
	return qstash.Response{Status: 200}, nil
}

// breaking is an engine whose breakers open after three failures.
func breaking(cfg *qstash.Config) {
	cfg.Breaker = breaker.Config{Failures: 3, Pause: time.Second, MaxPause: 8 * time.Second}
	cfg.RecordTTL = time.Second
}

func (w *world) hosts() []qstash.Host {
	w.t.Helper()
	list, err := w.engine.Hosts(w.t.Context(), acct)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// sentTo is when requests were sent to a URL, since a time.
func (w *world) sentTo(url string, since time.Time) (at []time.Duration) {
	for i, d := range w.sent {
		if d.URL == url {
			at = append(at, w.sentAt[i].Sub(since))
		}
	}
	return at
}

func TestAttemptsToAHostThatIsNotReachedAreHeld(t *testing.T) {
	w := newWorld(t, breaking)
	w.answer = unreachable
	for range 3 {
		w.publish("https://dead.example/first", "", qstash.Options{Retries: retries(0)})
	}
	w.run(0)
	if n := len(w.dead()); n != 3 {
		t.Fatalf("%d messages have failed, want 3", n)
	}
	begin := w.now
	if hs := w.hosts(); len(hs) != 1 || !hs[0].Open || hs[0].Name != "dead.example" || hs[0].Error != "unable to connect" ||
		hs[0].Since != begin.UnixMilli() || hs[0].NextProbe != begin.Add(time.Second).UnixMilli() || hs[0].Pause != 1000 {
		t.Fatalf("hosts %+v", hs)
	}
	w.run(100 * time.Millisecond)
	id := w.publish("https://dead.example/held", "", qstash.Options{Retries: retries(9)})
	w.publish("https://dead.example/other-queue", "", qstash.Options{Retries: retries(9), Queue: "q"})
	w.publish("https://good.example/", "", qstash.Options{})
	w.run(400 * time.Millisecond)
	if good, held := w.sentTo("https://good.example/", begin), w.sentTo("https://dead.example/held", begin); len(good) != 1 || len(held) != 0 {
		t.Errorf("sent at %v to a good host and at %v to one that is not reached", good, held)
	}
	if got := w.states(id); got != "CREATED" {
		t.Errorf("states %s: what is held is no attempt", got)
	}
	// The first probe is made by one of the two, and fails; the next is due two seconds later.
	w.run(time.Second)
	if n := len(w.sentTo("https://dead.example/held", begin)) + len(w.sentTo("https://dead.example/other-queue", begin)); n != 1 {
		t.Errorf("%d probes, want 1", n)
	}
	if hs := w.hosts(); len(hs) != 1 || hs[0].Pause != 2000 {
		t.Errorf("hosts %+v after a probe", hs)
	}
	w.answer = nil
	w.run(time.Minute)
	if hs := w.hosts(); len(hs) != 0 {
		t.Errorf("hosts %+v after an answer", hs)
	}
	if got := w.states(id); !strings.HasSuffix(got, "DELIVERED") {
		t.Errorf("states %s after the host is back", got)
	}
}

// A host is dead for good: a message with retries gets to its end within twice the time of its schedule, and
// as many attempts are made as it asks for.
func TestHeldMessagesReachTheirEnd(t *testing.T) {
	for name, o := range map[string]struct {
		options qstash.Options
		within  time.Duration
	}{
		"no retries":        {qstash.Options{Retries: retries(0)}, 0},
		"one quick retry":   {qstash.Options{Retries: retries(1), RetryDelay: "100"}, 300 * time.Millisecond},
		"default":           {qstash.Options{}, (12182+148413+1808042)*time.Millisecond + 4*8*time.Second},
		"quick retries":     {qstash.Options{Retries: retries(5), RetryDelay: "100"}, 2 * 600 * time.Millisecond},
		"without any delay": {qstash.Options{Retries: retries(50), RetryDelay: "0"}, 0},
		"through a queue":   {qstash.Options{Retries: retries(3), RetryDelay: "1000", Queue: "q"}, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, breaking)
			w.answer = unreachable
			for range 3 {
				w.publish("https://dead.example/first", "", qstash.Options{Retries: retries(0)})
			}
			w.run(0)
			begin := w.now
			w.publish("https://dead.example/", "", o.options)
			w.run(2 * time.Hour)
			sent := w.sentTo("https://dead.example/", begin)
			want := 4
			if o.options.Retries != nil {
				want = 1 + *o.options.Retries
			}
			if len(sent) != want || sent[len(sent)-1] > o.within || len(w.dead()) != 4 {
				t.Errorf("attempts at %v, want %d within %v; %d dead letters", sent, want, o.within, len(w.dead()))
			}
		})
	}
}

func TestAnswersAndOtherErrorsOpenNoBreaker(t *testing.T) {
	w := newWorld(t, breaking)
	answers := []func(qstash.Delivery) (qstash.Response, error){
		failing(500), unreachable, unreachable, failing(503),
		func(qstash.Delivery) (qstash.Response, error) {
			return qstash.Response{}, errors.New("invalid destination url")
		},
	}
	for i := range 20 {
		w.answer = answers[i%len(answers)]
		w.publish("https://dead.example/", "", qstash.Options{Retries: retries(0)})
		w.run(0)
	}
	if hs := w.hosts(); len(hs) != 0 || len(w.sent) != 20 {
		t.Errorf("hosts %+v after %d attempts that are not three failures in a row", hs, len(w.sent))
	}
}

func TestReleasedHostIsTriedAtOnce(t *testing.T) {
	w := newWorld(t, breaking)
	w.answer = unreachable
	for range 3 {
		w.publish("https://DEAD.example:8080/", "", qstash.Options{Retries: retries(0)})
	}
	w.answer = func(qstash.Delivery) (qstash.Response, error) {
		return qstash.Response{}, &qstash.NoAnswer{Reason: "no"}
	}
	w.run(0)
	if err := w.engine.ReleaseHost(t.Context(), acct, "dead.example:8080"); err != nil {
		t.Fatal(err)
	}
	before := len(w.sent)
	w.publish("https://dead.example:8080/", "", qstash.Options{Retries: retries(3)})
	w.run(0)
	if len(w.sent) != before+1 {
		t.Error("a released host is not tried at once")
	}
	if err := w.engine.ReleaseHost(t.Context(), acct, "dead.example:8080"); !isKind(err, qstash.KindNotFound) {
		t.Errorf("releasing what is not held: %v", err)
	}
}

// fleet is processes that share a queue of wake-ups, ten at a time each, as Lambda's event source mapping has them.
type fleet struct {
	t      *testing.T
	wakers *embedded.Waker // holds the wake-ups until they are due
	queue  chan string
}

func (f *fleet) handle(_ context.Context, key string) error {
	f.queue <- key
	return nil
}

// A third of the processes is the most that wait for one host, half of them for one account: the others' messages
// go on although no process can tell what the others are at.
func TestSlowHostsLeaveProcessesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := stores.Open(stores.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		const processes = 12
		sender := &hanging{sent: map[string]int{}}
		f := &fleet{t: t, queue: make(chan string, 100_000)}
		f.wakers = embedded.New(embedded.Options{Concurrency: 1})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var engines []*qstash.Engine
		for range processes {
			engines = append(engines, qstash.New(qstash.Config{Store: st, Sender: sender, Waker: f.wakers, Processes: processes, RecordTTL: time.Second}))
		}
		for _, acct := range []string{"greedy", "other"} {
			if _, err := engines[0].CreateAccount(ctx, acct, qstash.Keys{}); err != nil {
				t.Fatal(err)
			}
		}
		f.wakers.Start(ctx, f.handle)
		ended := make(chan struct{}, processes)
		for i, e := range engines {
			go func() {
				defer func() { ended <- struct{}{} }()
				time.Sleep(time.Duration(i) * time.Second) // Lambda starts a few each second
				for ctx.Err() == nil {
					f.batch(ctx, e)
				}
			}()
		}
		publishMany(t, engines[0], "greedy", "https://hang.example/", 3000, qstash.Options{})
		publishMany(t, engines[0], "greedy", "https://hang-too.example/", 1000, qstash.Options{})
		time.Sleep(5 * time.Minute)
		hs, err := engines[0].Hosts(ctx, "greedy")
		if err != nil {
			t.Fatal(err)
		}
		slow := 0
		for _, h := range hs {
			slow += h.Slow
		}
		// The messages of the first seconds are taken before anybody knows.
		if slow > processes/2+3 || slow < processes/3 {
			t.Errorf("%d of %d processes wait: %+v", slow, processes, hs)
		}
		publishMany(t, engines[0], "other", "https://good.example/", 100, qstash.Options{})
		time.Sleep(time.Second)
		if n := sender.to("https://good.example/"); n != 100 {
			t.Errorf("%d of 100 messages of another account are delivered within a second", n)
		}
		cancel()
		for range processes {
			<-ended
		}
		f.wakers.Stop()
	})
}

// batch handles up to ten wake-ups side by side, and ends with the last of them.
func (f *fleet) batch(ctx context.Context, e *qstash.Engine) {
	var keys []string
	select {
	case key := <-f.queue:
		keys = append(keys, key)
	case <-ctx.Done():
		return
	}
	for len(keys) < 10 && len(f.queue) > 0 {
		keys = append(keys, <-f.queue)
	}
	done := make(chan error, len(keys))
	for _, key := range keys {
		go func() { done <- e.Handle(ctx, key) }()
	}
	for range keys {
		if err := <-done; err != nil && ctx.Err() == nil {
			f.t.Error(err)
		}
	}
}
