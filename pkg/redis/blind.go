package redis

import (
	"context"
	"errors"

	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// blind is a key that is about to be written by one blind write. Its methods plan writes, each in the file of what is
// written; nil stands for what no blind write can do. The plans have no reply yet.
type blind struct {
	name string    // the user's key
	key  store.Key // of its head
	now  int64     // Unix ms
	work int64     // units, of compressing and decompressing; see Budget
}

// blind is a key of a database that is about to be written blindly.
func (s *space) blind(db *Database, name string) blind {
	now := s.nowMs()
	return blind{name: name, key: db.at(now).headKey(name), now: now}
}

// Now is the time of the write, in Unix milliseconds.
func (b *blind) Now() int64 { return b.now }

// Work is how much was spent on compressing and decompressing, in the units of Budget.
func (b *blind) Work() int64 { return b.work }

// Conditions that blind writes share.

// live: the key, if there is one, has not expired.
func (b *blind) live() store.Cond {
	return store.Or{store.Absent(attrExpiry), store.Gt(attrExpiry, store.Int(b.now))}
}

// liveOr: there is no key, or a live one of the given (inline) type.
func (b *blind) liveOr(typ string) store.Cond {
	return store.And{store.Or{store.Absent(attrType), store.Eq(attrType, store.Bytes(typ))}, b.live()}
}

// liveAs: the key exists, is of the given (inline) type, and has not expired.
func (b *blind) liveAs(typ string) store.Cond {
	return store.And{store.Eq(attrType, store.Bytes(typ)), b.live()}
}

// Small reports whether values are few and short enough for one update: DynamoDB
// limits an expression to 4 KB, and a large value is better spread.
func Small(values []string) bool {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	return len(values) <= 128 && n <= inlineLimit-1024
}

// Delete deletes a key that leaves no generation behind.
func (b *blind) Delete() *plan { return &plan{op: store.Delete(b.key, store.Absent(attrGen))} }

// Existed reports whether there was a key, given its head.
func (b *blind) Existed(old store.Attrs) bool {
	return old != nil && !expired(old, b.now) && !emptyHead(old, b.now)
}

// WasEmpty reports whether a head is that of a collection without elements, which is no key.
func (b *blind) WasEmpty(old store.Attrs) bool { return old != nil && emptyHead(old, b.now) }

// ExpiryCond is a condition of a change of an expiry; no expiry is later than any.
type ExpiryCond struct {
	None   bool // there is none
	Some   bool // there is one
	Later  bool // the new one is later
	Sooner bool // the new one is sooner
}

// Expire makes a key expire at a time (Unix ms), or deletes it if that has passed. The condition is also that the key
// exists. Spread values need a note for the reclaimer as well, so they take a transaction.
func (b *blind) Expire(at int64, is ExpiryCond) *plan {
	cond := store.And{store.Exists(attrType), store.Absent(attrGen), b.live()}
	if is.None {
		cond = append(cond, store.Absent(attrExpiry))
	}
	if is.Some || is.Later {
		cond = append(cond, store.Exists(attrExpiry))
	}
	if is.Later {
		cond = append(cond, store.Lt(attrExpiry, store.Int(at)))
	}
	if is.Sooner {
		cond = append(cond, store.Or{store.Absent(attrExpiry), store.Gt(attrExpiry, store.Int(at))})
	}
	if at <= b.now {
		return &plan{op: store.Delete(b.key, cond), fixed: true}
	}
	return &plan{
		op:         store.Update(b.key, cond, expireEdits(at)...),
		fixed:      true,
		collection: true, // an empty head must not keep an expiry
	}
}

// Persist keeps a key that has an expiry from expiring.
func (b *blind) Persist() *plan {
	cond := store.And{store.Absent(attrGen), store.Gt(attrExpiry, store.Int(b.now))}
	return &plan{op: store.Update(b.key, cond, expireEdits(0)...), fixed: true, collection: true}
}

// expireEdits make a key expire at a time (Unix ms), 0: never.
func expireEdits(at int64) []store.Edit {
	if at == 0 {
		return []store.Edit{store.Remove(attrExpiry), store.Remove(store.TTLAttr)}
	}
	return []store.Edit{store.Set(attrExpiry, store.Int(at)), store.Set(store.TTLAttr, store.Int(reclaimAt(at)))}
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

// handover is what a failed blind write passes on to the transaction that replaces it, so that the
// transaction need not read the head again and knows of the lost attempt.
type handover struct {
	loaded heads   // the head, if it was read
	doubts []doubt // the blind write, if its answer was lost
}

// attempt is a blind write as it is made.
type attempt struct {
	blind
	id writeID
}

// writeBlindly tries to carry out a plan for a key. If it reports that this is not done, the command has to run as a
// transaction, with what next holds.
func (s *space) writeBlindly(ctx context.Context, db *Database, b blind, p *plan, w *resp.Writer) (next handover, done bool, err error) {
	a := attempt{blind: b, id: newWriteID(b.now)}
	if p.puts != nil {
		done, err := s.putAll(ctx, db.at(a.now), p, a, w)
		return next, done, err
	}
	op := p.op
	op.Key = a.key
	// Should this attempt arrive after it was given up, it must find its trace.
	op.If = store.And{op.If, store.Absent(a.id.traceName())}
	if op.Kind != store.OpUpdate { // which leaves the traces of others alone
		op.If = store.And{op.If, store.Absent(attrSeal)}
	}
	var served []string // traces that the update takes away
	switch op.Kind {
	case store.OpPut:
		op.Attrs = op.Attrs.Insert(attrBirth, store.Bytes(string(a.id)))
		if len(a.name) > longName {
			op.Attrs = op.Attrs.Insert(attrKey, store.Bytes(a.name))
		}
	case store.OpUpdate:
		op.Edits = append(op.Edits, store.Set(attrWrite, store.Bytes(string(a.id))), store.Default(attrBirth, store.Bytes(string(a.id))))
		if len(a.name) > longName {
			op.Edits = append(op.Edits, store.Set(attrKey, store.Bytes(a.name)))
		}
		tr := p.trace
		if tr.Kind == 0 {
			tr = store.Set("", store.Bytes(""))
		}
		tr.Name = a.id.traceName()
		op.Edits = append(op.Edits, tr)
		served = s.traces.take(a.key)
		for _, name := range served {
			op.Edits = append(op.Edits, store.Remove(name))
		}
	}
	old, err := s.store.Apply(ctx, op)
	if err != nil {
		s.traces.add(a.key, served...)
	}
	switch ce, isCond := isConditionError(err); {
	case err == nil:
		s.written(db.ID, a.name)
		p.reply(old, w)
		return next, true, s.afterBlind(ctx, db, p, a, old, op.Edits)
	case isCond:
		return handover{loaded: heads{a.name: ce.Old}}, false, nil
	case errors.Is(err, store.ErrTooLarge):
		return next, false, nil
	case errors.Is(err, store.ErrUnknownOutcome):
		s.written(db.ID, a.name) // perhaps
		return s.resolveBlind(ctx, p, a, w, err)
	}
	return next, false, err
}

// putAll puts several keys in one commit, which the store makes exact under lost answers.
func (s *space) putAll(ctx context.Context, v view, p *plan, a attempt, w *resp.Writer) (bool, error) {
	ops := make([]store.Op, len(p.puts))
	for i, put := range p.puts {
		head := put.head.Insert(attrBirth, store.Bytes(string(a.id)))
		if len(put.key) > longName {
			head = head.With(attrKey, store.Bytes(put.key))
		}
		ops[i] = store.Put(v.headKey(put.key), head, store.And{p.op.If, store.Absent(attrSeal)})
	}
	err := s.store.Commit(ctx, ops)
	if _, isCond := isConditionError(err); isCond || errors.Is(err, store.ErrTooLarge) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.reply(nil, w)
	return true, nil
}

// resolveBlind goes on after a blind write whose answer was lost.
func (s *space) resolveBlind(ctx context.Context, p *plan, a attempt, w *resp.Writer, lost error) (handover, bool, error) {
	state, head, err := s.resolve(ctx, a.key, a.id, a.now, "")
	if err != nil {
		return handover{}, false, err
	}
	inDoubt := doubt{key: a.name, id: a.id, start: a.now, reply: func(trace store.Value, w *resp.Writer) bool {
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
		return handover{loaded: heads{a.name: head}, doubts: []doubt{inDoubt}}, false, nil
	case applied:
		if _, err := inDoubt.resolve(head, w); err != nil {
			return handover{}, false, err
		}
		if p.op.Kind == store.OpUpdate {
			s.traces.add(a.key, a.id.traceName())
		}
		return handover{}, true, nil
	}
	return handover{}, false, lost
}

// afterBlind tidies up after a blind write that was applied. A failure here is no failure of the
// command: a later write tidies up instead.
func (s *space) afterBlind(ctx context.Context, db *Database, p *plan, a attempt, old store.Attrs, edits []store.Edit) error {
	if edits != nil {
		s.traces.add(a.key, a.id.traceName())
		// Those of instances that have gone would stay for good.
		s.traces.add(a.key, staleTraces(old, a.now)...)
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
	case emptyHead(next, a.now) && next.Has(attrSeal):
		err = s.rewrite(ctx, db, a.name, false)
	case emptyHead(next, a.now):
		_, err = s.store.Apply(ctx, store.Delete(a.key, store.Eq(attrWrite, store.Bytes(string(a.id)))))
	case old.Has(attrExpiry) && emptyHead(old, a.now):
		// The update went into the remains of a collection that had become
		// empty, and inherited its expiry.
		err = s.rewrite(ctx, db, a.name, true)
	case next.Size() > inlineLimit && next.Get(attrType).Str() != typeString:
		err = s.rewrite(ctx, db, a.name, false)
	}
	if _, changed := isConditionError(err); err != nil && !changed && !errors.Is(err, store.ErrConflict) {
		s.log.WarnContext(ctx, "tidying up after a write", "error", err)
	}
	return nil
}

// rewrite stores a key again as a transaction does, in the encoding that suits it.
func (s *space) rewrite(ctx context.Context, db *Database, key string, dropExpiry bool) error {
	tx := s.begin(ctx, db, txnMode{write: true})
	defer tx.letGo()
	if err := tx.start([]string{key}, nil); err != nil {
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
