package redis

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// Neighbours are other processes that serve the same databases. They need not get everything that they are told. Its
// methods are called often, and must not wait. Package nudge has them.
type Neighbours interface {
	// Await tells them that commands wait here for keys of a database. It is told again every two seconds at least.
	Await(db string, keys []string)
	// Written tells them that a key was, or may have been, written here. They call Wake.
	Written(db, key string)
}

// Wake tells the engine that a key was written elsewhere: a command that waits for it looks again.
func (e *Engine) Wake(db, key string) { e.waiters.written(db, key) }

// written follows each write of a key.
func (e *Engine) written(ctx context.Context, db *Database, key string) {
	e.waiters.written(db.ID, key)
	if e.others != nil {
		e.others.Written(db.ID, key)
	}
	if !db.Waited.IsZero() && db.Waited.For(key, e.nowMs()) {
		e.countWaited(ctx, db.ID)
	}
}

// countTime bounds the time in which a write that others wait for is counted.
const countTime = 2 * time.Second

// countWaited lets engines that look seldom see that a key was written that they wait for. If it fails, they notice later.
func (e *Engine) countWaited(ctx context.Context, db string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTime)
	defer cancel()
	op := store.Update(keyspace.WaitedKey(db), nil, store.Add(keyspace.WaitedCount, keyspace.WaitedCount, 1))
	if _, err := e.store.Apply(ctx, op); err != nil {
		e.log.WarnContext(ctx, "telling others that a key was written", "error", err)
	}
}

// awaits tells others what commands wait for.
func (e *Engine) awaits(db string, keys []string) {
	if e.others != nil {
		e.others.Await(db, keys)
	}
}
