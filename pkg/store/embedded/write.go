package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/skystash/skystash/pkg/store"
)

// change is what an operation does to its item.
type change struct {
	old, next store.Attrs
	write     bool // else the item stays as it is
}

// evaluate computes what an operation does to the item c.old. The error is
// a *store.ConditionError (with Index 0) or says why the operation is invalid.
func (c *change) evaluate(op *store.Op) error {
	if op.If != nil && !store.Holds(op.If, c.old) {
		return &store.ConditionError{Old: c.old}
	}
	switch op.Kind {
	case store.OpPut:
		c.next, c.write = op.Attrs, true
		if c.next == nil {
			c.next = store.Attrs{}
		}
	case store.OpUpdate:
		next, ok := store.ApplyEdits(c.old, op.Edits)
		if !ok {
			return fmt.Errorf("embedded: update %s: an edit meets an attribute of another type", keyText(op.Key))
		}
		c.next, c.write = next, true
	case store.OpDelete:
		c.write = c.old != nil
	case store.OpCheck:
		c.next = c.old
	}
	if c.write && c.next != nil {
		if n := itemSize(op.Key, c.next); n > store.MaxItemSize {
			return fmt.Errorf("embedded: item %s of %d bytes: %w", keyText(op.Key), n, store.ErrTooLarge)
		}
	}
	return nil
}

// checkOp refuses what can be refused without reading.
func checkOp(op *store.Op) error {
	if err := checkKey(op.Key); err != nil {
		return err
	}
	switch op.Kind {
	case store.OpPut:
		for _, at := range op.Attrs {
			if reserved(at.Name) {
				return fmt.Errorf("embedded: attribute name %q is reserved", at.Name)
			}
		}
		if n := itemSize(op.Key, op.Attrs); n > store.MaxItemSize {
			return fmt.Errorf("embedded: item %s of %d bytes: %w", keyText(op.Key), n, store.ErrTooLarge)
		}
	case store.OpUpdate:
		for i := range op.Edits {
			if reserved(op.Edits[i].Name) {
				return fmt.Errorf("embedded: attribute name %q is reserved", op.Edits[i].Name)
			}
		}
		if name, twice := editedTwice(op.Edits); twice {
			return fmt.Errorf("embedded: an update of %s edits attribute %q twice", keyText(op.Key), name)
		}
	case store.OpDelete, store.OpCheck:
	default:
		return fmt.Errorf("embedded: operation of unknown kind %d", op.Kind)
	}
	return nil
}

// reserved reports whether an attribute cannot have a name, since a table of DynamoDB has it for keys, or in
// conditions.
func reserved(name string) bool { return name == "" || name == "p" || name == "s" || name == "-" }

// editedTwice finds an attribute that has two edits. DynamoDB refuses those, so what does them must not seem to
// work here.
func editedTwice(edits []store.Edit) (name string, twice bool) {
	const few = 16 // as many names are compared faster than put into a map
	if len(edits) <= few {
		for i := range edits {
			for j := range i {
				if edits[i].Name == edits[j].Name {
					return edits[i].Name, true
				}
			}
		}
		return "", false
	}
	seen := make(map[string]struct{}, len(edits))
	for i := range edits {
		if _, twice := seen[edits[i].Name]; twice {
			return edits[i].Name, true
		}
		seen[edits[i].Name] = struct{}{}
	}
	return "", false
}

// add puts the change into a batch, with the expiry index.
func (c *change) add(b *pebble.Batch, sc *scratch, dataKey []byte) error {
	oldTime, newTime := c.old.Get(store.TTLAttr), c.next.Get(store.TTLAttr)
	if !oldTime.Equal(newTime) {
		if oldTime.Kind() == store.KindInt {
			sc.idx = appendExpiryKey(sc.idx[:0], oldTime.Num(), dataKey)
			if err := b.Delete(sc.idx, nil); err != nil {
				return err
			}
		}
		if newTime.Kind() == store.KindInt {
			sc.idx = appendExpiryKey(sc.idx[:0], newTime.Num(), dataKey)
			if err := b.Set(sc.idx, nil, nil); err != nil {
				return err
			}
		}
	}
	if c.next == nil {
		return b.Delete(dataKey, nil)
	}
	var err error
	if sc.val, err = encodeAttrs(sc.val[:0], c.next); err != nil {
		return err
	}
	return b.Set(dataKey, sc.val, nil)
}

// Apply implements store.Store.
func (s *Store) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	sc := scratchPool.Get().(*scratch)
	defer sc.release()
	sc.ops = append(sc.ops[:0], op)
	if err := s.execute(ctx, sc, sc.ops); err != nil {
		return nil, err
	}
	return sc.changes[0].old, nil
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, ops []store.Op) error {
	if len(ops) == 0 {
		return nil
	}
	if len(ops) > store.MaxCommitOps {
		return fmt.Errorf("embedded: commit of %d operations: %w", len(ops), store.ErrTooLarge)
	}
	sc := scratchPool.Get().(*scratch)
	defer sc.release()
	return s.execute(ctx, sc, ops)
}

// execute carries out operations, all or none; sc.changes then says what they did.
func (s *Store) execute(ctx context.Context, sc *scratch, ops []store.Op) error {
	writes := false
	sc.key, sc.dataKeys = sc.key[:0], sc.dataKeys[:0]
	for i := range ops {
		if err := checkOp(&ops[i]); err != nil {
			return err
		}
		writes = writes || ops[i].Kind != store.OpCheck
		sc.addDataKey(ops[i].Key)
	}
	if err := checkDistinct(sc.dataKeys); err != nil {
		return err
	}
	if err := s.begin(ctx, "write", writes); err != nil {
		return err
	}
	defer s.calls.leave()

	sc.stripes.fill(s.stripes, sc.dataKeys)
	sc.stripes.lock()
	wrote, err := s.executeLocked(sc, ops)
	unsynced := !wrote && sc.stripes.anyUnsynced()
	sc.stripes.unlock()
	if wrote {
		if err = s.awaitSync(ctx, sc); err != nil {
			err = unknown("write "+keyText(ops[0].Key), err)
		}
	} else if serr := s.ensureDurable(ctx, unsynced); serr != nil {
		err = unavailable("read "+keyText(ops[0].Key), serr)
	}
	if store.Metered(ctx) {
		store.Record(ctx, writeUsage(ops, sc.changes))
	}
	return err
}

// executeLocked reads, evaluates and applies. It reports whether something was
// written and has still to be synced.
func (s *Store) executeLocked(sc *scratch, ops []store.Op) (wrote bool, err error) {
	sc.changes = sc.changes[:0]
	for i := range ops {
		old, _, err := s.current(sc.dataKeys[i])
		if err != nil {
			return false, unavailable("read "+keyText(ops[i].Key), err)
		}
		sc.changes = append(sc.changes, change{old: old})
	}
	size := 0
	for i := range ops {
		c := &sc.changes[i]
		if err := c.evaluate(&ops[i]); err != nil {
			if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
				ce.Index = i
			}
			return false, err
		}
		size += max(itemSize(ops[i].Key, c.old), itemSize(ops[i].Key, c.next))
		wrote = wrote || c.write
	}
	if len(ops) > 1 && size > store.MaxCommitSize {
		return false, fmt.Errorf("embedded: commit of %d bytes: %w", size, store.ErrTooLarge)
	}
	if !wrote {
		return false, nil
	}
	b := s.db.NewBatch()
	for i := range sc.changes {
		if c := &sc.changes[i]; c.write {
			if err := c.add(b, sc, sc.dataKeys[i]); err != nil {
				return false, errors.Join(err, b.Close())
			}
		}
	}
	if err := s.apply(b, sc); err != nil {
		return false, unknown("write "+keyText(ops[0].Key), err)
	}
	if len(ops) == 1 && sc.changes[0].next != nil {
		s.recent.put(s.stripes.hash(sc.dataKeys[0]), sc.dataKeys[0], sc.val)
	}
	return true, nil
}

// apply makes a batch visible under the locked stripes, and takes it over; unless it
// fails, awaitSync has to follow.
func (s *Store) apply(b *pebble.Batch, sc *scratch) error {
	s.forget(sc.dataKeys...)
	sc.stripes.change()
	defer sc.stripes.change()
	sc.stripes.addUnsynced(1)
	s.syncer.unsynced.Add(1)
	var err error
	if s.inPerson {
		err = s.db.ApplyNoSyncWait(b, pebble.Sync)
	} else {
		err = s.db.Apply(b, pebble.NoSync)
	}
	if err != nil {
		s.synced(&sc.stripes)
	}
	if err == nil && s.inPerson {
		sc.written = b
		return nil
	}
	return errors.Join(err, b.Close())
}

// awaitSync returns when what has been applied is as safe as the store's options say.
func (s *Store) awaitSync(ctx context.Context, sc *scratch) error {
	if b := sc.written; b != nil {
		sc.written = nil
		err := errors.Join(b.SyncWait(), b.Close())
		s.synced(&sc.stripes)
		if err == nil {
			err = s.health.failure()
		}
		return err
	}
	g := s.syncer.join()
	err := s.syncer.await(ctx, g)
	if errors.Is(err, errAbandoned) {
		left := sc.stripes.clone()
		go func() {
			s.syncer.awaitEnd(g)
			s.synced(&left)
		}()
	} else {
		s.synced(&sc.stripes)
	}
	return err
}

// synced takes back what apply has counted.
func (s *Store) synced(written *stripeSet) {
	written.addUnsynced(-1)
	s.syncer.unsynced.Add(-1)
}

// checkDistinct refuses operations on the same item.
func checkDistinct(dataKeys [][]byte) error {
	if len(dataKeys) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(dataKeys))
	for _, k := range dataKeys {
		if seen[string(k)] {
			return errors.New("embedded: commit with two operations on one item")
		}
		seen[string(k)] = true
	}
	return nil
}

// Sizes of the parts in which Load writes.
const (
	loadItems = 512
	loadBytes = 1 << 20
)

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	for i := range puts {
		op := store.Op{Kind: store.OpPut, Key: puts[i].Key, Attrs: puts[i].Attrs}
		if err := checkOp(&op); err != nil {
			return err
		}
	}
	for _, k := range deletes {
		if err := checkKey(k); err != nil {
			return err
		}
	}
	if err := s.begin(ctx, "load", true); err != nil {
		return err
	}
	defer s.calls.leave()
	sc := scratchPool.Get().(*scratch)
	defer sc.release()
	for len(puts)+len(deletes) > 0 {
		if err := ctx.Err(); err != nil {
			return unavailable("load", err)
		}
		n, size := 0, 0
		for n < len(puts) && n < loadItems && size < loadBytes {
			size += puts[n].Size()
			n++
		}
		m := min(len(deletes), loadItems-n)
		if err := s.loadPart(ctx, sc, puts[:n], deletes[:m]); err != nil {
			return err
		}
		puts, deletes = puts[n:], deletes[m:]
	}
	return nil
}

// loadPart writes some of what Load has to. It does not read what it
// overwrites: index entries that point to it are left to the janitor.
func (s *Store) loadPart(ctx context.Context, sc *scratch, puts []store.Item, deletes []store.Key) error {
	sc.key, sc.dataKeys = sc.key[:0], sc.dataKeys[:0]
	for i := range puts {
		sc.addDataKey(puts[i].Key)
	}
	for _, k := range deletes {
		sc.addDataKey(k)
	}
	sc.stripes.fill(s.stripes, sc.dataKeys)
	b := s.db.NewBatch()
	if err := addLoad(b, sc, puts); err != nil {
		return errors.Join(unavailable("load", err), b.Close())
	}
	sc.stripes.lock()
	u, err := s.loadUsage(ctx, sc.dataKeys, puts, deletes)
	if err == nil {
		err = s.apply(b, sc)
	} else {
		err = errors.Join(err, b.Close())
	}
	sc.stripes.unlock()
	if err != nil {
		return unavailable("load", err)
	}
	store.Record(ctx, u)
	if err := s.awaitSync(ctx, sc); err != nil {
		return unknown("load", err)
	}
	return nil
}

// addLoad puts items into a batch; the rest of sc's data keys are to be deleted.
func addLoad(b *pebble.Batch, sc *scratch, puts []store.Item) error {
	for i := range puts {
		c := change{next: puts[i].Attrs}
		if c.next == nil {
			c.next = store.Attrs{}
		}
		if err := c.add(b, sc, sc.dataKeys[i]); err != nil {
			return err
		}
	}
	for _, k := range sc.dataKeys[len(puts):] {
		if err := b.Delete(k, nil); err != nil {
			return err
		}
	}
	return nil
}
