package rest_test

import (
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/tokentest"
)

func TestTokensOpenTheirAccountOnly(t *testing.T) {
	s := newService(t)
	signer, verifier := tokentest.Pair(t)
	mint := func(change func(*token.Claims)) string {
		t.Helper()
		c := token.Claims{CredentialID: "c", Resource: acct, Products: []string{token.ProductQStash}, Scope: token.ReadWrite}
		if change != nil {
			change(&c)
		}
		text, err := signer.Mint(c)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	tokens := rest.Tokens{Engine: s.engine, Verifier: verifier}
	if got, err := tokens.Authenticate(t.Context(), rest.Envelope(acct, mint(nil))); err != nil || got != (rest.Access{Account: acct}) {
		t.Errorf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"another user":       rest.Envelope("other", mint(nil)),
		"unknown account":    rest.Envelope("other", mint(func(c *token.Claims) { c.Resource = "other" })),
		"another product":    rest.Envelope(acct, mint(func(c *token.Claims) { c.Products = []string{token.ProductRedis} })),
		"another generation": rest.Envelope(acct, mint(func(c *token.Claims) { c.Generation = 1 })),
		"no envelope":        mint(nil),
		"no password":        rest.Envelope(acct, ""),
		"forged":             rest.Envelope(acct, mint(nil)+"x"),
		"nothing":            "",
	} {
		if _, err := tokens.Authenticate(t.Context(), text); !errors.Is(err, rest.ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}

	srv := httptest.NewServer(rest.New(rest.Config{Engine: s.engine, Authenticator: tokens}))
	defer srv.Close()
	s.url, s.token = srv.URL, rest.Envelope(acct, mint(func(c *token.Claims) { c.Scope = token.ReadOnly }))
	s.ok(nil, "GET", "/v2/keys", "")
	for _, c := range [][2]string{{"POST", "/v2/publish/https://example.com"}, {"DELETE", "/v2/messages"}, {"POST", "/v2/keys/rotate"}, {"PATCH", "/v2/schedules/x/pause"}} {
		s.refused(403, "read-only", c[0], c[1], "")
	}
}
