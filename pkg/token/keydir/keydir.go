// Package keydir keeps the public keys of a deployment's tokens in a product's
// table, where the product's functions find keys that are newer than their
// environment, and learn which ones have been withdrawn.
//
// One partition, "\x00keys", holds an item for each key: its sort key is the key's
// id ([token.KeyID]), k the 32 bytes of the public key, r, if there, when the key was
// retired (Unix ms). There are few: whoever verifies reads all of them at once, so that
// unknown ids cost no reads of their own.
package keydir

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

const (
	partition   = "\x00keys"
	attrKey     = "k"
	attrRetired = "r"
)

// Directory is the directory in one table. It is safe for concurrent use.
type Directory struct {
	Store store.Store
}

// Publish makes a key known. That it is already, or has been retired, is no error.
func (d Directory) Publish(ctx context.Context, key ed25519.PublicKey) error {
	attrs := store.NewAttrs(store.Attr{Name: attrKey, Value: store.Bytes(string(key))})
	_, err := d.Store.Apply(ctx, store.Put(itemKey(token.KeyID(key)), attrs, store.Absent(attrKey)))
	if ce := (*store.ConditionError)(nil); err != nil && !errors.As(err, &ce) {
		return fmt.Errorf("publish a signing key: %w", err)
	}
	return nil
}

// Retire withdraws a key, known or not: its tokens become invalid everywhere within
// [token.KeyAge].
func (d Directory) Retire(ctx context.Context, key ed25519.PublicKey, at time.Time) error {
	_, err := d.Store.Apply(ctx, store.Update(itemKey(token.KeyID(key)), nil,
		store.Set(attrKey, store.Bytes(string(key))), store.Set(attrRetired, store.Int(at.UnixMilli()))))
	if err != nil {
		return fmt.Errorf("retire a signing key: %w", err)
	}
	return nil
}

// Keys reads all keys; it is what a [token.VerifierConfig] asks for.
func (d Directory) Keys(ctx context.Context) ([]token.PublishedKey, error) {
	var keys []token.PublishedKey
	for q := (store.Query{Partition: partition}); ; {
		page, err := d.Store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read the published signing keys: %w", err)
		}
		for _, it := range page.Items {
			key := ed25519.PublicKey(it.Attrs.Get(attrKey).Str())
			if len(key) != ed25519.PublicKeySize || token.KeyID(key) != it.Key.Sort {
				return nil, fmt.Errorf("published signing key %s: not its key", it.Key.Sort)
			}
			keys = append(keys, token.PublishedKey{Key: key, Retired: it.Attrs.Has(attrRetired)})
		}
		if !page.More {
			return keys, nil
		}
		q = q.Next(page)
	}
}

func itemKey(id string) store.Key { return store.Key{Partition: partition, Sort: id} }
