package script

import (
	"encoding/binary"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// structLibrary packs values in binary formats, as the library struct
// (http://www.inf.puc-rio.br/~roberto/struct/), for 64-bit Linux.
func structLibrary() library {
	return library{"pack": structPack, "unpack": structUnpack, "size": structSize}
}

const maxIntSize = 32 // bytes of an integer

// layout reads a format, option by option.
type layout struct {
	a      args
	rest   string
	little bool
	align  int
}

// option is one element of a format.
type option struct {
	code  byte
	size  int
	align int // padding comes before it
}

// number reads a count from the format.
func (l *layout) number(otherwise int) int {
	digits := 0
	for digits < len(l.rest) && l.rest[digits] >= '0' && l.rest[digits] <= '9' {
		digits++
	}
	if digits == 0 {
		return otherwise
	}
	l.a.run().spend(l.a.LState, digits/16)
	n := 0
	for _, d := range l.rest[:digits] {
		if n > math.MaxInt32/10 {
			l.a.RaiseError("integral size overflow")
		}
		n = n*10 + int(d-'0')
	}
	l.rest = l.rest[digits:]
	return n
}

// next reads the next option that stands for bytes; not ok at the end. total is how many there
// are before it.
func (l *layout) next(total int) (o option, ok bool) {
	for l.rest != "" {
		code := l.rest[0]
		l.rest = l.rest[1:]
		l.a.run().spend(l.a.LState, 1)
		switch code {
		case ' ':
		case '<':
			l.little = true
		case '>':
			l.little = false
		case '!':
			n := l.number(8)
			if n == 0 || n&(n-1) != 0 {
				l.a.RaiseError("alignment %d is not a power of 2", n)
			}
			l.align = n
		default:
			o = option{code: code, size: l.size(code)}
			o.align = l.padding(o, total)
			return o, true
		}
	}
	return o, false
}

func (l *layout) size(code byte) int {
	switch code {
	case 'b', 'B', 'x':
		return 1
	case 'h', 'H':
		return 2
	case 'l', 'L', 'T', 'd':
		return 8
	case 'f':
		return 4
	case 'c':
		return l.number(1)
	case 's':
		return 0
	case 'i', 'I':
		n := l.number(4)
		if n > maxIntSize {
			l.a.RaiseError("integral size %d is larger than limit of %d", n, maxIntSize)
		}
		return n
	}
	l.a.fail(1, "invalid format option '%c'", code)
	return 0
}

func (l *layout) padding(o option, total int) int {
	if o.size == 0 || o.code == 'c' {
		return 0
	}
	align := min(o.size, l.align)
	if align <= 1 {
		return 0
	}
	return (align - total&(align-1)) & (align - 1)
}

func newLayout(a args) *layout { return &layout{a: a, rest: a.text(1), little: true, align: 1} }

func structPack(a args) int {
	l, r := newLayout(a), a.run()
	var out []byte
	arg := 2
	for {
		o, ok := l.next(len(out))
		if !ok {
			return a.retText(string(out))
		}
		r.reserve(a.LState, o.align+o.size)
		out = append(out, make([]byte, o.align)...)
		switch o.code {
		case 'x':
			out = append(out, 0)
			continue
		case 's', 'c':
			s := a.text(arg)
			size := o.size
			if size == 0 {
				size = len(s)
			}
			if size > len(s) {
				a.fail(arg+1, "string too short") // so the library counts
			}
			r.reserve(a.LState, size)
			out = append(out, s[:size]...)
			if o.code == 's' {
				out = append(out, 0)
			}
		case 'f':
			out = l.put(out, uint64(math.Float32bits(float32(a.packed(arg)))), 4)
		case 'd':
			out = l.put(out, math.Float64bits(a.packed(arg)), 8)
		default:
			f := a.packed(arg)
			n := uint64(toInteger(f))
			if f >= 1<<63 {
				n = uint64(f)
			}
			out = l.put(out, n, o.size)
		}
		arg++
	}
}

// packed is a number to pack. One that is missing is nil, in the library's message.
func (a args) packed(n int) float64 {
	if n > a.GetTop() {
		a.fail(n, "number expected, got nil")
	}
	return a.number(n)
}

// put appends an integer of a size; bytes above the eighth are zero.
func (l *layout) put(out []byte, n uint64, size int) []byte {
	var b [maxIntSize]byte
	if l.little {
		binary.LittleEndian.PutUint64(b[:], n)
		return append(out, b[:size]...)
	}
	binary.BigEndian.PutUint64(b[maxIntSize-8:], n)
	return append(out, b[maxIntSize-size:]...)
}

// get reads an integer. Of more than eight bytes, the lower ones count.
func (l *layout) get(b string) uint64 {
	var n uint64
	for i := range len(b) {
		c := b[i]
		if l.little {
			c = b[len(b)-1-i]
		}
		n = n<<8 | uint64(c)
	}
	return n
}

func structUnpack(a args) int {
	l, data := newLayout(a), a.text(2)
	start := a.optInteger(3, 1)
	if start == 0 {
		a.fail(3, "offset must be 1 or greater")
	}
	pos := start - 1
	if pos < 0 || pos > len(data) {
		a.fail(2, "data string too short")
	}
	var out []lua.LValue
	for {
		o, ok := l.next(pos)
		if !ok {
			break
		}
		pos += o.align
		if o.size > len(data) || pos > len(data)-o.size {
			a.fail(2, "data string too short")
		}
		a.run().spend(a.LState, 1)
		a.run().reserve(a.LState, tableSlot+o.size)
		piece := data[pos : pos+o.size]
		pos += o.size
		var v lua.LValue
		switch o.code {
		case 'x':
			continue
		case 's':
			n := strings.IndexByte(data[pos:], 0)
			if n < 0 {
				a.run().spend(a.LState, 64+(len(data)-pos)/512)
				a.RaiseError("unfinished string in data")
			}
			v, pos = lua.LString(data[pos:pos+n]), pos+n+1
		case 'c':
			if o.size == 0 {
				n, ok := lua.LNumber(0), false
				if len(out) > 0 {
					n, ok = out[len(out)-1].(lua.LNumber)
				}
				if !ok {
					a.RaiseError("format 'c0' needs a previous size")
				}
				if n < 0 || int(n) > len(data)-pos {
					a.fail(2, "data string too short")
				}
				out = out[:len(out)-1]
				piece = data[pos : pos+int(n)]
				pos += int(n)
			}
			v = lua.LString(piece)
		case 'f':
			v = lua.LNumber(math.Float32frombits(uint32(l.get(piece))))
		case 'd':
			v = lua.LNumber(math.Float64frombits(l.get(piece)))
		default:
			v = lua.LNumber(l.integer(piece, o.code))
		}
		if out = append(out, v); len(out) >= maxResults {
			a.RaiseError("too many results to unpack")
		}
	}
	a.ret(out...)
	a.Push(lua.LNumber(pos + 1))
	return len(out) + 1
}

func (l *layout) integer(b string, code byte) float64 {
	n := l.get(b)
	if code >= 'a' && code <= 'z' {
		if unused := 64 - 8*len(b); unused > 0 && unused < 64 {
			return float64(int64(n<<unused) >> unused)
		}
		return float64(int64(n))
	}
	return float64(n)
}

func structSize(a args) int {
	l := newLayout(a)
	total := 0
	for {
		o, ok := l.next(total)
		if !ok {
			return a.retNumber(float64(total))
		}
		switch {
		case o.code == 's':
			a.fail(1, "option 's' has no fixed size")
		case o.code == 'c' && o.size == 0:
			a.fail(1, "option 'c0' has no fixed size")
		}
		total += o.align + o.size
	}
}
