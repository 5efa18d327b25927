// Package keyringtest is the suite that every implementation of [control.Keyring] passes.
package keyringtest

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/token"
)

// Run tests keyrings, each of which open returns empty; reopen returns one that has what the
// last one had.
func Run(t *testing.T, open func(*testing.T) (k control.Keyring, reopen func() control.Keyring)) {
	newKey := func(t *testing.T) (ed25519.PrivateKey, string) {
		t.Helper()
		key, err := token.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		return key, token.KeyID(key.Public().(ed25519.PublicKey))
	}
	t.Run("keys are kept and listed", func(t *testing.T) {
		k, reopen := open(t)
		if ids, err := k.IDs(t.Context()); err != nil || len(ids) != 0 {
			t.Fatalf("an empty keyring has %v, %v", ids, err)
		}
		var want []string
		for range 12 {
			key, id := newKey(t)
			for range 2 { // adding it again is no error
				if err := k.Add(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			k = reopen()
			if got, err := k.Key(t.Context(), id); err != nil || !got.Equal(key) {
				t.Fatalf("key %s is read as another, %v", id, err)
			}
			want = append(want, id)
		}
		ids, err := k.IDs(t.Context())
		slices.Sort(ids)
		slices.Sort(want)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("the keys are %v, %v, want %v", ids, err, want)
		}
	})
	t.Run("a key that is not there", func(t *testing.T) {
		k, _ := open(t)
		_, id := newKey(t)
		if _, err := k.Key(t.Context(), id); !errors.Is(err, control.ErrNoKey) {
			t.Errorf("reading it: %v", err)
		}
		if err := k.Remove(t.Context(), id); err != nil {
			t.Errorf("removing it: %v", err)
		}
	})
	t.Run("a key that is removed", func(t *testing.T) {
		k, reopen := open(t)
		gone, id := newKey(t)
		stays, other := newKey(t)
		for _, key := range []ed25519.PrivateKey{gone, stays} {
			if err := k.Add(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		if err := k.Remove(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		k = reopen()
		if _, err := k.Key(t.Context(), id); !errors.Is(err, control.ErrNoKey) {
			t.Errorf("reading it: %v", err)
		}
		if ids, err := k.IDs(t.Context()); err != nil || !slices.Equal(ids, []string{other}) {
			t.Errorf("the keys are %v, %v", ids, err)
		}
	})
}
