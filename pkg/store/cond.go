package store

// Cond is a condition on one item. The set of implementations is closed:
// And, Or, Not, Exists, Absent and Compare.
//
// A missing item has no attributes. A comparison is false if the attribute is
// missing or has another type, except that Ne is then true.
type Cond interface{ cond() }

// And holds if all of its conditions hold.
type And []Cond

// Or holds if at least one of its conditions holds.
type Or []Cond

// Not negates.
type Not struct{ Cond Cond }

// Exists holds if the item has the attribute.
type Exists string

// Absent holds if the item lacks the attribute (or does not exist).
type Absent string

// Cmp is a comparison operator.
type Cmp uint8

const (
	CmpEq Cmp = iota + 1
	CmpNe
	CmpLt
	CmpLe
	CmpGt
	CmpGe
)

// Compare compares an attribute with a value, byte strings bytewise; or, with
// Size, the attribute's size (bytes of a byte string, elements of a list) with
// an integer.
type Compare struct {
	Name  string
	Cmp   Cmp
	Value Value
	Size  bool
}

// Comparisons of an attribute with a value.
func Eq(name string, v Value) Compare { return Compare{Name: name, Cmp: CmpEq, Value: v} }
func Ne(name string, v Value) Compare { return Compare{Name: name, Cmp: CmpNe, Value: v} }
func Lt(name string, v Value) Compare { return Compare{Name: name, Cmp: CmpLt, Value: v} }
func Le(name string, v Value) Compare { return Compare{Name: name, Cmp: CmpLe, Value: v} }
func Gt(name string, v Value) Compare { return Compare{Name: name, Cmp: CmpGt, Value: v} }
func Ge(name string, v Value) Compare { return Compare{Name: name, Cmp: CmpGe, Value: v} }

// Same holds if the attribute still is what was read of it: v, or absent where v is zero.
func Same(name string, v Value) Cond {
	if v.IsZero() {
		return Absent(name)
	}
	return Eq(name, v)
}

// SizeGt holds if the attribute's size is greater than n.
func SizeGt(name string, n int64) Compare {
	return Compare{Name: name, Cmp: CmpGt, Value: Int(n), Size: true}
}

func (And) cond()     {}
func (Or) cond()      {}
func (Not) cond()     {}
func (Exists) cond()  {}
func (Absent) cond()  {}
func (Compare) cond() {}

// Holds evaluates a condition on an item (nil attributes: no item), for
// implementations that do so themselves. The nil condition holds.
func Holds(c Cond, as Attrs) bool {
	switch c := c.(type) {
	case nil:
		return true
	case And:
		for _, sub := range c {
			if !Holds(sub, as) {
				return false
			}
		}
		return true
	case Or:
		for _, sub := range c {
			if Holds(sub, as) {
				return true
			}
		}
		return false
	case Not:
		return !Holds(c.Cond, as)
	case Exists:
		return as.Has(string(c))
	case Absent:
		return !as.Has(string(c))
	case Compare:
		return c.holds(as.Get(c.Name))
	}
	return false
}

func (c Compare) holds(v Value) bool {
	if c.Size {
		switch v.kind {
		case KindBytes:
			v = Int(int64(len(v.str)))
		case KindList:
			v = Int(int64(len(v.list)))
		default:
			return c.Cmp == CmpNe
		}
	}
	switch c.Cmp {
	case CmpEq:
		return v.Equal(c.Value)
	case CmpNe:
		return !v.Equal(c.Value)
	}
	if v.kind != c.Value.kind {
		return false
	}
	var less, equal bool
	switch v.kind {
	case KindInt:
		less, equal = v.num < c.Value.num, v.num == c.Value.num
	case KindBytes:
		less, equal = v.str < c.Value.str, v.str == c.Value.str
	default:
		return false
	}
	switch c.Cmp {
	case CmpLt:
		return less
	case CmpLe:
		return less || equal
	case CmpGt:
		return !less && !equal
	case CmpGe:
		return !less
	}
	return false
}
