package script

import (
	"math"
	"strconv"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// The library cjson 2.1 as in Redis; cjson_decode.go has decode.

// jsonOptions are what scripts can set. They last as long as the run.
type jsonOptions struct {
	sparseConvert             bool // write sparse arrays as objects
	sparseRatio, sparseSafe   int
	encodeDepth, decodeDepth  int
	precision                 int // digits of a number
	encodeInvalid             int // infinities and NaN: refuse, write, write as null
	decodeInvalid, keepBuffer bool
}

const (
	invalidRefused = iota
	invalidWritten
	invalidNull
)

var defaultJSON = jsonOptions{
	sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, precision: 14, decodeInvalid: true, keepBuffer: true,
}

const maxJSONDepth = 10_000 // more cannot be asked for

// jsonTable is the library with its constants, read-only as all libraries.
func (e *environment) jsonTable() *lua.LTable {
	t := library{
		"encode": jsonEncode, "decode": jsonDecode,
		"encode_sparse_array": jsonSparse, "encode_invalid_numbers": jsonEncodeInvalid,
		"encode_max_depth":        jsonInteger(maxJSONDepth, func(o *jsonOptions) *int { return &o.encodeDepth }),
		"decode_max_depth":        jsonInteger(maxJSONDepth, func(o *jsonOptions) *int { return &o.decodeDepth }),
		"encode_number_precision": jsonInteger(14, func(o *jsonOptions) *int { return &o.precision }),
		"encode_keep_buffer":      jsonSwitch(func(o *jsonOptions) *bool { return &o.keepBuffer }),
		"decode_invalid_numbers":  jsonSwitch(func(o *jsonOptions) *bool { return &o.decodeInvalid }),
		// Another copy of the library; it shares its options with the first.
		"new": func(a args) int { return a.ret(a.run().std.globals.RawGetString("cjson")) },
	}.table()
	t.RawSetString("null", e.null)
	t.RawSetString("_NAME", lua.LString("cjson"))
	t.RawSetString("_VERSION", lua.LString("2.1.0"))
	return t
}

// jsonInteger reads and, with an argument, sets an option.
func jsonInteger(limit int, option func(*jsonOptions) *int) func(args) int {
	return func(a args) int {
		n := option(&a.run().json)
		a.setInteger(1, n, 1, limit)
		return a.retNumber(float64(*n))
	}
}

func (a args) setInteger(arg int, n *int, low, high int) {
	if a.Get(arg) == lua.LNil {
		return
	}
	v := a.integer(arg)
	if v < low || v > high {
		a.fail(arg, "expected integer between %d and %d", low, high)
	}
	*n = v
}

func jsonSwitch(option func(*jsonOptions) *bool) func(args) int {
	return func(a args) int {
		on := option(&a.run().json)
		if a.Get(1) != lua.LNil {
			*on = a.onOff(1)
		}
		return a.ret(lua.LBool(*on))
	}
}

// onOff is an argument that is a boolean, "on" or "off".
func (a args) onOff(n int) bool {
	switch v := a.Get(n); v {
	case lua.LTrue, lua.LString("on"):
		return true
	case lua.LFalse, lua.LString("off"):
		return false
	}
	a.fail(n, "invalid option '%s'", a.text(n))
	return false
}

func jsonSparse(a args) int {
	o := &a.run().json
	if a.Get(1) != lua.LNil {
		o.sparseConvert = a.onOff(1)
	}
	a.setInteger(2, &o.sparseRatio, 0, math.MaxInt32)
	a.setInteger(3, &o.sparseSafe, 0, math.MaxInt32)
	return a.ret(lua.LBool(o.sparseConvert), lua.LNumber(o.sparseRatio), lua.LNumber(o.sparseSafe))
}

func jsonEncodeInvalid(a args) int {
	o := &a.run().json
	switch {
	case a.Get(1) == lua.LNil:
	case a.Get(1) == lua.LString("null"):
		o.encodeInvalid = invalidNull
	case a.onOff(1):
		o.encodeInvalid = invalidWritten
	default:
		o.encodeInvalid = invalidRefused
	}
	if o.encodeInvalid == invalidNull {
		return a.retText("null")
	}
	return a.ret(lua.LBool(o.encodeInvalid == invalidWritten))
}

// cjson.encode(value)
func jsonEncode(a args) int {
	if a.GetTop() != 1 {
		a.fail(1, "expected 1 argument")
	}
	e := &jsonEncoder{a: a, r: a.run()}
	e.value(a.Get(1), 0)
	e.grown()
	return a.retText(unsafe.String(unsafe.SliceData(e.out), len(e.out))) // nobody changes it any more
}

type jsonEncoder struct {
	a    args
	r    *run
	out  []byte
	room int // of out, as it was counted last
}

// grown counts what out has taken when it became larger.
func (e *jsonEncoder) grown() {
	if room := cap(e.out); room != e.room {
		e.room = room
		e.r.reserve(e.a.LState, room)
	}
}

func (e *jsonEncoder) fail(v lua.LValue, why string) {
	e.a.RaiseError("Cannot serialise %s: %s", v.Type().String(), why)
}

func (e *jsonEncoder) value(v lua.LValue, depth int) {
	e.r.spend(e.a.LState, 1)
	e.grown()
	switch v := v.(type) {
	case lua.LString:
		e.text(string(v))
	case lua.LNumber:
		e.number(float64(v), v)
	case lua.LBool:
		e.out = strconv.AppendBool(e.out, bool(v))
	case *lua.LTable:
		e.table(v, depth+1)
	default:
		if v != lua.LNil && v != e.r.std.null {
			e.fail(v, "type not supported")
		}
		e.out = append(e.out, "null"...)
	}
}

func (e *jsonEncoder) number(f float64, v lua.LValue) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		switch {
		case e.r.json.encodeInvalid == invalidRefused:
			e.fail(v, "must not be NaN or Inf")
		case e.r.json.encodeInvalid == invalidNull:
			e.out = append(e.out, "null"...)
		case math.IsNaN(f):
			e.out = append(e.out, "nan"...)
		default:
			e.out = append(e.out, notFinite(f)...)
		}
		return
	}
	e.out = append(e.out, formatG(f, e.r.json.precision)...)
}

// textPiece is how many bytes of a string are written before they are counted.
const textPiece = 16 << 10

func (e *jsonEncoder) text(s string) {
	e.out = append(e.out, '"')
	for len(s) > textPiece {
		e.piece(s[:textPiece])
		s = s[textPiece:]
	}
	e.piece(s)
	e.out = append(e.out, '"')
}

// piece writes a part of a string.
func (e *jsonEncoder) piece(s string) {
	e.r.spend(e.a.LState, len(s)/16)
	e.grown()
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '/':
			e.out = append(e.out, '\\', c)
		case '\b':
			e.out = append(e.out, `\b`...)
		case '\f':
			e.out = append(e.out, `\f`...)
		case '\n':
			e.out = append(e.out, `\n`...)
		case '\r':
			e.out = append(e.out, `\r`...)
		case '\t':
			e.out = append(e.out, `\t`...)
		default:
			if c < 32 || c == 127 {
				const hex = "0123456789abcdef"
				e.out = append(e.out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
				continue
			}
			e.out = append(e.out, c)
		}
	}
}

func (e *jsonEncoder) table(t *lua.LTable, depth int) {
	if depth > e.r.json.encodeDepth {
		e.a.RaiseError("Cannot serialise, excessive nesting (%d)", depth)
	}
	t = e.r.behind(t)
	if n := e.length(t); n > 0 {
		e.out = append(e.out, '[')
		for i := range n {
			if i > 0 {
				e.out = append(e.out, ',')
			}
			e.value(t.RawGet(lua.LNumber(i+1)), depth)
		}
		e.out = append(e.out, ']')
		return
	}
	e.out = append(e.out, '{')
	first := true
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		if !first {
			e.out = append(e.out, ',')
		}
		first = false
		switch k := k.(type) {
		case lua.LString:
			e.text(string(k))
		case lua.LNumber:
			e.out = append(e.out, '"')
			e.number(float64(k), k)
			e.out = append(e.out, '"')
		default:
			e.fail(k, "table key must be a number or string")
		}
		e.out = append(e.out, ':')
		e.value(v, depth)
	}
	e.out = append(e.out, '}')
}

// length is the length of a table that is written as an array, otherwise 0.
func (e *jsonEncoder) length(t *lua.LTable) int {
	largest, n := 0.0, 0
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		e.r.spend(e.a.LState, 1)
		i, ok := k.(lua.LNumber)
		if !ok || i < 1 || float64(i) != math.Trunc(float64(i)) {
			return 0
		}
		largest = max(largest, float64(i))
		n++
	}
	o := &e.r.json
	if o.sparseRatio > 0 && largest > float64(n*o.sparseRatio) && largest > float64(o.sparseSafe) {
		if !o.sparseConvert {
			e.fail(t, "excessively sparse array")
		}
		return 0
	}
	e.r.reserve(e.a.LState, int(min(largest, 1<<40)))
	return int(largest)
}
