package command

import (
	"github.com/skystash/skystash/pkg/redis/internal/jsondoc"
)

// JSON.OBJKEYS, JSON.OBJLEN, JSON.ARRAPPEND, JSON.ARRINDEX, JSON.ARRINSERT, JSON.ARRLEN, JSON.ARRPOP, JSON.ARRTRIM.

func jsonContainerCommands() []*Command {
	return []*Command{
		{Name: "json.objkeys", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the names in the objects at a path of a JSON document.", Run: jsonObjKeys},
		{Name: "json.objlen", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the numbers of members of the objects at a path of a JSON document.", Run: jsonObjLen},
		{Name: "json.arrappend", Arity: -4, Flags: Write | DenyOOM, Keys: OneKey, Event: "json.arrappend", Group: "json", Since: "1.0.0", Summary: "Appends values to the arrays at a path of a JSON document.", Run: jsonArrAppend},
		{Name: "json.arrindex", Arity: -4, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns where a value is in the arrays at a path of a JSON document.", Run: jsonArrIndex},
		{Name: "json.arrinsert", Arity: -5, Flags: Write | DenyOOM, Keys: OneKey, Event: "json.arrinsert", Group: "json", Since: "1.0.0", Summary: "Inserts values into the arrays at a path of a JSON document.", Run: jsonArrInsert},
		{Name: "json.arrlen", Arity: -2, Flags: ReadOnly, Keys: OneKey, Group: "json", Since: "1.0.0", Summary: "Returns the lengths of the arrays at a path of a JSON document.", Run: jsonArrLen},
		{Name: "json.arrpop", Arity: -2, Flags: Write, Keys: OneKey, Event: "json.arrpop", Group: "json", Since: "1.0.0", Summary: "Removes an element of each array at a path of a JSON document and returns it.", Run: jsonArrPop},
		{Name: "json.arrtrim", Arity: 5, Flags: Write, Keys: OneKey, Event: "json.arrtrim", Group: "json", Since: "1.0.0", Summary: "Cuts the arrays at a path of a JSON document down to a range.", Run: jsonArrTrim},
	}
}

// JSON.OBJKEYS key [path]
func jsonObjKeys(c *Call) error {
	return c.inspect(2, jsonInspection{
		kind: jsondoc.Object, noKey: errNoDocument, wrongType: errNoPathOr("not an object"),
		reply: func(v *jsondoc.Value) { c.W.Strings(v.Names()) },
	})
}

// JSON.OBJLEN key [path]
func jsonObjLen(c *Call) error {
	return c.inspect(2, jsonInspection{
		kind: jsondoc.Object, noKey: errNoPathOr("not an object"), wrongType: errPathType("object"),
		reply: func(v *jsondoc.Value) { c.W.Int(int64(v.Len())) },
	})
}

// JSON.ARRLEN key [path]
func jsonArrLen(c *Call) error {
	return c.inspect(2, jsonInspection{
		kind: jsondoc.Array, noKey: errNoDocument, noPath: errNoPath, wrongType: errNoPathOr("not an array"),
		reply: func(v *jsondoc.Value) { c.W.Int(int64(v.Len())) },
	})
}

// JSON.ARRINDEX key path value [start [stop]]
//
// stop is exclusive; 0 stands for the end.
func jsonArrIndex(c *Call) error {
	if err := c.atMost(6); err != nil {
		return err
	}
	path, err := c.jsonPath(2)
	if err != nil {
		return err
	}
	value, err := c.jsonValue(3)
	if err != nil {
		return err
	}
	var bounds [2]int64
	for i := 4; i < len(c.Args); i++ {
		if bounds[i-4], err = c.Int(i); err != nil {
			return err
		}
	}
	return c.inspectPath(path, 1, jsonInspection{
		kind: jsondoc.Array, noKey: errNoPath, noLegacyKey: errNoPath, noPath: errNoPath, wrongType: errPathType("array"),
		reply: func(v *jsondoc.Value) { c.W.Int(indexOf(v, &value, bounds[0], bounds[1])) },
	})
}

// indexOf is where an array has a value from an index up to another one, exclusive; -1 if it has not.
func indexOf(arr, value *jsondoc.Value, start, stop int64) int64 {
	n := int64(arr.Len())
	if start < 0 {
		start = max(0, n+start)
	} else {
		start = min(start, n-1)
	}
	switch {
	case stop == 0:
		stop = n
	case stop < 0:
		stop = n + stop
	}
	elems := arr.Elements()
	for i := max(start, 0); i < min(stop, n); i++ {
		if jsondoc.Equal(&elems[i], value) {
			return i
		}
	}
	return -1
}

// jsonValues parses the arguments from i on. deepest is the depth of the deepest.
func (c *Call) jsonValues(i int) (values []jsondoc.Value, deepest int, err error) {
	for ; i < len(c.Args); i++ {
		v, err := c.jsonValue(i)
		if err != nil {
			return nil, 0, err
		}
		values, deepest = append(values, v), max(deepest, v.Depth())
	}
	return values, deepest, nil
}

// clones are copies of values.
func clones(values []jsondoc.Value) []jsondoc.Value {
	out := make([]jsondoc.Value, len(values))
	for i := range values {
		out[i] = values[i].Clone()
	}
	return out
}

// JSON.ARRAPPEND key path value [value ...]
func jsonArrAppend(c *Call) error { return c.arrInsert(3, func(n int64) int64 { return n }) }

// JSON.ARRINSERT key path index value [value ...]
func jsonArrInsert(c *Call) error {
	index, err := c.Int(3)
	if err != nil {
		return err
	}
	return c.arrInsert(4, func(n int64) int64 {
		if index < 0 {
			return n + index
		}
		return index
	})
}

// arrInsert inserts the values that are the arguments from i on in front of an index that depends on
// the array's length.
func (c *Call) arrInsert(i int, at func(n int64) int64) error {
	path, err := c.jsonPath(2)
	if err != nil {
		return err
	}
	values, deepest, err := c.jsonValues(i)
	if err != nil {
		return err
	}
	size := 0
	for _, arg := range c.Args[i:] {
		size += len(arg)
	}
	memory := int64(0)
	for i := range values {
		memory += values[i].Size()
	}
	return c.change(path, jsonChange{
		kind: jsondoc.Array, what: "not an array", grows: size, holds: memory,
		check: func(m jsondoc.Match) error {
			if i := at(int64(m.Value.Len())); i < 0 || i > int64(m.Value.Len()) {
				return Error("ERR index out of bounds")
			}
			if m.Depth+1+deepest >= jsondoc.MaxDepth {
				return jsonError(jsondoc.ErrDepth)
			}
			return nil
		},
		change: func(v *jsondoc.Value) {
			v.Insert(int(at(int64(v.Len()))), clones(values)...)
			c.W.Int(int64(v.Len()))
		},
	})
}

// JSON.ARRPOP key [path [index]]
//
// An index beyond either end means the element there.
func jsonArrPop(c *Call) error {
	if err := c.atMost(4); err != nil {
		return err
	}
	path, err := c.jsonPath(2)
	if err != nil {
		return err
	}
	index := int64(-1)
	if len(c.Args) == 4 {
		if index, err = c.Int(3); err != nil {
			return err
		}
	}
	return c.change(path, jsonChange{kind: jsondoc.Array, what: "not an array", change: func(v *jsondoc.Value) {
		n := int64(v.Len())
		if n == 0 {
			c.W.Null()
			return
		}
		i := min(index, n-1)
		if index < 0 {
			i = max(n+index, 0)
		}
		elem := v.Pop(int(i))
		c.W.Bulk(string(elem.AppendTo(nil)))
	}})
}

// JSON.ARRTRIM key path start stop
//
// stop is inclusive.
func jsonArrTrim(c *Call) error {
	path, err := c.jsonPath(2)
	if err != nil {
		return err
	}
	start, err := c.Int(3)
	if err != nil {
		return err
	}
	stop, err := c.Int(4)
	if err != nil {
		return err
	}
	return c.change(path, jsonChange{kind: jsondoc.Array, what: "not an array", change: func(v *jsondoc.Value) {
		from, to := trimBounds(start, stop, int64(v.Len()))
		v.Cut(int(from), int(to))
		c.W.Int(int64(v.Len()))
	}})
}

// trimBounds are the bounds of what an array of n elements keeps, the second one exclusive.
func trimBounds(start, stop, n int64) (from, to int64) {
	if start < 0 {
		start = max(n+start, 0)
	}
	if stop < 0 {
		stop = max(n+stop, 0)
	}
	stop = min(stop, n-1)
	if start > stop {
		return 0, 0
	}
	return start, stop + 1
}
