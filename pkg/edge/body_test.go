package edge_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/edge"
)

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestBody(t *testing.T) {
	const limit, drain = 100, 1000
	x := func(n int) string { return strings.Repeat("x", n) }
	bomb := zip(x(1 << 19))
	for _, tt := range []struct {
		name     string
		encoding string
		body     string
		want     string
		err      error // a TooLargeError is compared as it is
	}{
		{"at the limit", "", x(100), x(100), nil},
		{"over it", "", x(101), "", &edge.TooLargeError{Limit: 100, Actual: 101}},
		{"over it by far is drained", "", x(1000), "", &edge.TooLargeError{Limit: 100, Actual: 1000}},
		{"identity is none", "Identity", x(5), x(5), nil},
		{"gzip", "gzip", zip("hello"), "hello", nil},
		{"gzip by its other names", "X-GZIP", zip("hello"), "hello", nil},
		{"gzip of several members", "gzip", zip("hel") + zip("lo"), "hello", nil},
		{"gzip of nothing", "gzip", zip(""), "", nil},
		{"nothing is no gzip, and no mistake", "gzip", "", "", nil},
		{"gzip at the limit", "gzip", zip(x(100)), x(100), nil},
		{"gzip over it", "gzip", zip(x(101)), "", &edge.TooLargeError{Limit: 100, Actual: 101}},
		{"a bomb is not inflated beyond it", "gzip", bomb, "", &edge.TooLargeError{Limit: 100, Actual: 101}},
		{"not gzip at all", "gzip", x(50), "", edge.ErrBadGzip},
		{"gzip that ends too early", "gzip", zip(x(90))[:15], "", edge.ErrBadGzip},
		{"gzip with a wrong checksum", "gzip", strings.Replace(zip("hello"), zip("hello")[len(zip("hello"))-8:], "12345678", 1), "", edge.ErrBadGzip},
		{"gzip with something behind it", "gzip", zip("hello") + "behind", "", edge.ErrBadGzip},
		{"another coding", "br", x(50), "", edge.ErrEncoding},
		{"two codings", "gzip, gzip", x(50), "", edge.ErrEncoding},
	} {
		for _, length := range []int64{int64(len(tt.body)), -1} {
			source := strings.NewReader(tt.body)
			var got bytes.Buffer
			b := edge.Body{Reader: source, Length: length, Encoding: tt.encoding}
			err := b.ReadTo(&got, limit, drain)
			var large *edge.TooLargeError
			switch {
			case errors.As(tt.err, &large):
				if have := (*edge.TooLargeError)(nil); !errors.As(err, &have) || *have != *large {
					t.Errorf("%s (%d): %v, want %v", tt.name, length, err, tt.err)
				}
			case !errors.Is(err, tt.err):
				t.Errorf("%s (%d): %v, want %v", tt.name, length, err, tt.err)
			case err == nil && got.String() != tt.want:
				t.Errorf("%s (%d): %q", tt.name, length, got.String())
			}
			if source.Len() > 0 {
				t.Errorf("%s (%d): %d bytes are not read", tt.name, length, source.Len())
			}
		}
	}
}

func TestBodyThatIsTooLargeToBeDrained(t *testing.T) {
	for _, tt := range []struct {
		length       int64
		actual, read int
	}{
		{5000, 5000, 0},  // announced: it is refused at once
		{-1, 1001, 1001}, // not announced: nobody reads on for ever
	} {
		source := strings.NewReader(strings.Repeat("x", 5000))
		b := edge.Body{Reader: source, Length: tt.length}
		var large *edge.TooLargeError
		if err := b.ReadTo(new(bytes.Buffer), 100, 1000); !errors.As(err, &large) || large.Actual != int64(tt.actual) {
			t.Errorf("%v", err)
		}
		if read := 5000 - source.Len(); read != tt.read {
			t.Errorf("%d bytes were read, want %d", read, tt.read)
		}
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	zipped := zip(strings.Repeat("x", 90))
	for _, b := range []edge.Body{
		{Reader: io.MultiReader(strings.NewReader("he"), fail{}), Length: 5},
		{Reader: io.MultiReader(strings.NewReader("he"), fail{}), Length: -1},
		{Reader: io.MultiReader(strings.NewReader(zipped[:15]), fail{}), Length: -1, Encoding: "gzip"},
		{Reader: fail{}, Length: -1, Encoding: "gzip"},
		{Reader: io.MultiReader(strings.NewReader("he"), fail{}), Length: 500},
	} {
		if err := b.ReadTo(new(bytes.Buffer), 100, 1000); !errors.Is(err, edge.ErrUnreadable) {
			t.Errorf("%v", err)
		}
	}
	if err := (&edge.Body{}).ReadTo(nil, 100, 1000); err != nil {
		t.Errorf("no body: %v", err)
	}
}

func FuzzBody(f *testing.F) {
	f.Add(zip("hello"), "gzip")
	f.Add("hello", "")
	f.Add(zip(strings.Repeat("x", 1<<20)), "gzip")
	f.Fuzz(func(t *testing.T, sent, encoding string) {
		const limit = 1000
		var got bytes.Buffer
		b := edge.Body{Reader: strings.NewReader(sent), Length: int64(len(sent)), Encoding: encoding}
		err := b.ReadTo(&got, limit, edge.DrainOf(limit))
		if err == nil && got.Len() > limit {
			t.Errorf("%d bytes came through", got.Len())
		}
		if e := edge.Of(err); err != nil && (e.Status < 400 || e.Status >= 500) {
			t.Errorf("the client's fault is %d: %v", e.Status, err)
		}
	})
}

// Who reads a compressed body hears of each step before it is inflated, and may end it. The buffer takes no more than
// the limit allows, and twice what there is.
func TestInflatingIsAnnounced(t *testing.T) {
	stop := errors.New("enough")
	for _, tt := range []struct {
		name        string
		size, limit int
		most        int64 // bytes after which it is ended; 0: never
		memory      int64
	}{
		{"a small body", 10, 1 << 20, 0, 64 << 10},
		{"a body of some steps", 300 << 10, 1 << 20, 0, 512 << 10},
		{"a body near the limit", 1000 << 10, 1 << 20, 0, 1 << 20},
		{"a body at the limit", 1 << 20, 1 << 20, 0, 1 << 20},
		{"a body beyond it", 1 << 24, 1 << 20, 0, 1 << 20},
		{"a body that is too much", 1 << 24, 1 << 20, 200 << 10, 256 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got bytes.Buffer
			var inflated, memory int64
			b := edge.Body{Reader: strings.NewReader(zip(strings.Repeat("x", tt.size))), Length: -1, Encoding: "gzip", Inflating: func(n, m int64) error {
				if inflated, memory = inflated+n, memory+m; tt.most > 0 && inflated > tt.most {
					return stop
				}
				return nil
			}}
			err := b.ReadTo(&got, int64(tt.limit), int64(tt.limit))
			switch {
			case tt.most > 0:
				if !errors.Is(err, stop) || int64(got.Len()) > tt.most {
					t.Errorf("%d bytes, %v", got.Len(), err)
				}
			case tt.size > tt.limit:
				if !errors.As(err, new(*edge.TooLargeError)) {
					t.Error(err)
				}
			case err != nil || got.Len() != tt.size || inflated < int64(tt.size):
				t.Errorf("%d of %d bytes, %d of them announced, %v", got.Len(), tt.size, inflated, err)
			}
			if memory > tt.memory || int64(got.Cap()) > memory {
				t.Errorf("%d bytes of memory were announced, the buffer has %d, want at most %d", memory, got.Cap(), tt.memory)
			}
		})
	}
}
