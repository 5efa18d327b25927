package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Patterns of Lua 5.1 (https://www.lua.org/manual/5.1/manual.html#5.4.1), matched by
// backtracking. Every attempt counts as a step, so that a pattern that tries without end
// meets the limit.

const (
	maxCaptures   = 32
	maxMatchDepth = 2000 // of nested attempts

	unclosed = -1 // length of a capture that has no end yet
	place0   = -2 // a position capture, "()"
)

// matcher matches one pattern against one string.
type matcher struct {
	a        args
	r        *run
	s        string
	pattern  string
	anchored bool
	depth    int
	n        int // captures
	starts   [maxCaptures]int
	lengths  [maxCaptures]int
}

func newMatcher(a args, s, pattern string) *matcher {
	m := &matcher{a: a, r: a.run(), s: s, pattern: pattern}
	m.pattern, m.anchored = strings.CutPrefix(pattern, "^")
	return m
}

// at matches at a position and returns the match's end, -1 if there is none.
func (m *matcher) at(i int) int {
	m.n, m.depth = 0, 0
	return m.match(i, 0)
}

// match matches the pattern from p on at i.
func (m *matcher) match(i, p int) int {
	if m.depth++; m.depth > maxMatchDepth {
		m.a.RaiseError("pattern too complex")
	}
	defer func() { m.depth-- }()
	for {
		m.r.spend(m.a.LState, 1)
		if p == len(m.pattern) {
			return i
		}
		switch m.pattern[p] {
		case '(':
			if strings.HasPrefix(m.pattern[p+1:], ")") {
				return m.open(i, p+2, place0)
			}
			return m.open(i, p+1, unclosed)
		case ')':
			return m.close(i, p+1)
		case '$':
			if p+1 == len(m.pattern) {
				if i == len(m.s) {
					return i
				}
				return -1
			}
		case '%':
			if p+1 == len(m.pattern) {
				m.a.RaiseError("%s", "malformed pattern (ends with '%')")
			}
			switch c := m.pattern[p+1]; {
			case c == 'b':
				if i = m.balance(i, p+2); i < 0 {
					return -1
				}
				p += 4
				continue
			case c == 'f':
				p += 2
				if p >= len(m.pattern) || m.pattern[p] != '[' {
					m.a.RaiseError("%s", "missing '[' after '%f' in pattern")
				}
				end := m.classEnd(p)
				var before, after byte
				if i > 0 {
					before = m.s[i-1]
				}
				if i < len(m.s) {
					after = m.s[i]
				}
				if m.inSet(before, p, end-1) || !m.inSet(after, p, end-1) {
					return -1
				}
				p = end
				continue
			case c >= '0' && c <= '9':
				if i = m.back(i, c); i < 0 {
					return -1
				}
				p += 2
				continue
			}
		}
		end := m.classEnd(p)
		here := i < len(m.s) && m.single(m.s[i], p, end)
		var suffix byte
		if end < len(m.pattern) {
			suffix = m.pattern[end]
		}
		switch suffix {
		case '?':
			if here {
				if e := m.match(i+1, end+1); e >= 0 {
					return e
				}
			}
			p = end + 1
		case '*':
			return m.most(i, p, end, 0)
		case '+':
			return m.most(i, p, end, 1)
		case '-':
			return m.fewest(i, p, end)
		default:
			if !here {
				return -1
			}
			i, p = i+1, end
		}
	}
}

// most matches a character class greedily, at least least times.
func (m *matcher) most(i, p, end, least int) int {
	n := 0
	for i+n < len(m.s) && m.single(m.s[i+n], p, end) {
		n++
	}
	m.r.spend(m.a.LState, n/8)
	for ; n >= least; n-- {
		if e := m.match(i+n, end+1); e >= 0 {
			return e
		}
	}
	return -1
}

func (m *matcher) fewest(i, p, end int) int {
	for {
		if e := m.match(i, end+1); e >= 0 {
			return e
		}
		if i >= len(m.s) || !m.single(m.s[i], p, end) {
			return -1
		}
		i++
	}
}

func (m *matcher) open(i, p, length int) int {
	if m.n == maxCaptures {
		m.a.RaiseError("too many captures")
	}
	m.starts[m.n], m.lengths[m.n] = i, length
	m.n++
	e := m.match(i, p)
	if e < 0 {
		m.n--
	}
	return e
}

func (m *matcher) close(i, p int) int {
	k := m.n - 1
	for k >= 0 && m.lengths[k] != unclosed {
		k--
	}
	if k < 0 {
		m.a.RaiseError("invalid pattern capture")
	}
	m.lengths[k] = i - m.starts[k]
	e := m.match(i, p)
	if e < 0 {
		m.lengths[k] = unclosed
	}
	return e
}

// balance matches %bxy at i, with x and y at p.
func (m *matcher) balance(i, p int) int {
	if p+1 >= len(m.pattern) {
		m.a.RaiseError("unbalanced pattern")
	}
	open, shut := m.pattern[p], m.pattern[p+1]
	if i >= len(m.s) || m.s[i] != open {
		return -1
	}
	depth := 1
	for j := i + 1; j < len(m.s); j++ {
		m.r.spend(m.a.LState, 1)
		switch m.s[j] {
		case shut:
			if depth--; depth == 0 {
				return j + 1
			}
		case open:
			depth++
		}
	}
	return -1
}

// back matches what a capture has matched.
func (m *matcher) back(i int, digit byte) int {
	k := int(digit) - '1'
	if k < 0 || k >= m.n || m.lengths[k] == unclosed {
		m.a.RaiseError("invalid capture index")
	}
	text := m.s[m.starts[k] : m.starts[k]+max(m.lengths[k], 0)]
	m.r.spend(m.a.LState, len(text)/64)
	if !strings.HasPrefix(m.s[i:], text) {
		return -1
	}
	return i + len(text)
}

// classEnd is where the class that starts at p ends.
func (m *matcher) classEnd(p int) int {
	c := m.pattern[p]
	p++
	switch c {
	case '%':
		if p == len(m.pattern) {
			m.a.RaiseError("%s", "malformed pattern (ends with '%')")
		}
		return p + 1
	case '[':
		if p < len(m.pattern) && m.pattern[p] == '^' {
			p++
		}
		for first := true; first || p >= len(m.pattern) || m.pattern[p] != ']'; first = false {
			if p >= len(m.pattern) {
				m.a.RaiseError("malformed pattern (missing ']')")
			}
			if m.pattern[p] == '%' {
				p++
			}
			p++
		}
		return p + 1
	}
	return p
}

// single reports whether a byte is in the class from p to end.
func (m *matcher) single(c byte, p, end int) bool {
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(c, m.pattern[p+1])
	case '[':
		if n := (end - p) / 16; n > 0 {
			m.r.spend(m.a.LState, n)
		}
		return m.inSet(c, p, end-1)
	}
	return m.pattern[p] == c
}

// inSet reports whether a byte is in the set whose '[' is at p and whose ']' is at end.
func (m *matcher) inSet(c byte, p, end int) bool {
	in := true
	p++
	if p < end && m.pattern[p] == '^' {
		in = false
		p++
	}
	for ; p < end; p++ {
		switch {
		case m.pattern[p] == '%':
			p++
			if inClass(c, m.pattern[p]) {
				return in
			}
		case p+2 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return in
			}
			p += 2
		case m.pattern[p] == c:
			return in
		}
	}
	return !in
}

// inClass reports whether a byte is in a class by its letter, of which the upper case is the complement.
func inClass(c, class byte) bool {
	var in bool
	switch class | 0x20 {
	case 'a':
		in = isAlpha(c)
	case 'c':
		in = c < 32 || c == 127
	case 'd':
		in = isDigit(c)
	case 'l':
		in = c >= 'a' && c <= 'z'
	case 'p':
		in = c > 32 && c < 127 && !isAlpha(c) && !isDigit(c)
	case 's':
		in = c == ' ' || c >= 9 && c <= 13
	case 'u':
		in = c >= 'A' && c <= 'Z'
	case 'w':
		in = isAlpha(c) || isDigit(c)
	case 'x':
		in = isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
	case 'z':
		in = c == 0
	default:
		return class == c
	}
	return in == (class >= 'a')
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// capture is a capture of the match from start to end, or the match itself if there are none.
func (m *matcher) capture(k, start, end int) lua.LValue {
	if k >= m.n {
		if k > 0 {
			m.a.RaiseError("invalid capture index")
		}
		return lua.LString(m.a.part(m.s, start, end))
	}
	switch n := m.lengths[k]; n {
	case place0:
		return lua.LNumber(m.starts[k] + 1)
	case unclosed:
		m.a.RaiseError("unfinished capture")
		return nil
	default:
		return lua.LString(m.a.part(m.s, m.starts[k], m.starts[k]+n))
	}
}

// captures are all captures. If there are none, it is the match, or nothing if start is negative.
func (m *matcher) captures(start, end int) []lua.LValue {
	n := m.n
	if n == 0 && start >= 0 {
		n = 1
	}
	out := make([]lua.LValue, n)
	for k := range out {
		out[k] = m.capture(k, start, end)
	}
	return out
}
