package script

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// A run's memory is what its values take that can still be reached, estimated. It is measured by walking
// over them, as a garbage collector does, so that it depends on nothing else in the process. gopher-lua does
// not show all of them: what lies on stacks and in tables is read where its structs have it.

// What values take, in bytes, about.
const (
	slotSize   = 16  // a value in a register or in the array of a table
	numberSize = 8   // a number, besides its slot
	stringSize = 32  // a string, besides its bytes
	hashSize   = 120 // a key with its value in a table, in all indexes
	hashBase   = 480 // the indexes of a table that has such a key
	tableSize  = 112

	smallArray   = 32                                          // places of an array that gets a value
	tableMemory  = tableSize + smallArray*tableSlot + slimSize // what a table takes that gets a value
	slimSize     = 48
	functionSize = 96 // with two upvalues
)

// longString is the length from which on a string that is found several times counts only once.
const longString = 256

// Where gopher-lua keeps values.
var (
	registryField  = fieldOf[lua.LState]("reg", reflect.Pointer)
	registersField = fieldAt(reflect.TypeFor[lua.LState](), "reg", "array")
	arrayField     = fieldOf[lua.LTable]("array", reflect.Slice)
	dictField      = fieldOf[lua.LTable]("dict", reflect.Map)
	stringsField   = fieldOf[lua.LTable]("strdict", reflect.Map)
	keysField      = fieldOf[lua.LTable]("keys", reflect.Slice)
	placesField    = fieldOf[lua.LTable]("k2i", reflect.Map)
)

func fieldOf[T any](name string, kind reflect.Kind) uintptr {
	f, ok := reflect.TypeFor[T]().FieldByName(name)
	if !ok || f.Type.Kind() != kind {
		panic("script: gopher-lua has changed: " + reflect.TypeFor[T]().String() + " has no " + kind.String() + " " + name)
	}
	return f.Offset
}

// fieldAt is where the struct that a field of t points to has a field.
func fieldAt(t reflect.Type, pointer, name string) uintptr {
	p, _ := t.FieldByName(pointer)
	f, ok := p.Type.Elem().FieldByName(name)
	if !ok || f.Type != reflect.TypeFor[[]lua.LValue]() {
		panic("script: gopher-lua has changed: " + p.Type.String() + " has no " + name)
	}
	return f.Offset
}

func registers(L *lua.LState) []lua.LValue {
	reg := *(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(L), registryField))
	return *(*[]lua.LValue)(unsafe.Add(reg, registersField))
}

// slim makes a new table ready for a few keys. gopher-lua's own tables make room for 32 strings with the first one,
// 2.8 KB.
func slim(t *lua.LTable) {
	if keys := (*map[string]lua.LValue)(unsafe.Add(unsafe.Pointer(t), stringsField)); *keys == nil {
		*keys = map[string]lua.LValue{}
	}
}

// newRecord is a table for a few keys.
func newRecord() *lua.LTable {
	t := &lua.LTable{Metatable: lua.LNil}
	slim(t)
	return t
}

// places are where a table has its keys, in the order in which next comes to them: the array, then the others.
type places struct {
	array int // places in the array
	keys  []lua.LValue
	index map[lua.LValue]int // of keys
}

func tablePlaces(t *lua.LTable) places {
	p := unsafe.Pointer(t)
	return places{
		array: len(*(*[]lua.LValue)(unsafe.Add(p, arrayField))),
		keys:  *(*[]lua.LValue)(unsafe.Add(p, keysField)),
		index: *(*map[lua.LValue]int)(unsafe.Add(p, placesField)),
	}
}

func (p places) len() int { return p.array + len(p.keys) }

func (p places) of(key lua.LValue) int {
	if n, ok := key.(lua.LNumber); ok && n >= 1 && int(n) <= p.array {
		return int(n)
	}
	return p.array + p.index[key]
}

// census is one walk over a run's values.
type census struct {
	seen    map[unsafe.Pointer]struct{}
	todo    []lua.LValue
	bytes   int64
	visited int64 // values
}

// measure is what the values of the run take, in bytes, and how many there are.
func (r *run) measure() (bytes, visited int64) {
	c := census{seen: map[unsafe.Pointer]struct{}{}}
	for proxy, library := range r.std.proxies { // what all runs share
		c.first(unsafe.Pointer(proxy))
		c.first(unsafe.Pointer(library))
	}
	c.first(unsafe.Pointer(r.std.globals))
	c.first(unsafe.Pointer(r.std.base))
	c.value(r.state)
	for _, th := range r.threads {
		c.value(th)
	}
	c.value(r.globals)
	for len(c.todo) > 0 {
		v := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		c.inside(v)
	}
	for i := range r.tails {
		c.bytes += int64(cap(r.tails[i]) - len(r.tails[i]))
	}
	return c.bytes, c.visited
}

func (c *census) first(p unsafe.Pointer) bool {
	if _, ok := c.seen[p]; ok {
		return false
	}
	c.seen[p] = struct{}{}
	return true
}

// value counts a value, and if it holds others remembers it for later.
func (c *census) value(v lua.LValue) {
	c.visited++
	switch v := v.(type) {
	case lua.LNumber:
		c.bytes += numberSize
	case lua.LString:
		c.text(string(v))
	case *lua.LTable:
		if v != nil && c.first(unsafe.Pointer(v)) {
			c.todo = append(c.todo, v)
		}
	case *lua.LFunction:
		if v != nil && c.first(unsafe.Pointer(v)) {
			c.todo = append(c.todo, v)
		}
	case *lua.LState:
		if v != nil && c.first(unsafe.Pointer(v)) {
			c.todo = append(c.todo, v)
		}
	}
}

// registers counts the values in a list, in which many slots may be empty.
func (c *census) registers(list []lua.LValue) {
	c.visited += int64(len(list) / 16)
	for _, v := range list {
		if v != lua.LNil {
			c.value(v)
		}
	}
}

func (c *census) text(s string) {
	if len(s) >= longString && !c.first(unsafe.Pointer(unsafe.StringData(s[len(s)-1:]))) {
		return
	}
	c.bytes += stringSize + int64(len(s))
}

func (c *census) inside(v lua.LValue) {
	switch v := v.(type) {
	case *lua.LTable:
		array := *(*[]lua.LValue)(unsafe.Add(unsafe.Pointer(v), arrayField))
		c.bytes += tableSize + slotSize*int64(cap(array))
		c.registers(array)
		if len(tablePlaces(v).keys) > 0 {
			c.bytes += hashBase
		}
		for k, e := range *(*map[lua.LValue]lua.LValue)(unsafe.Add(unsafe.Pointer(v), dictField)) {
			c.bytes += hashSize
			c.value(k)
			c.value(e)
		}
		for k, e := range *(*map[string]lua.LValue)(unsafe.Add(unsafe.Pointer(v), stringsField)) {
			c.bytes += hashSize
			c.text(k)
			c.value(e)
		}
		c.value(v.Metatable)
	case *lua.LFunction:
		c.bytes += functionSize
		for _, up := range v.Upvalues {
			if up != nil {
				c.value(up.Value())
			}
		}
		if v.Env != nil {
			c.value(v.Env)
		}
	case *lua.LState:
		c.bytes += threadSize
		list := registers(v)
		c.bytes += slotSize * int64(cap(list))
		c.registers(list)
	}
}
