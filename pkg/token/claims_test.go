package token

import (
	"slices"
	"testing"
)

type revocations []string

func (r revocations) Has(id string) bool { return slices.Contains(r, id) }

func TestWithdrawn(t *testing.T) {
	c := Claims{CredentialID: "mine", Generation: 3}
	for _, tt := range []struct {
		name       string
		generation int64
		revoked    Revocations
		want       bool
	}{
		{"good", 3, nil, false},
		{"another one is revoked", 3, revocations{"yours"}, false},
		{"revoked", 3, revocations{"yours", "mine"}, true},
		{"issued before the credentials were reset", 4, nil, true},
		{"issued for a generation that is not there yet", 2, nil, true},
	} {
		if got := c.Withdrawn(tt.generation, tt.revoked); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
