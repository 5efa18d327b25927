package storetest

import (
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

var commitTests = []test{
	{"all kinds of operations together", func(h *h) {
		h.put("updated", attrs("n", 1))
		h.put("deleted", attrs("n", 1))
		h.put("checked", attrs("n", 1))
		h.mustCommit(
			store.Put(h.key("put"), attrs("n", 1), store.Absent("n")),
			store.Update(h.key("updated"), store.Eq("n", store.Int(1)), store.Add("n", "n", 1)),
			store.Delete(h.key("deleted"), store.Exists("n")),
			store.Check(h.key("checked"), store.Exists("n")),
			store.Check(h.key("missing"), store.Absent("n")),
			store.Delete(h.key("never was"), nil),
			store.Update(h.key("created"), nil, store.Set("n", store.Int(9))),
		)
		h.want("put", attrs("n", 1))
		h.want("updated", attrs("n", 2))
		h.want("deleted", nil)
		h.want("checked", attrs("n", 1))
		h.want("missing", nil)
		h.want("never was", nil)
		h.want("created", attrs("n", 9))
	}},
	{"one failed condition undoes all", func(h *h) {
		h.put("b", attrs("n", 1))
		h.put("c", attrs("n", 1, "v", "x"))
		ops := []store.Op{
			store.Put(h.key("a"), attrs("n", 1), nil),
			store.Update(h.key("b"), nil, store.Add("n", "n", 1)),
			store.Delete(h.key("c"), store.Absent("v")),
			store.Put(h.key("d"), attrs("n", 1), nil),
		}
		h.wantFailed("delete", h.commit(ops...), 2, attrs("n", 1, "v", "x"))
		ops[2] = store.Check(h.key("c"), store.Gt("n", store.Int(1)))
		h.wantFailed("check", h.commit(ops...), 2, attrs("n", 1, "v", "x"))
		ops[2] = store.Update(h.key("none"), store.Exists("n"), store.Set("n", store.Int(1)))
		h.wantFailed("update", h.commit(ops...), 2, nil)
		ops[2] = store.Put(h.key("c"), nil, store.Eq("v", store.Bytes("y")))
		h.wantFailed("put", h.commit(ops...), 2, attrs("n", 1, "v", "x"))
		h.want("a", nil)
		h.want("b", attrs("n", 1))
		h.want("c", attrs("n", 1, "v", "x"))
		h.want("d", nil)
		h.want("none", nil)
	}},
	{"the first failed condition is reported", func(h *h) {
		h.put("b", attrs("v", "b"))
		h.put("c", attrs("v", "c"))
		h.wantFailed("commit", h.commit(
			store.Put(h.key("a"), attrs("v", "a"), nil),
			store.Put(h.key("b"), attrs("v", "a"), store.Absent("v")),
			store.Put(h.key("c"), attrs("v", "a"), store.Absent("v")),
		), 1, attrs("v", "b"))
		h.wantFailed("checks", h.commit(
			store.Check(h.key("a"), store.Absent("v")),
			store.Check(h.key("none"), store.Exists("v")),
			store.Check(h.key("b"), store.Absent("v")),
		), 1, nil)
	}},
	{"checks alone", func(h *h) {
		h.put("a", attrs("v", 1))
		h.mustCommit(store.Check(h.key("a"), store.Exists("v")), store.Check(h.key("b"), store.Absent("v")))
		h.mustCommit(store.Check(h.key("a"), nil), store.Check(h.key("b"), nil))
	}},
	{"a check without a condition beside a write", func(h *h) {
		h.mustCommit(store.Check(h.key("a"), nil), store.Put(h.key("b"), attrs("v", 1), nil))
		h.want("b", attrs("v", 1))
	}},
	{"one operation", func(h *h) {
		h.mustCommit(store.Put(h.key("a"), attrs("v", 1), nil))
		h.want("a", attrs("v", 1))
		h.wantFailed("put", h.commit(store.Put(h.key("a"), attrs("v", 2), store.Absent("v"))), 0, attrs("v", 1))
		h.mustCommit(store.Check(h.key("a"), store.Exists("v")))
		h.wantFailed("check", h.commit(store.Check(h.key("a"), store.Absent("v"))), 0, attrs("v", 1))
		h.mustCommit(store.Delete(h.key("a"), nil))
		h.want("a", nil)
	}},
	{"no operations", func(h *h) {
		h.mustCommit()
	}},
	{"the most operations", func(h *h) {
		var ops []store.Op
		for i := range store.MaxCommitOps {
			ops = append(ops, store.Put(h.key(fmt.Sprint(i)), attrs("i", i), store.Absent("i")))
		}
		h.mustCommit(ops...)
		if _, count, _ := h.queryAll(store.Query{}); count != len(ops) {
			h.Errorf("%d items", count)
		}
		for i := range ops {
			ops[i] = store.Update(ops[i].Key, store.Eq("i", store.Int(int64(i))), store.Add("i", "i", 1000))
		}
		ops[len(ops)-1].If = store.Eq("i", store.Int(-1))
		h.wantFailed("commit", h.commit(ops...), len(ops)-1, attrs("i", len(ops)-1))
		h.want("0", attrs("i", 0))
		ops[len(ops)-1].If = nil
		h.mustCommit(ops...)
		for i := range ops {
			h.want(fmt.Sprint(i), attrs("i", i+1000))
		}
	}},
	{"several partitions", func(h *h) {
		a, b := store.Key{Partition: h.partition + "1", Sort: "s"}, store.Key{Partition: h.partition + "2", Sort: "s"}
		h.mustCommit(store.Put(a, attrs("v", 1), nil), store.Put(b, attrs("v", 2), nil))
		for k, v := range map[store.Key]int{a: 1, b: 2} {
			if got, err := h.store.Get(h.Context(), k); err != nil || !got.Equal(attrs("v", v)) {
				h.Errorf("%v, error %v", got, err)
			}
		}
	}},
	{"the same key twice is refused", func(h *h) {
		err := h.commit(
			store.Put(h.key("a"), attrs("v", 1), nil),
			store.Put(h.key("b"), attrs("v", 1), nil),
			store.Check(h.key("a"), nil),
		)
		if err == nil {
			h.Error("no error")
		}
		h.want("a", nil)
		h.want("b", nil)
	}},
	{"the same attribute twice in one update is refused", func(h *h) {
		many := []store.Edit{store.Set("v", store.Int(1))}
		for i := range 40 {
			many = append(many, store.Set(fmt.Sprint("a", i), store.Int(1)))
		}
		for _, edits := range [][]store.Edit{
			{store.Set("v", store.Int(1)), store.Set("v", store.Int(2))},
			{store.Set("v", store.Int(1)), store.Set("w", store.Int(1)), store.Remove("v")},
			append(many, store.Add("v", "v", 1)),
		} {
			op := store.Update(h.key("a"), nil, edits...)
			if _, err := h.store.Apply(h.Context(), op); err == nil {
				h.Error("no error")
			}
			if err := h.commit(op, store.Put(h.key("b"), attrs("v", 1), nil)); err == nil {
				h.Error("no error in a commit")
			}
		}
		h.want("a", nil)
		h.want("b", nil)
	}},
	{"large items together", func(h *h) {
		var ops []store.Op
		for i := range 10 { // 3.8 MB
			ops = append(ops, store.Put(h.key(fmt.Sprint(i)), attrs("v", strings.Repeat(fmt.Sprint(i), 380<<10)), nil))
		}
		h.mustCommit(ops...)
		for i := range 10 {
			h.want(fmt.Sprint(i), ops[i].Attrs)
		}
	}},
}
