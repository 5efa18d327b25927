package storetest

import (
	"errors"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

// h is a running test: a store and a partition that nobody else uses.
type h struct {
	*testing.T
	store     store.Store
	partition string
}

// key is a key of the test's partition.
func (h *h) key(sort string) store.Key { return store.Key{Partition: h.partition, Sort: sort} }

// attrs makes attributes of names and values: string, int, []string.
func attrs(namesAndValues ...any) store.Attrs {
	list := make([]store.Attr, 0, len(namesAndValues)/2)
	for i := 0; i < len(namesAndValues); i += 2 {
		list = append(list, store.Attr{Name: namesAndValues[i].(string), Value: value(namesAndValues[i+1])})
	}
	return store.NewAttrs(list...)
}

func value(v any) store.Value {
	switch v := v.(type) {
	case string:
		return store.Bytes(v)
	case int:
		return store.Int(int64(v))
	case int64:
		return store.Int(v)
	case []string:
		return store.List(v)
	}
	return store.Value{}
}

// apply carries out an operation that must succeed.
func (h *h) apply(op store.Op) store.Attrs {
	h.Helper()
	old, err := h.store.Apply(h.Context(), op)
	if err != nil {
		h.Fatalf("%s: %v", describe(op), err)
	}
	return old
}

// put writes an item unconditionally.
func (h *h) put(sort string, as store.Attrs) {
	h.Helper()
	h.apply(store.Put(h.key(sort), as, nil))
}

// get reads an item.
func (h *h) get(sort string) store.Attrs {
	h.Helper()
	as, err := h.store.Get(h.Context(), h.key(sort))
	if err != nil {
		h.Fatalf("get %.40q: %v", sort, err)
	}
	return as
}

// want checks what is stored; nil: nothing.
func (h *h) want(sort string, want store.Attrs) {
	h.Helper()
	if got := h.get(sort); !got.Equal(want) {
		h.Errorf("item %.40q is %s, want %s", sort, short(got), short(want))
	}
}

// wantOld checks the item that an operation returned.
func (h *h) wantOld(op store.Op, want store.Attrs) {
	h.Helper()
	if old := h.apply(op); !old.Equal(want) {
		h.Errorf("%s: old item %s, want %s", describe(op), short(old), short(want))
	}
}

// wantFailed checks that an error is a failed condition of the operation with
// that index, and that it carries the item as it was found.
func (h *h) wantFailed(what string, err error, index int, old store.Attrs) {
	h.Helper()
	var failed *store.ConditionError
	if !errors.As(err, &failed) {
		h.Errorf("%s: error %v, want a ConditionError", what, err)
		return
	}
	if failed.Index != index || !failed.Old.Equal(old) {
		h.Errorf("%s: condition of operation %d failed on %s, want %d on %s", what, failed.Index, short(failed.Old), index, short(old))
	}
}

func (h *h) commit(ops ...store.Op) error { return h.store.Commit(h.Context(), ops) }

func (h *h) mustCommit(ops ...store.Op) {
	h.Helper()
	if err := h.commit(ops...); err != nil {
		h.Fatalf("commit of %d operations: %v", len(ops), err)
	}
}

func (h *h) query(q store.Query) store.Page {
	h.Helper()
	if q.Partition == "" {
		q.Partition = h.partition
	}
	p, err := h.store.Query(h.Context(), q)
	if err != nil {
		h.Fatalf("query %+v: %v", q, err)
	}
	return p
}

// queryAll follows a query over all of its pages.
func (h *h) queryAll(q store.Query) (items []store.Item, count, pages int) {
	h.Helper()
	for {
		p := h.query(q)
		items, count, pages = append(items, p.Items...), count+p.Count, pages+1
		if !p.More {
			return items, count, pages
		}
		q = q.Next(p)
	}
}

func describe(op store.Op) string {
	kind := map[store.OpKind]string{store.OpPut: "put", store.OpUpdate: "update", store.OpDelete: "delete", store.OpCheck: "check"}[op.Kind]
	return kind + " " + shortText(op.Key.Sort)
}

// short describes an item; nil and empty ones differ.
func short(as store.Attrs) string {
	if as == nil {
		return "none"
	}
	s := "{"
	for _, a := range as {
		s += " " + shortText(a.Name) + "=" + shortText(a.Value.String())
	}
	return s + " }"
}

func shortText(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}
