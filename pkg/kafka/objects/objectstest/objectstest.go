// Package objectstest is the conformance suite of stores of objects.
package objectstest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
)

// Run runs the suite. open gives an empty store.
func Run(t *testing.T, open func(t *testing.T) objects.Store) {
	for name, test := range map[string]func(t *testing.T, s objects.Store){
		"objects are read as they were written":     readBack,
		"ranges are read":                           ranges,
		"what is not there is not found":            missing,
		"objects are listed in order, page by page": list,
		"objects that are deleted are gone":         deletion,
		"an object can be written again":            again,
		"bad names are refused":                     names,
		"objects are written at once":               parallel,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func put(t *testing.T, s objects.Store, name string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), name, data); err != nil {
		t.Fatal(err)
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 7)
	}
	return b
}

func want(t *testing.T, s objects.Store, name string, offset int, data []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), name, int64(offset), int64(len(data)))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s from %d: %d bytes, %v, want %d", name, offset, len(got), err, len(data))
	}
}

func readBack(t *testing.T, s objects.Store) {
	for _, size := range []int{1, 1000, 380 << 10, 380<<10 + 1, 3 << 20} {
		name := fmt.Sprintf("lc-1/a_b/0/%d.x", size)
		put(t, s, name, pattern(size))
		want(t, s, name, 0, pattern(size))
	}
}

func ranges(t *testing.T, s objects.Store) {
	data := pattern(1 << 20)
	put(t, s, "a", data)
	for _, r := range [][2]int{{0, 1}, {5, 10}, {380<<10 - 3, 380<<10 + 3}, {1<<20 - 1, 1 << 20}, {100, 900_000}, {7, 7}} {
		want(t, s, "a", r[0], data[r[0]:r[1]])
	}
	if _, err := s.Get(t.Context(), "a", 1<<20-1, 2); err == nil {
		t.Error("bytes behind an object's end are read")
	}
}

func missing(t *testing.T, s objects.Store) {
	if _, err := s.Get(t.Context(), "none", 0, 1); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := s.Delete(t.Context(), []string{"none", "nor/this"}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if got, err := s.List(t.Context(), "no", ""); err != nil || len(got) != 0 {
		t.Errorf("list: %v, %v", got, err)
	}
}

func list(t *testing.T, s objects.Store) {
	const n = objects.PageSize + 7
	var all []string
	var puts sync.WaitGroup
	for w := range 8 {
		puts.Go(func() {
			for i := w; i < n; i += 8 {
				if err := s.Put(t.Context(), fmt.Sprintf("log/%05d", i), []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	puts.Wait()
	for i := range n {
		all = append(all, fmt.Sprintf("log/%05d", i))
	}
	put(t, s, "loh/1", []byte("x"))
	put(t, s, "lof/1", []byte("x"))
	first, err := s.List(t.Context(), "log/", "")
	if err != nil || !slices.Equal(first, all[:objects.PageSize]) {
		t.Fatalf("%d names, %v", len(first), err)
	}
	rest, err := s.List(t.Context(), "log/", first[len(first)-1])
	if err != nil || !slices.Equal(rest, all[objects.PageSize:]) {
		t.Errorf("then %v, %v", rest, err)
	}
}

func deletion(t *testing.T, s objects.Store) {
	for _, name := range []string{"a", "b", "c"} {
		put(t, s, name, pattern(500_000))
	}
	if err := s.Delete(t.Context(), []string{"a", "c", "none"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "a", 0, 1); !errors.Is(err, objects.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if got, err := s.List(t.Context(), "", ""); err != nil || !slices.Equal(got, []string{"b"}) {
		t.Errorf("list: %v, %v", got, err)
	}
	want(t, s, "b", 0, pattern(500_000))
}

func again(t *testing.T, s objects.Store) {
	put(t, s, "a", pattern(1000))
	put(t, s, "a", pattern(1000))
	want(t, s, "a", 0, pattern(1000))
}

func names(t *testing.T, s objects.Store) {
	for _, name := range []string{"", "a b", "ü", "a?b", "a%2f", "a\x00", strings.Repeat("x", objects.MaxName+1)} {
		if err := s.Put(t.Context(), name, []byte("x")); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func parallel(t *testing.T, s objects.Store) {
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			name := fmt.Sprint("object", i)
			if err := s.Put(t.Context(), name, pattern(10_000+i)); err != nil {
				t.Error(err)
			}
			want(t, s, name, 0, pattern(10_000+i))
		})
	}
	calls.Wait()
}
