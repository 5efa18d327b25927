//go:build unix

package conns

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// direct is a TCP connection that is read and written by TryRead and TryWrite.
type direct struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out attempt
}

// attempt is one direction of a connection.
type attempt struct {
	run  func(fd uintptr) (done bool) // made once: a closure for each call would be an allocation for each
	rest []byte
	n    int
	err  error
}

// RawTCP is the socket of a TCP connection, for TryRead and TryWrite; nil: c is none, such as one of TLS.
func RawTCP(c any) syscall.RawConn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// Direct returns a connection that does the same with less work, if it is one of TCP, and otherwise the connection itself. One goroutine
// at a time may read from it, and one write to it.
func Direct(nc net.Conn) net.Conn {
	raw := RawTCP(nc)
	if raw == nil {
		return nc
	}
	c := &direct{TCPConn: nc.(*net.TCPConn), raw: raw}
	c.in.run, c.out.run = c.tryRead, c.tryWrite
	return c
}

// Read implements net.Conn.
func (c *direct) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.in.rest = p
	err := c.raw.Read(c.in.run)
	c.in.rest = nil
	switch {
	case err != nil: // as of net.Conn: the deadline, or the end of the connection
		return 0, err
	case c.in.err != nil:
		return 0, c.failed("read", c.in.err)
	case c.in.n == 0:
		return 0, io.EOF
	}
	return c.in.n, nil
}

func (c *direct) tryRead(fd uintptr) bool {
	c.in.n, c.in.err = TryRead(fd, c.in.rest)
	return !errors.Is(c.in.err, syscall.EAGAIN)
}

// Write implements net.Conn.
func (c *direct) Write(p []byte) (int, error) {
	c.out.rest, c.out.n = p, 0
	err := c.raw.Write(c.out.run)
	c.out.rest = nil
	if err == nil && c.out.err != nil {
		err = c.failed("write", c.out.err)
	}
	return c.out.n, err
}

func (c *direct) tryWrite(fd uintptr) bool {
	for len(c.out.rest) > 0 {
		var n int
		if n, c.out.err = TryWrite(fd, c.out.rest[:min(len(c.out.rest), maxWrite)]); c.out.err != nil {
			return !errors.Is(c.out.err, syscall.EAGAIN)
		}
		c.out.rest, c.out.n = c.out.rest[n:], c.out.n+n
	}
	return true
}

// maxWrite bounds the bytes of one system call, which holds up other goroutines for as long as it copies.
const maxWrite = 256 << 10

func (c *direct) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}
