package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is the type of a Value.
type Kind uint8

const (
	KindBytes Kind = iota + 1 // a byte string, possibly empty
	KindInt                   // a 64-bit integer
	KindList                  // a list of byte strings
)

// Value is an attribute's value. It is immutable; the zero Value is no value.
type Value struct {
	kind Kind
	num  int64
	str  string
	list []string
}

// Bytes makes a byte string value; the string holds arbitrary bytes.
func Bytes(s string) Value { return Value{kind: KindBytes, str: s} }

// Int makes an integer value.
func Int(n int64) Value { return Value{kind: KindInt, num: n} }

// List makes a list value. The slice must not be changed afterwards.
func List(elems []string) Value { return Value{kind: KindList, list: elems} }

// Kind is 0 for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Str is the byte string of a KindBytes value, otherwise "".
func (v Value) Str() string { return v.str }

// Num is the integer of a KindInt value, otherwise 0.
func (v Value) Num() int64 { return v.num }

// Elems is the list of a KindList value; it must not be changed.
func (v Value) Elems() []string { return v.list }

// IsZero reports whether v is no value at all.
func (v Value) IsZero() bool { return v.kind == 0 }

// Equal reports whether two values have the same type and content.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.num == w.num && v.str == w.str && slices.Equal(v.list, w.list)
}

// Size is the number of bytes that DynamoDB counts for the value, rounded up
// where its rule is not exact.
func (v Value) Size() int {
	switch v.kind {
	case KindBytes:
		return len(v.str)
	case KindInt:
		// One byte for each two significant digits, plus one; a sign adds one.
		return (len(strconv.FormatInt(v.num, 10))+1)/2 + 2
	case KindList:
		n := 3
		for _, e := range v.list {
			n += 1 + len(e)
		}
		return n
	}
	return 0
}

func (v Value) String() string {
	switch v.kind {
	case KindBytes:
		return strconv.Quote(v.str)
	case KindInt:
		return strconv.FormatInt(v.num, 10)
	case KindList:
		return fmt.Sprintf("%q", v.list)
	}
	return "none"
}

// Attr is a named value. The name is valid UTF-8 and not empty.
type Attr struct {
	Name  string
	Value Value
}

// Attrs are the attributes of an item, sorted by name, each name once. They are
// shared freely and must not be changed in place; With and Without copy.
type Attrs []Attr

// NewAttrs sorts the attributes by name. Zero values are left out; of
// attributes with the same name the last stays. It takes over the slice.
func NewAttrs(attrs ...Attr) Attrs {
	slices.SortStableFunc(attrs, func(a, b Attr) int { return strings.Compare(a.Name, b.Name) })
	out := attrs[:0]
	for i, a := range attrs {
		if i+1 < len(attrs) && attrs[i+1].Name == a.Name || a.Value.IsZero() {
			continue
		}
		out = append(out, a)
	}
	if out == nil {
		out = Attrs{}
	}
	return out
}

func (as Attrs) find(name string) (int, bool) {
	if len(as) <= 8 { // faster than halving it
		for i := range as {
			if as[i].Name >= name {
				return i, as[i].Name == name
			}
		}
		return len(as), false
	}
	return slices.BinarySearchFunc(as, name, func(a Attr, n string) int { return strings.Compare(a.Name, n) })
}

// Get returns the attribute's value, the zero Value if there is none.
func (as Attrs) Get(name string) Value {
	if i, ok := as.find(name); ok {
		return as[i].Value
	}
	return Value{}
}

// Has reports whether there is such an attribute.
func (as Attrs) Has(name string) bool {
	_, ok := as.find(name)
	return ok
}

// With is a copy with one attribute set (or removed, by the zero Value).
func (as Attrs) With(name string, v Value) Attrs {
	i, ok := as.find(name)
	out := make(Attrs, 0, len(as)+1)
	out = append(out, as[:i]...)
	if !v.IsZero() {
		out = append(out, Attr{name, v})
	}
	if ok {
		i++
	}
	return append(out, as[i:]...)
}

// Insert sets an attribute, in place if there is room: what it is called on must not be
// used any more.
func (as Attrs) Insert(name string, v Value) Attrs {
	i, ok := as.find(name)
	if ok {
		as[i].Value = v
		return as
	}
	return slices.Insert(as, i, Attr{name, v})
}

// Without is a copy that lacks the attribute.
func (as Attrs) Without(name string) Attrs { return as.With(name, Value{}) }

// Equal reports whether both hold the same attributes; an item without
// attributes differs from no item.
func (as Attrs) Equal(bs Attrs) bool {
	return (as == nil) == (bs == nil) &&
		slices.EqualFunc(as, bs, func(a, b Attr) bool { return a.Name == b.Name && a.Value.Equal(b.Value) })
}

// Size is the number of bytes of the names and values, as DynamoDB counts them.
// The key's bytes come on top.
func (as Attrs) Size() int {
	n := 0
	for _, a := range as {
		n += len(a.Name) + a.Value.Size()
	}
	return n
}

// Size is the number of bytes that count towards MaxItemSize: the key, its two
// one-letter names and the attributes.
func (it Item) Size() int {
	return 2 + len(it.Key.Partition) + len(it.Key.Sort) + it.Attrs.Size()
}
