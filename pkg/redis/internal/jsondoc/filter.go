package jsondoc

import (
	"strings"
)

// condition is what a filter asks of a value.
type condition interface {
	holds(e *evaluation, at *Value) bool
}

type (
	anyOf  []condition
	allOf  []condition
	not    struct{ condition }
	exists struct{ operand *operand }

	comparison struct {
		op          operator
		left, right *operand
		pattern     *expression // of matches, if the right side is a literal
	}
)

// operand is a literal or a path.
type operand struct {
	literal  *Value
	path     []segment
	fromRoot bool
}

type operator uint8

const (
	equal operator = iota
	unequal
	atMost
	less
	atLeast
	greater
	matches // a regular expression, somewhere
)

// operators in an order in which none comes behind its own beginning.
var operators = []struct {
	symbol string
	op     operator
}{{"==", equal}, {"!=", unequal}, {"<=", atMost}, {"<", less}, {">=", atLeast}, {">", greater}, {"=~", matches}}

func (c anyOf) holds(e *evaluation, at *Value) bool {
	for _, c := range c {
		if e.err != nil || c.holds(e, at) {
			return true
		}
	}
	return false
}

func (c allOf) holds(e *evaluation, at *Value) bool {
	for _, c := range c {
		if !c.holds(e, at) {
			return false
		}
	}
	return true
}

func (c not) holds(e *evaluation, at *Value) bool { return !c.condition.holds(e, at) }

func (c exists) holds(e *evaluation, at *Value) bool {
	if c.operand.literal != nil {
		return true
	}
	if c.operand.fromRoot {
		at = e.root
	}
	found := false
	e.walk(c.operand.path, at, 0, func(*Value, int) bool {
		found = true
		return false
	})
	return found
}

func (c *comparison) holds(e *evaluation, at *Value) bool {
	left, right := e.value(c.left, at), e.value(c.right, at)
	if left == nil || right == nil {
		return c.op == unequal
	}
	switch c.op {
	case matches:
		return left.kind == String && right.kind == String && c.matches(e, left.text, right.text)
	case equal, unequal:
		compared := 0
		is := same(left, right, &compared)
		e.step(compared)
		return is == (c.op == equal)
	}
	order, ok := compare(left, right)
	if !ok {
		return false
	}
	switch c.op {
	case atMost:
		return order <= 0
	case less:
		return order < 0
	case atLeast:
		return order >= 0
	}
	return order > 0
}

func (c *comparison) matches(e *evaluation, s, pattern string) bool {
	re := c.pattern
	if c.right.literal == nil {
		re = e.compile(pattern)
	}
	return re != nil && e.step((1+len(s)/4)*(1+re.instructions/4)) && re.MatchString(s)
}

// maxPatterns is how many patterns from the document an evaluation keeps.
const maxPatterns = 64

func (e *evaluation) compile(pattern string) *expression {
	re, ok := e.patterns[pattern]
	if !ok {
		re = compile(pattern)
		if e.patterns == nil || len(e.patterns) == maxPatterns {
			e.patterns = map[string]*expression{}
		}
		e.patterns[pattern] = re
	}
	return re
}

// value is an operand's value: nil if its path matches nothing, or more than one.
func (e *evaluation) value(o *operand, at *Value) *Value {
	if o.literal != nil {
		return o.literal
	}
	if !o.fromRoot {
		return e.only(o.path, at)
	}
	v, ok := e.roots[o]
	if !ok {
		v = e.only(o.path, e.root)
		if e.roots == nil {
			e.roots = map[*operand]*Value{}
		}
		e.roots[o] = v
	}
	return v
}

func (e *evaluation) only(path []segment, from *Value) *Value {
	var only *Value
	n := 0
	e.walk(path, from, 0, func(v *Value, _ int) bool {
		only = v
		n++
		return n < 2
	})
	if n != 1 {
		return nil
	}
	return only
}

// same is == : numbers by value, others as Equal has it. It adds to compared how many values it has compared.
func same(a, b *Value, compared *int) bool {
	if a.kind == Number && b.kind == Number {
		return compareNumbers(a.text, b.text) == 0
	}
	return equalTo(a, b, compared)
}

// compare orders two scalars of the same kind.
func compare(a, b *Value) (order int, ok bool) {
	if a.kind != b.kind || a.sub != nil {
		return 0, false
	}
	if a.kind == Number {
		return compareNumbers(a.text, b.text), true
	}
	return strings.Compare(a.text, b.text), true // false comes before true
}
