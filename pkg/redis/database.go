package redis

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/redis/keyspace"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/readahead"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// Limits of a database's number of slots.
const (
	DefaultSlots = 4
	MaxSlots     = 256
)

// Errors of database management.
var (
	ErrNoDatabase     = errors.New("redis: no such database")
	ErrDatabaseExists = errors.New("redis: database exists already, or is being deleted")
)

// DatabaseOptions describe a new database.
type DatabaseOptions struct {
	ID      string // letters, digits, '-' and '_', at most 64
	Name    string // for people
	Account string // whose it is: its requests share turns with those of the account's other databases; "": with nobody's
	Slots   int    // a power of two up to MaxSlots; 0 for DefaultSlots
}

// revokedPrefix begins the sort keys of pages of revoked credentials, beside the record.
const revokedPrefix = "r"

func revokedKey(id, page string) store.Key {
	return store.Key{Partition: keyspace.RecordKey(id).Partition, Sort: revokedPrefix + page}
}

func validDatabaseID(id string) bool {
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// CreateDatabase makes an empty database. It fails with ErrDatabaseExists if
// there is one with that id, or has been until a few minutes ago.
func (e *Engine) CreateDatabase(ctx context.Context, o DatabaseOptions) (*Database, error) {
	if o.Slots == 0 {
		o.Slots = DefaultSlots
	}
	if !validDatabaseID(o.ID) {
		return nil, fmt.Errorf("redis: database id %q: must be 1 to 64 letters, digits, '-' or '_'", o.ID)
	}
	if o.Slots < 1 || o.Slots > MaxSlots || bits.OnesCount(uint(o.Slots)) != 1 {
		return nil, fmt.Errorf("redis: %d slots: must be a power of two from 1 to %d", o.Slots, MaxSlots)
	}
	attrs := store.NewAttrs(
		store.Attr{Name: keyspace.RecName, Value: store.Bytes(o.Name)},
		store.Attr{Name: keyspace.RecSlots, Value: store.Int(int64(o.Slots))},
		store.Attr{Name: keyspace.RecCreated, Value: store.Int(e.nowMs())},
		store.Attr{Name: keyspace.RecEpoch, Value: store.Int(0)},
		store.Attr{Name: keyspace.RecCredGen, Value: store.Int(1)},
	)
	if o.Account != "" {
		attrs = attrs.With(keyspace.RecAccount, store.Bytes(o.Account))
	}
	if e.recordTTL == 0 {
		// Nobody else can be at work on what an earlier database of that id has left.
		if _, err := e.clearDatabase(ctx, o.ID); err != nil {
			return nil, fmt.Errorf("creating database %s: %w", o.ID, err)
		}
	}
	begun := e.databases.Begin()
	err := e.store.Commit(ctx, []store.Op{
		store.Put(keyspace.RecordKey(o.ID), attrs, store.Absent(keyspace.RecSlots)),
		store.Check(deletedKey(o.ID), store.Absent(keyspace.RecSlots)),
	})
	var ce *store.ConditionError
	if errors.As(err, &ce) {
		return nil, fmt.Errorf("%w: %s", ErrDatabaseExists, o.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("creating database %s: %w", o.ID, err)
	}
	return e.remember(ctx, o.ID, attrs, begun)
}

// Database returns a database's record, at most Config.RecordTTL old. It fails
// with ErrNoDatabase if there is none.
func (e *Engine) Database(ctx context.Context, id string) (*Database, error) {
	if d, ok := e.databases.Get(id); ok {
		return d, nil
	}
	if !validDatabaseID(id) {
		return nil, fmt.Errorf("%w: %q", ErrNoDatabase, id)
	}
	attrs, begun, err := readahead.Get(ctx, e.store, keyspace.RecordKey(id), e.databases.Begin())
	return e.databaseOf(ctx, id, attrs, begun, err)
}

// readDatabase reads a database's record now.
func (e *Engine) readDatabase(ctx context.Context, id string) (*Database, error) {
	if !validDatabaseID(id) {
		return nil, fmt.Errorf("%w: %q", ErrNoDatabase, id)
	}
	begun := e.databases.Begin()
	attrs, err := e.store.Get(ctx, keyspace.RecordKey(id))
	return e.databaseOf(ctx, id, attrs, begun, err)
}

func (e *Engine) databaseOf(ctx context.Context, id string, attrs store.Attrs, begun fresh.Read, err error) (*Database, error) {
	if err != nil {
		return nil, fmt.Errorf("reading database %s: %w", id, err)
	}
	if attrs == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoDatabase, id)
	}
	return e.remember(ctx, id, attrs, begun)
}

// remember keeps a record, unless a newer one is there.
func (e *Engine) remember(ctx context.Context, id string, attrs store.Attrs, begun fresh.Read) (*Database, error) {
	withdrawn, err := e.revoked.Set(ctx, id, revoked.InRecord(attrs))
	if err != nil {
		return nil, err
	}
	d := keyspace.DecodeDatabase(id, attrs, withdrawn)
	e.databases.Put(id, d, begun)
	return d, nil
}

// forget makes a database's record be read again.
func (e *Engine) forget(id string) { e.databases.Forget(id) }

// updateRecord changes a database's record and reads it anew.
func (e *Engine) updateRecord(ctx context.Context, id string, edits ...store.Edit) (*Database, error) {
	_, err := e.store.Apply(ctx, store.Update(keyspace.RecordKey(id), store.Exists(keyspace.RecSlots), edits...))
	var ce *store.ConditionError
	if errors.As(err, &ce) {
		return nil, fmt.Errorf("%w: %s", ErrNoDatabase, id)
	}
	if err != nil {
		return nil, fmt.Errorf("updating database %s: %w", id, err)
	}
	return e.readDatabase(ctx, id)
}

// ResetCredentials makes all credentials issued so far invalid, on every
// instance within Config.RecordTTL, and returns the generation of new ones.
func (e *Engine) ResetCredentials(ctx context.Context, id string) (int64, error) {
	before, err := e.readDatabase(ctx, id)
	if err != nil {
		return 0, err
	}
	d, err := e.updateRecord(ctx, id, append(revoked.Clear(), store.Add(keyspace.RecCredGen, keyspace.RecCredGen, 1))...)
	if err != nil {
		return 0, err
	}
	return d.CredentialGeneration, e.revoked.Retire(ctx, id, before.Revoked.List())
}

// RevokeCredential makes one credential invalid, on every instance within Config.RecordTTL. expires is when
// its tokens expire anyway, zero if they do not or it is not known; the revocation is forgotten some time after.
func (e *Engine) RevokeCredential(ctx context.Context, id, credentialID string, expires time.Time) error {
	if !validDatabaseID(id) {
		return fmt.Errorf("%w: %q", ErrNoDatabase, id)
	}
	err := e.revoked.Revoke(ctx, e.retry, revoked.Record{Key: keyspace.RecordKey(id), There: keyspace.RecSlots}, id, credentialID, expires)
	if errors.Is(err, revoked.ErrNoRecord) {
		err = fmt.Errorf("%w: %s", ErrNoDatabase, id)
	}
	if err != nil {
		return fmt.Errorf("revoking credential %s of database %s: %w", credentialID, id, err)
	}
	_, err = e.readDatabase(ctx, id)
	return err
}

// flush empties a database by moving on to a new epoch, whose partitions are
// empty. Instances may use a record for RecordTTL, so the new epoch comes into
// force at a time when all of them know it; flush returns after that.
func (e *Engine) flush(ctx context.Context, id string) error {
	d, err := e.readDatabase(ctx, id)
	if err != nil {
		return err
	}
	now := e.nowMs()
	if now < d.SwitchAt {
		// Another flush is under way; its switch empties the database for us as well,
		// if we began before it. Wait for it, then flush on our own account.
		if err := e.waitUntil(ctx, d.SwitchAt); err != nil {
			return err
		}
		now = e.nowMs()
	}
	at := e.whenAllKnow(now)
	// First, so that no failure can leave old keys behind that nobody knows of.
	if err := e.keys.NoteFlush(ctx, d, at); err != nil {
		return err
	}
	_, err = e.store.Apply(ctx, store.Update(keyspace.RecordKey(id),
		store.And{store.Eq(keyspace.RecEpoch, store.Int(d.Epoch))},
		store.Set(keyspace.RecEpoch, store.Int(d.Epoch+1)), store.Set(keyspace.RecSwitchAt, store.Int(at))))
	var ce *store.ConditionError
	switch {
	case errors.As(err, &ce):
		// Somebody else's flush came in between: it emptied the database after we began.
		at = ce.Old.Get(keyspace.RecSwitchAt).Num()
	case err != nil:
		e.forget(id) // for it may have changed
		return fmt.Errorf("flushing database %s: %w", id, err)
	}
	if _, err := e.readDatabase(ctx, id); err != nil {
		return err
	}
	if e.region != nil {
		if err := e.region.awaitEpoch(ctx, id, d.Epoch+1); err != nil {
			return fmt.Errorf("flushing database %s: %w", id, err)
		}
	}
	return e.waitUntil(ctx, at)
}

// whenAllKnow is when all instances know of a change that is made now. Both are in Unix ms.
func (e *Engine) whenAllKnow(now int64) int64 {
	if e.recordTTL == 0 {
		return now
	}
	return now + e.recordTTL.Milliseconds() + e.recordTTL.Milliseconds()/4
}

func (e *Engine) waitUntil(ctx context.Context, ms int64) error {
	for {
		d := time.Duration(ms-e.nowMs()) * time.Millisecond
		if d <= 0 {
			return nil
		}
		t := time.NewTimer(d)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// records are the engine's records of databases, as package scripts knows them.
type records struct{ e *Engine }

func (r records) ReadRecord(ctx context.Context, id string) (*Database, error) {
	return r.e.readDatabase(ctx, id)
}
func (r records) ForgetRecord(id string)                        { r.e.forget(id) }
func (r records) AllKnow(now int64) int64                       { return r.e.whenAllKnow(now) }
func (r records) WaitUntil(ctx context.Context, ms int64) error { return r.e.waitUntil(ctx, ms) }
