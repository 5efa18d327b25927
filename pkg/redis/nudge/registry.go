package nudge

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
)

// Where processes are registered.
const (
	partition     = "n0"
	secretSort    = "s"
	processPrefix = "g"

	attrValue   = "v"
	attrAddress = "a"
	attrUntil   = "u" // Unix ms

	secretSize = 32 // bytes
)

// readSecret reads the secret that all processes share. The first one makes it.
func (m *Mesh) readSecret(ctx context.Context) ([]byte, error) {
	key := store.Key{Partition: partition, Sort: secretSort}
	for {
		item, err := m.cfg.Store.Get(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("reading the secret of the processes that serve Redis: %w", err)
		}
		if item != nil {
			return []byte(item.Get(attrValue).Str()), nil
		}
		secret := make([]byte, secretSize)
		rand.Read(secret) // never fails
		attrs := store.NewAttrs(store.Attr{Name: attrValue, Value: store.Bytes(string(secret))})
		_, err = m.cfg.Store.Apply(ctx, store.Put(key, attrs, store.Absent(attrValue)))
		if _, taken := keyspace.IsConditionError(err); err != nil && !taken {
			return nil, fmt.Errorf("making the secret of the processes that serve Redis: %w", err)
		}
	}
}

func (m *Mesh) registration() store.Key {
	return store.Key{Partition: partition, Sort: processPrefix + string(m.id[:])}
}

// register writes where this process is.
func (m *Mesh) register(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	until := m.cfg.Now().Add(registeredFor)
	attrs := store.NewAttrs(
		store.Attr{Name: attrAddress, Value: store.Bytes(address)},
		store.Attr{Name: attrUntil, Value: store.Int(until.UnixMilli())},
		store.Attr{Name: store.TTLAttr, Value: store.Int(until.Unix())},
	)
	if _, err := m.cfg.Store.Apply(ctx, store.Put(m.registration(), attrs, nil)); err != nil {
		return fmt.Errorf("registering a process that serves Redis: %w", err)
	}
	return nil
}

// readOthers reads who else there is.
func (m *Mesh) readOthers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	now := m.cfg.Now().UnixMilli()
	q := store.Query{Partition: partition, From: processPrefix, To: store.PrefixEnd(processPrefix)}
	for {
		page, err := m.cfg.Store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("reading which processes serve Redis: %w", err)
		}
		for _, it := range page.Items {
			id := it.Key.Sort[len(processPrefix):]
			if id == string(m.id[:]) || len(id) != idSize || it.Attrs.Get(attrUntil).Num() <= now {
				continue
			}
			if err := m.greet(processID([]byte(id)), it.Attrs.Get(attrAddress).Str()); err != nil {
				m.cfg.Log.Warn("another process that serves Redis cannot be told", "error", err)
			}
		}
		if !page.More {
			return nil
		}
		q = q.Next(page)
	}
}

// leave takes this process out of the register.
func (m *Mesh) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	if _, err := m.cfg.Store.Apply(ctx, store.Delete(m.registration(), nil)); err != nil {
		m.cfg.Log.Warn("unregistering a process that serves Redis", "error", err)
	}
}
