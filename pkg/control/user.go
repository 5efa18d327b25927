package control

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

// User is a user of a database's access control list, which ACL SETUSER makes. Its token opens the database as a
// credential's does, for as long as the credential that made it.
type User struct {
	Name       string
	Enabled    bool
	Rules      []string // in the words of ACL SETUSER, without passwords
	Credential string   // id of the credential that made it; "": the owner, in the console
	MadeBy     string   // name of the user that made it, "": the credential itself
	Expires    time.Time
}

// Users lists the users of a database's access control list by name, without those that open nothing any more.
// Resources of other products have none.
func (e *Engine) Users(ctx context.Context, acct, res string) ([]User, error) {
	r, err := e.Resource(ctx, acct, res)
	if err != nil || r.Product != Redis {
		return nil, err
	}
	db, err := e.redis.Database(ctx, res)
	if err != nil {
		return nil, fmt.Errorf("listing the users of %s: %w", res, redisProduct{engine: e.redis}.found(err))
	}
	list, err := e.redis.Users(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("listing the users of %s: %w", res, err)
	}
	users := make([]User, len(list))
	for i, u := range list {
		users[i] = showUser(u)
	}
	return users, nil
}

func showUser(u redis.User) User {
	return User{u.Name, u.Enabled, u.Rules, u.Maker.Credential, u.MadeBy, u.Maker.Expires}
}
