package hll

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func elements(from, to int) []string {
	var es []string
	for i := from; i <= to; i++ {
		es = append(es, "element:"+strconv.Itoa(i))
	}
	return es
}

func add(t testing.TB, s string, es []string) string {
	t.Helper()
	s, _, err := Add(s, es)
	if err != nil {
		t.Fatalf("Add: %v", err)
	}
	return s
}

func merge(t *testing.T, dest string, sources ...string) string {
	t.Helper()
	s, err := Merge(dest, sources)
	if err != nil {
		t.Fatalf("Merge: %v", err)
	}
	return s
}

// From Redis 7.0.15: PFADD of "element:1" to "element:<n>", then PFCOUNT, then GET.
// The growth from row to row goes through every form a sparse string can take.
func TestAddAndCountAreRedisToTheByte(t *testing.T) {
	tests := []struct {
		n      int
		count  int64
		length int
		sha256 string
	}{
		{0, 0, 18, "d9596e4bda3ed9045a2ee58fb6f30fed43bfa8a196669693083a4f265198cf66"},
		{1, 1, 21, "f1b6174af1bd8d53b44ec0df301f40cece7b753010596c83219a8af03bb58cfb"},
		{2, 2, 24, "79b0b8d19fa2befe40beaf500f480e3ec773f22ad9f633719a6d3432f72b45bb"},
		{5, 5, 33, "b63f399a3480023dd09bf84743eb2baa6aefa52c28eab006356f56843aad2e4a"},
		{10, 10, 47, "fa1eaec61738f4b5bed414f2d1b3ed302420cd2adfb6208f8e341fcb3248b66d"},
		{50, 50, 157, "4aeccaade97ad0e472eecb7452b3171f1fc80eb5f06bf10d65176073f398919b"},
		{100, 99, 285, "903dac0ac4201de848c57b07f7969d70a74a7fd27980cf19eee0d469c6a9e903"},
		{500, 502, 1049, "b96af55aadd5822be7511369a29b2e92d3b1d28d31b2217229a69af8d4124f85"},
		{1000, 997, 1898, "3882879e1f8a75d9289dd183d09fb18e45d06f40f01059c25978980a5de784cb"},
		{1500, 1500, 2723, "e461e5b7263938f81a23b2bac8125c9efbba0db9a81b1f6404f410cf19bfeae3"},
		{2000, 2004, 12304, "3ef2ffc4d728d2d692e62ce9d1563081c9841a461348f6bb2c2dc175732bfa6b"},
		{5000, 5005, 12304, "b9bdf8d4341d07fdf7081fa3cd673f4c3d66afb7eaa023f918dbfc7c21a99b55"},
		{10000, 10017, 12304, "a759e7bfd04cd868c0362e4881b8fd6ed6e67771a4ca50dac1b460d63202184d"},
		{50000, 49727, 12304, "b1fdabf1f664dcd01d21405ebb19e2b6fe24abb59a5383e5e6cfd4aae9e06280"},
		{100000, 100039, 12304, "96adfa7ca3983ad6208cc89dce815e3c947e685260adf894e2757a242b18e1cd"},
		{300000, 298112, 12304, "4b90653103f3c7e987ceb8b4b607c9e6cd30d495da487e4abe3e549cdba1e03e"},
	}
	s, n := New(), 0
	for _, tt := range tests {
		s = add(t, s, elements(n+1, tt.n))
		n = tt.n
		count, err := Count(s)
		if err != nil || count != tt.count {
			t.Errorf("%d elements: Count = %d, %v, want %d", n, count, err, tt.count)
		}
		if s, err = WithCount(s, count); err != nil {
			t.Fatalf("WithCount: %v", err)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(s))); len(s) != tt.length || sum != tt.sha256 {
			t.Errorf("%d elements: %d bytes with sum %s, want %d with %s", n, len(s), sum, tt.length, tt.sha256)
		}
	}
}

func TestAddTellsWhatChanged(t *testing.T) {
	s, changed, err := Add(New(), []string{"a", "b"})
	if err != nil || !changed {
		t.Fatalf("first Add = %v, %v", changed, err)
	}
	same, changed, err := Add(s, []string{"b", "a", "a"})
	if err != nil || changed || same != s {
		t.Errorf("second Add = %v, %v, want no change", changed, err)
	}
	if s, changed, err := Add(New(), nil); err != nil || changed || s != New() {
		t.Errorf("Add of nothing = %v, %v, want no change", changed, err)
	}
}

func TestCachedCount(t *testing.T) {
	s := add(t, New(), []string{"a"})
	if n, ok := Cached(s); ok {
		t.Errorf("Cached after Add = %d, want none", n)
	}
	s, err := WithCount(s, 42) // a lie, to see it used
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := Cached(s); !ok || n != 42 {
		t.Errorf("Cached = %d, %v, want 42", n, ok)
	}
	if n, err := Count(s); err != nil || n != 42 {
		t.Errorf("Count = %d, %v, want the cached 42", n, err)
	}
	if n, err := Count(s, New()); err != nil || n != 1 {
		t.Errorf("Count of two = %d, %v, want 1 from the registers", n, err)
	}
	if n, ok := Cached(merge(t, s, New())); ok {
		t.Errorf("Cached after Merge = %d, want none", n)
	}
}

// A union is what adding everything to one would have given.
func TestMergeIsUnion(t *testing.T) {
	for _, sizes := range [][2]int{{0, 0}, {10, 5}, {500, 300}, {1200, 1200}, {5000, 3}, {3, 5000}, {5000, 9000}} {
		a := add(t, New(), elements(1, sizes[0]))
		b := add(t, New(), elements(sizes[0]/2+1, sizes[0]/2+sizes[1]))
		all := add(t, a, elements(sizes[0]/2+1, sizes[0]/2+sizes[1]))
		want, err := Count(all)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Count(a, b); err != nil || got != want {
			t.Errorf("%v: Count of both = %d, %v, want %d", sizes, got, err, want)
		}
		merged := merge(t, New(), a, b)
		if got, err := Count(merged); err != nil || got != want {
			t.Errorf("%v: Count of the merged = %d, %v, want %d", sizes, got, err, want)
		}
		if wasDense := a[encodingAt] == dense || b[encodingAt] == dense; wasDense && merged[encodingAt] != dense {
			t.Errorf("%v: merged is sparse although a source is dense", sizes)
		}
	}
}

// PFMERGE of keys with the elements 1 to 400 and 200 to 600 into a new key.
func TestMergeIsRedisToTheByte(t *testing.T) {
	s := merge(t, New(), add(t, New(), elements(1, 400)), add(t, New(), elements(200, 600)))
	const want = "31bfa5ef130a1c351c3c9ac2e769b8fc5165c18cea544b3650faf9ba95d79d0c"
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(s))); sum != want {
		t.Errorf("%d bytes with sum %s, want %s", len(s), sum, want)
	}
}

// A register above 32 does not fit a sparse run. No short element is known to give one.
func TestHighRankMakesDense(t *testing.T) {
	sk := sketch(add(t, New(), []string{"a"}))
	changed, err := sk.raise(5, maxRunRank+1, &cursor{})
	if err != nil || !changed || sk[encodingAt] != dense || len(sk) != denseLen {
		t.Fatalf("raise = %v, %v with %d bytes, want a dense sketch", changed, err, len(sk))
	}
	if n, err := Count(string(sk)); err != nil || n != 2 {
		t.Errorf("Count = %d, %v, want 2", n, err)
	}
}

func TestDenseRegistersAreIndependent(t *testing.T) {
	sk := sketch(New())
	if err := sk.toDense(); err != nil {
		t.Fatal(err)
	}
	for i := range registers {
		if !sk.raiseDense(i, uint8(i%63)+1) {
			t.Fatalf("register %d did not rise", i)
		}
	}
	var got [registers]uint8
	if err := mergeInto(&got, string(sk)); err != nil {
		t.Fatal(err)
	}
	for i, rank := range got {
		if rank != uint8(i%63)+1 {
			t.Fatalf("register %d is %d, want %d", i, rank, i%63+1)
		}
		if sk.raiseDense(i, rank) {
			t.Fatalf("register %d rose to what it was", i)
		}
	}
}

func TestInvalid(t *testing.T) {
	sparseHeader := New()[:headerLen]
	tests := []struct {
		name string
		s    string
		want error
	}{
		{"empty string", "", ErrNotHLL},
		{"too short", "HYLL\x01", ErrNotHLL},
		{"other magic", "HYLX" + New()[4:], ErrNotHLL},
		{"unknown encoding", "HYLL\x02" + New()[5:], ErrNotHLL},
		{"dense of a wrong length", "HYLL\x00" + New()[5:], ErrNotHLL},
		{"no registers", sparseHeader, ErrCorrupt},
		{"too few registers", sparseHeader + "\x7f\xfe", ErrCorrupt},
		{"too many registers", sparseHeader + "\x7f\xff\x00", ErrCorrupt},
		{"run cut short", sparseHeader + "\x7f", ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Count(tt.s); !errors.Is(err, tt.want) {
				t.Errorf("Count: %v, want %v", err, tt.want)
			}
			if _, err := Merge(New(), []string{tt.s}); !errors.Is(err, tt.want) {
				t.Errorf("Merge: %v, want %v", err, tt.want)
			}
			if _, err := Merge(tt.s, nil); !errors.Is(err, tt.want) {
				t.Errorf("Merge into it: %v, want %v", err, tt.want)
			}
			if err := Validate(tt.s); tt.want == ErrNotHLL && !errors.Is(err, tt.want) {
				t.Errorf("Validate: %v, want %v", err, tt.want)
			}
		})
	}
	if _, _, err := Add("x", nil); !errors.Is(err, ErrNotHLL) {
		t.Errorf("Add to a string: %v", err)
	}
	if _, _, err := Add(sparseHeader, []string{"a"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Add to one without registers: %v", err)
	}
	if _, err := WithCount("x", 1); !errors.Is(err, ErrNotHLL) {
		t.Errorf("WithCount of a string: %v", err)
	}
	if _, ok := Cached("x"); ok {
		t.Error("a string has a cached count")
	}
}

// FuzzCorrupt feeds any runs; whatever is accepted must stay sound.
func FuzzCorrupt(f *testing.F) {
	f.Add(New()[headerLen:], "a")
	f.Add(add(f, New(), elements(1, 30))[headerLen:], "b")
	f.Add("\x7f", "c")
	f.Add(strings.Repeat("\xff", 4096), "d")
	f.Fuzz(func(t *testing.T, runs, element string) {
		s := New()[:headerLen] + runs
		_, countErr := Count(s)
		added, changed, err := Add(s, []string{element})
		if countErr != nil || err != nil {
			return
		}
		if _, err := Count(added); err != nil {
			t.Fatalf("sound before Add of %q, then: %v", element, err)
		}
		if _, again, err := Add(added, []string{element}); changed && (again || err != nil) {
			t.Fatalf("second Add of %q: %v, %v", element, again, err)
		}
		if _, err := Merge(s, []string{added}); err != nil {
			t.Fatalf("Merge: %v", err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		s := add(b, New(), elements(1, n))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			i := n
			for b.Loop() {
				i++
				_, _, _ = Add(s, []string{strconv.Itoa(i)})
			}
		})
	}
}

func BenchmarkCount(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		s := add(b, New(), elements(1, n))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Count(s)
			}
		})
	}
}

func BenchmarkMerge(b *testing.B) {
	s := add(b, New(), elements(1, 1000))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Merge(New(), []string{s})
	}
}
