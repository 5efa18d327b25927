package bits

import (
	"math/bits"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// MaxOffset is the last bit of the longest string Redis keeps, 512 MB.
const MaxOffset = 512<<20*8 - 1

// ParseOffset reads a bit offset. When it is not ok, Redis answers "ERR bit offset is
// not an integer or out of range".
func ParseOffset(s string) (offset int64, ok bool) {
	offset, ok = num.ParseInt(s)
	return offset, ok && offset >= 0 && offset <= MaxOffset
}

// Get returns the bit of s at offset, 0 or 1.
func Get(s string, offset int64) int {
	i := offset >> 3
	if i >= int64(len(s)) {
		return 0
	}
	return int(s[i]>>(7-offset&7)) & 1
}

// Set returns s with the bit at offset set to bit, 0 or 1, and the bit that was there.
// The string grows as needed, even to hold a zero.
func Set(s string, offset int64, bit int) (result string, old int) {
	old = Get(s, offset)
	i := int(offset >> 3)
	if old == bit && i < len(s) {
		return s, old
	}
	mask := byte(0x80) >> (offset & 7)
	var b strings.Builder
	if i >= len(s) {
		b.Grow(i + 1)
		b.WriteString(s)
		zeros(&b, i-len(s))
		b.WriteByte(mask * byte(bit))
		return b.String(), old
	}
	b.Grow(len(s))
	b.WriteString(s[:i])
	b.WriteByte(s[i] ^ mask)
	b.WriteString(s[i+1:])
	return b.String(), old
}

func zeros(b *strings.Builder, n int) {
	var block [4096]byte
	for ; n > len(block); n -= len(block) {
		b.Write(block[:])
	}
	b.Write(block[:n])
}

// Unit says what the ends of a range count.
type Unit uint8

// The units of BITCOUNT and BITPOS.
const (
	Byte Unit = iota
	Bit
)

// span turns a range as clients give it (ends included, negative ones counted from the
// end of the string) into offsets of bits [from, to). It is empty if from >= to.
func span(s string, start, end int64, unit Unit) (from, to int64) {
	total := int64(len(s))
	if unit == Bit {
		total *= 8
	}
	if start < 0 {
		start = max(start+total, 0)
	}
	if end < 0 {
		end = max(end+total, 0)
	}
	end = min(end, total-1)
	if start > end {
		return 0, 0
	}
	if unit == Byte {
		return start * 8, end*8 + 8
	}
	return start, end + 1
}

// Count returns the number of bits set in s.
func Count(s string) int64 {
	n := 0
	for len(s) >= 8 {
		n += bits.OnesCount64(word(s))
		s = s[8:]
	}
	for i := 0; i < len(s); i++ {
		n += bits.OnesCount8(s[i])
	}
	return int64(n)
}

// CountRange returns the number of bits set in s from start to end, both included.
// Negative ends count from the end of the string, -1 being its last byte or bit.
func CountRange(s string, start, end int64, unit Unit) int64 {
	if start < 0 && end < 0 && start > end {
		return 0 // clamped to the string's start, they might look equal
	}
	from, to := span(s, start, end, unit)
	if from >= to {
		return 0
	}
	n := Count(s[from>>3 : (to+7)>>3])
	if head := from & 7; head != 0 { // bits of the first byte before the range
		n -= int64(bits.OnesCount8(s[from>>3] >> (8 - head)))
	}
	if tail := to & 7; tail != 0 { // bits of the last byte after the range
		n -= int64(bits.OnesCount8(s[to>>3] << tail))
	}
	return n
}

// Pos returns the offset of the first bit of s that equals bit, or -1: BITPOS without
// an end. Of a string of ones, the first zero is the one after its end. start counts
// bytes; when it is beyond the end the answer is -1.
//
// A key that does not exist is no empty string here: its first zero is at 0.
func Pos(s string, bit int, start int64) int64 {
	from, to := span(s, start, -1, Byte)
	if from >= to {
		return -1
	}
	if p := find(s, bit, from, to); p >= 0 || bit == 1 {
		return p
	}
	return to
}

// PosRange is [Pos] between start and end, both included, in bytes or bits: BITPOS
// with an end. Only bits of the string are found.
func PosRange(s string, bit int, start, end int64, unit Unit) int64 {
	from, to := span(s, start, end, unit)
	return find(s, bit, from, to)
}

// find returns the first bit in [from, to) that equals bit, or -1.
func find(s string, bit int, from, to int64) int64 {
	var flip uint64 // makes the bit looked for a one
	if bit == 0 {
		flip = ^flip
	}
	for at := from; at < to; {
		i := int(at >> 3)
		head := at & 7
		if head == 0 && to-at >= 64 {
			if w := word(s[i:]) ^ flip; w != 0 {
				return at + int64(bits.LeadingZeros64(w))
			}
			at += 64
			continue
		}
		if b := (s[i] ^ byte(flip)) << head; b != 0 {
			if p := at + int64(bits.LeadingZeros8(b)); p < to {
				return p
			}
			return -1
		}
		at += 8 - head
	}
	return -1
}

// word reads the first 8 bytes of s as a big-endian number, in which bits have the
// bitmap's order. (The compiler makes one load of it.)
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
}
