package keyspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// An expired field of a spread hash is an item that nobody sees, but that HLEN counts. The hash's
// head says when a sweep deletes such fields next. A note for the reclaimer, written in the same
// commit, is due at that time. The sweep first removes the time from the head. If a command makes a
// field expire while the sweep goes on, it then sees no time in the head and writes a note of its
// own, so the sweep cannot miss that field.

// sweepPause is the delay of a sweep for each field of the hash, so that sweeping a large hash
// again and again costs little. A hash of a million fields is swept about every three hours, one of
// a thousand every ten seconds.
const sweepPause = 10 * time.Millisecond

// fieldsNote is the write of a note that a hash has to be looked through at a time (Unix ms).
func fieldsNote(due int64, gen, db string, head store.Key) store.Op {
	return store.Put(NoteKey(due, gen+"f"), store.NewAttrs(
		store.Attr{Name: NoteDB, Value: store.Bytes(db)},
		store.Attr{Name: noteGen, Value: store.Bytes(gen)},
		store.Attr{Name: notePartition, Value: store.Bytes(head.Partition)},
		store.Attr{Name: noteSort, Value: store.Bytes(head.Sort)}), nil)
}

// fieldSweep looks through one hash.
type fieldSweep struct {
	space   *Keyspace
	db, gen string
	due     int64     // of its note, Unix ms
	key     store.Key // of the head
	now     int64     // Unix ms
	deleted int
	next    int64 // the soonest expiry of a field that stays, Unix ms; 0: none
}

// sweepFields deletes a hash's expired fields and arranges the next time.
func (s *Keyspace) sweepFields(ctx context.Context, note store.Item) (int, error) {
	due := int64(GetUint64(note.Key.Sort))
	w := fieldSweep{space: s, db: note.Attrs.Get(NoteDB).Str(), gen: note.Attrs.Get(noteGen).Str(), due: due, key: headOf(note.Attrs), now: s.nowMs()}
	current, err := w.start(ctx)
	if err == nil && current {
		current, err = w.pages(ctx)
	}
	if err == nil && current {
		err = w.arrange(ctx)
	}
	if err != nil {
		return w.deleted, fmt.Errorf("deleting expired fields: %w", err)
	}
	return w.deleted, s.DropNote(ctx, note)
}

// start finds the head and takes the time out of it; not current if there is no head
// or another note. A head without a time may be what a sweep that was cut off has left.
func (s *fieldSweep) start(ctx context.Context) (current bool, err error) {
	attempts := s.space.retry.Begin()
	for {
		var head store.Attrs
		if s.key, head, err = s.space.holder(ctx, s.db, s.gen, s.key); head == nil || err != nil {
			return false, err
		}
		if at := head.Get(attrSweep); at.IsZero() || at.Num() != s.due {
			return at.IsZero(), nil
		}
		_, err = s.space.store.Apply(ctx, store.Update(s.key,
			store.And{store.Eq(AttrGen, store.Bytes(s.gen)), store.Eq(attrSweep, store.Int(s.due))},
			store.Remove(attrSweep), s.newVersion()))
		if err == nil {
			return true, nil
		}
		if err := s.again(ctx, attempts, err); err != nil {
			return false, err
		}
	}
}

func (s *fieldSweep) newVersion() store.Edit {
	return store.Set(AttrWrite, store.Bytes(string(NewWriteID(s.now))))
}

// again waits before the next try of a write; it fails if that is of no use.
func (s *fieldSweep) again(ctx context.Context, attempts *store.Attempts, err error) error {
	if !store.Contended(err) {
		return err // also of an unknown outcome: the note stays, and the next run sees what is there
	}
	return attempts.Wait(ctx, err)
}

// pages goes through the fields and deletes the expired ones.
func (s *fieldSweep) pages(ctx context.Context) (current bool, err error) {
	q := store.Query{Partition: ElemPartition(s.db, s.gen), From: elemMember, To: store.PrefixEnd(elemMember)}
	for {
		page, err := s.space.store.Query(ctx, q)
		if err != nil {
			return false, fmt.Errorf("reading fields: %w", err)
		}
		var expired []store.Key
		for _, it := range page.Items {
			switch at := it.Attrs.Get(attrExpiry).Num(); {
			case at == 0:
			case at <= s.now:
				expired = append(expired, it.Key)
			case s.next == 0 || at < s.next:
				s.next = at
			}
		}
		for limit := maxStep; len(expired) > 0; {
			k := min(len(expired), limit)
			current, err := s.remove(ctx, expired[:k])
			switch {
			case k > 1 && errors.Is(err, store.ErrTooLarge):
				limit = k / 2 // what is deleted counts
				continue
			case !current || err != nil:
				return false, err
			}
			expired = expired[k:]
		}
		if !page.More {
			return true, nil
		}
		q = q.Next(page)
	}
}

// remove deletes fields, together with the head if none is left. Fields that were
// written meanwhile stay.
func (s *fieldSweep) remove(ctx context.Context, keys []store.Key) (current bool, err error) {
	attempts := s.space.retry.Begin()
	for {
		head, err := s.space.store.Get(ctx, s.key)
		if err != nil {
			return false, fmt.Errorf("reading a head: %w", err)
		}
		if head.Get(AttrGen).Str() != s.gen {
			return false, nil // whoever changed that has left a note
		}
		ops := make([]store.Op, 0, len(keys)+2)
		if left := head.Get(attrCount).Num() - int64(len(keys)); left > 0 {
			ops = append(ops, store.Update(s.key, unchanged(head),
				store.Set(attrCount, store.Int(left)), s.newVersion()))
		} else {
			gone := store.Delete(s.key, unchanged(head))
			if head.Has(attrSeal) {
				gone = store.Put(s.key, entomb(head, s.now), unchanged(head))
			}
			ops = append(ops, gone, ReclaimNote(s.now, s.gen, s.db, store.Key{}))
		}
		heads := len(ops)
		for _, k := range keys {
			ops = append(ops, store.Delete(k, store.Le(attrExpiry, store.Int(s.now))))
		}
		err = s.space.store.Commit(ctx, ops)
		if err == nil {
			s.deleted += len(keys)
			return true, nil
		}
		if ce, changed := IsConditionError(err); changed && ce.Index >= heads {
			// The field was written, or deleted by another sweep.
			i := ce.Index - heads
			if keys = slices.Concat(keys[:i], keys[i+1:]); len(keys) == 0 {
				return true, nil
			}
			continue
		}
		if err := s.again(ctx, attempts, err); err != nil {
			return false, err
		}
	}
}

// arrange makes the head and a note name the next time, unless they already name an earlier one.
func (s *fieldSweep) arrange(ctx context.Context) error {
	attempts := s.space.retry.Begin()
	for s.next != 0 {
		head, err := s.space.store.Get(ctx, s.key)
		if err != nil {
			return fmt.Errorf("reading a head: %w", err)
		}
		due := max(s.next, s.now) + head.Get(attrCount).Num()*sweepPause.Milliseconds()
		if at := head.Get(attrSweep).Num(); head.Get(AttrGen).Str() != s.gen || at != 0 && at <= due {
			return nil
		}
		err = s.space.store.Commit(ctx, []store.Op{
			store.Update(s.key, unchanged(head), store.Set(attrSweep, store.Int(due)), s.newVersion()),
			fieldsNote(due, s.gen, s.db, s.key),
		})
		if err == nil {
			return nil
		}
		if err := s.again(ctx, attempts, err); err != nil {
			return err
		}
	}
	return nil
}
