package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// A blocking command that finds nothing waits, outside of MULTI and scripts. Between its attempts it
// holds nothing: no lock, no connection to the store. It is woken at once by a write of one of its keys
// through the same engine; for writes through other engines it looks again every 10 to 200
// ms. If several wait for a key, whose attempt comes first gets the element: usually,
// not always, who has waited longest.

// DefaultMaxBlock is how long blocking commands wait at most where Config has nothing else.
const DefaultMaxBlock = 10 * time.Second

// How often a blocked command looks for what other engines have written.
const (
	lookSoon = 10 * time.Millisecond
	lookLate = 200 * time.Millisecond
)

// runBlocking carries out a command that may wait.
func (e *Engine) runBlocking(ctx context.Context, db *Database, b bound, w *resp.Writer) error {
	wait := e.waiters.join(db.ID, b.keys) // first, so that no write is missed
	defer e.waiters.leave(wait)
	var expired <-chan time.Time
	for look := lookSoon; ; look = min(look*3/2, lookLate) {
		err := e.transact(ctx, db, []bound{b}, transactMode{mayBlock: true}, handover{}, w)
		var blocked *wouldBlock
		if !errors.As(err, &blocked) {
			return err
		}
		if blocked.args != nil {
			b.args = blocked.args
		}
		if expired == nil {
			timer := time.NewTimer(e.waitingTime(ctx, blocked.timeout))
			defer timer.Stop()
			expired = timer.C
		}
		turnOf(ctx).Release()
		last, err := e.await(ctx, wait.wake, expired, look)
		if err != nil {
			return err
		}
		if last {
			return e.transact(ctx, db, []bound{b}, transactMode{}, handover{}, w)
		}
	}
}

// waitingTime is how long a command waits at most that asks for a time (0: for ever).
func (e *Engine) waitingTime(ctx context.Context, asked time.Duration) time.Duration {
	limit := e.maxBlock
	if c := callerOf(ctx); c != nil && c.Patient {
		limit = forever
	}
	if asked > 0 {
		limit = min(limit, asked)
	}
	return limit
}

// await waits until a blocked command should look again, which is within a time. It reports last if the
// command then does so for the last time. A command whose context has ended must not take anything: its client has
// gone. Some contexts tell that by Err alone, so await asks it from time to time, and before it returns.
func (e *Engine) await(ctx context.Context, wake <-chan struct{}, expired <-chan time.Time, look time.Duration) (last bool, err error) {
	waits, ends := waitOf(ctx)
	for {
		again := time.NewTimer(look)
		select {
		case <-waits.Done():
		case <-ends:
			last = true
		case <-wake:
		case <-again.C:
			if e.recordTTL == 0 && waits.Err() == nil { // there are no other engines, whose writes would not wake it
				look = lookLate
				continue
			}
		case <-e.duties.ctx.Done():
			last = true
		case <-expired:
			last = true
		}
		again.Stop()
		return last, waits.Err()
	}
}

// waiters are the blocked commands of an engine.
type waiters struct {
	count atomic.Int64
	mu    sync.Mutex
	keys  map[waitKey]map[*waiter]bool
}

type waitKey struct{ db, key string }

// waiter is one blocked command.
type waiter struct {
	keys []waitKey
	wake chan struct{}
}

func (ws *waiters) join(db string, keys []string) *waiter {
	w := &waiter{wake: make(chan struct{}, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.keys == nil {
		ws.keys = map[waitKey]map[*waiter]bool{}
	}
	for _, key := range keys {
		k := waitKey{db, key}
		w.keys = append(w.keys, k)
		if ws.keys[k] == nil {
			ws.keys[k] = map[*waiter]bool{}
		}
		ws.keys[k][w] = true
	}
	ws.count.Add(1)
	return w
}

func (ws *waiters) leave(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, k := range w.keys {
		if delete(ws.keys[k], w); len(ws.keys[k]) == 0 {
			delete(ws.keys, k)
		}
	}
	ws.count.Add(-1)
}

// written wakes those who wait for a key. While nobody waits it costs next to nothing.
func (ws *waiters) written(db, key string) {
	if ws.count.Load() == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.keys[waitKey{db, key}] {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}
