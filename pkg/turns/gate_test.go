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
		leave, err := g.Pass(t.Context(), "greedy", "a")
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, account := range []string{"greedy", "greedy", "greedy", "other"} {
			go func() {
				leave, err := g.Pass(t.Context(), account, "b")
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
		if _, err := g.Pass(gone, "third", "c"); !errors.Is(err, context.Canceled) {
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
		if _, err := g.Pass(t.Context(), "a", "d"); err != nil {
			t.Fatal(err)
		}
	}
}
