package bits

import (
	"strings"
	"testing"
)

func TestCombine(t *testing.T) {
	tests := []struct {
		op      Op
		sources []string
		want    string
	}{
		{And, []string{"\xf0\xff", "\x3c\x0f"}, "\x30\x0f"},
		{And, []string{"\xff\xff", "\xff"}, "\xff\x00"},
		{And, []string{"\xff\xff", ""}, "\x00\x00"},
		{Or, []string{"\xf0", "\x0c\x01"}, "\xfc\x01"},
		{Xor, []string{"\xff", "\x0f", "\x03"}, "\xf3"},
		{Not, []string{"\xf0\x00"}, "\x0f\xff"},
		{Not, []string{""}, ""},
		{Or, []string{"", ""}, ""},
		{Or, []string{"abc"}, "abc"},
		// X 11110000, Ys 00110011 and 01010101
		{Diff, []string{"\xf0", "\x33", "\x55"}, "\x80"},
		{Diff1, []string{"\xf0", "\x33", "\x55"}, "\x07"},
		{AndOr, []string{"\xf0", "\x33", "\x55"}, "\x70"},
		{One, []string{"\xf0", "\x33", "\x55"}, "\x86"},
		{One, []string{"\xff", "\xff", "\xff"}, "\x00"},
		{One, []string{"\xf0"}, "\xf0"},
		{Diff, []string{"\xff\xff", "\x0f"}, "\xf0\xff"},
		{Diff1, []string{"\xff", "\x00\xff"}, "\x00\xff"},
		{AndOr, []string{"\xff", "\x81\xff"}, "\x81\x00"},
	}
	for _, tt := range tests {
		if got := Combine(tt.op, tt.sources); got != tt.want {
			t.Errorf("Combine(%s, %q) = %q, want %q", tt.op, tt.sources, got, tt.want)
		}
	}
}

func TestParseOp(t *testing.T) {
	for op := And; op <= One; op++ {
		if got, ok := ParseOp(strings.ToLower(op.String())); !ok || got != op {
			t.Errorf("ParseOp(%s) = %s, %v", op, got, ok)
		}
	}
	if op, ok := ParseOp("NAND"); ok {
		t.Errorf("ParseOp(NAND) = %s", op)
	}
}

// naive is the operations' definition, for one bit.
func naive(op Op, x int, ys []int) int {
	anyY, count, all, parity := 0, x, x, x
	for _, y := range ys {
		anyY |= y
		count += y
		all &= y
		parity ^= y
	}
	switch op {
	case And:
		return all
	case Or:
		return x | anyY
	case Xor:
		return parity
	case Not:
		return 1 - x
	case Diff:
		return x &^ anyY
	case Diff1:
		return anyY &^ x
	case AndOr:
		return x & anyY
	}
	if count == 1 {
		return 1
	}
	return 0
}

func TestCombineMatchesItsDefinitionOverManyBlocks(t *testing.T) {
	long := randomString(3*blockWords*8 + 5)
	sources := []string{long[7:1500], long, long[100 : 100+blockWords*8], ""}
	for op := And; op <= One; op++ {
		in := sources
		if op == Not {
			in = sources[:1]
		}
		got := Combine(op, in)
		length := len(long)
		if op == Not {
			length = len(in[0])
		}
		if len(got) != length {
			t.Fatalf("%s: %d bytes, want %d", op, len(got), length)
		}
		for i := range int64(len(got) * 8) {
			var ys []int
			for _, s := range in[1:] {
				ys = append(ys, Get(s, i))
			}
			if bit, want := Get(got, i), naive(op, Get(in[0], i), ys); bit != want {
				t.Fatalf("%s: bit %d is %d, want %d", op, i, bit, want)
			}
		}
	}
}

func BenchmarkCombine(b *testing.B) {
	s := randomString(100_000)
	for _, op := range []Op{And, One} {
		b.Run(op.String(), func(b *testing.B) {
			b.SetBytes(int64(3 * len(s)))
			b.ReportAllocs()
			for b.Loop() {
				Combine(op, []string{s, s, s})
			}
		})
	}
}
