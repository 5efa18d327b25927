package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/turns"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// A blocking command that finds nothing waits, outside of MULTI and scripts. Between its attempts it
// holds nothing: no lock, no connection to the store.
//
// Commands that wait for a key stand in line, see waiters. A write of the key through the same engine wakes the first of
// them. Writes through other engines are noticed by the engine's lookout, which reads the heads of all keys that are waited for in a
// database in one call, for all commands together: see lookout.
//
// A command that takes something makes no attempt while others are ahead of it in the lines of all of its keys: they have found
// nothing, and would be woken first. Nor does it look at a key for which one ahead of it was woken and has not looked yet: what has come
// is the other's, who may be slower.

// DefaultMaxBlock is how long blocking commands wait at most where Config has nothing else.
const DefaultMaxBlock = 10 * time.Second

const (
	// attemptTime bounds an attempt of a command that may wait for ever.
	attemptTime = 20 * time.Second
	// askWaiting is how often a command that waits asks its context, for some tell by Err alone that they have ended.
	askWaiting = 200 * time.Millisecond
)

// runBlocking carries out a command that may wait.
func (e *Engine) runBlocking(ctx context.Context, db *Database, b bound, w *resp.Writer) error {
	if err := ctx.Err(); err != nil { // not left to the first attempt: a context may be lenient when it is asked first
		return err
	}
	kind := b.cmd.Group
	if b.cmd.Name == "xreadgroup" {
		kind = groupReader
	}
	wait, ahead := e.waiters.join(db.ID, kind, b.awaited()) // first, so that no write is missed
	defer e.waiters.leave(wait)
	if e.recordTTL != 0 { // there are other engines
		defer e.lookouts.watch(e, db.ID)()
		e.awaits(db.ID, b.awaited())
	}
	known := keyspace.Handover{}
	takes := b.cmd.Has(command.Write) && b.cmd.Group != "stream"
	if takes && ahead {
		known.Loaded = keyspace.Heads{}
		for _, key := range b.keys {
			known.Loaded[key] = nil
		}
	}
	var blocked *command.WouldBlock
	var expired <-chan time.Time
	for {
		var err error
		switch turn := b; {
		case takes && blocked != nil && !turn.narrow(e.waiters.turn(wait)):
			err = blocked
		default:
			err = e.attempt(ctx, db, turn, transactMode{mayBlock: true, woken: blocked != nil}, known, w)
		}
		known = keyspace.Handover{}
		if !errors.As(err, &blocked) {
			wait.served = true
			return err
		}
		if blocked.Args != nil {
			b.args = blocked.Args
		}
		if expired == nil {
			timer := time.NewTimer(e.waitingTime(ctx, blocked.Timeout))
			defer timer.Stop()
			expired = timer.C
		} else {
			e.waiters.handOn(wait, takes)
		}
		turns.Of(ctx).Release()
		over, err := e.await(ctx, wait.wake, expired)
		if err != nil {
			return err
		}
		// The database may have been flushed meanwhile: its keys are elsewhere then.
		if db, err = e.Database(ctx, db.ID); err != nil {
			return err
		}
		switch {
		case over && takes:
			blocked.None()
			return nil
		case over: // XREADGROUP makes its consumer, whatever it finds
			return e.transact(ctx, db, []bound{b}, transactMode{}, keyspace.Handover{}, w)
		}
	}
}

// attempt carries out a blocking command once.
func (e *Engine) attempt(ctx context.Context, db *Database, b bound, mode transactMode, known keyspace.Handover, w *resp.Writer) error {
	if c := command.CallerOf(ctx); c != nil && c.Patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, attemptTime)
		defer cancel()
	}
	return e.transact(ctx, db, []bound{b}, mode, known, w)
}

// awaited are the keys that a blocking command waits for. To others it only writes.
func (b bound) awaited() []string {
	if b.cmd.Keys == command.TwoKeys {
		return b.keys[:1]
	}
	return b.keys
}

// narrow makes a command that takes elements look at some of the keys that it waits for. It reports false if there are none.
func (b *bound) narrow(keys []string) bool {
	if len(keys) == 0 || len(keys) == len(command.Distinct(b.awaited())) || b.cmd.Keys == command.TwoKeys {
		return len(keys) > 0
	}
	var args []string
	if at := b.cmd.Keys.Numkeys; at > 0 {
		args = slices.Concat(b.args[:at], []string{strconv.Itoa(len(keys))}, keys, b.args[at+1+len(b.keys):])
	} else {
		args = slices.Concat(b.args[:1], keys, b.args[1+len(b.keys):])
	}
	b.args, b.keys = args, keys
	return true
}

// waitingTime is how long a command waits at most that asks for a time (0: for ever).
func (e *Engine) waitingTime(ctx context.Context, asked time.Duration) time.Duration {
	limit := e.maxBlock
	if c := command.CallerOf(ctx); c != nil && c.Patient {
		limit = command.Forever
	}
	if asked > 0 {
		limit = min(limit, asked)
	}
	return limit
}

// await waits until a blocked command is woken, or its time is over. A command whose context has ended must not take
// anything: its client has gone.
func (e *Engine) await(ctx context.Context, wake <-chan struct{}, expired <-chan time.Time) (over bool, err error) {
	if c := command.CallerOf(ctx); c != nil {
		if c.Blocked != nil {
			c.Blocked.Store(true)
			defer c.Blocked.Store(false)
		}
		begun := e.now()
		defer func() { c.Waited += e.now().Sub(begun) }()
	}
	waits, ends := waitOf(ctx)
	var ask <-chan time.Time
	if waits == ctx { // it is a request's, which may tell by Err alone that it has ended
		tick := time.NewTicker(askWaiting)
		defer tick.Stop()
		ask = tick.C
	}
	for waits.Err() == nil {
		select {
		case <-waits.Done():
		case <-ask:
			continue
		case <-wake:
			return false, waits.Err()
		case <-ends:
			over = true
		case <-e.duties.Done():
			over = true
		case <-expired:
			over = true
		}
		break
	}
	return over, waits.Err()
}
