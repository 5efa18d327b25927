// Package gate finds out whose a request to Redis is: the database that a credential opens, and what
// it may do there. It is the same for requests over HTTP and for connections of Redis's own protocol.
package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/token"
)

// ErrRefused means that a credential is wrong, was revoked, or has expired. It does not say which.
var ErrRefused = errors.New("invalid or missing credentials")

// Engine knows databases and their users. [redis.Engine] is one.
type Engine interface {
	// Database fails with redis.ErrNoDatabase if there is none with that id.
	Database(ctx context.Context, id string) (*redis.Database, error)
	// Authenticate does the same for a token that a user of the database has, and finds out
	// what may be done there. It fails with redis.ErrNoUser if the token opens nothing.
	Authenticate(ctx context.Context, token string) (*redis.Database, redis.Access, error)
	// AccessOf makes an Access of a token's rules.
	AccessOf(rules []string) (redis.Access, error)
}

// Verifier checks tokens. [token.Verifier] is one.
type Verifier interface {
	Verify(ctx context.Context, token string) (token.Claims, error)
}

// Gate opens databases. It is safe for concurrent use.
type Gate struct {
	engine   Engine
	verifier Verifier
	accesses accessCache
}

// New makes a Gate.
func New(engine Engine, verifier Verifier) *Gate { return &Gate{engine: engine, verifier: verifier} }

// Grant is what a credential opens.
type Grant struct {
	Database *redis.Database
	Access   redis.Access
	Claims   token.Claims // zero if the credential is a user's
}

// Open checks a token, or the token of a user of a database. The error is ErrRefused, or says what
// could not be read.
func (g *Gate) Open(ctx context.Context, secret string) (Grant, error) {
	switch {
	case secret == "" || len(secret) > token.MaxLength:
		return Grant{}, ErrRefused
	case redis.IsUserToken(secret):
		return g.OpenUser(ctx, secret)
	}
	claims, err := g.Claims(ctx, secret)
	if err != nil {
		return Grant{}, err
	}
	return g.Enter(ctx, claims)
}

// OpenUser checks the token of a user.
func (g *Gate) OpenUser(ctx context.Context, secret string) (Grant, error) {
	db, access, err := g.engine.Authenticate(ctx, secret)
	if errors.Is(err, redis.ErrNoUser) {
		return Grant{}, ErrRefused
	}
	if err != nil {
		return Grant{}, fmt.Errorf("finding the token's user: %w", err)
	}
	return Grant{Database: db, Access: access}, nil
}

// Claims are what a token says that is valid, and for Redis.
func (g *Gate) Claims(ctx context.Context, secret string) (token.Claims, error) {
	claims, err := g.verifier.Verify(ctx, secret)
	if errors.Is(err, token.ErrKeysUnavailable) {
		return claims, fmt.Errorf("verifying the token: %w", err)
	}
	if err != nil || !claims.Allows(token.ProductRedis) {
		return claims, ErrRefused
	}
	return claims, nil
}

// Enter finds the database of claims that were verified, unless it has taken them back.
func (g *Gate) Enter(ctx context.Context, claims token.Claims) (Grant, error) {
	db, err := g.engine.Database(ctx, claims.Resource)
	if errors.Is(err, redis.ErrNoDatabase) {
		return Grant{}, ErrRefused
	}
	if err != nil {
		return Grant{}, fmt.Errorf("finding the token's database: %w", err)
	}
	access, err := g.Admit(db, claims)
	return Grant{Database: db, Access: access, Claims: claims}, err
}

// Admit finds out what a token may do in its database.
func (g *Gate) Admit(db *redis.Database, claims token.Claims) (redis.Access, error) {
	none := redis.Access{ReadOnly: true}
	if claims.Withdrawn(db.CredentialGeneration, db.Revoked) {
		return none, ErrRefused
	}
	access, err := g.accesses.of(g.engine, claims.Rules)
	if err != nil {
		return none, ErrRefused // whoever minted it knew other rules
	}
	access.ReadOnly = claims.Scope != token.ReadWrite
	access.By = redis.Maker{Credential: claims.CredentialID, Generation: claims.Generation, Expires: claims.Expires}
	return access, nil
}

// maxAccesses bounds how many parsed rule sets are remembered. Operators mint few different ones.
const maxAccesses = 1024

// accessCache remembers what rules in tokens mean.
type accessCache struct {
	mu sync.Mutex
	m  map[string]redis.Access
}

func (c *accessCache) of(e Engine, rules []string) (redis.Access, error) {
	if len(rules) == 0 {
		return redis.Access{}, nil
	}
	key := strings.Join(rules, "\x00")
	c.mu.Lock()
	a, known := c.m[key]
	c.mu.Unlock()
	if known {
		return a, nil
	}
	a, err := e.AccessOf(rules)
	if err != nil {
		return a, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxAccesses {
		c.m = map[string]redis.Access{}
	}
	c.m[key] = a
	return a, nil
}
