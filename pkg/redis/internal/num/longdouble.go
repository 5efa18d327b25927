package num

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// ErrNotFinite is the sum of two numbers that is infinite or not a number. Redis
// answers "ERR increment would produce NaN or Infinity".
var ErrNotFinite = errors.New("increment would produce NaN or Infinity")

// LongDouble is a number of x86's 80-bit format (64 bits of mantissa, exponents to
// 16383), in which Redis computes INCRBYFLOAT and HINCRBYFLOAT. Its eleven bits more
// than a double's are why 0.1 + 0.2 is 0.3 there. The zero LongDouble is 0.
type LongDouble struct {
	f big.Float
}

const (
	longDoublePrecision = 64
	longDoubleMaxLen    = 5 * 1024 // Redis reads no longer text
	longDoubleMaxExp    = 16384    // every finite number is below 2^16384
	longDoubleMinExp    = -16445   // the smallest denormal is 2^-16445
)

// ParseLongDouble reads a number as INCRBYFLOAT accepts it: the forms of [ParseFloat]
// in a long double's range, infinity included. When it is not ok, Redis answers
// "ERR value is not a valid float".
func ParseLongDouble(s string) (LongDouble, bool) {
	if len(s) >= longDoubleMaxLen {
		return LongDouble{}, false
	}
	double, rangeErr, ok := parseDouble(s) // for the syntax; the value may not fit
	if !ok || math.IsNaN(double) {
		return LongDouble{}, false
	}
	s, _ = goFloat(s)
	var x LongDouble
	x.f.SetPrec(longDoublePrecision)
	switch {
	case math.IsInf(double, 0) && !rangeErr:
		x.f.SetInf(double < 0)
		return x, true
	case isZero(s):
		if math.Signbit(double) {
			x.f.Neg(&x.f)
		}
		return x, true
	}
	if _, _, err := x.f.Parse(s, 0); err != nil || x.f.IsInf() || x.f.MantExp(nil) > longDoubleMaxExp {
		return LongDouble{}, false
	}
	// Half of the smallest denormal and all below it round to zero, an underflow.
	half := new(big.Float).SetMantExp(big.NewFloat(1), longDoubleMinExp-1)
	return x, new(big.Float).Abs(&x.f).Cmp(half) > 0
}

// Add returns x + y, or [ErrNotFinite].
func (x LongDouble) Add(y LongDouble) (LongDouble, error) {
	if x.f.IsInf() || y.f.IsInf() {
		return LongDouble{}, ErrNotFinite
	}
	var sum LongDouble
	sum.f.SetPrec(longDoublePrecision).Add(&x.f, &y.f)
	if sum.f.MantExp(nil) > longDoubleMaxExp {
		return LongDouble{}, ErrNotFinite
	}
	return sum, nil
}

// IsInf tells whether x is infinite, which HINCRBYFLOAT refuses in an increment with
// "ERR value is NaN or Infinity".
func (x LongDouble) IsInf() bool { return x.f.IsInf() }

// String formats x as Redis does for people: 17 digits after the point, trailing zeros
// and a trailing point dropped, never an exponent.
func (x LongDouble) String() string {
	if x.f.IsInf() {
		return formatInf(x.f.Signbit())
	}
	return trimZeros(x.f.Text('f', 17))
}

// FormatHuman formats a double as [LongDouble.String] does. Redis prints coordinates so.
func FormatHuman(f float64) string {
	if math.IsInf(f, 0) {
		return formatInf(f < 0)
	}
	return trimZeros(strconv.FormatFloat(f, 'f', 17, 64))
}

func formatInf(negative bool) string {
	if negative {
		return "-inf"
	}
	return "inf"
}

func trimZeros(s string) string {
	if strings.IndexByte(s, '.') >= 0 {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}
