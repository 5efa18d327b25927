package redis

import (
	"context"
	"time"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// tellTime bounds the time in which events are sent. The client that has caused them may have none left.
const tellTime = 5 * time.Second

// tell sends the keyspace events of a commit. That it fails does not undo the commit.
func (e *Engine) tell(ctx context.Context, db *Database, events []keyspace.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	if err := e.pubsub.Tell(ctx, db, events); err != nil {
		e.log.WarnContext(ctx, "telling of keyspace events", "events", len(events), "error", err)
	}
}

// setEvents makes a database tell of events. When it returns, all engines know.
func (e *Engine) setEvents(ctx context.Context, id string, events keyspace.Events) error {
	edit := store.Set(keyspace.RecEvents, store.Int(int64(events)))
	if events == 0 {
		edit = store.Remove(keyspace.RecEvents)
	}
	db, err := e.readDatabase(ctx, id)
	if err != nil || db.Events == events {
		return err
	}
	if _, err := e.updateRecord(ctx, id, edit); err != nil {
		return err
	}
	return e.waitUntil(ctx, e.whenAllKnow(e.nowMs()))
}

// expire deletes keys that have expired, in a database that tells of them. The record that says so may be old, unless it
// has to be fresh.
func (e *Engine) expire(ctx context.Context, id string, fresh bool) error {
	db, ok := e.databases.Last(id)
	if !ok || fresh {
		var err error
		if db, err = e.Database(ctx, id); err != nil {
			return err
		}
	}
	if db.Events&keyspace.ExpiredEvents == 0 {
		return nil
	}
	return e.keys.Expire(ctx, db)
}
