package script

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// packTable is the library cmsgpack: MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md)
// as Redis's version of it writes and reads it.
func packTable() *lua.LTable {
	t := library{"pack": msgPack, "unpack": msgUnpack, "unpack_one": msgUnpackOne, "unpack_limit": msgUnpackLimit}.table()
	t.RawSetString("_NAME", lua.LString("cmsgpack"))
	t.RawSetString("_VERSION", lua.LString("lua-cmsgpack 0.4.0"))
	return t
}

const maxPackDepth = 16 // deeper tables are nil

func msgPack(a args) int {
	if a.GetTop() == 0 {
		a.fail(0, "MessagePack pack needs input.")
	}
	p := &packer{a: a}
	for i := 1; i <= a.GetTop(); i++ {
		p.value(a.Get(i), 0)
	}
	return a.retText(string(p.out))
}

// packer appends values as MessagePack.
type packer struct {
	a   args
	out []byte
}

func (p *packer) value(v lua.LValue, depth int) {
	p.a.run().spend(p.a.LState, 1)
	switch v := v.(type) {
	case lua.LString:
		p.a.run().reserve(p.a.LState, 2*len(v))
		p.text(string(v))
	case lua.LNumber:
		p.number(float64(v))
	case lua.LBool:
		if v {
			p.out = append(p.out, 0xc3)
		} else {
			p.out = append(p.out, 0xc2)
		}
	case *lua.LTable:
		if depth >= maxPackDepth {
			p.out = append(p.out, 0xc0)
			return
		}
		p.table(p.a.run().behind(v), depth)
	default:
		p.out = append(p.out, 0xc0)
	}
}

func (p *packer) text(s string) {
	switch n := len(s); {
	case n < 32:
		p.out = append(p.out, 0xa0|byte(n))
	case n <= math.MaxUint8:
		p.out = append(p.out, 0xd9, byte(n))
	case n <= math.MaxUint16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, 0xda), uint16(n))
	default:
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xdb), uint32(n))
	}
	p.out = append(p.out, s...)
}

func (p *packer) number(f float64) {
	if f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63 {
		p.integer(int64(f))
		return
	}
	if f == float64(float32(f)) {
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xca), math.Float32bits(float32(f)))
		return
	}
	p.out = binary.BigEndian.AppendUint64(append(p.out, 0xcb), math.Float64bits(f))
}

func (p *packer) integer(n int64) {
	switch {
	case n >= 0 && n <= 127, n < 0 && n >= -32:
		p.out = append(p.out, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		p.out = append(p.out, 0xcc, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, 0xcd), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xce), uint32(n))
	case n >= 0:
		p.out = binary.BigEndian.AppendUint64(append(p.out, 0xcf), uint64(n))
	case n >= math.MinInt8:
		p.out = append(p.out, 0xd0, byte(n))
	case n >= math.MinInt16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, 0xd1), uint16(n))
	case n >= math.MinInt32:
		p.out = binary.BigEndian.AppendUint32(append(p.out, 0xd2), uint32(n))
	default:
		p.out = binary.BigEndian.AppendUint64(append(p.out, 0xd3), uint64(n))
	}
}

func (p *packer) table(t *lua.LTable, depth int) {
	keys, whole := 0, true // all keys are positive integers
	largest := 0.0
	t.ForEach(func(k, _ lua.LValue) {
		n, ok := k.(lua.LNumber)
		whole = whole && ok && n > 0 && float64(n) == math.Trunc(float64(n))
		largest = max(largest, float64(n))
		keys++
	})
	if whole && largest == float64(keys) {
		p.head(keys, 0x90, 0xdc)
		for i := range keys {
			p.value(t.RawGet(lua.LNumber(i+1)), depth+1)
		}
		return
	}
	p.head(keys, 0x80, 0xde)
	for k, v := t.Next(lua.LNil); k != lua.LNil; k, v = t.Next(k) {
		p.value(k, depth+1)
		p.value(v, depth+1)
	}
}

// head starts an array or a map: its code with a small count, and that with 16 bits, which 32 bits follow.
func (p *packer) head(n int, small, large byte) {
	switch {
	case n < 16:
		p.out = append(p.out, small|byte(n))
	case n <= math.MaxUint16:
		p.out = binary.BigEndian.AppendUint16(append(p.out, large), uint16(n))
	default:
		p.out = binary.BigEndian.AppendUint32(append(p.out, large+1), uint32(n))
	}
}

func msgUnpack(a args) int { return unpackMsg(a, 0, 0) }

func msgUnpackOne(a args) int { return unpackMsg(a, 1, a.optInteger(2, 0)) }

func msgUnpackLimit(a args) int { return unpackMsg(a, a.integer(2), a.optInteger(3, 0)) }

// unpackMsg reads up to limit values from an offset, all if both are 0. With a limit,
// the offset behind them comes first, -1 at the end.
func unpackMsg(a args, limit, offset int) int {
	s := a.text(1)
	switch {
	case offset < 0 || limit < 0:
		a.RaiseError("Invalid request to unpack with offset of %d and limit of %d.", offset, len(s))
	case offset > len(s):
		a.RaiseError("Start offset %d greater than input length %d.", offset, len(s))
	}
	all := limit == 0 && offset == 0
	u := &unpacker{a: a, rest: s[offset:]}
	var out []lua.LValue
	for n := 0; u.rest != "" && (all || n < limit); n++ {
		if n >= maxResults {
			a.RaiseError("too many results to unpack")
		}
		out = append(out, u.value(0))
	}
	if !all {
		next := len(s) - len(u.rest)
		if u.rest == "" {
			next = -1
		}
		a.Push(lua.LNumber(next))
	}
	a.ret(out...)
	if all {
		return len(out)
	}
	return len(out) + 1
}

// unpacker reads values from MessagePack.
type unpacker struct {
	a    args
	rest string
}

// take reads n bytes.
func (u *unpacker) take(n int) string {
	if n > len(u.rest) {
		u.a.RaiseError("Missing bytes in input.")
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

// uint reads an unsigned integer of n bytes.
func (u *unpacker) uint(n int) uint64 {
	b := u.take(n)
	var v uint64
	for i := range len(b) {
		v = v<<8 | uint64(b[i])
	}
	return v
}

// int reads a signed integer of n bytes.
func (u *unpacker) int(n int) int64 {
	unused := 64 - 8*n
	return int64(u.uint(n)<<unused) >> unused
}

const maxUnpackDepth = 1000

func (u *unpacker) value(depth int) lua.LValue {
	r := u.a.run()
	r.spend(u.a.LState, 1)
	if depth > maxUnpackDepth {
		u.a.RaiseError("Bad data format in input.")
	}
	switch c := u.take(1)[0]; {
	case c <= 0x7f, c >= 0xe0:
		return lua.LNumber(int8(c))
	case c <= 0x8f:
		return u.pairs(int(c&15), depth)
	case c <= 0x9f:
		return u.array(int(c&15), depth)
	case c <= 0xbf:
		return lua.LString(u.take(int(c & 31)))
	case c == 0xc0:
		return lua.LNil
	case c == 0xc2:
		return lua.LFalse
	case c == 0xc3:
		return lua.LTrue
	case c == 0xca:
		return lua.LNumber(math.Float32frombits(uint32(u.uint(4))))
	case c == 0xcb:
		return lua.LNumber(math.Float64frombits(u.uint(8)))
	case c >= 0xcc && c <= 0xce:
		return lua.LNumber(u.uint(1 << (c - 0xcc)))
	case c == 0xcf:
		return lua.LNumber(u.int(8)) // as Redis reads it
	case c >= 0xd0 && c <= 0xd3:
		return lua.LNumber(u.int(1 << (c - 0xd0)))
	case c >= 0xd9 && c <= 0xdb:
		n := int(u.uint(1 << (c - 0xd9)))
		r.reserve(u.a.LState, min(n, len(u.rest)))
		return lua.LString(u.take(n))
	case c == 0xdc, c == 0xdd:
		return u.array(int(u.uint(2<<(c-0xdc))), depth)
	case c == 0xde, c == 0xdf:
		return u.pairs(int(u.uint(2<<(c-0xde))), depth)
	}
	u.a.RaiseError("Bad data format in input.")
	return nil
}

func (u *unpacker) array(n, depth int) lua.LValue {
	u.a.run().reserve(u.a.LState, tableMemory)
	t := &lua.LTable{Metatable: lua.LNil}
	for i := range n {
		u.a.run().reserve(u.a.LState, 2*tableSlot)
		t.RawSetInt(i+1, u.value(depth+1))
	}
	return t
}

func (u *unpacker) pairs(n, depth int) lua.LValue {
	r := u.a.run()
	r.reserve(u.a.LState, tableMemory)
	t := newRecord()
	for range n {
		r.reserve(u.a.LState, hashSize)
		k := u.value(depth + 1)
		v := u.value(depth + 1)
		r.reserveKey(u.a.LState, t, k)
		u.a.RawSet(t, k, v)
	}
	return t
}
