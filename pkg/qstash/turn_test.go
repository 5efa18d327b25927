package qstash_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/slow"
)

// publisherKey marks the calls of one publisher.
type publisherKey struct{}

// publisher is a call to Publish that has its place and has yet to write its message.
type publisher struct {
	name    string
	placed  chan struct{}   // it asks to commit
	verdict chan bool       // whether it may, or has died
	done    chan error      // what Publish has returned
	ctx     context.Context // of its calls
}

// heldStore holds the commits of publishers back until the test lets them go on.
type heldStore struct{ store.Store }

var errDied = errors.New("the publisher has died")

func (s heldStore) Commit(ctx context.Context, ops []store.Op) error {
	if p, ok := ctx.Value(publisherKey{}).(*publisher); ok {
		p.placed <- struct{}{}
		if !<-p.verdict {
			return errDied
		}
	}
	return s.Store.Commit(ctx, ops)
}

// queueMachine is a queue whose publishers, wake-ups and destinations the test plays, one step
// at a time, through two engines.
type queueMachine struct {
	w           *world
	engines     []*qstash.Engine
	parallelism int
	made        int               // publishers so far
	publishers  []*publisher      // that have a place
	stored      []string          // names, in the order in which they were acknowledged
	ids         map[string]string // of the stored
	cancelled   map[string]bool
	order       []string                 // names, as attempts begin
	running     map[string]chan struct{} // attempts under way: ended by the test
	twice       []string                 // attempts of messages that had one under way
	handled     map[string]chan error    // what the wake-ups that made these attempts end with
	began       chan string
}

func (m *queueMachine) send(d qstash.Delivery) (qstash.Response, error) {
	name := string(d.Body)
	end := make(chan struct{})
	m.w.mu.Lock()
	if m.running[name] != nil {
		m.twice = append(m.twice, name)
	}
	m.running[name] = end
	m.order = append(m.order, name)
	m.w.mu.Unlock()
	m.began <- name
	<-end
	return qstash.Response{Status: 200}, nil
}

// begin starts a publisher, up to its commit.
func (m *queueMachine) begin(t *rapid.T) {
	m.made++
	p := &publisher{name: fmt.Sprint("message ", m.made),
		placed: make(chan struct{}), verdict: make(chan bool), done: make(chan error, 1)}
	p.ctx = context.WithValue(m.w.t.Context(), publisherKey{}, p)
	e := m.engines[rapid.IntRange(0, len(m.engines)-1).Draw(t, "engine")]
	go func() {
		out := e.Publish(p.ctx, acct, []qstash.Request{{Destination: "https://example.com", Body: []byte(p.name), Options: qstash.Options{Queue: "q"}}})
		if out[0].Err == nil {
			m.w.mu.Lock()
			m.ids[p.name] = out[0].Messages[0].MessageID
			m.w.mu.Unlock()
		}
		p.done <- out[0].Err
	}()
	<-p.placed
	m.publishers = append(m.publishers, p)
}

// end lets a publisher write its message, or die.
func (m *queueMachine) end(t *rapid.T, alive bool) {
	if len(m.publishers) == 0 {
		t.Skip("nobody publishes")
	}
	i := rapid.IntRange(0, len(m.publishers)-1).Draw(t, "publisher")
	p := m.publishers[i]
	m.publishers = slices.Delete(m.publishers, i, i+1)
	p.verdict <- alive
	for {
		select {
		case <-p.placed: // its place was void: it has another
			p.verdict <- alive
			continue
		case err := <-p.done:
			if alive != (err == nil) {
				t.Fatalf("publishing: %v", err)
			}
			if alive {
				m.stored = append(m.stored, p.name)
			}
		}
		return
	}
}

// wake handles wake-ups until an attempt begins or nothing is left to be handled.
func (m *queueMachine) wake(t *rapid.T) {
	e := m.engines[rapid.IntRange(0, len(m.engines)-1).Draw(t, "engine")]
	m.w.mu.Lock()
	hints := m.w.hints
	m.w.hints = nil
	m.w.mu.Unlock()
	if len(hints) == 0 {
		hints = []wake.Hint{{Key: "q/" + acct + "/q"}}
	}
	for _, h := range hints {
		done := make(chan error, 1)
		go func() { done <- e.Handle(m.w.t.Context(), h.Key) }()
		select {
		case name := <-m.began:
			m.handled[name] = done
		case err := <-done:
			if err != nil {
				t.Fatalf("handle %s: %v", h.Key, err)
			}
		}
	}
}

// answer ends an attempt.
func (m *queueMachine) answer(t *rapid.T) {
	name := m.pick(t, m.names())
	m.w.mu.Lock()
	end := m.running[name]
	delete(m.running, name)
	m.w.mu.Unlock()
	close(end)
	if err := <-m.handled[name]; err != nil {
		t.Fatalf("%s was answered: %v", name, err)
	}
	if m.pending(t, name) {
		t.Fatalf("%s is pending although it was answered", name)
	}
}

func (m *queueMachine) pending(t *rapid.T, name string) bool {
	_, err := m.engines[0].PendingMessage(m.w.t.Context(), acct, m.ids[name])
	if err != nil && !isKind(err, qstash.KindNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// names are those of the attempts under way.
func (m *queueMachine) names() (names []string) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for name := range m.running {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *queueMachine) pick(t *rapid.T, names []string) string {
	if len(names) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(names).Draw(t, "message")
}

// cancel cancels a message that waits.
func (m *queueMachine) cancel(t *rapid.T) {
	var waiting []string
	for _, name := range m.stored {
		if !m.cancelled[name] && !slices.Contains(m.order, name) {
			waiting = append(waiting, name)
		}
	}
	name := m.pick(t, waiting)
	if err := m.engines[0].Cancel(m.w.t.Context(), acct, m.ids[name]); err != nil {
		t.Fatal(err)
	}
	m.cancelled[name] = true
}

func (m *queueMachine) check(t *rapid.T) {
	m.w.mu.Lock()
	twice := m.twice
	m.w.mu.Unlock()
	if len(twice) > 0 {
		t.Fatalf("%v are attempted twice at a time", twice)
	}
	if running := m.names(); len(running) > m.parallelism {
		t.Fatalf("%v run at a time, want at most %d", running, m.parallelism)
	}
}

// A place may be written after a later one, or never; a message may be cancelled; wake-ups come to
// either engine: never do more run than may, and all that is stored is delivered, once.
func TestTurnsOfAQueue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.store = heldStore{w.store}
		m := &queueMachine{w: w, parallelism: rapid.IntRange(1, 3).Draw(rt, "parallelism"), ids: map[string]string{},
			cancelled: map[string]bool{}, running: map[string]chan struct{}{}, handled: map[string]chan error{}, began: make(chan string, 1)}
		w.answer = m.send
		for range 2 {
			m.engines = append(m.engines, w.newEngine(func(c *qstash.Config) {
				c.Retry, c.Logger = store.Retry{Sleep: func(context.Context, time.Duration) error { return nil }}, slog.New(slog.DiscardHandler)
			}))
		}
		if err := m.engines[0].UpsertQueue(t.Context(), acct, "q", &m.parallelism, nil); err != nil {
			rt.Fatal(err)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"begin":  m.begin,
			"store":  func(t *rapid.T) { m.end(t, true) },
			"die":    func(t *rapid.T) { m.end(t, false) },
			"wake":   m.wake,
			"answer": m.answer,
			"cancel": m.cancel,
			"":       m.check,
		})
		for len(m.publishers) > 0 {
			m.end(rt, true)
		}
		for steps := 0; ; steps++ {
			m.wake(rt)
			m.check(rt)
			if names := m.names(); len(names) > 0 {
				m.answer(rt)
				continue
			}
			q, err := m.engines[0].Queue(t.Context(), acct, "q")
			if err != nil {
				rt.Fatal(err)
			}
			if q.Lag == 0 {
				break
			}
			if steps > 200 {
				rt.Fatalf("%d messages are never delivered", q.Lag)
			}
		}
		for _, name := range m.stored {
			if n := count(m.order, name); n != 1 && !m.cancelled[name] || n > 0 && m.cancelled[name] {
				rt.Fatalf("%s is delivered %d times, cancelled: %v", name, n, m.cancelled[name])
			}
		}
	})
}

func count(list []string, s string) (n int) {
	for _, x := range list {
		if x == s {
			n++
		}
	}
	return n
}

// Many processes publish to queues and deliver from them, over a store that is slow, loses
// answers and lets writes come late: never do more run than may, nothing that was acknowledged is
// lost, and what one publisher has sent to a queue without parallelism comes in its order.
func TestTurnsOfManyProcesses(t *testing.T) {
	for _, parallelism := range []int{1, 3} {
		t.Run(fmt.Sprint("parallelism ", parallelism), func(t *testing.T) {
			t.Parallel()
			const publishers, each = 12, 5
			w := newWorld(t)
			w.store = faulty.New(slow.New(w.store, slow.Options{Latency: 2 * time.Millisecond}),
				faulty.Plan{Seed: 7, Conflict: 0.02, Unavailable: 0.01, LostApplied: 0.02, LostUnapplied: 0.02, LostLate: 0.02, LateCalls: 200})
			var mu sync.Mutex
			running, most := 0, 0
			var order []string
			w.answer = func(d qstash.Delivery) (qstash.Response, error) {
				mu.Lock()
				running++
				most = max(most, running)
				order = append(order, string(d.Body))
				mu.Unlock()
				time.Sleep(time.Millisecond)
				mu.Lock()
				running--
				mu.Unlock()
				return qstash.Response{Status: 200}, nil
			}
			var engines []*qstash.Engine
			for range 4 {
				waker := embedded.New(embedded.Options{RetryAfter: 5 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
				e := w.newEngine(asLambda, func(c *qstash.Config) { c.Waker = waker })
				waker.Start(t.Context(), e.Handle)
				t.Cleanup(waker.Stop)
				engines = append(engines, e)
			}
			for engines[0].UpsertQueue(t.Context(), acct, "q", &parallelism, nil) != nil {
				continue // the store fails
			}
			accepted := make([][]string, publishers)
			var wg sync.WaitGroup
			for p := range publishers {
				wg.Go(func() {
					for i := range each {
						name := fmt.Sprintf("%d/%d", p, i)
						out := engines[p%len(engines)].Publish(t.Context(), acct, []qstash.Request{{Destination: "https://example.com", Body: []byte(name), Options: qstash.Options{Queue: "q"}}})
						if out[0].Err == nil {
							accepted[p] = append(accepted[p], name)
						}
					}
				})
			}
			wg.Wait()
			missing := func() (names []string) {
				mu.Lock()
				defer mu.Unlock()
				for _, list := range accepted {
					for _, name := range list {
						if !slices.Contains(order, name) {
							names = append(names, name)
						}
					}
				}
				return names
			}
			for deadline := time.Now().Add(2 * time.Minute); len(missing()) > 0; {
				if time.Now().After(deadline) {
					t.Fatalf("never delivered: %v", missing())
				}
				// What a wake-up failed for is found by a sweep, which may fail, too.
				_, _ = engines[0].Sweep(t.Context(), time.Now().Add(time.Minute))
				time.Sleep(20 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			if most > parallelism {
				t.Errorf("%d attempts at a time, want at most %d", most, parallelism)
			}
			if parallelism > 1 {
				return
			}
			for _, list := range accepted {
				last := -1
				for _, name := range list {
					at := slices.Index(order, name)
					if at < last {
						t.Errorf("%s comes before what was published earlier: %v", name, order)
					}
					last = at
				}
			}
		})
	}
}

// A queue that was written when places were given together with their entries has no floor.
func TestQueueOfAnEarlierVersion(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		w.publish(fmt.Sprintf("https://%d.example", i), "", qstash.Options{Queue: "q", Delay: time.Minute})
	}
	key := store.Key{Partition: "q\x00" + acct, Sort: "q"}
	if _, err := w.store.Apply(t.Context(), store.Update(key, store.Exists("f"), store.Remove("f"))); err != nil {
		t.Fatal(err)
	}
	w.publish("https://3.example", "", qstash.Options{Queue: "q", Delay: time.Minute})
	w.run(10 * time.Minute)
	if got, want := w.urls(), []string{"https://0.example", "https://1.example", "https://2.example", "https://3.example"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
	if q, err := w.engine.Queue(t.Context(), acct, "q"); err != nil || q.Lag != 0 {
		t.Errorf("queue %+v, %v", q, err)
	}
}

// A message whose publisher had its place when the queue was deleted is cancelled, woken or not.
func TestMessageForADeletedQueueIsCancelled(t *testing.T) {
	for _, woken := range []bool{true, false} {
		w := newWorld(t)
		w.store = heldStore{w.store}
		w.engine = w.newEngine()
		p := &publisher{placed: make(chan struct{}), verdict: make(chan bool), done: make(chan error, 1)}
		ctx := context.WithValue(t.Context(), publisherKey{}, p)
		ids := make(chan string, 1)
		go func() {
			out := w.engine.Publish(ctx, acct, []qstash.Request{{Destination: "https://example.com", Options: qstash.Options{Queue: "q"}}})
			if out[0].Err != nil {
				t.Error(out[0].Err)
				close(ids)
				return
			}
			ids <- out[0].Messages[0].MessageID
		}()
		<-p.placed
		if err := w.engine.DeleteQueue(t.Context(), acct, "q"); err != nil {
			t.Fatal(err)
		}
		p.verdict <- true
		id := <-ids
		if woken {
			w.run(0)
		} else {
			w.mu.Lock()
			w.hints = nil
			w.mu.Unlock()
			w.run(10 * time.Minute)
			w.sweep()
		}
		if got := w.states(id); got != "CREATED CANCEL_REQUESTED CANCELED" || len(w.sent) != 0 {
			t.Errorf("woken %v: events %s, sent %v", woken, got, w.urls())
		}
	}
}
