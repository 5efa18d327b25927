package dynamo

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/skystash/skystash/pkg/store"
)

// expression builds the expressions of one request, which share their
// placeholders. It writes as little text as it can: the length is limited, and
// short names and values are what most requests consist of.
type expression struct {
	text      []byte
	operators int

	names  map[string]string // placeholder to attribute name, as the request carries it
	values map[string]types.AttributeValue
	known  map[string]string // attribute name to placeholder

	zero, none string // placeholders of the integer 0 and of the empty list
}

const digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// placeholder is the nth name after a mark, # or :.
func placeholder(mark byte, n int) string {
	var buf [16]byte
	i := len(buf)
	for ; n >= 0; n = n/len(digits) - 1 {
		i--
		buf[i] = digits[n%len(digits)]
	}
	i--
	buf[i] = mark
	return string(buf[i:])
}

func (e *expression) write(s string) { e.text = append(e.text, s...) }

// name writes an attribute's name. Single letters, none of which is a reserved
// word, stand for themselves; all others go through a placeholder.
func (e *expression) name(attr string) {
	if len(attr) == 1 && (attr[0]|0x20 >= 'a' && attr[0]|0x20 <= 'z') {
		e.text = append(e.text, attr[0])
		return
	}
	p, ok := e.known[attr]
	if !ok {
		if e.names == nil {
			e.names, e.known = map[string]string{}, map[string]string{}
		}
		p = placeholder('#', len(e.names))
		e.names[p], e.known[attr] = attr, p
	}
	e.write(p)
}

func (e *expression) value(v store.Value) { e.write(e.bind(encode(v))) }

func (e *expression) bind(av types.AttributeValue) string {
	if e.values == nil {
		e.values = map[string]types.AttributeValue{}
	}
	p := placeholder(':', len(e.values))
	e.values[p] = av
	return p
}

// take returns the expression written so far and makes room for the next; nil
// if nothing was written.
func (e *expression) take() (*string, error) {
	if len(e.text) == 0 {
		return nil, nil
	}
	if len(e.text) > maxExpression || e.operators > maxOperators {
		return nil, tooLarge("expression of %d bytes and %d operators", len(e.text), e.operators)
	}
	s := string(e.text)
	e.text, e.operators = e.text[:0], 0
	return &s, nil
}

// Conditions that are always or never met, for any item.
var (
	always = store.Or{store.Exists(store.TTLAttr), store.Absent(store.TTLAttr)}
	never  = store.And{store.Exists(store.TTLAttr), store.Absent(store.TTLAttr)}
)

// condition writes a condition. An inner one stands inside another and is put in
// parentheses if it has to be; superfluous ones are an error to DynamoDB.
func (e *expression) condition(c store.Cond, inner bool) {
	switch c := c.(type) {
	case nil:
		e.condition(always, inner)
	case store.And:
		e.junction(c, " AND ", always, inner)
	case store.Or:
		e.junction(c, " OR ", never, inner)
	case store.Not:
		if twice, ok := c.Cond.(store.Not); ok {
			e.condition(twice.Cond, inner)
			return
		}
		e.operators++
		e.write("NOT ")
		e.condition(c.Cond, true)
	case store.Exists:
		e.function("attribute_exists(", string(c))
	case store.Absent:
		e.function("attribute_not_exists(", string(c))
	case store.Compare:
		e.compare(c, inner)
	default:
		e.condition(never, inner)
	}
}

func (e *expression) junction(subs []store.Cond, operator string, empty store.Cond, inner bool) {
	switch len(subs) {
	case 0:
		e.condition(empty, inner)
		return
	case 1:
		e.condition(subs[0], inner)
		return
	}
	if inner {
		e.write("(")
	}
	for i, sub := range subs {
		if i > 0 {
			e.operators++
			e.write(operator)
		}
		e.condition(sub, true)
	}
	if inner {
		e.write(")")
	}
}

func (e *expression) function(open, attr string) {
	e.operators++
	e.write(open)
	e.name(attr)
	e.write(")")
}

// compare writes a comparison so that it means what store.Holds evaluates, also
// where DynamoDB would not accept it.
func (e *expression) compare(c store.Compare, inner bool) {
	var operator string
	switch c.Cmp {
	case store.CmpEq:
		operator = "="
	case store.CmpNe:
		operator = "<>"
	case store.CmpLt:
		operator = "<"
	case store.CmpLe:
		operator = "<="
	case store.CmpGt:
		operator = ">"
	case store.CmpGe:
		operator = ">="
	default:
		e.condition(never, inner)
		return
	}
	ordered := c.Cmp != store.CmpEq && c.Cmp != store.CmpNe
	kind := c.Value.Kind()
	switch {
	case c.Size && kind != store.KindInt && c.Cmp == store.CmpNe:
		e.condition(always, inner)
		return
	case c.Size && kind != store.KindInt, ordered && kind != store.KindInt && kind != store.KindBytes:
		e.condition(never, inner)
		return
	case kind == 0 && c.Cmp == store.CmpEq:
		e.function("attribute_not_exists(", c.Name)
		return
	case kind == 0:
		e.function("attribute_exists(", c.Name)
		return
	}
	if c.Size {
		e.function("size(", c.Name)
	} else {
		e.name(c.Name)
	}
	e.operators++
	e.write(operator)
	e.value(c.Value)
}

// update writes an update expression.
func (e *expression) update(edits []store.Edit) {
	separator := "SET "
	for _, ed := range edits {
		if !sets(ed) {
			continue
		}
		e.write(separator)
		separator = ","
		e.name(ed.Name)
		e.write("=")
		e.assign(ed)
	}
	separator = " REMOVE "
	if len(e.text) == 0 {
		separator = "REMOVE "
	}
	for _, ed := range edits {
		if !removes(ed) {
			continue
		}
		e.write(separator)
		separator = ","
		e.name(ed.Name)
		if ed.Kind == store.EditRemoveFirst {
			e.write("[0]")
		}
	}
}

// removes reports whether an edit belongs to the REMOVE section.
func removes(ed store.Edit) bool {
	return ed.Kind == store.EditRemove || ed.Kind == store.EditRemoveFirst || ed.Kind == store.EditSet && ed.Value.IsZero()
}

// sets reports whether an edit belongs to the SET section. A default of no value does nothing.
func sets(ed store.Edit) bool {
	return !removes(ed) && (ed.Kind != store.EditDefault || !ed.Value.IsZero())
}

// assign writes the right side of an assignment.
func (e *expression) assign(ed store.Edit) {
	switch ed.Kind {
	case store.EditSet:
		e.value(ed.Value)
	case store.EditDefault:
		e.orElse(ed.Name, e.bind(encode(ed.Value)))
	case store.EditAdd:
		if e.zero == "" {
			e.zero = e.bind(encode(store.Int(0)))
		}
		e.orElse(ed.From, e.zero)
		e.operators++
		e.write("+")
		e.value(ed.Value)
	case store.EditAppend, store.EditPrepend:
		if e.none == "" {
			e.none = e.bind(encode(store.List(nil)))
		}
		e.operators++
		e.write("list_append(")
		if ed.Kind == store.EditAppend {
			e.orElse(ed.Name, e.none)
			e.write(",")
			e.value(ed.Value)
		} else {
			e.value(ed.Value)
			e.write(",")
			e.orElse(ed.Name, e.none)
		}
		e.write(")")
	case store.EditCopyFirst:
		e.name(ed.From)
		e.write("[0]")
	}
}

func (e *expression) orElse(attr, placeholder string) {
	e.operators++
	e.write("if_not_exists(")
	e.name(attr)
	e.write(",")
	e.write(placeholder)
	e.write(")")
}
