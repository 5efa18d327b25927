package bits

import (
	"encoding/binary"
	"strings"
)

// Op is a bitwise operation of BITOP.
type Op uint8

// The operations. With X the first key and Y the others:
const (
	And   Op = iota // in all
	Or              // in one or more
	Xor             // in an odd number
	Not             // not in X, which is alone
	Diff            // in X, in no Y
	Diff1           // in one or more Y, not in X
	AndOr           // in X and in one or more Y
	One             // in exactly one
)

var opNames = [...]string{And: "AND", Or: "OR", Xor: "XOR", Not: "NOT", Diff: "DIFF", Diff1: "DIFF1", AndOr: "ANDOR", One: "ONE"}

// ParseOp reads an operation's name in any case.
func ParseOp(s string) (Op, bool) {
	for op, name := range opNames {
		if strings.EqualFold(s, name) {
			return Op(op), true
		}
	}
	return 0, false
}

// String returns the name in upper case.
func (op Op) String() string { return opNames[op] }

// Operands returns how many source keys op takes: at least min and, if max is not 0,
// at most max.
func (op Op) Operands() (min, max int) {
	switch op {
	case Not:
		return 1, 1
	case Diff, Diff1, AndOr:
		return 2, 0
	}
	return 1, 0
}

// blockWords is how much of the result is computed at a time: little enough to stay in
// the first cache while each source is folded into it.
const blockWords = 128

// Combine applies op to the sources. The result is as long as the longest of them; the
// others are followed by zeros, and a key that does not exist is an empty string.
func Combine(op Op, sources []string) string {
	if len(sources) == 0 {
		return ""
	}
	length := 0
	for _, s := range sources {
		length = max(length, len(s))
	}
	var (
		result strings.Builder
		out    [blockWords * 8]byte
		acc    [blockWords]uint64 // the operation so far; bits in one or more Y when X is apart
		many   [blockWords]uint64 // One: bits in two sources or more
		src    [blockWords]uint64
	)
	result.Grow(length)
	for at := 0; at < length; at += len(out) {
		n := (min(length-at, len(out)) + 7) / 8 // words in this block
		rest := sources[1:]
		switch op {
		case Diff, Diff1, AndOr:
			clear(acc[:n])
		default:
			load(acc[:n], sources[0], at)
		}
		if op == One {
			clear(many[:n])
		}
		for _, s := range rest {
			load(src[:n], s, at)
			switch op {
			case And:
				for i, w := range src[:n] {
					acc[i] &= w
				}
			case Xor:
				for i, w := range src[:n] {
					acc[i] ^= w
				}
			case One:
				for i, w := range src[:n] {
					many[i] |= acc[i] & w
					acc[i] |= w
				}
			default:
				for i, w := range src[:n] {
					acc[i] |= w
				}
			}
		}
		switch op {
		case Diff, Diff1, AndOr:
			load(src[:n], sources[0], at)
		}
		for i := range n {
			w := acc[i]
			switch op {
			case Not:
				w = ^w
			case Diff:
				w = src[i] &^ w
			case Diff1:
				w &^= src[i]
			case AndOr:
				w &= src[i]
			case One:
				w &^= many[i]
			}
			binary.BigEndian.PutUint64(out[i*8:], w)
		}
		result.Write(out[:min(length-at, len(out))])
	}
	return result.String()
}

// load fills words with the bytes of s from at on, and with zeros after its end.
func load(words []uint64, s string, at int) {
	s = s[min(at, len(s)):]
	i := 0
	for ; i < len(words) && len(s) >= 8; i++ {
		words[i] = word(s)
		s = s[8:]
	}
	if i < len(words) && len(s) > 0 {
		var tail [8]byte
		copy(tail[:], s)
		words[i] = binary.BigEndian.Uint64(tail[:])
		i++
	}
	clear(words[i:])
}
