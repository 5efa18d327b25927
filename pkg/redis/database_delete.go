package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/redis/acl"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/redis/pubsub"
	"github.com/skystash/skystash/pkg/redis/scripts"
	"github.com/skystash/skystash/pkg/store"
)

// DeleteDatabase replaces the database's record by a deletion record and writes a note for the
// reclaimer. From then on the database does not exist. Instances that have its record in memory
// serve it for Config.RecordTTL longer. The reclaimer waits until no command of that time can be
// under way any more. It then deletes everything that the database held, and the deletion record
// last: until that is gone, no database of the same id can be created, which would otherwise find
// items that the old one left behind.

// deletedKey is the key of the deletion record, which has the attributes of the database's record.
func deletedKey(id string) store.Key {
	return store.Key{Partition: keyspace.RecordKey(id).Partition, Sort: "x"}
}

// RenameDatabase gives a database another name for people.
func (e *Engine) RenameDatabase(ctx context.Context, id, name string) error {
	_, err := e.updateRecord(ctx, id, store.Set(keyspace.RecName, store.Bytes(name)))
	return err
}

// OwnDatabase notes which account has a database: its requests share turns with those of the account's other databases.
func (e *Engine) OwnDatabase(ctx context.Context, id, account string) error {
	d, err := e.readDatabase(ctx, id)
	if err != nil || d.Account == account {
		return err
	}
	_, err = e.updateRecord(ctx, id, store.Set(keyspace.RecAccount, store.Bytes(account)))
	return err
}

// DeleteDatabase deletes a database with all that it holds; Reclaim clears it away. Other
// instances serve it for at most Config.RecordTTL. It fails with ErrNoDatabase if there is none.
func (e *Engine) DeleteDatabase(ctx context.Context, id string) error {
	err := e.retry.Unhurried().Do(ctx, func(ctx context.Context) error {
		d, err := e.readDatabase(ctx, id)
		if err != nil {
			return err
		}
		attrs, err := e.store.Get(ctx, keyspace.RecordKey(id))
		if err != nil {
			return fmt.Errorf("reading database %s: %w", id, err)
		}
		if attrs == nil {
			return store.ErrConflict // somebody else has been faster, as the next attempt finds
		}
		now := e.nowMs()
		return e.store.Commit(ctx, []store.Op{
			// The deletion record lists everything that has to be deleted. A flush that came in between
			// would add a generation that it does not list.
			store.Delete(keyspace.RecordKey(id), store.And{store.Exists(keyspace.RecSlots),
				store.Same(keyspace.RecEpoch, attrs.Get(keyspace.RecEpoch)), store.Same(keyspace.RecScripts, attrs.Get(keyspace.RecScripts)), store.Same(keyspace.RecLibs, attrs.Get(keyspace.RecLibs))}),
			store.Put(deletedKey(id), attrs, nil),
			store.Put(keyspace.NoteKey(now, string(keyspace.NewWriteID(now))), store.NewAttrs(
				store.Attr{Name: keyspace.NoteDB, Value: store.Bytes(d.ID)},
				store.Attr{Name: keyspace.NoteDue, Value: store.Int(now)},
				store.Attr{Name: keyspace.NoteDatabase, Value: store.Int(1)}), nil),
		})
	})
	e.forget(id) // for it may be gone, whatever the error
	if err != nil && !errors.Is(err, ErrNoDatabase) {
		return fmt.Errorf("deleting database %s: %w", id, err)
	}
	return err
}

// clearDatabase deletes all that a deleted database has left.
func (e *Engine) clearDatabase(ctx context.Context, id string) (int, error) {
	old, err := e.store.Get(ctx, deletedKey(id))
	if err != nil {
		return 0, fmt.Errorf("reading the record of a deleted database: %w", err)
	}
	if old == nil {
		return 0, nil // done already
	}
	slots, epoch := int(old.Get(keyspace.RecSlots).Num()), old.Get(keyspace.RecEpoch).Num()
	total := 0
	count := func(n int, err error) error {
		total += n
		return err
	}
	for _, ep := range []int64{epoch - 1, epoch} { // a flush may be under way
		if err := count(e.keys.ReclaimEpoch(ctx, id, ep, slots)); err != nil {
			return total, err
		}
	}
	scriptsGen, libsGen := keyspace.ReadGeneration(old, keyspace.RecScripts).N, keyspace.ReadGeneration(old, keyspace.RecLibs).N
	partitions := slices.Concat(scripts.Partitions(id, scriptsGen, libsGen), pubsub.Partitions(&Database{ID: id, Slots: slots}), []string{keyspace.ExpiryPartition(id), keyspace.WaitedPartition(id)})
	for _, p := range partitions {
		if err := count(e.keys.DeletePartition(ctx, p)); err != nil {
			return total, err
		}
	}
	revocations := store.Query{Partition: keyspace.RecordKey(id).Partition, From: revokedPrefix, To: store.PrefixEnd(revokedPrefix)}
	for _, q := range []store.Query{acl.Query(id), revocations} {
		if err := count(e.keys.DeleteAll(ctx, q)); err != nil {
			return total, err
		}
	}
	return total + 1, e.keys.DropNote(ctx, store.Item{Key: deletedKey(id)})
}
