// Package num reads and writes numbers as Redis does: what it accepts, what it
// refuses and how it prints, to the byte.
//
// Redis has three notions of a number in a string: integers in their one canonical
// form (INCR, EXPIRE, counts, indexes), C doubles (scores, coordinates, timeouts) and
// x86 long doubles (INCRBYFLOAT, HINCRBYFLOAT; see [LongDouble]). How doubles are
// printed in replies belongs to package resp.
package num

import (
	"math"
	"strconv"
	"strings"
)

// ParseInt reads a signed 64-bit integer in canonical form: no plus sign, no leading
// zeros, no blanks, no "-0". It is what commands accept as an integer argument.
func ParseInt(s string) (int64, bool) {
	if len(s) == 0 || len(s) > len("-9223372036854775808") {
		return 0, false
	}
	if s == "0" {
		return 0, true
	}
	digits := s
	negative := s[0] == '-'
	if negative {
		digits = s[1:]
	}
	if digits == "" || digits[0] == '0' {
		return 0, false
	}
	var n uint64 // at most 20 digits: overflow is seen before it happens
	for i := 0; i < len(digits); i++ {
		d := digits[i] - '0'
		if d > 9 || n > (math.MaxUint64-9)/10 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	switch {
	case negative && n <= 1<<63:
		return -int64(n), true
	case !negative && n <= math.MaxInt64:
		return int64(n), true
	}
	return 0, false
}

// IsCanonicalInt tells whether s is exactly what formatting an int64 in decimal gives,
// so that it may be stored as that number without losing a byte. These are the strings
// that [ParseInt] accepts, and the ones Redis gives its "int" encoding.
func IsCanonicalInt(s string) (int64, bool) { return ParseInt(s) }

// AddInt adds with overflow check.
func AddInt(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// ParseFloat reads a double as commands accept it for scores, increments, weights and
// coordinates: the forms of C's strtod (decimal and hexadecimal, with sign and exponent,
// "inf" and "infinity" in any case), but no NaN, no blanks, not the empty string, and
// nothing too large for a double or, unless it is zero, too small.
func ParseFloat(s string) (float64, bool) {
	f, rangeErr, ok := parseDouble(s)
	if !ok || rangeErr || math.IsNaN(f) {
		return 0, false
	}
	return f, true
}

// ParseScoreBound reads a bound of a score range: "1.5", "(1.5" to exclude the bound
// itself, "-inf", "(+inf". Redis is laxer here than elsewhere, and so is this function:
// leading blanks are skipped, the empty number is 0, numbers out of range become
// infinite or zero, and a NUL byte ends the number. When it is not ok, Redis answers
// "ERR min or max is not a float".
func ParseScoreBound(s string) (score float64, exclusive, ok bool) {
	if strings.HasPrefix(s, "(") {
		s, exclusive = s[1:], true
	}
	s, _, _ = strings.Cut(s, "\x00")
	if s == "" {
		return 0, exclusive, true
	}
	f, _, ok := parseDouble(strings.TrimLeft(s, " \t\n\v\f\r"))
	if !ok || math.IsNaN(f) {
		return 0, false, false
	}
	return f, exclusive, true
}

// parseDouble reads all of s in one of strtod's forms. rangeErr tells that the number
// overflowed to infinity or underflowed to zero.
func parseDouble(s string) (f float64, rangeErr, ok bool) {
	s, ok = goFloat(s)
	if !ok {
		return 0, false, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		if math.IsInf(f, 0) {
			return f, true, true
		}
		return 0, false, false
	}
	return f, f == 0 && !isZero(s), true
}

// goFloat turns a number in one of strtod's forms into Go's syntax. It refuses what Go
// reads and C does not; what neither reads is left to the caller's parser.
func goFloat(s string) (string, bool) {
	if strings.IndexByte(s, '_') >= 0 {
		return "", false
	}
	if isHex(s) && !strings.ContainsAny(s, "pP") {
		s += "p0" // the exponent is optional in C
	}
	return s, s != ""
}

func isHex(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x'
}

// isZero tells whether the mantissa of a well-formed number is zero.
func isZero(s string) bool {
	exponent := "eE"
	if isHex(s) {
		exponent = "pP"
	}
	if i := strings.IndexAny(s, exponent); i >= 0 {
		s = s[:i]
	}
	return strings.Trim(s, "+-0.xX") == ""
}
