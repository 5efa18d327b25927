package store

import "math"

// EditKind says what an Edit does.
type EditKind uint8

const (
	EditSet EditKind = iota + 1
	EditDefault
	EditRemove
	EditAdd
	EditAppend
	EditPrepend
	EditRemoveFirst
	EditCopyFirst
)

// Edit changes one attribute of an item. All edits of an update see the item as
// it was before the update.
type Edit struct {
	Kind  EditKind
	Name  string
	Value Value  // of Set, Default, Append, Prepend (a list), Add (the integer)
	From  string // attribute that Add and CopyFirst read
}

// Set gives the attribute a value.
func Set(name string, v Value) Edit { return Edit{Kind: EditSet, Name: name, Value: v} }

// Default gives the attribute a value if it has none.
func Default(name string, v Value) Edit { return Edit{Kind: EditDefault, Name: name, Value: v} }

// Remove takes the attribute away; not an error if there is none.
func Remove(name string) Edit { return Edit{Kind: EditRemove, Name: name} }

// Add sets name to the integer attribute from (0 if there is none) plus delta.
// The result must fit 64 bits: guard it by a condition.
func Add(name, from string, delta int64) Edit {
	return Edit{Kind: EditAdd, Name: name, From: from, Value: Int(delta)}
}

// Append adds elements at the end of a list attribute, which it creates.
func Append(name string, elems []string) Edit {
	return Edit{Kind: EditAppend, Name: name, Value: List(elems)}
}

// Prepend adds elements before the first of a list attribute, which it creates.
func Prepend(name string, elems []string) Edit {
	return Edit{Kind: EditPrepend, Name: name, Value: List(elems)}
}

// RemoveFirst removes the first element of a list attribute. The attribute must exist
// (guard it by a condition); nothing happens to an empty list.
func RemoveFirst(name string) Edit { return Edit{Kind: EditRemoveFirst, Name: name} }

// CopyFirst sets name to the first element of the list attribute from, which
// must have one (guard it by a condition).
func CopyFirst(name, from string) Edit { return Edit{Kind: EditCopyFirst, Name: name, From: from} }

// ApplyEdits computes the item after an update, for implementations that
// evaluate updates themselves. It reports false if an edit meets an attribute
// of another type than it needs, which DynamoDB refuses as invalid.
func ApplyEdits(old Attrs, edits []Edit) (Attrs, bool) {
	next := make(Attrs, 0, len(old)+len(edits))
	next = append(next, old...)
	for _, ed := range edits {
		v, ok := ed.result(old)
		if !ok {
			return nil, false
		}
		i, found := next.find(ed.Name)
		switch {
		case v.IsZero() && found:
			next = append(next[:i], next[i+1:]...)
		case v.IsZero():
		case found:
			next[i].Value = v
		default:
			next = append(next, Attr{})
			copy(next[i+1:], next[i:])
			next[i] = Attr{ed.Name, v}
		}
	}
	return next, true
}

// result is the attribute's new value; zero means that the item has none.
func (ed Edit) result(old Attrs) (Value, bool) {
	cur := old.Get(ed.Name)
	switch ed.Kind {
	case EditSet:
		return ed.Value, true
	case EditDefault:
		if !cur.IsZero() {
			return cur, true
		}
		return ed.Value, true
	case EditRemove:
		return Value{}, true
	case EditAdd:
		from := old.Get(ed.From)
		if from.kind != KindInt && !from.IsZero() {
			return Value{}, false
		}
		a, b := from.num, ed.Value.num
		if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
			return Value{}, false
		}
		return Int(a + b), true
	case EditAppend, EditPrepend:
		if cur.kind != KindList && !cur.IsZero() {
			return Value{}, false
		}
		first, second := cur.list, ed.Value.list
		if ed.Kind == EditPrepend {
			first, second = second, first
		}
		all := make([]string, 0, len(first)+len(second))
		return List(append(append(all, first...), second...)), true
	case EditRemoveFirst:
		if cur.kind != KindList {
			return Value{}, false
		}
		if len(cur.list) == 0 {
			return cur, true
		}
		return List(cur.list[1:]), true
	case EditCopyFirst:
		from := old.Get(ed.From)
		if from.kind != KindList || len(from.list) == 0 {
			return Value{}, false
		}
		return Bytes(from.list[0]), true
	}
	return Value{}, false
}
