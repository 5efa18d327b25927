package resp

import (
	"math"
	"strconv"
	"testing"
)

// The expected texts follow from d2string and emit_digits of Redis 7.2.
func TestFormatDouble(t *testing.T) {
	for _, tc := range []struct {
		name string
		f    float64
		want string
	}{
		{"zero", 0, "0"},
		{"negative zero", math.Copysign(0, -1), "-0"},
		{"one", 1, "1"},
		{"negative whole", -42, "-42"},
		{"half", 1.5, "1.5"},
		{"price", 99.5, "99.5"},
		{"shortest, not 17 digits", 0.1, "0.1"},
		{"sum that needs 17 digits", 0.30000000000000004, "0.30000000000000004"},
		{"pi", math.Pi, "3.141592653589793"},
		{"milliseconds", 1700000000000, "1700000000000"},
		{"whole up to 2^53", 1 << 53, "9007199254740992"},
		{"whole 1e17", 1e17, "100000000000000000"},
		{"whole up to 2^62 has all digits", 1 << 62, "4611686018427387904"},
		{"minus 2^62", -(1 << 62), "-4611686018427387904"},
		{"2^63 has its shortest digits filled with zeros", 1 << 63, "9223372036854776000"},
		{"minus 2^63", -(1 << 63), "-9223372036854776000"},
		{"7 zeros are written", 12345678901237e7, "123456789012370000000"},
		{"8 zeros are not", 1234567890123e8, "1.234567890123e+20"},
		{"1e18", 1e18, "1000000000000000000"},
		{"1e19", 1e19, "1e+19"},
		{"1e20", 1e20, "1e+20"},
		{"1e21", 1e21, "1e+21"},
		{"1.5e300", 1.5e300, "1.5e+300"},
		{"exponent 100", 1e100, "1e+100"},
		{"exponent 305", -2e305, "-2e+305"},
		{"largest", math.MaxFloat64, "1.7976931348623157e+308"},
		{"smallest", math.SmallestNonzeroFloat64, "5e-324"},
		{"1e-3", 1e-3, "0.001"},
		{"six places", 1e-6, "0.000001"},
		{"seven places", 1e-7, "1e-7"},
		{"seven places, two digits", 1.2e-6, "1.2e-6"},
		{"seven places but at least 1e-3", 0.0012345, "0.0012345"},
		{"eight places below 1e-3", 0.00012345, "1.2345e-4"},
		{"negative small", -1e-9, "-1e-9"},
		{"many places below 1e4", 1234.00000000001, "1234.00000000001"},
		{"six places from 1e4 on", 12345.678901, "12345.678901"},
		{"seven places from 1e4 on", 12345.6789012, "1.23456789012e+4"},
		{"seconds with microseconds", 1700000000.123456, "1700000000.123456"},
		{"infinity", math.Inf(1), "inf"},
		{"negative infinity", math.Inf(-1), "-inf"},
		{"not a number", math.NaN(), "nan"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := FormatDouble(tc.f); got != tc.want {
				t.Errorf("FormatDouble(%g) = %q, want %q", tc.f, got, tc.want)
			}
		})
	}
}

func FuzzFormatDouble(f *testing.F) {
	for _, x := range []float64{0, 1, 0.1, 1e-7, 1e20, 1 << 63, 12345.678901234, math.MaxFloat64, 5e-324} {
		f.Add(math.Float64bits(x))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		x := math.Float64frombits(bits)
		s := FormatDouble(x)
		back, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("%x: %q: %v", bits, s, err)
		}
		if math.IsNaN(x) {
			if s != "nan" {
				t.Fatalf("NaN is %q", s)
			}
			return
		}
		if math.Float64bits(back) != bits {
			t.Fatalf("%x: %q reads back as %x", bits, s, math.Float64bits(back))
		}
		if !isDouble([]byte(s)) {
			t.Fatalf("%q is not what the reader takes for a double", s)
		}
		if len(s) > 24 { // the room that Redis has for one
			t.Fatalf("%q has %d bytes", s, len(s))
		}
	})
}

func BenchmarkAppendDouble(b *testing.B) {
	for name, f := range map[string]float64{"whole": 1700000000000, "fraction": 99.5, "long": math.Pi * 1e30} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 64)
			for b.Loop() {
				buf = AppendDouble(buf[:0], f)
			}
		})
	}
}
