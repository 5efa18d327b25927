//go:build unix

package wire

import (
	"errors"
	"io"
	"syscall"

	"github.com/skystash/skystash/pkg/conns"
)

// rawReader reads from a TCP connection. It takes memory only when something has arrived.
type rawReader struct {
	conn    syscall.RawConn
	attempt func(fd uintptr) bool // made once: a closure for each read would be an allocation for each
	buffer  func() []byte         // is where the next bytes shall go
	release func()                // takes the buffer back, into which nothing was read
	n       int
	err     error
}

// newRawReader makes a rawReader; nil: the connection is not of TCP.
func newRawReader(src io.Reader, buffer func() []byte, release func()) *rawReader {
	conn := conns.RawTCP(src)
	if conn == nil {
		return nil
	}
	r := &rawReader{conn: conn, buffer: buffer, release: release}
	r.attempt = r.try
	return r
}

// read waits until something has arrived, and reads it.
func (r *rawReader) read() (int, error) {
	r.n, r.err = 0, nil
	if err := r.conn.Read(r.attempt); err != nil {
		return 0, err // as of net.Conn: the deadline, or the end of the connection
	}
	if r.n == 0 && r.err == nil {
		return 0, io.EOF
	}
	return r.n, r.err
}

// try reads, if something has arrived. It reports false if nothing has.
func (r *rawReader) try(fd uintptr) bool {
	r.n, r.err = conns.TryRead(fd, r.buffer())
	if errors.Is(r.err, syscall.EAGAIN) {
		r.release()
		return false
	}
	return true
}

// rawWriter writes to a TCP connection what it takes at once: nothing has to be waited for, so there need be no deadline.
type rawWriter struct {
	conn    syscall.RawConn
	attempt func(fd uintptr) bool // made once, as that of a rawReader
	bytes   []byte
	n       int
}

// newRawWriter makes a rawWriter; nil: the connection is not of TCP.
func newRawWriter(to io.Writer) *rawWriter {
	conn := conns.RawTCP(to)
	if conn == nil {
		return nil
	}
	w := &rawWriter{conn: conn}
	w.attempt = w.try
	return w
}

// write returns how many of the bytes the connection has taken. If it has failed, the next attempt to write finds out why.
func (w *rawWriter) write(p []byte) int {
	if w == nil || len(p) == 0 {
		return 0
	}
	w.bytes, w.n = p, 0
	_ = w.conn.Write(w.attempt)
	w.bytes = nil
	return w.n
}

func (w *rawWriter) try(fd uintptr) bool {
	w.n, _ = conns.TryWrite(fd, w.bytes)
	return true // also if nothing was taken
}
