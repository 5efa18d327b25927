package meter

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSpansAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s spans
		has := map[int64]bool{}
		for _, n := range rapid.SliceOf(rapid.Int64Range(0, 60)).Draw(t, "numbers") {
			if s.contains(n) != has[n] {
				t.Fatalf("%v contains %d: %v", s, n, !has[n])
			}
			if !has[n] {
				s, has[n] = s.add(n), true
			}
		}
		for n := range int64(62) {
			if s.contains(n) != has[n] {
				t.Fatalf("%v contains %d: %v", s, n, !has[n])
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i].from <= s[i-1].to {
				t.Fatalf("spans touch: %v", s)
			}
		}
		again, ok := decodeSpans(s.encode())
		if !ok || !slices.Equal(again, s) {
			t.Fatalf("%v written and read is %v", s, again)
		}

		gaps := rapid.IntRange(0, 5).Draw(t, "gaps")
		limited, closed := slices.Clone(s).limit(gaps)
		if limited.gaps() > gaps {
			t.Fatalf("%v limited to %d gaps is %v", s, gaps, limited)
		}
		grown := int64(0)
		for n := range int64(62) {
			if has[n] && !limited.contains(n) {
				t.Fatalf("%v limited to %d gaps lost %d", s, gaps, n)
			}
			if !has[n] && limited.contains(n) {
				grown++
			}
		}
		if grown != closed {
			t.Fatalf("%v limited to %d gaps grew by %d, but says %d", s, gaps, grown, closed)
		}
	})
}

func TestOldestGapsAreGivenUp(t *testing.T) {
	s := spans{{2, 3}, {5, 6}, {10, 12}}
	s, closed := s.limit(1)
	if want := (spans{{0, 6}, {10, 12}}); !slices.Equal(s, want) || closed != 4 {
		t.Errorf("%v, %d closed", s, closed)
	}
}

func FuzzDecodeSpans(f *testing.F) {
	f.Add(spans{{0, 7}, {9, 1 << 40}}.encode())
	f.Add("\x00\x00")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := decodeSpans(text)
		if !ok {
			return
		}
		again, ok := decodeSpans(s.encode())
		if !ok || !slices.Equal(again, s) {
			t.Errorf("%q is %v, and that is %v", text, s, again)
		}
	})
}
