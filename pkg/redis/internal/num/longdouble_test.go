package num

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// What Redis 7.0.15 on x86-64 answers to SET k a; INCRBYFLOAT k b.
func TestLongDoubleAdd(t *testing.T) {
	tests := []struct{ a, b, sum string }{
		{"0.1", "0.2", "0.3"},
		{"10.5", "0.1", "10.6"},
		{"5.0e3", "2.0e2", "5200"},
		{"3.0e3", "0", "3000"},
		{"1.1", "1.1", "2.2"},
		{"-0", "-0", "0"},
		{"0", "-0", "0"},
		{"-1.5", "1.5", "0"},
		{"1", "+1", "2"},
		{"1", ".5", "1.5"},
		{"0x10", "1", "17"},
		{"1e18", "1", "1000000000000000001"},
		{"1e20", "0.1", "100000000000000000000"},
		{"18446744073709551616", "1", "18446744073709551616"},
		{"3.14159265358979", "2.71828", "5.85987265358979"},
		{"0x1p-17", "0x1p-18", "0.00001144409179688"},
		{"3", "1.00000000000000000001", "4"},
		{"1", "-0.99999999999999999999", "0"},
		{"5e-18", "0", "0"},
		{"1e-4950", "0", "0"},
	}
	for _, tt := range tests {
		a, aOK := ParseLongDouble(tt.a)
		b, bOK := ParseLongDouble(tt.b)
		if !aOK || !bOK {
			t.Errorf("ParseLongDouble(%q), (%q) refused", tt.a, tt.b)
			continue
		}
		sum, err := a.Add(b)
		if err != nil || sum.String() != tt.sum {
			t.Errorf("%s + %s = %s, %v, want %s", tt.a, tt.b, sum, err, tt.sum)
		}
	}
}

func TestLongDoubleAddNotFinite(t *testing.T) {
	for _, tt := range [][2]string{{"inf", "1"}, {"1", "-inf"}, {"inf", "-inf"}, {"1e4932", "1e4932"}, {"-1e4932", "-1e4932"}} {
		a, _ := ParseLongDouble(tt[0])
		b, _ := ParseLongDouble(tt[1])
		if sum, err := a.Add(b); !errors.Is(err, ErrNotFinite) {
			t.Errorf("%s + %s = %s, %v, want ErrNotFinite", tt[0], tt[1], sum, err)
		}
	}
}

func TestParseLongDoubleRefuses(t *testing.T) {
	for _, s := range []string{
		"", "nan", " 1", "1 ", "1\x00", "abc", "++1", "++inf", "+-1", "1_0", "1p3", "0b1", "0o7", "0x", "0x1_0", "i",
		"1e5000", "-1e5000", "1e-4951", "1e-5000", "1e999999999", "1e-999999999999",
		strings.Repeat("0", longDoubleMaxLen),
	} {
		if x, ok := ParseLongDouble(s); ok {
			t.Errorf("ParseLongDouble(%.20q) = %s, want refusal", s, x)
		}
	}
}

func TestLongDoubleInfinity(t *testing.T) {
	for s, want := range map[string]string{"inf": "inf", "-Inf": "-inf", "+INFINITY": "inf"} {
		x, ok := ParseLongDouble(s)
		if !ok || !x.IsInf() || x.String() != want {
			t.Errorf("ParseLongDouble(%q) = %s, %v, want %s", s, x, ok, want)
		}
	}
}

func TestFormatHuman(t *testing.T) {
	tests := []struct {
		f    float64
		want string
	}{
		{0, "0"},
		{math.Copysign(0, -1), "0"},
		{1, "1"},
		{100, "100"},
		{-1.5, "-1.5"},
		{13.36138933897018433, "13.36138933897018433"}, // GEOPOS of Palermo in Redis's documentation
		{1e21, "1000000000000000000000"},
		{1e-18, "0"},
		{math.Inf(1), "inf"},
		{math.Inf(-1), "-inf"},
	}
	for _, tt := range tests {
		if got := FormatHuman(tt.f); got != tt.want {
			t.Errorf("FormatHuman(%v) = %s, want %s", tt.f, got, tt.want)
		}
	}
}

func BenchmarkLongDoubleAdd(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		x, _ := ParseLongDouble("10.5")
		y, _ := ParseLongDouble("0.1")
		sum, _ := x.Add(y)
		_ = sum.String()
	}
}
