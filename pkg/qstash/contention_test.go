package qstash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/slow"
)

// callers is how many meet at one item.
const callers = 100

// patient never gives up: how long a test takes depends on the machine, what it costs does not.
var patient = store.Retry{Patience: time.Hour}

// crowded is a world over a store with DynamoDB's latency.
func crowded(t *testing.T) (*world, *slow.Store) {
	t.Helper()
	w := newWorld(t)
	s := slow.New(w.store, slow.Options{Latency: 6 * time.Millisecond})
	w.store = s
	w.engine = w.newEngine(asLambda)
	return w, s
}

// asLambda is an engine as many instances of a function have.
func asLambda(c *qstash.Config) {
	c.Retry, c.Now, c.Logger = patient, time.Now, slog.New(slog.DiscardHandler)
}

// contended is something that several callers do to one item.
type contended struct {
	name    string
	prepare func(t *testing.T, w *world) func(ctx context.Context, e *qstash.Engine, i int) error
}

func published(out []qstash.Outcome) error { return out[0].Err }

var contentions = []contended{
	{"enqueue", func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		makeQueue(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			return enqueue(ctx, e, i)
		}
	}},
	{"publish with a flow control key", func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			return published(e.Publish(ctx, acct, []qstash.Request{{Destination: "https://example.com", Options: qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 5}}}}))
		}
	}},
	// A claim is a transaction on the key and the message. Of a hundred that begin at the same moment, none of which knows
	// of the others, DynamoDB carries out one and bills all: 1.99 times the transaction is the least that is possible.
	// Tickets keep what follows from meeting again. Measured: 1.7 times the write units, and 1.9 under a paused key.
	{"attempts under a flow control key", flowAttempts(false)},
	{"attempts under a flow control key that is paused", flowAttempts(true)},
	{"steps of a run", func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		start := qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1", Init: true}}
		w.publish("https://example.com", "{}", start)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			step, err := json.Marshal(map[string]any{"stepId": i + 1})
			if err != nil {
				return err
			}
			return published(e.Publish(ctx, acct, []qstash.Request{{Destination: "https://example.com", Body: step, Options: qstash.Options{Workflow: &qstash.Workflow{RunID: "wfr_1"}}}}))
		}
	}},
	{"retries of a dead letter", func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		id := bury(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			if _, err := e.RetryDeadLetter(ctx, acct, id, nil); err != nil && !isKind(err, qstash.KindNotFound) {
				return err
			}
			return nil
		}
	}},
	{"deletions of a dead letter", func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		id := bury(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			if err := e.DeleteDeadLetter(ctx, acct, id); err != nil && !isKind(err, qstash.KindNotFound) {
				return err
			}
			return nil
		}
	}},
	{"endpoints of a URL group", func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		if err := addEndpoint(t.Context(), w.engine, 0); err != nil {
			t.Fatal(err)
		}
		return addEndpoint
	}},
	{"the first endpoints of a URL group", func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error { return addEndpoint }},
	{"writes of a schedule", func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			_, err := e.CreateSchedule(ctx, acct, qstash.ScheduleRequest{ID: "s", Cron: "0 0 1 1 *", Destination: "https://example.com", Body: fmt.Append(nil, i)})
			return err
		}
	}},
	{"signing keys of an account", func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			_, err := e.RotateKeys(ctx, acct)
			return err
		}
	}},
	{"settings of a queue", func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		makeQueue(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			p := i + 1
			return e.UpsertQueue(ctx, acct, "q", &p, nil)
		}
	}},
}

// flowAttempts makes attempts under one flow control key, which has room for all. If it is paused, all wait in its list.
func flowAttempts(paused bool) func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
	return func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		for range callers {
			w.publish("https://example.com", "x", qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 2 * callers}})
		}
		if paused {
			if err := w.engine.PauseFlow(t.Context(), acct, "k", true); err != nil {
				t.Fatal(err)
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		hints := w.hints
		return func(ctx context.Context, e *qstash.Engine, i int) error { return e.Handle(ctx, hints[i].Key) }
	}
}

func addEndpoint(ctx context.Context, e *qstash.Engine, i int) error {
	return e.AddEndpoints(ctx, acct, "g", []qstash.Endpoint{{URL: fmt.Sprintf("https://%d.io", i%50)}})
}

func enqueue(ctx context.Context, e *qstash.Engine, i int) error {
	return published(e.Publish(ctx, acct, []qstash.Request{{Destination: "https://example.com", Body: fmt.Append(nil, i), Options: qstash.Options{Queue: "q"}}}))
}

func makeQueue(t *testing.T, w *world) {
	t.Helper()
	one := 1
	if err := w.engine.UpsertQueue(t.Context(), acct, "q", &one, nil); err != nil {
		t.Fatal(err)
	}
}

// bury has a message fail, and returns its dead letter.
func bury(t *testing.T, w *world) string {
	t.Helper()
	w.answer = failing(500)
	none := 0
	w.publish("https://example.com", "x", qstash.Options{Retries: &none})
	w.mu.Lock()
	hints := w.hints
	w.hints = nil
	w.mu.Unlock()
	for _, h := range hints {
		if err := w.engine.Handle(t.Context(), h.Key); err != nil {
			t.Fatal(err)
		}
	}
	return w.dead()[0].DLQID
}

// What a hundred callers do to one item costs each at most twice as much as it costs a single
// one: in one process, in four, and in a hundred. Nobody is refused.
func TestContentionIsLinear(t *testing.T) {
	t.Parallel()
	for _, c := range contentions {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			alone := c.measure(t, 1, 1)
			for _, processes := range []int{1, 4, callers} {
				got := c.measure(t, processes, callers)
				t.Logf("%d processes: %d calls, %.0f read, %.0f write units, %d unmet, %d conflicts; a single caller %d, %.0f, %.0f",
					processes, got.Total(), got.ReadUnits, got.WriteUnits, got.Unmet, got.Conflicts, alone.Total(), alone.ReadUnits, alone.WriteUnits)
				if got.WriteUnits > 2*callers*alone.WriteUnits {
					t.Errorf("%d processes: %.0f write units, a single caller %.0f", processes, got.WriteUnits, alone.WriteUnits)
				}
				if got.Total() > 2*callers*alone.Total() {
					t.Errorf("%d processes: %d calls, a single caller %d", processes, got.Total(), alone.Total())
				}
			}
		})
	}
}

// measure has a crowd, in some processes, do something to one item. The clock is that of a bubble, so
// that what it costs does not depend on the machine.
func (c *contended) measure(t *testing.T, processes, crowd int) (counts slow.Counts) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, s := crowded(t)
		do := c.prepare(t, w)
		engines := []*qstash.Engine{w.engine}
		for len(engines) < processes {
			engines = append(engines, w.newEngine(asLambda))
		}
		s.Reset()
		var wg sync.WaitGroup
		for i := range crowd {
			wg.Go(func() {
				if err := do(t.Context(), engines[i%processes], i); err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		counts = s.Counts()
	})
	return counts
}

// crowdOf does something as a hundred processes at once. Each must succeed.
func crowdOf(t *testing.T, w *world, do func(ctx context.Context, e *qstash.Engine, i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range callers {
		e := w.newEngine(asLambda)
		wg.Go(func() {
			if err := do(t.Context(), e, i); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

// What many processes do to one item at once is what they would have done one after the other.
func TestContentionLosesNothing(t *testing.T) {
	t.Parallel()
	t.Run("URL group", func(t *testing.T) {
		w, _ := crowded(t)
		crowdOf(t, w, func(ctx context.Context, e *qstash.Engine, i int) error {
			if i%10 == 9 { // some change the group's text meanwhile
				return e.AddEndpoints(ctx, acct, "g", []qstash.Endpoint{{Name: "named", URL: fmt.Sprintf("https://named%d.io", i)}})
			}
			return addEndpoint(ctx, e, i)
		})
		if err := w.engine.RemoveEndpoints(t.Context(), acct, "g", []qstash.Endpoint{{URL: "https://0.io"}}); err != nil {
			t.Fatal(err)
		}
		g, err := w.engine.Group(t.Context(), acct, "g")
		if err != nil {
			t.Fatal(err)
		}
		urls, named := map[string]bool{}, 0
		for _, ep := range g.Endpoints {
			urls[ep.URL] = true
			if ep.Name == "named" {
				named++
			}
		}
		for i := range callers {
			if url := fmt.Sprintf("https://%d.io", i%50); i%10 != 9 && urls[url] == (i%50 == 0) {
				t.Errorf("%s is there: %v", url, urls[url])
			}
		}
		if named != 1 || len(urls) != len(g.Endpoints) || g.UpdatedAt < g.CreatedAt {
			t.Errorf("the group is %+v", g)
		}
	})
	t.Run("the limit of a URL group", func(t *testing.T) {
		w, _ := crowded(t)
		var mu sync.Mutex
		refused := 0
		crowdOf(t, w, func(ctx context.Context, e *qstash.Engine, i int) error {
			err := e.AddEndpoints(ctx, acct, "g", []qstash.Endpoint{{URL: fmt.Sprintf("https://a%d.io", i)}, {URL: fmt.Sprintf("https://b%d.io", i)}})
			if isKind(err, qstash.KindQuota) {
				mu.Lock()
				defer mu.Unlock()
				refused++
				return nil
			}
			return err
		})
		if g, err := w.engine.Group(t.Context(), acct, "g"); err != nil || len(g.Endpoints) != qstash.DefaultEndpoints || refused != callers-qstash.DefaultEndpoints/2 {
			t.Errorf("%d endpoints (%v), %d refused", len(g.Endpoints), err, refused)
		}
	})
	t.Run("schedule", func(t *testing.T) {
		w, _ := crowded(t)
		crowdOf(t, w, func(ctx context.Context, e *qstash.Engine, i int) error {
			if i%10 == 9 {
				err := e.PauseSchedule(ctx, acct, "s", true)
				if isKind(err, qstash.KindNotFound) {
					return nil
				}
				return err
			}
			_, err := e.CreateSchedule(ctx, acct, qstash.ScheduleRequest{ID: "s", Cron: fmt.Sprintf("%d 0 1 1 *", i%60), Destination: fmt.Sprintf("https://%d.example", i), Body: fmt.Append(nil, i)})
			return err
		})
		got, err := w.engine.ScheduleSettings(t.Context(), acct, "s")
		if err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscan(string(got.Body), &i); err != nil || got.Destination != fmt.Sprintf("https://%d.example", i) || got.Cron != fmt.Sprintf("%d 0 1 1 *", i%60) {
			t.Errorf("the schedule is a mixture: %+v (%v)", got, err)
		}
	})
	t.Run("signing keys", func(t *testing.T) {
		w, _ := crowded(t)
		before, err := w.engine.Account(t.Context(), acct)
		if err != nil {
			t.Fatal(err)
		}
		known := map[qstash.Keys]bool{}
		var mu sync.Mutex
		crowdOf(t, w, func(ctx context.Context, e *qstash.Engine, i int) error {
			keys, err := e.RotateKeys(ctx, acct)
			mu.Lock()
			defer mu.Unlock()
			known[keys] = true
			return err
		})
		after, err := w.newEngine(asLambda).Account(t.Context(), acct)
		if err != nil || !known[after.Keys] || known[before.Keys] {
			t.Errorf("the keys are %+v (%v), callers were told %v", after, err, known)
		}
	})
	t.Run("dead letter", func(t *testing.T) {
		w, _ := crowded(t)
		id := bury(t, w)
		var mu sync.Mutex
		retried := 0
		crowdOf(t, w, func(ctx context.Context, e *qstash.Engine, i int) error {
			_, err := e.RetryDeadLetter(ctx, acct, id, nil)
			if isKind(err, qstash.KindNotFound) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			retried++
			return err
		})
		if retried != 1 || len(w.dead()) != 0 {
			t.Errorf("retried %d times, %d dead letters are left", retried, len(w.dead()))
		}
	})
}

// A place in a queue is an atomic count, however many processes publish.
func TestEnqueueOfManyProcesses(t *testing.T) {
	t.Parallel()
	const publishers = 120
	w, s := crowded(t)
	s.Reset()
	var wg sync.WaitGroup
	for i := range publishers {
		e := w.newEngine(asLambda)
		wg.Go(func() {
			if err := enqueue(t.Context(), e, i); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	counts := s.Counts()
	t.Logf("%.1f write units and %.1f calls a message", counts.WriteUnits/publishers, float64(counts.Total())/publishers)
	if most := 12.0 * publishers; counts.WriteUnits > most {
		t.Errorf("%.0f write units, want at most %.0f", counts.WriteUnits, most)
	}
	if q, err := w.engine.Queue(t.Context(), acct, "q"); err != nil || q.Lag != publishers {
		t.Errorf("queue %+v, %v", q, err)
	}
}
