package acl

import (
	"context"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// setUser changes a user of the caller's, or makes one. A user whose maker opens nothing any more is as good as none.
func (us *Users) setUser(ctx context.Context, db *keyspace.Database, by command.Access, name string, rules []string) error {
	maker := makerOf(by, db)
	if len(rules) > command.MaxRules {
		return resp.Error(fmt.Sprintf("ERR too many rules: %d, at most %d", len(rules), command.MaxRules))
	}
	if err := us.mayMakeUsers(ctx, db, by); err != nil {
		return err
	}
	unlock, err := us.locks.Lock(ctx, db.ID, userKey(db.ID, name).Sort)
	if err != nil {
		return err
	}
	defer unlock()
	err = us.retry.Unhurried().Do(ctx, func(ctx context.Context) error {
		u, err := us.readUser(ctx, db.ID, name)
		if err != nil {
			return err
		}
		_, alive, err := us.accessOfUser(ctx, db, name, u)
		if err != nil {
			return err
		}
		write := store.Bytes(string(keyspace.NewWriteID(us.nowMs())))
		next, birth, cond := command.NewRules(), write, store.Cond(store.Absent(attrRules))
		switch {
		case alive && !u.maker.Same(maker):
			return resp.Error(fmt.Sprintf("NOPERM User '%.256s' was made with another credential: only that one can change it", name))
		case alive:
			next, birth, cond = u.rules.Clone(), store.Bytes(u.birth), store.Eq(keyspace.AttrWrite, u.write)
		case u.rules != nil:
			cond = store.Eq(keyspace.AttrWrite, u.write)
		}
		for _, rule := range rules {
			if err := next.Apply(us.commands, rule, false); err != nil {
				return err
			}
		}
		text := next.Text()
		if size := len(strings.Join(text, " ")); len(text) > command.MaxRules || size > command.MaxRuleBytes {
			return resp.Error(fmt.Sprintf("ERR too many rules: %d of %d bytes, at most %d of %d", len(text), size, command.MaxRules, command.MaxRuleBytes))
		}
		attrs := []store.Attr{{Name: attrRules, Value: store.List(text)}, {Name: keyspace.AttrWrite, Value: write}, {Name: attrUserBirth, Value: birth}}
		_, err = us.store.Apply(ctx, store.Put(userKey(db.ID, name), store.NewAttrs(append(attrs, madeBy(by, maker)...)...), cond))
		if err != nil {
			return fmt.Errorf("writing a user: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = us.readUser(ctx, db.ID, name)
	return err
}

// deleteUser reports whether there was such a user. A caller with bounds can only delete users that it made.
func (us *Users) deleteUser(ctx context.Context, db *keyspace.Database, by command.Access, name string) (bool, error) {
	if !ValidName(name) {
		return false, nil
	}
	if by.Rules != nil {
		u, err := us.readUser(ctx, db.ID, name)
		if err != nil || u.rules == nil {
			return false, err
		}
		_, alive, err := us.accessOfUser(ctx, db, name, u)
		if err != nil {
			return false, err
		}
		if alive && !u.maker.Same(makerOf(by, db)) {
			return false, resp.Error(fmt.Sprintf("NOPERM User '%.256s' was made with another credential", name))
		}
	}
	old, err := us.store.Apply(ctx, store.Delete(userKey(db.ID, name), nil))
	if err != nil {
		return false, fmt.Errorf("deleting a user: %w", err)
	}
	us.known.Forget(userID{db.ID, name})
	return old != nil, nil
}
