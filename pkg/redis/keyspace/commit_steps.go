package keyspace

import (
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

const (
	// maxStep is how many element operations go into one step of a commit, besides heads.
	maxStep = 90
	// stepTries is how many times a step is tried; those after the first one cannot be taken back.
	stepTries = 8
	// maxPartition is more than the bytes of an element's partition key.
	maxPartition = 128
)

// commitSteps carries out a large change of one collection in several
// transactions, each of which leaves the collection whole.
func (tx *Txn) commitSteps(u update) error {
	seen := u.ent.seen
	n, left := seen.Get(attrCount).Num(), seen.Get(attrLeft).Num()
	limit := maxStep
	for rest, first := u.elems, true; len(rest) > 0; {
		k := stepLen(rest, limit)
		step, nextN, nextLeft := u, n, left
		for _, op := range rest[:k] {
			nextN, nextLeft = nextN+op.dn, nextLeft+op.dleft
		}
		if k < len(rest) {
			step.head = u.head.With(attrCount, store.Int(nextN))
			if u.head.Has(attrLeft) { // a list
				step.head = step.head.With(attrLeft, store.Int(nextLeft))
			}
		}
		err := tx.commitStep(step, rest[:k], first)
		if errors.Is(err, store.ErrTooLarge) && limit > 1 {
			// The items that are overwritten count too, and their sizes are not known here.
			limit /= 2
			continue
		}
		if err != nil {
			if !first {
				err = interrupted(err)
			}
			return err
		}
		rest, n, left, first = rest[k:], nextN, nextLeft, false
	}
	return nil
}

// interrupted is the error of a later step: what was done stays done, and
// running again would do it twice.
func interrupted(err error) error {
	if errors.Is(err, store.ErrUnknownOutcome) {
		return err
	}
	return fmt.Errorf("interrupted half-way: %w (%v)", store.ErrUnknownOutcome, err)
}

// stepLen is how many of the operations make up the next step: at most limit, unless
// the first ones belong together, and no more than a transaction may hold.
func stepLen(ops []elemOp, limit int) int {
	k, size := 0, 0
	for k < len(ops) {
		j, bytes := k+1, opSize(ops[k])
		for j < len(ops) && ops[j].same {
			bytes += opSize(ops[j])
			j++
		}
		if k > 0 && (j > limit || size+bytes > store.MaxCommitSize-store.MaxItemSize) {
			break
		}
		k, size = j, size+bytes
	}
	return k
}

func opSize(op elemOp) int { return op.attrs.Size() + len(op.sort) + maxPartition }

// commitStep commits one step, of which several attempts may be under way if
// answers are lost: all depend on the same head, so at most one takes effect. It
// leaves in u.ent.seen the head as it was written.
func (tx *Txn) commitStep(u update, elems []elemOp, first bool) error {
	seen := Version(u.ent.seen)
	var attempts []WriteID
	lost := false
	again := tx.space.retry.Begin()
	for try := 0; ; try++ {
		if !first || try > 0 {
			tx.id = NewWriteID(tx.now) // a trace stands for one attempt at one step
		}
		attempts = append(attempts, tx.writeID())
		u.head = u.head.With(AttrWrite, store.Bytes(string(tx.writeID())))
		ops, _ := tx.operations([]update{u}, elems)
		err := tx.commitAll(ops)
		if err == nil {
			u.ent.seen = ops[0].Attrs
			return nil
		}
		lost = lost || tx.lost != ""
		tx.lost = ""
		if first && !lost || !errors.Is(err, store.ErrConflict) && !Passing(err) {
			return err // nothing has been done, or nothing can be
		}
		state, head, rerr := tx.attempted(u.ent.id, attempts, seen)
		switch {
		case rerr != nil:
			return rerr
		case state == Applied:
			tx.done()
			u.ent.seen = head
			return nil
		case state == Unknown:
			return fmt.Errorf("%w (%v)", store.ErrUnknownOutcome, err)
		case Version(head) != seen && first:
			return err // our attempts cannot take effect any more
		case Version(head) != seen:
			return fmt.Errorf("another client wrote the key: %w", store.ErrUnknownOutcome)
		case try == stepTries:
			return fmt.Errorf("%w (after %d attempts: %v)", store.ErrUnknownOutcome, try+1, err)
		}
		if perr := again.Wait(tx.ctx, err); perr != nil {
			return fmt.Errorf("%w (%v)", store.ErrUnknownOutcome, perr)
		}
	}
}

// attempted finds out whether one of several attempts at the same write took effect; see Keyspace.resolve.
func (tx *Txn) attempted(key store.Key, attempts []WriteID, seen string) (state Outcome, head store.Attrs, err error) {
	state = NotApplied
	for _, id := range attempts {
		one, now, err := tx.space.resolve(tx.ctx, key, id, tx.now, seen)
		if err != nil || one == Applied {
			return one, now, err
		}
		if one == Unknown {
			state = Unknown
		}
		head = now
	}
	return state, head, nil
}

// commitBatches commits so many keys that one transaction cannot take them,
// some at a time.
func (tx *Txn) commitBatches(updates []update) error {
	dropped := tx.dropped
	for first := true; len(updates) > 0; first = false {
		k, size := 0, 0
		tx.dropped = nil
		for k < len(updates) && k < maxStep/3 {
			if size += updates[k].head.Size(); k > 0 && size > store.MaxCommitSize/2 {
				break
			}
			gen := updates[k].ent.seen.Get(AttrGen).Str()
			for _, a := range dropped {
				if a.gen == gen {
					tx.dropped = append(tx.dropped, a)
				}
			}
			k++
		}
		ops, _ := tx.operations(updates[:k], []elemOp{})
		if err := tx.commitAll(ops); err != nil && !first {
			return interrupted(err)
		} else if err != nil {
			return err
		}
		updates = updates[k:]
	}
	return nil
}
