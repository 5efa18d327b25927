package redis

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/store"
)

// Types of a key, as the attribute t has them for inline values. The spread
// encoding has the upper-case letter.
const (
	typeString = "s"
	typeList   = "l"
	typeHash   = "h"
	typeSet    = "u"
	typeZSet   = "z"
	typeStream = "x"
	typeJSON   = "j"
)

// spreadStream is the type in the head of a spread stream.
const spreadStream = "X"

const (
	// inlineLimit is the size of a head (bytes) beyond which a collection is spread.
	inlineLimit = 4 << 10
	// inlineString is the size of a string (bytes) beyond which it is stored in chunks.
	inlineString = 350 << 10
	chunkSize    = 350 << 10
)

// typeName is a type as TYPE replies it.
func typeName(typ string) string {
	switch typ {
	case typeString:
		return "string"
	case typeList:
		return "list"
	case typeHash:
		return "hash"
	case typeSet:
		return "set"
	case typeZSet:
		return "zset"
	case typeStream:
		return "stream"
	case typeJSON:
		return "ReJSON-RL"
	}
	return "none"
}

// object is a key's value as a transaction sees it. Exactly one of the value
// fields is in use.
type object struct {
	typ     string // typeString ...
	expires int64  // Unix ms; 0: never
	gen     string // generation of a spread value; "" if it is inline
	fresh   bool   // gen is this transaction's own: nobody can see it yet
	moved   bool   // gen comes from another key
	sweep   int64  // when expired fields of a spread hash are to be deleted, Unix ms; 0: there are none

	str     *stringValue // of a string or, as its text, a JSON document
	list    *List
	members *members // of a hash, set or sorted set
	stream  *Stream
	doc     *jsondoc.Value // what str says, once a command has asked
}

// stringValue is a string, which may not have been read yet if it is in chunks, or decompressed.
type stringValue struct {
	s      string
	loaded bool
	size   int64
	packed string // as an inline head has it, if that is compressed
}

// empty reports whether the object is a collection without elements, which is no key.
func (o *object) empty() bool {
	switch {
	case o.list != nil:
		return o.list.Len() == 0
	case o.members != nil:
		return o.members.len() == 0
	}
	return false
}

// materialise takes the value out of the attributes it is lazily read from.
func (o *object) materialise() {
	if o.members != nil {
		o.members.decode()
	}
}

// touch makes the commit write the head, though nothing in it has changed.
func (ent *entry) touch() {
	if ent.obj != nil {
		ent.obj.materialise()
	}
	ent.dirty = true
}

// emptyHead reports whether an inline collection's head has no live element.
func emptyHead(as store.Attrs, now int64) bool {
	switch as.Get(attrType).Str() {
	case typeList:
		return len(as.Get(attrList).Elems()) == 0
	case typeHash, typeSet, typeZSet:
		for _, a := range as {
			if isMemberAttr(a.Name) && !fieldExpired(as, a.Name, now) {
				return false
			}
		}
		return true
	}
	return false
}

// fieldExpired reports whether the member attribute's field has expired.
func fieldExpired(as store.Attrs, name string, now int64) bool {
	exp := fieldExpiry(as, name)
	return exp != 0 && exp <= now
}

// fieldExpiry is the expiry (Unix ms) of the field of a member attribute, 0 if it has none.
func fieldExpiry(as store.Attrs, name string) int64 {
	if last := as[len(as)-1].Name; last[0] != attrFieldExp && as[0].Name[0] > attrFieldExp64 {
		return 0 // the common case: no field expires
	}
	exp := byte(attrFieldExp)
	if name[0] == attrMember64 {
		exp = attrFieldExp64
	}
	return as.Get(string(exp) + name[1:]).Num()
}

// decodeHead is the live object in a head, nil if there is none: no item,
// expired, or an empty collection.
func (tx *Txn) decodeHead(ent *entry, as store.Attrs) *object {
	if as == nil {
		return nil
	}
	o := &object{expires: as.Get(attrExpiry).Num(), gen: as.Get(attrGen).Str(), sweep: as.Get(attrSweep).Num()}
	if o.expires != 0 && o.expires <= tx.now {
		return nil
	}
	t := as.Get(attrType).Str()
	if len(t) != 1 {
		return nil
	}
	o.typ = string(t[0] | 0x20)
	switch o.typ {
	case typeString, typeJSON:
		o.str = decodeString(as, o.gen)
	case typeList:
		o.list = decodeList(tx, ent, o, as)
	case typeStream:
		o.stream = decodeStream(tx, ent, o, as)
	default:
		o.members = newMembers(tx, ent, o)
		o.members.attrs = as
		if o.gen != "" {
			o.members.n = as.Get(attrCount).Num()
		}
	}
	if o.gen == "" && o.str == nil && emptyHead(as, tx.now) {
		return nil
	}
	return o
}

func decodeString(as store.Attrs, gen string) *stringValue {
	if gen != "" {
		return &stringValue{size: as.Get(attrCount).Num()}
	}
	t := headText(as)
	return &stringValue{s: t.plain, loaded: t.known(), size: int64(t.len()), packed: t.packed}
}

// headText is the string in an inline head.
func headText(as store.Attrs) text {
	if n := as.Get(attrNumber); !n.IsZero() {
		return text{plain: strconv.FormatInt(n.Num(), 10)}
	}
	return textOf(as)
}

// Strings.

// String returns a string key's value; not ok if there is no such key.
func (tx *Txn) String(key string) (s string, ok bool, err error) {
	o, err := tx.typed(key, typeString)
	if o == nil {
		return "", false, err
	}
	s = tx.stringOf(o)
	tx.spend(int64(len(s)))
	return s, true, nil
}

// StringLen returns a string key's length without reading a long one; 0 if there is no such key.
func (tx *Txn) StringLen(key string) (int64, error) {
	o, err := tx.typed(key, typeString)
	if o == nil {
		return 0, err
	}
	return o.str.size, nil
}

func (tx *Txn) stringOf(o *object) string {
	if o.str.loaded {
		return o.str.s
	}
	if o.gen == "" {
		o.str.s, o.str.loaded = tx.keep(text{packed: o.str.packed}), true
		return o.str.s
	}
	if tx.hold(o.str.size); tx.err != nil {
		return ""
	}
	var whole strings.Builder
	whole.Grow(int(o.str.size))
	q := store.Query{Partition: elemPartition(tx.view.db, o.gen), From: elemChunk, To: store.PrefixEnd(elemChunk)}
	for it := range tx.query(q) {
		if chunk := textOf(it.Attrs); int64(whole.Len()+chunk.len()) <= o.str.size {
			whole.WriteString(tx.open(chunk))
		}
	}
	if tx.err == nil && int64(whole.Len()) != o.str.size {
		// Overwritten while we were reading it: run again.
		tx.fail(fmt.Errorf("reading chunks: %w", store.ErrConflict))
	}
	o.str.s, o.str.loaded = whole.String(), true
	return o.str.s
}

// SetString makes the key hold a string. A new key does not expire; expiry of an existing
// key, of whatever type, is kept only with keepTTL.
func (tx *Txn) SetString(key, s string, keepTTL bool) {
	ent := tx.entry(key)
	var expires int64
	if keepTTL && ent.obj != nil {
		expires = ent.obj.expires
	}
	tx.take(int64(len(s)))
	tx.replace(ent, &object{typ: typeString, expires: expires, str: &stringValue{s: s, loaded: true, size: int64(len(s))}})
}

// given makes a string of bytes that nobody changes any more, without copying them.
func given(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// AppendString appends to the string at a key, which holds one or nothing. A string that is appended to again and again
// is copied once for each doubling: the strings that it was before are beginnings of the same memory. Nobody
// sees what is behind their ends, and only the longest of them is appended to in place.
func (tx *Txn) AppendString(key, more string) {
	ent := tx.entry(key)
	o := ent.obj
	if o == nil || o.str == nil {
		tx.SetString(key, more, true)
		return
	}
	s := tx.stringOf(o)
	if tx.err != nil {
		return
	}
	size := len(s) + len(more)
	room := size
	tail := tx.tail
	if len(tail) == len(s) && unsafe.StringData(s) == unsafe.SliceData(tail) {
		room = 2 * size // it is not the first time
	} else {
		tail = nil
	}
	if cap(tail) < size {
		if tx.take(int64(room)); tx.err != nil {
			return
		}
		tail = append(make([]byte, 0, room), s...)
		tx.hold(-int64(len(s))) // which is garbage now
	}
	tx.spend(int64(len(more)))
	tail = append(tail, more...)
	tx.tail = tail
	ent.obj = &object{typ: typeString, expires: o.expires, str: &stringValue{s: given(tail), loaded: true, size: int64(size)}}
	tx.abandon(o)
	ent.dirty = true
}

// stringAttr holds a string in the head of a key: as a number if it is one, so that INCR can add to it blindly. tried is as
// textFor has it.
func stringAttr(key, s string) (a store.Attr, tried int64) {
	if n, ok := num.ParseInt(s); ok {
		return store.Attr{Name: attrNumber, Value: store.Int(n)}, 0
	}
	t, tried := textFor(s, len(key))
	return t.attr(), tried
}

// stringHead are the attributes of the head of an inline string, or JSON document, but for the
// write id, in order of their names. There is room for the id. value is what stringAttr makes.
func stringHead(typ string, value store.Attr, expires int64) store.Attrs {
	room := 3
	if expires != 0 {
		room += 2
	}
	head := make(store.Attrs, 0, room)
	if expires != 0 {
		head = append(head, store.Attr{Name: attrExpiry, Value: store.Int(expires)})
	}
	kind := store.Attr{Name: attrType, Value: store.Bytes(typ)}
	if value.Name < attrType {
		head = append(head, value, kind)
	} else {
		head = append(head, kind, value)
	}
	if expires != 0 {
		head = append(head, store.Attr{Name: store.TTLAttr, Value: store.Int(reclaimAt(expires))})
	}
	return head
}
