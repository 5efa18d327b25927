package jsondoc

import (
	"iter"
	"slices"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value. The zero Value is null. Elements and members lie in slices of
// their container, so pointers to them are valid until it is changed.
type Value struct {
	kind Kind
	text string     // of a string its content, of a number or boolean its JSON text
	sub  *container // of an array or object
}

// container holds the elements of an array or the members of an object, in order.
type container struct {
	names []string // of an object
	items []Value
	index map[string]int // where a name is, once somebody asked in an object of many members
}

// indexFrom is the number of members from which on an object is worth an index.
const indexFrom = 16

// Constructors.

// NewString makes a string, which must be valid UTF-8.
func NewString(s string) Value { return Value{kind: String, text: s} }

// NewBool makes a boolean.
func NewBool(b bool) Value {
	if b {
		return Value{kind: Bool, text: "true"}
	}
	return Value{kind: Bool, text: "false"}
}

// NewArray makes an array of the elements, whose slice it takes over.
func NewArray(elems []Value) Value { return Value{kind: Array, sub: &container{items: elems}} }

// NewObject makes an object without members.
func NewObject() Value { return Value{kind: Object, sub: &container{}} }

// Kind is the type of the value.
func (v *Value) Kind() Kind { return v.kind }

// TypeName is the type as JSON.TYPE names it. A number without fraction and exponent that fits 64
// bits, with sign or without, is an integer.
func (v *Value) TypeName() string {
	switch v.kind {
	case Bool:
		return "boolean"
	case Number:
		if isInteger(v.text) {
			return "integer"
		}
		return "number"
	case String:
		return "string"
	case Array:
		return "array"
	case Object:
		return "object"
	}
	return "null"
}

// Text is the content of a string, and the JSON text of a number or boolean.
func (v *Value) Text() string { return v.text }

// True reports whether the value is true.
func (v *Value) True() bool { return v.kind == Bool && v.text == "true" }

// Len is the number of elements or members.
func (v *Value) Len() int {
	if v.sub == nil {
		return 0
	}
	return len(v.sub.items)
}

// Elements are the elements of an array and the values of an object's members, to be
// read and changed in place.
func (v *Value) Elements() []Value {
	if v.sub == nil {
		return nil
	}
	return v.sub.items
}

// Names are the names of an object's members, in order.
func (v *Value) Names() []string {
	if v.sub == nil {
		return nil
	}
	return v.sub.names
}

// Members iterates over the members of an object, in order.
func (v *Value) Members() iter.Seq2[string, *Value] {
	return func(yield func(string, *Value) bool) {
		if v.kind != Object {
			return
		}
		for i, name := range v.sub.names {
			if !yield(name, &v.sub.items[i]) {
				return
			}
		}
	}
}

// Member is the object's member of a name, nil if there is none or the value is no object.
func (v *Value) Member(name string) *Value {
	if v.kind != Object {
		return nil
	}
	if i := v.sub.find(name); i >= 0 {
		return &v.sub.items[i]
	}
	return nil
}

// SetMember gives an object's member a value, and makes it the last one if it is new.
func (v *Value) SetMember(name string, member Value) { v.sub.set(name, member) }

// DeleteMember removes an object's member if it is there.
func (v *Value) DeleteMember(name string) {
	i := v.sub.find(name)
	if i < 0 {
		return
	}
	v.sub.names = slices.Delete(v.sub.names, i, i+1)
	v.sub.items = slices.Delete(v.sub.items, i, i+1)
	v.sub.index = nil
}

// Insert puts elements into an array, in front of the one at an index from 0 to its length.
func (v *Value) Insert(i int, elems ...Value) { v.sub.items = slices.Insert(v.sub.items, i, elems...) }

// Cut leaves of an array the elements from one index up to another, exclusive.
func (v *Value) Cut(from, to int) {
	kept := v.sub.items[from:to]
	if len(kept) < cap(v.sub.items)/2 {
		kept = slices.Clone(kept) // what was cut off can be freed
	}
	v.sub.items = kept
}

// Pop removes the element at an index from an array and returns it.
func (v *Value) Pop(i int) Value {
	elem := v.sub.items[i]
	v.sub.items = slices.Delete(v.sub.items, i, i+1)
	return elem
}

func (c *container) find(name string) int {
	if c.index == nil {
		if len(c.names) < indexFrom {
			return slices.Index(c.names, name)
		}
		c.buildIndex()
	}
	if i, ok := c.index[name]; ok {
		return i
	}
	return -1
}

func (c *container) buildIndex() {
	c.index = make(map[string]int, len(c.names))
	for i, name := range c.names {
		c.index[name] = i
	}
}

// unite leaves of members of the same name the last one, in the place of the first.
func (c *container) unite() {
	repeated := false
	if len(c.names) < indexFrom {
		for i, name := range c.names {
			repeated = repeated || slices.Contains(c.names[:i], name)
		}
	} else {
		c.buildIndex()
		repeated = len(c.index) < len(c.names)
	}
	if !repeated {
		return
	}
	all := *c
	*c = container{}
	for i, name := range all.names {
		c.set(name, all.items[i])
	}
}

func (c *container) set(name string, v Value) {
	if i := c.find(name); i >= 0 {
		c.items[i] = v
		return
	}
	if c.index != nil {
		c.index[name] = len(c.names)
	}
	c.names = append(c.names, name)
	c.items = append(c.items, v)
}

// Clone is a copy that shares no containers with the value.
func (v *Value) Clone() Value {
	if v.sub == nil {
		return *v
	}
	c := &container{names: slices.Clone(v.sub.names), items: make([]Value, len(v.sub.items))}
	for i := range v.sub.items {
		c.items[i] = v.sub.items[i].Clone()
	}
	return Value{kind: v.kind, sub: c}
}

// Depth is how many containers lie in each other: 0 for a scalar.
func (v *Value) Depth() int {
	if v.sub == nil {
		return 0
	}
	deepest := 0
	for i := range v.sub.items {
		deepest = max(deepest, v.sub.items[i].Depth())
	}
	return deepest + 1
}

// Size is about how many bytes of memory the value takes.
func (v *Value) Size() int64 {
	const value, name, header = 32, 16, 64
	n := int64(value + len(v.text))
	if v.sub == nil {
		return n
	}
	n += header
	for _, s := range v.sub.names {
		n += name + int64(len(s))
	}
	for i := range v.sub.items {
		n += v.sub.items[i].Size()
	}
	return n
}

// Equal reports whether two values are the same. An integer never equals a number
// with a fraction or exponent, whatever their values; the order of members does not matter.
func Equal(a, b *Value) bool {
	compared := 0
	return equalTo(a, b, &compared)
}

// equalTo is Equal. It adds to compared how many values it has compared.
func equalTo(a, b *Value, compared *int) bool {
	*compared += 1 + len(a.text)/64
	if a.kind != b.kind || a.Len() != b.Len() {
		return false
	}
	switch a.kind {
	case Number:
		return isInteger(a.text) == isInteger(b.text) && compareNumbers(a.text, b.text) == 0
	case Bool, String:
		return a.text == b.text
	case Array:
		for i := range a.sub.items {
			if !equalTo(&a.sub.items[i], &b.sub.items[i], compared) {
				return false
			}
		}
	case Object:
		for name, v := range a.Members() {
			if w := b.Member(name); w == nil || !equalTo(v, w, compared) {
				return false
			}
		}
	}
	return true
}
