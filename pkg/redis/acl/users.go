package acl

import (
	"context"
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/readahead"
)

// Limits of what is kept and remembered.
const (
	maxUserName = 256 // bytes
	maxKnown    = 4096
)

const (
	userPrefix    = "u"
	attrRules     = "r"
	attrMaker     = "m"
	attrBounds    = "b"
	attrUserBirth = "o"

	defaultUser = "default"
)

// Users are the users of all databases in a store. They are safe for concurrent use.
type Users struct {
	store    store.Store
	now      func() time.Time
	retry    store.Retry
	locks    *store.Locks
	commands command.Table
	known    *fresh.Cache[userID, user]
}

// Config is what Users are made of. All of it is needed, but for MaxAge.
type Config struct {
	Store store.Store
	Now   func() time.Time
	Retry store.Retry
	Locks *store.Locks // of the engine: a user is changed by one command at a time

	// Commands are those that rules are about.
	Commands command.Table
	// MaxAge is how long what was read of a user may be used; 0: it is read each time.
	MaxAge time.Duration
}

// New makes Users.
func New(cfg Config) *Users {
	return &Users{
		store: cfg.Store, now: cfg.Now, retry: cfg.Retry, locks: cfg.Locks, commands: cfg.Commands,
		known: fresh.New[userID, user](cfg.MaxAge, maxKnown, cfg.Now),
	}
}

func (us *Users) nowMs() int64 { return us.now().UnixMilli() }

// Query finds what is stored of all users of a database.
func Query(db string) store.Query {
	return store.Query{Partition: keyspace.RecordKey(db).Partition, From: userPrefix, To: store.PrefixEnd(userPrefix)}
}

// Expect makes Access read a user, if it has to, in one call with whatever else the request reads then: see package readahead.
func (us *Users) Expect(ctx context.Context, db, name string) {
	if _, ok := us.known.Get(userID{db, name}); !ok {
		readahead.Expect(ctx, userKey(db, name), us.known.Begin())
	}
}

// user is a user as it was read last; nil rules: there is none.
type user struct {
	rules  *command.Rules
	write  store.Value
	birth  string
	maker  command.Maker
	bounds *command.Rules // those of the credential that made the user; nil: none
}

type userID struct{ db, name string }

func userKey(db, name string) store.Key {
	return store.Key{Partition: keyspace.RecordKey(db).Partition, Sort: userPrefix + name}
}

// Access is what a user with a password may do. It reports false if there is no such user, the password is another one,
// or the user may not open the database now.
func (us *Users) Access(ctx context.Context, db *keyspace.Database, name, password string) (command.Access, bool, error) {
	u, err := us.user(ctx, db.ID, name)
	if err != nil || !u.opens(password) {
		return command.Access{}, false, err
	}
	return us.accessOfUser(ctx, db, name, u)
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

// user reads a user, at most Config.MaxAge old.
func (us *Users) user(ctx context.Context, db, name string) (user, error) {
	if u, ok := us.known.Get(userID{db, name}); ok {
		return u, nil
	}
	if !ValidName(name) {
		return user{}, nil
	}
	attrs, begun, err := readahead.Get(ctx, us.store, userKey(db, name), us.known.Begin())
	return us.userOf(db, name, attrs, begun, err)
}

// ValidName reports whether there can be a user of a name.
func ValidName(name string) bool { return name != "" && len(name) <= maxUserName }

// readUser reads a user now.
func (us *Users) readUser(ctx context.Context, db, name string) (user, error) {
	if !ValidName(name) {
		return user{}, nil
	}
	begun := us.known.Begin()
	attrs, err := us.store.Get(ctx, userKey(db, name))
	return us.userOf(db, name, attrs, begun, err)
}

func (us *Users) userOf(db, name string, attrs store.Attrs, begun fresh.Read, err error) (user, error) {
	if err != nil {
		return user{}, fmt.Errorf("reading a user: %w", err)
	}
	u, err := us.decodeUser(attrs)
	if err != nil {
		return user{}, err
	}
	if u.rules != nil { // names that do not exist come from outside
		us.known.Put(userID{db, name}, u, begun)
	}
	return u, nil
}

func (us *Users) decodeUser(attrs store.Attrs) (user, error) {
	var u user
	if attrs == nil {
		return u, nil
	}
	u.write, u.birth = attrs.Get(keyspace.AttrWrite), attrs.Get(attrUserBirth).Str()
	u.maker = command.DecodeMaker(attrs.Get(attrMaker).Elems())
	var err error
	if u.rules, err = us.decodeRules(attrs.Get(attrRules).Elems()); err != nil {
		return user{}, err
	}
	if attrs.Has(attrBounds) {
		if u.bounds, err = us.decodeRules(attrs.Get(attrBounds).Elems()); err != nil {
			return user{}, err
		}
	}
	return u, nil
}

func (us *Users) decodeRules(words []string) (*command.Rules, error) {
	r := command.NewRules()
	for _, word := range words {
		if err := r.Apply(us.commands, word, true); err != nil {
			return nil, fmt.Errorf("redis: a stored rule: %w", err)
		}
	}
	return r, nil
}
