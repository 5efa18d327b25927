package script

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// args is a call of a library function: its arguments, from 1, and its name for messages.
type args struct {
	*lua.LState
	name string
}

func (a args) run() *run { return a.Context().(*thread).run }

// fail raises an error about an argument.
func (a args) fail(n int, format string, v ...any) {
	a.RaiseError("bad argument #%d to '%s' (%s)", n, a.name, fmt.Sprintf(format, v...))
}

func (a args) wrong(n int, want string) {
	got := "no value"
	if n <= a.GetTop() {
		got = a.Get(n).Type().String()
	}
	a.fail(n, "%s expected, got %s", want, got)
}

// any is an argument that must be there.
func (a args) any(n int) lua.LValue {
	if n > a.GetTop() {
		a.fail(n, "value expected")
	}
	return a.Get(n)
}

func (a args) number(n int) float64 {
	f, ok := toNumber(a.Get(n))
	if !ok {
		a.wrong(n, "number")
	}
	return f
}

func (a args) integer(n int) int { return int(toInteger(a.number(n))) }

func (a args) optInteger(n, otherwise int) int {
	if a.Get(n) == lua.LNil {
		return otherwise
	}
	return a.integer(n)
}

func (a args) text(n int) string {
	s, ok := toString(a.Get(n))
	if !ok {
		a.wrong(n, "string")
	}
	return s
}

func (a args) optText(n int, otherwise string) string {
	if a.Get(n) == lua.LNil {
		return otherwise
	}
	return a.text(n)
}

func (a args) table(n int) *lua.LTable {
	t, ok := a.Get(n).(*lua.LTable)
	if !ok {
		a.wrong(n, "table")
	}
	return t
}

func (a args) function(n int) *lua.LFunction {
	f, ok := a.Get(n).(*lua.LFunction)
	if !ok {
		a.wrong(n, "function")
	}
	return f
}

// ret pushes results.
func (a args) ret(values ...lua.LValue) int {
	for _, v := range values {
		a.Push(v)
	}
	return len(values)
}

func (a args) retNumber(f float64) int { return a.ret(lua.LNumber(f)) }

func (a args) retText(s string) int { return a.ret(lua.LString(s)) }
