package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

// What edits and conditions mean is tested for all implementations together with
// ApplyEdits and Holds, in storetest.

func TestAddThatDoesNotFitIsInvalid(t *testing.T) {
	for _, tt := range []struct{ value, delta int64 }{
		{math.MaxInt64, 1}, {1, math.MaxInt64}, {math.MinInt64, -1}, {-1, math.MinInt64},
	} {
		old := store.NewAttrs(store.Attr{Name: "n", Value: store.Int(tt.value)})
		if next, ok := store.ApplyEdits(old, []store.Edit{store.Add("n", "n", tt.delta)}); ok {
			t.Errorf("%d + %d is %v", tt.value, tt.delta, next)
		}
	}
	old := store.NewAttrs(store.Attr{Name: "n", Value: store.Int(math.MaxInt64)})
	next, ok := store.ApplyEdits(old, []store.Edit{store.Add("n", "n", math.MinInt64)})
	if !ok || next.Get("n").Num() != -1 {
		t.Errorf("%v, %v", next, ok)
	}
}

func TestApplyEditsLeavesTheOldItemAlone(t *testing.T) {
	list := make([]string, 2, 10)
	list[0], list[1] = "a", "b"
	old := store.NewAttrs(store.Attr{Name: "l", Value: store.List(list)}, store.Attr{Name: "n", Value: store.Int(1)})
	for _, ed := range []store.Edit{
		store.Append("l", []string{"x"}), store.Prepend("l", []string{"x"}), store.RemoveFirst("l"), store.Remove("l"),
		store.Set("m", store.Int(1)), store.Set("l", store.Int(1)), store.Add("n", "n", 1), store.CopyFirst("a", "l"),
	} {
		if _, ok := store.ApplyEdits(old, []store.Edit{ed}); !ok {
			t.Errorf("edit %d is invalid", ed.Kind)
		}
		if got := fmt.Sprint(old); got != `[{l ["a" "b"]} {n 1}]` || list[:3][2] != "" {
			t.Fatalf("after edit %d the old item is %s, %q", ed.Kind, got, list[:3])
		}
	}
}

func TestUnknownConditionsAreNotMet(t *testing.T) {
	as := store.NewAttrs(store.Attr{Name: "n", Value: store.Int(1)})
	if store.Holds(store.Compare{Name: "n", Value: store.Int(1)}, as) {
		t.Error("a comparison without an operator holds")
	}
	if _, ok := store.ApplyEdits(as, []store.Edit{{Name: "n"}}); ok {
		t.Error("an edit without a kind is valid")
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	err := fmt.Errorf("commit: %w", &store.ConditionError{Index: 3})
	var failed *store.ConditionError
	if !errors.As(err, &failed) || failed.Index != 3 || err.Error() != "commit: store: condition of operation 3 not met" {
		t.Errorf("%v", err)
	}
}

func TestMeterAddsUpWhatHappensUnderItsContext(t *testing.T) {
	var outer, inner store.Meter
	ctx := store.WithMeter(context.Background(), &outer)
	nested := store.WithMeter(ctx, &inner)
	store.Record(context.Background(), store.Usage{Calls: 1})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { store.Record(ctx, store.Usage{Calls: 1, ReadUnits: 0.5, WriteUnits: 2}) })
	}
	wg.Wait()
	store.Record(nested, store.Usage{Calls: 7})
	if got := outer.Total(); got != (store.Usage{Calls: 10, ReadUnits: 5, WriteUnits: 20}) {
		t.Errorf("outer %+v", got)
	}
	if got := inner.Total(); got != (store.Usage{Calls: 7}) {
		t.Errorf("inner %+v", got)
	}
	if store.Metered(context.Background()) || !store.Metered(ctx) {
		t.Error("Metered is wrong")
	}
}
