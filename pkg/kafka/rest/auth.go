package rest

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/token"
)

var errUnauthorized = refuse(http.StatusUnauthorized, "invalid or missing credentials")

// authorize finds out whose request it is. inQuery says that the credentials may
// be in the query; a header wins.
func (c *call) authorize(inQuery bool) error {
	user, password, ok := c.r.BasicAuth()
	if !ok && inQuery && c.r.Header.Get("Authorization") == "" {
		user, password = c.query.Get("user"), c.query.Get("pass")
	}
	if password == "" {
		return errUnauthorized
	}
	claims, err := c.h.verifier.Verify(password)
	if errors.Is(err, token.ErrKeysUnavailable) {
		return fmt.Errorf("verifying the password: %w", err)
	}
	if err != nil || !claims.Allows(token.ProductKafka) ||
		subtle.ConstantTimeCompare([]byte(user), []byte(claims.KafkaUsername())) != 1 {
		return errUnauthorized
	}
	cluster, err := c.h.engine.Cluster(c.ctx, claims.Resource)
	if kafka.IsKind(err, kafka.NotFound) {
		return errUnauthorized
	}
	if err != nil {
		return fmt.Errorf("finding the credential's cluster: %w", err)
	}
	if claims.Generation != cluster.CredentialGeneration || slices.Contains(cluster.Revoked, claims.CredentialID) {
		return errUnauthorized
	}
	c.cluster, c.claims = cluster, claims
	return nil
}

func (c *call) mayProduce(topic string) error {
	if !c.claims.MayProduce(topic) {
		return refuse(http.StatusForbidden, "the credential may not produce to topic %q", topic)
	}
	return nil
}

func (c *call) mayConsume(topics ...string) error {
	for _, t := range topics {
		if !c.claims.MayConsume(t) {
			return refuse(http.StatusForbidden, "the credential may not consume from topic %q", t)
		}
	}
	return nil
}
