package script

import (
	"sort"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func tableLibrary() library {
	return library{
		"concat": tableConcat, "foreach": tableForeach, "foreachi": tableForeachi, "getn": tableGetN, "insert": tableInsert,
		"maxn": tableMaxN, "remove": tableRemove, "sort": tableSort,
		"setn": func(a args) int {
			a.RaiseError("'setn' is obsolete")
			return 0
		},
	}
}

func tableConcat(a args) int {
	t := a.table(1)
	sep := a.optText(2, "")
	from, to := a.optInteger(3, 1), a.optInteger(4, t.Len())
	r := a.run()
	var b strings.Builder
	for i := from; i <= to; i++ {
		v := t.RawGet(lua.LNumber(i))
		s, ok := toString(v)
		if !ok {
			a.RaiseError("invalid value (%s) at index %d in table for 'concat'", v.Type().String(), i)
		}
		n := len(s)
		if i < to {
			n += len(sep)
		}
		if b.Len()+n > b.Cap() {
			r.reserve(a.LState, b.Len()+2*n)
		}
		b.WriteString(s)
		if i < to {
			b.WriteString(sep)
		}
		r.spend(a.LState, 1)
	}
	return a.retText(b.String())
}

// each calls the function with a key and a value, and passes on what it returns unless that is nil.
func (a args) each(fn lua.LValue, k, v lua.LValue) bool {
	a.ret(fn, k, v)
	a.Call(2, 1)
	if a.Get(-1) != lua.LNil {
		return true
	}
	a.Pop(1)
	return false
}

func tableForeach(a args) int {
	t, fn := a.run().behind(a.table(1)), a.function(2)
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if a.each(fn, k, v) {
			return 1
		}
	}
	return 0
}

func tableForeachi(a args) int {
	t, fn := a.table(1), a.function(2)
	for i := 1; i <= t.Len(); i++ {
		if a.each(fn, lua.LNumber(i), t.RawGetInt(i)) {
			return 1
		}
	}
	return 0
}

func tableGetN(a args) int { return a.retNumber(float64(a.table(1).Len())) }

func tableMaxN(a args) int {
	largest := 0.0
	a.run().behind(a.table(1)).ForEach(func(k, _ lua.LValue) {
		if n, ok := k.(lua.LNumber); ok {
			largest = max(largest, float64(n))
		}
	})
	return a.retNumber(largest)
}

func tableInsert(a args) int {
	r := a.run()
	t := r.writable(a.LState, a.table(1))
	end := t.Len() + 1
	switch a.GetTop() {
	case 2:
		a.RawSet(t, lua.LNumber(end), a.Get(2))
	case 3:
		at := a.integer(2)
		r.reserveKey(a.LState, t, lua.LNumber(at))
		if at < 1 || at >= end {
			a.RawSet(t, lua.LNumber(at), a.Get(3))
			return 0
		}
		r.spend(a.LState, (end-at)/16)
		t.Insert(at, a.Get(3))
	default:
		a.RaiseError("wrong number of arguments to 'insert'")
	}
	return 0
}

func tableRemove(a args) int {
	r := a.run()
	t := r.writable(a.LState, a.table(1))
	n := t.Len()
	at := a.optInteger(2, n)
	if at < 1 || at > n {
		return 0
	}
	r.spend(a.LState, (n-at)/16)
	v := t.RawGetInt(at)
	for ; at < n; at++ {
		t.RawSetInt(at, t.RawGetInt(at+1))
	}
	t.RawSetInt(n, lua.LNil)
	return a.ret(v)
}

func tableSort(a args) int {
	r := a.run()
	t := r.writable(a.LState, a.table(1))
	var less lua.LValue = lua.LNil
	if a.Get(2) != lua.LNil {
		less = a.function(2)
	}
	s := &sorter{a: a, values: make([]lua.LValue, t.Len()), less: less}
	r.reserve(a.LState, len(s.values)*tableSlot)
	for i := range s.values {
		s.values[i] = t.RawGetInt(i + 1)
	}
	sort.Sort(s)
	for i, v := range s.values {
		t.RawSetInt(i+1, v)
	}
	return 0
}

// sorter sorts values by a Lua function or, without one, by "<".
type sorter struct {
	a      args
	values []lua.LValue
	less   lua.LValue
}

func (s *sorter) Len() int      { return len(s.values) }
func (s *sorter) Swap(i, j int) { s.values[i], s.values[j] = s.values[j], s.values[i] }

func (s *sorter) Less(i, j int) bool {
	s.a.run().spend(s.a.LState, 1)
	if s.less == lua.LNil {
		return s.a.LessThan(s.values[i], s.values[j])
	}
	s.a.ret(s.less, s.values[i], s.values[j])
	s.a.Call(2, 1)
	v := s.a.Get(-1)
	s.a.Pop(1)
	return lua.LVAsBool(v)
}
