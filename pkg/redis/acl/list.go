package acl

import (
	"context"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/keyspace"
)

// User is a user of a database's access control list.
type User struct {
	Name    string
	Enabled bool
	Rules   []string // in the words of ACL SETUSER, without passwords
	Maker   command.Maker
	MadeBy  string // the user that made it; "": the credential itself
}

// List lists the users of a database but the default one, in order of their names. Users whose maker opens nothing any
// more are left out.
func (us *Users) List(ctx context.Context, db *keyspace.Database) ([]User, error) {
	list, err := us.listUsers(ctx, db)
	if err != nil {
		return nil, err
	}
	users := make([]User, len(list))
	for i, u := range list {
		words := slices.DeleteFunc(u.rules.Text()[1:], func(w string) bool { return w[0] == '#' })
		users[i] = User{Name: u.name, Enabled: u.rules.Enabled, Rules: words, Maker: u.maker, MadeBy: u.maker.User}
	}
	return users, nil
}

// namedUser is a user in a list.
type namedUser struct {
	name string
	user
}

// listUsers lists the users of a database but the default one, in order of their names. Users whose maker
// opens nothing any more are left out.
func (us *Users) listUsers(ctx context.Context, db *keyspace.Database) ([]namedUser, error) {
	q := Query(db.ID)
	var list []namedUser
	for {
		page, err := us.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing users: %w", err)
		}
		for _, it := range page.Items {
			u, err := us.decodeUser(it.Attrs)
			if err != nil {
				return nil, err
			}
			name := it.Key.Sort[len(userPrefix):]
			_, alive, err := us.accessOfUser(ctx, db, name, u)
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
