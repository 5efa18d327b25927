package script

import (
	"math"
	"slices"
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// What Lua does in instructions and we in functions; see rewrite.go.

// concat is the operator "..", of two or more operands.
func concat(a args) int {
	n := a.GetTop()
	size := 0
	texts := make([]string, n)
	for i := range n {
		s, ok := toString(a.Get(i + 1))
		if !ok {
			return concatMeta(a)
		}
		texts[i] = s
		size += len(s)
	}
	if len(texts[0]) >= minTail {
		return a.retText(a.run().join(a.LState, texts, size))
	}
	a.run().reserve(a.LState, size)
	return a.retText(strings.Join(texts, ""))
}

const (
	tailCount = 4   // strings that a script appends to in turn
	minTail   = 256 // bytes of a string, below which copying it is cheap
)

// join concatenates texts, the first of which is long. A string that is made by appending again and again is
// copied once for each doubling: the strings that it was before are beginnings of the same memory. Nobody
// sees what is behind their ends, and only the longest of them is appended to in place.
func (r *run) join(L *lua.LState, texts []string, size int) string {
	first := texts[0]
	at := slices.IndexFunc(r.tails[:], func(t []byte) bool {
		return len(t) == len(first) && unsafe.StringData(first) == unsafe.SliceData(t)
	})
	room := size
	if at < 0 {
		at = r.oldest
		r.oldest = (at + 1) % tailCount
		r.tails[at] = nil
	} else {
		room = 2 * size // it is not the first time
	}
	tail := r.tails[at]
	if cap(tail) < size {
		r.reserve(L, room)
		tail = append(make([]byte, 0, room), first...)
	} else {
		r.reserve(L, size-len(first))
	}
	for _, s := range texts[1:] {
		tail = append(tail, s...)
	}
	r.tails[at] = tail
	return unsafe.String(unsafe.SliceData(tail), len(tail))
}

// concatMeta concatenates from the right where an operand is no text but may have a metamethod.
func concatMeta(a args) int {
	right := a.Get(a.GetTop())
	for i := a.GetTop() - 1; i >= 1; i-- {
		left := a.Get(i)
		s, ok1 := toString(left)
		t, ok2 := toString(right)
		if ok1 && ok2 {
			a.run().reserve(a.LState, len(s)+len(t))
			right = lua.LString(s + t)
			continue
		}
		op := a.GetMetaField(left, "__concat")
		if op == lua.LNil {
			op = a.GetMetaField(right, "__concat")
		}
		if op == lua.LNil {
			bad := left
			if ok1 {
				bad = right
			}
			a.RaiseError("attempt to concatenate a %s value", bad.Type().String())
		}
		a.ret(op, left, right)
		a.Call(2, 1)
		right = a.Get(-1)
		a.Pop(1)
	}
	return a.ret(right)
}

func loopBound(message string) func(args) int {
	return func(a args) int {
		f, ok := toNumber(a.Get(1))
		if !ok {
			a.RaiseError("%s", message)
		}
		return a.retNumber(f)
	}
}

// checkKey passes a key on that a table is about to get. If it is a large number, the table may be about to grow
// up to it.
func checkKey(a args) int {
	t, _ := a.Get(1).(*lua.LTable)
	key := a.Get(2)
	a.run().reserveKey(a.LState, t, key)
	return a.ret(key)
}

// reserveKey accounts for what a table grows by when it gets a key. The table is nil if it is new, or not known.
func (r *run) reserveKey(L *lua.LState, t *lua.LTable, key lua.LValue) {
	n, ok := key.(lua.LNumber)
	if !ok || n < 1024 || n >= lua.LNumber(lua.MaxArrayIndex) {
		return
	}
	grows := int(n)
	if t != nil {
		grows -= tablePlaces(r.behind(t)).array
	}
	if grows > 1 { // one more is what an assignment costs anyway
		r.reserve(L, grows*tableSlot)
		r.spend(L, grows*3/4) // gopher-lua copies the array several times until it is so large
	}
}

// arrayGrowth is how many times its size an array takes that grows to it step by step.
const arrayGrowth = 4

// countTable passes a new table on. It may have many elements: those of a list in its constructor.
func countTable(a args) int {
	t, _ := a.Get(1).(*lua.LTable)
	a.run().reserve(a.LState, tableMemory)
	if n := tablePlaces(t).array; n > smallArray {
		a.run().spend(a.LState, n*arrayGrowth*tableSlot/stepBytes) // all but the last array is garbage already
	}
	slim(t)
	return a.ret(t)
}

// arithmetic are the operators where one operand is a string.
var arithmetic = map[string]func(args) int{
	"__add": arith(func(x, y float64) float64 { return x + y }),
	"__sub": arith(func(x, y float64) float64 { return x - y }),
	"__mul": arith(func(x, y float64) float64 { return x * y }),
	"__div": arith(func(x, y float64) float64 { return x / y }),
	"__mod": arith(func(x, y float64) float64 { return x - math.Floor(x/y)*y }),
	"__pow": arith(math.Pow),
	"__unm": arith(func(x, _ float64) float64 { return -x }),
}

func arith(op func(x, y float64) float64) func(args) int {
	return func(a args) int {
		a.scan(a.Get(1))
		a.scan(a.Get(2))
		x, ok := toNumber(a.Get(1))
		y, ok2 := toNumber(a.Get(2))
		if a.name == "__unm" {
			y, ok2 = 0, true
		}
		switch {
		case !ok:
			a.RaiseError("attempt to perform arithmetic on a %s value", a.Get(1).Type().String())
		case !ok2:
			a.RaiseError("attempt to perform arithmetic on a %s value", a.Get(2).Type().String())
		}
		return a.retNumber(op(x, y))
	}
}
