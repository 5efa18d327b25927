package storetest

import (
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

var manyTests = []test{
	{"entries come in the order of the keys", func(h *h) {
		h.bothWays(func(snapshot bool) {
			h.put("a", attrs("v", "a"))
			h.put("b", attrs("v", "b"))
			h.wantMany(snapshot, map[string]store.Attrs{"a": attrs("v", "a"), "b": attrs("v", "b")}, "b", "none", "a", "nor this")
		})
	}},
	{"keys may repeat", func(h *h) {
		h.bothWays(func(snapshot bool) {
			h.put("a", attrs("v", "a"))
			h.put("b", store.Attrs{})
			h.wantMany(snapshot, map[string]store.Attrs{"a": attrs("v", "a"), "b": {}}, "a", "a", "none", "b", "a", "none", "b")
			h.wantMany(snapshot, map[string]store.Attrs{"a": attrs("v", "a")}, "a", "a", "a")
		})
	}},
	{"no keys", func(h *h) {
		h.bothWays(func(snapshot bool) { h.wantMany(snapshot, nil) })
	}},
	{"keys of several partitions", func(h *h) {
		a, b := store.Key{Partition: h.partition + "1", Sort: "s"}, store.Key{Partition: h.partition + "2", Sort: "s"}
		h.apply(store.Put(a, attrs("v", 1), nil))
		h.apply(store.Put(b, attrs("v", 2), nil))
		for _, snapshot := range []bool{false, true} {
			got, err := h.store.GetMany(h.Context(), []store.Key{b, a}, snapshot)
			if err != nil || !got[0].Equal(attrs("v", 2)) || !got[1].Equal(attrs("v", 1)) {
				h.Errorf("snapshot %v: %v, error %v", snapshot, got, err)
			}
		}
	}},
	{"hundreds of keys", func(h *h) {
		var puts []store.Item
		want := map[string]store.Attrs{}
		var sorts []string
		for i := range 350 {
			sort := fmt.Sprint("k", i)
			sorts = append(sorts, sort)
			if i%7 != 0 {
				want[sort] = attrs("i", i)
				puts = append(puts, store.Item{Key: h.key(sort), Attrs: want[sort]})
			}
		}
		if err := h.store.Load(h.Context(), puts, nil); err != nil {
			h.Fatal(err)
		}
		h.bothWays(func(snapshot bool) { h.wantMany(snapshot, want, sorts...) })
	}},
	{"a hundred keys and one repeated", func(h *h) {
		want := map[string]store.Attrs{"0": attrs("v", 1)}
		h.put("0", want["0"])
		var sorts []string
		for i := range 100 {
			sorts = append(sorts, fmt.Sprint(i))
		}
		h.bothWays(func(snapshot bool) { h.wantMany(snapshot, want, append(sorts, "0")...) })
	}},
	{"more than one answer's worth of bytes", func(h *h) {
		want := map[string]store.Attrs{}
		var puts []store.Item
		var sorts []string
		for i := range 50 { // 19 MB
			sort := fmt.Sprint("big", i)
			sorts = append(sorts, sort)
			want[sort] = attrs("v", strings.Repeat(string(rune('a'+i%26)), 380<<10))
			puts = append(puts, store.Item{Key: h.key(sort), Attrs: want[sort]})
		}
		if err := h.store.Load(h.Context(), puts, nil); err != nil {
			h.Fatal(err)
		}
		h.bothWays(func(snapshot bool) { h.wantMany(snapshot, want, sorts...) })
	}},
	{"the caller's keys are not changed", func(h *h) {
		h.bothWays(func(snapshot bool) {
			keys := []store.Key{h.key("b"), h.key("a"), h.key("b")}
			if _, err := h.store.GetMany(h.Context(), keys, snapshot); err != nil {
				h.Fatal(err)
			}
			if keys[0] != h.key("b") || keys[1] != h.key("a") || keys[2] != h.key("b") {
				h.Errorf("keys are now %q", keys)
			}
		})
	}},
}

func (h *h) bothWays(run func(snapshot bool)) {
	h.Helper()
	run(false)
	run(true)
}

func (h *h) wantMany(snapshot bool, want map[string]store.Attrs, sorts ...string) {
	h.Helper()
	keys := make([]store.Key, len(sorts))
	for i, s := range sorts {
		keys[i] = h.key(s)
	}
	got, err := h.store.GetMany(h.Context(), keys, snapshot)
	if err != nil || len(got) != len(keys) {
		h.Fatalf("snapshot %v: %d items for %d keys, error %v", snapshot, len(got), len(keys), err)
	}
	for i, s := range sorts {
		if !got[i].Equal(want[s]) {
			h.Errorf("snapshot %v: entry %d, of %q, is %s, want %s", snapshot, i, s, short(got[i]), short(want[s]))
		}
	}
}
