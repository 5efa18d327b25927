package script

import (
	"fmt"
	"math"
	"strings"
)

// stringFormat is string.format, with C's conversions.
func stringFormat(a args) int {
	format, r := a.text(1), a.run()
	r.spend(a.LState, len(format)/16)
	r.reserve(a.LState, 4*len(format)) // with what growing and the text take
	var out []byte
	arg := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out = append(out, format[i])
			continue
		}
		if i++; i < len(format) && format[i] == '%' {
			out = append(out, '%')
			continue
		}
		arg++
		if arg > a.GetTop() {
			a.fail(arg, "no value")
		}
		c, next := parseConversion(a, format, i)
		i = next
		if i >= len(format) {
			a.RaiseError("%s", "invalid option '%' to 'format'")
		}
		r.spend(a.LState, 8+max(c.precision, 0))
		before := len(out)
		out = c.append(out, a, arg, format[i])
		if n := len(out) - before; n > 0 {
			r.reserve(a.LState, 4*n) // with what growing and the text take
			if format[i] == 'q' {
				r.spend(a.LState, n/16)
			}
		}
	}
	return a.retText(string(out))
}

// conversion is what stands between % and the letter.
type conversion struct {
	minus, plus, space, alt, zero bool
	width                         int
	precision                     int // -1: none
}

// parseConversion reads from format[i] on and returns the index of the letter.
func parseConversion(a args, format string, i int) (conversion, int) {
	c := conversion{precision: -1}
	for start := i; i < len(format) && strings.IndexByte("-+ #0", format[i]) >= 0; i++ {
		if i-start >= 5 {
			a.RaiseError("invalid format (repeated flags)")
		}
		switch format[i] {
		case '-':
			c.minus = true
		case '+':
			c.plus = true
		case ' ':
			c.space = true
		case '#':
			c.alt = true
		case '0':
			c.zero = true
		}
	}
	digits := func() int {
		n := 0
		for k := 0; i < len(format) && isDigit(format[i]); k++ {
			if k == 2 {
				a.RaiseError("invalid format (width or precision too long)")
			}
			n = n*10 + int(format[i]-'0')
			i++
		}
		return n
	}
	c.width = digits()
	if i < len(format) && format[i] == '.' {
		i++
		c.precision = digits()
	}
	return c, i
}

func (c conversion) append(out []byte, a args, arg int, letter byte) []byte {
	switch letter {
	case 'c':
		return c.pad(out, string([]byte{byte(a.integer(arg))}))
	case 'd', 'i':
		return fmt.Appendf(out, c.verb('d'), toInteger(a.number(arg)))
	case 'o', 'x', 'X', 'u':
		f := a.number(arg)
		n := uint64(toInteger(f))
		if f >= 1<<63 {
			n = uint64(f)
		}
		c.plus, c.space = false, false
		if letter == 'u' {
			letter = 'd'
		}
		if n == 0 {
			c.alt = c.alt && letter == 'o'
		}
		return fmt.Appendf(out, c.verb(letter), n)
	case 'e', 'E', 'f', 'g', 'G':
		return c.float(out, a.number(arg), letter)
	case 'q':
		return quote(out, a.text(arg))
	case 's':
		s := a.text(arg)
		if c.precision >= 0 && c.precision < len(s) {
			s = s[:c.precision]
		}
		return c.pad(out, s)
	}
	a.RaiseError("invalid option '%%%c' to 'format'", letter)
	return nil
}

// verb is the conversion for package fmt.
func (c conversion) verb(letter byte) string {
	b := []byte{'%'}
	for _, f := range []struct {
		set  bool
		flag byte
	}{{c.minus, '-'}, {c.plus, '+'}, {c.space, ' '}, {c.alt, '#'}, {c.zero && !c.minus, '0'}} {
		if f.set {
			b = append(b, f.flag)
		}
	}
	if c.width > 0 {
		b = fmt.Append(b, c.width)
	}
	if c.precision >= 0 {
		b = append(b, '.')
		b = fmt.Append(b, c.precision)
	}
	return string(append(b, letter))
}

func (c conversion) float(out []byte, f float64, letter byte) []byte {
	if s := notFinite(f); s != "" {
		if letter == 'E' || letter == 'G' {
			s = strings.ToUpper(s)
		}
		switch {
		case math.Signbit(f):
		case c.plus:
			s = "+" + s
		case c.space:
			s = " " + s
		}
		return c.pad(out, s)
	}
	if c.precision < 0 {
		c.precision = 6
	}
	if c.precision == 0 && letter|0x20 == 'g' {
		c.precision = 1
	}
	return fmt.Appendf(out, c.verb(letter), f)
}

// pad writes a text, filled with blanks up to the width.
func (c conversion) pad(out []byte, s string) []byte {
	blanks := strings.Repeat(" ", max(c.width-len(s), 0))
	if c.minus {
		return append(append(out, s...), blanks...)
	}
	return append(append(out, blanks...), s...)
}

// quote writes a text as a literal of Lua.
func quote(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, `\r`...)
		case 0:
			out = append(out, `\000`...)
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
