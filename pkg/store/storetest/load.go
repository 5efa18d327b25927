package storetest

import (
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

var loadTests = []test{
	{"a thousand items", func(h *h) {
		var puts []store.Item
		for i := range 1000 {
			puts = append(puts, store.Item{Key: h.key(fmt.Sprintf("%04d", i)), Attrs: attrs("i", i)})
		}
		if err := h.store.Load(h.Context(), puts, nil); err != nil {
			h.Fatal(err)
		}
		items, count, _ := h.queryAll(store.Query{})
		if len(items) != 1000 || count != 1000 {
			h.Fatalf("%d items, count %d", len(items), count)
		}
		for i, it := range items {
			if it.Key != puts[i].Key || !it.Attrs.Equal(puts[i].Attrs) {
				h.Errorf("item %d is %q %s", i, it.Key.Sort, short(it.Attrs))
			}
		}
		var deletes []store.Key
		for _, it := range puts[:900] {
			deletes = append(deletes, it.Key)
		}
		if err := h.store.Load(h.Context(), nil, deletes); err != nil {
			h.Fatal(err)
		}
		if _, count, _ := h.queryAll(store.Query{}); count != 100 {
			h.Errorf("%d items left, want 100", count)
		}
	}},
	{"puts and deletes together", func(h *h) {
		h.put("old", attrs("v", 1))
		h.put("changed", attrs("v", 1, "w", 1))
		err := h.store.Load(h.Context(), []store.Item{
			{Key: h.key("new"), Attrs: attrs("v", 2)},
			{Key: h.key("changed"), Attrs: attrs("v", 2)},
			{Key: h.key("empty"), Attrs: store.Attrs{}},
		}, []store.Key{h.key("old"), h.key("never was")})
		if err != nil {
			h.Fatal(err)
		}
		h.want("old", nil)
		h.want("new", attrs("v", 2))
		h.want("changed", attrs("v", 2))
		h.want("empty", store.Attrs{})
		h.want("never was", nil)
	}},
	{"nothing", func(h *h) {
		if err := h.store.Load(h.Context(), nil, nil); err != nil {
			h.Error(err)
		}
	}},
}
