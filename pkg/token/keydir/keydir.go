// Package keydir keeps the public keys of a deployment's tokens in a product's
// table, where the product's functions find keys that are newer than their
// environment, and learn which ones have been withdrawn.
//
// They are one item, so that it can be read in one call with what else a request needs (see
// package readahead): partition "\x00keys", sort key "keys". Each key is an attribute, named by its
// id ([token.KeyID]): the 32 bytes of the public key and, if it was retired, the time of that
// (Unix ms, 8 bytes). There are few, and unknown ids cost no reads of their own.
package keydir

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/readahead"
	"github.com/skystash/skystash/pkg/token"
)

var itemKey = store.Key{Partition: "\x00keys", Sort: "keys"}

// Directory is the directory in one table, a [token.Directory]. It is safe for concurrent use.
type Directory struct {
	Store store.Store
}

// Publish makes a key known. That it is already, or has been retired, is no error.
func (d Directory) Publish(ctx context.Context, key ed25519.PublicKey) error {
	_, err := d.Store.Apply(ctx, store.Update(itemKey, nil, store.Default(token.KeyID(key), store.Bytes(string(key)))))
	if err != nil {
		return fmt.Errorf("publishing a signing key: %w", err)
	}
	return nil
}

// Retire withdraws a key, known or not: its tokens become invalid everywhere within
// [token.KeyAge].
func (d Directory) Retire(ctx context.Context, key ed25519.PublicKey, at time.Time) error {
	value := binary.BigEndian.AppendUint64([]byte(key), uint64(at.UnixMilli()))
	_, err := d.Store.Apply(ctx, store.Update(itemKey, nil, store.Set(token.KeyID(key), store.Bytes(string(value)))))
	if err != nil {
		return fmt.Errorf("retiring a signing key: %w", err)
	}
	return nil
}

// Keys reads all keys.
func (d Directory) Keys(ctx context.Context) ([]token.PublishedKey, error) {
	attrs, _, err := readahead.Get(ctx, d.Store, itemKey, fresh.Read{})
	if err != nil {
		return nil, fmt.Errorf("reading the published signing keys: %w", err)
	}
	var keys []token.PublishedKey
	for _, a := range attrs {
		value := a.Value.Str()
		if n := len(value); n != ed25519.PublicKeySize && n != ed25519.PublicKeySize+8 {
			return nil, fmt.Errorf("published signing key %s: %d bytes", a.Name, n)
		}
		key := ed25519.PublicKey(value[:ed25519.PublicKeySize])
		if token.KeyID(key) != a.Name {
			return nil, fmt.Errorf("published signing key %s: not its key", a.Name)
		}
		keys = append(keys, token.PublishedKey{Key: key, Retired: len(value) > ed25519.PublicKeySize})
	}
	return keys, nil
}

// Along reports whether Keys would share a call that the request makes anyway.
func (d Directory) Along(ctx context.Context) bool { return readahead.Pending(ctx, d.Store) }
