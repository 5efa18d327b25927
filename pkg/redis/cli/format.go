package cli

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Format writes a reply, which must be exactly one, as redis-cli shows it to a person
// (in RESP2: maps and sets as arrays), but with text that is UTF-8 left as it is. No
// more than limit bytes are written, and a rest; cut reports whether something is missing.
func Format(reply []byte, limit int) (text string, cut bool) {
	p := printer{limit: limit}
	p.value(reply, "")
	return p.b.String(), p.cut
}

type printer struct {
	b     strings.Builder
	limit int
	cut   bool
}

// value writes the first value of b, the lines of an aggregate behind an indent, and
// returns what follows it.
func (p *printer) value(b []byte, indent string) (rest []byte) {
	v, rest, err := resp.Next(b)
	if err != nil {
		p.b.WriteString("(error) unreadable reply\n")
		return nil
	}
	switch v.Type {
	case resp.TypeSimple:
		p.text("", v.Text)
	case resp.TypeError:
		p.text("(error) ", v.Text)
	case resp.TypeInt, resp.TypeBool:
		p.text("(integer) ", strconv.AppendInt(nil, v.Int, 10))
	case resp.TypeBulk, resp.TypeDouble, resp.TypeVerbatim:
		p.quoted(v.Text)
	case resp.TypeNull, resp.TypeNullArr:
		p.b.WriteString("(nil)\n")
	default:
		return p.aggregate(v.Len, rest, indent)
	}
	return rest
}

func (p *printer) aggregate(n int, rest []byte, indent string) []byte {
	if n == 0 {
		p.b.WriteString("(empty array)\n")
		return rest
	}
	if p.full() {
		p.cut = true
		p.b.WriteString("...\n")
		return skip(rest, n)
	}
	width := len(strconv.Itoa(n))
	inner := indent + strings.Repeat(" ", width+2)
	for i := range n {
		if i > 0 {
			p.b.WriteString(indent)
		}
		number := strconv.Itoa(i + 1)
		p.b.WriteString(strings.Repeat(" ", width-len(number)))
		p.b.WriteString(number)
		p.b.WriteString(") ")
		rest = p.value(rest, inner)
		if p.full() && i+1 < n {
			p.cut = true
			p.b.WriteString(indent + "... and " + strconv.Itoa(n-i-1) + " more\n")
			return skip(rest, n-i-1)
		}
	}
	return rest
}

// skip passes over n values.
func skip(b []byte, n int) []byte {
	for range n {
		var err error
		if _, b, err = resp.Cut(b); err != nil {
			return nil
		}
	}
	return b
}

func (p *printer) full() bool { return p.b.Len() >= p.limit }

func (p *printer) text(prefix string, text []byte) {
	p.b.WriteString(prefix)
	p.b.Write(p.clip(text))
	p.b.WriteByte('\n')
}

func (p *printer) quoted(text []byte) {
	short := p.clip(text)
	p.b.WriteByte('"')
	p.b.WriteString(Escape(string(short)))
	p.b.WriteByte('"')
	if len(short) < len(text) {
		p.b.WriteString("... and " + strconv.Itoa(len(text)-len(short)) + " bytes more")
	}
	p.b.WriteByte('\n')
}

// clip shortens a text to what may still be written.
func (p *printer) clip(text []byte) []byte {
	left := max(0, p.limit-p.b.Len())
	if len(text) <= left {
		return text
	}
	p.cut = true
	for left > 0 && !utf8.RuneStart(text[left]) {
		left--
	}
	return text[:left]
}

const hexDigits = "0123456789abcdef"

// Escape writes a string as redis-cli quotes it, without the quotes around: what does
// not print as \n, \xHH and the like. Text that is UTF-8 stays.
func Escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		c := s[i]
		switch {
		case c == '\\' || c == '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\a':
			b.WriteString(`\a`)
		case c == '\b':
			b.WriteString(`\b`)
		case r != utf8.RuneError && unicode.IsPrint(r):
			b.WriteString(s[i : i+size])
		default:
			for _, c := range []byte(s[i : i+size]) {
				b.WriteString(`\x`)
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		}
		i += size
	}
	return b.String()
}

// Quote writes an argument so that Split reads it: bare if it can be, else in double quotes.
func Quote(arg string) string {
	if arg == "" {
		return `""`
	}
	escaped := Escape(arg)
	if escaped == arg && !strings.ContainsAny(arg, " '\u00a0") {
		return arg
	}
	return `"` + escaped + `"`
}

// Join writes arguments as a line that Split reads.
func Join(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = Quote(a)
	}
	return strings.Join(quoted, " ")
}
