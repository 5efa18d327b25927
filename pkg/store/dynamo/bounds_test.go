package dynamo

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/store"
)

func (r sortRange) contains(s string) bool {
	switch {
	case r.empty:
		return false
	case r.prefix:
		return strings.HasPrefix(s, r.low)
	}
	return s >= r.low && (r.high == "" || s <= r.high)
}

func TestKeyRangeHoldsTheSameKeysAsItsBounds(t *testing.T) {
	// Strings that differ near the limit of the length, and short ones.
	bound := rapid.Custom(func(t *rapid.T) string {
		tail := string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xfe, 0xff}), 0, 4).Draw(t, "tail"))
		switch rapid.IntRange(0, 2).Draw(t, "length") {
		case 0:
			return tail
		case 1:
			return strings.Repeat("\xff", store.MaxSortKey-2) + tail
		}
		return "a" + strings.Repeat("b", store.MaxSortKey-3) + tail
	})
	rapid.Check(t, func(t *rapid.T) {
		from, to, s := bound.Draw(t, "from"), bound.Draw(t, "to"), bound.Draw(t, "key")
		if s == "" || len(s) > store.MaxSortKey {
			return
		}
		r := keyRange(from, to)
		if want := s >= from && (to == "" || s < to); r.contains(s) != want {
			t.Fatalf("%q from %q to %q: %v, want %v", s, from, to, !want, want)
		}
		if len(r.low) > store.MaxSortKey || len(r.high) > store.MaxSortKey || !r.empty && !r.prefix && r.high != "" && r.low > r.high {
			t.Fatalf("from %q to %q: invalid range %q to %q", from, to, r.low, r.high)
		}
	})
}

func TestKeyRangeOfAPrefix(t *testing.T) {
	for _, prefix := range []string{"a", "a\xff", "\xff", "\x01\x00"} {
		if r := keyRange(prefix, store.PrefixEnd(prefix)); !r.prefix || r.low != prefix {
			t.Errorf("%q: %+v", prefix, r)
		}
	}
	if r := keyRange("", ""); r != (sortRange{}) {
		t.Errorf("no bounds: %+v", r)
	}
}

func TestPlaceholdersAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	var all []string
	for n := range 5000 {
		p := placeholder(':', n)
		if seen[p] || p[0] != ':' || len(p) > 4 {
			t.Fatalf("placeholder %d is %q", n, p)
		}
		seen[p] = true
		all = append(all, p)
	}
	if !slices.Equal(all[:2], []string{":a", ":b"}) || len(all[61]) != 2 || len(all[62]) != 3 {
		t.Errorf("placeholders %q", all[:63])
	}
}
