package control

import (
	"context"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/slow/crowdtest"
)

// Callers that change one record at once lose no change, and pay for little more than their own.
func TestCrowdAtOneRecord(t *testing.T) {
	key := accountKey("a1")
	born := time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)
	crowdtest.Operation[*Engine]{
		Name: "changing an account's record",
		New: func(_ testing.TB, st store.Store) *Engine {
			return New(Config{Store: st, Retry: store.Retry{Patience: time.Hour}})
		},
		Prepare: func(ctx context.Context, e *Engine) error {
			return e.store.Commit(ctx, []store.Op{store.Put(key, encode(&Account{ID: "a1", CreatedAt: born}), nil)})
		},
		Do: func(ctx context.Context, e *Engine, _ int) error {
			_, _, err := change(ctx, e, key, func(a *Account) error {
				a.CreatedAt = a.CreatedAt.Add(time.Second)
				return nil
			})
			return err
		},
		Check: func(t *testing.T, e *Engine, callers int) {
			var a Account
			if ok, err := e.read(t.Context(), key, &a); err != nil || !ok {
				t.Fatalf("reading the account: %v, %v", ok, err)
			}
			if got := a.CreatedAt.Sub(born); got != time.Duration(callers)*time.Second {
				t.Errorf("%v of %d changes are there", got, callers)
			}
		},
	}.Run(t)
}
