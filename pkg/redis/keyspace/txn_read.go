package keyspace

import (
	"fmt"
	"iter"

	"github.com/skystash/skystash/pkg/store"
)

// query iterates over a range of elements. It counts as one that must be
// validated, for pages and even the items of a page are not of one moment.
func (tx *Txn) query(q store.Query) iter.Seq[store.Item] {
	return func(yield func(store.Item) bool) {
		tx.ranged = true
		if tx.mode.Near {
			tx.Fail(errElsewhere)
		}
		for left := q.Limit; ; {
			if tx.err != nil {
				return
			}
			q.Limit = left
			page, err := tx.space.store.Query(tx.ctx, q)
			tx.elemReads++
			tx.spend(callWork)
			if err != nil {
				tx.Fail(fmt.Errorf("reading elements: %w", err))
				return
			}
			for _, it := range page.Items {
				if tx.spend(itemWork + int64(it.Attrs.Size())); tx.err != nil {
					return
				}
				if !yield(it) {
					return
				}
			}
			if left > 0 {
				if left -= len(page.Items); left <= 0 {
					return
				}
			}
			if !page.More {
				return
			}
			q = q.Next(page)
		}
	}
}

// count counts the elements in a range.
func (tx *Txn) count(q store.Query) int64 {
	q.CountOnly = true
	tx.ranged = true
	if tx.mode.Near {
		tx.Fail(errElsewhere)
	}
	var n int64
	for tx.err == nil {
		page, err := tx.space.store.Query(tx.ctx, q)
		tx.elemReads++
		if err != nil {
			tx.Fail(fmt.Errorf("counting elements: %w", err))
			break
		}
		tx.spend(callWork + int64(page.Count)*itemWork)
		n += int64(page.Count)
		if !page.More {
			break
		}
		q = q.Next(page)
	}
	return n
}

// elements reads single elements of a generation.
func (tx *Txn) elements(gen string, sorts []string) []store.Attrs {
	if tx.mode.Near {
		tx.Fail(errElsewhere)
	}
	if tx.err != nil || len(sorts) == 0 {
		return make([]store.Attrs, len(sorts))
	}
	p := ElemPartition(tx.view.db, gen)
	tx.elemReads++
	if len(sorts) == 1 {
		as, err := tx.space.store.Get(tx.ctx, store.Key{Partition: p, Sort: sorts[0]})
		if err != nil {
			tx.Fail(fmt.Errorf("reading an element: %w", err))
		}
		tx.spend(callWork + int64(as.Size()))
		return []store.Attrs{as}
	}
	if tx.spend(lookupWork * int64(len(sorts))); tx.err != nil {
		return make([]store.Attrs, len(sorts))
	}
	tx.ranged = true
	keys := make([]store.Key, len(sorts))
	for i, s := range sorts {
		keys[i] = store.Key{Partition: p, Sort: s}
	}
	got, err := tx.space.store.GetMany(tx.ctx, keys, false)
	if err != nil {
		tx.Fail(fmt.Errorf("reading %d elements: %w", len(sorts), err))
		return make([]store.Attrs, len(sorts))
	}
	tx.spend(callWork)
	for _, as := range got {
		tx.spend(int64(as.Size()))
	}
	return got
}

// unchanged is the condition that a head is still as it was read.
func unchanged(as store.Attrs) store.Cond {
	if as == nil {
		return store.Absent(attrType)
	}
	if w := as.Get(AttrWrite); !w.IsZero() {
		return store.Eq(AttrWrite, w)
	}
	return store.And{store.Absent(AttrWrite), store.Eq(attrBirth, as.Get(attrBirth))}
}

// same reports whether a head is as it was read, or differs in nothing that matters.
func (tx *Txn) same(ent *entry, now store.Attrs) bool {
	if Version(now) == Version(ent.seen) && (now == nil) == (ent.seen == nil) {
		return true
	}
	// What was read of a stream is true of the moment its head was read, even if it grows.
	moment := tx.used == 1 || tx.headReads == 1
	if !moment || tx.mode.Write || ent.obj == nil {
		return false
	}
	s, ok := ent.obj.value.(*Stream)
	return ok && s.steady(now)
}

// validate makes sure that everything a reading transaction saw was true at one moment.
func (tx *Txn) validate() error {
	if tx.relaxed || tx.used == 0 || tx.used == 1 && tx.elemReads == 0 {
		return nil // as most reads are, so that they spare the list of keys
	}
	var keys []string
	for ent := range tx.all() {
		if !ent.idle {
			keys = append(keys, ent.key)
		}
	}
	if len(keys) == 0 || len(keys) == 1 && tx.elemReads == 0 {
		return nil
	}
	// With one key and one element, the read of the element is the moment at which everything held.
	// An earlier attempt of ours, whose answer was lost, could still have changed the element since
	// we looked for its trace in the head; then the head is validated as well.
	if len(keys) == 1 && tx.elemReads == 1 && !tx.ranged && len(tx.mode.Doubts) == 0 {
		return nil
	}
	if tx.headReads == 1 && tx.elemReads == 0 && !tx.mode.Write {
		return nil // one snapshot
	}
	if tx.spend(KeyWork * int64(len(keys))); tx.err != nil {
		return tx.err
	}
	now, err := tx.space.Load(tx.ctx, tx.view, keys, len(keys) > 1)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if !tx.same(tx.known(key), now[key]) {
			return fmt.Errorf("a key changed while it was read: %w", store.ErrConflict)
		}
	}
	return nil
}
