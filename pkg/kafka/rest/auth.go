package rest

import (
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/kafka/access"
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

// mayUseGroup asks for the permission to use a group.
func (x *exchange) mayUseGroup(group string) error {
	err := x.h.gate.MayUseGroup(x.ctx, access.Grant{Cluster: x.cluster, Claims: x.claims}, group)
	if errors.Is(err, access.ErrForbidden) {
		return refuse(http.StatusForbidden, "%s", err)
	}
	return err
}

func (x *exchange) mayConsume(topics ...string) error {
	for _, t := range topics {
		if !x.claims.MayConsume(t) {
			return refuse(http.StatusForbidden, "the credential may not consume from topic %q", t)
		}
	}
	return nil
}
