package qstash_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
)

// expiring is a store whose items are gone at the very time when they may be.
type expiring struct {
	store.Store
	now func() time.Time
}

func (e *expiring) gone(attrs store.Attrs) bool {
	at := attrs.Get(store.TTLAttr)
	return !at.IsZero() && at.Num() <= e.now().Unix()
}

func (e *expiring) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	attrs, err := e.Store.Get(ctx, key)
	if e.gone(attrs) {
		return nil, err
	}
	return attrs, err
}

func (e *expiring) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	list, err := e.Store.GetMany(ctx, keys, snapshot)
	for i, attrs := range list {
		if e.gone(attrs) {
			list[i] = nil
		}
	}
	return list, err
}

func (e *expiring) Query(ctx context.Context, q store.Query) (store.Page, error) {
	page, err := e.Store.Query(ctx, q)
	page.Items = slices.DeleteFunc(page.Items, func(it store.Item) bool { return e.gone(it.Attrs) })
	return page, err
}

// A run that sleeps for years ends well, with all its steps, in a store that removes what has expired.
func TestRunThatSleepsForYearsLosesNothing(t *testing.T) {
	w := newWorld(t)
	w.store = &expiring{w.store, w.time}
	w.engine = w.newEngine()
	w.started("wfr_1", qstash.Options{})
	long := `{"stepId":1,"out":"` + strings.Repeat("x", 100_000) + `"}`
	if err := w.submit("wfr_1", long, qstash.Options{}); err != nil {
		t.Fatal(err)
	}
	w.run(0)
	const naps, nap = 12, 200 * 24 * time.Hour
	for i := range naps {
		if err := w.submit("wfr_1", fmt.Sprintf(`{"stepId":%d,"sleepFor":1}`, i+2), qstash.Options{Delay: nap}); err != nil {
			t.Fatalf("nap %d: %v", i, err)
		}
		w.minutes(3) // the sweep looks at the run
		w.run(nap)
		if n := len(steps(t, w.sent[len(w.sent)-1])); n != i+3 {
			t.Fatalf("after nap %d the workflow gets %d steps, want %d", i, n, i+3)
		}
	}
	if err := w.engine.FinishRun(t.Context(), acct, "wfr_1", nil); err != nil {
		t.Fatal(err)
	}
	if got := steps(t, w.sent[len(w.sent)-1]); got[1] != long {
		t.Error("the long step has changed")
	}
}
