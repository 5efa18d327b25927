package faulty_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/storetest"
)

func open(t *testing.T, plan faulty.Plan) (s *faulty.Store, inner store.Store) {
	t.Helper()
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	s = faulty.New(inner, plan)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, inner
}

func key(sort string) store.Key { return store.Key{Partition: "p", Sort: sort} }

func increment(t *testing.T, s store.Store) error {
	_, err := s.Apply(t.Context(), store.Update(key("n"), nil, store.Add("n", "n", 1)))
	return err
}

func count(t *testing.T, s store.Store) int64 {
	t.Helper()
	as, err := s.Get(t.Context(), key("n"))
	if err != nil {
		t.Fatal(err)
	}
	return as.Get("n").Num()
}

func TestWithoutFaultsIsTransparent(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s, _ := open(t, faulty.Plan{})
		return s
	})
}

func TestFaultsThatPreventEveryCall(t *testing.T) {
	for name, tt := range map[string]struct {
		plan  faulty.Plan
		want  error
		reads bool // reads fail as well
	}{
		"throttled":   {faulty.Plan{Throttle: 1}, store.ErrThrottled, true},
		"unavailable": {faulty.Plan{Unavailable: 1}, store.ErrUnavailable, true},
		"conflict":    {faulty.Plan{Conflict: 1}, store.ErrConflict, false},
		"lost before": {faulty.Plan{LostUnapplied: 1}, store.ErrUnknownOutcome, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, inner := open(t, tt.plan)
			if err := increment(t, s); !errors.Is(err, tt.want) {
				t.Errorf("update: %v", err)
			}
			if err := s.Commit(t.Context(), []store.Op{store.Put(key("n"), store.Attrs{}, nil)}); !errors.Is(err, tt.want) {
				t.Errorf("commit: %v", err)
			}
			if _, err := s.Get(t.Context(), key("n")); errors.Is(err, tt.want) != tt.reads {
				t.Errorf("get: %v", err)
			}
			if as, err := inner.Get(t.Context(), key("n")); as != nil || err != nil {
				t.Errorf("something was written: %v, %v", as, err)
			}
		})
	}
}

func TestConflictHitsSnapshotsOnly(t *testing.T) {
	s, _ := open(t, faulty.Plan{Conflict: 1})
	if _, err := s.GetMany(t.Context(), []store.Key{key("a")}, true); !errors.Is(err, store.ErrConflict) {
		t.Errorf("snapshot: %v", err)
	}
	if _, err := s.GetMany(t.Context(), []store.Key{key("a")}, false); err != nil {
		t.Errorf("plain: %v", err)
	}
}

func TestLostAnswerToAnAppliedWrite(t *testing.T) {
	s, inner := open(t, faulty.Plan{LostApplied: 1})
	if err := increment(t, s); !errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("error %v", err)
	}
	if n := count(t, inner); n != 1 {
		t.Errorf("counter is %d", n)
	}
	// The answer is lost even if it would have been a failed condition.
	_, err := s.Apply(t.Context(), store.Delete(key("n"), store.Absent("n")))
	if !errors.Is(err, store.ErrUnknownOutcome) || count(t, inner) != 1 {
		t.Errorf("error %v", err)
	}
	if c := s.Counts(); c != (faulty.Counts{Calls: 2, LostApplied: 1, LostUnapplied: 1}) {
		t.Errorf("counts %+v", c)
	}
}

func TestLateWriteArrivesBeforeALaterCall(t *testing.T) {
	s, inner := open(t, faulty.Plan{LostLate: 1, LateCalls: 1})
	if err := increment(t, s); !errors.Is(err, store.ErrUnknownOutcome) || count(t, inner) != 0 {
		t.Errorf("error %v, counter %d", err, count(t, inner))
	}
	if n := count(t, s); n != 1 {
		t.Errorf("counter is %d at the next call", n)
	}
	if err := increment(t, s); !errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("error %v", err)
	}
	s.Flush()
	s.Flush()
	if n := count(t, inner); n != 2 {
		t.Errorf("counter is %d after Flush", n)
	}
}

func TestLateWriteOutlivesItsContextAndSlice(t *testing.T) {
	s, inner := open(t, faulty.Plan{LostLate: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ops := []store.Op{store.Put(key("n"), store.NewAttrs(store.Attr{Name: "n", Value: store.Int(7)}), nil)}
	if err := s.Commit(ctx, ops); !errors.Is(err, store.ErrUnknownOutcome) {
		t.Errorf("error %v", err)
	}
	cancel()
	ops[0] = store.Delete(key("n"), nil)
	s.Flush()
	if n := count(t, inner); n != 7 {
		t.Errorf("counter is %d", n)
	}
}

func TestThrottledLoadIsCarriedOutInPart(t *testing.T) {
	s, inner := open(t, faulty.Plan{Seed: 3, Throttle: 1})
	var puts []store.Item
	for i := range 100 {
		puts = append(puts, store.Item{Key: key(fmt.Sprint(i)), Attrs: store.Attrs{}})
	}
	if err := s.Load(t.Context(), puts, nil); !errors.Is(err, store.ErrThrottled) {
		t.Errorf("error %v", err)
	}
	p, err := inner.Query(t.Context(), store.Query{Partition: "p"})
	if err != nil || p.Count == 0 || p.Count == 100 {
		t.Errorf("%d items loaded, error %v", p.Count, err)
	}
}

func TestCountsAndCounterAgree(t *testing.T) {
	plan := faulty.Plan{Seed: 42, Throttle: 0.1, Conflict: 0.1, Unavailable: 0.1, LostApplied: 0.1, LostUnapplied: 0.1, LostLate: 0.1}
	run := func() (faulty.Counts, int64) {
		s, _ := open(t, plan)
		acknowledged := 0
		for range 500 {
			if increment(t, s) == nil {
				acknowledged++
			}
		}
		s.Flush()
		s.SetPlan(faulty.Plan{})
		c, n := s.Counts(), count(t, s)
		if want := int64(acknowledged + c.LostApplied + c.LostLate); n != want {
			t.Errorf("counter is %d, want %d; %+v", n, want, c)
		}
		for _, k := range []int{c.Throttled, c.Conflicts, c.Unavailable, c.LostApplied, c.LostUnapplied, c.LostLate} {
			if k < 15 || k > 85 {
				t.Errorf("counts are far from the plan: %+v", c)
			}
		}
		return c, n
	}
	c1, n1 := run()
	c2, n2 := run()
	if c1 != c2 || n1 != n2 {
		t.Errorf("the same seed gave %+v, %d and %+v, %d", c1, n1, c2, n2)
	}
}

func TestBeforeIsCalledFirst(t *testing.T) {
	var methods []string
	s, inner := open(t, faulty.Plan{})
	s.SetPlan(faulty.Plan{Before: func(ctx context.Context, method string) {
		methods = append(methods, method)
		if method == "Query" {
			// Something else happens in the meantime.
			if err := increment(t, inner); err != nil {
				t.Error(err)
			}
			s.SetPlan(faulty.Plan{Unavailable: 1})
		}
	}})
	if n := count(t, s); n != 0 {
		t.Errorf("counter is %d", n)
	}
	if _, err := s.Query(t.Context(), store.Query{Partition: "p"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the plan set by the hook is ignored: %v", err)
	}
	if n := count(t, inner); n != 1 || fmt.Sprint(methods) != "[Get Query]" {
		t.Errorf("counter is %d after %v", n, methods)
	}
}
