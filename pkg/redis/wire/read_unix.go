//go:build unix

package wire

import (
	"io"
	"net"
	"syscall"
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
	tcp, ok := src.(*net.TCPConn)
	if !ok {
		return nil
	}
	conn, err := tcp.SyscallConn()
	if err != nil {
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
	return max(r.n, 0), r.err
}

// try reads, if something has arrived. It reports false if nothing has.
func (r *rawReader) try(fd uintptr) bool {
	for {
		r.n, r.err = syscall.Read(int(fd), r.buffer())
		switch r.err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			r.release()
			return false
		}
		return true
	}
}
