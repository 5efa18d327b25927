package redis

import (
	"context"
	"errors"

	"github.com/skystash/skystash/pkg/redis/command"
)

// ErrNoUser says that a user's token does not open a database, for whatever reason.
var ErrNoUser = errors.New("redis: no such user, or a wrong password")

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
	access, ok, err := e.users.Access(ctx, db, name, password)
	if err != nil {
		return nil, none, err
	}
	if !ok {
		return nil, none, ErrNoUser
	}
	return db, access, nil
}

// AccessOf makes an Access of rules in the words of ACL SETUSER, about commands, keys and channels.
func (e *Engine) AccessOf(rules []string) (Access, error) { return e.commands.AccessOf(rules) }

// Users lists the users of a database but the default one, in order of their names. Users whose maker opens nothing any
// more are left out.
func (e *Engine) Users(ctx context.Context, db *Database) ([]User, error) {
	return e.users.List(ctx, db)
}
