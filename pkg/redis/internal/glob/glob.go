// Package glob matches Redis's glob-style patterns, as KEYS, SCAN MATCH,
// PSUBSCRIBE and ACL key rules use them (https://redis.io/commands/keys).
//
// The syntax, over bytes and not characters:
//
//	?        any one byte
//	*        any run of bytes, the empty one included
//	[abc]    one of these bytes; [a-c] a range, in either order; [^abc] none of them
//	\x       the byte x, inside a class too
//
// Everything else stands for itself. Redis is lenient with malformed patterns and
// so is this package: a class that is never closed ends with the pattern, a final
// backslash is a plain backslash. Ranges compare bytes as signed, as Redis does on
// x86-64 (0x80 to 0xff sort before 0x00), so that [a-\xff] does not mean "from a up".
package glob

import "math"

// Match reports whether the whole of s matches pattern. Its time is bounded by
// len(pattern) * len(s), whatever the pattern.
//
// The pattern "*" matches everything. A longer pattern made of stars alone does not
// match the empty string: this is Redis's behaviour.
func Match(pattern, s string) bool {
	ok, _ := MatchWithin(pattern, s, math.MaxInt64)
	return ok
}

// MatchWithin is Match, but gives up after about limit steps, and says how many it has taken: more than
// limit if it gave up. A step is a byte of the pattern that was looked at.
func MatchWithin(pattern, s string, limit int64) (ok bool, steps int64) {
	if pattern == "*" {
		return true, 1
	}
	if s == "" {
		return pattern == "", 1
	}
	// A star consumes as little as it can. When what follows it fails, only the last
	// star needs to take one byte more: any match that an earlier star could still
	// reach by growing, the last one reaches too. Hence no recursion.
	p, i := 0, 0
	star, resume := -1, 0 // pattern after the last star, and where in s it was tried
	for i < len(s) {
		if steps++; steps > limit {
			return false, steps
		}
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, resume = p, i
			continue
		}
		if p < len(pattern) {
			next, ok := matchByte(pattern, p, s[i])
			steps += int64(next - p)
			if ok {
				p = next
				i++
				continue
			}
		}
		if star < 0 {
			return false, steps
		}
		resume++
		p, i = star, resume
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern), steps
}

// matchByte matches c with the one-byte element that starts at pattern[p] and returns
// the index after that element.
func matchByte(pattern string, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchClass(pattern, p+1, c)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// matchClass matches c with the class whose first byte after the bracket is pattern[p].
func matchClass(pattern string, p int, c byte) (next int, ok bool) {
	negated := p < len(pattern) && pattern[p] == '^'
	if negated {
		p++
	}
	found := false
	for p < len(pattern) && pattern[p] != ']' {
		switch {
		case pattern[p] == '\\' && p+1 < len(pattern):
			found = found || pattern[p+1] == c
			p += 2
		case p+2 < len(pattern) && pattern[p+1] == '-':
			low, high := int8(pattern[p]), int8(pattern[p+2])
			if low > high {
				low, high = high, low
			}
			found = found || low <= int8(c) && int8(c) <= high
			p += 3
		default:
			found = found || pattern[p] == c
			p++
		}
	}
	if p < len(pattern) {
		p++ // the closing bracket
	}
	return p, found != negated
}

// Literal returns the bytes that every match of pattern starts with, with escapes
// resolved: a caller that keeps its names in order can then read a range instead of
// everything. If exact, the pattern has no wildcard and matches prefix alone.
func Literal(pattern string) (prefix string, exact bool) {
	plain := true // no escape so far: the prefix is a substring
	var unescaped []byte
	for p := 0; p < len(pattern); p++ {
		c := pattern[p]
		switch c {
		case '*', '?', '[':
			if plain {
				return pattern[:p], false
			}
			return string(unescaped), false
		case '\\':
			if p+1 < len(pattern) {
				if plain {
					plain = false
					unescaped = append(unescaped, pattern[:p]...)
				}
				p++
				c = pattern[p]
			}
		}
		if !plain {
			unescaped = append(unescaped, c)
		}
	}
	if plain {
		return pattern, true
	}
	return string(unescaped), true
}
