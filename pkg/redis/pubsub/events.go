package pubsub

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

// expireEvery is how often a broker with subscribers that may hear of it has keys deleted that have expired.
const expireEvery = time.Second

// recordLooks is how many of these times go by one reading of the database's record, unless others have read it.
const recordLooks = 20

// Tell sends the events of a commit to those who have subscribed to them.
func (b *Broker) Tell(ctx context.Context, db *keyspace.Database, events []keyspace.Event) error {
	all := make([]publication, 0, 2*len(events))
	for _, ev := range events {
		if db.Events&keyspace.OnKeyspace != 0 {
			all = append(all, publication{keyspacePrefix + ev.Key, ev.Name})
		}
		if db.Events&keyspace.OnKeyevent != 0 {
			all = append(all, publication{keyeventPrefix + ev.Name, ev.Key})
		}
	}
	heard, err := b.heard(ctx, db.ID, all)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(heard, maxInlined) {
		if err := b.logLines(ctx, logOf(db, chunk[0].channel), chunk); err != nil {
			return err
		}
	}
	return nil
}

// heard are the messages on channels that somebody has subscribed to.
func (b *Broker) heard(ctx context.Context, db string, messages []publication) ([]publication, error) {
	keys, place := []store.Key{patternsKey(db)}, map[string]int{}
	for _, m := range messages {
		if _, ok := place[m.channel]; !ok {
			place[m.channel] = len(keys)
			keys = append(keys, channelKey(db, m.channel))
		}
	}
	items, err := b.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading who has subscribed to %d channels: %w", len(place), err)
	}
	now := b.nowMs()
	patterns, left := registered(items[0], now), int64(maxSteps)
	return slices.DeleteFunc(messages, func(m publication) bool {
		if registered(items[place[m.channel]], now)[m.channel] > 0 {
			return false
		}
		for pattern := range patterns {
			matches, steps := glob.MatchWithin(pattern, m.channel, left)
			if left -= steps; matches || left < 0 { // too dear to be told apart: its subscribers find out
				return false
			}
		}
		return true
	}), nil
}

// hearsExpiries reports whether some subscription may hear that keys have expired.
func (r *registration) hearsExpiries() bool {
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

// expiring has expired keys deleted, as long as anything is registered.
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
		if !r.hearsExpiries() {
			continue
		}
		err := r.broker.expire(ctx, r.db, n%recordLooks == 0)
		if err != nil && !failed && ctx.Err() == nil && !errors.Is(err, store.ErrConflict) {
			r.broker.log.Warn("looking for keys that have expired", "error", err)
		}
		failed = err != nil
	}
}
