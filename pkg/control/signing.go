package control

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// SigningKey is a key that tokens are or were signed with.
type SigningKey struct {
	ID        string    `json:"id"`     // token.KeyID
	Public    string    `json:"public"` // 32 bytes in base64
	CreatedAt time.Time `json:"created"`
	SignsFrom time.Time `json:"from"`             // tokens minted from then on are signed with it, until the next key's time
	RetiredAt time.Time `json:"retired,omitzero"` // zero: its tokens are good

	Current bool `json:"-"` // tokens minted now are signed with it
}

const (
	// SigningDelay is how long after its making a key begins to sign: by then every function
	// that has been asked about an unknown key may look again.
	SigningDelay = 3 * time.Second

	// MaxSigningKeys bounds the keys whose tokens are good.
	MaxSigningKeys = 16

	// keysAge is how old what an engine knows of the keys may be.
	keysAge = time.Second
)

// keyState is what an engine knows of the signing keys.
type keyState struct {
	// turn is full while somebody uses the rest. It is a channel, not a mutex: the keys are read
	// meanwhile, and a caller whose context ends must not wait for that.
	turn chan struct{}

	keys    []SigningKey             // as they were made
	read    fresh.Time               // when the read of the keys began
	signers map[string]*token.Signer // of those that have signed here
}

// SigningKeys lists the keys, those retired too, in the order in which they were made.
func (e *Engine) SigningKeys(ctx context.Context) ([]SigningKey, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: "s"})
	if err != nil {
		return nil, fmt.Errorf("reading the signing keys: %w", err)
	}
	keys := make([]SigningKey, len(items))
	for i, it := range items {
		if err := decode(it.Key, it.Attrs, &keys[i]); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(keys, func(a, b SigningKey) int {
		return cmp.Or(a.SignsFrom.Compare(b.SignsFrom), cmp.Compare(a.ID, b.ID))
	})
	if i := current(keys, e.now()); i >= 0 {
		keys[i].Current = true
	}
	return keys, nil
}

// current is the place of the key that signs at a time: the last one whose time has
// come, or the first of all; -1 if all are retired.
func current(keys []SigningKey, now time.Time) int {
	found := -1
	for i, k := range keys {
		if k.RetiredAt.IsZero() && (found < 0 || !k.SignsFrom.After(now)) {
			found = i
		}
	}
	return found
}

// EnsureSigningKey sees to it that there is a signing key, the keyring's if it has one, and that
// all products know of the keys.
func (e *Engine) EnsureSigningKey(ctx context.Context) error {
	keys, err := e.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if current(keys, e.now()) >= 0 {
		return e.publish(ctx, keys)
	}
	ids, err := e.keyring.IDs(ctx)
	if err != nil {
		return fmt.Errorf("reading the keyring: %w", err)
	}
	for _, id := range ids {
		if slices.ContainsFunc(keys, func(k SigningKey) bool { return k.ID == id }) {
			continue // retired
		}
		key, err := e.keyring.Key(ctx, id)
		if err != nil {
			return fmt.Errorf("reading private key %s: %w", id, err)
		}
		return e.addSigningKey(ctx, key, e.now())
	}
	key, err := token.GenerateKey()
	if err != nil {
		return err
	}
	return e.addSigningKey(ctx, key, e.now())
}

// publish sees to it that functions know the keys: a product may have been added since.
func (e *Engine) publish(ctx context.Context, keys []SigningKey) error {
	for _, k := range keys {
		raw, err := base64.StdEncoding.DecodeString(k.Public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return fmt.Errorf("signing key %s: no public key", k.ID)
		}
		for _, d := range e.directories {
			if k.RetiredAt.IsZero() {
				err = d.Publish(ctx, raw)
			} else {
				err = d.Retire(ctx, raw, k.RetiredAt)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// addSigningKey keeps a key, makes it known and lets it sign from a time on.
func (e *Engine) addSigningKey(ctx context.Context, key ed25519.PrivateKey, from time.Time) error {
	if err := e.keyring.Add(ctx, key); err != nil {
		return fmt.Errorf("keeping a signing key: %w", err)
	}
	k := SigningKey{
		ID: idOf(key), Public: base64.StdEncoding.EncodeToString(publicOf(key)),
		CreatedAt: e.now().UTC(), SignsFrom: from.UTC(),
	}
	if err := e.publish(ctx, []SigningKey{k}); err != nil {
		return err
	}
	if _, err := e.store.Apply(ctx, store.Put(signingKeyKey(k.ID), encode(k), store.Absent(attrJSON))); err != nil && !unmet(err) {
		return fmt.Errorf("noting a signing key: %w", err)
	}
	e.forgetKeys()
	return nil
}

// RotateSigningKey makes a new key, with which tokens are signed after SigningDelay. Tokens of
// the keys before stay good.
func (e *Engine) RotateSigningKey(ctx context.Context) (*SigningKey, error) {
	keys, err := e.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	live := 0
	for _, k := range keys {
		if k.RetiredAt.IsZero() {
			live++
		}
	}
	if live >= MaxSigningKeys {
		return nil, refuse(Quota, "there are %d signing keys in use: retire some first", live)
	}
	key, err := token.GenerateKey()
	if err != nil {
		return nil, err
	}
	if err := e.addSigningKey(ctx, key, e.now().Add(SigningDelay)); err != nil {
		return nil, err
	}
	return e.signingKey(ctx, idOf(key))
}

func (e *Engine) signingKey(ctx context.Context, id string) (*SigningKey, error) {
	keys, err := e.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		if keys[i].ID == id {
			return &keys[i], nil
		}
	}
	return nil, refuse(NotFound, "no such signing key")
}

// RetireSigningKey makes all tokens invalid that were signed with a key, everywhere within
// [token.KeyAge], and forgets its private half. The key that signs cannot be retired, nor
// one that was made to follow it.
func (e *Engine) RetireSigningKey(ctx context.Context, id string) error {
	keys, err := e.SigningKeys(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(keys, func(k SigningKey) bool { return k.ID == id })
	now := current(keys, e.now())
	switch {
	case i < 0:
		return refuse(NotFound, "no such signing key")
	case keys[i].RetiredAt.IsZero() && i >= now:
		return refuse(Invalid, "the key is in use: rotate first")
	}
	// The table comes first: nothing is signed with the key from now on. What a crash leaves
	// undone is done when the key is retired again.
	k, _, err := change(ctx, e, signingKeyKey(id), func(k *SigningKey) error {
		if k.RetiredAt.IsZero() {
			k.RetiredAt = e.now().UTC()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("retiring signing key %s: %w", id, err)
	}
	e.forgetKeys()
	if err := e.publish(ctx, []SigningKey{*k}); err != nil {
		return err
	}
	if err := e.keyring.Remove(ctx, id); err != nil {
		return fmt.Errorf("forgetting private key %s: %w", id, err)
	}
	return nil
}

func (e *Engine) forgetKeys() {
	e.signing.turn <- struct{}{}
	e.signing.keys = nil
	<-e.signing.turn
}

// signer signs tokens now.
func (e *Engine) signer(ctx context.Context) (*token.Signer, error) {
	s := &e.signing
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the signing keys: %w", ctx.Err())
	}
	if now := e.now(); s.keys == nil || !s.read.Within(keysAge, now) {
		keys, err := e.SigningKeys(ctx)
		if err != nil {
			return nil, err
		}
		s.keys, s.read = keys, fresh.At(now)
	}
	i := current(s.keys, e.now())
	if i < 0 {
		return nil, errors.New("control: there is no signing key: Bootstrap makes one")
	}
	id := s.keys[i].ID
	if signer, ok := s.signers[id]; ok {
		return signer, nil
	}
	key, err := e.keyring.Key(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading private key %s: %w", id, err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key, Audience: e.audience, Now: e.now})
	if err != nil {
		return nil, err
	}
	if s.signers == nil {
		s.signers = map[string]*token.Signer{}
	}
	s.signers[id] = signer
	return signer, nil
}
