package redis

import (
	"context"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// direct is a command that is about to be tried as one blind write of its first key.
type direct struct {
	cmd  *command
	args []string
	now  int64 // Unix ms
	id   writeID
	key  store.Key // of the head
	name string    // the user's key
	work int64     // units, of compressing and decompressing; see Budget
}

// plan is a blind write. A condition that fails hands the command over to a
// transaction, so a plan only has to be right where its condition holds.
type plan struct {
	// op is the write. Write id and traces are added later. The attributes of an OpPut are in the
	// order of their names and belong to the plan's receiver, who may change them.
	op store.Op
	// puts, if there are any, are several keys to be put at once, each on condition op.If.
	puts []keyedPut
	// reply writes the reply, given the item as it was before.
	reply func(old store.Attrs, w *resp.Writer)
	// fixed says that the reply does not depend on the item.
	fixed bool
	// trace, if it has a name, is an edit that leaves the update's result in an attribute. If the
	// answer is lost, replay writes the reply from that result, so the client gets the exact one.
	// The attribute's name is filled in later. Without an own trace, an update leaves an empty one,
	// which only tells that it was applied.
	trace  store.Edit
	replay func(result store.Value, w *resp.Writer)
	// collection: the update may have left an inline collection empty or too large.
	collection bool
}

// keyedPut is a head to be put, but for its write id.
type keyedPut struct {
	key  string
	head store.Attrs
}

// Conditions that blind writes share.

// live: the key, if there is one, has not expired.
func (d *direct) live() store.Cond {
	return store.Or{store.Absent(attrExpiry), store.Gt(attrExpiry, store.Int(d.now))}
}

// liveOr: there is no key, or a live one of the given (inline) type.
func (d *direct) liveOr(typ string) store.Cond {
	return store.And{store.Or{store.Absent(attrType), store.Eq(attrType, store.Bytes(typ))}, d.live()}
}

// handover is what a failed blind write passes on to the transaction that replaces it, so that the
// transaction need not read the head again and knows of the lost attempt.
type handover struct {
	loaded heads   // the head, if it was read
	doubts []doubt // the blind write, if its answer was lost
}

// runDirect tries to carry out a command as one blind write. If it reports that this is not done,
// the command has to run as a transaction, with what next holds.
func (e *Engine) runDirect(ctx context.Context, db *Database, b bound, w *resp.Writer) (next handover, done bool, err error) {
	now := e.nowMs()
	d := direct{cmd: b.cmd, args: b.args, now: now, id: newWriteID(now), name: b.args[1]}
	d.key = db.at(now).headKey(d.name)
	if b.budget != nil {
		defer func() { b.budget.left -= d.work }() // the next member finds out
	}
	p := b.cmd.direct(&d)
	if p == nil {
		return next, false, nil
	}
	if p.puts != nil {
		done, err := e.putAll(ctx, db.at(now), &d, p, w)
		return next, done, err
	}
	op := p.op
	op.Key = d.key
	// Should this attempt arrive after it was given up, it must find its trace.
	op.If = store.And{op.If, store.Absent(d.id.traceName())}
	if op.Kind != store.OpUpdate { // which leaves the traces of others alone
		op.If = store.And{op.If, store.Absent(attrSeal)}
	}
	var served []string // traces that the update takes away
	switch op.Kind {
	case store.OpPut:
		op.Attrs = op.Attrs.Insert(attrBirth, store.Bytes(string(d.id)))
		if len(d.name) > longName {
			op.Attrs = op.Attrs.Insert(attrKey, store.Bytes(d.name))
		}
	case store.OpUpdate:
		op.Edits = append(op.Edits, store.Set(attrWrite, store.Bytes(string(d.id))), store.Default(attrBirth, store.Bytes(string(d.id))))
		if len(d.name) > longName {
			op.Edits = append(op.Edits, store.Set(attrKey, store.Bytes(d.name)))
		}
		tr := p.trace
		if tr.Kind == 0 {
			tr = store.Set("", store.Bytes(""))
		}
		tr.Name = d.id.traceName()
		op.Edits = append(op.Edits, tr)
		served = e.traces.take(d.key)
		for _, name := range served {
			op.Edits = append(op.Edits, store.Remove(name))
		}
	}
	old, err := e.store.Apply(ctx, op)
	if err != nil {
		e.traces.add(d.key, served...)
	}
	switch ce, isCond := isConditionError(err); {
	case err == nil:
		e.waiters.written(db.ID, d.name)
		p.reply(old, w)
		return next, true, e.afterDirect(ctx, db, &d, p, old, op.Edits)
	case isCond:
		return handover{loaded: heads{d.name: ce.Old}}, false, nil
	case errors.Is(err, store.ErrTooLarge):
		return next, false, nil
	case errors.Is(err, store.ErrUnknownOutcome):
		e.waiters.written(db.ID, d.name) // perhaps
		return e.resolveDirect(ctx, &d, p, w, err)
	}
	return next, false, fmt.Errorf("%s: %w", d.cmd.name, err)
}

// putAll puts several keys in one commit, which the store makes exact under lost answers.
func (e *Engine) putAll(ctx context.Context, v view, d *direct, p *plan, w *resp.Writer) (bool, error) {
	ops := make([]store.Op, len(p.puts))
	for i, put := range p.puts {
		head := put.head.Insert(attrBirth, store.Bytes(string(d.id)))
		if len(put.key) > longName {
			head = head.With(attrKey, store.Bytes(put.key))
		}
		ops[i] = store.Put(v.headKey(put.key), head, store.And{p.op.If, store.Absent(attrSeal)})
	}
	err := e.store.Commit(ctx, ops)
	if _, isCond := isConditionError(err); isCond || errors.Is(err, store.ErrTooLarge) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", d.cmd.name, err)
	}
	p.reply(nil, w)
	return true, nil
}

// resolveDirect goes on after a blind write whose answer was lost.
func (e *Engine) resolveDirect(ctx context.Context, d *direct, p *plan, w *resp.Writer, lost error) (handover, bool, error) {
	state, head, err := e.resolve(ctx, d.key, d.id, d.now, "")
	if err != nil {
		return handover{}, false, err
	}
	inDoubt := doubt{key: d.name, id: d.id, start: d.now, reply: func(trace store.Value, w *resp.Writer) bool {
		switch {
		case p.fixed:
			p.reply(nil, w)
		case p.replay != nil && !trace.IsZero():
			p.replay(trace, w)
		default:
			return false
		}
		return true
	}}
	switch state {
	case notApplied:
		return handover{loaded: heads{d.name: head}, doubts: []doubt{inDoubt}}, false, nil
	case applied:
		if _, err := inDoubt.resolve(head, w); err != nil {
			return handover{}, false, err
		}
		if p.op.Kind == store.OpUpdate {
			e.traces.add(d.key, d.id.traceName())
		}
		return handover{}, true, nil
	}
	return handover{}, false, lost
}

// afterDirect tidies up after a blind write that was applied. A failure here is no failure of the
// command: a later write tidies up instead.
func (e *Engine) afterDirect(ctx context.Context, db *Database, d *direct, p *plan, old store.Attrs, edits []store.Edit) error {
	if edits != nil {
		e.traces.add(d.key, d.id.traceName())
		// Those of instances that have gone would stay for good.
		e.traces.add(d.key, staleTraces(old, d.now)...)
	}
	if !p.collection {
		return nil
	}
	next, ok := store.ApplyEdits(old, edits)
	if !ok {
		return nil
	}
	var err error
	switch {
	case emptyHead(next, d.now) && next.Has(attrSeal):
		err = e.rewrite(ctx, db, d.name, false)
	case emptyHead(next, d.now):
		_, err = e.store.Apply(ctx, store.Delete(d.key, store.Eq(attrWrite, store.Bytes(string(d.id)))))
	case old.Has(attrExpiry) && emptyHead(old, d.now):
		// The update went into the remains of a collection that had become
		// empty, and inherited its expiry.
		err = e.rewrite(ctx, db, d.name, true)
	case next.Size() > inlineLimit && next.Get(attrType).Str() != typeString:
		err = e.rewrite(ctx, db, d.name, false)
	}
	if _, changed := isConditionError(err); err != nil && !changed && !errors.Is(err, store.ErrConflict) {
		e.log.WarnContext(ctx, "tidying up after a write", "error", err)
	}
	return nil
}

// rewrite stores a key again as a transaction does, in the encoding that suits it.
func (e *Engine) rewrite(ctx context.Context, db *Database, key string, dropExpiry bool) error {
	tx := newTxn(ctx, e, db, true)
	defer tx.letGo()
	if err := tx.prefetch([]string{key}, nil); err != nil {
		return err
	}
	ent := tx.entry(key)
	switch {
	case ent.obj == nil && !ent.seen.Has(attrSeal), ent.obj != nil && ent.obj.gen != "":
		return nil
	case ent.obj != nil && dropExpiry:
		ent.obj.expires = 0
	}
	ent.touch()
	return tx.commit()
}

// small reports whether values are few and short enough for one update: DynamoDB
// limits an expression to 4 KB, and a large value is better spread.
func (d *direct) small(values []string) bool {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	return len(values) <= 128 && n <= inlineLimit-1024
}
