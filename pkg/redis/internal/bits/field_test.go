package bits

import (
	"math"
	"testing"
)

// Expectations in this file's tables are the answers of Redis 7.0.15.

func TestParseType(t *testing.T) {
	for s, want := range map[string]Type{"u1": {false, 1}, "u63": {false, 63}, "i1": {true, 1}, "i64": {true, 64}} {
		if got, ok := ParseType(s); !ok || got != want {
			t.Errorf("ParseType(%q) = %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "u", "i", "8", "u0", "u64", "i65", "i08", "I8", "u 8", "u8x", "u-1", "u+1"} {
		if got, ok := ParseType(s); ok {
			t.Errorf("ParseType(%q) = %v, want refusal", s, got)
		}
	}
}

func TestTypeParseOffset(t *testing.T) {
	tests := []struct {
		typ    Type
		s      string
		offset int64
		ok     bool
	}{
		{Type{false, 8}, "0", 0, true},
		{Type{false, 8}, "4294967295", MaxOffset, true},
		{Type{false, 8}, "#1", 8, true},
		{Type{true, 5}, "#3", 15, true},
		{Type{false, 8}, "#536870911", 4294967288, true},
		{Type{false, 8}, "#536870912", 0, false},
		{Type{false, 63}, "#9223372036854775807", 0, false},
		{Type{false, 8}, "#-1", 0, false},
		{Type{false, 8}, "#01", 0, false},
		{Type{false, 8}, "#", 0, false},
		{Type{false, 8}, "-1", 0, false},
		{Type{false, 8}, "4294967296", 0, false},
	}
	for _, tt := range tests {
		offset, ok := tt.typ.ParseOffset(tt.s)
		if ok != tt.ok || ok && offset != tt.offset {
			t.Errorf("%v.ParseOffset(%q) = %d, %v, want %d, %v", tt.typ, tt.s, offset, ok, tt.offset, tt.ok)
		}
	}
}

func TestParseOverflow(t *testing.T) {
	for s, want := range map[string]Overflow{"wrap": Wrap, "SAT": Saturate, "Fail": Fail} {
		if got, ok := ParseOverflow(s); !ok || got != want {
			t.Errorf("ParseOverflow(%q) = %v, %v", s, got, ok)
		}
	}
	if _, ok := ParseOverflow("saturate"); ok {
		t.Error("ParseOverflow(saturate) is ok")
	}
}

// failed stands in the tables for "does not fit".
const failed = math.MinInt64 + 12345

func TestFit(t *testing.T) {
	tests := []struct {
		typ             Type
		value           int64
		wrap, sat, fail int64
	}{
		{Type{false, 8}, 200, 200, 200, 200},
		{Type{false, 8}, 300, 44, 255, failed},
		{Type{false, 8}, -1, 255, 255, failed},
		{Type{true, 8}, 127, 127, 127, 127},
		{Type{true, 8}, 300, 44, 127, failed},
		{Type{true, 8}, -300, -44, -128, failed},
		{Type{false, 63}, -1, math.MaxInt64, math.MaxInt64, failed},
		{Type{true, 64}, math.MinInt64, math.MinInt64, math.MinInt64, math.MinInt64},
		{Type{true, 1}, 1, -1, 0, failed},
	}
	for _, tt := range tests {
		for way, want := range []int64{tt.wrap, tt.sat, tt.fail} {
			got, ok := tt.typ.Fit(tt.value, Overflow(way))
			if ok != (want != failed) || ok && got != want {
				t.Errorf("%v.Fit(%d, %d) = %d, %v, want %d", tt.typ, tt.value, way, got, ok, want)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	tests := []struct {
		typ              Type
		value, increment int64
		wrap, sat, fail  int64
	}{
		{Type{false, 8}, 100, 55, 155, 155, 155},
		{Type{false, 8}, 255, 1, 0, 255, failed},
		{Type{false, 8}, 5, -300, 217, 0, failed},
		{Type{true, 8}, 127, 1, -128, 127, failed},
		{Type{true, 8}, -128, -1, 127, -128, failed},
		{Type{true, 64}, math.MaxInt64, 1, math.MinInt64, math.MaxInt64, failed},
		{Type{true, 64}, math.MinInt64, -1, math.MaxInt64, math.MinInt64, failed},
		{Type{true, 64}, math.MaxInt64, math.MinInt64, -1, -1, -1},
		{Type{false, 63}, math.MaxInt64, math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64, failed},
		{Type{false, 63}, 0, math.MinInt64, 0, 0, failed},
		{Type{false, 1}, 1, 1, 0, 1, failed},
		{Type{true, 1}, 0, 1, -1, 0, failed},
		{Type{true, 1}, 0, -2, 0, -1, failed},
	}
	for _, tt := range tests {
		for way, want := range []int64{tt.wrap, tt.sat, tt.fail} {
			got, ok := tt.typ.Add(tt.value, tt.increment, Overflow(way))
			if ok != (want != failed) || ok && got != want {
				t.Errorf("%v.Add(%d, %d, %d) = %d, %v, want %d", tt.typ, tt.value, tt.increment, way, got, ok, want)
			}
		}
	}
}

func TestReadWrite(t *testing.T) {
	tests := []struct {
		typ    Type
		s      string
		offset int64
		value  int64
		want   string
	}{
		{Type{false, 8}, "", 0, 255, "\xff"},
		{Type{true, 8}, "\x00\x00", 4, -1, "\x0f\xf0"},
		{Type{false, 1}, "\xff", 3, 0, "\xef"},
		{Type{false, 3}, "\x00", 6, 5, "\x02\x80"},
		{Type{true, 64}, "", 1, -2, "\x7f\xff\xff\xff\xff\xff\xff\xff\x00"},
		{Type{false, 63}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff", 7, 1, "\xfe\x00\x00\x00\x00\x00\x00\x00\x07"},
		{Type{false, 16}, "a", 16, 0x6263, "a\x00bc"},
	}
	for _, tt := range tests {
		got := string(tt.typ.Write([]byte(tt.s), tt.offset, tt.value))
		if got != tt.want {
			t.Errorf("%v.Write(%q, %d, %d) = %q, want %q", tt.typ, tt.s, tt.offset, tt.value, got, tt.want)
		}
		if back := tt.typ.Read(got, tt.offset); back != tt.value {
			t.Errorf("%v.Read(%q, %d) = %d, want %d", tt.typ, got, tt.offset, back, tt.value)
		}
		if back := tt.typ.ReadBytes([]byte(got), tt.offset); back != tt.value {
			t.Errorf("%v.ReadBytes(%q, %d) = %d, want %d", tt.typ, got, tt.offset, back, tt.value)
		}
	}
	if got := (Type{false, 8}).Read("\xff", 4); got != 0xf0 {
		t.Errorf("reading over the end = %d, want zeros after it", got)
	}
	if got := (Type{true, 64}).Read("", MaxOffset); got != 0 {
		t.Errorf("reading beyond the end = %d", got)
	}
}

func TestGrow(t *testing.T) {
	if got := (Type{false, 8}).Grow([]byte("a"), 9); string(got) != "a\x00\x00" {
		t.Errorf("Grow = %q", got)
	}
	if got := (Type{false, 8}).Grow([]byte("ab"), 8); string(got) != "ab" {
		t.Errorf("Grow of a long enough string = %q", got)
	}
}

func FuzzField(f *testing.F) {
	f.Add("\xff\x00\xff\x00\xff\x00\xff\x00\xff\x00", uint16(3), uint8(63), true, int64(-5))
	f.Fuzz(func(t *testing.T, s string, at uint16, width uint8, signed bool, value int64) {
		typ := Type{Signed: signed, Bits: int(width)%63 + 1}
		offset := int64(at)
		fitted, _ := typ.Fit(value, Wrap)
		got := string(typ.Write([]byte(s), offset, fitted))
		if back := typ.Read(got, offset); back != fitted {
			t.Fatalf("%v at %d: wrote %d, read %d", typ, offset, fitted, back)
		}
		for i := range int64(len(got) * 8) { // bits around it are left alone
			if i < offset || i >= offset+int64(typ.Bits) {
				if Get(got, i) != Get(s, i) {
					t.Fatalf("%v at %d changed bit %d", typ, offset, i)
				}
			}
		}
	})
}

func BenchmarkField(b *testing.B) {
	buf := make([]byte, 64)
	typ := Type{Bits: 40}
	b.ReportAllocs()
	for b.Loop() {
		v, _ := typ.Add(typ.ReadBytes(buf, 123), 1, Wrap)
		buf = typ.Write(buf, 123, v)
	}
}
