package wire

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/redis/stats"
	"github.com/skystash/skystash/pkg/token"
)

// login is a credential that a client has shown, and that was good.
type login struct {
	gate *gate.Gate
	now  func() time.Time

	user       string       // as CLIENT LIST shows it
	database   string       // its id
	account    string       // whose the database is; the database if that is not known
	credential string       // names the credential among all
	claims     token.Claims // of a token
	secret     string       // of a user of the database, as a token; "": the credential is a token
	stats      *stats.Database
}

// check finds out what the credential opens now. The error is gate.ErrRefused if it opens nothing any more.
func (l *login) check(ctx context.Context) (gate.Grant, error) {
	if l.secret != "" {
		return l.gate.OpenUser(ctx, l.secret)
	}
	if !l.claims.Expires.IsZero() && !l.now().Before(l.claims.Expires) {
		return gate.Grant{}, gate.ErrRefused
	}
	return l.gate.Enter(ctx, l.claims)
}

// defaultUser is the user's name of those who log in with a token.
const defaultUser = "default"

// logIn checks a user name and a secret. label is the database that the client's host name stands for, if it does for any.
//
// The secret is a token mostly, with any name. Otherwise the name is that of a user of the database, with the
// database's id and a slash in front of it unless the host name tells the database, and the secret is his password. A token may also
// come as the name, with an empty password.
func (s *Server) logIn(ctx context.Context, user, secret, label string) (*login, gate.Grant, error) {
	if secret == "" || secret == "x" && len(user) > len("x") {
		user, secret = defaultUser, user
	}
	l := &login{gate: s.gate, now: s.now, user: defaultUser}
	grant, err := s.gate.Open(ctx, secret)
	switch {
	case err == nil && redis.IsUserToken(secret):
		l.secret = secret
	case errors.Is(err, gate.ErrRefused) && user != "" && !redis.IsUserToken(secret):
		id, name, ok := strings.Cut(user, "/")
		if !ok {
			id, name = label, user
		}
		if id == "" {
			return nil, gate.Grant{}, err
		}
		l.secret = redis.UserToken(id, name, secret)
		if grant, err = s.gate.Open(ctx, l.secret); err != nil {
			return nil, gate.Grant{}, err
		}
	case err != nil:
		return nil, gate.Grant{}, err
	default:
		l.claims = grant.Claims
	}
	l.database = grant.Database.ID
	l.account = cmp.Or(grant.Database.Account, l.database)
	if label != "" && !strings.EqualFold(label, l.database) {
		return nil, gate.Grant{}, gate.ErrRefused
	}
	l.stats = s.stats.Of(l.database)
	if l.secret != "" {
		l.user = grant.Access.User
		l.credential = l.database + "/user/" + l.user
	} else {
		l.credential = l.database + "/token/" + l.claims.CredentialID
	}
	return l, grant, nil
}

// labelOf is the database that a host name stands for; "": it stands for none.
func (s *Server) labelOf(host string) string {
	if s.cfg.Domain == "" {
		return ""
	}
	label, domain, ok := strings.Cut(strings.TrimSuffix(host, "."), ".")
	if !ok || !strings.EqualFold(domain, strings.Trim(s.cfg.Domain, ".")) {
		return ""
	}
	return label
}
