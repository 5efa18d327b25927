package redis

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/readahead"
)

// The users of a database's access control list are items beside its record: their sort key is 'u'
// and the name, r the rules as a list of words, w the id of the last write, m and b who made them (see acl_maker.go),
// o the write id that they were made with. An instance
// may use what it has read for Config.RecordTTL (if 0, it reads again each time).
const (
	userPrefix    = "u"
	attrRules     = "r"
	attrMaker     = "m"
	attrBounds    = "b"
	attrUserBirth = "o"

	defaultUser = "default"
	maxUserName = 256 // bytes
)

// ErrNoUser says that a user's token does not open a database, for whatever reason.
var ErrNoUser = errors.New("redis: no such user, or a wrong password")

// user is a user as it was read last; nil rules: there is none.
type user struct {
	rules  *command.Rules
	write  store.Value
	birth  string
	maker  Maker
	bounds *command.Rules // those of the credential that made the user; nil: none
}

type userID struct{ db, name string }

func userKey(db, name string) store.Key {
	return store.Key{Partition: keyspace.RecordKey(db).Partition, Sort: userPrefix + name}
}

// Authenticate finds the database that a user's token opens, and what may be done there. It
// fails with ErrNoUser if it opens none.
func (e *Engine) Authenticate(ctx context.Context, token string) (*Database, Access, error) {
	none := Access{ReadOnly: true, Rules: command.NewRules()}
	id, name, password, ok := command.SplitUserToken(token)
	if !ok || !validDatabaseID(id) {
		return nil, none, ErrNoUser
	}
	db, err := e.Database(ctx, id)
	if errors.Is(err, ErrNoDatabase) {
		return nil, none, ErrNoUser
	}
	if err != nil {
		return nil, none, err
	}
	u, err := e.user(ctx, id, name)
	if err != nil {
		return nil, none, err
	}
	if !u.opens(password) {
		return nil, none, ErrNoUser
	}
	access, alive, err := e.accessOfUser(ctx, db, name, u)
	if err != nil {
		return nil, none, err
	}
	if !alive {
		return nil, none, ErrNoUser
	}
	return db, access, nil
}

func (u user) opens(password string) bool {
	if u.rules == nil || !u.rules.Enabled {
		return false
	}
	hash, found := []byte(command.HashPassword(password)), 0
	for _, p := range u.rules.Passwords {
		found |= subtle.ConstantTimeCompare(hash, []byte(p))
	}
	return found == 1
}

// AccessOf makes an Access of rules in the words of ACL SETUSER, about commands, keys and channels.
func (e *Engine) AccessOf(rules []string) (Access, error) {
	r := command.NewRules()
	for _, rule := range rules {
		if rule == "" || !strings.ContainsRune("+-~%&", rune(rule[0])) {
			return Access{}, fmt.Errorf("redis: rule %q is not about commands, keys or channels", rule)
		}
		if err := r.Apply(e.commands, rule, false); err != nil {
			return Access{}, fmt.Errorf("redis: %w", err)
		}
	}
	return Access{Rules: r}, nil
}

// user reads a user, at most Config.RecordTTL old.
func (e *Engine) user(ctx context.Context, db, name string) (user, error) {
	if u, ok := e.users.Get(userID{db, name}); ok {
		return u, nil
	}
	if !validUserName(name) {
		return user{}, nil
	}
	attrs, begun, err := readahead.Get(ctx, e.store, userKey(db, name), e.users.Begin())
	return e.userOf(db, name, attrs, begun, err)
}

func validUserName(name string) bool { return name != "" && len(name) <= maxUserName }

// readUser reads a user now.
func (e *Engine) readUser(ctx context.Context, db, name string) (user, error) {
	if !validUserName(name) {
		return user{}, nil
	}
	begun := e.users.Begin()
	attrs, err := e.store.Get(ctx, userKey(db, name))
	return e.userOf(db, name, attrs, begun, err)
}

func (e *Engine) userOf(db, name string, attrs store.Attrs, begun fresh.Read, err error) (user, error) {
	if err != nil {
		return user{}, fmt.Errorf("reading a user: %w", err)
	}
	u, err := e.decodeUser(attrs)
	if err != nil {
		return user{}, err
	}
	if u.rules != nil { // names that do not exist come from outside
		e.users.Put(userID{db, name}, u, begun)
	}
	return u, nil
}

func (e *Engine) decodeUser(attrs store.Attrs) (user, error) {
	var u user
	if attrs == nil {
		return u, nil
	}
	u.write, u.birth = attrs.Get(keyspace.AttrWrite), attrs.Get(attrUserBirth).Str()
	u.maker = command.DecodeMaker(attrs.Get(attrMaker).Elems())
	var err error
	if u.rules, err = e.decodeRules(attrs.Get(attrRules).Elems()); err != nil {
		return user{}, err
	}
	if attrs.Has(attrBounds) {
		if u.bounds, err = e.decodeRules(attrs.Get(attrBounds).Elems()); err != nil {
			return user{}, err
		}
	}
	return u, nil
}

func (e *Engine) decodeRules(words []string) (*command.Rules, error) {
	r := command.NewRules()
	for _, word := range words {
		if err := r.Apply(e.commands, word, true); err != nil {
			return nil, fmt.Errorf("redis: a stored rule: %w", err)
		}
	}
	return r, nil
}

// setUser changes a user of the caller's, or makes one. A user whose maker opens nothing any more is as good as none.
func (e *Engine) setUser(ctx context.Context, db *Database, by Access, name string, rules []string) error {
	maker := makerOf(by, db)
	if len(rules) > command.MaxRules {
		return Error(fmt.Sprintf("ERR too many rules: %d, at most %d", len(rules), command.MaxRules))
	}
	if err := e.mayMakeUsers(ctx, db, by); err != nil {
		return err
	}
	unlock, err := e.locks.Lock(ctx, db.ID, userKey(db.ID, name).Sort)
	if err != nil {
		return err
	}
	defer unlock()
	err = e.retry.Unhurried().Do(ctx, func(ctx context.Context) error {
		u, err := e.readUser(ctx, db.ID, name)
		if err != nil {
			return err
		}
		_, alive, err := e.accessOfUser(ctx, db, name, u)
		if err != nil {
			return err
		}
		write := store.Bytes(string(keyspace.NewWriteID(e.nowMs())))
		next, birth, cond := command.NewRules(), write, store.Cond(store.Absent(attrRules))
		switch {
		case alive && !u.maker.Same(maker):
			return Error(fmt.Sprintf("NOPERM User '%.256s' was made with another credential: only that one can change it", name))
		case alive:
			next, birth, cond = u.rules.Clone(), store.Bytes(u.birth), store.Eq(keyspace.AttrWrite, u.write)
		case u.rules != nil:
			cond = store.Eq(keyspace.AttrWrite, u.write)
		}
		for _, rule := range rules {
			if err := next.Apply(e.commands, rule, false); err != nil {
				return err
			}
		}
		text := next.Text()
		if size := len(strings.Join(text, " ")); len(text) > command.MaxRules || size > command.MaxRuleBytes {
			return Error(fmt.Sprintf("ERR too many rules: %d of %d bytes, at most %d of %d", len(text), size, command.MaxRules, command.MaxRuleBytes))
		}
		attrs := []store.Attr{{Name: attrRules, Value: store.List(text)}, {Name: keyspace.AttrWrite, Value: write}, {Name: attrUserBirth, Value: birth}}
		_, err = e.store.Apply(ctx, store.Put(userKey(db.ID, name), store.NewAttrs(append(attrs, madeBy(by, maker)...)...), cond))
		if err != nil {
			return fmt.Errorf("writing a user: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = e.readUser(ctx, db.ID, name)
	return err
}

// deleteUser reports whether there was such a user. A caller with bounds can only delete users that it made.
func (e *Engine) deleteUser(ctx context.Context, db *Database, by Access, name string) (bool, error) {
	if !validUserName(name) {
		return false, nil
	}
	if by.Rules != nil {
		u, err := e.readUser(ctx, db.ID, name)
		if err != nil || u.rules == nil {
			return false, err
		}
		_, alive, err := e.accessOfUser(ctx, db, name, u)
		if err != nil {
			return false, err
		}
		if alive && !u.maker.Same(makerOf(by, db)) {
			return false, Error(fmt.Sprintf("NOPERM User '%.256s' was made with another credential", name))
		}
	}
	old, err := e.store.Apply(ctx, store.Delete(userKey(db.ID, name), nil))
	if err != nil {
		return false, fmt.Errorf("deleting a user: %w", err)
	}
	e.users.Forget(userID{db.ID, name})
	return old != nil, nil
}

// namedUser is a user in a list.
type namedUser struct {
	name string
	user
}

// listUsers lists the users of a database but the default one, in order of their names. Users whose maker
// opens nothing any more are left out.
func (e *Engine) listUsers(ctx context.Context, db *Database) ([]namedUser, error) {
	q := store.Query{Partition: keyspace.RecordKey(db.ID).Partition, From: userPrefix, To: store.PrefixEnd(userPrefix)}
	var list []namedUser
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing users: %w", err)
		}
		for _, it := range page.Items {
			u, err := e.decodeUser(it.Attrs)
			if err != nil {
				return nil, err
			}
			name := it.Key.Sort[len(userPrefix):]
			_, alive, err := e.accessOfUser(ctx, db, name, u)
			if err != nil {
				return nil, err
			}
			if alive {
				list = append(list, namedUser{name, u})
			}
		}
		if !page.More {
			return list, nil
		}
		q = q.Next(page)
	}
}
