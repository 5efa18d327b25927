package rest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/token"
)

// authorize finds out which database a request is for, and what it may do there.
func (h *Handler) authorize(ctx context.Context, host, bearer string) (*redis.Database, redis.Access, error) {
	none := redis.Access{ReadOnly: true}
	if bearer == "" {
		return nil, none, errUnauthorized
	}
	claims, err := h.verifier.Verify(bearer)
	if err != nil || !claims.Allows(token.ProductRedis) {
		return nil, none, errUnauthorized
	}
	if label, ok := subdomain(host, h.domain); ok && !strings.EqualFold(label, claims.Resource) {
		return nil, none, errUnauthorized
	}
	db, err := h.engine.Database(ctx, claims.Resource)
	if errors.Is(err, redis.ErrNoDatabase) {
		return nil, none, errUnauthorized
	}
	if err != nil {
		return nil, none, fmt.Errorf("finding the token's database: %w", err)
	}
	if claims.Generation != db.CredentialGeneration || slices.Contains(db.Revoked, claims.CredentialID) {
		return nil, none, errUnauthorized
	}
	return db, redis.Access{ReadOnly: claims.Scope != token.ReadWrite}, nil
}

// bearerToken is the token in an Authorization header, with or without the
// word Bearer in front of it.
func bearerToken(authorization string) string {
	value := strings.TrimSpace(authorization)
	scheme, rest, ok := strings.Cut(value, " ")
	if ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	return value
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
