package script

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// cjson.decode(text)
func jsonDecode(a args) int {
	if a.GetTop() != 1 {
		a.fail(1, "expected 1 argument")
	}
	d := &jsonDecoder{a: a, r: a.run(), s: a.text(1)}
	if len(d.s) >= 2 && (d.s[0] == 0 || d.s[1] == 0) {
		a.RaiseError("JSON parser does not support UTF-16 or UTF-32")
	}
	v := d.value(d.next())
	if t := d.next(); t.kind != tokenEnd {
		d.fail("the end", t)
	}
	return a.ret(v)
}

// Kinds of tokens, by the names that messages have for them.
//
// #nosec G101 -- they are tokens of JSON.
const (
	tokenObject   = "T_OBJ_BEGIN"
	tokenObjEnd   = "T_OBJ_END"
	tokenArray    = "T_ARR_BEGIN"
	tokenArrayEnd = "T_ARR_END"
	tokenString   = "T_STRING"
	tokenNumber   = "T_NUMBER"
	tokenBoolean  = "T_BOOLEAN"
	tokenNull     = "T_NULL"
	tokenColon    = "T_COLON"
	tokenComma    = "T_COMMA"
	tokenEnd      = "T_END"
)

type token struct {
	kind string // or what is wrong
	at   int
	v    lua.LValue
}

type jsonDecoder struct {
	a     args
	r     *run
	s     string
	i     int
	depth int
}

func (d *jsonDecoder) fail(want string, t token) {
	d.a.RaiseError("Expected %s but found %s at character %d", want, t.kind, t.at+1)
}

func (d *jsonDecoder) value(t token) lua.LValue {
	d.r.reserve(d.a.LState, 4*tableSlot)
	switch t.kind {
	case tokenString, tokenNumber, tokenBoolean, tokenNull:
		return t.v
	case tokenArray, tokenObject:
		if d.depth++; d.depth > d.r.json.decodeDepth {
			d.a.RaiseError("Found too many nested data structures (%d) at character %d", d.depth, d.i)
		}
		defer func() { d.depth-- }()
		d.r.reserve(d.a.LState, tableMemory)
		if t.kind == tokenArray {
			return d.array()
		}
		return d.object()
	}
	d.fail("value", t)
	return nil
}

func (d *jsonDecoder) array() lua.LValue {
	out := &lua.LTable{Metatable: lua.LNil}
	t := d.next()
	if t.kind == tokenArrayEnd {
		return out
	}
	for n := 1; ; n++ {
		out.RawSetInt(n, d.value(t))
		switch t = d.next(); t.kind {
		case tokenArrayEnd:
			return out
		case tokenComma:
			t = d.next()
		default:
			d.fail("comma or array end", t)
		}
	}
}

func (d *jsonDecoder) object() lua.LValue {
	out := newRecord()
	t := d.next()
	if t.kind == tokenObjEnd {
		return out
	}
	for {
		if t.kind != tokenString {
			d.fail("object key string", t)
		}
		key := string(t.v.(lua.LString))
		if t = d.next(); t.kind != tokenColon {
			d.fail("colon", t)
		}
		d.r.reserve(d.a.LState, hashSize)
		out.RawSetString(key, d.value(d.next()))
		switch t = d.next(); t.kind {
		case tokenObjEnd:
			return out
		case tokenComma:
			t = d.next()
		default:
			d.fail("comma or object end", t)
		}
	}
}

// at is the byte at an index, 0 behind the end.
func (d *jsonDecoder) at(i int) byte {
	if i < len(d.s) {
		return d.s[i]
	}
	return 0
}

// next reads a token.
func (d *jsonDecoder) next() token {
	for c := d.at(d.i); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = d.at(d.i) {
		d.i++
	}
	d.r.spend(d.a.LState, 1)
	t := token{at: d.i}
	switch c := d.at(d.i); c {
	case '{':
		t.kind = tokenObject
	case '}':
		t.kind = tokenObjEnd
	case '[':
		t.kind = tokenArray
	case ']':
		t.kind = tokenArrayEnd
	case ',':
		t.kind = tokenComma
	case ':':
		t.kind = tokenColon
	case 0:
		t.kind = tokenEnd
		return t
	case '"':
		return d.text(t)
	default:
		return d.word(t, c)
	}
	d.i++
	return t
}

// word reads a number or a literal.
func (d *jsonDecoder) word(t token, c byte) token {
	lenient, odd := d.r.json.decodeInvalid, isOdd(d.s[d.i:])
	if c == '-' || isDigit(c) {
		if !lenient && odd {
			t.kind = "invalid number"
			return t
		}
		return d.number(t)
	}
	for _, lit := range []struct {
		word, kind string
		v          lua.LValue
	}{{"true", tokenBoolean, lua.LTrue}, {"false", tokenBoolean, lua.LFalse}, {"null", tokenNull, d.r.std.null}} {
		if strings.HasPrefix(d.s[d.i:], lit.word) {
			t.kind, t.v = lit.kind, lit.v
			d.i += len(lit.word)
			return t
		}
	}
	if lenient && odd {
		return d.number(t)
	}
	t.kind = "invalid token"
	return t
}

// isOdd reports whether there is a number of a kind that JSON does not have: with a plus, hexadecimal, with
// zeros in front, infinity, NaN.
func isOdd(s string) bool {
	if s[0] == '+' {
		return true
	}
	s = strings.TrimPrefix(s, "-")
	if len(s) > 1 && s[0] == '0' {
		return s[1]|0x20 == 'x' || isDigit(s[1])
	}
	return len(s) >= 3 && (strings.EqualFold(s[:3], "inf") || strings.EqualFold(s[:3], "nan"))
}

func (d *jsonDecoder) number(t token) token {
	n := numberLen(d.s[d.i:])
	d.r.spend(d.a.LState, 1+n/8)
	f, ok := parseNumber(d.s[d.i : d.i+n])
	if n == 0 || !ok {
		t.kind = "invalid number"
		return t
	}
	d.i += n
	t.kind, t.v = tokenNumber, lua.LNumber(f)
	return t
}

// numberLen is how many bytes strtod would take for a number.
func numberLen(s string) int {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	for _, name := range []string{"infinity", "inf", "nan"} {
		if len(s)-i >= len(name) && strings.EqualFold(s[i:i+len(name)], name) {
			return i + len(name)
		}
	}
	digit, exponent := isDigit, byte('e')
	if len(s)-i > 2 && s[i] == '0' && s[i+1]|0x20 == 'x' && isHex(s[i+2]) {
		digit, exponent = isHex, 'p'
		i += 2
	}
	run := func() int {
		start := i
		for i < len(s) && digit(s[i]) {
			i++
		}
		return i - start
	}
	n := run()
	if i < len(s) && s[i] == '.' {
		i++
		n += run()
	}
	if n == 0 {
		return 0
	}
	if i < len(s) && s[i]|0x20 == exponent {
		end := i
		if i++; i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		digit = isDigit
		if run() == 0 {
			i = end
		}
	}
	return i
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// text reads a string.
func (d *jsonDecoder) text(t token) token {
	i := d.i + 1
	end := i
	for end < len(d.s) && d.s[end] != '"' && d.s[end] != '\\' {
		end++
	}
	d.r.spend(d.a.LState, (end-i)/64)
	if end < len(d.s) && d.s[end] == '"' {
		t.kind, t.v, d.i = tokenString, lua.LString(d.s[i:end]), end+1
		return t
	}
	b := []byte(d.s[i:end])
	bytes := 0
	for i = end; ; {
		if bytes++; bytes%256 == 0 {
			d.r.spend(d.a.LState, 64)
			d.r.reserve(d.a.LState, 1024)
		}
		c := d.at(i)
		if i >= len(d.s) {
			return token{kind: "unexpected end of string", at: i}
		}
		if c == '"' {
			break
		}
		if c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		switch e := d.at(i + 1); e {
		case '"', '\\', '/':
			b = append(b, e)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, n := codepoint(d.s[i:])
			if n == 0 {
				return token{kind: "invalid unicode escape code", at: i}
			}
			b = utf8.AppendRune(b, r)
			i += n
			continue
		default:
			return token{kind: "invalid escape code", at: i}
		}
		i += 2
	}
	t.kind, t.v, d.i = tokenString, lua.LString(b), i+1
	return t
}

// codepoint reads \uXXXX, or two of them for one rune; n is 0 if it is malformed.
func codepoint(s string) (r rune, n int) {
	hex4 := func(s string) (r rune, ok bool) {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return 0, false
		}
		for _, c := range []byte(s[2:6]) {
			switch {
			case isDigit(c):
				r = r<<4 | rune(c-'0')
			case isHex(c):
				r = r<<4 | rune(c|0x20-'a'+10)
			default:
				return 0, false
			}
		}
		return r, true
	}
	r, ok := hex4(s)
	switch {
	case !ok || r >= 0xdc00 && r < 0xe000:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}
