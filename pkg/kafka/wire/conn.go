package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/kafka/access"
)

// login checks a credential, and finds out what it opens now.
type login func(context.Context) (access.Grant, error)

// readAhead is how many requests of a connection are read before they are served.
const readAhead = 5

// conn is a connection.
type conn struct {
	s          *Server
	nc         net.Conn
	r          *bufio.Reader
	log        *slog.Logger
	advertised Address

	life    context.Context // done when the connection is closed
	stop    context.CancelFunc
	closing sync.Once

	sasl     sasl
	login    atomic.Pointer[login]
	grant    atomic.Pointer[access.Grant] // as it was checked last; nil: not authenticated
	rotation int                          // of the partitions of the next Fetch
	out      []byte                       // room for answers
}

func newConn(s *Server, nc net.Conn, advertised Address) *conn {
	c := &conn{s: s, nc: nc, r: bufio.NewReaderSize(nc, 4<<10), advertised: advertised, log: s.log.With("peer", nc.RemoteAddr().String())}
	c.life, c.stop = context.WithCancel(context.Background())
	return c
}

// Close closes the connection.
func (c *conn) Close() {
	c.closing.Do(func() {
		c.stop()
		c.nc.Close()
	})
}

// drain makes the connection end once it has nothing to do.
func (c *conn) drain() {
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // reading fails at once; answers are still written
}

// serve serves the connection until it ends.
func (c *conn) serve() {
	defer c.Close()
	known := false
	leave := func() {
		if !known {
			known = true
			c.s.strangers.Add(-1)
		}
	}
	defer leave()
	err := c.meet()
	if err == nil {
		leave()
		err = c.serveRequests()
	}
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
	case errors.Is(err, errFrame), errors.Is(err, errPanic):
		c.log.Warn("a connection of Kafka's protocol is closed", "error", err)
	default:
		c.log.Debug("a connection of Kafka's protocol has ended", "error", err)
	}
}

// meet serves a connection until it has authenticated.
func (c *conn) meet() error {
	if err := c.nc.SetDeadline(time.Now().Add(strangerTime)); err != nil {
		return err
	}
	for c.grant.Load() == nil {
		if c.sasl.bare {
			if err := c.bareToken(); err != nil {
				return err
			}
			continue
		}
		f, err := c.s.readFrame(c.life, source{r: c.r, bound: unknownFrame, begun: func() error { return nil }})
		if err != nil {
			return err
		}
		if f.api.who != anybody {
			err = fmt.Errorf("%w: request %d before authentication", errFrame, f.key)
		}
		if err == nil {
			err = c.serveOne(f)
		}
		c.s.release(f)
		if err != nil {
			return err
		}
	}
	if n := c.s.countCluster(c.grant.Load().Claims.Resource); n > maxPerCluster {
		return fmt.Errorf("%w: the cluster has %d connections already", errFrame, n-1)
	}
	return c.nc.SetDeadline(time.Time{})
}

// serveRequests serves the requests of a connection that has authenticated, in order.
func (c *conn) serveRequests() error {
	from := source{r: c.r, bound: largeFrame + headerSize, own: c.s.memoryOf(c.grant.Load().Claims.Resource), begun: func() error { return c.readBy(bodyTime) }}
	frames := make(chan *frame, readAhead)
	var failed error
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(frames)
		failed = c.read(from, frames)
	})
	defer func() {
		c.Close()
		for f := range frames {
			c.s.release(f)
		}
		reader.Wait()
	}()
	for f := range frames {
		err := c.serveOne(f)
		c.s.release(f)
		if err != nil {
			return err
		}
	}
	return failed // the channel was closed after it
}

// read reads requests ahead. When the client has gone, what is under way for it ends.
func (c *conn) read(from source, frames chan<- *frame) error {
	for {
		if err := c.readBy(idleTime); err != nil {
			return err
		}
		f, err := c.s.readFrame(c.life, from)
		if err != nil {
			if c.s.life.Err() == nil {
				c.stop()
			}
			return err
		}
		select {
		case frames <- f:
		case <-c.life.Done():
			c.s.release(f)
			return c.life.Err()
		}
	}
}

// readBy bounds the time that reading takes, unless the server is closed, and nothing more is to be read.
func (c *conn) readBy(d time.Duration) error {
	if c.s.life.Err() != nil {
		return nil
	}
	return c.nc.SetReadDeadline(time.Now().Add(d))
}

// errPanic means that a request has met a fault of ours.
var errPanic = errors.New("internal error")

// serveOne serves a request and sends its answer. An error closes the connection.
func (c *conn) serveOne(f *frame) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("a request of Kafka's protocol has panicked", "key", f.key, "version", f.version, "panic", p, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	req, err := c.s.decode(c.life, f)
	if err != nil {
		return err
	}
	x := &exchange{conn: c, frame: f, req: req}
	return x.serve()
}

// maxKept bounds the memory for answers that a connection keeps for the next one.
const maxKept = 64 << 10

// send sends an answer.
func (c *conn) send(b []byte) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	if c.out = b[:0]; cap(b) > maxKept {
		c.out = nil
	}
	return err
}

// authorize checks the connection's credential again.
func (c *conn) authorize(ctx context.Context) (access.Grant, error) {
	g, err := (*c.login.Load())(ctx)
	if err == nil {
		c.grant.Store(&g)
	}
	return g, err
}
