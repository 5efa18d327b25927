package resp

import (
	"math"
	"strconv"
)

// FormatDouble is AppendDouble as a string.
func FormatDouble(f float64) string {
	var b [32]byte
	return string(AppendDouble(b[:0], f))
}

// AppendDouble appends a double as Redis 7.2 and later reply it (d2string in its
// util.c): whole numbers up to 2^62 as plain digits, everything else as the
// shortest decimal that reads back as the same number, laid out as its fpconv
// library does:
//
//   - whole numbers with fewer than 8 zeros behind their shortest digits are
//     plain: 9223372036854775808 is "9223372036854776000", 1e20 is "1e+20";
//   - fractions are plain if they have at most 6 decimal places or are at least
//     1e-3 and below 1e4: "0.000001" and "1234.00000000001", but "1e-7",
//     "1.2345e-4" and "1.23450000001e+4";
//   - the exponent has a sign and no leading zero.
//
// Infinities and NaN are "inf", "-inf" and "nan", negative zero is "-0".
//
// The digits may differ from Redis's for about one number in a thousand, where
// its Grisu2 algorithm misses the shortest form; both read back as the same number.
func AppendDouble(dst []byte, f float64) []byte {
	const maxWhole = 1 << 62
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case f == 0 && math.Signbit(f):
		return append(dst, "-0"...)
	case f >= -maxWhole && f <= maxWhole && f == math.Trunc(f):
		return strconv.AppendInt(dst, int64(f), 10)
	}
	if f < 0 {
		dst = append(dst, '-')
		f = -f
	}
	digits, scale := shortest(f)
	d := digits.b[:digits.n]
	exp := scale + len(d) - 1 // of the first digit
	switch {
	case scale >= 0 && scale < 8:
		dst = append(dst, d...)
		return appendZeros(dst, scale)
	case scale < 0 && (scale > -7 || exp > -4 && exp < 4):
		point := len(d) + scale
		if point <= 0 {
			dst = append(dst, '0', '.')
			dst = appendZeros(dst, -point)
			return append(dst, d...)
		}
		dst = append(dst, d[:point]...)
		dst = append(dst, '.')
		return append(dst, d[point:]...)
	}
	dst = append(dst, d[0])
	if len(d) > 1 {
		dst = append(dst, '.')
		dst = append(dst, d[1:]...)
	}
	if exp < 0 {
		dst = append(dst, 'e', '-')
		exp = -exp
	} else {
		dst = append(dst, 'e', '+')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}

func appendZeros(dst []byte, n int) []byte {
	const zeros = "00000000000000000000"
	return append(dst, zeros[:n]...)
}

type decimalDigits struct {
	b [17]byte
	n int
}

// shortest finds the fewest digits d, without zeros at the end, such that
// d * 10^scale reads back as f, which is positive and finite.
func shortest(f float64) (d decimalDigits, scale int) {
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // d.ddde±xx
	i := 0
	for ; s[i] != 'e'; i++ {
		if s[i] != '.' {
			d.b[d.n] = s[i]
			d.n++
		}
	}
	exp := 0
	for _, c := range s[i+2:] {
		exp = exp*10 + int(c-'0')
	}
	if s[i+1] == '-' {
		exp = -exp
	}
	return d, exp - d.n + 1
}
