package redis

import (
	"context"

	"github.com/skystash/skystash/pkg/redis/acl"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store/readahead"
)

// An engine knows where a key's head is only from the database's record, which it has to read again
// every Config.RecordTTL. It knows an older record, though, and the place changes with FLUSHDB alone.
// So it reads the head where it was, in one call with the record, and uses it if the new record says
// that it still is there.

// maxAhead bounds the keys that are read together with a record.
const maxAhead = 50

// Ahead returns a context under which Database, or Authenticate, reads the record, if it is due, in
// one call with the keys that cmds will read first, and with whatever else the request reads then
// (see package readahead). cmds is called only if a record is due.
//
// Only commands that do nothing but read are foreseen: a write must not begin before it is known
// that the caller may write.
func (e *Engine) Ahead(ctx context.Context, id string, cmds func() [][]string) context.Context {
	if _, ok := e.databases.Get(id); ok || e.region != nil || !validDatabaseID(id) {
		return ctx
	}
	ctx = readahead.With(ctx, e.store)
	begun := e.databases.Begin()
	readahead.Expect(ctx, keyspace.RecordKey(id), begun)
	db, ok := e.databases.Last(id)
	if !ok {
		return ctx
	}
	v := db.At(e.nowMs())
	for _, key := range e.readFirst(cmds()) {
		readahead.Expect(ctx, v.HeadKey(key), begun)
	}
	return ctx
}

// AheadOfUser is Ahead for a token of a user, whose record is read as well.
func (e *Engine) AheadOfUser(ctx context.Context, token string, cmds func() [][]string) context.Context {
	id, name, _, ok := command.SplitUserToken(token)
	if !ok || !acl.ValidName(name) {
		return ctx
	}
	ctx = e.Ahead(ctx, id, cmds)
	e.users.Expect(ctx, id, name)
	return ctx
}

// readFirst are the keys that commands read before one of them does anything else. Commands of
// several keys want them as of one moment, which takes a call of its own.
func (e *Engine) readFirst(cmds [][]string) (keys []string) {
	for _, args := range cmds {
		if len(args) == 0 {
			break
		}
		cmd, err := e.commands.Find(args)
		if err != nil || !groupable(cmd) || cmd.Has(command.Blocking) || cmd.Outside != nil || cmd.Direct != nil {
			break
		}
		mine := cmd.KeysOf(args)
		if len(mine) != 1 || len(mine[0]) > keyspace.MaxKeySize || len(keys) == maxAhead {
			break
		}
		keys = append(keys, mine[0])
	}
	return keys
}

// loaded are the heads of a group's keys that were read together with the record. Only commands that
// come first can use them: they do not show what the request has written.
func (e *Engine) loaded(ctx context.Context, db *Database, group ...bound) keyspace.Heads {
	if !readahead.Any(ctx) {
		return nil
	}
	defer readahead.Discard(ctx)
	out := keyspace.Heads{}
	v := db.At(e.nowMs())
	for _, b := range group {
		for _, key := range b.keys {
			if head, ok := readahead.Loaded(ctx, v.HeadKey(key)); ok {
				out[key] = head
			}
		}
	}
	return out
}
