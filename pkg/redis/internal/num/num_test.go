package num

import (
	"math"
	"strconv"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, n := range []int64{0, 1, -1, 9, 10, -10, 1234567890, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1} {
		got, ok := ParseInt(strconv.FormatInt(n, 10))
		if !ok || got != n {
			t.Errorf("ParseInt(%d) = %d, %v", n, got, ok)
		}
	}
	for _, s := range []string{
		"", "-", "+", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1.0", "1e3", "0x10", "1_000", "a", "1\x00", "--1",
		"9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", "100000000000000000000",
	} {
		if n, ok := ParseInt(s); ok {
			t.Errorf("ParseInt(%q) = %d, want refusal", s, n)
		}
	}
}

func TestAddInt(t *testing.T) {
	tests := []struct {
		a, b, sum int64
		ok        bool
	}{
		{1, 2, 3, true},
		{5, 0, 5, true},
		{-5, 0, -5, true},
		{math.MaxInt64, 0, math.MaxInt64, true},
		{math.MaxInt64, 1, 0, false},
		{math.MaxInt64, math.MinInt64, -1, true},
		{math.MinInt64, -1, 0, false},
		{math.MinInt64, math.MinInt64, 0, false},
	}
	for _, tt := range tests {
		sum, ok := AddInt(tt.a, tt.b)
		if ok != tt.ok || ok && sum != tt.sum {
			t.Errorf("AddInt(%d, %d) = %d, %v, want %d, %v", tt.a, tt.b, sum, ok, tt.sum, tt.ok)
		}
	}
}

// What Redis 7.0.15 answers to ZADD with these scores.
func TestParseFloat(t *testing.T) {
	accepted := map[string]float64{
		"0":            0,
		"1":            1,
		"+1":           1,
		"-1.5":         -1.5,
		"5.":           5,
		".5":           .5,
		"+.5e-3":       .0005,
		"1E5":          1e5,
		"007":          7,
		"0x10":         16,
		"0x1p3":        8,
		"-0X.8":        -.5,
		"0xe":          14,
		"inf":          math.Inf(1),
		"+inf":         math.Inf(1),
		"-INF":         math.Inf(-1),
		"infinity":     math.Inf(1),
		"-Infinity":    math.Inf(-1),
		"1e-320":       1e-320,
		"0e9999999999": 0,
		"0x0p-5000":    0,
		"0.1000000000000000055511151231257827021181583404541015625": .1,
	}
	for s, want := range accepted {
		got, ok := ParseFloat(s)
		if !ok || got != want {
			t.Errorf("ParseFloat(%q) = %v, %v, want %v", s, got, ok, want)
		}
	}
	if f, ok := ParseFloat("-0"); !ok || f != 0 || !math.Signbit(f) {
		t.Errorf("ParseFloat(-0) = %v, %v, want the negative zero", f, ok)
	}
	for _, s := range []string{
		"", " ", ".", "+", "-", "e5", "1e", "1e+", "nan", "-NaN", "nan(1)", " 1", "1 ", "1\n", "1\x00", "1,5", "abc",
		"1_0", "0x_1p3", "0x", "0x.", "0x1p", "1p3", "infin", "inf ", "++1", "0b1", "0o7", "(1",
		"1e400", "-1e400", "1e-400", "0x1p-2000", "0x1p2000",
	} {
		if f, ok := ParseFloat(s); ok {
			t.Errorf("ParseFloat(%q) = %v, want refusal", s, f)
		}
	}
}

func TestParseScoreBound(t *testing.T) {
	accepted := []struct {
		s         string
		score     float64
		exclusive bool
	}{
		{"1.5", 1.5, false},
		{"(1.5", 1.5, true},
		{"-inf", math.Inf(-1), false},
		{"(+inf", math.Inf(1), true},
		{"+1", 1, false},
		{"0x10", 16, false},
		{"", 0, false},
		{"(", 0, true},
		{" 1", 1, false},
		{"( 1", 1, true},
		{"1e400", math.Inf(1), false},
		{"(-1e400", math.Inf(-1), true},
		{"1e-400", 0, false},
		{"2\x00junk", 2, false},
	}
	for _, tt := range accepted {
		score, exclusive, ok := ParseScoreBound(tt.s)
		if !ok || score != tt.score || exclusive != tt.exclusive {
			t.Errorf("ParseScoreBound(%q) = %v, %v, %v, want %v, %v", tt.s, score, exclusive, ok, tt.score, tt.exclusive)
		}
	}
	for _, s := range []string{"nan", "(nan", "-", "+", "1 ", "((1", " ", "( ", "[1", "abc", "1(", "0x"} {
		if score, _, ok := ParseScoreBound(s); ok {
			t.Errorf("ParseScoreBound(%q) = %v, want refusal", s, score)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1", "-0", "0x1.8p3", "inf", "1e400", "(1", "1_0", "5.e-3", "0x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := ParseInt(s); ok && strconv.FormatInt(n, 10) != s {
			t.Errorf("ParseInt(%q) = %d, not canonical", s, n)
		} else if n, err := strconv.ParseInt(s, 10, 64); !ok && err == nil && strconv.FormatInt(n, 10) == s {
			t.Errorf("ParseInt(%q) refused", s)
		}
		double, ok := ParseFloat(s)
		if !ok {
			return
		}
		if bound, _, ok := ParseScoreBound(s); !ok || bound != double {
			t.Errorf("ParseScoreBound(%q) = %v, %v; ParseFloat gives %v", s, bound, ok, double)
		}
		long, ok := ParseLongDouble(s)
		if !ok {
			if len(s) < longDoubleMaxLen {
				t.Errorf("ParseLongDouble(%q) refused; ParseFloat gives %v", s, double)
			}
			return
		}
		back, _ := long.f.Float64()
		if diff := math.Abs(back - double); diff > math.Abs(double)*1e-15 && diff > 1e-322 {
			t.Errorf("ParseLongDouble(%q) = %v; ParseFloat gives %v", s, back, double)
		}
	})
}

func BenchmarkParseInt(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseInt("-1234567890123")
	}
}

func BenchmarkParseFloat(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ParseFloat("1734567890.125")
	}
}
