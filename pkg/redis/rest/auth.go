package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/token"
)

// authorize finds out which database a request is for, and what it may do there.
func (h *Handler) authorize(ctx context.Context, host, bearer string) (*redis.Database, redis.Access, error) {
	none := redis.Access{ReadOnly: true}
	if bearer == "" {
		return nil, none, errUnauthorized
	}
	if redis.IsUserToken(bearer) {
		return h.authorizeUser(ctx, host, bearer)
	}
	claims, err := h.claims(ctx, host, bearer)
	if err != nil {
		return nil, none, err
	}
	db, err := h.engine.Database(ctx, claims.Resource)
	if errors.Is(err, redis.ErrNoDatabase) {
		return nil, none, errUnauthorized
	}
	if err != nil {
		return nil, none, fmt.Errorf("finding the token's database: %w", err)
	}
	access, err := h.admit(db, claims)
	return db, access, err
}

// claims are what a token says that is good for the host.
func (h *Handler) claims(ctx context.Context, host, bearer string) (token.Claims, error) {
	claims, err := h.verifier.Verify(ctx, bearer)
	if errors.Is(err, token.ErrKeysUnavailable) {
		return claims, fmt.Errorf("verifying the token: %w", err)
	}
	if err != nil || !claims.Allows(token.ProductRedis) {
		return claims, errUnauthorized
	}
	if label, ok := subdomain(host, h.domain); ok && !strings.EqualFold(label, claims.Resource) {
		return claims, errUnauthorized
	}
	return claims, nil
}

// admit finds out what a token may do in its database.
func (h *Handler) admit(db *redis.Database, claims token.Claims) (redis.Access, error) {
	none := redis.Access{ReadOnly: true}
	if claims.Withdrawn(db.CredentialGeneration, db.Revoked) {
		return none, errUnauthorized
	}
	access, err := h.accesses.of(h.engine, claims.Rules)
	if err != nil {
		return none, errUnauthorized // whoever minted it knew other rules
	}
	access.ReadOnly = claims.Scope != token.ReadWrite
	access.By = redis.Maker{Credential: claims.CredentialID, Generation: claims.Generation, Expires: claims.Expires}
	return access, nil
}

// authorizeUser does so for a token of a user of the database.
func (h *Handler) authorizeUser(ctx context.Context, host, bearer string) (*redis.Database, redis.Access, error) {
	none := redis.Access{ReadOnly: true}
	if len(bearer) > token.MaxLength {
		return nil, none, errUnauthorized
	}
	db, access, err := h.engine.Authenticate(ctx, bearer)
	if errors.Is(err, redis.ErrNoUser) {
		return nil, none, errUnauthorized
	}
	if err != nil {
		return nil, none, fmt.Errorf("finding the token's user: %w", err)
	}
	if label, ok := subdomain(host, h.domain); ok && !strings.EqualFold(label, db.ID) {
		return nil, none, errUnauthorized
	}
	return db, access, nil
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

// tokenParameter is the query's parameter that may have the token.
const tokenParameter = "_token"

// headerToken is the token in an Authorization header, with or without the
// word Bearer in front of it.
func headerToken(authorization string) string {
	if bearer, ok := edge.Bearer(authorization); ok {
		return bearer
	}
	return strings.TrimSpace(authorization)
}

// subdomain is what stands before ".domain" in a request's host, if anything
// does and a domain is configured.
func subdomain(host, domain string) (string, bool) {
	if domain == "" {
		return "", false
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(host, ".")
	n := len(host) - len(domain) - 1
	if n < 0 || host[n] != '.' || !strings.EqualFold(host[n+1:], domain) {
		return "", false
	}
	return host[:n], true
}
