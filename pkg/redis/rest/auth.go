package rest

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/token"
)

// authorize finds out which database a request is for, and what it may do there.
func (h *Handler) authorize(ctx context.Context, host, bearer string) (*redis.Database, redis.Access, error) {
	if redis.IsUserToken(bearer) {
		return h.authorizeUser(ctx, host, bearer)
	}
	claims, err := h.claims(ctx, host, bearer)
	if err != nil {
		return nil, nobody, err
	}
	grant, err := h.gate.Enter(ctx, claims)
	if err != nil {
		return nil, nobody, refusal(err)
	}
	return grant.Database, grant.Access, nil
}

// nobody may do nothing.
var nobody = redis.Access{ReadOnly: true}

// refusal is the answer to a credential that is refused; another error stays what it is.
func refusal(err error) error {
	if errors.Is(err, gate.ErrRefused) {
		return errUnauthorized
	}
	return err
}

// claims are what a token says that is good for the host.
func (h *Handler) claims(ctx context.Context, host, bearer string) (token.Claims, error) {
	if bearer == "" {
		return token.Claims{}, errUnauthorized
	}
	claims, err := h.gate.Claims(ctx, bearer)
	if err != nil {
		return claims, refusal(err)
	}
	if label, ok := subdomain(host, h.domain); ok && !strings.EqualFold(label, claims.Resource) {
		return claims, errUnauthorized
	}
	return claims, nil
}

// admit finds out what a token may do in its database.
func (h *Handler) admit(db *redis.Database, claims token.Claims) (redis.Access, error) {
	access, err := h.gate.Admit(db, claims)
	return access, refusal(err)
}

// authorizeUser does so for a token of a user of the database.
func (h *Handler) authorizeUser(ctx context.Context, host, bearer string) (*redis.Database, redis.Access, error) {
	grant, err := h.gate.Open(ctx, bearer)
	if err != nil {
		return nil, nobody, refusal(err)
	}
	if label, ok := subdomain(host, h.domain); ok && !strings.EqualFold(label, grant.Database.ID) {
		return nil, nobody, errUnauthorized
	}
	return grant.Database, grant.Access, nil
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
