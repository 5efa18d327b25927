package token_test

import (
	"testing"

	"github.com/skystash/skystash/pkg/token"
)

func TestDestinations(t *testing.T) {
	for _, c := range []struct {
		bound, target string
		want          bool
	}{
		{"https://example.com/hook", "https://example.com/hook", true},
		{"https://example.com/hook", "https://example.com/hook?a=1", true},
		{"https://example.com/hook", "HTTPS://EXAMPLE.com:443/hook", true},
		{"https://example.com/hook", "https://example.com./hook", true},
		{"https://example.com/hook", "https://example.com/hook/", false},
		{"https://example.com/hook", "https://example.com/hook2", false},
		{"https://example.com/hook", "http://example.com/hook", false},
		{"https://example.com/hook", "https://example.com:8443/hook", false},
		{"https://example.com/hook", "https://example.com@evil.example/hook", false},
		{"https://example.com/hook", "https://user@example.com/hook", false},
		{"https://example.com", "https://example.com/", true},
		{"https://example.com", "https://example.com/a", false},
		{"https://example.com/*", "https://example.com/a/b", true},
		{"https://example.com/*", "https://example.com", true},
		{"https://example.com/*", "https://example.com.evil.example/", false},
		{"https://example.com/api/*", "https://example.com/api/a", true},
		{"https://example.com/api/*", "https://example.com/api/../admin", false},
		{"https://example.com/api/*", "https://example.com/api/%2e%2e/admin", false},
		{"https://example.com/api/*", "https://example.com/api/..%2fadmin", false},
		{"https://example.com/api/*", `https://example.com/api/..\admin`, false},
		{"https://*.example.com/*", "https://a.example.com/x", true},
		{"https://*.example.com/*", "https://a.b.example.com/x", true},
		{"https://*.example.com/*", "https://example.com/x", false},
		{"https://*.example.com/*", "https://evilexample.com/x", false},
		{"http://127.0.0.1:3000/*", "http://127.0.0.1:3000/x", true},
		{"orders", "orders", true},
		{"orders", "orders-eu", false},
		{"orders-*", "orders-eu", true},
		{"*", "any-group", true},
		{"*", "https://example.com/", false},
		{"orders", "https://orders", false},
		{"https://example.com/*", "orders", false},
	} {
		claims := token.Claims{Scope: token.ReadWrite, Destinations: []string{"other", c.bound}}
		if got := claims.MayDeliver(c.target); got != c.want {
			t.Errorf("%s covers %s: %t", c.bound, c.target, got)
		}
	}
	if (token.Claims{Scope: token.ReadOnly}).MayDeliver("orders") || !(token.Claims{Scope: token.ReadWrite}).MayDeliver("https://anywhere.example") {
		t.Error("tokens without destinations are bounded by their scope only")
	}
}

func TestDestinationsThatMakeNoSense(t *testing.T) {
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"", "a/b", "a b", "a:b", "*a", "https://", "ftp://example.com/", "https://example.com*", "https://a*.example.com/", "https://example.com/a*b",
		"https://user@example.com/", "https://example.com/?q=1", "https://example.com/a/../b", "https://example.com/#f",
	} {
		_, err := signer.Mint(token.Claims{
			CredentialID: "c", Resource: "r", Products: []string{"qstash"}, Scope: token.ReadWrite, Destinations: []string{text},
		})
		if err == nil {
			t.Errorf("%q is taken for a destination", text)
		}
	}
}
