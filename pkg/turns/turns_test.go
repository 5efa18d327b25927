package turns

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
	turns   *Queue
	granted []string // names of requests, in the order in which they got turns
}

// requestOf is a request by its name: a letter for the account, a digit for the database, and whatever follows.
func requestOf(turns *Queue, name string) *Turn {
	return &Turn{turns: turns, account: name[:1], database: name[:min(2, len(name))]}
}

// wait lets a request wait for a turn, which it keeps, and returns what ends its wait.
func (q *queue) wait(name string) (end func()) {
	ctx, cancel := context.WithCancel(q.t.Context())
	go func() {
		if err := q.turns.take(ctx, requestOf(q.turns, name)); err == nil {
			q.granted = append(q.granted, name)
		} else {
			q.granted = append(q.granted, "-"+name)
		}
	}()
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

func (q *queue) give() {
	q.turns.give(requestOf(q.turns, "x"))
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
	if q.turns.free != n || q.turns.wanted() || len(q.turns.order)+len(q.turns.accounts) > 0 {
		q.t.Errorf("%d turns are free, want %d; %d wait, in %d accounts", q.turns.free, n, q.turns.waiting.Load(), len(q.turns.accounts))
	}
}

// Accounts are served one after the other, whatever they have waiting, so are the databases of each, and the requests of
// a database in their order.
func TestTurnsGoRoundRobin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, turns: New(1, 100, time.Now)}
		for _, name := range strings.Fields("a11 a12 a13 a21 b11 b12 c11") {
			q.wait(name)
		}
		q.want("a11")
		for range 3 {
			q.give()
		}
		q.want("a11 a12 b11 c11")
		q.wait("d11") // comes behind those who have waited before
		for range 4 {
			q.give()
		}
		q.want("a11 a12 b11 c11 a21 b12 d11 a13")
		q.give()
		q.wantFree(1)
	})
}

// An account has one share, however many databases it has.
func TestTurnsAreSharedByAccountsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, turns: New(1, 100, time.Now)}
		for i := range 9 {
			q.wait(fmt.Sprintf("a%d", i))
		}
		for i := range 4 {
			q.wait(fmt.Sprintf("b0%d", i))
		}
		for range 8 {
			q.give()
		}
		q.want("a0 a1 b00 a2 b01 a3 b02 a4 b03")
		for range 5 {
			q.give()
		}
		q.wantFree(1)
	})
}

// If the requests of an account hold too much together, those that came first go on until they have ended. Other
// accounts are not affected.
func TestTurnsOfAnAccountThatHoldsMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(1, 100, time.Now)
		var order []string
		var running sync.WaitGroup
		work := func(name string, parts int, holds int64) {
			running.Go(func() {
				r := requestOf(turns, name)
				if err := turns.take(t.Context(), r); err != nil {
					t.Error(err)
				}
				for range parts {
					order = append(order, name)
					r.Held += holds
					synctest.Wait() // until all others have done what they can
					if err := turns.pass(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
				r.working = true
				r.End()
			})
			synctest.Wait()
		}
		first := requestOf(turns, "x")
		if err := turns.take(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		work("a1", 3, 60)
		work("a2", 3, 60)
		work("b1", 3, 40)
		work("b2", 2, 0)
		turns.give(first)
		running.Wait()
		if got, want := strings.Join(order, " "), "a1 b1 a2 b2 a1 b1 a1 b2 b1 a2 a2"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
		if turns.free != 1 || turns.wanted() || len(turns.accounts) > 0 {
			t.Errorf("%d turns are free, %d wait, %d accounts hold memory", turns.free, turns.waiting.Load(), len(turns.accounts))
		}
	})
}

// As many work at a time as there are turns.
func TestTurnsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{t: t, turns: New(3, 100, time.Now)}
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
		turns := New(1, 100, time.Now)
		var order []string
		var running sync.WaitGroup
		work := func(name string, parts int) {
			running.Go(func() {
				r := requestOf(turns, name)
				if err := turns.take(t.Context(), r); err != nil {
					t.Error(err)
				}
				for range parts {
					order = append(order, name)
					synctest.Wait() // until all others have done what they can
					if err := turns.pass(t.Context(), r); err != nil {
						t.Error(err)
					}
				}
				turns.give(r)
			})
			synctest.Wait()
		}
		first := requestOf(turns, "x")
		if err := turns.take(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		work("a1", 3)
		work("a2", 3)
		work("b1", 5)
		turns.give(first)
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
		q := &queue{t: t, turns: New(1, 100, time.Now)}
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
		q = &queue{t: t, turns: New(0, 100, time.Now)}
		var gone atomic.Bool
		ended := make(chan error)
		go func() { ended <- q.turns.take(tellsByErr{t.Context(), &gone}, requestOf(q.turns, "a")) }()
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
		turns := New(n, 100, time.Now)
		var working atomic.Int64
		var running sync.WaitGroup
		for i := range 40 {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			name, parts := string(rune('a'+random.IntN(4)))+string(rune('0'+random.IntN(3))), random.IntN(20)
			ctx, cancel := context.WithCancel(t.Context())
			if i%2 == 0 {
				go cancel() // some time
			} else {
				defer cancel()
			}
			running.Go(func() {
				r := requestOf(turns, name)
				defer r.End()
				if turns.take(ctx, r) != nil {
					return
				}
				for range parts {
					r.Held = random.Int64N(100)
					if now := working.Add(1); now > n {
						t.Errorf("%d requests work at a time", now)
					}
					working.Add(-1)
					if turns.pass(ctx, r) != nil {
						return
					}
				}
				r.working = true
			})
		}
		running.Wait()
		if turns.free != n || turns.wanted() || len(turns.order)+len(turns.accounts) > 0 {
			t.Fatalf("%d turns are free, %d wait", turns.free, turns.waiting.Load())
		}
	}
}
