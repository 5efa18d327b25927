// Package waketest is the conformance suite of the port wake.Waker.
package waketest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash/cron"
	"github.com/skystash/skystash/pkg/qstash/wake"
)

// Open makes a Waker that calls a handler until the test ends.
type Open func(t *testing.T, handle wake.Handler) wake.Waker

// patience is how long the suite waits for what has to happen.
const patience = 5 * time.Minute

// Run checks an implementation.
func Run(t *testing.T, open Open) {
	t.Run("a hint that is due is handled at once", func(t *testing.T) {
		calls := newCalls()
		w := open(t, calls.handle)
		wakeAll(t, w, wake.Hint{At: time.Now().Add(-time.Hour), Key: "m/acct/1"})
		calls.await(t, "m/acct/1")
	})
	t.Run("a hint is not handled long before its time", func(t *testing.T) {
		calls := newCalls()
		w := open(t, calls.handle)
		at := time.Now().Add(2 * time.Second)
		wakeAll(t, w, wake.Hint{At: at, Key: "m/acct/later"}, wake.Hint{Key: "m/acct/now"})
		calls.await(t, "m/acct/now")
		if got := calls.await(t, "m/acct/later"); got.Before(at.Add(-time.Second)) {
			t.Errorf("handled %v before its time", at.Sub(got))
		}
	})
	t.Run("many hints at once are all handled", func(t *testing.T) {
		calls := newCalls()
		w := open(t, calls.handle)
		var hints []wake.Hint
		for i := range 53 {
			hints = append(hints, wake.Hint{Key: fmt.Sprintf("m/acct/%d", i)})
		}
		wakeAll(t, w, hints...)
		for _, h := range hints {
			calls.await(t, h.Key)
		}
	})
	t.Run("keys arrive as they were, long ones too", func(t *testing.T) {
		calls := newCalls()
		w := open(t, calls.handle)
		for _, key := range []string{`f/acct/"quoted" & <odd> %2F ünï`, "f/acct/" + strings.Repeat("k", wake.MaxKey-7)} {
			wakeAll(t, w, wake.Hint{Key: key})
			calls.await(t, key)
		}
	})
	t.Run("repeating and ceasing can be repeated", func(t *testing.T) {
		w := open(t, newCalls().handle)
		yearly, err := cron.Parse("0 0 1 1 *")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"r/acct/a@1", "r/acct/a@1", "r/acct/a@2"} {
			if _, err := w.Repeat(t.Context(), key, yearly); err != nil {
				t.Errorf("repeat %s: %v", key, err)
			}
		}
		for _, key := range []string{"r/acct/a@1", "r/acct/a@1", "r/acct/none"} {
			if err := w.Cease(t.Context(), key); err != nil {
				t.Errorf("cease %s: %v", key, err)
			}
		}
	})
	t.Run("what fails is handled again", func(t *testing.T) {
		calls := newCalls()
		var mu sync.Mutex
		failed := false
		w := open(t, func(ctx context.Context, key string) error {
			mu.Lock()
			defer mu.Unlock()
			if !failed {
				failed = true
				return fmt.Errorf("not yet")
			}
			return calls.handle(ctx, key)
		})
		wakeAll(t, w, wake.Hint{Key: "m/acct/again"})
		calls.await(t, "m/acct/again")
	})
}

func wakeAll(t *testing.T, w wake.Waker, hints ...wake.Hint) {
	t.Helper()
	if err := w.Wake(t.Context(), hints...); err != nil {
		t.Fatal(err)
	}
}

// calls notes when which key was handled first.
type calls struct {
	mu    sync.Mutex
	first map[string]time.Time
	more  chan struct{}
}

func newCalls() *calls { return &calls{first: map[string]time.Time{}, more: make(chan struct{}, 1)} }

func (c *calls) handle(_ context.Context, key string) error {
	c.mu.Lock()
	if _, ok := c.first[key]; !ok {
		c.first[key] = time.Now()
	}
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
	return nil
}

func (c *calls) await(t *testing.T, key string) time.Time {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		at, ok := c.first[key]
		c.mu.Unlock()
		if ok {
			return at
		}
		select {
		case <-c.more:
		case <-deadline:
			t.Fatalf("%.60q was not handled", key)
		}
	}
}
