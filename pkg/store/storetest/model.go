package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/store"
)

var modelTests = []test{
	{"random calls agree with a map", func(h *h) {
		run := 0
		rapid.Check(h.T, func(t *rapid.T) {
			run++ // every run has a partition of its own
			m := &model{t: t, store: h.store, partition: fmt.Sprintf("%s %d", h.partition, run), items: map[string]store.Attrs{}}
			for range rapid.IntRange(1, 25).Draw(t, "calls") {
				m.step(h)
			}
			m.checkAll(h)
		})
	}},
}

// model drives a store and a map side by side.
type model struct {
	t         *rapid.T
	store     store.Store
	partition string
	items     map[string]store.Attrs // by sort key
}

var (
	modelSorts = []string{"a", "a\x00", "ab", "b", "\x00", "\xff", "\xff\xff", "c"}
	modelNames = []string{"n", "m", "b", "l", "long name", "#:"}
	modelBytes = []string{"", "x", "xy", "\x00", "\xff"}
)

func (m *model) step(h *h) {
	switch rapid.IntRange(0, 9).Draw(m.t, "call") {
	case 0, 1, 2, 3:
		m.apply(h, m.drawOp(m.drawSort("key")))
	case 4, 5:
		var ops []store.Op
		for _, sort := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelSorts), 1, 4, rapid.ID).Draw(m.t, "keys") {
			ops = append(ops, m.drawOp(sort))
		}
		m.commit(h, ops)
	case 6:
		m.getMany(h)
	case 7, 8:
		m.query(h)
	case 9:
		m.load(h)
	}
}

func (m *model) key(sort string) store.Key { return store.Key{Partition: m.partition, Sort: sort} }

func (m *model) drawSort(label string) string { return rapid.SampledFrom(modelSorts).Draw(m.t, label) }
func (m *model) drawName() string             { return rapid.SampledFrom(modelNames).Draw(m.t, "name") }

func (m *model) drawList() []string {
	return rapid.SliceOfN(rapid.SampledFrom(modelBytes), 0, 3).Draw(m.t, "list")
}

func (m *model) drawValue() store.Value {
	switch rapid.IntRange(0, 2).Draw(m.t, "type") {
	case 0:
		return store.Bytes(rapid.SampledFrom(modelBytes).Draw(m.t, "bytes"))
	case 1:
		return store.Int(rapid.Int64Range(-3, 3).Draw(m.t, "int"))
	}
	return store.List(m.drawList())
}

func (m *model) drawAttrs() store.Attrs {
	var list []store.Attr
	for range rapid.IntRange(0, 4).Draw(m.t, "attributes") {
		list = append(list, store.Attr{Name: m.drawName(), Value: m.drawValue()})
	}
	return store.NewAttrs(list...)
}

func (m *model) drawCond(depth int) store.Cond {
	most := 5
	if depth == 0 {
		most = 2
	}
	switch rapid.IntRange(0, most).Draw(m.t, "condition") {
	case 0:
		return store.Exists(m.drawName())
	case 1:
		return store.Absent(m.drawName())
	case 2:
		c := store.Compare{
			Name: m.drawName(), Cmp: rapid.SampledFrom([]store.Cmp{store.CmpEq, store.CmpNe, store.CmpLt, store.CmpLe, store.CmpGt, store.CmpGe}).Draw(m.t, "operator"),
			Value: m.drawValue(), Size: rapid.IntRange(0, 4).Draw(m.t, "size") == 0,
		}
		if c.Size {
			c.Value = store.Int(rapid.Int64Range(0, 3).Draw(m.t, "size is"))
		}
		return c
	case 3:
		return store.Not{Cond: m.drawCond(depth - 1)}
	case 4:
		return store.And(m.drawConds(depth - 1))
	}
	return store.Or(m.drawConds(depth - 1))
}

func (m *model) drawConds(depth int) []store.Cond {
	var list []store.Cond
	for range rapid.IntRange(0, 3).Draw(m.t, "conditions") {
		list = append(list, m.drawCond(depth))
	}
	return list
}

func (m *model) drawEdits() []store.Edit {
	var list []store.Edit
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelNames), 1, 4, rapid.ID).Draw(m.t, "edited") {
		switch rapid.IntRange(1, 8).Draw(m.t, "edit") {
		case 1:
			list = append(list, store.Set(name, m.drawValue()))
		case 2:
			list = append(list, store.Default(name, m.drawValue()))
		case 3:
			list = append(list, store.Remove(name))
		case 4:
			list = append(list, store.Add(name, m.drawName(), rapid.Int64Range(-5, 5).Draw(m.t, "delta")))
		case 5:
			list = append(list, store.Append(name, m.drawList()))
		case 6:
			list = append(list, store.Prepend(name, m.drawList()))
		case 7:
			list = append(list, store.RemoveFirst(name))
		case 8:
			list = append(list, store.CopyFirst(name, m.drawName()))
		}
	}
	return list
}

func (m *model) drawOp(sort string) store.Op {
	var cond store.Cond
	if rapid.Bool().Draw(m.t, "conditional") {
		cond = m.drawCond(2)
	}
	switch rapid.IntRange(0, 5).Draw(m.t, "kind") {
	case 0, 1:
		return store.Put(m.key(sort), m.drawAttrs(), cond)
	case 2, 3:
		return store.Update(m.key(sort), cond, m.drawEdits()...)
	case 4:
		return store.Delete(m.key(sort), cond)
	}
	return store.Check(m.key(sort), cond)
}

// next is the item after an operation; false if the operation is invalid.
func (m *model) next(op store.Op) (store.Attrs, bool) {
	old := m.items[op.Key.Sort]
	switch op.Kind {
	case store.OpPut:
		return op.Attrs, true
	case store.OpUpdate:
		return store.ApplyEdits(old, op.Edits)
	case store.OpDelete:
		return nil, true
	}
	return old, true
}

func (m *model) set(sort string, as store.Attrs) {
	if as == nil {
		delete(m.items, sort)
	} else {
		m.items[sort] = as
	}
}

func (m *model) apply(h *h, op store.Op) {
	old, err := m.store.Apply(h.Context(), op)
	was := m.items[op.Key.Sort]
	if !m.wantError(err, []store.Op{op}) {
		return
	}
	if !old.Equal(was) {
		m.t.Fatalf("%s returned %s, want %s", describe(op), short(old), short(was))
	}
	next, _ := m.next(op)
	m.set(op.Key.Sort, next)
}

func (m *model) commit(h *h, ops []store.Op) {
	if !m.wantError(m.store.Commit(h.Context(), ops), ops) {
		return
	}
	for _, op := range ops {
		next, _ := m.next(op)
		m.set(op.Key.Sort, next)
	}
}

// wantError checks the error of operations and reports whether they succeeded.
func (m *model) wantError(err error, ops []store.Op) (ok bool) {
	failed, invalid := -1, false
	for i, op := range ops {
		if !store.Holds(op.If, m.items[op.Key.Sort]) {
			if failed < 0 {
				failed = i
			}
			continue
		}
		_, valid := m.next(op)
		invalid = invalid || !valid
	}
	var ce *store.ConditionError
	switch {
	case failed < 0 && !invalid:
		if err != nil {
			m.t.Fatalf("%d operations: %v", len(ops), err)
		}
		return true
	case err == nil:
		m.t.Fatalf("%d operations succeeded; condition of %d not met, invalid: %v", len(ops), failed, invalid)
	case !invalid && !errors.As(err, &ce):
		m.t.Fatalf("error %v, want a ConditionError of operation %d", err, failed)
	case errors.As(err, &ce) && (failed < 0 || ce.Index != failed || !ce.Old.Equal(m.items[ops[failed].Key.Sort])):
		m.t.Fatalf("condition of %d failed on %s, want %d", ce.Index, short(ce.Old), failed)
	}
	return false
}

func (m *model) getMany(h *h) {
	sorts := rapid.SliceOfN(rapid.SampledFrom(modelSorts), 0, 6).Draw(m.t, "keys")
	snapshot := rapid.Bool().Draw(m.t, "snapshot")
	var keys []store.Key
	for _, s := range sorts {
		keys = append(keys, m.key(s))
	}
	found, err := m.store.GetMany(h.Context(), keys, snapshot)
	if err != nil || len(found) != len(keys) {
		m.t.Fatalf("%d items for %d keys, error %v", len(found), len(keys), err)
	}
	for i, s := range sorts {
		if !found[i].Equal(m.items[s]) {
			m.t.Fatalf("%q is %s, want %s", s, short(found[i]), short(m.items[s]))
		}
	}
}

func (m *model) query(h *h) {
	bound := rapid.SampledFrom(append([]string{"", "a\x00\x00", "bb"}, modelSorts...))
	q := store.Query{
		Partition: m.partition, From: bound.Draw(m.t, "from"), To: bound.Draw(m.t, "to"),
		Reverse: rapid.Bool().Draw(m.t, "reverse"), Limit: rapid.IntRange(0, 4).Draw(m.t, "limit"),
		CountOnly: rapid.IntRange(0, 4).Draw(m.t, "count only") == 0,
	}
	if rapid.Bool().Draw(m.t, "filtered") {
		q.Filter = m.drawCond(2)
	}
	want := m.selected(q)
	var got []store.Item
	count := 0
	for next := q; ; {
		p, err := m.store.Query(h.Context(), next)
		if err != nil {
			m.t.Fatal(err)
		}
		got, count = append(got, p.Items...), count+p.Count
		if !p.More {
			break
		}
		next = next.Next(p)
	}
	if count != len(want) || q.CountOnly && len(got) != 0 || !q.CountOnly && len(got) != len(want) {
		m.t.Fatalf("%+v: %d items, count %d, want %d", q, len(got), count, len(want))
	}
	for i, it := range got {
		if it.Key != m.key(want[i]) || !it.Attrs.Equal(m.items[want[i]]) {
			m.t.Fatalf("%+v: item %d is %q %s, want %q %s", q, i, it.Key.Sort, short(it.Attrs), want[i], short(m.items[want[i]]))
		}
	}
}

// selected are the sort keys that a query yields over all of its pages.
func (m *model) selected(q store.Query) []string {
	var want []string
	for s, as := range m.items {
		if s >= q.From && (q.To == "" || s < q.To) && store.Holds(q.Filter, as) {
			want = append(want, s)
		}
	}
	slices.SortFunc(want, func(a, b string) int {
		if q.Reverse {
			a, b = b, a
		}
		return strings.Compare(a, b)
	})
	return want
}

func (m *model) load(h *h) {
	var puts []store.Item
	var deletes []store.Key
	for _, sort := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelSorts), 0, 5, rapid.ID).Draw(m.t, "keys") {
		if rapid.Bool().Draw(m.t, "delete") {
			deletes = append(deletes, m.key(sort))
			m.set(sort, nil)
		} else {
			it := store.Item{Key: m.key(sort), Attrs: m.drawAttrs()}
			puts = append(puts, it)
			m.set(sort, it.Attrs)
		}
	}
	if err := m.store.Load(h.Context(), puts, deletes); err != nil {
		m.t.Fatal(err)
	}
}

// checkAll compares everything.
func (m *model) checkAll(h *h) {
	for _, s := range modelSorts {
		got, err := m.store.Get(h.Context(), m.key(s))
		if err != nil || !got.Equal(m.items[s]) {
			m.t.Fatalf("in the end %q is %s, error %v, want %s", s, short(got), err, short(m.items[s]))
		}
	}
}
