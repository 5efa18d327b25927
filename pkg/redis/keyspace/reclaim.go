package keyspace

import (
	"context"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a note for the reclaimer.
const (
	NoteDB        = "d"
	notePartition = "hp" // of the head that the generation belonged to, if it may still be in use
	noteSort      = "hs"
	noteEpoch     = "f" // an epoch that a FLUSHDB was to leave behind
	noteSlots     = "n"
	noteGen       = "g" // whose expired fields are to be deleted
	noteFrom      = "a" // the first of the sort keys that a generation in use left behind
	noteTo        = "z" // where they end

	// NoteDue is the time (Unix ms) from which the note's garbage may be deleted. Only notes about
	// certain garbage have it: those that need no look at a head. No other item of the table has
	// this attribute, so the table's stream is filtered by it.
	NoteDue = "due"

	NoteDatabase = "o" // a whole database is garbage
)

const (
	reclaimPartition = "r0"

	// reclaimGrace is how long the elements of an abandoned generation are kept. A command that
	// read the head just before may still read them.
	reclaimGrace = 2 * AttemptLife
)

// ReclaimNote writes a note: from due (Unix ms) on, a generation may be garbage. If a head is
// given, the generation is garbage only if that head does not refer to it then.
func ReclaimNote(due int64, gen, db string, head store.Key) store.Op {
	attrs := []store.Attr{{Name: NoteDB, Value: store.Bytes(db)}}
	if head.Sort != "" {
		attrs = append(attrs,
			store.Attr{Name: notePartition, Value: store.Bytes(head.Partition)},
			store.Attr{Name: noteSort, Value: store.Bytes(head.Sort)})
	} else {
		attrs = append(attrs, store.Attr{Name: NoteDue, Value: store.Int(due)})
	}
	return store.Put(NoteKey(due, gen), store.NewAttrs(attrs...), nil)
}

// rangeNote writes a note: from due (Unix ms) on, some elements of a generation are garbage,
// although the generation itself may be in use.
func rangeNote(due int64, gen, db string, keys keyRange) store.Op {
	return store.Put(NoteKey(due, gen+"r"+keys.to), store.NewAttrs(
		store.Attr{Name: NoteDB, Value: store.Bytes(db)},
		store.Attr{Name: NoteDue, Value: store.Int(due)},
		store.Attr{Name: noteGen, Value: store.Bytes(gen)},
		store.Attr{Name: noteFrom, Value: store.Bytes(keys.from)},
		store.Attr{Name: noteTo, Value: store.Bytes(keys.to)}), nil)
}

// ownerNote writes an item beside a generation's elements. It names the head that the generation
// was moved to, by RENAME for example. Older notes name the head that it had before, so the
// reclaimer looks here too.
func ownerNote(gen, db string, head store.Key) store.Op {
	return store.Put(store.Key{Partition: ElemPartition(db, gen), Sort: elemOwner}, store.NewAttrs(
		store.Attr{Name: notePartition, Value: store.Bytes(head.Partition)},
		store.Attr{Name: noteSort, Value: store.Bytes(head.Sort)}), nil)
}

// NoteKey is where a note is that is due at a time (Unix ms).
func NoteKey(due int64, gen string) store.Key {
	return store.Key{Partition: reclaimPartition, Sort: PutUint64(uint64(due)) + gen}
}

// NoteFlush writes a note that the keys of a database's present epoch are garbage from due (Unix
// ms) on. The reclaimer ignores it if the database has not gone on to another epoch by then.
func (s *Keyspace) NoteFlush(ctx context.Context, d *Database, due int64) error {
	attrs := store.NewAttrs(
		store.Attr{Name: NoteDB, Value: store.Bytes(d.ID)},
		store.Attr{Name: NoteDue, Value: store.Int(due)},
		store.Attr{Name: noteEpoch, Value: store.Int(d.Epoch)},
		store.Attr{Name: noteSlots, Value: store.Int(int64(d.Slots))})
	id := string(NewWriteID(s.nowMs()))
	if _, err := s.store.Apply(ctx, store.Put(NoteKey(due, id), attrs, nil)); err != nil {
		return fmt.Errorf("noting a flush: %w", Unseen(err))
	}
	return nil
}

// flushed reports whether a database has gone on from an epoch to a later one. A note is looked at
// so long after its flush began that the flush has either taken effect by then or never will.
func (s *Keyspace) flushed(ctx context.Context, db string, epoch int64) (bool, error) {
	record, err := s.store.Get(ctx, RecordKey(db))
	if err != nil {
		return false, fmt.Errorf("reading database %s: %w", db, err)
	}
	return record == nil || record.Get(RecEpoch).Num() > epoch, nil
}

// Reclaim deletes garbage that is due: the elements of values that were deleted, overwritten or
// have expired, the expired fields of hashes, and everything in flushed and deleted databases. It
// returns the number of items deleted. It may run on any instance, several times and at once.
func (s *Keyspace) Reclaim(ctx context.Context) (int, error) {
	total := 0
	q := store.Query{Partition: reclaimPartition, To: PutUint64(uint64(s.now().Add(-reclaimGrace).UnixMilli()))}
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return total, fmt.Errorf("reading the reclaimer's notes: %w", err)
		}
		for _, note := range page.Items {
			n, err := s.reclaimOne(ctx, note)
			total += n
			if err != nil && !errors.Is(err, store.ErrConflict) { // which the next run sees to
				return total, err
			}
		}
		if !page.More {
			return total, nil
		}
		q = q.Next(page)
	}
}

// Change is what happened to one item: a record of the table's stream.
type Change struct {
	Key      store.Key
	Old, New store.Attrs // before and after, of bytes and integers; nil: there was no item
}

// ReclaimChange does the work of reclaim for one change of the table: a note was written, or an
// expired head was deleted. It returns the number of items deleted. It ignores all other changes,
// and notes that are not due yet. Changes may be delivered late, several times and in any order.
func (s *Keyspace) ReclaimChange(ctx context.Context, c Change) (int, error) {
	key := c.Key
	if key.Partition != reclaimPartition {
		gen, expires := c.Old.Get(AttrGen).Str(), c.Old.Get(attrExpiry).Num()
		if c.New != nil || gen == "" || expires == 0 {
			return 0, nil
		}
		key = NoteKey(expires, gen)
	}
	if int64(GetUint64(key.Sort)) > s.now().Add(-reclaimGrace).UnixMilli() {
		return 0, nil
	}
	note, err := s.store.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("reading a note of the reclaimer: %w", err)
	}
	if note == nil {
		return 0, nil // it has been seen to
	}
	n, err := s.reclaimOne(ctx, store.Item{Key: key, Attrs: note})
	if errors.Is(err, store.ErrConflict) {
		return n, nil // as for reclaim, which comes back to it
	}
	return n, err
}

func (s *Keyspace) reclaimOne(ctx context.Context, note store.Item) (int, error) {
	db := note.Attrs.Get(NoteDB).Str()
	if ep := note.Attrs.Get(noteEpoch); !ep.IsZero() {
		n := 0
		flushed, err := s.flushed(ctx, db, ep.Num())
		if flushed {
			n, err = s.ReclaimEpoch(ctx, db, ep.Num(), int(note.Attrs.Get(noteSlots).Num()))
		}
		if err != nil {
			return n, err
		}
		return n, s.DropNote(ctx, note)
	}
	if note.Attrs.Has(NoteDatabase) {
		n, err := s.clear(ctx, db)
		if err != nil {
			return n, err
		}
		return n, s.DropNote(ctx, note)
	}
	if note.Attrs.Has(noteFrom) {
		n, err := s.DeleteAll(ctx, store.Query{
			Partition: ElemPartition(db, note.Attrs.Get(noteGen).Str()),
			From:      note.Attrs.Get(noteFrom).Str(), To: note.Attrs.Get(noteTo).Str(),
		})
		if err != nil {
			return n, err
		}
		return n, s.DropNote(ctx, note)
	}
	if note.Attrs.Has(noteGen) {
		return s.sweepFields(ctx, note)
	}
	gen := note.Key.Sort[8:]
	if note.Attrs.Has(notePartition) {
		inUse, err := s.inUse(ctx, note, headOf(note.Attrs), gen)
		if inUse || err != nil {
			return 0, err
		}
	}
	n, err := s.DeletePartition(ctx, ElemPartition(db, gen))
	if err != nil {
		return n, err
	}
	return n, s.DropNote(ctx, note)
}

// headOf is the key of the head that a note names.
func headOf(note store.Attrs) store.Key {
	return store.Key{Partition: note.Get(notePartition).Str(), Sort: note.Get(noteSort).Str()}
}

// inUse reports whether a head still refers to a generation: the head that the note names, or the
// one that the generation was moved to since. A head that has expired is deleted and counts as
// none. If the generation is in use, the note is dropped, unless another look is needed: a head
// that does not expire needs no note, and a new expiry came with a note of its own.
func (s *Keyspace) inUse(ctx context.Context, note store.Item, headKey store.Key, gen string) (bool, error) {
	headKey, head, err := s.holder(ctx, note.Attrs.Get(NoteDB).Str(), gen, headKey)
	if head == nil || err != nil {
		return false, err
	}
	expires := head.Get(attrExpiry).Num()
	if expires == 0 {
		return true, s.DropNote(ctx, note)
	}
	if expires > s.now().Add(-reclaimGrace).UnixMilli() {
		// The note for the new expiry was written together with it.
		return true, s.DropNote(ctx, note)
	}
	_, err = s.store.Apply(ctx, store.Delete(headKey, unchanged(head)))
	if _, changed := IsConditionError(err); changed || errors.Is(err, store.ErrUnknownOutcome) {
		return true, nil // look again next time
	}
	if err != nil {
		return false, fmt.Errorf("deleting an expired head: %w", err)
	}
	return false, nil
}

// holder finds the head that refers to a generation. That is the head at key, or the one that the
// generation was moved to since. If there is none, the attributes are nil.
func (s *Keyspace) holder(ctx context.Context, db, gen string, key store.Key) (store.Key, store.Attrs, error) {
	for asked := (store.Key{}); ; {
		head, err := s.store.Get(ctx, key)
		if err != nil {
			return key, nil, fmt.Errorf("reading a head: %w", err)
		}
		if head.Get(AttrGen).Str() == gen {
			return key, head, nil
		}
		owner, err := s.store.Get(ctx, store.Key{Partition: ElemPartition(db, gen), Sort: elemOwner})
		if err != nil {
			return key, nil, fmt.Errorf("reading a generation's owner: %w", err)
		}
		if owner == nil || headOf(owner) == asked {
			return key, nil, nil
		}
		asked, key = headOf(owner), headOf(owner) // which may move on while we look
	}
}

// DropNote deletes a note that has been seen to.
func (s *Keyspace) DropNote(ctx context.Context, note store.Item) error {
	if err := s.store.Load(ctx, nil, []store.Key{note.Key}); err != nil {
		return fmt.Errorf("dropping a note: %w", err)
	}
	return nil
}

// DeletePartition deletes all items of a partition.
func (s *Keyspace) DeletePartition(ctx context.Context, partition string) (int, error) {
	return s.DeleteAll(ctx, store.Query{Partition: partition})
}

// DeleteAll deletes all items that a query finds.
func (s *Keyspace) DeleteAll(ctx context.Context, q store.Query) (int, error) {
	n := 0
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return n, fmt.Errorf("reading garbage: %w", err)
		}
		keys := make([]store.Key, len(page.Items))
		for i, it := range page.Items {
			keys[i] = it.Key
		}
		if len(keys) > 0 {
			if err := s.store.Load(ctx, nil, keys); err != nil {
				return n, fmt.Errorf("deleting garbage: %w", err)
			}
			n += len(keys)
		}
		if !page.More {
			return n, nil
		}
		q = q.Next(page)
	}
}

// ReclaimEpoch deletes all keys of an epoch, and the elements they refer to.
func (s *Keyspace) ReclaimEpoch(ctx context.Context, db string, epoch int64, slots int) (int, error) {
	n := 0
	for slot := range slots {
		p := slotPartition(db, epoch, slot)
		q := store.Query{Partition: p, Filter: store.Exists(AttrGen)}
		for {
			page, err := s.store.Query(ctx, q)
			if err != nil {
				return n, fmt.Errorf("reading flushed keys: %w", err)
			}
			for _, it := range page.Items {
				k, err := s.DeletePartition(ctx, ElemPartition(db, it.Attrs.Get(AttrGen).Str()))
				n += k
				if err != nil {
					return n, err
				}
			}
			if !page.More {
				break
			}
			q = q.Next(page)
		}
		k, err := s.DeletePartition(ctx, p)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
