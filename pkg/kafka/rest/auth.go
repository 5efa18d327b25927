package rest

import (
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/token"
)

var errUnauthorized = refuse(http.StatusUnauthorized, "%s", access.ErrRefused)

// authorize finds out whose request it is. inQuery says that the credentials may
// be in the query; a header wins.
func (x *exchange) authorize(inQuery bool) error {
	user, password, ok := x.r.BasicAuth()
	if !ok && inQuery && x.r.Header.Get("Authorization") == "" {
		user, password = x.query.Get("user"), x.query.Get("pass")
	}
	grant, err := x.h.gate.Open(x.ctx, user, password)
	if errors.Is(err, access.ErrRefused) {
		return errUnauthorized
	}
	if err != nil {
		return err
	}
	x.cluster, x.claims = grant.Cluster, grant.Claims
	return nil
}

func (x *exchange) mayProduce(topic string) error {
	if !x.claims.MayProduce(topic) {
		return refuse(http.StatusForbidden, "the credential may not produce to topic %q", topic)
	}
	return nil
}

// mayUseGroup asks for the permission to use a group: the credential's rule of groups, and all
// topics that the group's instances read. Otherwise a credential of one topic could take partitions
// of another one away from them, by joining their group.
func (x *exchange) mayUseGroup(group string) error {
	if !x.claims.Groups.Matches(group) {
		return refuse(http.StatusForbidden, "the credential may not use group %q", group)
	}
	if rule := x.claims.Topics; rule.Permission != token.PermitProduce && (rule == (token.TopicRule{}) || rule.Topics == "*") {
		return nil
	}
	topics, err := x.h.engine.GroupTopics(x.ctx, x.cluster, group)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if !x.claims.MayConsume(t) {
			return refuse(http.StatusForbidden, "the credential may not use group %q: it reads topics that the credential may not consume from", group)
		}
	}
	return nil
}

func (x *exchange) mayConsume(topics ...string) error {
	for _, t := range topics {
		if !x.claims.MayConsume(t) {
			return refuse(http.StatusForbidden, "the credential may not consume from topic %q", t)
		}
	}
	return nil
}
