package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// queue is requests that wait for turns, in a bubble.
type queue struct {
	t       *testing.T
	turns   *turns
	granted []string // names of requests, in the order in which they got turns
}

// wait lets a request wait for a turn, which it keeps, and returns what ends its wait.
func (q *queue) wait(name string) (end func()) {
	ctx, cancel := context.WithCancel(q.t.Context())
	go func() {
		if err := q.turns.take(ctx, name[:1]); err == nil {
			q.granted = append(q.granted, name)
		} else {
			q.granted = append(q.granted, "-"+name)
		}
	}()
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

func (q *queue) give() {
	q.turns.give()
	synctest.Wait()
}

func (q *queue) want(names string) {
	q.t.Helper()
	if got := strings.Join(q.granted, " "); got != names {
		q.t.Errorf("turns went to %s, want %s", got, names)
	}
}

func (q *queue) wantFree(n int) {
	q.t.Helper()
	if q.turns.free != n || q.turns.wanted() || len(q.turns.order)+len(q.turns.queues) > 0 {
		q.t.Errorf("%d turns are free, want %d; %d wait, in %d queues", q.turns.free, n, q.turns.waiting.Load(), len(q.turns.queues))
	}
}

// Databases are served one after the other, whatever they have waiting, and the requests of each in their order.
func TestTurnsGoRoundRobin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, turns: newTurns(1, time.Now)}
		for _, name := range strings.Fields("a1 a2 a3 a4 b1 b2 c1") {
			q.wait(name)
		}
		q.want("a1")
		for range 3 {
			q.give()
		}
		q.want("a1 a2 b1 c1")
		q.wait("d1") // comes behind those who have waited before
		for range 4 {
			q.give()
		}
		q.want("a1 a2 b1 c1 a3 b2 d1 a4")
		q.give()
		q.wantFree(1)
	})
}

// As many work at a time as there are turns.
func TestTurnsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, turns: newTurns(3, time.Now)}
		for i := range 5 {
			q.wait(fmt.Sprint("a", i))
		}
		q.want("a0 a1 a2")
		q.give()
		q.want("a0 a1 a2 a3")
		for range 4 {
			q.give()
		}
		q.wantFree(3)
	})
}

// Who passes a turn waits behind the others of its database, and its database behind other databases. Alone, it
// keeps its turn.
func TestTurnsArePassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(1, time.Now)
		var order []string
		var running sync.WaitGroup
		work := func(name string, parts int) {
			running.Go(func() {
				if err := turns.take(t.Context(), name[:1]); err != nil {
					t.Error(err)
				}
				for range parts {
					order = append(order, name)
					synctest.Wait() // until all others have done what they can
					if err := turns.pass(t.Context(), name[:1]); err != nil {
						t.Error(err)
					}
				}
				turns.give()
			})
			synctest.Wait()
		}
		if err := turns.take(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		work("a1", 3)
		work("a2", 3)
		work("b1", 5)
		turns.give()
		running.Wait()
		if got, want := strings.Join(order, " "), "a1 b1 a2 b1 a1 b1 a2 b1 a1 b1 a2"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
		if turns.free != 1 || turns.wanted() {
			t.Errorf("%d turns are free, %d wait", turns.free, turns.waiting.Load())
		}
	})
}

// A request that has ended leaves its place, and no turn is lost with it.
func TestTurnsOfRequestsThatHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, turns: newTurns(1, time.Now)}
		q.wait("a1")
		second, third := q.wait("a2"), q.wait("b1")
		q.wait("a3")
		second()
		third()
		q.want("a1 -a2 -b1")
		q.give()
		q.want("a1 -a2 -b1 a3")
		q.give()
		q.wantFree(1)

		// A context that tells by Err alone.
		q = &queue{t: t, turns: newTurns(0, time.Now)}
		var gone atomic.Bool
		ended := make(chan error)
		go func() { ended <- q.turns.take(tellsByErr{t.Context(), &gone}, "a") }()
		synctest.Wait()
		gone.Store(true)
		if err := <-ended; err != context.Canceled {
			t.Error(err)
		}
		q.wantFree(0)
	})
}

type tellsByErr struct {
	context.Context
	gone *atomic.Bool
}

func (c tellsByErr) Err() error {
	if c.gone.Load() {
		return context.Canceled
	}
	return nil
}

// However requests come, work, pass and end, there are never more at work than there are turns, and all turns
// are free again at last.
func TestTurnsAreNotLost(t *testing.T) {
	for seed := range uint64(20) {
		const n = 3
		turns := newTurns(n, time.Now)
		var working atomic.Int64
		var running sync.WaitGroup
		for i := range 40 {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			name, parts := string(rune('a'+random.IntN(4))), random.IntN(20)
			ctx, cancel := context.WithCancel(t.Context())
			if i%2 == 0 {
				go cancel() // some time
			} else {
				defer cancel()
			}
			running.Go(func() {
				if turns.take(ctx, name) != nil {
					return
				}
				for range parts {
					if now := working.Add(1); now > n {
						t.Errorf("%d requests work at a time", now)
					}
					working.Add(-1)
					if turns.pass(ctx, name) != nil {
						return
					}
				}
				turns.give()
			})
		}
		running.Wait()
		if turns.free != n || turns.wanted() || len(turns.order)+len(turns.queues) > 0 {
			t.Fatalf("%d turns are free, %d wait", turns.free, turns.waiting.Load())
		}
	}
}
