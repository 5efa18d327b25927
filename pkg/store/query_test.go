package store_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/store"
)

func TestPrefixEndBoundsAllWithThePrefix(t *testing.T) {
	short := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 0xfe, 0xff}), 0, 5), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		prefix, s := short.Draw(t, "prefix"), short.Draw(t, "string")
		end := store.PrefixEnd(prefix)
		if inside := s >= prefix && (end == "" || s < end); inside != strings.HasPrefix(s, prefix) {
			t.Fatalf("%q with prefix %q, end %q: %v", s, prefix, end, inside)
		}
	})
}

func TestNextGoesOnBehindTheLast(t *testing.T) {
	q := store.Query{Partition: "p", From: "a", To: "z", Limit: 3, Filter: store.Exists("f"), CountOnly: true}
	n := q.Next(store.Page{Last: "m", More: true})
	if n.From != "m\x00" || n.To != "z" || n.Partition != "p" || n.Limit != 3 || n.Filter == nil || !n.CountOnly {
		t.Errorf("forward: %+v", n)
	}
	q.Reverse = true
	if n := q.Next(store.Page{Last: "m", More: true}); n.From != "a" || n.To != "m" || !n.Reverse {
		t.Errorf("backward: %+v", n)
	}
}
