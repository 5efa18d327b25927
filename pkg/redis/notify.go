package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis/internal/glob"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// Keyspace events are messages, on channels that a subscriber knows by their names. They are sent when the transaction has
// committed, by a write of its own: so writers of different keys do not wait for each other at the logs. As in Redis, an
// event may be lost, namely if the process dies in between.

const (
	keyspacePrefix = "__keyspace@0__:" // followed by the key; the message is the event
	keyeventPrefix = "__keyevent@0__:" // followed by the event; the message is the key
)

// tellTime bounds the time in which events are sent. The client that has caused them may have none left.
const tellTime = 5 * time.Second

// expireEvery is how often an engine that has subscribers looks for keys that have expired, in a database
// that tells of them. A look is one read unit.
const expireEvery = time.Second

// recordLooks is how many of those looks go by one reading of the database's record, unless others have read it.
const recordLooks = 20

// tell sends the events of a commit to those who have subscribed to them. That it fails does not undo the commit.
func (e *Engine) tell(ctx context.Context, db *Database, events []keyspace.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	if err := e.sendEvents(ctx, db, events); err != nil {
		e.log.WarnContext(ctx, "telling of keyspace events", "events", len(events), "error", err)
	}
}

func (e *Engine) sendEvents(ctx context.Context, db *Database, events []keyspace.Event) error {
	all := make([]publication, 0, 2*len(events))
	for _, ev := range events {
		if db.Events&keyspace.OnKeyspace != 0 {
			all = append(all, publication{keyspacePrefix + ev.Key, ev.Name})
		}
		if db.Events&keyspace.OnKeyevent != 0 {
			all = append(all, publication{keyeventPrefix + ev.Name, ev.Key})
		}
	}
	heard, err := e.heard(ctx, db.ID, all)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(heard, maxInlined) {
		if err := e.logLines(ctx, logOf(db, chunk[0].channel), chunk); err != nil {
			return err
		}
	}
	return nil
}

// heard are the messages on channels that somebody has subscribed to.
func (e *Engine) heard(ctx context.Context, db string, messages []publication) ([]publication, error) {
	keys, place := []store.Key{patternsKey(db)}, map[string]int{}
	for _, m := range messages {
		if _, ok := place[m.channel]; !ok {
			place[m.channel] = len(keys)
			keys = append(keys, channelKey(db, m.channel))
		}
	}
	items, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading who has subscribed to %d channels: %w", len(place), err)
	}
	now := e.nowMs()
	patterns := registered(items[0], now)
	return slices.DeleteFunc(messages, func(m publication) bool {
		if registered(items[place[m.channel]], now)[m.channel] > 0 {
			return false
		}
		for pattern := range patterns {
			if glob.Match(pattern, m.channel) {
				return false
			}
		}
		return true
	}), nil
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

// expire deletes keys that have expired, for subscribers of this engine that hear of them. The record may be
// old: with fresh it is not.
func (r *registration) expire(ctx context.Context, fresh bool) error {
	db, ok := r.e.databases.Last(r.db)
	if !ok || fresh {
		var err error
		if db, err = r.e.Database(ctx, r.db); err != nil {
			return err
		}
	}
	if db.Events&keyspace.ExpiredEvents == 0 || !r.hearsEvents() {
		return nil
	}
	return r.e.keys.Expire(ctx, db)
}

// hearsEvents reports whether some subscription of the engine may be one to keyspace events.
func (r *registration) hearsEvents() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.channels {
		if strings.HasPrefix(c, keyspacePrefix) || c == keyeventPrefix+"expired" {
			return true
		}
	}
	for p := range r.patterns {
		if p != "" && strings.IndexByte(`_*?[\`, p[0]) >= 0 {
			return true
		}
	}
	return false
}

// expiring looks for keys that have expired, as long as anything is registered.
func (r *registration) expiring(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	failed := false
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.expire(ctx, n%recordLooks == 0)
		if err != nil && !failed && ctx.Err() == nil && !errors.Is(err, store.ErrConflict) {
			r.e.log.Warn("looking for keys that have expired", "error", err)
		}
		failed = err != nil
	}
}
