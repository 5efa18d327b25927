package acl

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// Users of the access control list are made by somebody: with a credential, or by a user that was itself made
// with one. A user never gets further than its maker:
//
//   - It opens the database as long as its maker does. When the credential is revoked, expires, or is reset,
//     its users open nothing any more; when a user is deleted or switched off, neither do those that it made.
//   - It may do what its own rules and those of all its makers allow.
//   - Only its maker changes it. Otherwise a credential with bounds could give a password to a user without bounds.
//
// The user's item holds the maker in attribute m, as a list of words: the id of the credential, its generation,
// its expiry (Unix s, 0: never), the user that acted ("": none), and that user's birth. Attribute b holds the
// rules of the credential, if it has any. An item without m is of a time before makers were kept: generation 0,
// which no database has, so that it opens nothing.

// makerOf is who the caller is as the maker of users.
func makerOf(a command.Access, db *keyspace.Database) command.Maker {
	m := a.By
	if m.Generation == 0 {
		m.Generation = db.CredentialGeneration
	}
	return m
}

// madeBy are the attributes of a user's item that tell who made it.
func madeBy(a command.Access, m command.Maker) []store.Attr {
	attrs := []store.Attr{{Name: attrMaker, Value: store.List(m.Encode())}}
	if a.Rules != nil && m.User == "" { // those of a user are looked up
		attrs = append(attrs, store.Attr{Name: attrBounds, Value: store.List(a.Rules.Text())})
	}
	if !m.Expires.IsZero() {
		attrs = append(attrs, store.Attr{Name: store.TTLAttr, Value: store.Int(m.Expires.Unix() + 1)})
	}
	return attrs
}

// maxMakers bounds how many users can stand between a user and the credential that it comes from: each is looked up.
const maxMakers = 4

// mayMakeUsers refuses users that come from a credential by too many others.
func (us *Users) mayMakeUsers(ctx context.Context, db *keyspace.Database, by command.Access) error {
	n := 0
	for m := by.By; m.User != ""; n++ {
		if n == maxMakers {
			return resp.Error(fmt.Sprintf("ERR users can make users, but only %d deep", maxMakers))
		}
		u, err := us.user(ctx, db.ID, m.User)
		if err != nil {
			return err
		}
		m = u.maker
	}
	return nil
}

// accessOfUser is what a user may do who has given the password. It reports false if there is no such user, or
// its maker opens nothing any more.
func (us *Users) accessOfUser(ctx context.Context, db *keyspace.Database, name string, u user) (command.Access, bool, error) {
	bounds, alive, err := us.boundsOf(ctx, db, u, 0)
	if err != nil || !alive {
		return command.Access{}, false, err
	}
	rules := *u.rules
	rules.Within = bounds
	by := u.maker
	by.User, by.Birth = name, u.birth
	return command.Access{User: name, By: by, Rules: &rules}, true, nil
}

// boundsOf are the rules of those who made a user.
func (us *Users) boundsOf(ctx context.Context, db *keyspace.Database, u user, depth int) (*command.Rules, bool, error) {
	if u.rules == nil || depth > maxMakers || !u.maker.Opens(db, us.now()) {
		return nil, false, nil
	}
	if u.maker.User == "" {
		return u.bounds, true, nil
	}
	maker, err := us.user(ctx, db.ID, u.maker.User)
	if err != nil {
		return nil, false, err
	}
	if maker.rules == nil || !maker.rules.Enabled || maker.birth != u.maker.Birth {
		return nil, false, nil
	}
	bounds, alive, err := us.boundsOf(ctx, db, maker, depth+1)
	if err != nil || !alive {
		return nil, false, err
	}
	rules := *maker.rules
	rules.Within = bounds
	return &rules, true, nil
}
