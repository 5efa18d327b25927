package gate_test

import (
	"errors"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/tokentest"
)

func TestGate(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st})
	t.Cleanup(engine.Close)
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	signer, verifier := tokentest.Pair(t)
	mint := func(c token.Claims) string {
		t.Helper()
		text, err := signer.Mint(c)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	writer := token.Claims{CredentialID: "w", Resource: "orders", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration}
	with := func(change func(*token.Claims)) string {
		c := writer
		change(&c)
		return mint(c)
	}
	g := gate.New(engine, verifier)
	good := mint(writer)
	grant, err := g.Open(t.Context(), good)
	if err != nil || grant.Database.ID != "orders" || grant.Access.ReadOnly || grant.Access.By.Credential != "w" {
		t.Errorf("a good token opens %+v, %v", grant, err)
	}
	grant, err = g.Open(t.Context(), with(func(c *token.Claims) { c.Scope = token.ReadOnly }))
	if err != nil || !grant.Access.ReadOnly {
		t.Errorf("a token for reading opens %+v, %v", grant, err)
	}
	for name, secret := range map[string]string{
		"nothing":                  "",
		"no token":                 "password",
		"of another database":      with(func(c *token.Claims) { c.Resource = "bills" }),
		"of another product":       with(func(c *token.Claims) { c.Products = []string{token.ProductQStash} }),
		"of another generation":    with(func(c *token.Claims) { c.Generation++ }),
		"that has expired":         with(func(c *token.Claims) { c.IssuedAt, c.Expires = time.Unix(1, 0), time.Unix(2, 0) }),
		"with rules of the future": with(func(c *token.Claims) { c.Rules = []string{"+nosuch"} }),
		"of no user":               redis.UserToken("orders", "nobody", "password"),
	} {
		if grant, err := g.Open(t.Context(), secret); !errors.Is(err, gate.ErrRefused) {
			t.Errorf("a credential %s opens %+v, %v", name, grant, err)
		}
	}
	if err := engine.RevokeCredential(t.Context(), "orders", "w", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Open(t.Context(), good); !errors.Is(err, gate.ErrRefused) {
		t.Errorf("a revoked token: %v", err)
	}
}
