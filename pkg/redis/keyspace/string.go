package keyspace

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/internal/rdb"
	"github.com/skystash/skystash/pkg/store"
)

// stringValue is a string, which may not have been read yet if it is in chunks, or decompressed.
type stringValue struct {
	tx  *Txn
	obj *object

	s      string
	loaded bool
	length int64
	packed string // as an inline head has it, if that is compressed
}

func decodeString(tx *Txn, o *object, as store.Attrs) *stringValue {
	v := &stringValue{tx: tx, obj: o}
	v.decode(as)
	return v
}

func (v *stringValue) decode(as store.Attrs) {
	if v.obj.gen != "" {
		v.length = as.Get(attrCount).Num()
		return
	}
	t := headText(as)
	v.s, v.loaded, v.length, v.packed = t.plain, t.known(), int64(t.len()), t.packed
}

// headText is the string in an inline head.
func headText(as store.Attrs) text {
	if n := as.Get(attrNumber); !n.IsZero() {
		return text{plain: strconv.FormatInt(n.Num(), 10)}
	}
	return textOf(as)
}

// newString is an object with a string.
func (tx *Txn) newString(s string, expires int64) *object {
	o := &object{typ: typeString, expires: expires}
	o.value = &stringValue{tx: tx, obj: o, s: s, loaded: true, length: int64(len(s))}
	return o
}

// str is the string of an object or, of a JSON document, its text; nil if it is of another type.
func (o *object) str() *stringValue {
	switch v := o.value.(type) {
	case *stringValue:
		return v
	case *Document:
		return &v.stringValue
	}
	return nil
}

func (v *stringValue) belongTo(*entry) {}
func (v *stringValue) empty() bool     { return false }
func (v *stringValue) materialise()    {}

func (v *stringValue) encode(u *update) (spread bool) {
	switch {
	case v.obj.gen != "": // unchanged: a changed string is another object
		u.set(attrCount, store.Int(v.length))
		return true
	case len(v.s) > InlineString:
		v.tx.regenerate(v.obj)
		for i := 0; i*ChunkSize < len(v.s); i++ {
			chunk := v.s[i*ChunkSize : min((i+1)*ChunkSize, len(v.s))]
			u.add(chunkSort(i), store.Attrs{v.tx.stored(text{plain: chunk}, 0)})
		}
		u.set(attrCount, store.Int(int64(len(v.s))))
		return true
	case v.packed != "": // unchanged
		u.head = append(u.head, text{packed: v.packed}.attr())
	default:
		a, tried := stringAttr(u.ent.key, v.s)
		v.tx.spend(deflateWork * tried)
		u.head = append(u.head, a)
	}
	return false
}

// copied is the same string for another object.
func (v *stringValue) copied(o *object) stringValue {
	c := *v
	c.obj = o
	if v.obj.gen != "" {
		c.s, c.loaded = v.text(), true
	}
	v.tx.Take(int64(len(c.s) + len(c.packed)))
	return c
}

func (v *stringValue) copyTo(key string) {
	o := &object{typ: typeString}
	c := v.copied(o)
	o.value = &c
	v.tx.replace(v.tx.entry(key), o)
}

func (v *stringValue) dump(fits func(n int) bool) rdb.Value {
	if !fits(int(v.length)) {
		return rdb.Value{}
	}
	return rdb.Value{Kind: rdb.String, String: v.text()}
}

func (v *stringValue) size(int64) int64 { return v.length }

func (v *stringValue) encoding() string {
	if v.length > embstrLimit {
		return "raw"
	}
	if _, ok := num.ParseInt(v.text()); ok {
		return "int"
	}
	return "embstr"
}

// String returns a string key's value; not ok if there is no such key.
func (tx *Txn) String(key string) (s string, ok bool, err error) {
	o, err := tx.typed(key, typeString)
	if o == nil {
		return "", false, err
	}
	s = o.str().text()
	tx.spend(int64(len(s)))
	return s, true, nil
}

// StringLen returns a string key's length without reading a long one; 0 if there is no such key.
func (tx *Txn) StringLen(key string) (int64, error) {
	o, err := tx.typed(key, typeString)
	if o == nil {
		return 0, err
	}
	return o.str().length, nil
}

// text is the string, which is read or decompressed if need be.
func (v *stringValue) text() string {
	tx := v.tx
	if v.loaded {
		return v.s
	}
	if v.obj.gen == "" {
		v.s, v.loaded = tx.keep(text{packed: v.packed}), true
		return v.s
	}
	if tx.Hold(v.length); tx.err != nil {
		return ""
	}
	var whole strings.Builder
	whole.Grow(int(v.length))
	q := store.Query{Partition: ElemPartition(tx.view.db, v.obj.gen), From: elemChunk, To: store.PrefixEnd(elemChunk)}
	for it := range tx.query(q) {
		if chunk := textOf(it.Attrs); int64(whole.Len()+chunk.len()) <= v.length {
			whole.WriteString(tx.open(chunk))
		}
	}
	if tx.err == nil && int64(whole.Len()) != v.length {
		// Overwritten while we were reading it: run again.
		tx.Fail(fmt.Errorf("reading chunks: %w", store.ErrConflict))
	}
	v.s, v.loaded = whole.String(), true
	return v.s
}

// StringToRewrite is the string at a key that is about to become another one of a number of bytes. If there is no room for
// both, it is not read.
func (tx *Txn) StringToRewrite(key string, size int64) (string, error) {
	o, err := tx.typed(key, typeString)
	if err != nil {
		return "", err
	}
	if o != nil && !o.str().loaded {
		size += o.str().length
	}
	if !tx.Room(size) {
		return "", tx.err
	}
	s, _, err := tx.String(key)
	return s, err
}

// StringRange returns the bytes from start to end, both inclusive, of a string
// key that is known to have them, reading no more of a long string than need be.
func (tx *Txn) StringRange(key string, start, end int64) string {
	v := tx.entry(key).obj.str()
	if v.obj.gen == "" || v.loaded {
		if s := v.text(); end < int64(len(s)) {
			return s[start : end+1]
		}
		return "" // it is malformed, and the transaction has failed
	}
	first, last := start/ChunkSize, end/ChunkSize
	buf := make([]byte, 0, (last-first+1)*ChunkSize)
	for it := range tx.query(store.Query{
		Partition: ElemPartition(tx.view.db, v.obj.gen), From: chunkSort(int(first)), To: chunkSort(int(last + 1)),
	}) {
		buf = append(buf, tx.open(textOf(it.Attrs))...)
	}
	from, to := start-first*ChunkSize, end-first*ChunkSize+1
	if int64(len(buf)) < to {
		tx.Fail(store.ErrConflict) // overwritten while we were reading it
		return ""
	}
	return string(buf[from:to])
}

// SetString makes the key hold a string. A new key does not expire; expiry of an existing
// key, of whatever type, is kept only with keepTTL.
func (tx *Txn) SetString(key, s string, keepTTL bool) {
	ent := tx.entry(key)
	var expires int64
	if keepTTL && ent.obj != nil {
		expires = ent.obj.expires
	}
	tx.Take(int64(len(s)))
	tx.replace(ent, tx.newString(s, expires))
}

// Given makes a string of bytes that nobody changes any more, without copying them.
func Given(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// AppendString appends to the string at a key, which holds one or nothing. A string that is appended to again and again
// is copied once for each doubling: the strings that it was before are beginnings of the same memory. Nobody
// sees what is behind their ends, and only the longest of them is appended to in place.
func (tx *Txn) AppendString(key, more string) {
	ent := tx.entry(key)
	o := ent.obj
	if o == nil || o.str() == nil {
		tx.SetString(key, more, true)
		return
	}
	s := o.str().text()
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
		if tx.Take(int64(room)); tx.err != nil {
			return
		}
		tail = append(make([]byte, 0, room), s...)
		tx.Hold(-int64(len(s))) // which is garbage now
	}
	tx.spend(int64(len(more)))
	tail = append(tail, more...)
	tx.tail = tail
	ent.obj = tx.newString(Given(tail), o.expires)
	tx.abandon(o)
	ent.change()
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
		head = append(head, store.Attr{Name: store.TTLAttr, Value: store.Int(ReclaimAt(expires))})
	}
	return head
}
