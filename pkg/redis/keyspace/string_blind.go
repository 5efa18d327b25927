package keyspace

import (
	"math"

	"github.com/skystash/skystash/pkg/store"
)

// StringPut says how a string is put at a key.
type StringPut struct {
	Expires  int64 // Unix ms; 0: never
	KeepTTL  bool  // the key keeps its expiry
	New      bool  // on condition that there is no key
	Existing bool  // on condition that the key exists
	Known    bool  // what is overwritten must be a string, which OldString then tells
}

// SetString puts a string. It must leave no generation behind, and be sure of the old value where the options ask
// about it.
func (b *Blind) SetString(value string, put StringPut) *Plan {
	if len(value) > InlineString {
		return nil
	}
	isString := store.Eq(attrType, store.Bytes(typeString))
	var cond store.Cond
	switch {
	case put.New:
		cond = store.And{store.Absent(AttrGen), store.Or{store.Absent(attrType), store.Le(attrExpiry, store.Int(b.now))}}
	case put.Existing:
		cond = store.And{isString, b.live()}
	case put.KeepTTL:
		cond = b.liveOr(typeString)
	case put.Known:
		cond = store.Or{store.Absent(attrType), isString}
	default:
		cond = store.Absent(AttrGen)
	}
	held := b.stringAttr(b.name, value)
	if put.KeepTTL {
		return &Plan{Op: store.Update(b.key, cond, stringEdits(typeString, held)...)}
	}
	return &Plan{Op: store.Put(b.key, stringHead(typeString, held, put.Expires), cond)}
}

// stringAttr is stringAttr. It counts the work.
func (b *Blind) stringAttr(key, s string) store.Attr {
	a, tried := stringAttr(key, s)
	b.work += deflateWork * tried
	return a
}

// stringEdits put a string, or a JSON document, in the place of another one. value is what stringAttr makes.
func stringEdits(typ string, value store.Attr) []store.Edit {
	edits := append(make([]store.Edit, 0, 8), store.Set(attrType, store.Bytes(typ)), store.Set(value.Name, value.Value))
	for _, name := range []string{AttrValue, attrNumber, attrPacked} {
		if name != value.Name {
			edits = append(edits, store.Remove(name))
		}
	}
	return edits
}

// OldString is the string in a head that is known to be inline; not ok if there is none, or it has expired. The error
// says that it is malformed.
func (b *Blind) OldString(old store.Attrs) (s string, ok bool, err error) {
	if old == nil || expired(old, b.now) {
		return "", false, nil
	}
	t := headText(old)
	if s, err = t.open(); err != nil {
		return "", false, err
	}
	if t.packed != "" {
		b.work += inflateWork * int64(len(s))
	}
	return s, true, nil
}

// DeleteString deletes an inline string.
func (b *Blind) DeleteString() *Plan { return &Plan{Op: store.Delete(b.key, b.liveAs(typeString))} }

// ExpireString makes an inline string expire at a time (Unix ms), 0: never.
func (b *Blind) ExpireString(at int64) *Plan {
	return &Plan{Op: store.Update(b.key, b.liveAs(typeString), expireEdits(at)...)}
}

// SetStrings puts strings at several keys, none of which leaves a generation behind or, if they are to be new, is there.
func (b *Blind) SetStrings(values map[string]string, isNew bool) *Plan {
	cond := store.Cond(store.Absent(AttrGen))
	if isNew {
		cond = store.Absent(attrType)
	}
	return b.putStrings(typeString, values, cond)
}

// putStrings is one commit of puts of strings, or JSON documents, by their keys. It is
// nil if that would be too large.
func (b *Blind) putStrings(typ string, values map[string]string, cond store.Cond) *Plan {
	p := &Plan{Fixed: true}
	p.Op.If = cond
	size := 0
	for key, value := range values {
		if len(value) > InlineString {
			return nil
		}
		head := stringHead(typ, b.stringAttr(key, value), 0)
		if size += len(key) + head.Size() + 128; size > store.MaxCommitSize {
			return nil
		}
		p.Puts = append(p.Puts, keyedPut{key, head})
	}
	return p
}

// Add adds to a string that is an integer, or to 0 if there is none. Its result is the sum.
func (b *Blind) Add(delta int64) *Plan {
	var limit store.Cond = store.Le(attrNumber, store.Int(math.MaxInt64-max(delta, 0)))
	if delta < 0 {
		limit = store.Ge(attrNumber, store.Int(math.MinInt64-delta))
	}
	cond := store.And{
		store.Or{store.Absent(attrType), store.And{store.Eq(attrType, store.Bytes(typeString)), limit}},
		b.live(),
	}
	return &Plan{
		Op:    store.Update(b.key, cond, store.Set(attrType, store.Bytes(typeString)), store.Add(attrNumber, attrNumber, delta)),
		Trace: store.Add("", attrNumber, delta),
	}
}

// Number is the integer in a head, 0 if there is none.
func (b *Blind) Number(old store.Attrs) int64 { return old.Get(attrNumber).Num() }
