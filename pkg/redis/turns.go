package redis

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// turns bounds how many long requests work at a time, so that some processors are always free for
// short ones. A request is short until it has done shortWork. Then it needs a turn, of which there
// are only so many. It works for as long as nobody waits for a turn. Otherwise it gives its turn up
// after each lookEvery units of work, and waits for the next one.
//
// Turns go round robin over the databases that have requests waiting, and within a database in the
// order in which its requests came. So a database with a single long request gets as many turns as one
// with a thousand.
//
// Who holds a turn must not wait for anything that another request may hold while it waits for a turn,
// such as the lock of a key: see Turn.Release.
type turns struct {
	now     func() time.Time
	mu      sync.Mutex
	free    int
	queues  map[string]*turnQueue // by database; only those with requests that wait
	order   []*turnQueue          // the same, the one whose request is next first
	waiting atomic.Int64          // requests
}

// turnQueue is the requests of a database that wait for a turn.
type turnQueue struct {
	database string
	requests []chan struct{} // each is closed when its request has a turn
}

func newTurns(n int, now func() time.Time) *turns {
	return &turns{now: now, free: n, queues: map[string]*turnQueue{}}
}

// askAgain is how often a request that waits asks its context, for some tell by Err alone that they have ended.
const askAgain = 200 * time.Millisecond

// take waits for a turn. The error is the context's; then there is none to be given back.
func (t *turns) take(ctx context.Context, database string) error {
	t.mu.Lock()
	if t.free > 0 { // then nobody waits
		t.free--
		t.mu.Unlock()
		return nil
	}
	granted := t.enqueue(database)
	t.mu.Unlock()
	return t.wait(ctx, database, granted)
}

// pass gives a turn up if others wait for one, and waits for another. With an error there is none to be given
// back.
func (t *turns) pass(ctx context.Context, database string) error {
	if !t.wanted() {
		return nil
	}
	t.mu.Lock()
	granted := t.enqueue(database)
	t.next()
	t.mu.Unlock()
	return t.wait(ctx, database, granted)
}

// wanted reports whether somebody waits for a turn.
func (t *turns) wanted() bool { return t.waiting.Load() > 0 }

// give gives a turn back.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next()
}

// enqueue lets a request wait behind those of its database.
func (t *turns) enqueue(database string) chan struct{} {
	q := t.queues[database]
	if q == nil {
		q = &turnQueue{database: database}
		t.queues[database] = q
		t.order = append(t.order, q)
	}
	granted := make(chan struct{})
	q.requests = append(q.requests, granted)
	t.waiting.Add(1)
	return granted
}

// next hands a turn that was given up to the request that is next, if any waits.
func (t *turns) next() {
	if len(t.order) == 0 {
		t.free++
		return
	}
	q := t.order[0]
	t.order = t.order[1:]
	granted := q.requests[0]
	q.requests = q.requests[1:]
	if len(q.requests) > 0 {
		t.order = append(t.order, q)
	} else {
		delete(t.queues, q.database)
	}
	t.waiting.Add(-1)
	close(granted)
}

func (t *turns) wait(ctx context.Context, database string, granted chan struct{}) error {
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		select {
		case <-granted:
			return nil
		case <-ctx.Done():
		case <-again.C:
		}
		if err := ctx.Err(); err != nil {
			t.leave(database, granted)
			return err
		}
	}
}

// leave takes a request that does not wait any longer out of its queue. If it was given a turn meanwhile, the
// turn goes to the next one.
func (t *turns) leave(database string, granted chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-granted:
		t.next()
		return
	default:
	}
	q := t.queues[database]
	q.requests = slices.DeleteFunc(q.requests, func(r chan struct{}) bool { return r == granted })
	t.waiting.Add(-1)
	if len(q.requests) == 0 {
		delete(t.queues, database)
		t.order = slices.DeleteFunc(t.order, func(other *turnQueue) bool { return other == q })
	}
}
