package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// ErrWatched says that a transaction was not carried out, for a key that is watched has changed.
var ErrWatched = errors.New("redis: a watched key has changed")

// Watched is what was seen of keys when they were watched. The zero Watched is of none.
//
// A key has changed if its head was written since, whatever its value, or if it has expired. A key that was made
// and deleted again since has not, unlike in Redis: what is gone leaves no version.
type Watched struct {
	keys []string
	seen []string // the last write of each; "": there was no such key
}

// Empty reports whether no key is watched.
func (w Watched) Empty() bool { return len(w.keys) == 0 }

// Watch looks at keys, and adds them to those that are watched. An Error is returned if they are too many.
func (e *Engine) Watch(ctx context.Context, db *Database, w Watched, keys []string) (Watched, error) {
	keys = slices.DeleteFunc(command.Distinct(keys), func(key string) bool { return slices.Contains(w.keys, key) })
	if n := len(w.keys) + len(keys); n > store.MaxCommitOps {
		return w, Error(fmt.Sprintf("ERR too many watched keys, at most %d", store.MaxCommitOps))
	}
	seen, err := e.versions(ctx, db, keys)
	if err != nil {
		return w, err
	}
	return Watched{keys: slices.Concat(w.keys, keys), seen: slices.Concat(w.seen, seen)}, nil
}

// versions are the last writes of keys.
func (e *Engine) versions(ctx context.Context, db *Database, keys []string) ([]string, error) {
	tx := e.keys.Begin(ctx, db, keyspace.Mode{})
	tx.Prefetch(keys)
	out := make([]string, len(keys))
	for i, key := range keys {
		out[i] = tx.Version(key)
	}
	return out, tx.Err()
}

// stillWatched is for a transaction without commands.
func (e *Engine) stillWatched(ctx context.Context, db *Database, w Watched) error {
	if w.Empty() {
		return nil
	}
	now, err := e.versions(ctx, db, w.keys)
	if err == nil && !slices.Equal(now, w.seen) {
		err = ErrWatched
	}
	return err
}

// check fails with ErrWatched if a watched key has changed. If one changes later, the commit fails.
func (w Watched) check(tx *keyspace.Txn) error {
	for i, key := range w.keys {
		if tx.Version(key) != w.seen[i] {
			return ErrWatched
		}
	}
	if err := tx.EndCommand(); err != nil { // the first command begins with keys that nobody has asked for
		return err
	}
	return tx.Err()
}
