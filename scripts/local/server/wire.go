package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/skystash/skystash/pkg/conns"
)

// notRESP is what a client of the Redis protocol is told. It does not repeat what the client sent,
// which is often a password.
const notRESP = "-ERR this port speaks HTTP, not the Redis protocol: use the address of REDIS_URL, or a client of the REST API, such as @upstash/redis\r\n"

// How long a client that was refused may take, and what it may still send.
const (
	refusalTime  = time.Second
	refusalDrain = 64 << 10
)

// httpOnly accepts connections, and answers those that speak the Redis protocol by an error of that protocol.
type httpOnly struct {
	net.Listener
	deadlines *deadlines   // of the connections
	closed    func() error // closes the listener, the first time
}

// Close implements net.Listener. It may be called again.
func (l httpOnly) Close() error { return l.closed() }

func (l httpOnly) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &firstByte{lateConn: l.deadlines.keep(conns.Direct(conn))}, nil
}

// firstByte looks at the first byte that a client sends: clients of the Redis protocol send arrays,
// which begin with '*'. No HTTP method does.
type firstByte struct {
	*lateConn
	seen bool

	// What the last request has said that the next one is likely to say again.
	authorization string
	host          string // that the gate lets in
}

// SyscallConn implements syscall.Conn, so that closedByPeer can look at the connection.
func (c *firstByte) SyscallConn() (syscall.RawConn, error) {
	conn, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("looking at a connection of type %T: %w", c.Conn, errors.ErrUnsupported)
	}
	return conn.SyscallConn()
}

// Read implements io.Reader.
func (c *firstByte) Read(p []byte) (int, error) {
	n, err := c.lateConn.Read(p)
	if c.seen || n == 0 {
		return n, err
	}
	c.seen = true
	if p[0] != '*' {
		return n, err
	}
	c.refuse()
	return 0, io.EOF
}

// refuse answers, and reads what is on its way: a connection that is closed before that is reset, and
// the client does not see the answer.
func (c *firstByte) refuse() {
	if c.SetDeadline(time.Now().Add(refusalTime)) != nil {
		return
	}
	if _, err := io.WriteString(c.Conn, notRESP); err != nil {
		return
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c.Conn, refusalDrain) // whatever it is, the connection is closed next
	}
}

// connectionLog is the log of the HTTP server. Errors about a request may quote it, with its tokens:
// it logs what kind of error it was.
type connectionLog struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (l connectionLog) Printf(format string, args ...any) {
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i] = kindOf(err)
		}
	}
	l.log.Warn(fmt.Sprintf(format, args...))
}

// kindOf says what an error of a connection was, in words that do not depend on what was sent.
func kindOf(err error) string {
	var netErr net.Error
	var op *net.OpError
	switch {
	case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
		return "the URL and headers of a request are too large"
	case errors.As(err, &netErr) && netErr.Timeout():
		return "a request took too long to arrive"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the client broke off within a request"
	case errors.As(err, &op):
		return op.Error()
	}
	return "a request was not well-formed HTTP"
}
