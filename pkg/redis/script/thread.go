package script

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// thread is the context of a Lua state: of a run's own, a coroutine or a protected call. gopher-lua asks it before every
// instruction whether it is done: that is where steps are counted.
type thread struct {
	*run
	state *lua.LState
}

// follow makes the steps of a state count as those of the run.
func (r *run) follow(L *lua.LState) { L.SetContext(&thread{r, L}) }

// longText is the length from which on a string makes instructions long that read it: comparing, and looking up in a table.
const longText = 4 << 10

// meets notes that the run may have a string of a length.
func (r *run) meets(length int) { r.long = r.long || length >= longText }

// Done counts a step. It implements [context.Context] for gopher-lua.
func (t *thread) Done() <-chan struct{} {
	if t.long || t.metatables >= manyMetatables {
		t.left -= t.reads()
	}
	return t.budget.Done()
}

// frame is how gopher-lua's callFrame begins.
type frame struct {
	_         int
	fn        *lua.LFunction
	_         unsafe.Pointer
	pc        int
	_         int
	localBase int
}

var currentField = frameField()

// frameField is where a state has its frame, whose fields must be those of frame.
func frameField() uintptr {
	current := fieldOf[lua.LState]("currentFrame", reflect.Pointer)
	f, _ := reflect.TypeFor[lua.LState]().FieldByName("currentFrame")
	for name, offset := range map[string]uintptr{
		"Fn": unsafe.Offsetof(frame{}.fn), "Pc": unsafe.Offsetof(frame{}.pc), "LocalBase": unsafe.Offsetof(frame{}.localBase),
	} {
		if theirs, ok := f.Type.Elem().FieldByName(name); !ok || theirs.Offset != offset {
			panic("script: gopher-lua has changed: callFrame has no " + name + " where it was")
		}
	}
	return current
}

// Of an instruction: its operands, and the bit of one that is a constant.
const (
	operandBits = 0x1ff
	constantBit = 1 << 8
)

// manyMetatables is the number of metatables from which on a look-up may go through a long chain of them.
const manyMetatables = 8

// links is how many tables beyond the first a look-up of a key goes through. The event is __index or __newindex.
func links(v, key lua.LValue, event string) (n int) {
	for ; n < lua.MaxTableGetLoop; n++ {
		table, ok := v.(*lua.LTable)
		if !ok {
			break
		}
		meta, ok := table.Metatable.(*lua.LTable)
		if !ok || table.RawGet(key) != lua.LNil {
			break
		}
		v = meta.RawGetString(event)
	}
	return n
}

// lookUp is how many steps more than one it takes to look up a key: each table of a chain takes its own, and
// each reads the key. A step is for so many bytes of it.
func lookUp(v, key lua.LValue, event string, bytes int) int {
	n := links(v, key, event)
	s, _ := key.(lua.LString)
	return n + (n+1)*len(s)/bytes
}

// reads is how many steps more than one the instruction takes that is about to be carried out, because it reads long strings
// or goes through metatables.
func (t *thread) reads() int64 {
	f := *(**frame)(unsafe.Add(unsafe.Pointer(t.state), currentField))
	if f == nil || f.fn == nil || f.fn.IsG || f.pc < 1 {
		return 0
	}
	inst := f.fn.Proto.Code[f.pc-1]
	a, b, c := int(inst>>18&0xff), int(inst&operandBits), int(inst>>9&operandBits)
	switch int(inst >> 26) {
	case lua.OP_EQ:
		x, y := t.text(f, b), t.text(f, c)
		if len(x) == len(y) && unsafe.StringData(x) != unsafe.StringData(y) {
			return int64(len(x) / 256)
		}
	case lua.OP_LT, lua.OP_LE:
		return int64(min(len(t.text(f, b)), len(t.text(f, c))) / 16) // byte by byte
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS, lua.OP_SELF:
		return int64(lookUp(t.operand(f, b), t.operand(f, c), "__index", 64))
	case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
		return int64(lookUp(t.operand(f, a), t.operand(f, b), "__newindex", 32))
	}
	return 0
}

// operand is an operand of an instruction, or nil.
func (t *thread) operand(f *frame, n int) lua.LValue {
	if n&constantBit != 0 {
		return f.fn.Proto.Constants[n&^constantBit]
	}
	if all := registers(t.state); f.localBase+n < len(all) {
		return all[f.localBase+n]
	}
	return nil
}

// text is an operand if it is a string.
func (t *thread) text(f *frame, n int) string {
	s, _ := t.operand(f, n).(lua.LString)
	return string(s)
}
