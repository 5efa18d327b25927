package bits

import (
	"math"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// Type is the type of a BITFIELD integer: i1 to i64 or u1 to u63.
type Type struct {
	Signed bool
	Bits   int
}

// ParseType reads a type such as "u8" or "i64". When it is not ok, Redis answers "ERR
// Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but
// i64 is."
func ParseType(s string) (Type, bool) {
	if s == "" || s[0] != 'i' && s[0] != 'u' {
		return Type{}, false
	}
	t := Type{Signed: s[0] == 'i'}
	widest := int64(63)
	if t.Signed {
		widest = 64
	}
	n, ok := num.ParseInt(s[1:])
	if !ok || n < 1 || n > widest {
		return Type{}, false
	}
	t.Bits = int(n)
	return t, true
}

// ParseOffset reads the offset of an integer of this type: in bits, or after a "#" in
// integers of this type. When it is not ok, Redis answers "ERR bit offset is not an
// integer or out of range".
func (t Type) ParseOffset(s string) (offset int64, ok bool) {
	if !strings.HasPrefix(s, "#") {
		return ParseOffset(s)
	}
	n, ok := num.ParseInt(s[1:])
	if !ok || n < 0 || n > MaxOffset/int64(t.Bits) {
		return 0, false
	}
	return n * int64(t.Bits), true
}

// Overflow says what becomes of a value that its type cannot hold.
type Overflow uint8

// The ways of BITFIELD's OVERFLOW.
const (
	Wrap     Overflow = iota // keep the low bits; the default
	Saturate                 // take the nearest value that fits
	Fail                     // write nothing, answer nil
)

// ParseOverflow reads WRAP, SAT or FAIL in any case. When it is not ok, Redis answers
// "ERR Invalid OVERFLOW type specified".
func ParseOverflow(s string) (Overflow, bool) {
	switch {
	case strings.EqualFold(s, "WRAP"):
		return Wrap, true
	case strings.EqualFold(s, "SAT"):
		return Saturate, true
	case strings.EqualFold(s, "FAIL"):
		return Fail, true
	}
	return 0, false
}

// limits returns the smallest and the largest value of t.
func (t Type) limits() (low, high int64) {
	if t.Signed {
		high = math.MaxInt64 >> (64 - t.Bits)
		return -high - 1, high
	}
	return 0, math.MaxInt64 >> (63 - t.Bits)
}

// wrap keeps the low bits of v.
func (t Type) wrap(v int64) int64 {
	unused := 64 - t.Bits
	if t.Signed {
		return v << unused >> unused
	}
	return int64(uint64(v) << unused >> unused)
}

// Fit makes value one of type t, for BITFIELD SET. It is not ok if it does not fit and
// the way is [Fail]. Like Redis, it takes a negative value of an unsigned type for a
// large one, which saturates to the largest. Where a very negative value overflows in
// Redis's own check and saturates a signed type to its largest value (i8 of the least
// int64), this function gives the smallest.
func (t Type) Fit(value int64, way Overflow) (int64, bool) {
	low, high := t.limits()
	if value >= low && value <= high {
		return value, true
	}
	limit := high
	if t.Signed && value < low {
		limit = low
	}
	return t.resolve(value, limit, way)
}

// Add returns value, which is of type t, plus increment, for BITFIELD INCRBY. It is not
// ok if the sum does not fit and the way is [Fail].
func (t Type) Add(value, increment int64, way Overflow) (int64, bool) {
	low, high := t.limits()
	sum, ok := num.AddInt(value, increment)
	if ok && sum >= low && sum <= high {
		return sum, true
	}
	limit := high
	if increment < 0 {
		limit = low
	}
	return t.resolve(sum, limit, way)
}

func (t Type) resolve(value, limit int64, way Overflow) (int64, bool) {
	switch way {
	case Saturate:
		return limit, true
	case Fail:
		return 0, false
	}
	return t.wrap(value), true
}

// Read returns the integer of type t at a bit offset of s.
func (t Type) Read(s string, offset int64) int64 { return read(t, s, offset) }

// ReadBytes is [Type.Read] of a buffer that [Type.Write] fills.
func (t Type) ReadBytes(b []byte, offset int64) int64 { return read(t, b, offset) }

func read[S string | []byte](t Type, s S, offset int64) int64 {
	var v uint64
	for left := t.Bits; left > 0; {
		skip := int(offset & 7)
		n := min(8-skip, left) // bits of this byte
		var b byte
		if i := offset >> 3; i < int64(len(s)) {
			b = s[i]
		}
		v = v<<n | uint64(b<<skip>>(8-n))
		offset += int64(n)
		left -= n
	}
	return t.wrap(int64(v))
}

// Write puts value, which is of type t, at a bit offset of b and returns the buffer,
// grown with zeros if it was shorter. (Redis grows the string for a SET or INCRBY that
// [Fail] stops, too: [Type.Grow].)
func (t Type) Write(b []byte, offset, value int64) []byte {
	b = t.Grow(b, offset)
	v := uint64(value)
	for left := t.Bits; left > 0; {
		skip := int(offset & 7)
		n := min(8-skip, left)
		shift := 8 - skip - n
		mask := byte(0xff) >> (8 - n) << shift
		i := offset >> 3
		b[i] = b[i]&^mask | byte(v>>(left-n))<<shift&mask
		offset += int64(n)
		left -= n
	}
	return b
}

// Grow appends zeros to b until it holds an integer of type t at a bit offset.
func (t Type) Grow(b []byte, offset int64) []byte {
	need := int((offset + int64(t.Bits) + 7) >> 3)
	if missing := need - len(b); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	return b
}
