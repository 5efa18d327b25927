// Package access finds out whose a request to Kafka is: the cluster that a credential opens, and what it
// may do there. It is the same for requests over HTTP and for connections of the wire protocol.
package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

// ErrRefused means that credentials are wrong, were revoked, or have expired. It does not say which.
var ErrRefused = errors.New("invalid or missing credentials")

// Verifier checks tokens. [token.Verifier] is one.
type Verifier interface {
	Verify(ctx context.Context, token string) (token.Claims, error)
	// Resource is what a token says it opens, if it is true or not.
	Resource(token string) string
	// Recheck checks claims of a token that Verify has found good once.
	Recheck(ctx context.Context, claims token.Claims) error
}

// Gate opens clusters.
type Gate struct {
	Engine   *kafka.Engine
	Verifier Verifier
}

// Grant is what a credential opens.
type Grant struct {
	Cluster *kafka.Cluster
	Claims  token.Claims
}

// Open checks a user name and a password. The error is ErrRefused, or says what could not be read.
func (g Gate) Open(ctx context.Context, user, password string) (Grant, error) {
	ctx, claims, err := g.verify(ctx, password)
	if err != nil {
		return Grant{}, err
	}
	if subtle.ConstantTimeCompare([]byte(user), []byte(claims.KafkaUsername())) != 1 {
		return Grant{}, ErrRefused
	}
	return g.Enter(ctx, claims)
}

// OpenToken checks a password that comes without a user name.
func (g Gate) OpenToken(ctx context.Context, password string) (Grant, error) {
	ctx, claims, err := g.verify(ctx, password)
	if err != nil {
		return Grant{}, err
	}
	return g.Enter(ctx, claims)
}

func (g Gate) verify(ctx context.Context, password string) (context.Context, token.Claims, error) {
	if password == "" {
		return ctx, token.Claims{}, ErrRefused
	}
	ctx = g.Engine.Ahead(ctx, g.Verifier.Resource(password))
	claims, err := g.Verifier.Verify(ctx, password)
	if errors.Is(err, token.ErrKeysUnavailable) {
		return ctx, claims, fmt.Errorf("verifying the password: %w", err)
	}
	if err != nil || !claims.Allows(token.ProductKafka) {
		return ctx, claims, ErrRefused
	}
	return ctx, claims, nil
}

// Return checks the claims of a token that was good when it was minted, and that its bearer has proved to
// know without showing it.
func (g Gate) Return(ctx context.Context, claims token.Claims) (Grant, error) {
	err := g.Verifier.Recheck(ctx, claims)
	switch {
	case errors.Is(err, token.ErrKeysUnavailable):
		return Grant{}, fmt.Errorf("checking a credential: %w", err)
	case err != nil || !claims.Allows(token.ProductKafka):
		return Grant{}, ErrRefused
	}
	return g.Enter(ctx, claims)
}

// Enter finds the cluster of claims that were verified, unless it has taken them back.
func (g Gate) Enter(ctx context.Context, claims token.Claims) (Grant, error) {
	cluster, err := g.Engine.Cluster(ctx, claims.Resource)
	if kafka.IsKind(err, kafka.NotFound) {
		return Grant{}, ErrRefused
	}
	if err != nil {
		return Grant{}, fmt.Errorf("finding the credential's cluster: %w", err)
	}
	if claims.Withdrawn(cluster.CredentialGeneration, cluster.Revoked) {
		return Grant{}, ErrRefused
	}
	return Grant{cluster, claims}, nil
}

// Lifetime is how long a grant lasts from now on; 0: for ever.
func (g Grant) Lifetime(now time.Time) time.Duration {
	if g.Claims.Expires.IsZero() {
		return 0
	}
	return max(time.Millisecond, g.Claims.Expires.Sub(now))
}

// MayAdminister reports whether a credential may make, change and delete a topic.
func (g Grant) MayAdminister(topic string) bool {
	return g.Claims.MayProduce(topic) && g.Claims.MayConsume(topic)
}

// MayDescribe reports whether a credential may know of a topic.
func (g Grant) MayDescribe(topic string) bool {
	return g.Claims.Topics.Matches(topic)
}

// ErrForbidden means that a credential is good and may not do what it was used for. The text of an error that
// wraps it is for the client.
var ErrForbidden = errors.New("forbidden")

// forbidden is an error with a text of its own.
type forbidden struct{ text string }

func (e *forbidden) Error() string        { return e.text }
func (e *forbidden) Is(target error) bool { return target == ErrForbidden }

// MayUseGroup asks for the permission to use a group: the credential's rule of groups, and all topics
// that the group's members read. Otherwise a credential of one topic could take partitions of
// another one away from them, by joining their group. The error is or wraps ErrForbidden, or says what could not be read.
func (g Gate) MayUseGroup(ctx context.Context, grant Grant, group string) error {
	if !grant.Claims.Groups.Matches(group) {
		return &forbidden{fmt.Sprintf("the credential may not use group %q", group)}
	}
	if rule := grant.Claims.Topics; rule.Permission != token.PermitProduce && (rule == (token.TopicRule{}) || rule.Topics == "*") {
		return nil
	}
	topics, err := g.Engine.GroupTopics(ctx, grant.Cluster, group)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if !grant.Claims.MayConsume(t) {
			return &forbidden{fmt.Sprintf("the credential may not use group %q: it reads topics that the credential may not consume from", group)}
		}
	}
	return nil
}
