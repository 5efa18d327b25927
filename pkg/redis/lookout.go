package redis

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// How often a lookout looks: soon after something was found, then ever less often. A look is one call of the store, of a
// read unit for each key that is waited for.
//
// Once nothing was found for lookWhile it is quiet: see quiet.go.
const (
	lookSoon   = 10 * time.Millisecond
	lookLate   = 100 * time.Millisecond
	lookSeldom = 2 * time.Second
	lookWhile  = time.Minute
	// lookLinger is how long a lookout stays when nobody waits: clients often wait again at once.
	lookLinger = 10 * time.Second
)

// lookouts are an engine's lookouts, by database.
type lookouts struct {
	mu   sync.Mutex
	byDB map[string]*lookout
}

// lookout notices what other engines write to the keys that commands wait for in a database. There is one for all of
// its commands.
type lookout struct {
	e       *Engine
	db      string
	watched int               // commands that wait; guarded by lookouts.mu
	seen    map[string]string // versions of heads, by key
	looks   int
	quiet   quiet
}

// watch looks out for a command, until the function it returns is called.
func (ls *lookouts) watch(e *Engine, db string) (stop func()) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.byDB[db]
	if l == nil {
		if ls.byDB == nil {
			ls.byDB = map[string]*lookout{}
		}
		l = &lookout{e: e, db: db, seen: map[string]string{}, quiet: quiet{e: e, db: db}}
		ls.byDB[db] = l
		e.duties.Run(func(ctx context.Context) { l.run(ctx, ls) })
	}
	l.watched++
	return func() {
		ls.mu.Lock()
		defer ls.mu.Unlock()
		l.watched--
	}
}

// end ends a lookout that nobody needs. It reports false if somebody does.
func (ls *lookouts) end(l *lookout) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.watched > 0 {
		return false
	}
	delete(ls.byDB, l.db)
	return true
}

func (l *lookout) run(ctx context.Context, ls *lookouts) {
	interval, failed := lookSoon, false
	found, needed := l.e.now(), l.e.now()
	for {
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		now := l.e.now()
		keys := l.e.waiters.keysOf(l.db)
		if len(keys) == 0 {
			if now.Sub(needed) > lookLinger && ls.end(l) {
				return
			}
			interval = lookLate
			continue
		}
		needed = now
		l.e.awaits(l.db, keys)
		idle := now.Sub(found) > lookWhile
		hit, err := false, error(nil)
		if look := !idle || len(keys) > keyspace.MaxWaited; look || l.quiet.mustLook(ctx, keys) {
			if idle {
				l.looks = 0 // by a fresh record
			}
			hit, err = l.look(ctx, keys)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			l.e.log.Warn("looking for what blocked commands wait for", "error", err)
		case hit:
			found, interval = now, lookSoon
		}
		failed = err != nil
		limit := lookLate
		if idle {
			limit = lookSeldom
		}
		interval = min(interval*3/2, limit)
	}
}

// recordEvery is how many looks go by an old record of the database. It says where keys are, which only FLUSHDB changes.
const recordEvery = 4

// database is the database's record, which may be old: it would cost as much as a look.
func (l *lookout) database(ctx context.Context) (*Database, error) {
	if l.looks++; l.looks%recordEvery != 1 {
		if db, ok := l.e.databases.Last(l.db); ok {
			return db, nil
		}
	}
	return l.e.Database(ctx, l.db)
}

// look wakes commands whose keys have changed. It reports whether any has.
func (l *lookout) look(ctx context.Context, keys []string) (hit bool, err error) {
	db, err := l.database(ctx)
	if err != nil {
		return false, err
	}
	view, seen := db.At(l.e.nowMs()), make(map[string]string, len(keys))
	for chunk := range slices.Chunk(keys, store.MaxSnapshotItems) {
		heads, err := l.e.keys.Load(ctx, view, chunk, false)
		if err != nil {
			return hit, err
		}
		for _, key := range chunk {
			seen[key] = keyspace.Version(heads[key])
			// Of a key that is new here, it is not known whether the command that waits has seen this state.
			switch before, known := l.seen[key]; {
			case known && seen[key] == before:
			case heads[key] == nil:
				l.e.waiters.deleted(l.db, key)
			default:
				hit = true
				l.e.waiters.written(l.db, key)
			}
		}
	}
	l.seen = seen
	return hit, nil
}
