package keyspace

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// While somebody wants to know of keys that expire, whatever gives a key an expiry leaves a note of it, in the order of their
// times. Whoever listens deletes the keys that are due, and tells of them: see Txn.beginUse. A note whose key was
// changed since stands for nothing.

// ExpiryPartition holds the notes of the expiries of a database's keys.
func ExpiryPartition(db string) string { return "x" + db }

// noteExpiries writes the notes of a commit before it takes place.
func (tx *Txn) noteExpiries(updates []update) error {
	if tx.told&ExpiredEvents == 0 {
		return nil
	}
	var notes []store.Item
	for _, u := range updates {
		if o := u.ent.obj; o != nil && o.expires != 0 && u.ent.seen.Get(attrExpiry).Num() != o.expires {
			notes = append(notes, store.Item{
				Key: store.Key{Partition: ExpiryPartition(tx.db.ID), Sort: PutUint64(uint64(o.expires)) + u.ent.id.Sort},
				Attrs: store.NewAttrs(store.Attr{Name: attrKey, Value: store.Bytes(u.ent.key)},
					store.Attr{Name: store.TTLAttr, Value: store.Int(ReclaimAt(o.expires))}),
			})
		}
	}
	if len(notes) == 0 {
		return nil
	}
	if err := tx.space.store.Load(tx.ctx, notes, nil); err != nil {
		return fmt.Errorf("noting %d expiries: %w", len(notes), Unseen(err))
	}
	return nil
}

// expireAtOnce is how many notes are looked at together.
const expireAtOnce = 100

// Expire deletes the keys of a database whose expiry was noted and has come, and tells of them. It may run
// anywhere, several times and at once.
func (s *Keyspace) Expire(ctx context.Context, db *Database) error {
	q := store.Query{Partition: ExpiryPartition(db.ID), To: PutUint64(uint64(s.nowMs() + 1)), Limit: expireAtOnce}
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("reading the notes of expiries: %w", err)
		}
		if len(page.Items) == 0 {
			return nil
		}
		gone := make([]store.Key, 0, len(page.Items))
		for _, note := range page.Items {
			tx := s.Begin(ctx, db, Mode{Write: true})
			err := tx.Start([]string{note.Attrs.Get(attrKey).Str()}, nil)
			if err == nil {
				tx.Exists(note.Attrs.Get(attrKey).Str())
				err = tx.Commit()
			}
			tx.LetGo()
			if err != nil {
				return fmt.Errorf("deleting an expired key: %w", err)
			}
			gone = append(gone, note.Key)
		}
		if err := s.store.Load(ctx, nil, gone); err != nil {
			return fmt.Errorf("dropping notes of expiries: %w", err)
		}
		if !page.More {
			return nil
		}
	}
}
