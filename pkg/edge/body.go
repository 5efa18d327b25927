package edge

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// Body is the body of a request, as the server has it. It can be used again, for one request at a time.
type Body struct {
	Reader   io.Reader // nil: there is none
	Length   int64     // as announced; negative: not known
	Encoding string    // Content-Encoding; "": none

	// Inflating, if not nil, is called before each step of inflating. The step makes at most so many bytes, and the
	// buffer grows by so many for it. If it fails, so does ReadTo, with the same error: a few bytes that were sent
	// may stand for very many.
	Inflating func(bytes, memory int64) error

	limited io.LimitedReader // here, so that reading makes no garbage
}

// BodyOf is the body of a request of net/http.
func BodyOf(r *http.Request) Body {
	b := Body{Length: r.ContentLength, Encoding: r.Header.Get("Content-Encoding")}
	if r.Body != nil && r.Body != http.NoBody {
		b.Reader = r.Body
	}
	return b
}

// TooLargeError says that a body is over its limit.
type TooLargeError struct {
	Limit  int64
	Actual int64 // bytes, as announced, or as many as were read
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the request body of %d bytes is over the limit of %d", e.Actual, e.Limit)
}

// Refusals of bodies.
var (
	ErrUnreadable = Refuse(http.StatusBadRequest, "the request body could not be read")
	ErrBadGzip    = Refuse(http.StatusBadRequest, "the request body is not what its Content-Encoding says: it is no valid gzip")
	ErrEncoding   = &Error{
		Status: http.StatusUnsupportedMediaType, Text: "unsupported Content-Encoding: use gzip or none",
		Header: map[string]string{"Accept-Encoding": "gzip"}, // RFC 7694
	}
)

// maxAnnounced is how much memory a body gets for its announced length alone. What a client only
// announces must not take memory without end.
const maxAnnounced = 1 << 20

// DrainOf is how much of a body a handler should read that takes up to limit bytes: beyond the limit,
// it only throws away. A client that is still sending would not see the refusal otherwise, but a
// connection that was reset.
func DrainOf(limit int64) int64 { return max(4*limit, 1<<20) }

// ReadTo appends the body to a buffer, inflated. A body of more than limit bytes is a
// *TooLargeError. Of a body that is refused, up to drain bytes are read as they come from the client.
// The other errors are ErrUnreadable, ErrBadGzip, ErrEncoding and those of Inflating.
func (b *Body) ReadTo(to *bytes.Buffer, limit, drain int64) error {
	if b.Reader == nil {
		return nil
	}
	switch {
	case b.Encoding == "" || strings.EqualFold(b.Encoding, "identity"):
		return b.readPlain(to, limit, drain)
	case strings.EqualFold(b.Encoding, "gzip"), strings.EqualFold(b.Encoding, "x-gzip"):
		return b.readGzip(to, limit, drain)
	}
	_, _ = b.discard(drain)
	return ErrEncoding
}

func (b *Body) readPlain(to *bytes.Buffer, limit, drain int64) error {
	if b.Length > limit {
		if b.Length <= drain {
			if _, err := b.discard(b.Length); err != nil {
				return ErrUnreadable
			}
		}
		return &TooLargeError{limit, b.Length}
	}
	if b.Length > 0 {
		// ReadFrom wants room for MinRead more to see the end.
		to.Grow(int(min(b.Length, maxAnnounced-bytes.MinRead)) + bytes.MinRead)
	}
	b.limited = io.LimitedReader{R: b.Reader, N: limit + 1}
	n, err := to.ReadFrom(&b.limited)
	b.limited.R = nil
	if err != nil {
		return ErrUnreadable
	}
	if n > limit {
		more, err := b.discard(drain - limit)
		if err != nil {
			return ErrUnreadable
		}
		return &TooLargeError{limit, n + more}
	}
	return nil
}

func (b *Body) readGzip(to *bytes.Buffer, limit, drain int64) error {
	if b.Length > drain {
		return &TooLargeError{limit, b.Length}
	}
	z := inflaters.Get().(*inflater)
	defer func() {
		z.source.Reader = nil
		inflaters.Put(z)
	}()
	z.source = source{Reader: b.Reader}
	z.buffer.Reset(&z.source)
	n, err := int64(0), z.gzip.Reset(&z.buffer)
	if err == nil {
		var refused error
		if n, refused, err = b.inflate(to, &z.gzip, limit); refused != nil {
			_, _ = b.discard(drain - z.source.n)
			return refused
		}
		if err == io.EOF {
			err = nil
		}
	} else if errors.Is(err, io.EOF) && z.source.n == 0 {
		err = nil // nothing was sent, so nothing was compressed either
	}
	switch {
	case z.source.err != nil:
		return ErrUnreadable
	case err == nil && n <= limit:
		return nil
	}
	// What is left is not inflated: a few bytes may stand for gigabytes.
	if _, failed := b.discard(drain - z.source.n); failed != nil {
		return ErrUnreadable
	}
	if err != nil {
		return ErrBadGzip
	}
	return &TooLargeError{limit, n}
}

// inflateStep is how much is inflated at a time.
const inflateStep = 64 << 10

// inflate appends what z has, up to limit bytes. If there is more, n is larger than limit. refused is the error of
// Inflating.
func (b *Body) inflate(to *bytes.Buffer, z io.Reader, limit int64) (n int64, refused, err error) {
	for n < limit {
		step := min(limit-n, inflateStep)
		size := int64(to.Cap())
		if int64(to.Available()) < step { // twice the buffer, but no more than is allowed
			size = int64(to.Len()) + min(max(int64(to.Len()), step), limit-n)
		}
		if b.Inflating != nil {
			if err := b.Inflating(step, size-int64(to.Cap())); err != nil {
				return n, err, nil
			}
		}
		if size > int64(to.Cap()) {
			*to = *bytes.NewBuffer(append(make([]byte, 0, size), to.Bytes()...))
		}
		m, err := fill(z, to.AvailableBuffer()[:step])
		to.Write(to.AvailableBuffer()[:m])
		if n += int64(m); err != nil {
			return n, nil, err
		}
	}
	var more [1]byte
	m, err := fill(z, more[:])
	return n + int64(m), nil, err
}

// fill reads until p is full. It fails with io.EOF only where z does.
func fill(z io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = z.Read(p[n:])
		n += m
	}
	return n, err
}

// discard reads up to n bytes for nothing.
func (b *Body) discard(n int64) (int64, error) {
	if n <= 0 {
		return 0, nil
	}
	return io.Copy(io.Discard, io.LimitReader(b.Reader, n))
}

// inflaters are kept, because each has a window of 32 KiB.
var inflaters = sync.Pool{New: func() any { return &inflater{buffer: *bufio.NewReader(nil)} }}

type inflater struct {
	gzip   gzip.Reader
	buffer bufio.Reader
	source source
}

// source notes how much was read of a body, and whether reading failed: gzip does not tell a
// body that ends too early from a connection that does.
type source struct {
	io.Reader
	n   int64
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
