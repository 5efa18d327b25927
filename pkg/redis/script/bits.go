package script

import (
	"fmt"
	"math/bits"
)

// bitLibrary works on 32-bit integers, as the library BitOp of LuaJIT
// (https://bitop.luajit.org/api.html).
func bitLibrary() library {
	shift := func(op func(x uint32, n int) uint32) func(args) int {
		return func(a args) int { return a.retBits(op(a.bits(1), int(a.bits(2)&31))) }
	}
	fold := func(op func(x, y uint32) uint32) func(args) int {
		return func(a args) int {
			x := a.bits(1)
			for i := 2; i <= a.GetTop(); i++ {
				x = op(x, a.bits(i))
			}
			return a.retBits(x)
		}
	}
	return library{
		"tobit":   func(a args) int { return a.retBits(a.bits(1)) },
		"bnot":    func(a args) int { return a.retBits(^a.bits(1)) },
		"bswap":   func(a args) int { return a.retBits(bits.ReverseBytes32(a.bits(1))) },
		"band":    fold(func(x, y uint32) uint32 { return x & y }),
		"bor":     fold(func(x, y uint32) uint32 { return x | y }),
		"bxor":    fold(func(x, y uint32) uint32 { return x ^ y }),
		"lshift":  shift(func(x uint32, n int) uint32 { return x << n }),
		"rshift":  shift(func(x uint32, n int) uint32 { return x >> n }),
		"arshift": shift(func(x uint32, n int) uint32 { return uint32(int32(x) >> n) }),
		"rol":     shift(bits.RotateLeft32),
		"ror":     shift(func(x uint32, n int) uint32 { return bits.RotateLeft32(x, -n) }),
		"tohex":   toHex,
	}
}

// bits is a number modulo 2^32, rounded to the nearest integer, even if it is half-way.
func (a args) bits(n int) uint32 { return wrap32(a.number(n)) }

func (a args) retBits(x uint32) int { return a.retNumber(float64(int32(x))) }

func toHex(a args) int {
	x, n := a.bits(1), 8
	if a.GetTop() > 1 {
		n = int(int32(a.bits(2)))
	}
	format := "%08x"
	if n < 0 {
		n, format = -n, "%08X"
	}
	n = min(n, 8)
	if n < 0 {
		n = 8 // of -2^31
	}
	return a.retText(fmt.Sprintf(format, x)[8-n:])
}
