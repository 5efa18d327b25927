package embedded

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/store"
)

func drawValue(t *rapid.T) store.Value {
	str := rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 200), func(b []byte) string { return string(b) })
	switch rapid.IntRange(1, 3).Draw(t, "kind") {
	case 1:
		return store.Bytes(str.Draw(t, "bytes"))
	case 2:
		return store.Int(rapid.Int64().Draw(t, "int"))
	}
	return store.List(rapid.SliceOfN(str, 0, 5).Draw(t, "list"))
}

func TestAttrsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var attrs []store.Attr
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			attrs = append(attrs, store.Attr{Name: rapid.StringN(1, 10, -1).Draw(t, "name"), Value: drawValue(t)})
		}
		want := store.NewAttrs(attrs...)
		enc, err := encodeAttrs(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeAttrs(string(enc))
		if err != nil || !got.Equal(want) {
			t.Fatalf("%v became %v, error %v", want, got, err)
		}
		if size, err := storedSize(enc); err != nil || size != want.Size() {
			t.Fatalf("size %d, error %v, want %d", size, err, want.Size())
		}
	})
}

func TestEncodeRefusesMalformedAttrs(t *testing.T) {
	v := store.Bytes("v")
	for name, as := range map[string]store.Attrs{
		"empty name":   {{Name: "", Value: v}},
		"out of order": {{Name: "b", Value: v}, {Name: "a", Value: v}},
		"twice":        {{Name: "a", Value: v}, {Name: "a", Value: v}},
		"no value":     {{Name: "a"}},
	} {
		if _, err := encodeAttrs(nil, as); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDecodeRefusesNewerFormat(t *testing.T) {
	_, err := decodeAttrs("\x02")
	if err == nil || errors.Is(err, errCorrupt) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("error %v", err)
	}
}

func FuzzDecodeAttrs(f *testing.F) {
	enc, err := encodeAttrs(nil, store.NewAttrs(
		store.Attr{Name: "b", Value: store.Bytes(strings.Repeat("v", 300))},
		store.Attr{Name: "l", Value: store.List([]string{"a", ""})},
		store.Attr{Name: "n", Value: store.Int(math.MinInt64)}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc)
	f.Add([]byte{codecVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte("\x01\x01\x06n\xff\xff\xff\xff\xff\xff\xff\xff\xff0")) // an integer of more than 64 bits
	f.Fuzz(func(t *testing.T, data []byte) {
		as, err := decodeAttrs(string(data))
		if err != nil {
			return
		}
		size, err := storedSize(data)
		if err != nil || size != as.Size() {
			t.Errorf("size %d, error %v, want %d", size, err, as.Size())
		}
	})
}

func TestKeysOrderAndSeparate(t *testing.T) {
	part := func(t *rapid.T, label string) string {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 'a', 0xfe, 0xff}), 1, 4).Draw(t, label)
		return string(b)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := store.Key{Partition: part(t, "p1"), Sort: part(t, "s1")}
		b := store.Key{Partition: part(t, "p2"), Sort: part(t, "s2")}
		ea, eb := appendDataKey(nil, a), appendDataKey(nil, b)
		if a.Partition == b.Partition {
			if got, want := bytes.Compare(ea, eb), strings.Compare(a.Sort, b.Sort); got != want {
				t.Fatalf("order of %q and %q is %d, want %d", a, b, got, want)
			}
		} else if bytes.Equal(ea, eb) {
			t.Fatalf("%q and %q have the same key", a, b)
		}
		from, to := part(t, "from"), part(t, "to")
		if rapid.Bool().Draw(t, "unbounded") {
			from, to = "", ""
		}
		lower, upper := appendRange(nil, a.Partition, from, to)
		inside := bytes.Compare(lower, eb) <= 0 && bytes.Compare(eb, upper) < 0
		want := b.Partition == a.Partition && b.Sort >= from && (to == "" || b.Sort < to)
		if inside != want {
			t.Fatalf("%q in range %q..%q of %q: %v", b, from, to, a.Partition, inside)
		}
		at := rapid.Int64().Draw(t, "at")
		gotAt, gotKey, err := splitExpiryKey(nil, appendExpiryKey(nil, at, ea))
		if err != nil || gotAt != at || !bytes.Equal(gotKey, ea) {
			t.Fatalf("expiry key came back as %d %q, %v", gotAt, gotKey, err)
		}
	})
}

func TestExpiryKeysAreInOrderOfTime(t *testing.T) {
	times := []int64{math.MinInt64, -1, 0, 1, 1 << 40, math.MaxInt64}
	var keys [][]byte
	for _, at := range times {
		keys = append(keys, appendExpiryKey(nil, at, []byte("dkey")))
	}
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		t.Errorf("not in order: %q", keys)
	}
}

func TestCorruptItemIsReported(t *testing.T) {
	s := open(t, Options{})
	k := store.Key{Partition: "p", Sort: "s"}
	if err := s.db.Set(appendDataKey(nil, k), []byte{codecVersion, 9}, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := s.Get(ctx, k); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errCorrupt) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Query(ctx, store.Query{Partition: "p"}); !errors.Is(err, errCorrupt) {
		t.Errorf("Query: %v", err)
	}
	if _, err := s.Apply(ctx, store.Delete(k, nil)); !errors.Is(err, errCorrupt) {
		t.Errorf("Apply: %v", err)
	}
}
