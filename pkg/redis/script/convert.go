package script

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/resp"
	lua "github.com/yuin/gopher-lua"
)

// Conversions between replies and Lua values
// (https://redis.io/docs/latest/develop/interact/programmability/lua-api/#data-type-conversion).

// value turns the first reply of b into a Lua value and returns what follows it. After
// setresp(3) the types of RESP3 are told apart, otherwise they are as RESP2 would have them.
func (r *run) value(b []byte) (lua.LValue, []byte, error) {
	v, b, err := resp.Next(b)
	if err != nil {
		return nil, nil, err
	}
	switch v.Type {
	case resp.TypeInt:
		return lua.LNumber(v.Int), b, nil
	case resp.TypeBulk, resp.TypeVerbatim:
		return lua.LString(v.Text), b, nil
	case resp.TypeSimple:
		return field("ok", lua.LString(v.Text)), b, nil
	case resp.TypeError:
		return errorTable(string(v.Text)), b, nil
	case resp.TypeNull, resp.TypeNullArr:
		if r.resp3 {
			return lua.LNil, b, nil
		}
		return lua.LFalse, b, nil
	case resp.TypeBool:
		if r.resp3 {
			return lua.LBool(v.Int == 1), b, nil
		}
		return lua.LNumber(v.Int), b, nil
	case resp.TypeDouble:
		if !r.resp3 {
			return lua.LString(v.Text), b, nil
		}
		f, _ := parseNumber(string(v.Text))
		return field("double", lua.LNumber(f)), b, nil
	}
	return r.aggregate(v, b)
}

func field(name string, v lua.LValue) *lua.LTable {
	t := &lua.LTable{Metatable: lua.LNil}
	t.RawSetString(name, v)
	return t
}

// aggregate reads the members of an array, a map, a set, pairs or rows.
func (r *run) aggregate(v resp.Value, b []byte) (lua.LValue, []byte, error) {
	t := &lua.LTable{Metatable: lua.LNil}
	if r.resp3 && v.Type == resp.TypePairs {
		return r.rows(t, v.Len/2, b)
	}
	if r.resp3 && v.Type == resp.TypeRows {
		return r.rowMap(t, v.Len, b)
	}
	var key lua.LValue
	for i := range v.Len {
		member, rest, err := r.value(b)
		if err != nil {
			return nil, nil, err
		}
		b = rest
		switch {
		case !r.resp3 || v.Type == resp.TypeArray:
			t.RawSetInt(i+1, member)
		case v.Type == resp.TypeSet:
			t.RawSet(member, lua.LTrue)
		case i%2 == 0:
			key = member
		case key != lua.LNil:
			t.RawSet(key, member)
		}
	}
	switch {
	case !r.resp3 || v.Type == resp.TypeArray:
		return t, b, nil
	case v.Type == resp.TypeSet:
		return field("set", t), b, nil
	}
	return field("map", t), b, nil
}

// rows reads n pairs as tables of two.
func (r *run) rows(t *lua.LTable, n int, b []byte) (lua.LValue, []byte, error) {
	for i := range n {
		row, rest, err := r.aggregate(resp.Value{Type: resp.TypeArray, Len: 2}, b)
		if err != nil {
			return nil, nil, err
		}
		t.RawSetInt(i+1, row)
		b = rest
	}
	return t, b, nil
}

// rowMap reads n arrays of two as a map.
func (r *run) rowMap(t *lua.LTable, n int, b []byte) (lua.LValue, []byte, error) {
	for range n {
		_, key, err := resp.Next(b) // the row's header
		if err != nil {
			return nil, nil, err
		}
		k, value, err := r.value(key)
		if err != nil {
			return nil, nil, err
		}
		v, rest, err := r.value(value)
		if err != nil {
			return nil, nil, err
		}
		if b = rest; k != lua.LNil {
			t.RawSet(k, v)
		}
	}
	return field("map", t), b, nil
}

// writeReply writes what a script returns.
func (r *run) writeReply(w *resp.Writer, v lua.LValue, depth int) error {
	switch v := v.(type) {
	case lua.LString:
		w.Bulk(string(v))
	case lua.LNumber:
		w.Int(toInteger(float64(v)))
	case lua.LBool:
		switch {
		case bool(v) || r.resp3:
			w.Bool(bool(v))
		default:
			w.Null()
		}
	case *lua.LTable:
		return r.writeTable(w, v, depth)
	default:
		w.Null()
	}
	return nil
}

func (r *run) writeTable(w *resp.Writer, t *lua.LTable, depth int) error {
	if depth >= resp.MaxDepth-1 {
		return Error("ERR reached lua stack limit")
	}
	if s, ok := t.RawGetString("err").(lua.LString); ok {
		w.Error(string(s))
		return nil
	}
	if s, ok := t.RawGetString("ok").(lua.LString); ok {
		w.Simple(string(s))
		return nil
	}
	if f, ok := t.RawGetString("double").(lua.LNumber); ok {
		w.Double(float64(f))
		return nil
	}
	if m, ok := t.RawGetString("map").(*lua.LTable); ok {
		return r.writeMembers(w, m, depth, true)
	}
	if s, ok := t.RawGetString("set").(*lua.LTable); ok {
		return r.writeMembers(w, s, depth, false)
	}
	if s, ok := t.RawGetString("big_number").(lua.LString); ok {
		w.Bulk(strings.NewReplacer("\r", " ", "\n", " ").Replace(string(s)))
		return nil
	}
	if verbatim, ok := t.RawGetString("verbatim_string").(*lua.LTable); ok {
		if s, ok := verbatim.RawGetString("string").(lua.LString); ok {
			w.Bulk(string(s))
			return nil
		}
	}
	return r.writeArray(w, t, depth)
}

// writeArray writes the values up to the first nil.
func (r *run) writeArray(w *resp.Writer, t *lua.LTable, depth int) error {
	n := 0
	for t.RawGetInt(n+1) != lua.LNil {
		n++
	}
	w.Array(n)
	for i := range n {
		if err := r.writeReply(w, t.RawGetInt(i+1), depth+1); err != nil {
			return err
		}
		if err := r.tooLarge(w); err != nil {
			return err
		}
	}
	return nil
}

// writeMembers writes a map, or a set, which is the keys of a table.
func (r *run) writeMembers(w *resp.Writer, t *lua.LTable, depth int, pairs bool) error {
	mark, n := w.Mark(), 0
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		n++
		if err := r.writeReply(w, k, depth+1); err != nil {
			return err
		}
		if pairs {
			if err := r.writeReply(w, v, depth+1); err != nil {
				return err
			}
		}
		if err := r.tooLarge(w); err != nil {
			return err
		}
	}
	if pairs {
		w.MapAt(mark, n)
	} else {
		w.SetAt(mark, n)
	}
	return nil
}

// tooLarge stops a reply, which may hold one table any number of times, from growing without end.
func (r *run) tooLarge(w *resp.Writer) error {
	if int64(w.Len()) > r.limits.Memory/4 {
		return Error(fmt.Sprintf("ERR max request size exceeded. Limit: %s bytes", strconv.FormatInt(r.limits.Memory/4, 10)))
	}
	return nil
}
