// Package embedded keeps objects in items of a store.Store: for tests, and for whoever runs everything
// in one process.
//
//	item    partition    sort key   attributes
//	object  "objects"    name       n: bytes
//	piece   "object "n   no(4)      d: up to 380 KiB
package embedded

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
)

const (
	index     = "objects"
	attrBytes = "n"
	attrData  = "d"
	pieceSize = 380 << 10
)

// Store keeps objects. It is safe for concurrent use.
type Store struct{ store store.Store }

var _ objects.Store = (*Store)(nil)

// New makes a Store over a store that has nothing else in its partitions.
func New(s store.Store) *Store { return &Store{s} }

func pieceKey(name string, no int) store.Key {
	return store.Key{Partition: "object " + name, Sort: string(binary.BigEndian.AppendUint32(nil, uint32(no)))}
}

func pieces(size int64) int { return int((size + pieceSize - 1) / pieceSize) }

// Put implements objects.Store. The pieces come first.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	if !objects.ValidName(name) || len(data) > objects.MaxData {
		return fmt.Errorf("putting object %q of %d bytes: %w", name, len(data), store.ErrTooLarge)
	}
	var items []store.Item
	for rest := data; len(rest) > 0; rest = rest[min(pieceSize, len(rest)):] {
		items = append(items, store.Item{Key: pieceKey(name, len(items)), Attrs: store.NewAttrs(
			store.Attr{Name: attrData, Value: store.Bytes(string(rest[:min(pieceSize, len(rest))]))})})
	}
	if err := s.store.Load(ctx, items, nil); err != nil {
		return fmt.Errorf("putting object %s: %w", name, err)
	}
	entry := store.NewAttrs(store.Attr{Name: attrBytes, Value: store.Int(int64(len(data)))})
	if _, err := s.store.Apply(ctx, store.Put(store.Key{Partition: index, Sort: name}, entry, nil)); err != nil {
		return fmt.Errorf("putting object %s: %w", name, err)
	}
	return nil
}

// Get implements objects.Store.
func (s *Store) Get(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	entry, err := s.store.Get(ctx, store.Key{Partition: index, Sort: name})
	if err == nil && entry == nil {
		err = objects.ErrNotFound
	}
	if err == nil && offset+length > entry.Get(attrBytes).Num() {
		err = fmt.Errorf("it has %d bytes", entry.Get(attrBytes).Num())
	}
	if err != nil {
		return nil, fmt.Errorf("getting object %s: %w", name, err)
	}
	data := make([]byte, 0, length)
	for no := offset / pieceSize; int64(len(data)) < length; no++ {
		piece, err := s.store.Get(ctx, pieceKey(name, int(no)))
		if err == nil && piece == nil {
			err = objects.ErrNotFound // it is being deleted
		}
		if err != nil {
			return nil, fmt.Errorf("getting object %s: %w", name, err)
		}
		part := piece.Get(attrData).Str()
		from := max(0, offset-no*pieceSize)
		part = part[min(int64(len(part)), from):]
		data = append(data, part[:min(int64(len(part)), length-int64(len(data)))]...)
	}
	return data, nil
}

// Delete implements objects.Store. What an object is found by goes first.
func (s *Store) Delete(ctx context.Context, names []string) error {
	var entries, parts []store.Key
	for _, name := range names {
		key := store.Key{Partition: index, Sort: name}
		entry, err := s.store.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("deleting object %s: %w", name, err)
		}
		entries = append(entries, key)
		for no := range pieces(entry.Get(attrBytes).Num()) {
			parts = append(parts, pieceKey(name, no))
		}
	}
	for _, keys := range [][]store.Key{entries, parts} {
		if err := s.store.Load(ctx, nil, keys); err != nil {
			return fmt.Errorf("deleting %d objects: %w", len(names), err)
		}
	}
	return nil
}

// List implements objects.Store.
func (s *Store) List(ctx context.Context, prefix, after string) (names []string, err error) {
	q := store.Query{Partition: index, From: max(prefix, after+"\x00"), To: store.PrefixEnd(prefix)}
	if after == "" {
		q.From = prefix
	}
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing objects: %w", err)
		}
		for _, it := range page.Items {
			if names = append(names, it.Key.Sort); len(names) == objects.PageSize {
				return names, nil
			}
		}
		if !page.More {
			return names, nil
		}
		q = q.Next(page)
	}
}
