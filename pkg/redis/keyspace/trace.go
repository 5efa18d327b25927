package keyspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// When the answer of a write is lost, the write may have been applied or not. To find out, an item
// keeps traces of recent writes. A trace is an attribute that is named after the write's id and
// holds the write's result. A later write takes a trace away once nobody can be in doubt about it
// any more. Only a blind overwrite (SET, DEL) destroys traces early. Then the doubt may remain, and
// the caller gets store.ErrUnknownOutcome.
//
// If a blind write had not been applied when we looked, the command is carried out again as a
// transaction. The first attempt may still arrive after that, and would then apply the command
// twice. To prevent this, the condition of every attempt is that its own trace is absent. The
// transaction therefore leaves the first attempt's trace in the head, even if it has nothing else
// to write, and seals the head. A sealed head refuses blind overwrites, and transactions copy its
// traces until no attempt can be under way any more. If the key is deleted meanwhile, the head
// stays as a tombstone: an empty collection that has expired.

// ResolveReads is how many times reading an item is repeated to find out about a write.
const ResolveReads = 6

// AttemptLife is longer than any attempt can be under way, clock skew included.
const AttemptLife = 30 * time.Second

// traceLog remembers, for keys this engine wrote, the traces that the next
// write may take away.
type traceLog struct {
	mu sync.Mutex
	m  map[store.Key][]string
}

const (
	maxTracedKeys  = 4096
	maxTraceRemove = 16 // in one update
)

func (l *traceLog) add(key store.Key, names ...string) {
	if len(names) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(key, names)
}

func (l *traceLog) append(key store.Key, names []string) {
	if l.m == nil || len(l.m) >= maxTracedKeys && l.m[key] == nil {
		l.m = map[store.Key][]string{} // forgetting is harmless: see StaleTraces
	}
	for _, name := range names { // one may be seen again before it is taken away
		if !slices.Contains(l.m[key], name) {
			l.m[key] = append(l.m[key], name)
		}
	}
}

// known lists the traces of a key's writes that have been answered.
func (l *traceLog) known(key store.Key) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.m[key])
}

// replaced remembers that an item was overwritten by a put that left the trace own. Traces that the
// item has lost by that are forgotten.
func (l *traceLog) replaced(key store.Key, item store.Attrs, own string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if names := l.m[key]; names != nil {
		l.m[key] = slices.DeleteFunc(names, func(name string) bool { return !item.Has(name) })
	}
	l.append(key, []string{own})
}

func (l *traceLog) take(key store.Key) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := l.m[key]
	if len(names) > maxTraceRemove {
		l.m[key] = names[maxTraceRemove:]
		return names[:maxTraceRemove]
	}
	delete(l.m, key)
	return names
}

// StaleTraces lists the traces in an item about which nobody is in doubt any more.
func StaleTraces(as store.Attrs, nowMs int64) []string {
	var names []string
	for _, a := range as {
		if a.Name[:1] != attrTrace {
			continue
		}
		if id := traceID(a.Name); id != "" && id.Millis() < nowMs-AttemptLife.Milliseconds() {
			names = append(names, a.Name)
		}
	}
	return names
}

// Doubt is an attempt to carry out a command whose answer was lost. It had not
// been applied when we looked, but may arrive late.
type Doubt struct {
	key   string // whose head would carry the trace
	id    WriteID
	start int64  // Unix ms
	seen  string // the head's version that it was conditional on, "" if none
	// reply writes the command's reply if the attempt turns out to have been applied. trace is the
	// value of the attempt's trace. It is zero if there is no trace but the item is as the attempt
	// left it. reply reports false if the reply cannot be known.
	reply func(trace store.Value) bool
}

// blind reports whether the attempt may arrive whatever the head's version is by then.
func (d Doubt) blind() bool { return d.seen == "" }

// resolve looks for the attempt's trace in a head. If the trace is there, the attempt was applied:
// resolve writes its reply and returns true. It fails with store.ErrUnknownOutcome if the head
// cannot tell.
func (d Doubt) resolve(head store.Attrs) (done bool, err error) {
	switch fate(head, d.id, d.start, d.seen) {
	case NotApplied:
		return false, nil
	case Unknown:
		return true, fmt.Errorf("the key was written anew meanwhile: %w", store.ErrUnknownOutcome)
	}
	if !d.reply(head.Get(d.id.TraceName())) {
		return true, fmt.Errorf("the reply is lost: %w", store.ErrUnknownOutcome)
	}
	return true, nil
}

// ResolveDoubts finds out whether one of the earlier attempts was applied. If so, the command is done, and its reply
// written.
func (tx *Txn) ResolveDoubts() (done bool, err error) {
	for _, d := range slices.Backward(tx.mode.Doubts) { // a later attempt leaves the traces of earlier ones too
		head := tx.entry(d.key).seen
		if tx.err != nil {
			return true, tx.err // a script's key, which was not among those read ahead
		}
		if done, err := d.resolve(head); done || err != nil {
			return true, err
		}
	}
	return false, nil
}

// Lost reports whether the answer to the transaction's commit was lost.
func (tx *Txn) Lost() bool { return tx.lost != "" }

// Doubt is the transaction's own attempt, whose answer was lost. reply writes once more what it had replied.
func (tx *Txn) Doubt(reply func()) Doubt {
	return Doubt{key: tx.lost, id: tx.writeID(), start: tx.now, seen: Version(tx.entry(tx.lost).seen), reply: func(store.Value) bool {
		reply()
		return true
	}}
}

// Outcome is what became of a write whose answer was lost.
type Outcome int

const (
	Unknown Outcome = iota
	Applied
	NotApplied
)

// resolve finds out whether the write with an id, which began at startMs, was applied to an item.
// seen is the version of the item that the write was conditional on, or "" if it was not. resolve
// returns the item as it is now.
func (s *Keyspace) resolve(ctx context.Context, key store.Key, id WriteID, startMs int64, seen string) (Outcome, store.Attrs, error) {
	var head store.Attrs
	var reads *store.Attempts // once one has failed
	for {
		var err error
		if head, err = s.store.Get(ctx, key); err == nil {
			break
		}
		if reads == nil {
			reads = s.retry.Begin()
		}
		if reads.Failed() == ResolveReads || reads.Wait(ctx, err) != nil {
			return Unknown, nil, fmt.Errorf("%w (reading the item again: %v)", store.ErrUnknownOutcome, err)
		}
	}
	return fate(head, id, startMs, seen), head, nil
}

// fate tells from an item what became of a write; see Keyspace.resolve.
func fate(head store.Attrs, id WriteID, startMs int64, seen string) Outcome {
	current := Version(head)
	switch {
	case current == string(id) || head.Has(id.TraceName()) || head.Get(attrBirth).Str() == string(id):
		return Applied
	case head == nil:
		return Unknown
	case seen != "" && current == seen:
		return NotApplied
	}
	// The trace would be there if the item has lived since before the write began.
	if ms := WriteID(head.Get(attrBirth).Str()).Millis(); ms != 0 && ms < startMs-AttemptLife.Milliseconds() {
		return NotApplied
	}
	return Unknown
}

// carryTraces returns a head together with the traces that it must have:
//   - traces of the item that it replaces, where somebody may still be in doubt;
//   - traces of our own earlier attempts, so that these are refused if they arrive late;
//   - if own, the trace of this attempt.
func (tx *Txn) carryTraces(head store.Attrs, ent *entry, own bool) store.Attrs {
	attrs := make([]store.Attr, len(head), len(head)+4)
	copy(attrs, head)
	horizon := tx.now - AttemptLife.Milliseconds()
	answered := tx.space.traces.known(ent.id)
	for _, a := range ent.seen {
		if a.Name[:1] == attrTrace && traceID(a.Name).Millis() >= horizon && !slices.Contains(answered, a.Name) {
			attrs = append(attrs, a)
		}
	}
	birth := ent.seen.Get(attrBirth)
	if birth.IsZero() {
		birth = store.Bytes(string(tx.writeID()))
	}
	attrs = append(attrs, store.Attr{Name: attrBirth, Value: birth})
	for _, d := range tx.mode.Doubts {
		if d.key == ent.key {
			attrs = append(attrs, store.Attr{Name: d.id.TraceName(), Value: store.Bytes("")})
		}
	}
	if seal := tx.seal(ent); seal != 0 {
		attrs = append(attrs, store.Attr{Name: attrSeal, Value: store.Int(seal)})
	}
	if own {
		attrs = append(attrs, store.Attr{Name: tx.writeID().TraceName(), Value: store.Bytes("")})
	}
	return store.NewAttrs(attrs...)
}

// seal is the value of an entry's seal: the start (Unix ms) of the last blind attempt that may
// still arrive and must then find its trace. It is 0 if there is no such attempt.
func (tx *Txn) seal(ent *entry) int64 {
	last := ent.seen.Get(attrSeal).Num()
	if last < tx.now-AttemptLife.Milliseconds() {
		last = 0
	}
	for _, d := range tx.mode.Doubts {
		if d.key == ent.key && d.blind() {
			last = max(last, d.start)
		}
	}
	return last
}

// tombstone is a sealed head of a key that was deleted, but for its traces and write id.
func tombstone(now int64) store.Attrs {
	return store.NewAttrs(
		store.Attr{Name: attrType, Value: store.Bytes(typeHash)},
		store.Attr{Name: attrExpiry, Value: store.Int(1)}, // for every clock
		store.Attr{Name: store.TTLAttr, Value: store.Int(ReclaimAt(now))})
}

// entomb is the tombstone of a sealed head, with all of its traces.
func entomb(head store.Attrs, now int64) store.Attrs {
	grave := tombstone(now).With(AttrWrite, store.Bytes(string(NewWriteID(now))))
	for _, a := range head {
		if a.Name == attrBirth || a.Name == attrSeal || a.Name[:1] == attrTrace {
			grave = grave.With(a.Name, a.Value)
		}
	}
	return grave
}

// IsConditionError finds the error of a condition that did not hold.
func IsConditionError(err error) (*store.ConditionError, bool) {
	if err == nil {
		return nil, false // what errors.As would find out, but for an allocation
	}
	var ce *store.ConditionError
	ok := errors.As(err, &ce)
	return ce, ok
}
