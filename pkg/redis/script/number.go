package script

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// formatNumber writes a number as Lua does, with "%.14g" of C.
func formatNumber(f float64) string {
	if f == math.Trunc(f) && f > -1e14 && f < 1e14 && (f != 0 || !math.Signbit(f)) {
		return strconv.FormatInt(int64(f), 10)
	}
	return formatG(f, 14)
}

// formatG is C's "%.<prec>g".
func formatG(f float64, prec int) string {
	if s := notFinite(f); s != "" {
		return s
	}
	return strconv.FormatFloat(f, 'g', prec, 64)
}

// notFinite names infinities and NaN as C does, with the sign of a NaN; "" for other numbers.
func notFinite(f float64) string {
	s := ""
	switch {
	case math.IsInf(f, 0):
		s = "inf"
	case math.IsNaN(f):
		s = "nan"
	default:
		return ""
	}
	if math.Signbit(f) {
		return "-" + s
	}
	return s
}

// parseNumber reads a number as Lua 5.1 does, with C's strtod: decimal or
// hexadecimal, blanks around it, "inf" and "nan".
func parseNumber(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	body := strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-")
	if body == "" || len(s)-len(body) > 1 || strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	switch c := body[0] | 0x20; {
	case c == 'n':
		if !strings.EqualFold(body, "nan") {
			return 0, false
		}
		if s[0] == '-' {
			return math.Copysign(math.NaN(), -1), true
		}
		return math.NaN(), true
	case len(body) > 2 && body[0] == '0' && body[1]|0x20 == 'x' && !strings.ContainsAny(body, "pP"):
		s += "p0" // Go wants an exponent
	}
	f, err := strconv.ParseFloat(s, 64)
	if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
		return f, true
	}
	return f, err == nil
}

// toNumber is the number that a value is or, if it is a string, says.
func toNumber(v lua.LValue) (float64, bool) {
	switch v := v.(type) {
	case lua.LNumber:
		return float64(v), true
	case lua.LString:
		return parseNumber(string(v))
	}
	return 0, false
}

// toString is the text of a string or a number.
func toString(v lua.LValue) (string, bool) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), true
	case lua.LNumber:
		return formatNumber(float64(v)), true
	}
	return "", false
}

// toInteger truncates a number as a conversion in C on amd64 does, on any machine.
func toInteger(f float64) int64 {
	if f >= -(1<<63) && f < 1<<63 {
		return int64(f)
	}
	return math.MinInt64
}

// wrap32 is a number modulo 2^32, rounded to an integer by adding a number so large that the
// bits behind the point are lost, as the library BitOp does.
func wrap32(f float64) uint32 {
	return uint32(math.Float64bits(f + (1<<52 + 1<<51)))
}
