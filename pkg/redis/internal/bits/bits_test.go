package bits

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Expectations in this file's tables are the answers of Redis 7.0.15.

func TestGetSet(t *testing.T) {
	tests := []struct {
		name   string
		s      string
		offset int64
		bit    int
		want   string
		old    int
	}{
		{"first bit is the byte's highest", "\x00", 0, 1, "\x80", 0},
		{"last bit of a byte", "\x00", 7, 1, "\x01", 0},
		{"clears", "\xff\xff", 9, 0, "\xff\xbf", 1},
		{"keeps what is set already", "\x80", 0, 1, "\x80", 1},
		{"grows the empty string", "", 7, 1, "\x01", 0},
		{"grows by several bytes", "a", 25, 1, "a\x00\x00\x40", 0},
		{"grows to hold a zero", "a", 16, 0, "a\x00\x00", 0},
		{"grows by one byte", "a", 8, 1, "a\x80", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, old := Set(tt.s, tt.offset, tt.bit)
			if got != tt.want || old != tt.old {
				t.Errorf("Set(%q, %d, %d) = %q, %d, want %q, %d", tt.s, tt.offset, tt.bit, got, old, tt.want, tt.old)
			}
			if bit := Get(got, tt.offset); bit != tt.bit {
				t.Errorf("Get(%q, %d) = %d afterwards", got, tt.offset, bit)
			}
		})
	}
	if got, _ := Set("", 8*10_000, 1); len(got) != 10_001 || strings.Trim(got, "\x00") != "\x80" {
		t.Errorf("Set far beyond the end gives %d bytes", len(got))
	}
	if bit := Get("\xff", MaxOffset); bit != 0 {
		t.Errorf("Get beyond the end = %d", bit)
	}
}

func TestParseOffset(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "7": 7, "4294967295": MaxOffset} {
		if got, ok := ParseOffset(s); !ok || got != want {
			t.Errorf("ParseOffset(%q) = %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "-1", "4294967296", "x", "#1", "01"} {
		if got, ok := ParseOffset(s); ok {
			t.Errorf("ParseOffset(%q) = %d, want refusal", s, got)
		}
	}
}

func TestCountRange(t *testing.T) {
	const s = "\xff\xf0\x00\x0f"
	tests := []struct {
		start, end int64
		unit       Unit
		want       int64
	}{
		{0, -1, Byte, 16},
		{1, 1, Byte, 4},
		{-2, -1, Byte, 4},
		{5, 10, Byte, 0},
		{3, 1, Byte, 0},
		{0, 100, Byte, 16},
		{-100, -50, Byte, 8},
		{-50, -100, Byte, 0},
		{-1, -2, Byte, 0},
		{0, -1, Bit, 16},
		{5, 12, Bit, 7},
		{-3, -1, Bit, 3},
		{-100, 2, Bit, 3},
		{3, 3, Bit, 1},
		{12, 27, Bit, 0},
		{13, 11, Bit, 0},
		{0, 1000, Bit, 16},
	}
	for _, tt := range tests {
		if got := CountRange(s, tt.start, tt.end, tt.unit); got != tt.want {
			t.Errorf("CountRange(%q, %d, %d, %d) = %d, want %d", s, tt.start, tt.end, tt.unit, got, tt.want)
		}
	}
	if got := CountRange("", 0, -1, Byte); got != 0 {
		t.Errorf("CountRange of the empty string = %d", got)
	}
}

func TestPos(t *testing.T) {
	tests := []struct {
		s         string
		start     int64
		zero, one int64
	}{
		{"\xff\xf0", 0, 12, 0},
		{"\xff\xf0", 1, 12, 8},
		{"\xff\xf0", -1, 12, 8},
		{"\xff\xf0", 2, -1, -1},
		{"\xff\xf0", 100, -1, -1},
		{"\xff\xff", 0, 16, 0},
		{"\xff\xff", 1, 16, 8},
		{"\xff\xff", 2, -1, -1},
		{"\x00\x00", 0, 0, -1},
		{"", 0, -1, -1},
	}
	for _, tt := range tests {
		if got := Pos(tt.s, 0, tt.start); got != tt.zero {
			t.Errorf("Pos(%q, 0, %d) = %d, want %d", tt.s, tt.start, got, tt.zero)
		}
		if got := Pos(tt.s, 1, tt.start); got != tt.one {
			t.Errorf("Pos(%q, 1, %d) = %d, want %d", tt.s, tt.start, got, tt.one)
		}
	}
}

func TestPosRange(t *testing.T) {
	tests := []struct {
		s          string
		start, end int64
		unit       Unit
		zero, one  int64
	}{
		{"\xff\xf0", 0, -1, Byte, 12, 0},
		{"\xff\xf0", 0, 0, Byte, -1, 0},
		{"\xff\xf0", 1, 1, Byte, 12, 8},
		{"\xff\xf0", 2, 2, Byte, -1, -1},
		{"\xff\xf0", 2, 1, Byte, -1, -1},
		{"\xff\xf0", -100, -50, Byte, -1, 0},
		{"\xff\xf0", 0, 7, Bit, -1, 0},
		{"\xff\xf0", 12, 19, Bit, 12, -1},
		{"\xff\xf0", 13, 11, Bit, -1, -1},
		{"\xff\xf0", -4, -1, Bit, 12, -1},
		{"\xff\xff", 0, -1, Byte, -1, 0},
		{"\xff\xff", 0, 5, Byte, -1, 0},
		{"\xff\xff", 0, -1, Bit, -1, 0},
		{"", 0, -1, Byte, -1, -1},
	}
	for _, tt := range tests {
		if got := PosRange(tt.s, 0, tt.start, tt.end, tt.unit); got != tt.zero {
			t.Errorf("PosRange(%q, 0, %d, %d, %d) = %d, want %d", tt.s, tt.start, tt.end, tt.unit, got, tt.zero)
		}
		if got := PosRange(tt.s, 1, tt.start, tt.end, tt.unit); got != tt.one {
			t.Errorf("PosRange(%q, 1, %d, %d, %d) = %d, want %d", tt.s, tt.start, tt.end, tt.unit, got, tt.one)
		}
	}
}

// FuzzRanges compares the word-wise code with one that asks for each bit.
func FuzzRanges(f *testing.F) {
	f.Add("\xff\xf0\x00\x0f", 3, 40)
	f.Add(strings.Repeat("\x00", 40)+"\x01", 5, 328)
	f.Add(strings.Repeat("\xff", 40), 0, 1000)
	f.Fuzz(func(t *testing.T, s string, start, end int) {
		start, end = start&0xffff, end&0xffff
		var count int64
		first := [2]int64{-1, -1}
		for i := start; i <= end && i < len(s)*8; i++ {
			bit := Get(s, int64(i))
			count += int64(bit)
			if first[bit] < 0 {
				first[bit] = int64(i)
			}
		}
		if got := CountRange(s, int64(start), int64(end), Bit); got != count {
			t.Errorf("CountRange(%q, %d, %d) = %d, want %d", s, start, end, got, count)
		}
		for bit, want := range first {
			if got := PosRange(s, bit, int64(start), int64(end), Bit); got != want {
				t.Errorf("PosRange(%q, %d, %d, %d) = %d, want %d", s, bit, start, end, got, want)
			}
		}
	})
}

func randomString(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func BenchmarkCount(b *testing.B) {
	s := randomString(100_000)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Count(s)
	}
}

func BenchmarkPos(b *testing.B) {
	s := strings.Repeat("\x00", 100_000) + "\x01"
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		Pos(s, 1, 0)
	}
}

func BenchmarkSet(b *testing.B) {
	s := randomString(1000)
	b.ReportAllocs()
	bit := 0
	for b.Loop() {
		bit ^= 1
		Set(s, 1000, bit)
	}
}
