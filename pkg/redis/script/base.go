package script

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"
)

func baseLibrary() library {
	return library{
		"assert": baseAssert, "collectgarbage": collectGarbage, "error": raise, "gcinfo": gcInfo, "getmetatable": getMetatable,
		"ipairs": ipairs, "load": load, "loadstring": loadString, "next": next, "pairs": pairs, "pcall": pcall,
		"rawequal": rawEqual, "rawget": rawGet, "rawset": rawSet, "select": selectArg, "setmetatable": setMetatable,
		"tonumber": baseToNumber, "tostring": baseToString, "type": typeOf, "unpack": unpack, "xpcall": xpcall,
	}
}

// osLibrary is all that there is of os, as in Redis 7.
func osLibrary() library {
	return library{"clock": func(a args) int { return a.retNumber(time.Since(a.run().began).Seconds()) }}
}

func baseAssert(a args) int {
	if lua.LVIsFalse(a.any(1)) {
		a.RaiseError("%s", a.optText(2, "assertion failed!"))
	}
	return a.GetTop()
}

func collectGarbage(a args) int {
	switch option := a.optText(1, "collect"); option {
	case "count":
		return a.retNumber(float64(uint64(a.run().heldBytes())) / 1024)
	case "collect", "stop", "restart", "step", "setpause", "setstepmul":
		return a.retNumber(0) // Go sees to that
	default:
		a.fail(1, "invalid option '%s'", option)
	}
	return 0
}

func gcInfo(a args) int { return a.retNumber(float64(uint64(a.run().heldBytes()) / 1024)) }

func raise(a args) int {
	v := a.Get(1)
	if s, ok := toString(v); ok { // a number becomes a text, unless no position is asked for
		if level := a.optInteger(2, 1); level > 0 {
			v = lua.LString(a.where(level) + s)
		}
	}
	a.Error(v, 0)
	return 0
}

// where is the position, for messages, of the function on a level; "" if it is none of the script's.
func (a args) where(level int) string {
	if level <= 0 {
		return ""
	}
	where := a.Where(level)
	if where == "" || strings.HasPrefix(where, "[G]") {
		return ""
	}
	return where + " "
}

func getMetatable(a args) int {
	a.any(1)
	return a.ret(a.GetMetatable(a.Get(1)))
}

func setMetatable(a args) int {
	r := a.run()
	t := a.table(1)
	meta := a.Get(2)
	if a.GetTop() < 2 || meta != lua.LNil && meta.Type() != lua.LTTable {
		a.fail(2, "nil or table expected")
	}
	r.writable(a.LState, t)
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		a.RaiseError("cannot change a protected metatable")
	}
	t.Metatable = meta
	r.metatables++
	return a.ret(t)
}

func ipairs(a args) int {
	t := a.table(1)
	return a.ret(ipairsStep, t, lua.LNumber(0))
}

var ipairsStep = function("ipairs", func(a args) int {
	t := a.table(1)
	i := a.integer(2) + 1
	v := a.run().behind(t).RawGetInt(i)
	if v == lua.LNil {
		return a.ret(lua.LNil)
	}
	return a.ret(lua.LNumber(i), v)
})

// nextSteps is what going on to the next key takes: gopher-lua looks up where the last one was, and the value of the next.
const nextSteps = 12

func next(a args) int {
	r, before := a.run(), a.Get(2)
	t := r.behind(a.table(1))
	k, v := t.Next(before)
	r.spend(a.LState, nextSteps+passedOver(t, before, k)*3/4)
	if k == lua.LNil {
		return a.ret(lua.LNil)
	}
	return a.ret(k, v)
}

// passedOver is how many places without a value lay between a key of a large table and the next one: what
// was deleted from it leaves such places.
func passedOver(t *lua.LTable, before, after lua.LValue) int {
	places := tablePlaces(t)
	if places.len() < 1024 {
		return 0
	}
	to := places.len()
	if after != lua.LNil {
		to = places.of(after)
	}
	from := 0
	if before != lua.LNil {
		from = places.of(before)
	}
	return max(to-from, 0)
}

var nextStep = function("next", next)

func pairs(a args) int { return a.ret(nextStep, a.table(1), lua.LNil) }

func rawEqual(a args) int { return a.ret(lua.LBool(a.RawEqual(a.any(1), a.any(2)))) }

func rawGet(a args) int { return a.ret(a.run().behind(a.table(1)).RawGet(a.any(2))) }

func rawSet(a args) int {
	r := a.run()
	t := r.writable(a.LState, a.table(1))
	key, value := a.any(2), a.any(3)
	r.reserveKey(a.LState, t, key)
	a.RawSet(t, key, value)
	return a.ret(t)
}

func selectArg(a args) int {
	if a.Get(1) == lua.LString("#") {
		return a.retNumber(float64(a.GetTop() - 1))
	}
	n := a.integer(1)
	if n < 0 {
		n = a.GetTop() + n
	}
	if n < 1 {
		a.fail(1, "index out of range")
	}
	return max(a.GetTop()-n, 0)
}

func unpack(a args) int {
	t := a.table(1)
	from, to := a.optInteger(2, 1), a.Get(3)
	last := t.Len()
	if to != lua.LNil {
		last = a.integer(3)
	}
	if from > last {
		return 0
	}
	if n := last - from; n < 0 || n >= maxResults {
		a.RaiseError("too many results to unpack")
	}
	a.run().spend(a.LState, (last-from)/2)
	for i := from; i <= last; i++ {
		a.Push(t.RawGet(lua.LNumber(i)))
	}
	return last - from + 1
}

func typeOf(a args) int { return a.retText(a.any(1).Type().String()) }

func baseToNumber(a args) int {
	base := a.optInteger(2, 10)
	a.scan(a.any(1))
	if base == 10 {
		if f, ok := toNumber(a.any(1)); ok {
			return a.retNumber(f)
		}
		return a.ret(lua.LNil)
	}
	s := strings.TrimSpace(a.text(1))
	if base < 2 || base > 36 {
		a.fail(2, "base out of range")
	}
	digits, negative := strings.CutPrefix(s, "-")
	if base == 16 && len(digits) > 2 && strings.EqualFold(digits[:2], "0x") {
		digits = digits[2:]
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || strings.Contains(digits, "_") {
		return a.ret(lua.LNil)
	}
	if negative {
		n = -n
	}
	return a.retNumber(float64(n))
}

func baseToString(a args) int {
	v := a.any(1)
	if op := a.GetMetaField(v, "__tostring"); op != lua.LNil {
		a.ret(op, v)
		a.Call(1, 1)
		return 1
	}
	return a.retText(a.run().textOf(v))
}

// textOf is tostring without metamethods.
func (r *run) textOf(v lua.LValue) string {
	if s, ok := toString(v); ok {
		return s
	}
	if v == r.std.null {
		return "userdata: (nil)"
	}
	return v.String()
}

func pcall(a args) int {
	results, err := a.protected(a.any(1), a.rest(2))
	if err != nil {
		return a.ret(lua.LFalse, caught(err))
	}
	return a.ret(lua.LTrue) + a.ret(results...)
}

func xpcall(a args) int {
	fn, handler := a.Get(1), a.any(2)
	results, err := a.protected(fn, nil)
	if err == nil {
		return a.ret(lua.LTrue) + a.ret(results...)
	}
	a.ret(handler, errorValue(err))
	a.Call(1, 1)
	return a.ret(lua.LFalse, a.Get(-1))
}

// rest are the arguments from n on.
func (a args) rest(n int) []lua.LValue {
	var out []lua.LValue
	for ; n <= a.GetTop(); n++ {
		out = append(out, a.Get(n))
	}
	return out
}

// caught is the error as pcall returns it: of an error table only the text, as in Redis.
func caught(err error) lua.LValue {
	v := errorValue(err)
	if t, ok := v.(*lua.LTable); ok {
		if text, ok := t.RawGetString("err").(lua.LString); ok {
			return text
		}
	}
	return v
}

// loadString compiles a text in a run. It knows no bytecode.
func loadString(a args) int {
	s := a.text(1)
	return a.load(s, a.optText(2, s))
}

func load(a args) int {
	fn := a.function(1)
	name := a.optText(2, "=(load)")
	var b strings.Builder
	for {
		a.Push(fn)
		a.Call(0, 1)
		v := a.Get(-1)
		a.Pop(1)
		piece, ok := v.(lua.LString)
		if v != lua.LNil && !ok {
			return a.ret(lua.LNil, lua.LString("reader function must return a string"))
		}
		if piece == "" {
			break
		}
		r := a.run()
		if int64(b.Len()+len(piece))*sourceMemory > r.limits.Memory/4 {
			r.stop(r.overMemory()) // load would refuse it, and the pieces belong to no value that is measured
		}
		r.reserve(a.LState, 2*len(piece))
		b.WriteString(string(piece))
	}
	return a.load(b.String(), name)
}

// sourceMemory is about what the tree and the code of a byte of source take.
const sourceMemory = 32

func (a args) load(source, name string) int {
	r := a.run()
	r.reserve(a.LState, len(source)*sourceMemory)
	r.spend(a.LState, 256+16*len(source))
	proto, err := r.in.compile(source, chunkName(name))
	if err != nil {
		return a.ret(lua.LNil, lua.LString(err.Error()))
	}
	return a.ret(r.function(proto))
}

// chunkName is how a source is named in messages (luaO_chunkid of Lua 5.1).
func chunkName(name string) string {
	if strings.HasPrefix(name, "=") || strings.HasPrefix(name, "@") {
		return name[1:min(len(name), 60)]
	}
	line, _, more := strings.Cut(name, "\n")
	if len(line) > 40 {
		line, more = line[:40], true
	}
	if more {
		line += "..."
	}
	return fmt.Sprintf("[string \"%s\"]", line)
}
