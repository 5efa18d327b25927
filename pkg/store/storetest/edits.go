package storetest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

type editCase struct {
	name  string
	old   store.Attrs // nil: no item
	edits []store.Edit
	want  store.Attrs
}

func edits(e ...store.Edit) []store.Edit { return e }

var editCases = []editCase{
	{"set creates the item", nil, edits(store.Set("a", store.Bytes("x"))), attrs("a", "x")},
	{"set replaces", attrs("a", "x", "b", 1), edits(store.Set("a", store.Int(2))), attrs("a", 2, "b", 1)},
	{"set an empty value", nil, edits(store.Set("a", store.Bytes(""))), attrs("a", "")},
	{"set a list", attrs("a", 1), edits(store.Set("a", store.List([]string{"x", ""}))), attrs("a", []string{"x", ""})},
	{"set no value removes", attrs("a", "x", "b", 1), edits(store.Set("a", store.Value{})), attrs("b", 1)},
	{"default of a missing attribute", attrs("b", 1), edits(store.Default("a", store.Bytes("x"))), attrs("a", "x", "b", 1)},
	{"default of a present attribute", attrs("a", 1), edits(store.Default("a", store.Bytes("x"))), attrs("a", 1)},
	{"default creates the item", nil, edits(store.Default("a", store.Int(1))), attrs("a", 1)},
	{"default of no value", attrs("b", 1), edits(store.Default("a", store.Value{}), store.Default("b", store.Value{})), attrs("b", 1)},
	{"remove", attrs("a", "x", "b", 1), edits(store.Remove("a")), attrs("b", 1)},
	{"remove what is not there", attrs("b", 1), edits(store.Remove("a")), attrs("b", 1)},
	{"remove the last attribute", attrs("a", 1), edits(store.Remove("a")), store.Attrs{}},
	{"add to an integer", attrs("a", 5), edits(store.Add("a", "a", 3)), attrs("a", 8)},
	{"add a negative", attrs("a", 5), edits(store.Add("a", "a", -7)), attrs("a", -2)},
	{"add to a missing attribute", attrs("b", 1), edits(store.Add("a", "a", 3)), attrs("a", 3, "b", 1)},
	{"add to a missing item", nil, edits(store.Add("a", "a", -3)), attrs("a", -3)},
	{"add from another attribute", attrs("a", 5, "b", 1), edits(store.Add("b", "a", 10)), attrs("a", 5, "b", 15)},
	{"add from another attribute over another type", attrs("a", 5, "b", "x"), edits(store.Add("b", "a", 10)), attrs("a", 5, "b", 15)},
	{"add up to the greatest integer", attrs("a", 1<<62), edits(store.Add("a", "a", 1<<62-1)), attrs("a", int64(1<<63-1))},
	{"append", attrs("l", []string{"a"}), edits(store.Append("l", []string{"b", "c"})), attrs("l", []string{"a", "b", "c"})},
	{"append to a missing list", nil, edits(store.Append("l", []string{"b", "", "\xff"})), attrs("l", []string{"b", "", "\xff"})},
	{"append nothing", nil, edits(store.Append("l", nil)), attrs("l", []string{})},
	{"prepend", attrs("l", []string{"a"}), edits(store.Prepend("l", []string{"b", "c"})), attrs("l", []string{"b", "c", "a"})},
	{"prepend to a missing list", nil, edits(store.Prepend("l", []string{"b", "c"})), attrs("l", []string{"b", "c"})},
	{"remove first", attrs("l", []string{"a", "b"}), edits(store.RemoveFirst("l")), attrs("l", []string{"b"})},
	{"remove first of one", attrs("l", []string{"a"}), edits(store.RemoveFirst("l")), attrs("l", []string{})},
	{"remove first of none", attrs("l", []string{}), edits(store.RemoveFirst("l")), attrs("l", []string{})},
	{"copy first", attrs("l", []string{"a", "b"}), edits(store.CopyFirst("q", "l")), attrs("l", []string{"a", "b"}, "q", "a")},
	{"copy an empty first", attrs("l", []string{"", "b"}), edits(store.CopyFirst("q", "l")), attrs("l", []string{"", "b"}, "q", "")},

	{"copy and remove first see the same list", attrs("l", []string{"a", "b"}), edits(store.CopyFirst("q", "l"), store.RemoveFirst("l")), attrs("l", []string{"b"}, "q", "a")},
	{"remove and copy first see the same list", attrs("l", []string{"a", "b"}), edits(store.RemoveFirst("l"), store.CopyFirst("q", "l")), attrs("l", []string{"b"}, "q", "a")},
	{"add sees the integer before it is set", attrs("a", 1), edits(store.Set("a", store.Int(100)), store.Add("b", "a", 1)), attrs("a", 100, "b", 2)},
	{"add sees the integer before it is removed", attrs("a", 1), edits(store.Remove("a"), store.Add("b", "a", 1)), attrs("b", 2)},
	{"adds swap", attrs("a", 1, "b", 2), edits(store.Add("a", "b", 0), store.Add("b", "a", 0)), attrs("a", 2, "b", 1)},
	{"a list becomes another type", attrs("l", []string{"a"}), edits(store.CopyFirst("q", "l"), store.Set("l", store.Int(1))), attrs("l", 1, "q", "a")},
	{"all kinds at once", attrs("a", "x", "b", 1, "c", 10, "l", []string{"1"}, "m", []string{"2"}, "r", []string{"3", "4"}), edits(
		store.Set("a", store.Bytes("y")), store.Default("d", store.Int(7)), store.Remove("b"), store.Add("e", "c", -1),
		store.Append("l", []string{"z"}), store.Prepend("m", []string{"z"}), store.RemoveFirst("r"), store.CopyFirst("f", "r"),
	), attrs("a", "y", "c", 10, "d", 7, "e", 9, "f", "3", "l", []string{"1", "z"}, "m", []string{"z", "2"}, "r", []string{"4"})},
	{"long and odd names", nil, edits(
		store.Set(strings.Repeat("n", 2000), store.Int(1)), store.Add("#0:0", "#0:0", 2), store.Append("set", []string{"a"}), store.Default("remove", store.Int(3)),
	), attrs(strings.Repeat("n", 2000), 1, "#0:0", 2, "set", []string{"a"}, "remove", 3)},
}

// Updates that are invalid because of what the item holds.
var invalidEditCases = []editCase{
	{name: "add to bytes", old: attrs("a", "5"), edits: edits(store.Add("a", "a", 1))},
	{name: "add from a list", old: attrs("a", []string{"1"}), edits: edits(store.Add("b", "a", 1))},
	{name: "append to bytes", old: attrs("a", "5"), edits: edits(store.Append("a", []string{"x"}))},
	{name: "prepend to an integer", old: attrs("a", 5), edits: edits(store.Prepend("a", []string{"x"}))},
	{name: "remove first of a missing list", old: attrs("b", 1), edits: edits(store.RemoveFirst("a"))},
	{name: "remove first of bytes", old: attrs("a", "x"), edits: edits(store.RemoveFirst("a"))},
	{name: "copy first of an empty list", old: attrs("a", []string{}), edits: edits(store.CopyFirst("b", "a"))},
	{name: "copy first of a missing list", old: attrs("b", 1), edits: edits(store.CopyFirst("q", "a"))},
	{name: "copy first of bytes", old: attrs("a", "x"), edits: edits(store.CopyFirst("b", "a"))},
	{name: "copy first of a missing item", edits: edits(store.CopyFirst("b", "a"))},
}

var editTests = []test{
	{"every edit, alone", func(h *h) {
		for i, c := range editCases {
			sort := fmt.Sprint(i)
			h.start(sort, c.old)
			old, err := h.store.Apply(h.Context(), store.Update(h.key(sort), nil, c.edits...))
			if err != nil || !old.Equal(c.old) {
				h.Errorf("%s: returned %s, error %v", c.name, short(old), err)
			}
			if got := h.get(sort); !got.Equal(c.want) {
				h.Errorf("%s: %s, want %s", c.name, short(got), short(c.want))
			}
			if got, ok := store.ApplyEdits(c.old, c.edits); !ok || !got.Equal(c.want) {
				h.Errorf("%s: ApplyEdits gives %s, %v", c.name, short(got), ok)
			}
		}
	}},
	{"every edit, in a commit", func(h *h) {
		var ops []store.Op
		for i, c := range editCases {
			sort := fmt.Sprint(i)
			h.start(sort, c.old)
			ops = append(ops, store.Update(h.key(sort), nil, c.edits...))
		}
		h.mustCommit(ops...)
		for i, c := range editCases {
			if got := h.get(fmt.Sprint(i)); !got.Equal(c.want) {
				h.Errorf("%s: %s, want %s", c.name, short(got), short(c.want))
			}
		}
	}},
	{"an edit of another type is an error and changes nothing", func(h *h) {
		for i, c := range invalidEditCases {
			sort := fmt.Sprint(i)
			h.start(sort, c.old)
			_, plain := h.store.Apply(h.Context(), store.Update(h.key(sort), nil, c.edits...))
			several := h.commit(store.Put(h.key("beside"), attrs("v", 1), nil), store.Update(h.key(sort), nil, c.edits...))
			for _, err := range []error{plain, several} {
				if err == nil || errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrThrottled) {
					h.Errorf("%s: error %v", c.name, err)
				}
			}
			h.want(sort, c.old)
			if _, ok := store.ApplyEdits(c.old, c.edits); ok {
				h.Errorf("%s: ApplyEdits accepts it", c.name)
			}
		}
		h.want("beside", nil)
	}},
	{"a failed condition comes before an invalid edit", func(h *h) {
		h.put("a", attrs("a", "text"))
		_, err := h.store.Apply(h.Context(), store.Update(h.key("a"), store.Exists("q"), store.Add("a", "a", 1)))
		h.wantFailed("update", err, 0, attrs("a", "text"))
	}},
	{"a hundred attributes at once", func(h *h) {
		var list []store.Edit
		var want []store.Attr
		for i := range 100 {
			name, v := fmt.Sprintf("name%d", i), store.Bytes(fmt.Sprint(i))
			list = append(list, store.Set(name, v))
			want = append(want, store.Attr{Name: name, Value: v})
		}
		h.apply(store.Update(h.key("a"), nil, list...))
		h.want("a", store.NewAttrs(want...))
	}},
	{"very many attributes at once work or are too large", func(h *h) {
		var list []store.Edit
		for i := range 3000 {
			list = append(list, store.Set(fmt.Sprintf("name%d", i), store.Int(int64(i))))
		}
		_, err := h.store.Apply(h.Context(), store.Update(h.key("a"), nil, list...))
		switch got := h.get("a"); {
		case err == nil && len(got) != len(list):
			h.Errorf("%d attributes set", len(got))
		case err != nil && !errors.Is(err, store.ErrTooLarge):
			h.Error(err)
		case err != nil && got != nil:
			h.Error("refused, but something was written")
		}
	}},
}

// start puts an item, or makes sure that there is none.
func (h *h) start(sort string, as store.Attrs) {
	h.Helper()
	if as == nil {
		h.apply(store.Delete(h.key(sort), nil))
	} else {
		h.put(sort, as)
	}
}
