package script

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func stringLibrary() library {
	return library{
		"byte": stringByte, "char": stringChar, "find": stringFind, "format": stringFormat, "gmatch": stringGmatch, "gfind": stringGmatch,
		"gsub": stringGsub, "len": stringLen, "lower": stringMap(asciiLower), "match": stringMatch, "rep": stringRep,
		"reverse": stringReverse, "sub": stringSub, "upper": stringMap(asciiUpper),
		"dump": func(a args) int {
			a.RaiseError("unable to dump given function")
			return 0
		},
	}
}

// position turns an index, which counts from the end if it is negative, into one from the start.
func position(i, length int) int {
	if i < 0 {
		return max(i+length+1, 0)
	}
	return i
}

func stringByte(a args) int {
	s := a.text(1)
	from := position(a.optInteger(2, 1), len(s))
	to := min(position(a.optInteger(3, from), len(s)), len(s)) // of an index 0 alone, no byte
	from = max(from, 1)
	if from > to {
		return 0
	}
	if to-from >= maxResults {
		a.RaiseError("string slice too long")
	}
	a.run().spend(a.LState, (to-from)/2)
	for i := from; i <= to; i++ {
		a.Push(lua.LNumber(s[i-1]))
	}
	return to - from + 1
}

func stringChar(a args) int {
	b := make([]byte, a.GetTop())
	for i := range b {
		c := a.integer(i + 1)
		if c < 0 || c > 255 {
			a.fail(i+1, "invalid value")
		}
		b[i] = byte(c)
	}
	return a.retText(string(b))
}

func stringLen(a args) int { return a.retNumber(float64(len(a.text(1)))) }

func stringMap(change func(byte) byte) func(args) int {
	return func(a args) int {
		b := []byte(a.text(1))
		a.run().reserve(a.LState, 2*len(b))
		for i := range b {
			b[i] = change(b[i])
		}
		return a.retText(string(b))
	}
}

func asciiLower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 32
	}
	return c
}

func asciiUpper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 32
	}
	return c
}

func stringRep(a args) int {
	s, n := a.text(1), a.integer(2)
	if n <= 0 || s == "" {
		return a.retText("")
	}
	r := a.run()
	if int64(n) > r.limits.Memory/int64(len(s)) {
		n = int(r.limits.Memory / int64(len(s))) // more than may be reserved
	}
	r.reserve(a.LState, len(s)*n)
	return a.retText(strings.Repeat(s, n))
}

func stringReverse(a args) int {
	b := []byte(a.text(1))
	a.run().reserve(a.LState, 2*len(b))
	slices.Reverse(b)
	return a.retText(string(b))
}

func stringSub(a args) int {
	s := a.text(1)
	from := max(position(a.integer(2), len(s)), 1)
	to := min(position(a.optInteger(3, -1), len(s)), len(s))
	if from > to {
		return a.retText("")
	}
	return a.retText(a.part(s, from-1, to))
}

// part is a part of s. A small one of a large string is copied, so that it does not keep all of it in memory.
func (a args) part(s string, from, to int) string {
	if n := to - from; n < len(s)/2 && len(s) > minTail {
		a.run().reserve(a.LState, n)
		return strings.Clone(s[from:to])
	}
	return s[from:to]
}

func stringFind(a args) int { return find(a, true) }

func stringMatch(a args) int { return find(a, false) }

func find(a args, positions bool) int {
	s, pattern := a.text(1), a.text(2)
	init := position(a.optInteger(3, 1), len(s)) - 1
	init = min(max(init, 0), len(s))
	if positions && (lua.LVAsBool(a.Get(4)) || !strings.ContainsAny(pattern, "^$*+?.([%-")) {
		a.run().spend(a.LState, (len(s)-init)/64)
		i := strings.Index(s[init:], pattern)
		if i < 0 {
			return a.ret(lua.LNil)
		}
		return a.ret(lua.LNumber(init+i+1), lua.LNumber(init+i+len(pattern)))
	}
	m := newMatcher(a, s, pattern)
	for at := init; at <= len(s); at++ {
		if end := m.at(at); end >= 0 {
			if positions {
				a.ret(lua.LNumber(at+1), lua.LNumber(end))
				return 2 + a.ret(m.captures(-1, -1)...)
			}
			return a.ret(m.captures(at, end)...)
		}
		if m.anchored {
			break
		}
	}
	return a.ret(lua.LNil)
}

func stringGmatch(a args) int {
	s, pattern := a.text(1), a.text(2)
	at := 0
	return a.ret(function("gmatch", func(a args) int {
		m := newMatcher(a, s, pattern)
		if m.anchored {
			m.anchored, m.pattern = false, "^"+m.pattern // here it means itself
		}
		for ; at <= len(s); at++ {
			end := m.at(at)
			if end < 0 {
				continue
			}
			start := at
			if at = end; end == start {
				at++ // an empty match
			}
			return a.ret(m.captures(start, end)...)
		}
		return a.ret(lua.LNil)
	}))
}

func stringGsub(a args) int {
	s, pattern, repl := a.text(1), a.text(2), a.Get(3)
	text, isText := toString(repl)
	if !isText && repl.Type() != lua.LTTable && repl.Type() != lua.LTFunction {
		a.fail(3, "string/function/table expected")
	}
	limit := a.optInteger(4, len(s)+1)
	m, r := newMatcher(a, s, pattern), a.run()
	var out []byte
	add := func(piece string) {
		if len(out)+len(piece) > cap(out) {
			r.reserve(a.LState, 2*len(out)+len(piece))
		}
		out = append(out, piece...)
	}
	n := 0
	for at := 0; n < limit; {
		end := m.at(at)
		if end >= 0 {
			n++
			if isText {
				m.expand(text, at, end, add)
			} else {
				add(m.replacement(repl, at, end))
			}
		}
		switch {
		case end > at:
			at = end
		case at < len(s):
			add(s[at : at+1])
			at++
		default:
			return a.ret(lua.LString(out), lua.LNumber(n))
		}
		if m.anchored || n >= limit {
			add(s[at:])
			break
		}
	}
	if n == 0 && limit <= 0 {
		add(s)
	}
	return a.ret(lua.LString(out), lua.LNumber(n))
}

// expand writes a replacement text, in which %1 to %9 stand for captures and %0 for the match.
func (m *matcher) expand(text string, start, end int, add func(string)) {
	for {
		i := strings.IndexByte(text, '%')
		if i < 0 {
			add(text)
			return
		}
		add(text[:i])
		if i+1 == len(text) {
			add("\x00")
			return
		}
		switch c := text[i+1]; {
		case c == '0':
			add(m.s[start:end])
		case c >= '1' && c <= '9':
			s, _ := toString(m.capture(int(c-'1'), start, end))
			add(s)
		default:
			add(text[i+1 : i+2])
		}
		text = text[i+2:]
	}
}

// replacement asks a function or a table what to put in the place of a match.
func (m *matcher) replacement(repl lua.LValue, start, end int) string {
	var v lua.LValue
	if fn, ok := repl.(*lua.LFunction); ok {
		m.a.Push(fn)
		n := m.a.ret(m.captures(start, end)...)
		m.a.Call(n, 1)
		v = m.a.Get(-1)
		m.a.Pop(1)
	} else {
		key := m.capture(0, start, end)
		m.a.run().spend(m.a.LState, lookUp(repl, key, "__index", 64))
		v = m.a.GetTable(repl, key)
	}
	if lua.LVIsFalse(v) {
		return m.s[start:end]
	}
	s, ok := toString(v)
	if !ok {
		m.a.RaiseError("invalid replacement value (a %s)", v.Type().String())
	}
	return s
}
