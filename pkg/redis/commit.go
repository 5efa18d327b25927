package redis

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
	ent   *entry
	head  store.Attrs  // nil: delete
	elems []elemOp     // of the generation the key had
	fresh []store.Item // of a new generation, to be written before the commit
	gen   string
	notes []store.Op // for the reclaimer
	sweep int64      // a time at which the generation's fields are now to be looked through; 0: nothing new
}

// commit writes what the transaction has buffered. It returns
// store.ErrConflict if a key has changed since it was read.
func (tx *Txn) commit() error {
	if tx.err != nil {
		return tx.err
	}
	updates, err := tx.updates()
	if tx.err != nil {
		return tx.err
	}
	if err != nil {
		return err
	}
	if len(updates) == 0 && tx.outbox == nil {
		return tx.validate()
	}
	if tx.near {
		return errElsewhere
	}
	if err := tx.writeFresh(updates); err != nil {
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
	steps := len(updates) == 1 && len(updates[0].elems) > 1 && updates[0].ent.obj.stream == nil &&
		!tx.whole && tx.outbox == nil &&
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
	if tx.divisible && tx.outbox == nil { // of a single update, it may be the checks of the others that are too many
		return tx.commitBatches(updates)
	}
	return errTransactionSize(len(ops))
}

// updates works out the new heads and elements of all keys that were changed.
func (tx *Txn) updates() ([]update, error) {
	for _, d := range tx.doubts {
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
				out = append(out, update{ent: ent, head: tombstone(tx.now).With(attrWrite, store.Bytes(string(tx.id)))})
			} else if ent.seen != nil {
				out = append(out, update{ent: ent})
			}
			continue
		}
		u, err := tx.encode(ent)
		if err != nil {
			return nil, err
		}
		tx.spend(u.work())
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b update) int { return strings.Compare(a.ent.key, b.ent.key) })
	return out, nil
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
func (tx *Txn) encode(ent *entry) (update, error) {
	o := ent.obj
	u := update{ent: ent}
	head := make([]store.Attr, 0, 8)
	add := func(name string, v store.Value) { head = append(head, store.Attr{Name: name, Value: v}) }
	spread := o.gen != ""
	var n, left int64
	switch {
	case o.str != nil && spread: // unchanged: a changed string is another object
		n = o.str.size
	case o.str != nil && len(o.str.s) > inlineString:
		n = int64(len(o.str.s))
		spread = true
		tx.regenerate(o)
		for i := 0; i*chunkSize < len(o.str.s); i++ {
			chunk := o.str.s[i*chunkSize : min((i+1)*chunkSize, len(o.str.s))]
			u.add(tx, o.gen, chunkSort(i), store.Attrs{tx.stored(text{plain: chunk}, 0)})
		}
	case o.str != nil && o.str.packed != "": // unchanged
		head = append(head, text{packed: o.str.packed}.attr())
	case o.str != nil:
		value, tried := stringAttr(ent.key, o.str.s)
		tx.spend(deflateWork * tried)
		head = append(head, value)
	case o.list != nil && spread:
		n, left = o.list.n, o.list.left
		u.elems = o.list.ops()
	case o.list != nil:
		size := 0
		for _, e := range o.list.elems {
			size += len(e) + 1
		}
		if spread = size > inlineLimit; spread {
			tx.regenerate(o)
			for i, e := range o.list.elems {
				u.add(tx, o.gen, indexSort(int64(i)), store.Attrs{tx.stored(text{plain: e}, 0)})
			}
			n = int64(len(o.list.elems))
			break
		}
		add(attrList, store.List(o.list.elems))
		add(attrCount, store.Int(int64(len(o.list.elems))))
	case o.stream != nil:
		spread = o.stream.encode(&u, add)
		n = o.stream.n
	case spread:
		o.members.decode()
		n = o.members.n
		u.elems = o.members.ops(o.typ == typeZSet)
	default:
		o.members.decode()
		if spread = o.members.headSize() > inlineLimit; spread {
			tx.regenerate(o)
			for name, e := range o.members.m {
				for _, op := range tx.elementOps(name, e, o.typ == typeZSet) {
					u.add(tx, o.gen, op.sort, op.attrs)
				}
			}
			n = int64(len(o.members.m))
			break
		}
		for name, e := range o.members.m {
			add(memberAttr(name), store.Bytes(tx.open(e.value)))
			if e.expires != 0 {
				add(fieldExpAttr(name), store.Int(e.expires))
			}
		}
	}
	typ := o.typ
	if spread {
		typ = strings.ToUpper(typ)
		add(attrGen, store.Bytes(o.gen))
		add(attrCount, store.Int(n))
		if o.list != nil {
			add(attrLeft, store.Int(left))
		}
		if o.typ == typeHash {
			sweep := o.nextSweep(n)
			if sweep != 0 {
				add(attrSweep, store.Int(sweep))
			}
			if sweep != o.sweep {
				u.sweep = sweep
			}
		}
		u.gen = o.gen
	}
	add(attrType, store.Bytes(typ))
	if o.expires != 0 {
		add(attrExpiry, store.Int(o.expires))
		add(store.TTLAttr, store.Int(reclaimAt(o.expires)))
	}
	if len(ent.key) > longName {
		add(attrKey, store.Bytes(ent.key))
	}
	add(attrWrite, store.Bytes(string(tx.id)))
	u.head = store.NewAttrs(head...)
	return u, nil
}

// regenerate gives an object a generation of its own.
func (tx *Txn) regenerate(o *object) {
	tx.abandon(o)
	o.gen, o.fresh = string(newWriteID(tx.now)), true
}

func (u *update) add(tx *Txn, gen, sort string, attrs store.Attrs) {
	u.fresh = append(u.fresh, store.Item{Key: store.Key{Partition: elemPartition(tx.view.db, gen), Sort: sort}, Attrs: attrs})
}

// reclaimAt is when DynamoDB may delete a head that expires at a time (Unix
// ms): an hour later, so that no clock is in doubt.
func reclaimAt(expires int64) int64 { return expires/1000 + 3600 }

// ops lists the writes of a spread list's elements: first what lies outside the old bounds.
func (l *List) ops() []elemOp {
	oldLeft, oldN := l.ent.seenList()
	var ops []elemOp
	for pos, e := range l.over {
		inOld := pos >= oldLeft && pos < oldLeft+oldN
		inNew := pos >= l.left && pos < l.left+l.n
		if !e.dirty || !inOld && !inNew {
			continue
		}
		op := elemOp{sort: indexSort(pos)}
		if inNew {
			op.attrs = store.Attrs{l.tx.stored(e.value, 0)}
		}
		ops = append(ops, op)
	}
	// In steps, the list must stay whole: it grows from its old bounds outwards, and shrinks from
	// the outside inwards.
	slices.SortFunc(ops, func(a, b elemOp) int { return strings.Compare(a.sort, b.sort) })
	var lefts, rest []elemOp
	for _, op := range ops {
		pos := indexOfSort(op.sort)
		switch {
		case pos < oldLeft: // grows to the left
			op.dn, op.dleft = 1, -1
			lefts = append(lefts, op)
		case pos < l.left: // shrinks from the left
			op.dn, op.dleft = -1, 1
			rest = append(rest, op)
		case pos >= oldLeft+oldN: // grows to the right
			op.dn = 1
			rest = append(rest, op)
		case pos >= l.left+l.n: // shrinks from the right
			op.dn = -1
			rest = append(rest, op)
		default:
			rest = append(rest, op)
		}
	}
	slices.Reverse(lefts)
	if l.left+l.n < oldLeft+oldN {
		slices.Reverse(rest)
	}
	return append(lefts, rest...)
}

// seenList is a spread list's bounds as they were read.
func (ent *entry) seenList() (left, n int64) {
	if ent.obj.gen != ent.seen.Get(attrGen).Str() {
		return ent.obj.list.left, 0
	}
	return ent.seen.Get(attrLeft).Num(), ent.seen.Get(attrCount).Num()
}

// ops lists the writes of changed members.
func (ms *members) ops(scored bool) []elemOp {
	var ops []elemOp
	for _, name := range sortedNames(ms.m) {
		e := ms.m[name]
		if !e.dirty || !e.live && !e.stored {
			continue
		}
		var mine []elemOp
		if e.stored && scored {
			if old := e.was.Get(attrValue).Str(); !e.live || old != e.value.plain {
				mine = append(mine, elemOp{sort: scoreSort(decodeScore(old), name)})
			}
		}
		if e.live {
			next := ms.tx.elementOps(name, e, scored)
			if len(mine) > 0 && mine[0].sort == next[len(next)-1].sort {
				mine = nil // the index item stays where it is (-0 becomes 0)
			}
			mine = append(mine, next...)
		} else {
			mine = append(mine, elemOp{sort: memberSort(name)})
		}
		switch {
		case e.live && !e.stored:
			mine[0].dn = 1
		case !e.live && e.stored:
			mine[0].dn = -1
		}
		for i := range mine[1:] {
			mine[i+1].same = true
		}
		ops = append(ops, mine...)
	}
	return ops
}

func sortedNames(m map[string]*member) []string {
	names := make([]string, 0, len(m))
	for name, e := range m {
		if e.dirty {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// elementOps are the items of a live member: itself and, of a sorted set, its index item.
func (tx *Txn) elementOps(name string, e *member, scored bool) []elemOp {
	var attrs []store.Attr
	if e.value != (text{}) {
		attrs = append(attrs, tx.stored(e.value, len(name)))
	}
	if e.expires != 0 {
		attrs = append(attrs, store.Attr{Name: attrExpiry, Value: store.Int(e.expires)})
	}
	long := store.Attr{Name: attrKey, Value: store.Bytes(name)}
	if len(name) > longName {
		attrs = append(attrs, long)
	}
	ops := []elemOp{{sort: memberSort(name), attrs: store.NewAttrs(attrs...)}}
	if !scored {
		return ops
	}
	attrs = nil
	if len(name) > longName {
		attrs = append(attrs, long)
	}
	return append(ops, elemOp{sort: scoreSort(decodeScore(e.value.plain), name), attrs: store.NewAttrs(attrs...)})
}

// writeFresh writes the elements of new generations before the commit. Nobody can see them until
// their head is written. A note is written first, so the reclaimer deletes them if the commit never
// comes.
func (tx *Txn) writeFresh(updates []update) error {
	var items []store.Item
	for _, u := range updates {
		if len(u.fresh) == 0 {
			continue
		}
		note := reclaimNote(tx.now+attemptLife.Milliseconds()*2, u.gen, tx.view.db, u.ent.id)
		if _, err := tx.space.store.Apply(tx.ctx, note); err != nil {
			return fmt.Errorf("noting a new generation: %w", unseen(err))
		}
		items = append(items, u.fresh...)
	}
	if len(items) == 0 {
		return nil
	}
	if err := tx.space.store.Load(tx.ctx, items, nil); err != nil {
		return fmt.Errorf("writing %d elements: %w", len(items), unseen(err))
	}
	return nil
}

// unseen is the error of a write that nobody can see, whatever became of it.
func unseen(err error) error {
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
			key := store.Key{Partition: elemPartition(tx.view.db, u.gen), Sort: op.sort}
			if op.attrs == nil {
				ops = append(ops, store.Delete(key, nil))
			} else {
				ops = append(ops, store.Put(key, op.attrs, nil))
				size += op.attrs.Size() + len(key.Sort) + len(key.Partition)
			}
		}
		if o := u.ent.obj; o != nil && o.gen != "" && o.expires != 0 && (o.fresh || u.ent.seen.Get(attrExpiry).Num() != o.expires) {
			ops = append(ops, reclaimNote(o.expires, o.gen, tx.view.db, u.ent.id))
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
		ops = append(ops, reclaimNote(tx.now, a.gen, tx.view.db, store.Key{}))
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
	if err == nil && tx.outbox != nil {
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
	if ce, changed := isConditionError(err); changed {
		if tx.outbox != nil {
			tx.outbox.refused(tx.ctx, ops[ce.Index], ce.Old)
		}
		return fmt.Errorf("a key changed: %w", store.ErrConflict)
	}
	if !errors.Is(err, store.ErrUnknownOutcome) {
		return fmt.Errorf("writing %d items: %w", len(ops), err)
	}
	if tx.outbox != nil {
		return tx.resolveSent()
	}
	for ent := range tx.all() {
		for _, op := range ops {
			if op.Key != ent.id || !op.Attrs.Has(tx.id.traceName()) {
				continue
			}
			state, _, rerr := tx.space.resolve(tx.ctx, op.Key, tx.id, tx.now, version(ent.seen))
			switch {
			case rerr != nil:
				return rerr
			case state == applied:
				tx.done()
				return nil
			case state == notApplied:
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
			tx.space.written(tx.db.ID, ent.key)
		}
	}
	if tx.outbox != nil {
		tx.outbox.sent(tx.ctx, tx.sentItem)
	}
}

// answered notes that the commit's trace has served: the next write of its key
// may take it away.
func (tx *Txn) answered(ops []store.Op) {
	own := tx.id.traceName()
	for _, op := range ops {
		if op.Attrs.Has(own) {
			tx.space.traces.replaced(op.Key, op.Attrs, own)
		}
	}
}
