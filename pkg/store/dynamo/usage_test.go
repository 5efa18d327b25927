package dynamo

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/store"
)

func TestUpdatedSizeIsTheSizeOfTheUpdatedItem(t *testing.T) {
	names := []string{"a", "bb", "list", "n"}
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 5), func(b []byte) string { return string(b) })
		value := func(label string) store.Value {
			switch rapid.IntRange(0, 2).Draw(t, label) {
			case 0:
				return store.Bytes(bytes.Draw(t, "bytes"))
			case 1:
				return store.Int(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "int"))
			}
			return store.List(rapid.SliceOfN(bytes, 0, 3).Draw(t, "list"))
		}
		var old store.Attrs
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "old") {
			old = old.With(name, value("old value"))
		}
		var edits []store.Edit
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(names), rapid.ID).Draw(t, "edited") {
			from := rapid.SampledFrom(names).Draw(t, "from")
			list := rapid.SliceOfN(bytes, 0, 3).Draw(t, "elements")
			edits = append(edits, rapid.SampledFrom([]store.Edit{
				store.Set(name, value("set")), store.Set(name, store.Value{}), store.Default(name, value("default")), store.Remove(name),
				store.Add(name, from, rapid.Int64Range(-1<<40, 1<<40).Draw(t, "delta")), store.Append(name, list), store.Prepend(name, list),
				store.RemoveFirst(name), store.CopyFirst(name, from),
			}).Draw(t, "edit"))
		}
		next, ok := store.ApplyEdits(old, edits)
		if !ok {
			return
		}
		k := store.Key{Partition: "p", Sort: "s"}
		if got, want := updatedSize(k, old, edits), sizeOf(k, next); got != want {
			t.Fatalf("%v after %v: size %d, want %d", old, edits, got, want)
		}
	})
}

func TestUnits(t *testing.T) {
	for _, tt := range []struct {
		size, unit int
		want       float64
	}{{0, readUnit, 1}, {1, readUnit, 1}, {4096, readUnit, 1}, {4097, readUnit, 2}, {1024, writeUnit, 1}, {1025, writeUnit, 2}, {400 << 10, writeUnit, 400}} {
		if got := units(tt.size, tt.unit); got != tt.want {
			t.Errorf("%d bytes of %d: %v units, want %v", tt.size, tt.unit, got, tt.want)
		}
	}
}
