package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// attrJSON holds a record.
const attrJSON = "j"

func accountKey(acct string) store.Key { return store.Key{Partition: "a" + acct, Sort: "a"} }
func apiKeyKey(acct, id string) store.Key {
	return store.Key{Partition: "a" + acct, Sort: "k" + id}
}
func ownedKey(acct, res string) store.Key { return store.Key{Partition: "a" + acct, Sort: "r" + res} }
func addressKey(email string) store.Key   { return store.Key{Partition: "m" + email, Sort: "m"} }
func resourceKey(res string) store.Key    { return store.Key{Partition: "r" + res, Sort: "r"} }
func credentialKey(res, id string) store.Key {
	return store.Key{Partition: "r" + res, Sort: "c" + id}
}
func signingKeyKey(id string) store.Key     { return store.Key{Partition: "s", Sort: id} }
func accountIndexKey(acct string) store.Key { return store.Key{Partition: "i", Sort: acct} }

// encode makes an item of a record. What records are made of always can be encoded.
func encode(record any) store.Attrs {
	text, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("control: encode a record: %v", err))
	}
	return store.NewAttrs(store.Attr{Name: attrJSON, Value: store.Bytes(string(text))})
}

func decode(key store.Key, attrs store.Attrs, record any) error {
	if err := json.Unmarshal([]byte(attrs.Get(attrJSON).Str()), record); err != nil {
		return fmt.Errorf("control record %q: %w", key, err)
	}
	return nil
}

// read reads a record, and reports whether there is one.
func (e *Engine) read(ctx context.Context, key store.Key, record any) (bool, error) {
	attrs, err := e.store.Get(ctx, key)
	if err != nil || attrs == nil {
		return false, err
	}
	return true, decode(key, attrs, record)
}

// change reads a record, changes it and writes it, anew after a pause if somebody else has changed it
// meanwhile; see store.Retry. Calls of one process queue up. It reports whether there is a record. An
// error of change ends it.
func change[T any](ctx context.Context, e *Engine, key store.Key, change func(*T) error) (record *T, found bool, err error) {
	unlock, err := e.locks.Lock(ctx, key.Partition, key.Sort)
	if err != nil {
		return nil, false, err
	}
	defer unlock()
	err = e.retry.Unhurried().Do(ctx, func(ctx context.Context) error {
		record, found = nil, false
		attrs, err := e.store.Get(ctx, key)
		if err != nil || attrs == nil {
			return err
		}
		found = true
		next := new(T)
		if err := decode(key, attrs, next); err != nil {
			return err
		}
		if err := change(next); err != nil {
			return err
		}
		if _, err := e.store.Apply(ctx, store.Put(key, encode(next), store.Eq(attrJSON, attrs.Get(attrJSON)))); err != nil {
			return err
		}
		record = next
		return nil
	})
	return record, found, err
}

// newID makes a random UUID (version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
