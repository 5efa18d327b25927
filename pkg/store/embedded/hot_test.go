package embedded

import (
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// An item that is written again and again is read from its stripe, until it is written in any other way.
func TestHotItems(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s, err := Open(Options{InMemory: true, Now: func() time.Time { return now }, ReclaimEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	key := store.Key{Partition: "p", Sort: "s"}
	attrs := func(value string) store.Attrs {
		return store.NewAttrs(store.Attr{Name: "v", Value: store.Bytes(value)}, store.Attr{Name: store.TTLAttr, Value: store.Int(now.Unix())})
	}
	put := func(value string) {
		t.Helper()
		if _, err := s.Apply(t.Context(), store.Put(key, attrs(value), nil)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(value string, hot bool) {
		t.Helper()
		dataKey := appendDataKey(nil, key)
		if _, ok := s.stripes.of(dataKey).find(dataKey); ok != hot {
			t.Errorf("hot is %v, want %v", ok, hot)
		}
		if got, err := s.Get(t.Context(), key); err != nil || got.Get("v").Str() != value {
			t.Errorf("the value is %q, %v, want %q", got.Get("v").Str(), err, value)
		}
	}
	heat := func(value string) {
		t.Helper()
		put("before")
		put(value)
		want(value, true)
	}
	put("first")
	want("first", false)
	put("second")
	want("second", true)
	put(strings.Repeat("x", maxHot))
	want(strings.Repeat("x", maxHot), false)

	heat("v1")
	if _, err := s.Apply(t.Context(), store.Delete(key, nil)); err != nil {
		t.Fatal(err)
	}
	want("", false)

	heat("v2")
	if err := s.Commit(t.Context(), []store.Op{store.Put(key, attrs("together"), nil), store.Put(store.Key{Partition: "p", Sort: "t"}, attrs("x"), nil)}); err != nil {
		t.Fatal(err)
	}
	want("together", false)

	heat("v3")
	if err := s.Load(t.Context(), []store.Item{{Key: key, Attrs: attrs("loaded")}}, nil); err != nil {
		t.Fatal(err)
	}
	want("loaded", false)

	heat("v4")
	now = now.Add(time.Hour)
	if n, err := s.janitor.sweep(); err != nil || n == 0 {
		t.Fatalf("%d items were reclaimed, %v", n, err)
	}
	want("", false)
}
