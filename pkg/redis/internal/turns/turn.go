package turns

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/refusal"
)

// ShortWork is how much a request may do before it needs a turn, in units of work. A turn is for LookEvery units,
// after which it is passed on if others wait.
const ShortWork = 1_000_000

// turnTime is how long a pipeline keeps its turn while others wait, if it does little work in that time because
// it waits for the store.
const turnTime = 10 * time.Millisecond

// LookEvery is how much work is done between two looks at the request's context, and with one turn if others
// wait for one.
const LookEvery = 4_000_000

// Turn is the right of one request to work: see Queue. It is used by one goroutine at a time. A nil Turn
// works without asking anybody.
type Turn struct {
	turns    *Queue
	account  string // whose database it is, or the database itself if that is not known
	database string
	left     int64 // units of work until it looks whether it is somebody else's turn
	long     bool  // it has done ShortWork
	working  bool  // it has one of turns
	since    time.Time
	Waited   time.Duration

	Held  int64 // bytes that the request keeps, with those of its transaction
	limit int64 // of them, as Budget.Memory

	// What turns knows of it.
	told    int64         // of held
	place   int64         // among all requests that have waited
	granted chan struct{} // is closed when it gets a turn that it waits for
}

// turnContext carries a Turn.
type turnContext struct {
	context.Context
	turn Turn
}

type turnKey struct{}

func (c *turnContext) Value(key any) any {
	if key == (turnKey{}) {
		return &c.turn
	}
	return c.Context.Value(key)
}

// Request returns a context with a Turn for a request of an account to a database, which may hold up to limit bytes.
func (t *Queue) Request(ctx context.Context, account, database string, limit int64) (context.Context, *Turn) {
	c := &turnContext{ctx, Turn{turns: t, account: account, database: database, left: ShortWork, limit: limit}}
	return c, &c.turn
}

// Of is the Turn of a context, or nil.
func Of(ctx context.Context) *Turn {
	t, _ := ctx.Value(turnKey{}).(*Turn)
	return t
}

// Spend counts units of work, as Budget does, that are done or about to be done. It waits until it is the request's
// turn. The error is the context's.
func (t *Turn) Spend(ctx context.Context, units int64) error {
	if t == nil {
		return nil
	}
	if t.left -= units; t.left >= 0 {
		return nil
	}
	t.long = true
	return t.next(ctx)
}

// next waits for the request's turn. A request that has one already gives it up for that, if others wait.
func (t *Turn) next(ctx context.Context) error {
	t.left = LookEvery
	begun, err := t.turns.now(), error(nil)
	if t.working {
		err = t.turns.pass(ctx, t)
	} else {
		err = t.turns.take(ctx, t)
	}
	t.since, t.working = t.turns.now(), err == nil
	t.Waited += t.since.Sub(begun)
	return err
}

// Keep is called between members of a pipeline. One that is long needs a turn for each of them.
func (t *Turn) Keep(ctx context.Context) error {
	if t == nil || !t.long || t.working && !(t.turns.wanted() && t.turns.now().Sub(t.since) > turnTime) {
		return nil
	}
	return t.next(ctx)
}

// Hold counts bytes that the request keeps outside of transactions, a negative number those that it keeps no more. They
// belong to its Budget.Memory. The error says that this is exceeded.
func (t *Turn) Hold(bytes int64) error {
	if t == nil {
		return nil
	}
	if t.Held += bytes; bytes > 0 && t.Held > t.limit {
		return ErrMemory(t.limit)
	}
	return nil
}

// Release gives the request's turn back, if it has one. A request does so before it waits for anything that another
// one may hold. If it goes on, it waits for another turn.
func (t *Turn) Release() {
	if t != nil && t.working {
		t.working = false
		t.turns.give(t)
	}
}

// End is Release for a request that has ended, and keeps nothing any more.
func (t *Turn) End() {
	if t == nil {
		return
	}
	t.Held = 0
	if t.Release(); t.told != 0 {
		t.turns.holds(t)
	}
}

// ErrMemory refuses a request that keeps more than it may.
func ErrMemory(limit int64) refusal.Error {
	return refusal.Error(fmt.Sprintf("ERR max request memory exceeded. Limit: %d bytes", limit))
}
