package jsondoc

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep values may lie: a scalar in 127 containers is on the 128th level.
const MaxDepth = 128

// Errors of Parse that are not about the grammar.
var (
	ErrDepth    = errors.New("recursion limit exceeded")
	ErrEncoding = errors.New("invalid UTF-8 in JSON text")
	ErrRange    = errors.New("number out of range")
)

// Parse reads a JSON text (RFC 8259). Of members of the same name the last one counts, in
// the place of the first. Values are slices of the text where they can be. Errors of
// grammar are those of encoding/json.
func Parse(text string) (Value, error) {
	if !utf8.ValidString(text) {
		return Value{}, ErrEncoding
	}
	p := parser{s: text}
	v := p.value(0)
	p.blanks()
	if p.err == nil && p.i < len(text) {
		p.fail()
	}
	if p.err == errSyntax {
		return Value{}, explain(text)
	}
	return v, p.err
}

// errSyntax stands for an error of grammar that explain has words for.
var errSyntax = errors.New("invalid JSON")

// explain returns the error that encoding/json has for a text.
func explain(text string) error {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return err
	}
	return errSyntax
}

// parser reads a text that is valid UTF-8. After an error, it is at the end.
type parser struct {
	s   string
	i   int
	err error

	names []string // of the members of all objects that have begun
	items []Value  // of all objects and arrays that have begun
}

func (p *parser) fail() { p.failWith(errSyntax) }

func (p *parser) failWith(err error) {
	if p.err == nil {
		p.err = err
	}
	p.i = len(p.s)
}

// peek is the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) blanks() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// next skips blanks and takes the byte behind them, 0 at the end.
func (p *parser) next() byte {
	p.blanks()
	c := p.peek()
	if p.i < len(p.s) {
		p.i++
	}
	return c
}

// value reads a value that lies in depth containers.
func (p *parser) value(depth int) Value {
	p.blanks()
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if depth+1 >= MaxDepth {
			p.failWith(ErrDepth)
			return Value{}
		}
		p.i++
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '"':
		p.i++
		return NewString(p.string())
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	case p.word("true"), p.word("false"):
		return NewBool(c == 't')
	case p.word("null"):
	default:
		p.fail()
	}
	return Value{}
}

func (p *parser) word(w string) bool {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return false
	}
	p.i += len(w)
	return true
}

// object reads on behind the opening brace.
func (p *parser) object(depth int) Value {
	names, items := len(p.names), len(p.items)
	for c := p.next(); c != '}'; c = p.next() {
		if len(p.items) > items {
			if c != ',' {
				p.fail()
				break
			}
			c = p.next()
		}
		if c != '"' {
			p.fail()
			break
		}
		name := p.string()
		if p.next() != ':' {
			p.fail()
			break
		}
		v := p.value(depth)
		p.names, p.items = append(p.names, name), append(p.items, v)
	}
	sub := &container{names: slices.Clone(p.names[names:])}
	p.names = p.names[:names]
	sub.items = p.collect(items)
	sub.unite()
	return Value{kind: Object, sub: sub}
}

// array reads on behind the opening bracket.
func (p *parser) array(depth int) Value {
	p.blanks()
	if p.peek() == ']' {
		p.i++
		return NewArray(nil)
	}
	items := len(p.items)
	for {
		v := p.value(depth)
		p.items = append(p.items, v)
		c := p.next()
		if c == ',' {
			continue
		}
		if c != ']' {
			p.fail()
		}
		return NewArray(p.collect(items))
	}
}

// collect takes the values from an index on off the stack.
func (p *parser) collect(from int) []Value {
	out := slices.Clone(p.items[from:])
	clear(p.items[from:])
	p.items = p.items[:from]
	return out
}

// maxPlain is a length up to which digits without an exponent cannot be out of range.
const maxPlain = 300

func (p *parser) number() Value {
	start := p.i
	p.take('-')
	switch {
	case p.take('0'):
	case p.digits():
	default:
		p.fail()
	}
	if p.take('.') && !p.digits() {
		p.fail()
	}
	exp := p.take('e') || p.take('E')
	if exp {
		if !p.take('-') {
			p.take('+')
		}
		if !p.digits() {
			p.fail()
		}
	}
	if p.err != nil {
		return Value{}
	}
	text := p.s[start:p.i]
	if (exp || len(text) > maxPlain) && math.IsInf(parseFloat(text), 0) {
		p.failWith(ErrRange)
	}
	return Value{kind: Number, text: text}
}

func (p *parser) take(c byte) bool {
	if p.peek() != c || p.i == len(p.s) {
		return false
	}
	p.i++
	return true
}

// digits takes at least one digit.
func (p *parser) digits() bool {
	start := p.i
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.i++
	}
	return p.i > start
}

// string reads on behind the opening quote.
func (p *parser) string() string {
	for start := p.i; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[start : p.i-1]
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			p.fail()
			return ""
		}
	}
	p.fail()
	return ""
}

// escaped reads a string that starts at an index and has escapes.
func (p *parser) escaped(start int) string {
	b := append(make([]byte, 0, p.i-start+32), p.s[start:p.i]...)
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return string(b)
		case c < ' ':
			p.fail()
		case c == '\\':
			b = p.escape(b)
		default:
			b = append(b, c)
		}
	}
	p.fail()
	return ""
}

// escape appends what stands behind a backslash.
func (p *parser) escape(b []byte) []byte {
	c := p.peek()
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		p.i++
		return append(b, "\"\\/\b\f\n\r\t"[i])
	}
	r, ok := p.unit()
	if !ok {
		p.fail()
		return b
	}
	if utf16.IsSurrogate(r) {
		// A half of a pair by itself, as JavaScript can write it, becomes U+FFFD.
		before := p.i
		second := rune(-1)
		if p.take('\\') {
			second, _ = p.unit()
		}
		if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
			p.i = before
		}
	}
	return utf8.AppendRune(b, r)
}

// unit reads uXXXX.
func (p *parser) unit() (rune, bool) {
	if p.peek() != 'u' || len(p.s)-p.i < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.i+1:p.i+5], 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += 5
	return rune(n), true
}
