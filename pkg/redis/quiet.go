package redis

import (
	"context"
	"errors"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// A lookout that has found nothing for a minute asks those who write to count what they write to the keys that are waited for, by an attribute of
// the database's record, which everybody has. Then it looks at that number alone, for half a read unit, however many keys
// there are; a write of such a key costs a write unit more. While commands find what they wait for, or nobody waits, nothing is counted and
// every write costs what it costs.
//
// The keys themselves are still looked at when the number has changed, as long as some engine may not know that it is asked, and now and then,
// in case a process has died between its write and the count.

const (
	// askFor is how long the record asks, renewed when askAgain of it is left.
	askFor   = 10 * time.Minute
	askAgain = 2 * time.Minute
	// askPause is how long a lookout waits at least until it asks for further keys.
	askPause = 20 * time.Second
	// lookAnyway and lookAnywayKey are how often the keys are looked at in any case: so seldom that it costs a tenth of a
	// read unit a second at most.
	lookAnyway    = time.Minute
	lookAnywayKey = 10 * time.Second // for each key
)

// quiet is what a lookout does while nothing happens.
type quiet struct {
	e      *Engine
	db     string
	asked  keyspace.Waited // by us, or found in the record
	known  int64           // Unix ms: from then on all engines know
	last   time.Time       // when we asked
	count  int64           // as it was seen last
	looked time.Time       // at the keys
	failed bool
}

// mustLook reports whether the keys themselves have to be looked at now.
func (q *quiet) mustLook(ctx context.Context, keys []string) bool {
	now := q.e.now()
	asked, err := q.ask(ctx, keys, now)
	if err != nil {
		if !q.failed && ctx.Err() == nil {
			q.e.log.Warn("asking others to count what is waited for", "error", err)
		}
		q.failed = true
		return true
	}
	if q.failed = false; !asked {
		q.looked = now
		return true
	}
	item, err := q.e.store.Get(store.Stale(ctx), keyspace.WaitedKey(q.db))
	if err != nil {
		return true
	}
	n := item.Get(keyspace.WaitedCount).Num()
	every := max(lookAnyway, time.Duration(len(keys))*lookAnywayKey)
	if n == q.count && now.Sub(q.looked) < every {
		return false
	}
	q.count, q.looked = n, now
	return true
}

// ask lets the record ask for the keys. It reports whether all engines know.
func (q *quiet) ask(ctx context.Context, keys []string, now time.Time) (bool, error) {
	ms := now.UnixMilli()
	if db, ok := q.e.databases.Last(q.db); ok && db.Waited != q.asked && !db.Waited.IsZero() {
		q.asked, q.known = db.Waited, q.e.whenAllKnow(ms) // somebody else has changed it
	}
	if q.asks(keys, ms) {
		return ms >= q.known, nil
	}
	if now.Sub(q.last) < askPause {
		return false, nil
	}
	q.last = now
	db, err := q.e.readDatabase(ctx, q.db)
	if err != nil {
		return false, err
	}
	if q.asked, q.known = db.Waited, q.e.whenAllKnow(ms); q.asks(keys, ms) {
		return false, nil
	}
	unchanged := store.Cond(store.Absent(keyspace.RecWaited))
	if !db.Waited.IsZero() {
		unchanged = store.Eq(keyspace.RecWaited, db.Waited.Value())
	}
	next := db.Waited.With(keys, ms, now.Add(askFor).UnixMilli())
	_, err = q.e.store.Apply(ctx, store.Update(keyspace.RecordKey(q.db), store.And{store.Exists(keyspace.RecSlots), unchanged},
		store.Set(keyspace.RecWaited, next.Value())))
	var met *store.ConditionError
	if errors.As(err, &met) {
		q.last = time.Time{} // another one was faster: at the next look
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q.asked, q.known = next, q.e.whenAllKnow(q.e.nowMs())
	q.e.forget(q.db)
	return false, nil
}

// asks reports whether the record asks for all keys, and will for a while.
func (q *quiet) asks(keys []string, ms int64) bool {
	if q.asked.Until()-ms < askAgain.Milliseconds() {
		return false
	}
	for _, key := range keys {
		if !q.asked.For(key, ms) {
			return false
		}
	}
	return true
}
