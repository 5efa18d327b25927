// Package turns lets long requests work in turns, so that they hold up neither short ones nor those of other accounts.
// A process has one Queue for all products, or one for each.
package turns

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Queue bounds how many long requests work at a time, so that some processors are always free for
// short ones. A request is short until it has done ShortWork. Then it needs a turn, of which there
// are only so many. It works for as long as nobody waits for a turn. Otherwise it gives its turn up
// after each LookEvery units of work, and waits for the next one.
//
// Turns go round robin over the accounts that have requests waiting, within an account round robin over
// its databases, and within a database in the order in which its requests came. So an account with a
// single long request gets as many turns as one with a hundred databases and a thousand requests.
//
// Requests that take turns all hold their memory until they end. If those of an account hold more than
// turns.memory together, its turns go to the request that came first, until enough of them have ended.
//
// Who holds a turn must not wait for anything that another request may hold while it waits for a turn,
// such as the lock of a key: see Turn.Release.
type Queue struct {
	now      func() time.Time
	memory   int64 // bytes
	mu       sync.Mutex
	free     int
	accounts map[string]*turnAccount // only those with requests that wait or hold memory
	order    []*turnAccount          // those with requests that wait, the one whose request is next first
	came     int64                   // requests that have waited so far
	waiting  atomic.Int64            // requests
}

// turnAccount is the requests of an account.
type turnAccount struct {
	name   string
	held   int64        // bytes that they hold
	queues []*turnQueue // of databases with requests that wait, the one whose request is next first
}

// turnQueue is the requests of a database that wait for a turn.
type turnQueue struct {
	database string
	requests []*Turn
}

// Default makes a Queue that leaves one processor to short requests, if there are several.
func Default(memory int64, now func() time.Time) *Queue {
	return New(max(runtime.GOMAXPROCS(0)-1, 1), memory, now)
}

// New makes a Queue of n turns. memory is how much the requests of an account may hold together before its turns
// go to the one that came first.
func New(n int, memory int64, now func() time.Time) *Queue {
	return &Queue{now: now, memory: memory, free: n, accounts: map[string]*turnAccount{}}
}

// askAgain is how often a request that waits asks its context, for some tell by Err alone that they have ended.
const askAgain = 200 * time.Millisecond

// take waits for a turn. The error is the context's; then there is none to be given back.
func (t *Queue) take(ctx context.Context, r *Turn) error {
	t.mu.Lock()
	t.tell(r)
	if t.free > 0 { // then nobody waits
		t.free--
		t.mu.Unlock()
		return nil
	}
	t.enqueue(r)
	t.mu.Unlock()
	return t.wait(ctx, r)
}

// pass gives a turn up if others wait for one, and waits for another. With an error there is none to be given
// back.
func (t *Queue) pass(ctx context.Context, r *Turn) error {
	if !t.wanted() {
		return nil
	}
	t.mu.Lock()
	t.tell(r)
	t.enqueue(r)
	t.next()
	t.mu.Unlock()
	return t.wait(ctx, r)
}

// wanted reports whether somebody waits for a turn.
func (t *Queue) wanted() bool { return t.waiting.Load() > 0 }

// give gives a turn back.
func (t *Queue) give(r *Turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell(r)
	t.next()
}

// holds notes what a request without a turn holds now.
func (t *Queue) holds(r *Turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell(r)
}

// tell notes what a request holds now.
func (t *Queue) tell(r *Turn) {
	if r.Held == r.told {
		return
	}
	a := t.account(r.account)
	a.held += r.Held - r.told
	r.told = r.Held
	t.forget(a)
}

func (t *Queue) account(name string) *turnAccount {
	a := t.accounts[name]
	if a == nil {
		a = &turnAccount{name: name}
		t.accounts[name] = a
	}
	return a
}

func (t *Queue) forget(a *turnAccount) {
	if len(a.queues) == 0 && a.held == 0 {
		delete(t.accounts, a.name)
	}
}

// enqueue lets a request wait behind those of its database.
func (t *Queue) enqueue(r *Turn) {
	if r.place == 0 {
		t.came++
		r.place = t.came
	}
	r.granted = make(chan struct{})
	a := t.account(r.account)
	if len(a.queues) == 0 {
		t.order = append(t.order, a)
	}
	q := a.queue(r.database)
	if q == nil {
		q = &turnQueue{database: r.database}
		a.queues = append(a.queues, q)
	}
	q.requests = append(q.requests, r)
	t.waiting.Add(1)
}

// dequeue takes a request that does not wait any longer out of its queue.
func (t *Queue) dequeue(r *Turn) {
	a := t.account(r.account)
	q := a.queue(r.database)
	q.requests = without(q.requests, r)
	if len(q.requests) == 0 {
		a.queues = without(a.queues, q)
	}
	if len(a.queues) == 0 {
		t.order = without(t.order, a)
	}
	t.forget(a)
	t.waiting.Add(-1)
}

// next hands a turn that was given up to the request that is next, if any waits. Its database goes behind the
// others of the account, and the account behind other accounts.
func (t *Queue) next() {
	if len(t.order) == 0 {
		t.free++
		return
	}
	a := t.order[0]
	r := a.queues[0].requests[0]
	if a.held > t.memory {
		r = a.oldest()
	}
	q := a.queue(r.database)
	t.dequeue(r)
	if len(q.requests) > 0 {
		a.queues = append(without(a.queues, q), q)
	}
	if len(a.queues) > 0 {
		t.order = append(without(t.order, a), a)
	}
	close(r.granted)
}

func (a *turnAccount) queue(database string) *turnQueue {
	for _, q := range a.queues {
		if q.database == database {
			return q
		}
	}
	return nil
}

// oldest is the request that came first of those that wait.
func (a *turnAccount) oldest() *Turn {
	var first *Turn
	for _, q := range a.queues {
		for _, r := range q.requests {
			if first == nil || r.place < first.place {
				first = r
			}
		}
	}
	return first
}

// without is a list without one of its elements, which is the first one most of the time.
func without[T comparable](list []T, x T) []T {
	if list[0] == x {
		return list[1:]
	}
	return slices.DeleteFunc(list, func(y T) bool { return y == x })
}

func (t *Queue) wait(ctx context.Context, r *Turn) error {
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		select {
		case <-r.granted:
			return nil
		case <-ctx.Done():
		case <-again.C:
		}
		if err := ctx.Err(); err != nil {
			t.leave(r)
			return err
		}
	}
}

// leave ends the wait of a request. If it was given a turn meanwhile, the turn goes to the next one.
func (t *Queue) leave(r *Turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-r.granted:
		t.next()
	default:
		t.dequeue(r)
	}
}

// Count is how many turns are free, and how many requests wait for one.
func (t *Queue) Count() (free, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.free, int(t.waiting.Load())
}
