package storetest

import (
	"github.com/skystash/skystash/pkg/store"
)

// thing is the item on which the conditions are tried.
var thing = attrs(
	"b", "mm", "empty", "", "bin", "\x80\x00", "n", 5, "neg", -5,
	"l", []string{"a", "b"}, "none", []string{},
)

type conditionCase struct {
	name string
	cond store.Cond
	met  bool // on thing
	miss bool // on a missing item
}

func conditionCases() []conditionCase {
	bytes, num := store.Bytes, func(n int64) store.Value { return store.Int(n) }
	cases := []conditionCase{
		{"no condition", nil, true, true},
		{"exists", store.Exists("b"), true, false},
		{"exists, empty bytes", store.Exists("empty"), true, false},
		{"exists, empty list", store.Exists("none"), true, false},
		{"exists not", store.Exists("q"), false, false},
		{"absent", store.Absent("q"), true, true},
		{"absent not", store.Absent("b"), false, true},
		{"and", store.And{store.Exists("b"), store.Absent("q")}, true, false},
		{"and, one not met", store.And{store.Exists("b"), store.Exists("q")}, false, false},
		{"and of one", store.And{store.Exists("b")}, true, false},
		{"and of none", store.And{}, true, true},
		{"or", store.Or{store.Exists("q"), store.Exists("b")}, true, false},
		{"or, none met", store.Or{store.Exists("q"), store.Absent("b")}, false, true},
		{"or of one", store.Or{store.Exists("b")}, true, false},
		{"or of none", store.Or{}, false, false},
		{"not", store.Not{Cond: store.Exists("q")}, true, true},
		{"not not", store.Not{Cond: store.Not{Cond: store.Exists("b")}}, true, false},
		{"not of no condition", store.Not{}, false, false},
		{"not and", store.Not{Cond: store.And{store.Exists("b"), store.Exists("q")}}, true, true},
		{"not or", store.Not{Cond: store.Or{store.Exists("b"), store.Exists("q")}}, false, true},
		{"not of a comparison", store.Not{Cond: store.Lt("n", num(5))}, true, true},
		{"nested empty", store.And{store.Or{}, store.And{}}, false, false},
		{"nested empty, or", store.Or{store.Or{}, store.And{}}, true, true},
		{"and in or", store.Or{store.And{store.Exists("q"), store.Exists("b")}, store.And{store.Exists("b"), store.Eq("n", num(5))}}, true, false},
		{"or in and", store.And{store.Or{store.Exists("q"), store.Exists("b")}, store.Or{store.Absent("n"), store.Gt("n", num(5))}}, false, false},
		{"and in and", store.And{store.And{store.Exists("b"), store.Exists("n")}, store.And{store.Exists("l"), store.Absent("q")}}, true, false},
		{"single in single", store.Or{store.And{store.Or{store.Exists("b")}}}, true, false},
		{"deep", store.And{store.Or{store.Absent("t"), store.Eq("t", bytes("x"))}, store.Not{Cond: store.And{store.Exists("q"), store.Or{store.Exists("b"), store.Exists("n")}}}, store.Or{store.Absent("e"), store.Gt("e", num(1))}}, true, true},
		{"same attribute twice", store.And{store.Gt("n", num(4)), store.Lt("n", num(6))}, true, false},

		{"eq zero value", store.Eq("b", store.Value{}), false, true},
		{"eq zero value, missing", store.Eq("q", store.Value{}), true, true},
		{"ne zero value", store.Ne("b", store.Value{}), true, false},
		{"lt zero value", store.Lt("b", store.Value{}), false, false},

		{"bytes compare bytewise", store.Lt("bin", bytes("\x80\x01")), true, false},
		{"bytes are unsigned", store.Gt("bin", bytes("\x7f")), true, false},
		{"a prefix is less", store.Gt("b", bytes("m")), true, false},
		{"an extension is greater", store.Lt("b", bytes("mm\x00")), true, false},
		{"empty bytes are least", store.Lt("empty", bytes("\x00")), true, false},
		{"empty bytes equal", store.Eq("empty", bytes("")), true, false},
		{"greater than empty", store.Gt("b", bytes("")), true, false},
		{"integers compare as numbers", store.Lt("n", num(10)), true, false},
		{"negative integers", store.Lt("neg", num(-4)), true, false},

		{"list eq", store.Eq("l", store.List([]string{"a", "b"})), true, false},
		{"list eq, other order", store.Eq("l", store.List([]string{"b", "a"})), false, false},
		{"list ne", store.Ne("l", store.List([]string{"a"})), true, true},
		{"list ne, equal", store.Ne("l", store.List([]string{"a", "b"})), false, true},
		{"empty list eq", store.Eq("none", store.List(nil)), true, false},
		{"lists have no order", store.Lt("l", store.List([]string{"z"})), false, false},
		{"lists have no order, ge", store.Ge("l", store.List([]string{"a", "b"})), false, false},

		{"size of bytes", store.SizeGt("b", 1), true, false},
		{"size of bytes, equal", store.SizeGt("b", 2), false, false},
		{"size of empty bytes", store.Compare{Name: "empty", Cmp: store.CmpEq, Value: num(0), Size: true}, true, false},
		{"size of a list", store.SizeGt("l", 1), true, false},
		{"size of a list, equal", store.Compare{Name: "l", Cmp: store.CmpEq, Value: num(2), Size: true}, true, false},
		{"size of an empty list", store.Compare{Name: "none", Cmp: store.CmpLt, Value: num(1), Size: true}, true, false},
		{"size of an integer", store.SizeGt("n", -1), false, false},
		{"size of an integer, ne", store.Compare{Name: "n", Cmp: store.CmpNe, Value: num(1), Size: true}, true, true},
		{"size of a missing attribute", store.Compare{Name: "q", Cmp: store.CmpGe, Value: num(0), Size: true}, false, false},
		{"size of a missing attribute, ne", store.Compare{Name: "q", Cmp: store.CmpNe, Value: num(0), Size: true}, true, true},
		{"size against bytes", store.Compare{Name: "b", Cmp: store.CmpEq, Value: bytes("2"), Size: true}, false, false},
		{"size against bytes, ne", store.Compare{Name: "b", Cmp: store.CmpNe, Value: bytes("2"), Size: true}, true, true},
	}
	// Every operator, against a lesser, an equal and a greater value.
	for _, op := range []struct {
		name           string
		make           func(string, store.Value) store.Compare
		less, eq, more bool // met if the attribute is less than, equal to, greater than the value
		missing        bool // met if there is no attribute, or one of another type
	}{
		{"eq", store.Eq, false, true, false, false},
		{"ne", store.Ne, true, false, true, true},
		{"lt", store.Lt, true, false, false, false},
		{"le", store.Le, true, true, false, false},
		{"gt", store.Gt, false, false, true, false},
		{"ge", store.Ge, false, true, true, false},
	} {
		cases = append(cases,
			conditionCase{"bytes " + op.name + " greater", op.make("b", bytes("mn")), op.less, op.missing},
			conditionCase{"bytes " + op.name + " equal", op.make("b", bytes("mm")), op.eq, op.missing},
			conditionCase{"bytes " + op.name + " lesser", op.make("b", bytes("ml")), op.more, op.missing},
			conditionCase{"integer " + op.name + " greater", op.make("n", num(6)), op.less, op.missing},
			conditionCase{"integer " + op.name + " equal", op.make("n", num(5)), op.eq, op.missing},
			conditionCase{"integer " + op.name + " lesser", op.make("n", num(4)), op.more, op.missing},
			conditionCase{"missing " + op.name, op.make("q", num(4)), op.missing, op.missing},
			conditionCase{"bytes " + op.name + " integer", op.make("b", num(4)), op.missing, op.missing},
			conditionCase{"integer " + op.name + " bytes", op.make("n", bytes("5")), op.missing, op.missing},
			conditionCase{"list " + op.name + " integer", op.make("l", num(2)), op.missing, op.missing},
		)
	}
	return cases
}

var conditionTests = []test{
	{"every condition, on an item", func(h *h) {
		h.put("thing", thing)
		for _, c := range conditionCases() {
			h.tryCondition(c.name, "thing", c.cond, c.met, thing)
		}
	}},
	{"every condition, on a missing item", func(h *h) {
		for _, c := range conditionCases() {
			h.tryCondition(c.name, "missing", c.cond, c.miss, nil)
		}
	}},
	{"every condition, as a filter", func(h *h) {
		h.put("thing", thing)
		for _, c := range conditionCases() {
			p := h.query(store.Query{Filter: c.cond})
			if (p.Count == 1) != c.met || p.Count != len(p.Items) || p.More {
				h.Errorf("%s: filter let %d through (%d items, more %v), want %v", c.name, p.Count, len(p.Items), p.More, c.met)
			}
		}
	}},
	{"Holds agrees", func(h *h) {
		for _, c := range conditionCases() {
			if store.Holds(c.cond, thing) != c.met || store.Holds(c.cond, nil) != c.miss {
				h.Errorf("%s: %v on an item, %v on none", c.name, store.Holds(c.cond, thing), store.Holds(c.cond, nil))
			}
		}
	}},
	{"a failed condition changes nothing", func(h *h) {
		never := store.Exists("nowhere")
		for _, op := range []store.Op{
			store.Put(h.key("a"), attrs("v", 2), never),
			store.Update(h.key("a"), never, store.Set("v", store.Int(2))),
			store.Delete(h.key("a"), never),
			store.Check(h.key("a"), never),
		} {
			h.apply(store.Delete(op.Key, nil))
			_, err := h.store.Apply(h.Context(), op)
			h.wantFailed(describe(op), err, 0, nil)
			h.want("a", nil)

			h.put("a", thing)
			_, err = h.store.Apply(h.Context(), op)
			h.wantFailed(describe(op), err, 0, thing)
			h.want("a", thing)
		}
	}},
	{"each kind of write obeys a met condition", func(h *h) {
		h.put("a", attrs("v", 1))
		h.wantOld(store.Put(h.key("a"), attrs("v", 2), store.Eq("v", store.Int(1))), attrs("v", 1))
		h.wantOld(store.Update(h.key("a"), store.Eq("v", store.Int(2)), store.Set("v", store.Int(3))), attrs("v", 2))
		h.wantOld(store.Check(h.key("a"), store.Eq("v", store.Int(3))), attrs("v", 3))
		h.wantOld(store.Delete(h.key("a"), store.Eq("v", store.Int(3))), attrs("v", 3))
		h.wantOld(store.Put(h.key("a"), attrs("v", 4), store.Absent("v")), nil)
		h.want("a", attrs("v", 4))
	}},
	{"an empty item is found as such", func(h *h) {
		h.put("a", store.Attrs{})
		_, err := h.store.Apply(h.Context(), store.Put(h.key("a"), attrs("v", 1), store.Exists("v")))
		h.wantFailed("put", err, 0, store.Attrs{})
	}},
}

// tryCondition tries a condition on a check, on a write that changes nothing,
// and beside another operation.
func (h *h) tryCondition(name, sort string, cond store.Cond, met bool, item store.Attrs) {
	h.Helper()
	key, beside := h.key(sort), h.key("beside")
	_, check := h.store.Apply(h.Context(), store.Check(key, cond))
	_, write := h.store.Apply(h.Context(), store.Update(key, cond))
	if item == nil {
		h.apply(store.Delete(key, nil)) // the update has created it, if the condition was met
	}
	several := h.commit(store.Put(beside, attrs("v", 1), nil), store.Check(key, cond))
	if old := h.apply(store.Delete(beside, nil)); (old != nil) != met {
		h.Errorf("%s: the operation beside it was carried out: %v, want %v", name, old != nil, met)
	}
	for i, err := range []error{check, write, several} {
		what := name + ", as a " + []string{"check", "write", "commit"}[i]
		switch {
		case met && err != nil:
			h.Errorf("%s: %v, want it met", what, err)
		case !met:
			h.wantFailed(what, err, i/2, item)
		}
	}
}
