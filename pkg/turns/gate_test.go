package turns

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateIsPassedRoundRobinByAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(1, time.Now)
		as := func(ctx context.Context, account string) context.Context {
			ctx, _ = New(1, 0, time.Now).Request(ctx, account, "database", 0)
			return ctx
		}
		leave, err := g.Pass(as(t.Context(), "greedy"))
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, account := range []string{"greedy", "greedy", "greedy", "other"} {
			go func() {
				leave, err := g.Pass(as(t.Context(), account))
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, account)
				leave()
			}()
			synctest.Wait() // they come in this order
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Pass(as(gone, "third")); !errors.Is(err, context.Canceled) {
			t.Errorf("whoever has gone: %v", err)
		}
		if len(order) > 0 {
			t.Fatalf("%q have passed while somebody was in", order)
		}
		leave()
		leave() // changes nothing
		synctest.Wait()
		if want := []string{"greedy", "other", "greedy", "greedy"}; !slices.Equal(order, want) {
			t.Errorf("passed in the order %q, want %q", order, want)
		}
		if free, waiting := g.Count(); free != 1 || waiting != 0 {
			t.Errorf("%d are free and %d wait in the end", free, waiting)
		}
	})
}

func TestNoGateLetsEverybodyIn(t *testing.T) {
	var g *Gate
	for range 3 {
		if _, err := g.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// A request that has a turn does not keep it while it waits at a gate.
func TestGateTakesNoTurnAlong(t *testing.T) {
	queue := New(1, 0, time.Now)
	ctx, turn := queue.Request(t.Context(), "account", "database", 0)
	if err := turn.Spend(ctx, 2*ShortWork); err != nil {
		t.Fatal(err)
	}
	if free, _ := queue.Count(); free != 0 {
		t.Fatal("the request has no turn")
	}
	leave, err := NewGate(1, time.Now).Pass(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	if free, _ := queue.Count(); free != 1 {
		t.Error("the turn was not given back")
	}
}
