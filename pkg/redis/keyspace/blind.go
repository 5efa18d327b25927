package keyspace

import (
	"context"
	"errors"

	"github.com/skystash/skystash/pkg/store"
)

// Blind is a key that is about to be written by one blind write. Its methods plan writes, each in the file of what is
// written; nil stands for what no blind write can do. The plans have no reply yet.
type Blind struct {
	name string    // the user's key
	key  store.Key // of its head
	now  int64     // Unix ms
	work int64     // units, of compressing and decompressing; see Budget
}

// Blind is a key of a database that is about to be written blindly.
func (s *Keyspace) Blind(db *Database, name string) Blind {
	now := s.nowMs()
	return Blind{name: name, key: db.At(now).HeadKey(name), now: now}
}

// Now is the time of the write, in Unix milliseconds.
func (b *Blind) Now() int64 { return b.now }

// Work is how much was spent on compressing and decompressing, in the units of Budget.
func (b *Blind) Work() int64 { return b.work }

// Conditions that blind writes share.

// live: the key, if there is one, has not expired.
func (b *Blind) live() store.Cond {
	return store.Or{store.Absent(attrExpiry), store.Gt(attrExpiry, store.Int(b.now))}
}

// liveOr: there is no key, or a live one of the given (inline) type.
func (b *Blind) liveOr(typ string) store.Cond {
	return store.And{store.Or{store.Absent(attrType), store.Eq(attrType, store.Bytes(typ))}, b.live()}
}

// liveAs: the key exists, is of the given (inline) type, and has not expired.
func (b *Blind) liveAs(typ string) store.Cond {
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
func (b *Blind) Delete() *Plan { return &Plan{Op: store.Delete(b.key, store.Absent(AttrGen))} }

// Existed reports whether there was a key, given its head.
func (b *Blind) Existed(old store.Attrs) bool {
	return old != nil && !expired(old, b.now) && !emptyHead(old, b.now)
}

// WasEmpty reports whether a head is that of a collection without elements, which is no key.
func (b *Blind) WasEmpty(old store.Attrs) bool { return old != nil && emptyHead(old, b.now) }

// ExpiryCond is a condition of a change of an expiry; no expiry is later than any.
type ExpiryCond struct {
	None   bool // there is none
	Some   bool // there is one
	Later  bool // the new one is later
	Sooner bool // the new one is sooner
}

// Expire makes a key expire at a time (Unix ms), or deletes it if that has passed. The condition is also that the key
// exists. Spread values need a note for the reclaimer as well, so they take a transaction.
func (b *Blind) Expire(at int64, is ExpiryCond) *Plan {
	cond := store.And{store.Exists(attrType), store.Absent(AttrGen), b.live()}
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
		return &Plan{Op: store.Delete(b.key, cond), Fixed: true}
	}
	return &Plan{
		Op:         store.Update(b.key, cond, expireEdits(at)...),
		Fixed:      true,
		Collection: true, // an empty head must not keep an expiry
	}
}

// Persist keeps a key that has an expiry from expiring.
func (b *Blind) Persist() *Plan {
	cond := store.And{store.Absent(AttrGen), store.Gt(attrExpiry, store.Int(b.now))}
	return &Plan{Op: store.Update(b.key, cond, expireEdits(0)...), Fixed: true, Collection: true}
}

// expireEdits make a key expire at a time (Unix ms), 0: never.
func expireEdits(at int64) []store.Edit {
	if at == 0 {
		return []store.Edit{store.Remove(attrExpiry), store.Remove(store.TTLAttr)}
	}
	return []store.Edit{store.Set(attrExpiry, store.Int(at)), store.Set(store.TTLAttr, store.Int(ReclaimAt(at)))}
}

// Plan is a blind write. A condition that fails hands the command over to a
// transaction, so a plan only has to be right where its condition holds.
type Plan struct {
	// Op is the write. Write id and traces are added later. The attributes of an OpPut are in the
	// order of their names and belong to the plan's receiver, who may change them.
	Op store.Op
	// Puts, if there are any, are several keys to be put at once, each on condition op.If.
	Puts []keyedPut
	// Reply writes the reply, given the item as it was before.
	Reply func(old store.Attrs)
	// Fixed says that the reply does not depend on the item.
	Fixed bool
	// Trace, if it has a name, is an edit that leaves the update's result in an attribute. If the
	// answer is lost, replay writes the reply from that result, so the client gets the exact one.
	// The attribute's name is filled in later. Without an own trace, an update leaves an empty one,
	// which only tells that it was applied.
	Trace  store.Edit
	Replay func(result store.Value)
	// Collection: the update may have left an inline collection empty or too large.
	Collection bool
}

// keyedPut is a head to be put, but for its write id.
type keyedPut struct {
	Key  string
	Head store.Attrs
}

// Handover is what a failed blind write passes on to the transaction that replaces it, so that the
// transaction need not read the head again and knows of the lost attempt.
type Handover struct {
	Loaded Heads   // the head, if it was read
	Doubts []Doubt // the blind write, if its answer was lost
}

// attempt is a blind write as it is made.
type attempt struct {
	Blind
	id WriteID
}

// WriteBlindly tries to carry out a plan for a key. If it reports that this is not done, the command has to run as a
// transaction, with what next holds.
func (s *Keyspace) WriteBlindly(ctx context.Context, db *Database, b Blind, p *Plan) (next Handover, done bool, err error) {
	a := attempt{Blind: b, id: NewWriteID(b.now)}
	if p.Puts != nil {
		done, err := s.putAll(ctx, db.At(a.now), p, a)
		return next, done, err
	}
	op := p.Op
	op.Key = a.key
	// Should this attempt arrive after it was given up, it must find its trace.
	op.If = store.And{op.If, store.Absent(a.id.TraceName())}
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
		op.Edits = append(op.Edits, store.Set(AttrWrite, store.Bytes(string(a.id))), store.Default(attrBirth, store.Bytes(string(a.id))))
		if len(a.name) > longName {
			op.Edits = append(op.Edits, store.Set(attrKey, store.Bytes(a.name)))
		}
		tr := p.Trace
		if tr.Kind == 0 {
			tr = store.Set("", store.Bytes(""))
		}
		tr.Name = a.id.TraceName()
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
	switch ce, isCond := IsConditionError(err); {
	case err == nil:
		s.written(ctx, db, a.name)
		p.Reply(old)
		return next, true, s.afterBlind(ctx, db, p, a, old, op.Edits)
	case isCond:
		return Handover{Loaded: Heads{a.name: ce.Old}}, false, nil
	case errors.Is(err, store.ErrTooLarge):
		return next, false, nil
	case errors.Is(err, store.ErrUnknownOutcome):
		s.written(ctx, db, a.name) // perhaps
		return s.resolveBlind(ctx, p, a, err)
	}
	return next, false, err
}

// putAll puts several keys in one commit, which the store makes exact under lost answers.
func (s *Keyspace) putAll(ctx context.Context, v View, p *Plan, a attempt) (bool, error) {
	ops := make([]store.Op, len(p.Puts))
	for i, put := range p.Puts {
		head := put.Head.Insert(attrBirth, store.Bytes(string(a.id)))
		if len(put.Key) > longName {
			head = head.With(attrKey, store.Bytes(put.Key))
		}
		ops[i] = store.Put(v.HeadKey(put.Key), head, store.And{p.Op.If, store.Absent(attrSeal)})
	}
	err := s.store.Commit(ctx, ops)
	if _, isCond := IsConditionError(err); isCond || errors.Is(err, store.ErrTooLarge) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p.Reply(nil)
	return true, nil
}

// resolveBlind goes on after a blind write whose answer was lost.
func (s *Keyspace) resolveBlind(ctx context.Context, p *Plan, a attempt, lost error) (Handover, bool, error) {
	state, head, err := s.resolve(ctx, a.key, a.id, a.now, "")
	if err != nil {
		return Handover{}, false, err
	}
	inDoubt := Doubt{key: a.name, id: a.id, start: a.now, reply: func(trace store.Value) bool {
		switch {
		case p.Fixed:
			p.Reply(nil)
		case p.Replay != nil && !trace.IsZero():
			p.Replay(trace)
		default:
			return false
		}
		return true
	}}
	switch state {
	case NotApplied:
		return Handover{Loaded: Heads{a.name: head}, Doubts: []Doubt{inDoubt}}, false, nil
	case Applied:
		if _, err := inDoubt.resolve(head); err != nil {
			return Handover{}, false, err
		}
		if p.Op.Kind == store.OpUpdate {
			s.traces.add(a.key, a.id.TraceName())
		}
		return Handover{}, true, nil
	}
	return Handover{}, false, lost
}

// afterBlind tidies up after a blind write that was applied. A failure here is no failure of the
// command: a later write tidies up instead.
func (s *Keyspace) afterBlind(ctx context.Context, db *Database, p *Plan, a attempt, old store.Attrs, edits []store.Edit) error {
	if edits != nil {
		s.traces.add(a.key, a.id.TraceName())
		// Those of instances that have gone would stay for good.
		s.traces.add(a.key, StaleTraces(old, a.now)...)
	}
	if !p.Collection {
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
		_, err = s.store.Apply(ctx, store.Delete(a.key, store.Eq(AttrWrite, store.Bytes(string(a.id)))))
	case old.Has(attrExpiry) && emptyHead(old, a.now):
		// The update went into the remains of a collection that had become
		// empty, and inherited its expiry.
		err = s.rewrite(ctx, db, a.name, true)
	case next.Size() > inlineLimit && next.Get(attrType).Str() != typeString:
		err = s.rewrite(ctx, db, a.name, false)
	}
	if _, changed := IsConditionError(err); err != nil && !changed && !errors.Is(err, store.ErrConflict) {
		s.log.WarnContext(ctx, "tidying up after a write", "error", err)
	}
	return nil
}

// rewrite stores a key again as a transaction does, in the encoding that suits it.
func (s *Keyspace) rewrite(ctx context.Context, db *Database, key string, dropExpiry bool) error {
	tx := s.Begin(ctx, db, Mode{Write: true})
	defer tx.LetGo()
	if err := tx.Start([]string{key}, nil); err != nil {
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
	return tx.Commit()
}
