package control

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
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

// Those who need the signing keys at once read them once. Who gives up meanwhile does not wait for the
// read of another.
func TestCrowdAtTheSigningKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		const latency = 100 * time.Millisecond
		st := slow.New(inner, slow.Options{Latency: latency})
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		ring := NewMemoryKeyring()
		engine := func() *Engine { return New(Config{Store: st, Keyring: ring}) }
		if err := engine().EnsureSigningKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := engine()
		st.Reset()
		var all sync.WaitGroup
		for i := range crowdtest.Callers {
			all.Go(func() {
				if i%2 == 0 {
					if _, err := e.signer(t.Context()); err != nil {
						t.Errorf("caller %d: %v", i, err)
					}
					return
				}
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				if _, err := e.signer(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("caller %d, whose time is up: %v", i, err)
				}
				if took := time.Since(begun); took > time.Millisecond {
					t.Errorf("caller %d waited for %v", i, took)
				}
			})
			synctest.Wait() // the first one reads: it has the time
		}
		all.Wait()
		if reads := st.Counts().Total(); reads != 1 {
			t.Errorf("%d reads of the keys", reads)
		}
	})
}
