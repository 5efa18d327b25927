package conns

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is a connection of Direct and its other end.
func pair(t *testing.T) (direct net.Conn, other *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	direct = Direct(server)
	t.Cleanup(func() { direct.Close(); client.Close() })
	return direct, client.(*net.TCPConn)
}

// More is written than the system takes at once, so that both directions have to wait.
func TestDirectWaits(t *testing.T) {
	c, other := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(other, other)
		echoed <- errors.Join(err, other.CloseWrite())
	}()
	written := make(chan error, 1)
	go func() {
		n, err := c.Write(sent)
		if n != len(sent) {
			err = errors.Join(err, io.ErrShortWrite)
		}
		written <- errors.Join(err, c.(interface{ CloseWrite() error }).CloseWrite())
	}()
	var got bytes.Buffer
	for p := make([]byte, 10_000); ; {
		n, err := c.Read(p)
		got.Write(p[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(<-written, <-echoed); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), sent) {
		t.Errorf("%d bytes came back of %d, or others", got.Len(), len(sent))
	}
}

// Errors are those of net.Conn: what serves connections looks at them.
func TestDirectFailsAsNetDoes(t *testing.T) {
	c, other := pair(t)
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	var failure net.Error
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &failure) || !failure.Timeout() {
		t.Errorf("read behind the deadline: %v", err)
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := other.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	other.Close() // resets the connection
	var op *net.OpError
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("read of a connection that was reset: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("write to a connection that was reset: %v", err)
	}
	c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read of a connection that was closed: %v", err)
	}
}
