package store_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

func TestNewAttrsSortsAndKeepsTheLast(t *testing.T) {
	as := store.NewAttrs(
		store.Attr{Name: "b", Value: store.Int(1)},
		store.Attr{Name: "a", Value: store.Bytes("x")},
		store.Attr{Name: "b", Value: store.Int(2)},
		store.Attr{Name: "c"},
		store.Attr{Name: "", Value: store.Bytes("unnamed")},
	)
	want := store.Attrs{{Name: "", Value: store.Bytes("unnamed")}, {Name: "a", Value: store.Bytes("x")}, {Name: "b", Value: store.Int(2)}}
	if !as.Equal(want) {
		t.Errorf("%v, want %v", as, want)
	}
	if as := store.NewAttrs(); as == nil || len(as) != 0 {
		t.Errorf("no attributes give %#v", as)
	}
}

func TestAttrsLookUp(t *testing.T) {
	as := store.NewAttrs(store.Attr{Name: "a", Value: store.Int(0)}, store.Attr{Name: "c", Value: store.Bytes("")})
	for name, present := range map[string]bool{"a": true, "b": false, "c": true, "": false, "d": false} {
		if as.Has(name) != present || as.Get(name).IsZero() == present {
			t.Errorf("%q: has %v, get %v", name, as.Has(name), as.Get(name))
		}
	}
	if v := store.Attrs(nil).Get("a"); !v.IsZero() {
		t.Errorf("of no item: %v", v)
	}
}

func TestWithAndWithoutCopy(t *testing.T) {
	old := store.NewAttrs(store.Attr{Name: "b", Value: store.Int(1)}, store.Attr{Name: "d", Value: store.Int(2)})
	kept := slices.Clone(old)
	for _, tt := range []struct {
		name string
		got  store.Attrs
		want string
	}{
		{"before all", old.With("a", store.Int(0)), "a=0 b=1 d=2"},
		{"between", old.With("c", store.Int(0)), "b=1 c=0 d=2"},
		{"after all", old.With("e", store.Int(0)), "b=1 d=2 e=0"},
		{"replaced", old.With("b", store.Int(0)), "b=0 d=2"},
		{"without", old.Without("b"), "d=2"},
		{"without what is not there", old.Without("c"), "b=1 d=2"},
		{"with no value", old.With("d", store.Value{}), "b=1"},
		{"to no item", store.Attrs(nil).With("a", store.Int(1)), "a=1"},
	} {
		var parts []string
		for _, a := range tt.got {
			parts = append(parts, a.Name+"="+a.Value.String())
		}
		if got := strings.Join(parts, " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if !old.Equal(kept) {
			t.Fatalf("%s: the original is now %v", tt.name, old)
		}
	}
}

func TestInsertIsWithInPlace(t *testing.T) {
	for _, size := range []int{0, 1, 5, 20} {
		var as store.Attrs
		for i := range size {
			as = append(as, store.Attr{fmt.Sprintf("%02d", 2*i), store.Int(int64(i))})
		}
		for i := -1; i <= 2*size; i++ {
			name := fmt.Sprintf("%02d", max(i, 0))
			if i < 0 {
				name = "+"
			}
			want := as.With(name, store.Bytes("new"))
			room := append(make(store.Attrs, 0, size+1), as...)
			got := room.Insert(name, store.Bytes("new"))
			if !got.Equal(want) {
				t.Errorf("%q into %d: %v, want %v", name, size, got, want)
			}
			if size > 0 && &got[0] != &room[0] {
				t.Errorf("%q into %d: copied", name, size)
			}
		}
	}
}

func TestAttrsEqual(t *testing.T) {
	as := store.NewAttrs(store.Attr{Name: "a", Value: store.List([]string{"x"})})
	for _, tt := range []struct {
		name string
		a, b store.Attrs
		want bool
	}{
		{"same", as, store.NewAttrs(store.Attr{Name: "a", Value: store.List([]string{"x"})}), true},
		{"other value", as, store.NewAttrs(store.Attr{Name: "a", Value: store.List([]string{"y"})}), false},
		{"other type", as, store.NewAttrs(store.Attr{Name: "a", Value: store.Bytes("x")}), false},
		{"other name", as, store.NewAttrs(store.Attr{Name: "b", Value: store.List([]string{"x"})}), false},
		{"more", as, as.With("b", store.Int(1)), false},
		{"no item and an empty one", nil, store.Attrs{}, false},
		{"no items", nil, nil, true},
		{"empty ones", store.Attrs{}, store.NewAttrs(), true},
	} {
		if tt.a.Equal(tt.b) != tt.want || tt.b.Equal(tt.a) != tt.want {
			t.Errorf("%s: want %v", tt.name, tt.want)
		}
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		value store.Value
		kind  store.Kind
		text  string
		size  int
	}{
		{store.Value{}, 0, "none", 0},
		{store.Bytes(""), store.KindBytes, `""`, 0},
		{store.Bytes("a\x00"), store.KindBytes, `"a\x00"`, 2},
		{store.Int(7), store.KindInt, "7", 3},
		{store.Int(math.MinInt64), store.KindInt, "-9223372036854775808", 12},
		{store.List(nil), store.KindList, "[]", 3},
		{store.List([]string{"ab", ""}), store.KindList, `["ab" ""]`, 7},
	} {
		v := tt.value
		if v.Kind() != tt.kind || v.String() != tt.text || v.Size() != tt.size || v.IsZero() != (tt.kind == 0) {
			t.Errorf("%s: kind %d, size %d, want %s, kind %d, size %d", v, v.Kind(), v.Size(), tt.text, tt.kind, tt.size)
		}
		if !v.Equal(v) {
			t.Errorf("%s is not equal to itself", v)
		}
	}
	if store.Bytes("1").Equal(store.Int(1)) || store.Bytes("").Equal(store.Value{}) || store.List(nil).Equal(store.Value{}) {
		t.Error("values of different types are equal")
	}
	if store.Int(3).Str() != "" || store.Bytes("x").Num() != 0 || store.Int(3).Elems() != nil {
		t.Error("a value has another type's content")
	}
}

func TestItemSizeCountsKeyAndNames(t *testing.T) {
	it := store.Item{Key: store.Key{Partition: "pp", Sort: "sss"}, Attrs: store.NewAttrs(store.Attr{Name: "name", Value: store.Bytes("value")})}
	if got, want := it.Size(), 1+2+1+3+4+5; got != want {
		t.Errorf("size %d, want %d", got, want)
	}
}
