package storetest

import (
	"math"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

var itemTests = []test{
	{"a missing item is nil", func(h *h) {
		h.want("missing", nil)
	}},
	{"an item without attributes is not nil", func(h *h) {
		h.put("a", store.Attrs{})
		h.want("a", store.Attrs{})
		h.wantOld(store.Delete(h.key("a"), nil), store.Attrs{})
		h.want("a", nil)
	}},
	{"values come back as they were", func(h *h) {
		h.put("a", attrs(
			"bytes", "v", "empty", "", "binary", "\x00\xff\x80",
			"zero", 0, "min", math.MinInt64, "max", math.MaxInt64, "minus", -10,
			"list", []string{"a", "", "\x00\xff"}, "none", []string{},
		))
		h.want("a", attrs(
			"bytes", "v", "empty", "", "binary", "\x00\xff\x80",
			"zero", 0, "min", math.MinInt64, "max", math.MaxInt64, "minus", -10,
			"list", []string{"a", "", "\x00\xff"}, "none", []string{},
		))
	}},
	{"attribute names may be anything in UTF-8", func(h *h) {
		var list []store.Attr
		for _, name := range []string{
			"a", "Z", "t", "name", "#a", ":a", "a.b", "a[0]", "with space", "\x00", "\n\"'\\", "é", "\U0001F600",
			"size", "AND", "count", "_", "0", strings.Repeat("long", 1000),
		} {
			list = append(list, store.Attr{Name: name, Value: store.Bytes("of " + name)})
		}
		all := store.NewAttrs(list...)
		h.put("put", all)
		h.want("put", all)
		var edits []store.Edit
		var conds store.And
		for _, a := range all {
			edits = append(edits, store.Set(a.Name, a.Value))
			conds = append(conds, store.Eq(a.Name, a.Value))
		}
		h.apply(store.Update(h.key("updated"), nil, edits...))
		h.want("updated", all)
		h.apply(store.Check(h.key("updated"), conds))
		for i := range edits {
			edits[i] = store.Remove(edits[i].Name)
		}
		h.apply(store.Update(h.key("updated"), conds, edits...))
		h.want("updated", store.Attrs{})
	}},
	{"put replaces the whole item and returns the old one", func(h *h) {
		h.wantOld(store.Put(h.key("a"), attrs("a", 1, "b", "x"), nil), nil)
		h.wantOld(store.Put(h.key("a"), attrs("c", "y"), nil), attrs("a", 1, "b", "x"))
		h.want("a", attrs("c", "y"))
	}},
	{"update changes single attributes and returns the old item", func(h *h) {
		h.wantOld(store.Update(h.key("a"), nil, store.Set("a", store.Int(1)), store.Set("b", store.Bytes("x"))), nil)
		h.wantOld(store.Update(h.key("a"), nil, store.Set("b", store.Bytes("y"))), attrs("a", 1, "b", "x"))
		h.want("a", attrs("a", 1, "b", "y"))
	}},
	{"an update without edits creates the item", func(h *h) {
		h.wantOld(store.Update(h.key("a"), nil), nil)
		h.want("a", store.Attrs{})
		h.put("b", attrs("n", 1))
		h.wantOld(store.Update(h.key("b"), nil), attrs("n", 1))
		h.want("b", attrs("n", 1))
	}},
	{"delete removes and returns the old item", func(h *h) {
		h.put("a", attrs("a", 1))
		h.wantOld(store.Delete(h.key("a"), nil), attrs("a", 1))
		h.want("a", nil)
		h.wantOld(store.Delete(h.key("a"), nil), nil)
	}},
	{"check returns the item and changes nothing", func(h *h) {
		h.put("a", attrs("a", 1))
		h.wantOld(store.Check(h.key("a"), nil), attrs("a", 1))
		h.wantOld(store.Check(h.key("a"), store.Exists("a")), attrs("a", 1))
		h.wantOld(store.Check(h.key("none"), store.Absent("a")), nil)
		h.want("a", attrs("a", 1))
		h.want("none", nil)
	}},
	{"keys are binary", func(h *h) {
		keys := []string{
			"\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "a\xff", "\xff", "\xff\x00", "\xff\xff",
			strings.Repeat("\x00", store.MaxSortKey), strings.Repeat("\xff", store.MaxSortKey),
		}
		for i, k := range keys {
			h.put(k, attrs("i", i))
		}
		for i, k := range keys {
			h.want(k, attrs("i", i))
		}
	}},
	{"partitions are binary and apart", func(h *h) {
		partitions := []string{
			h.partition + "\x00", h.partition + "\x00\x00", h.partition + "\xff",
			h.partition + strings.Repeat("\xff", store.MaxPartitionKey-len(h.partition)),
		}
		for i, p := range partitions {
			h.apply(store.Put(store.Key{Partition: p, Sort: "a"}, attrs("i", i), nil))
			h.apply(store.Put(store.Key{Partition: p, Sort: "\x00b"}, attrs("i", -i), nil))
		}
		for i, p := range partitions {
			items, _, _ := h.queryAll(store.Query{Partition: p})
			if len(items) != 2 || !items[0].Attrs.Equal(attrs("i", -i)) || !items[1].Attrs.Equal(attrs("i", i)) || items[1].Key.Partition != p {
				h.Errorf("partition %d holds %v", i, items)
			}
		}
	}},
	{"partition and sort key are not mixed up", func(h *h) {
		a, b := store.Key{Partition: h.partition + "x", Sort: "y"}, store.Key{Partition: h.partition, Sort: "xy"}
		h.apply(store.Put(a, attrs("k", "a"), nil))
		h.apply(store.Put(b, attrs("k", "b"), nil))
		for _, k := range []store.Key{a, b} {
			got, err := h.store.Get(h.Context(), k)
			if want := map[store.Key]string{a: "a", b: "b"}[k]; err != nil || got.Get("k").Str() != want {
				h.Errorf("%q holds %v, error %v", k.Sort, got, err)
			}
		}
	}},
	{"empty keys are refused", func(h *h) {
		for _, k := range []store.Key{{}, {Partition: h.partition}, {Sort: "s"}} {
			if _, err := h.store.Get(h.Context(), k); err == nil {
				h.Errorf("get %q: no error", k)
			}
			if _, err := h.store.Apply(h.Context(), store.Put(k, attrs("a", 1), nil)); err == nil {
				h.Errorf("put %q: no error", k)
			}
			if _, err := h.store.GetMany(h.Context(), []store.Key{k}, false); err == nil {
				h.Errorf("get many %q: no error", k)
			}
		}
	}},
	{"the expiry attribute is an attribute like any other", func(h *h) {
		// Far in the future: a store may delete what has expired at once.
		h.put("a", attrs(store.TTLAttr, 4102444800, "v", "x"))
		h.want("a", attrs(store.TTLAttr, 4102444800, "v", "x"))
		h.apply(store.Update(h.key("a"), store.Eq(store.TTLAttr, store.Int(4102444800)), store.Set(store.TTLAttr, store.Int(4102444801))))
		h.want("a", attrs(store.TTLAttr, 4102444801, "v", "x"))
		h.apply(store.Update(h.key("a"), nil, store.Remove(store.TTLAttr)))
		h.want("a", attrs("v", "x"))
	}},
}
