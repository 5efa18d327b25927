package storetest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// sized are attributes that make an item of exactly that size.
func (h *h) sized(sort string, size int) store.Attrs {
	rest := size - store.Item{Key: h.key(sort), Attrs: attrs("v", "")}.Size()
	return attrs("v", strings.Repeat("v", rest))
}

func (h *h) wantTooLarge(what string, err error) {
	h.Helper()
	if !errors.Is(err, store.ErrTooLarge) {
		h.Errorf("%s: error %v, want ErrTooLarge", what, err)
	}
}

var limitTests = []test{
	{"the largest item", func(h *h) {
		as := h.sized("a", store.MaxItemSize)
		h.wantOld(store.Put(h.key("a"), as, nil), nil)
		h.want("a", as)
		h.wantOld(store.Update(h.key("a"), store.Eq("v", as.Get("v")), store.Set("v", store.Bytes("x"))), as)
		h.mustCommit(store.Put(h.key("a"), as, nil), store.Put(h.key("b"), as, nil))
		_, err := h.store.Apply(h.Context(), store.Put(h.key("a"), nil, store.Absent("v")))
		h.wantFailed("put", err, 0, as)
		if p := h.query(store.Query{}); len(p.Items) != 2 || !p.Items[0].Attrs.Equal(as) {
			h.Errorf("%d items", len(p.Items))
		}
	}},
	{"an item that is too large", func(h *h) {
		as := h.sized("a", store.MaxItemSize+1)
		_, err := h.store.Apply(h.Context(), store.Put(h.key("a"), as, nil))
		h.wantTooLarge("put", err)
		h.wantTooLarge("commit", h.commit(store.Put(h.key("b"), attrs("v", 1), nil), store.Put(h.key("a"), as, nil)))
		h.wantTooLarge("load", h.store.Load(h.Context(), []store.Item{{Key: h.key("a"), Attrs: as}}, nil))
		h.want("a", nil)
		h.want("b", nil)
	}},
	{"an item that an update makes too large", func(h *h) {
		as := h.sized("a", store.MaxItemSize-100)
		h.put("a", as)
		grow := store.Set("w", store.Bytes(strings.Repeat("w", 100)))
		_, err := h.store.Apply(h.Context(), store.Update(h.key("a"), nil, grow))
		h.wantTooLarge("update", err)
		h.wantTooLarge("commit", h.commit(store.Put(h.key("b"), attrs("v", 1), nil), store.Update(h.key("a"), nil, grow)))
		h.want("a", as)
		h.want("b", nil)
		fits := store.Bytes(strings.Repeat("w", 99))
		h.apply(store.Update(h.key("a"), nil, store.Set("w", fits)))
		h.want("a", as.With("w", fits))
	}},
	{"an update that carries too much", func(h *h) {
		huge := store.Bytes(strings.Repeat("w", store.MaxItemSize))
		for _, n := range []int{1, 4} {
			var list []store.Edit
			for i := range n {
				list = append(list, store.Set(fmt.Sprint("v", i), huge))
			}
			_, err := h.store.Apply(h.Context(), store.Update(h.key("a"), nil, list...))
			h.wantTooLarge("update", err)
		}
		h.want("a", nil)
	}},
	{"the longest keys", func(h *h) {
		k := store.Key{Partition: h.partition + strings.Repeat("p", store.MaxPartitionKey-len(h.partition)), Sort: strings.Repeat("s", store.MaxSortKey)}
		h.apply(store.Put(k, attrs("v", 1), nil))
		if got, err := h.store.Get(h.Context(), k); err != nil || !got.Equal(attrs("v", 1)) {
			h.Errorf("%v, error %v", got, err)
		}
		if items, _, _ := h.queryAll(store.Query{Partition: k.Partition}); len(items) != 1 || items[0].Key != k {
			h.Errorf("query found %d items", len(items))
		}
	}},
	{"keys that are too long", func(h *h) {
		for _, k := range []store.Key{
			{Partition: strings.Repeat("p", store.MaxPartitionKey+1), Sort: "s"},
			{Partition: h.partition, Sort: strings.Repeat("s", store.MaxSortKey+1)},
		} {
			what := fmt.Sprintf("keys of %d and %d bytes", len(k.Partition), len(k.Sort))
			_, err := h.store.Get(h.Context(), k)
			h.wantTooLarge("get, "+what, err)
			_, err = h.store.GetMany(h.Context(), []store.Key{h.key("a"), k}, false)
			h.wantTooLarge("get many, "+what, err)
			_, err = h.store.GetMany(h.Context(), []store.Key{h.key("a"), k}, true)
			h.wantTooLarge("snapshot, "+what, err)
			_, err = h.store.Apply(h.Context(), store.Put(k, attrs("v", 1), nil))
			h.wantTooLarge("put, "+what, err)
			_, err = h.store.Apply(h.Context(), store.Update(k, nil, store.Set("v", store.Int(1))))
			h.wantTooLarge("update, "+what, err)
			_, err = h.store.Apply(h.Context(), store.Delete(k, nil))
			h.wantTooLarge("delete, "+what, err)
			h.wantTooLarge("commit, "+what, h.commit(store.Put(h.key("a"), attrs("v", 1), nil), store.Put(k, attrs("v", 1), nil)))
			h.wantTooLarge("load, "+what, h.store.Load(h.Context(), []store.Item{{Key: k, Attrs: attrs("v", 1)}}, nil))
			h.wantTooLarge("load delete, "+what, h.store.Load(h.Context(), nil, []store.Key{k}))
		}
		h.want("a", nil)
	}},
	{"too many operations", func(h *h) {
		var ops []store.Op
		for i := range store.MaxCommitOps + 1 {
			ops = append(ops, store.Put(h.key(fmt.Sprint(i)), attrs("v", 1), nil))
		}
		h.wantTooLarge("commit", h.commit(ops...))
		h.want("0", nil)
	}},
	{"too many bytes in a commit", func(h *h) {
		var ops []store.Op
		for i := range 11 { // 4.4 MB
			sort := fmt.Sprint(i)
			ops = append(ops, store.Put(h.key(sort), h.sized(sort, store.MaxItemSize), nil))
		}
		h.wantTooLarge("commit", h.commit(ops...))
		h.want("0", nil)
	}},
}
