package control_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
)

// revoke tells a product that a credential was revoked.
var revoke = map[control.Product]func(ctx context.Context, w *controltest.World, id, credential string, expires time.Time) error{
	control.Redis: func(ctx context.Context, w *controltest.World, id, credential string, expires time.Time) error {
		return w.Redis.RevokeCredential(ctx, id, credential, expires)
	},
	control.Kafka: func(ctx context.Context, w *controltest.World, id, credential string, expires time.Time) error {
		return w.Kafka.RevokeCredential(ctx, id, credential, expires)
	},
	control.QStash: func(ctx context.Context, w *controltest.World, id, credential string, expires time.Time) error {
		return w.QStash.RevokeCredential(ctx, id, credential, expires)
	},
}

// There was a time when the 1,001st revocation of a resource failed, and its token went on opening it.
func TestAnyNumberOfCredentialsIsRevoked(t *testing.T) {
	const n = 2500
	for _, p := range products {
		t.Run(string(p), func(t *testing.T) {
			w := controltest.New(t)
			res := w.Create(w.Admin, p, "r")
			warm := newInstance(w)
			issue := func(expires time.Time) (*control.Credential, control.Token) {
				t.Helper()
				c, err := w.Control.Issue(t.Context(), w.Admin.ID, res.ID, control.CredentialOptions{Name: "c", Expires: expires})
				w.OK(err)
				return c, w.Token(res, c.ID)
			}
			_, other := issue(time.Time{})
			// Of every 20 credentials, one is real; of the others the product knows that they were revoked.
			var real []*control.Credential
			var tokens []control.Token
			for i := range n / 20 {
				expires := time.Time{}
				if i%2 == 0 {
					expires = w.Now().Add(24 * time.Hour)
				}
				c, tok := issue(expires)
				real, tokens = append(real, c), append(tokens, tok)
			}
			for i := range n {
				if i%20 == 0 {
					w.OK(w.Control.Revoke(t.Context(), w.Admin.ID, res.ID, real[i/20].ID))
				} else {
					w.OK(revoke[p](t.Context(), w, res.ID, strings.ToLower(rand.Text()), w.Now().Add(time.Duration(i)*time.Hour)))
				}
			}
			w.Advance(promised)
			for _, i := range []*instance{warm, newInstance(w)} {
				for n, tok := range tokens {
					if i.opens(p, tok) {
						t.Fatalf("token %d opens the %s", n, p)
					}
				}
				if !i.opens(p, other) {
					t.Error("a token is refused that was not revoked")
				}
			}
			last, tok := issue(time.Time{})
			if !warm.opens(p, tok) {
				t.Error("after all those revocations, a new token does not open")
			}
			w.OK(w.Control.Revoke(t.Context(), w.Admin.ID, res.ID, last.ID))
			w.Advance(promised)
			if warm.opens(p, tok) || !warm.opens(p, other) {
				t.Errorf("after revocation %d, the token opens, or another one does not", n+1)
			}

			w.OK(w.Control.Reset(t.Context(), w.Admin.ID, res.ID))
			w.Advance(promised)
			if warm.opens(p, tok) || warm.opens(p, other) || !warm.opens(p, w.Token(res, control.DefaultCredential)) {
				t.Error("after the reset, an old token opens, or the new one does not")
			}
		})
	}
}
