package keyspace

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

func TestFormOfAValue(t *testing.T) {
	noise := make([]byte, 10<<10)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	for _, tc := range []struct {
		name    string
		value   string
		besides int
		packed  bool
	}{
		{"nothing", "", 0, false},
		{"a few bytes", "hello", 0, false},
		{"of one write unit", strings.Repeat("a", 900), 0, false},
		{"just over one", strings.Repeat("a", 1000), 0, true},
		{"of one unit beside a long key", strings.Repeat("a", 900), 30, true},
		{"noise", string(noise), 0, false},
		{"that saves no unit", string(noise[:1500]) + strings.Repeat("a", 100), 0, false},
		{"as long as an item", strings.Repeat("a", store.MaxItemSize), 0, true},
		{"longer than an item", strings.Repeat("a", store.MaxItemSize+1), 0, false},
	} {
		text, _ := textFor(tc.value, tc.besides)
		if (text.packed != "") != tc.packed {
			t.Errorf("%s: compressed is %t, want %t", tc.name, !tc.packed, tc.packed)
		}
		as := store.Attrs{text.attr()}
		got := textOf(as)
		if n := got.len(); n != len(tc.value) {
			t.Errorf("%s: length %d, want %d", tc.name, n, len(tc.value))
		}
		if s, err := got.open(); err != nil || s != tc.value {
			t.Errorf("%s: %d bytes and error %v", tc.name, len(s), err)
		}
		if text.packed != "" && units(as.Size()+itemBytes+tc.besides) >= units(len(tc.value)+itemBytes+tc.besides) {
			t.Errorf("%s: %d bytes instead of %d save nothing", tc.name, as.Size(), len(tc.value))
		}
	}
}

// An instance of an older build has changed a head that it did not understand.
func TestPlainValueBesideACompressedOne(t *testing.T) {
	packed, _ := textFor(strings.Repeat("0123456789", 1000), 0)
	old := store.Attrs{packed.attr()}
	if got := headText(old.With(AttrValue, store.Bytes("new"))); got != (text{plain: "new"}) {
		t.Errorf("%+v", got)
	}
	if got := headText(old.With(attrNumber, store.Int(5))); got != (text{plain: "5"}) {
		t.Errorf("%+v", got)
	}
	if got := headText(old.With(AttrValue, store.Bytes(""))); got != (text{}) {
		t.Errorf("%+v", got)
	}
}

// Whatever stands in an item, no more memory is taken than an item holds.
func TestMalformedValuesAreErrors(t *testing.T) {
	good, _ := textFor(strings.Repeat("0123456789", 1000), 0)
	_, width := binary.Uvarint([]byte(good.packed))
	frame := good.packed[width:]
	sized := func(n uint64, frame string) string { return string(binary.AppendUvarint(nil, n)) + frame }
	bomb := codec.Append(nil, make([]byte, 64<<20))
	for name, packed := range map[string]string{
		"no length":              "\xff",
		"too long a length":      strings.Repeat("\xff", 20),
		"a length of nothing":    sized(0, frame),
		"a length of exabytes":   sized(1<<63, frame),
		"more than it says":      sized(9_999, frame),
		"less than it says":      sized(10_001, frame),
		"no frame":               sized(10_000, ""),
		"half a frame":           good.packed[:len(good.packed)/2],
		"something else":         sized(10_000, "something else"),
		"64 MiB":                 sized(maxPlain, string(bomb)),
		"64 MiB, said to be few": sized(10, string(bomb)),
		"frame after frame":      sized(maxPlain, strings.Repeat(string(codec.Append(nil, make([]byte, maxPlain))), 20)),
	} {
		v := text{packed: packed}
		if s, err := v.open(); !errors.Is(err, errCompressed) || s != "" {
			t.Errorf("%s: %d bytes and error %v", name, len(s), err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		v.open()
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4*maxPlain {
			t.Errorf("%s: takes %d bytes", name, used)
		}
	}
}

func FuzzCompressedValue(f *testing.F) {
	good, _ := textFor(strings.Repeat("0123456789", 1000), 0)
	f.Add([]byte(good.packed))
	f.Add([]byte{})
	f.Add(append([]byte{0xff, 0xff, 0x18}, codec.Append(nil, make([]byte, 1<<20))...))
	f.Fuzz(func(t *testing.T, packed []byte) {
		v := textOf(store.Attrs{{Name: attrPacked, Value: store.Bytes(string(packed))}})
		n := v.len()
		s, err := v.open()
		if n > maxPlain || len(s) > maxPlain {
			t.Fatalf("%d bytes, said to be %d", len(s), n)
		}
		if err == nil && len(packed) > 0 && len(s) != n {
			t.Errorf("%d bytes, said to be %d", len(s), n)
		}
		if err != nil && !errors.Is(err, errCompressed) {
			t.Error(err)
		}
		if back, _ := textFor(string(packed), 0); !bytes.Equal([]byte(mustOpen(t, back)), packed) {
			t.Error("a value is not what it was")
		}
	})
}

func mustOpen(t *testing.T, v text) string {
	t.Helper()
	s, err := v.open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
