package slow_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
	"github.com/skystash/skystash/pkg/store/storetest"
)

func open(t *testing.T, latency time.Duration) *slow.Store {
	t.Helper()
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	s := slow.New(inner, slow.Options{Latency: latency})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSlowStoreIsAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, 0) })
}

func key(sort string) store.Key { return store.Key{Partition: "p", Sort: sort} }

// increment reads and writes on condition that nobody was faster.
func increment(ctx context.Context, s store.Store) error {
	old, err := s.Get(ctx, key("n"))
	if err != nil {
		return err
	}
	cond := store.Cond(store.Absent("n"))
	if old != nil {
		cond = store.Eq("n", old.Get("n"))
	}
	next := store.NewAttrs(store.Attr{Name: "n", Value: store.Int(old.Get("n").Num() + 1)})
	_, err = s.Apply(ctx, store.Put(key("n"), next, cond))
	return err
}

func TestContentionIsSeenAndEnds(t *testing.T) {
	const callers = 100
	s := open(t, 4*time.Millisecond)
	locks := store.NewLocks()
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			if i%2 == 0 { // in one process
				unlock, err := locks.Lock(t.Context(), "", "n")
				if err != nil {
					t.Error(err)
					return
				}
				defer unlock()
			} // else as in many
			policy := store.Retry{Patience: 10 * time.Minute}
			if err := policy.Do(t.Context(), func(ctx context.Context) error { return increment(ctx, s) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Get(t.Context(), key("n"))
	if err != nil || got.Get("n").Num() != callers {
		t.Errorf("the count is %d (%v), want %d", got.Get("n").Num(), err, callers)
	}
	c := s.Counts()
	t.Logf("%d callers: %d calls, %.0f read and %.0f write units, %d lost", callers, c.Total(), c.ReadUnits, c.WriteUnits, c.Unmet)
	if c.Unmet == 0 {
		t.Error("a hundred callers never met at one item")
	}
	if c.Total() > 20*callers {
		t.Errorf("%d calls, want a number that grows with the callers, not with their square", c.Total())
	}
}

func TestTransactionHoldsItsItems(t *testing.T) {
	s := open(t, 20*time.Millisecond)
	meter := &store.Meter{}
	ctx := store.WithMeter(t.Context(), meter)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := s.Commit(ctx, []store.Op{
				store.Update(key("n"), nil, store.Add("n", "n", 1)),
				store.Put(key(fmt.Sprint(i)), store.NewAttrs(), nil),
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Get(t.Context(), key("n"))
	if err != nil || got.Get("n").Num() != 20 {
		t.Errorf("the count is %d (%v), want 20", got.Get("n").Num(), err)
	}
	c := s.Counts()
	if c.Conflicts == 0 {
		t.Error("transactions on one item never met")
	}
	if want := float64(4*20 + 4*c.Conflicts); c.WriteUnits != want || meter.Total().WriteUnits != want {
		t.Errorf("%v units, metered %v, with %d refused, want %v", c.WriteUnits, meter.Total().WriteUnits, c.Conflicts, want)
	}
}

func TestConflictIsNotRepeatedForWhoReadsAnew(t *testing.T) {
	s := open(t, 20*time.Millisecond)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, conflicts := 0, 0
	for i := range 20 {
		wg.Go(func() {
			err := s.Commit(store.NoRepeat(t.Context()), []store.Op{
				store.Update(key("n"), nil, store.Add("n", "n", 1)),
				store.Put(key(fmt.Sprint(i)), store.NewAttrs(), nil),
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				done++
			case errors.Is(err, store.ErrConflict):
				conflicts++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Get(t.Context(), key("n"))
	if err != nil || got.Get("n").Num() != int64(done) || done+conflicts != 20 || s.Counts().Conflicts != conflicts {
		t.Errorf("the count is %d (%v) after %d commits and %d conflicts, of which %d were counted", got.Get("n").Num(), err, done, conflicts, s.Counts().Conflicts)
	}
}

func TestCallThatWasCarriedOutIsAnswered(t *testing.T) {
	s := open(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Apply(ctx, store.Put(key("n"), store.NewAttrs(), nil))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.Apply(ctx, store.Put(key("m"), store.NewAttrs(), nil)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a call after the end of its context: %v, want ErrUnavailable", err)
	}
	if got, err := s.Get(t.Context(), key("m")); err != nil || got != nil {
		t.Errorf("the refused write left %v (%v)", got, err)
	}
}

func TestCountsAndReset(t *testing.T) {
	s := open(t, 0)
	for range 3 {
		if err := increment(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if c := s.Counts(); c.Calls["Get"] != 3 || c.Calls["Apply"] != 3 || c.Total() != 6 || c.ReadUnits != 3 || c.WriteUnits != 3 {
		t.Errorf("counts are %+v", c)
	}
	s.Reset()
	if c := s.Counts(); c.Total() != 0 || c.WriteUnits != 0 {
		t.Errorf("counts after Reset are %+v", c)
	}
}
