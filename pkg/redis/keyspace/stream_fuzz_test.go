package keyspace

import (
	"slices"
	"testing"
)

// An id that is read and written is the same, and so are its neighbours' neighbours.
func FuzzStreamID(f *testing.F) {
	for _, s := range []string{"0-0", "1", "1-2", "18446744073709551615-18446744073709551615", "18446744073709551616", "-", "+", "(1-1", "(0-0", " 1-+1", "1-1-1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, end := range []bool{false, true} {
			if id, err := ParseStreamBound(s, end); err == nil && streamIDOfSort(id.sort()) != id {
				t.Errorf("%q: %v is not the same as a sort key", s, id)
			}
		}
		id, err := ParseStreamID(s, 0)
		if err != nil {
			return
		}
		if again, err := ParseStreamID(id.String(), 7); err != nil || again != id {
			t.Errorf("%q: %v is read as %v, %v", s, id, again, err)
		}
		if next, ok := id.Next(); ok {
			if back, ok := next.Prev(); !ok || back != id || !id.Less(next) || id.sort() >= next.sort() {
				t.Errorf("%q: after %v comes %v, before it %v", s, id, next, back)
			}
		}
	})
}

// What is unpacked and packed again unpacks to the same; what is malformed is refused.
func FuzzUnpackRecords(f *testing.F) {
	f.Add(packRecords([]streamRecord{{StreamID{1, 2}, "same"}, {StreamID{1, 3}, "same and more"}, {StreamID{5, 0}, ""}}))
	f.Add("\x01\x00\x05\x00")
	f.Add("\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, s string) {
		recs, err := unpackRecords(s)
		if err != nil {
			return
		}
		again, err := unpackRecords(packRecords(recs))
		if err != nil || !slices.Equal(again, recs) {
			t.Errorf("%q: %v becomes %v, %v", s, recs, again, err)
		}
	})
}
