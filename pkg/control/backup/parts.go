package backup

import (
	"context"
	"fmt"
	"io"

	"github.com/skystash/skystash/pkg/kafka/objects"
)

// partSize is the size of all parts but the last. Two of them are what a backup takes of memory.
const partSize = 4 << 20

func partName(prefix string, no int64) string { return fmt.Sprintf("%s/part-%06d", prefix, no) }

// partWriter writes a file as objects.
type partWriter struct {
	ctx     context.Context
	objects objects.Store
	prefix  string
	buf     []byte
	size    int64
	no      int64
}

// Write implements io.Writer.
func (w *partWriter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		some := min(len(b), partSize-len(w.buf))
		w.buf = append(w.buf, b[:some]...)
		b = b[some:]
		if len(w.buf) == partSize {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// flush writes what is there as a part. It is to be called at the end.
func (w *partWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	if err := w.objects.Put(w.ctx, partName(w.prefix, w.no), w.buf); err != nil {
		return err
	}
	w.size += int64(len(w.buf))
	w.no++
	w.buf = w.buf[:0]
	return nil
}

// partReader reads what a partWriter has written.
type partReader struct {
	ctx     context.Context
	objects objects.Store
	prefix  string
	left    int64 // bytes that were not read from objects
	part    []byte
	no      int64
}

// Read implements io.Reader.
func (r *partReader) Read(b []byte) (int, error) {
	if len(r.part) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		part, err := r.objects.Get(r.ctx, partName(r.prefix, r.no), 0, min(r.left, partSize))
		if err != nil {
			return 0, err
		}
		r.part = part
		r.left -= int64(len(part))
		r.no++
	}
	n := copy(b, r.part)
	r.part = r.part[n:]
	return n, nil
}
