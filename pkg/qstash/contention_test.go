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
	{"attempts under a flow control key", 20, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
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
	{"retries of a dead letter", 20, func(t *testing.T, w *world) func(context.Context, *qstash.Engine, int) error {
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
	{"endpoints of a URL group", 12, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			return e.AddEndpoints(ctx, acct, "g", []qstash.Endpoint{{URL: fmt.Sprintf("https://%d.example", i%50)}})
		}
	}},
	{"writes of a schedule", 20, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
		return func(ctx context.Context, e *qstash.Engine, i int) error {
			_, err := e.CreateSchedule(ctx, acct, qstash.ScheduleRequest{ID: "s", Cron: "0 0 1 1 *", Destination: "https://example.com", Body: fmt.Append(nil, i)})
			return err
		}
	}},
	{"signing keys of an account", 12, func(*testing.T, *world) func(context.Context, *qstash.Engine, int) error {
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
// a single one within one process; among processes it costs a few times as much where
// a condition decides. Nobody is refused.
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
