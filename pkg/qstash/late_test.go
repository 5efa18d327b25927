package qstash_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
)

// lateStore loses the answer to the first write to a message, which arrives before the next write of anybody.
type lateStore struct {
	store.Store
	armed bool
	held  func()
}

func (s *lateStore) write(ops []store.Op, run func()) (lost bool) {
	if held := s.held; held != nil {
		s.held = nil
		held()
	}
	for _, op := range ops {
		if s.armed && strings.HasPrefix(op.Key.Partition, "m\x00"+acct) {
			s.armed, s.held = false, run
			return true
		}
	}
	return false
}

func (s *lateStore) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if s.write([]store.Op{op}, func() { _, _ = s.Store.Apply(context.WithoutCancel(ctx), op) }) {
		return nil, store.ErrUnknownOutcome
	}
	return s.Store.Apply(ctx, op)
}

func (s *lateStore) Commit(ctx context.Context, ops []store.Op) error {
	if s.write(ops, func() { _ = s.Store.Commit(context.WithoutCancel(ctx), ops) }) {
		return store.ErrUnknownOutcome
	}
	return s.Store.Commit(ctx, ops)
}

// A claim whose answer was lost arrives while the engine tries again. It must not take itself for another engine, which would
// leave the message alone until its lease has expired.
func TestClaimThatArrivesLate(t *testing.T) {
	for name, c := range map[string]struct {
		options qstash.Options
		expired bool // an engine that is gone has claimed the message before
	}{
		"plain":            {},
		"queue":            {options: qstash.Options{Queue: "q"}},
		"flow control":     {options: qstash.Options{Flow: &qstash.Flow{Key: "k", Parallelism: 1}}},
		"rate":             {options: qstash.Options{Flow: &qstash.Flow{Key: "k", Rate: 5}}},
		"both":             {options: qstash.Options{Queue: "q", Flow: &qstash.Flow{Key: "k", Parallelism: 1}}},
		"workflow":         {options: qstash.Options{Workflow: workflow("wfr_1", true)}},
		"after an engine":  {expired: true},
		"queue, after one": {options: qstash.Options{Queue: "q"}, expired: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.options.Timeout, c.options.Delay = 10*time.Second, 20*time.Second
			id := w.publish("https://example.com", "", c.options)
			key := w.hints[0].Key
			w.now = w.now.Add(20 * time.Second)
			if c.expired {
				ctx, end := context.WithCancel(t.Context())
				w.answer = func(qstash.Delivery) (qstash.Response, error) {
					end()
					return qstash.Response{}, ctx.Err()
				}
				if err := w.engine.Handle(ctx, key); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				w.now, w.sent, w.answer = w.now.Add(time.Minute), nil, nil
			}
			late := &lateStore{Store: w.store, armed: true}
			if err := w.newEngine(func(c *qstash.Config) { c.Store = late }).Handle(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if got := w.states(id); late.armed || late.held != nil || len(w.sent) != 1 || !strings.HasSuffix(got, "DELIVERED") {
				t.Errorf("%d attempts, %s", len(w.sent), got)
			}
			log := eventNames(w.pages(qstash.LogQuery{Count: 100, Earliest: true}))
			if n := len(slices.DeleteFunc(log, func(name string) bool { return !strings.HasSuffix(name, " ACTIVE") })); n != 1 {
				t.Errorf("the log has %d beginnings of attempts, want 1", n)
			}
		})
	}
}

// A step that has slept is added to its run when it is due. That, too, may arrive late.
func TestStepThatIsAddedLate(t *testing.T) {
	w := newWorld(t)
	w.started("wfr_1", qstash.Options{})
	id := w.publish(workflowURL, `{"stepId":1}`, qstash.Options{Delay: time.Hour, Workflow: workflow("wfr_1", false)})
	key := w.hints[len(w.hints)-1].Key
	w.now = w.now.Add(time.Hour)
	late := &lateStore{Store: w.store, armed: true}
	if err := w.newEngine(func(c *qstash.Config) { c.Store = late }).Handle(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if got := w.states(id); late.held != nil || got != "CREATED ACTIVE DELIVERED" {
		t.Fatal(got)
	}
	if got := steps(t, w.sent[len(w.sent)-1]); len(got) != 2 || got[1] != `{"stepId":1}` {
		t.Errorf("the workflow gets %q", got)
	}
}
