package keyspace

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// elemOp is a write of an element of an existing generation. dn and dleft say
// how it changes the collection's count and a list's first position, so that a
// commit can be taken in steps.
type elemOp struct {
	sort  string
	attrs store.Attrs // nil: delete
	dn    int64
	dleft int64
	same  bool // belongs to the same step as the operation before it
}

// update is what a commit does to one key.
type update struct {
	tx    *Txn
	ent   *entry
	head  store.Attrs  // nil: delete
	elems []elemOp     // of the generation the key had
	fresh []store.Item // of a new generation, to be written before the commit
	gen   string
	notes []store.Op // for the reclaimer
	sweep int64      // a time at which the generation's fields are now to be looked through; 0: nothing new
}

// Commit writes what the transaction has buffered, and tells of the events. It returns
// store.ErrConflict if a key has changed since it was read.
func (tx *Txn) Commit() error {
	err := tx.commit()
	if err == nil && len(tx.events) > 0 {
		tx.space.tell(tx.ctx, tx.db, tx.events)
	}
	return err
}

func (tx *Txn) commit() error {
	if tx.err != nil {
		return tx.err
	}
	updates := tx.updates()
	if tx.err != nil {
		return tx.err
	}
	if len(updates) == 0 && tx.Outbox == nil {
		return tx.validate()
	}
	if tx.mode.Near {
		return errElsewhere
	}
	if err := tx.writeFresh(updates); err != nil {
		return err
	}
	if err := tx.noteExpiries(updates); err != nil {
		return err
	}
	messages, err := tx.outgoing()
	if err != nil {
		return err
	}
	ops, size := tx.operations(updates, nil)
	ops = append(ops, messages...)
	if len(ops) == 1 {
		return tx.commitOne(ops[0])
	}
	steps := len(updates) == 1 && len(updates[0].elems) > 1 && updates[0].ent.obj.typ != typeStream &&
		!tx.mode.Whole && tx.Outbox == nil &&
		len(ops)-len(updates[0].elems) <= store.MaxCommitOps-maxStep
	if len(ops) <= store.MaxCommitOps && size <= store.MaxCommitSize {
		err := tx.commitAll(ops)
		if !steps || !errors.Is(err, store.ErrTooLarge) {
			return err
		}
	}
	if steps {
		return tx.commitSteps(updates[0])
	}
	if tx.mode.Divisible && tx.Outbox == nil { // of a single update, it may be the checks of the others that are too many
		return tx.commitBatches(updates)
	}
	return ErrTransactionSize(len(ops))
}

// updates works out the new heads and elements of all keys that were changed.
func (tx *Txn) updates() []update {
	for _, d := range tx.mode.Doubts {
		if ent := tx.entry(d.key); !ent.dirty {
			ent.touch() // what may still arrive must not find the head as it was
		}
	}
	var out []update
	for ent := range tx.all() {
		if !ent.dirty {
			continue
		}
		if ent.obj == nil {
			if tx.seal(ent) != 0 {
				out = append(out, update{ent: ent, head: tombstone(tx.now).With(AttrWrite, store.Bytes(string(tx.writeID())))})
			} else if ent.seen != nil {
				out = append(out, update{ent: ent})
			}
			continue
		}
		out = append(out, update{tx: tx, ent: ent})
		u := &out[len(out)-1]
		tx.encode(u)
		tx.spend(u.work())
	}
	slices.SortFunc(out, func(a, b update) int { return strings.Compare(a.ent.key, b.ent.key) })
	return out
}

// work is what writing the update costs, see Budget.
func (u *update) work() int64 {
	bytes := u.head.Size()
	for _, op := range u.elems {
		bytes += op.attrs.Size()
	}
	for _, it := range u.fresh {
		bytes += it.Attrs.Size()
	}
	return headWork + writeWork*int64(len(u.elems)+len(u.fresh)) + byteWork*int64(bytes)
}

// encode makes an object's head and the writes of its elements.
func (tx *Txn) encode(u *update) {
	ent, o := u.ent, u.ent.obj
	u.head = make(store.Attrs, 0, 8)
	typ := o.typ
	if o.value.encode(u) {
		typ = strings.ToUpper(typ)
		u.set(AttrGen, store.Bytes(o.gen))
		u.gen = o.gen
	}
	u.set(attrType, store.Bytes(typ))
	if o.expires != 0 {
		u.set(attrExpiry, store.Int(o.expires))
		u.set(store.TTLAttr, store.Int(ReclaimAt(o.expires)))
	}
	if len(ent.key) > longName {
		u.set(attrKey, store.Bytes(ent.key))
	}
	u.set(AttrWrite, store.Bytes(string(tx.writeID())))
	u.head = store.NewAttrs(u.head...)
}

// regenerate gives an object a generation of its own.
func (tx *Txn) regenerate(o *object) {
	tx.abandon(o)
	o.gen, o.fresh = string(NewWriteID(tx.now)), true
}

// set adds an attribute to the head.
func (u *update) set(name string, v store.Value) {
	u.head = append(u.head, store.Attr{Name: name, Value: v})
}

// add adds an element to the new generation that the key has now.
func (u *update) add(sort string, attrs store.Attrs) {
	key := store.Key{Partition: ElemPartition(u.tx.view.db, u.ent.obj.gen), Sort: sort}
	u.fresh = append(u.fresh, store.Item{Key: key, Attrs: attrs})
}

// ReclaimAt is when DynamoDB may delete a head that expires at a time (Unix
// ms): an hour later, so that no clock is in doubt.
func ReclaimAt(expires int64) int64 { return expires/1000 + 3600 }

// writeFresh writes the elements of new generations before the commit. Nobody can see them until
// their head is written. A note is written first, so the reclaimer deletes them if the commit never
// comes.
func (tx *Txn) writeFresh(updates []update) error {
	var items []store.Item
	for _, u := range updates {
		if len(u.fresh) == 0 {
			continue
		}
		note := ReclaimNote(tx.now+AttemptLife.Milliseconds()*2, u.gen, tx.view.db, u.ent.id)
		if _, err := tx.space.store.Apply(tx.ctx, note); err != nil {
			return fmt.Errorf("noting a new generation: %w", Unseen(err))
		}
		items = append(items, u.fresh...)
	}
	if len(items) == 0 {
		return nil
	}
	if err := tx.space.store.Load(tx.ctx, items, nil); err != nil {
		return fmt.Errorf("writing %d elements: %w", len(items), Unseen(err))
	}
	return nil
}

// Unseen is the error of a write that nobody can see, whatever became of it.
func Unseen(err error) error {
	if errors.Is(err, store.ErrUnknownOutcome) {
		return store.ErrUnavailable
	}
	return err
}

// operations are the store operations of a commit. If elems is not nil, it
// stands for the elements of the only update.
func (tx *Txn) operations(updates []update, elems []elemOp) (ops []store.Op, size int) {
	written := map[*entry]bool{}
	traced := false
	for _, u := range updates {
		written[u.ent] = true
		if u.head == nil {
			ops = append(ops, store.Delete(u.ent.id, unchanged(u.ent.seen)))
		} else {
			head := tx.carryTraces(u.head, u.ent, !traced)
			traced = true
			ops = append(ops, store.Put(u.ent.id, head, unchanged(u.ent.seen)))
			size += head.Size()
		}
		use := u.elems
		if elems != nil {
			use = elems
		}
		for _, op := range use {
			key := store.Key{Partition: ElemPartition(tx.view.db, u.gen), Sort: op.sort}
			if op.attrs == nil {
				ops = append(ops, store.Delete(key, nil))
			} else {
				ops = append(ops, store.Put(key, op.attrs, nil))
				size += op.attrs.Size() + len(key.Sort) + len(key.Partition)
			}
		}
		if o := u.ent.obj; o != nil && o.gen != "" && o.expires != 0 && (o.fresh || u.ent.seen.Get(attrExpiry).Num() != o.expires) {
			ops = append(ops, ReclaimNote(o.expires, o.gen, tx.view.db, u.ent.id))
		}
		ops = append(ops, u.notes...)
		if u.sweep != 0 {
			ops = append(ops, fieldsNote(u.sweep, u.gen, tx.view.db, u.ent.id))
		}
		if o := u.ent.obj; o != nil && o.gen != "" && o.moved && !o.fresh {
			ops = append(ops, ownerNote(o.gen, tx.view.db, u.ent.id))
		}
	}
	for _, a := range tx.dropped {
		ops = append(ops, ReclaimNote(tx.now, a.gen, tx.view.db, store.Key{}))
	}
	if elems == nil {
		for ent := range tx.all() {
			if !written[ent] && !ent.idle {
				ops = append(ops, store.Check(ent.id, unchanged(ent.seen)))
			}
		}
	}
	return ops, size
}

// commitOne is a commit of a single head, one plain write.
func (tx *Txn) commitOne(op store.Op) error {
	old, err := tx.space.store.Apply(tx.ctx, op)
	if err == nil && tx.Outbox != nil {
		tx.sentItem, _ = store.ApplyEdits(old, op.Edits)
	}
	return tx.committed([]store.Op{op}, err)
}

// commitAll is a commit of several items. A transaction that meets another one runs again, on what the other has
// written: the store would repeat what has mostly become void, and each repetition is paid for.
func (tx *Txn) commitAll(ops []store.Op) error {
	return tx.committed(ops, tx.space.store.Commit(store.NoRepeat(tx.ctx), ops))
}

// committed interprets the store's answer to a commit. If the answer was lost, the trace that
// one of the heads carries tells what happened.
func (tx *Txn) committed(ops []store.Op, err error) error {
	if err == nil {
		tx.answered(ops)
		tx.done()
		return nil
	}
	if ce, changed := IsConditionError(err); changed {
		if tx.Outbox != nil {
			tx.Outbox.Refused(tx.ctx, ops[ce.Index], ce.Old)
		}
		return fmt.Errorf("a key changed: %w", store.ErrConflict)
	}
	if !errors.Is(err, store.ErrUnknownOutcome) {
		return fmt.Errorf("writing %d items: %w", len(ops), err)
	}
	if tx.Outbox != nil {
		return tx.resolveSent()
	}
	for ent := range tx.all() {
		for _, op := range ops {
			if op.Key != ent.id || !op.Attrs.Has(tx.writeID().TraceName()) {
				continue
			}
			state, _, rerr := tx.space.resolve(tx.ctx, op.Key, tx.writeID(), tx.now, Version(ent.seen))
			switch {
			case rerr != nil:
				return rerr
			case state == Applied:
				tx.done()
				return nil
			case state == NotApplied:
				tx.lost = ent.key
				return fmt.Errorf("a write was lost: %w", store.ErrConflict)
			}
		}
	}
	return err
}

// done follows a commit: it wakes those in this process who wait for what was written.
func (tx *Txn) done() {
	for ent := range tx.all() {
		if ent.dirty {
			tx.space.written(tx.ctx, tx.db, ent.key)
		}
	}
	if tx.Outbox != nil {
		tx.Outbox.Sent(tx.ctx, tx.sentItem)
	}
}

// answered notes that the commit's trace has served: the next write of its key
// may take it away.
func (tx *Txn) answered(ops []store.Op) {
	own := tx.writeID().TraceName()
	for _, op := range ops {
		if op.Attrs.Has(own) {
			tx.space.traces.replaced(op.Key, op.Attrs, own)
		}
	}
}
