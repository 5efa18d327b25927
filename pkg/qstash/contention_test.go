package qstash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
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
	across  float64 // how many times as much it may cost if each caller is another process
	prepare func(t *testing.T, w *world) func(ctx context.Context, e *qstash.Engine, i int) error
}

func published(out []qstash.Outcome) error { return out[0].Err }

var contentions = []contended{
	{"enqueue", 2, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		makeQueue(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			return enqueue(ctx, e, i)
		}
	}},
	{"publish with a flow control key", 2, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			return published(e.Publish(ctx, acct, []qstash.Request{{Destination: "https://example.com", Options: qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 5}}}}))
		}
	}},
	// A claim takes a slot of the key and the message in one transaction: a slot that is counted apart from its message
	// would be lost, or given back twice, by a process that ends in between. So transactions of all processes meet at
	// the key, and each meeting costs a claim. None knows how many others there are. With their pauses of up to
	// 100 ms at first, measured: 2.2 times the calls, 3.6 times the write units (with 10 ms: 2.9 and 4.8).
	{"attempts under a flow control key", 5, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		for range callers {
			w.publish("https://example.com", "x", qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 2 * callers}})
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		hints := w.hints
		return func(ctx context.Context, e *qstash.Engine, i int) error { return e.Handle(ctx, hints[i].Key) }
	}},
	{"steps of a run", 2, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
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
	{"retries of a dead letter", 2, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		id := bury(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			if _, err := e.RetryDeadLetter(ctx, acct, id, nil); err != nil && !isKind(err, qstash.KindNotFound) {
				return err
			}
			return nil
		}
	}},
	{"deletions of a dead letter", 2, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		id := bury(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			if err := e.DeleteDeadLetter(ctx, acct, id); err != nil && !isKind(err, qstash.KindNotFound) {
				return err
			}
			return nil
		}
	}},
	{"endpoints of a URL group", 2, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		if err := addEndpoint(t.Context(), w.engine, 0); err != nil {
			t.Fatal(err)
		}
		return addEndpoint
	}},
	{"the first endpoints of a URL group", 2, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error { return addEndpoint }},
	{"writes of a schedule", 2, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			_, err := e.CreateSchedule(ctx, acct, qstash.ScheduleRequest{ID: "s", Cron: "0 0 1 1 *", Destination: "https://example.com", Body: fmt.Append(nil, i)})
			return err
		}
	}},
	{"signing keys of an account", 2, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			_, err := e.RotateKeys(ctx, acct)
			return err
		}
	}},
	{"settings of a queue", 2, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
		makeQueue(t, w)
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			p := i + 1
			return e.UpsertQueue(ctx, acct, "q", &p, nil)
		}
	}},
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

// What a hundred callers do to one item costs at most twice as much for each as it costs
// a single one within one process, and among processes, but for those that say why not. Nobody is refused.
func TestContentionIsLinear(t *testing.T) {
	t.Parallel()
	for _, c := range contentions {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			alone := c.measure(t, func(w *world, do func(ctx context.Context, e *qstash.Engine, i int)) {
				do(t.Context(), w.engine, 0)
			})
			for _, crowd := range []struct {
				name   string
				times  float64
				engine func(w *world) *qstash.Engine
			}{
				{"in one process", 2, func(w *world) *qstash.Engine { return w.engine }},
				{"in as many processes", c.across, func(w *world) *qstash.Engine { return w.newEngine(asLambda) }},
			} {
				got := c.measure(t, func(w *world, do func(ctx context.Context, e *qstash.Engine, i int)) {
					var wg sync.WaitGroup
					begin := make(chan struct{})
					for i := range callers {
						e := crowd.engine(w)
						wg.Go(func() {
							<-begin
							do(t.Context(), e, i)
						})
					}
					close(begin)
					wg.Wait()
				})
				t.Logf("%s: %d calls, %.0f read, %.0f write units, %d unmet, %d conflicts; a single caller %d, %.0f, %.0f",
					crowd.name, got.Total(), got.ReadUnits, got.WriteUnits, got.Unmet, got.Conflicts, alone.Total(), alone.ReadUnits, alone.WriteUnits)
				if got.WriteUnits > crowd.times*callers*alone.WriteUnits {
					t.Errorf("%s: %.0f write units, a single caller %.0f", crowd.name, got.WriteUnits, alone.WriteUnits)
				}
				if float64(got.Total()) > crowd.times*callers*float64(alone.Total()) {
					t.Errorf("%s: %d calls, a single caller %d", crowd.name, got.Total(), alone.Total())
				}
			}
		})
	}
}

// measure has a crowd do something to one item.
func (c *contended) measure(t *testing.T, crowd func(w *world, do func(ctx context.Context, e *qstash.Engine, i int))) slow.Counts {
	t.Helper()
	w, s := crowded(t)
	do := c.prepare(t, w)
	s.Reset()
	crowd(w, func(ctx context.Context, e *qstash.Engine, i int) {
		if err := do(ctx, e, i); err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
	})
	return s.Counts()
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
