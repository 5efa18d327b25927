package qstash_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	stores "github.com/skystash/skystash/pkg/store/embedded"
)

// hanging is a sender. Hosts whose name begins with "hang" never answer.
type hanging struct {
	mu   sync.Mutex
	sent map[string]int // by URL
}

func (h *hanging) Send(ctx context.Context, d qstash.Delivery) (qstash.Response, error) {
	h.mu.Lock()
	h.sent[d.URL]++
	h.mu.Unlock()
	if strings.HasPrefix(d.URL, "https://hang") {
		<-ctx.Done()
		return qstash.Response{}, ctx.Err()
	}
	return qstash.Response{Status: 200}, nil
}

func (h *hanging) to(url string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent[url]
}

// publishMany publishes n messages.
func publishMany(t *testing.T, e *qstash.Engine, acct, url string, n int, o qstash.Options) {
	t.Helper()
	for n > 0 {
		reqs := make([]qstash.Request, min(n, qstash.DefaultMessages))
		for i := range reqs {
			reqs[i] = qstash.Request{Destination: url, Options: o}
		}
		for _, out := range e.Publish(t.Context(), acct, reqs) {
			if out.Err != nil {
				t.Fatal(out.Err)
			}
		}
		n -= len(reqs)
	}
}

// 10,000 messages of one account hang. Those of another account, and of the same one to other hosts,
// are delivered without any time passing; also after a restart, when a sweep finds them all.
func TestMessagesThatHangDelayNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := stores.Open(stores.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for round := range 2 {
			sender := &hanging{sent: map[string]int{}}
			waker := embedded.New(embedded.Options{})
			e := qstash.New(qstash.Config{Store: st, Sender: sender, Waker: waker, Alone: true})
			ctx, cancel := context.WithCancel(t.Context())
			if round == 0 {
				for _, acct := range []string{"greedy", "other"} {
					if _, err := e.CreateAccount(ctx, acct, qstash.Keys{}); err != nil {
						t.Fatal(err)
					}
				}
				waker.Start(ctx, e.Handle)
				publishMany(t, e, "greedy", "https://hang.example/", 8000, qstash.Options{})
				publishMany(t, e, "greedy", "https://hang.example/", 1000, qstash.Options{Queue: "q"})
				publishMany(t, e, "greedy", "https://hang.example/", 1000, qstash.Options{Flow: &qstash.Flow{Key: "k", Rate: 900}})
			} else {
				waker.Start(ctx, e.Handle)
				if _, err := e.Sweep(ctx, time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			began := time.Now()
			publishMany(t, e, "other", "https://good.example/", 100, qstash.Options{})
			publishMany(t, e, "greedy", "https://well.example/", 100, qstash.Options{})
			synctest.Wait()
			if passed := time.Since(began); passed > time.Second {
				t.Errorf("round %d: publishing took %v", round, passed) // retries at queues and keys
			}
			if other, well := sender.to("https://good.example/"), sender.to("https://well.example/"); other != 100 || well != 100 {
				t.Errorf("round %d: %d of 100 messages of another account and %d of 100 to another host are delivered at once", round, other, well)
			}
			if n := sender.to("https://hang.example/"); n < 100 || n > embedded.DefaultConcurrency/2 {
				t.Errorf("round %d: %d attempts hang", round, n)
			}
			cancel()
			waker.Stop()
		}
	})
}

// An attempt that is allowed two hours is left alone by the sweeps meanwhile. What says no timeout has the default,
// whatever the most is.
func TestLongCallsAreMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := stores.Open(stores.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		sender := &longCalls{}
		waker := embedded.New(embedded.Options{})
		e := qstash.New(qstash.Config{Store: st, Sender: sender, Waker: waker, Alone: true, Limits: qstash.Limits{MaxTimeout: 2 * time.Hour}})
		if _, err := e.CreateAccount(t.Context(), "acct", qstash.Keys{}); err != nil {
			t.Fatal(err)
		}
		waker.Start(t.Context(), e.Handle)
		out := e.Publish(t.Context(), "acct", []qstash.Request{
			{Destination: "https://long.example/", Options: qstash.Options{Timeout: 2 * time.Hour}},
			{Destination: "https://default.example/"},
			{Destination: "https://longer.example/", Options: qstash.Options{Timeout: 2*time.Hour + time.Second}},
		})
		if out[0].Err != nil || out[1].Err != nil || !isKind(out[2].Err, qstash.KindQuota) {
			t.Errorf("published: %v, %v, %v", out[0].Err, out[1].Err, out[2].Err)
		}
		for range 3 * 60 {
			time.Sleep(time.Minute)
			if _, err := e.Sweep(t.Context(), time.Now().Add(2*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		waker.Stop()
		want := map[string]time.Duration{"https://long.example/": 2 * time.Hour, "https://default.example/": qstash.DefaultTimeout}
		if !maps.Equal(sender.timeouts, want) || sender.calls != 2 {
			t.Errorf("%d calls with timeouts %v, want each of %v once", sender.calls, sender.timeouts, want)
		}
	})
}

// longCalls is a sender whose destinations answer after 119 minutes, or just in time.
type longCalls struct {
	mu       sync.Mutex
	calls    int
	timeouts map[string]time.Duration
}

func (p *longCalls) Send(_ context.Context, d qstash.Delivery) (qstash.Response, error) {
	p.mu.Lock()
	if p.timeouts == nil {
		p.timeouts = map[string]time.Duration{}
	}
	p.timeouts[d.URL] = d.Timeout
	p.calls++
	p.mu.Unlock()
	time.Sleep(min(119*time.Minute, d.Timeout))
	return qstash.Response{Status: 200}, nil
}
