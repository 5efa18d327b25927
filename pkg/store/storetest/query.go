package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// ladder are sort keys in order, chosen for their neighbourhoods.
var ladder = []string{
	"\x00", "\x00\x00", "\x00\x01", "\x01", "a", "a\x00", "a\x00\x00", "a\x01", "a\xfe\xff", "a\xff", "a\xff\xff",
	"a\xff" + strings.Repeat("\xff", store.MaxSortKey-2), "b", "b\x00", "ba", "z",
	strings.Repeat("z", store.MaxSortKey), "\xfe", "\xff", "\xff\x00", "\xff\xff", strings.Repeat("\xff", store.MaxSortKey),
}

func (h *h) putLadder() {
	h.Helper()
	var puts []store.Item
	for i, sort := range ladder {
		puts = append(puts, store.Item{Key: h.key(sort), Attrs: attrs("i", i)})
	}
	if err := h.store.Load(h.Context(), puts, nil); err != nil {
		h.Fatal(err)
	}
}

// inRange are the rungs of the ladder from (inclusive) to (exclusive).
func inRange(from, to string, reverse bool) []string {
	var want []string
	for _, s := range ladder {
		if s >= from && (to == "" || s < to) {
			want = append(want, s)
		}
	}
	if reverse {
		slices.Reverse(want)
	}
	return want
}

// wantSorts checks the keys, attributes and order of a query's items.
func (h *h) wantSorts(q store.Query, items []store.Item, want []string) {
	h.Helper()
	var got []string
	for _, it := range items {
		got = append(got, it.Key.Sort)
		if it.Key.Partition != h.partition || !it.Attrs.Equal(attrs("i", slices.Index(ladder, it.Key.Sort))) {
			h.Errorf("item %q holds %s", shortText(it.Key.Sort), short(it.Attrs))
		}
	}
	if !slices.Equal(got, want) {
		h.Errorf("from %q to %q, reverse %v, limit %d: %s, want %s", shortText(q.From), shortText(q.To), q.Reverse, q.Limit, shorts(got), shorts(want))
	}
}

func shorts(list []string) string {
	s := ""
	for _, e := range list {
		if len(e) > 5 {
			e = fmt.Sprintf("%s(%d)", e[:5], len(e))
		}
		s += fmt.Sprintf(" %q", e)
	}
	return "[" + s + " ]"
}

var queryTests = []test{
	{"a whole partition in order", func(h *h) {
		h.putLadder()
		for _, reverse := range []bool{false, true} {
			q := store.Query{Reverse: reverse}
			items, count, _ := h.queryAll(q)
			h.wantSorts(q, items, inRange("", "", reverse))
			if count != len(ladder) {
				h.Errorf("count %d, want %d", count, len(ladder))
			}
		}
	}},
	{"an empty partition", func(h *h) {
		p := h.query(store.Query{})
		if p.More || p.Count != 0 || len(p.Items) != 0 {
			h.Errorf("page %+v", p)
		}
	}},
	{"every range", func(h *h) {
		h.putLadder()
		bounds := []string{
			"", "\x00", "\x00\x00", "\x00\x00\x00", "a", "a\x00", "a\x01", "a\x02", "a\xff", "a\xff\xff\xff", "b", "c", "z\x00",
			strings.Repeat("z", store.MaxSortKey), strings.Repeat("z", store.MaxSortKey) + "\x00", "\xff", "\xff\xff",
			strings.Repeat("\xff", store.MaxSortKey), strings.Repeat("\xff", store.MaxSortKey) + "\x00",
			"a\xff" + strings.Repeat("\xff", store.MaxSortKey-2) + "\x00", "a\xff" + strings.Repeat("\xff", store.MaxSortKey),
		}
		for _, from := range bounds {
			for _, to := range bounds {
				for _, reverse := range []bool{false, true} {
					q := store.Query{From: from, To: to, Reverse: reverse}
					items, _, _ := h.queryAll(q)
					h.wantSorts(q, items, inRange(from, to, reverse))
				}
			}
		}
	}},
	{"prefixes", func(h *h) {
		h.putLadder()
		for _, prefix := range []string{"\x00", "a", "a\x00", "a\xff", "b", "z", "zz", "\xfe", "\xff", "\xff\xff", "q"} {
			var want []string
			for _, s := range ladder {
				if strings.HasPrefix(s, prefix) {
					want = append(want, s)
				}
			}
			q := store.Query{From: prefix, To: store.PrefixEnd(prefix)}
			items, _, _ := h.queryAll(q)
			h.wantSorts(q, items, want)
		}
	}},
	{"paging meets every item once", func(h *h) {
		h.putLadder()
		for _, limit := range []int{1, 2, 3, len(ladder) - 1, len(ladder), len(ladder) + 1} {
			for _, reverse := range []bool{false, true} {
				q := store.Query{From: "a", To: "\xff\x00", Limit: limit, Reverse: reverse}
				items, count, pages := h.queryAll(q)
				want := inRange(q.From, q.To, reverse)
				h.wantSorts(q, items, want)
				if least := (len(want) + limit - 1) / limit; count != len(want) || pages < least || pages > least+1 {
					h.Errorf("limit %d: count %d, %d pages", limit, count, pages)
				}
			}
		}
	}},
	{"a page says where it ended", func(h *h) {
		h.putLadder()
		p := h.query(store.Query{Limit: 3})
		if !p.More || p.Last != ladder[2] || len(p.Items) != 3 || p.Count != 3 {
			h.Errorf("last %q, more %v, %d items, count %d", p.Last, p.More, len(p.Items), p.Count)
		}
		p = h.query(store.Query{Limit: 3, Reverse: true})
		if !p.More || p.Last != ladder[len(ladder)-3] || len(p.Items) != 3 || p.Count != 3 {
			h.Errorf("reverse: last %q, more %v, %d items, count %d", p.Last, p.More, len(p.Items), p.Count)
		}
	}},
	{"the limit counts items before the filter", func(h *h) {
		h.putLadder()
		p := h.query(store.Query{Limit: 4, Filter: store.Ge("i", store.Int(3))})
		if len(p.Items) != 1 || p.Count != 1 || !p.More || p.Last != ladder[3] {
			h.Errorf("%d items, count %d, more %v, last %q", len(p.Items), p.Count, p.More, p.Last)
		}
		p = h.query(store.Query{Limit: 4, Filter: store.Lt("i", store.Int(0))})
		if len(p.Items) != 0 || p.Count != 0 || !p.More || p.Last != ladder[3] {
			h.Errorf("nothing met the filter: %d items, count %d, more %v, last %q", len(p.Items), p.Count, p.More, p.Last)
		}
	}},
	{"filters over pages", func(h *h) {
		h.putLadder()
		filter := store.Or{store.Lt("i", store.Int(3)), store.Gt("i", store.Int(9))}
		for _, limit := range []int{0, 1, 5} {
			for _, reverse := range []bool{false, true} {
				var want []string
				for i, s := range ladder {
					if i < 3 || i > 9 {
						want = append(want, s)
					}
				}
				if reverse {
					slices.Reverse(want)
				}
				q := store.Query{Limit: limit, Reverse: reverse, Filter: filter}
				items, count, _ := h.queryAll(q)
				h.wantSorts(q, items, want)
				if count != len(want) {
					h.Errorf("count %d, want %d", count, len(want))
				}
			}
		}
	}},
	{"only counting", func(h *h) {
		h.putLadder()
		for _, q := range []store.Query{
			{CountOnly: true}, {CountOnly: true, Limit: 4}, {CountOnly: true, Reverse: true, Limit: 5},
		} {
			items, count, _ := h.queryAll(q)
			if len(items) != 0 || count != len(ladder) {
				h.Errorf("%+v: %d items, count %d", q, len(items), count)
			}
		}
		items, count, _ := h.queryAll(store.Query{CountOnly: true, Limit: 2, From: "a", To: "b", Filter: store.Ne("i", store.Int(5))})
		if want := len(inRange("a", "b", false)) - 1; len(items) != 0 || count != want {
			h.Errorf("filtered: %d items, count %d, want %d", len(items), count, want)
		}
	}},
	{"a large partition comes in pages", func(h *h) {
		var puts []store.Item
		for i := range 60 { // 6 MB
			puts = append(puts, store.Item{Key: h.key(fmt.Sprintf("%03d", i)), Attrs: attrs("i", i, "v", strings.Repeat("v", 100<<10))})
		}
		if err := h.store.Load(h.Context(), puts, nil); err != nil {
			h.Fatal(err)
		}
		for _, reverse := range []bool{false, true} {
			items, count, pages := h.queryAll(store.Query{Reverse: reverse})
			if len(items) != 60 || count != 60 || pages < 5 {
				h.Fatalf("reverse %v: %d items, count %d, %d pages", reverse, len(items), count, pages)
			}
			for i, it := range items {
				want := i
				if reverse {
					want = 59 - i
				}
				if it.Attrs.Get("i").Num() != int64(want) || len(it.Attrs.Get("v").Str()) != 100<<10 {
					h.Errorf("reverse %v: item %d is %s", reverse, i, short(it.Attrs))
				}
			}
			if _, count, pages := h.queryAll(store.Query{Reverse: reverse, CountOnly: true}); count != 60 || pages < 5 {
				h.Errorf("count only: %d in %d pages", count, pages)
			}
		}
	}},
	{"a query sees what was just written", func(h *h) {
		for i := range 20 {
			sort := fmt.Sprintf("%02d", i)
			h.put(sort, attrs("v", i))
			if items, _, _ := h.queryAll(store.Query{From: sort}); len(items) != 1 || !items[0].Attrs.Equal(attrs("v", i)) {
				h.Errorf("after put %d: %v", i, items)
			}
		}
		for i := range 20 {
			h.apply(store.Delete(h.key(fmt.Sprintf("%02d", i)), nil))
			if _, count, _ := h.queryAll(store.Query{}); count != 19-i {
				h.Errorf("after delete %d: %d left", i, count)
			}
		}
	}},
	{"a query needs a partition", func(h *h) {
		if _, err := h.store.Query(h.Context(), store.Query{From: "a"}); err == nil {
			h.Error("no error")
		}
	}},
}
