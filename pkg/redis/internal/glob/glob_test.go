package glob

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		name    string
		pattern string
		match   []string
		refuse  []string
	}{
		{"plain text is itself", "abc", []string{"abc"}, []string{"", "ab", "abcd", "abd"}},
		{"empty pattern matches the empty string", "", []string{""}, []string{"a"}},
		{"one star matches everything", "*", []string{"", "a", "abc", "\x00\xff"}, nil},
		{"several stars refuse the empty string", "**", []string{"a", "abc"}, []string{""}},
		{"a star may be empty", "a*c", []string{"ac", "abc", "abcbc", "acc"}, []string{"ab", "a", "c"}},
		{"a final star may be empty", "abc*", []string{"abc", "abcd"}, []string{"ab"}},
		{"final stars may be empty", "a***", []string{"a", "ab"}, []string{"", "b"}},
		{"stars backtrack", "*ab*cd*", []string{"abcd", "aabxcxcd", "abcabcdx"}, []string{"abc", "cdab"}},
		{"question mark takes one byte", "h?llo", []string{"hello", "h\x00llo"}, []string{"hllo", "heello"}},
		{"question mark takes a byte, not a character", "?", []string{"a", "\xc3"}, []string{"é", ""}},
		{"class", "h[ae]llo", []string{"hello", "hallo"}, []string{"hillo", "hllo"}},
		{"range", "[b-d]", []string{"b", "c", "d"}, []string{"a", "e", ""}},
		{"range in reverse order", "[d-b]", []string{"b", "c", "d"}, []string{"a", "e"}},
		{"several ranges", "[a-cx0-9]", []string{"b", "x", "5"}, []string{"d", "y", "-"}},
		{"range compares signed bytes", "[a-\xff]", []string{"[", "a", "\xff", "\x00"}, []string{"b", "\xfe", "\x80"}},
		{"negated class", "h[^e]llo", []string{"hallo", "h^llo"}, []string{"hello", "hllo"}},
		{"caret after the first place is a byte", "[a^]", []string{"a", "^"}, []string{"b"}},
		{"empty class matches nothing", "[]", nil, []string{"", "a", "]", "[]"}},
		{"negated empty class matches any byte", "[^]", []string{"a", "^", "]"}, []string{"", "ab"}},
		{"class is over at the first bracket", "[]a]", nil, []string{"a", "]", "a]"}},
		{"escape in a class", `[\]a]`, []string{"]", "a"}, []string{`\`, "b"}},
		{"escaped dash in a class starts no range", `[a\-c]`, []string{"a", "-", "c"}, []string{"b"}},
		{"dash after an escape starts no range", `[\a-c]`, []string{"a", "-", "c"}, []string{"b"}},
		{"range takes the bracket as its end", "[Z-]", []string{"Z", "[", "]"}, []string{"-", "a"}},
		{"class cut before its dash's end", "[a-", []string{"a", "-"}, []string{"b", ""}},
		{"unterminated class", "[abc", []string{"a", "c"}, []string{"d", "abc", ""}},
		{"unterminated negated class", "[^abc", []string{"d"}, []string{"a"}},
		{"lone bracket matches nothing", "[", nil, []string{"[", "a", ""}},
		{"lone negated bracket matches any byte", "[^", []string{"[", "a"}, []string{""}},
		{"unterminated class ends with a backslash", `[\`, []string{`\`}, []string{"[", ""}},
		{"star before a class", "*[0-9]", []string{"1", "a1", "11"}, []string{"a", "1a"}},
		{"escape", `\*\?\[`, []string{"*?["}, []string{"abc", `\*\?\[`}},
		{"escape of a plain byte", `\a`, []string{"a"}, []string{`\a`}},
		{"escaped backslash", `\\`, []string{`\`}, []string{`\\`}},
		{"final backslash is a byte", `a\`, []string{`a\`}, []string{"a"}},
		{"NUL is a byte like others", "a\x00*", []string{"a\x00", "a\x00b"}, []string{"a", "ab"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, s := range tt.match {
				if !Match(tt.pattern, s) {
					t.Errorf("Match(%q, %q) = false, want true", tt.pattern, s)
				}
			}
			for _, s := range tt.refuse {
				if Match(tt.pattern, s) {
					t.Errorf("Match(%q, %q) = true, want false", tt.pattern, s)
				}
			}
		})
	}
}

// A recursive matcher needs about 10^40 steps here: that this test ends is its assertion.
func TestMatchDoesNotExplode(t *testing.T) {
	pattern := strings.Repeat("a*", 60) + "b"
	s := strings.Repeat("a", 5000)
	if Match(pattern, s) {
		t.Error("matched without a final b")
	}
	if !Match(pattern, s+"b") {
		t.Error("did not match with a final b")
	}
}

func TestLiteral(t *testing.T) {
	tests := []struct {
		pattern, prefix string
		exact           bool
	}{
		{"", "", true},
		{"abc", "abc", true},
		{"user:*", "user:", false},
		{"*", "", false},
		{"a?c", "a", false},
		{"a[bc]", "a", false},
		{`a\*b`, "a*b", true},
		{`a\*b*`, "a*b", false},
		{`\[x\]`, "[x]", true},
		{`a\`, `a\`, true},
		{`\a\`, `a\`, true},
		{`\\`, `\`, true},
		{"a]b", "a]b", true},
	}
	for _, tt := range tests {
		prefix, exact := Literal(tt.pattern)
		if prefix != tt.prefix || exact != tt.exact {
			t.Errorf("Literal(%q) = %q, %v, want %q, %v", tt.pattern, prefix, exact, tt.prefix, tt.exact)
		}
	}
}

// slowMatch is the definition: a star tries every split. It remembers what failed, by what was
// left of both, as a pattern of many stars would try the same again and again.
func slowMatch(pattern, s string, failed map[[2]int]bool) (matches bool) {
	left := [2]int{len(pattern), len(s)}
	if failed[left] {
		return false
	}
	defer func() { failed[left] = !matches }()
	switch {
	case pattern == "":
		return s == ""
	case pattern[0] == '*':
		for i := 0; i <= len(s); i++ {
			if slowMatch(pattern[1:], s[i:], failed) {
				return true
			}
		}
		return false
	case s == "":
		return false
	}
	next, ok := matchByte(pattern, 0, s[0])
	return ok && slowMatch(pattern[next:], s[1:], failed)
}

func FuzzMatch(f *testing.F) {
	f.Add("**********1", "0000000000nX\x02\xa01t\xbf\xe300000")
	for _, pattern := range []string{"*", "a*b?c", "[a-c]*[^x]", `\*[\]`, "[^", "[z-a", "**a**"} {
		f.Add(pattern, "abcabc")
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		got := Match(pattern, s)
		if len(pattern) <= 12 && len(s) <= 24 {
			want := slowMatch(pattern, s, map[[2]int]bool{})
			if s == "" {
				want = pattern == "" || pattern == "*"
			}
			if got != want {
				t.Fatalf("Match(%q, %q) = %v, want %v", pattern, s, got, want)
			}
		}
		prefix, exact := Literal(pattern)
		if got && !strings.HasPrefix(s, prefix) {
			t.Fatalf("%q matches %q, which does not start with Literal's %q", pattern, s, prefix)
		}
		if exact && got != (s == prefix) {
			t.Fatalf("Literal(%q) = %q, exact, but Match(%q) = %v", pattern, prefix, s, got)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Match("user:*:session:[0-9a-f]*", "user:1234567:session:a3f09b")
	}
}
