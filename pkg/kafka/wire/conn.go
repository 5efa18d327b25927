package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/skystash/skystash/pkg/conns"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/token"
)

// login finds out what a credential opens.
type login func(context.Context) (access.Grant, error)

// readBuffer is the size of what is read at once, in bytes: most requests are smaller, and the bodies of large ones do
// not go through the buffer. Each connection has one, also while it is idle.
const readBuffer = 1 << 10

// conn is a connection.
type conn struct {
	*conns.Conn
	s          *Server
	r          *bufio.Reader
	log        *slog.Logger
	advertised Address

	sasl     sasl
	grant    atomic.Pointer[access.Grant] // as it was checked last; nil: not authenticated
	checked  atomic.Int64                 // when that was, Unix ms
	rotation int                          // of the partitions of the next Fetch
	names    map[[16]byte]string          // of topics by their ids, as they were looked up last
	out      []byte                       // room for answers

	readUntil, writeUntil time.Time // the deadlines that were set last

	bounded      context.Context // of the last requests
	boundedUntil time.Time
	unbind       context.CancelFunc
}

func newConn(s *Server, nc net.Conn, advertised Address) *conn {
	nc = conns.Direct(nc)
	return &conn{Conn: conns.NewConn(nc), s: s, r: bufio.NewReaderSize(nc, readBuffer), advertised: advertised, log: s.log.With("peer", nc.RemoteAddr().String())}
}

// IsRevoked reports whether the client's credential is not good any more. A request may have checked it a moment ago:
// then the next look does.
func (c *conn) IsRevoked(ctx context.Context) bool {
	if c.grant.Load() == nil || c.grantWithin(checkEvery) != nil {
		return false
	}
	_, err := c.authorize(ctx)
	return errors.Is(err, access.ErrRefused)
}

// Serve serves the connection until it ends.
func (c *conn) Serve() {
	defer c.Close()
	err := c.meet()
	if err == nil {
		err = c.serveRequests()
	}
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
	case errors.Is(err, errFrame), errors.Is(err, errTooMany), errors.Is(err, errPanic):
		c.log.Warn("a connection of Kafka's protocol is closed", "error", err)
	default:
		c.log.Debug("a connection of Kafka's protocol has ended", "error", err)
	}
}

// meet serves a connection until it has authenticated.
func (c *conn) meet() error {
	if err := c.ReadUntil(time.Now().Add(strangerTime)); err != nil {
		return err
	}
	if err := c.Net.SetWriteDeadline(time.Now().Add(strangerTime)); err != nil { // of a TLS handshake
		return err
	}
	for c.grant.Load() == nil {
		if c.sasl.bare {
			if err := c.bareToken(); err != nil {
				return err
			}
			continue
		}
		f, err := c.s.readFrame(c.Life, source{r: c.r, bound: unknownFrame, own: c.s.strangers, begun: func(int) error { return nil }})
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
	return nil
}

// enter counts the connection for who has logged in. The error says that there are too many.
func (c *conn) enter(claims token.Claims) error {
	cluster := conns.Quota{Name: claims.Resource, Limit: maxPerCluster}
	credential := conns.Quota{Name: claims.Resource + "/" + claims.CredentialID, Limit: c.s.perCredential}
	if !c.s.conns.Enter(c, cluster, credential) {
		return fmt.Errorf("%w: %d of the cluster, at most %d, and %d of the credential, at most %d", errTooMany,
			c.s.conns.Count(cluster.Name), cluster.Limit, c.s.conns.Count(credential.Name), credential.Limit)
	}
	return nil
}

// errTooMany closes a connection without an answer, as a broker does: clients then try again later.
var errTooMany = errors.New("too many connections")

// serveRequests serves the requests of a connection that has authenticated, in order. Most are served by the goroutine that has read
// them, which spares the way to another one; while one of the others is served, the next are read.
func (c *conn) serveRequests() error {
	cluster := c.grant.Load().Cluster
	from := source{
		r: c.r, bound: largeFrame + headerSize, own: c.s.shareOf(cluster.Account, cluster.ID), conn: semaphore.NewWeighted(connRequest),
		begun: func(size int) error {
			if c.r.Buffered() >= size {
				return nil
			}
			return c.readBy(bodyTime)
		},
	}
	others := newQueue(c)
	err := c.read(from, others)
	return cmp.Or(others.end(), err)
}

// read reads requests until there are no more of them. When the client has gone, what is under way for it ends.
func (c *conn) read(from source, others *queue) error {
	for {
		if err := c.readBy(idleTime); err != nil {
			return err
		}
		f, err := c.s.readFrame(c.Life, from)
		if err != nil {
			if !c.Draining() {
				c.Abandon()
			}
			return err
		}
		if f.api.queued || !others.isIdle() {
			err = others.put(f)
		} else {
			err = c.serveOne(f)
			c.s.release(f)
		}
		if err != nil {
			return err
		}
	}
}

// later is when something ends that may take so long: deadlines are set a quarter later than they have to be, and again when less than the whole is left: not for each
// request.
func later(now time.Time, d time.Duration) time.Time { return now.Add(d + d/4) }

// readBy bounds the time that reading takes.
func (c *conn) readBy(d time.Duration) error {
	now := time.Now()
	if left := c.readUntil.Sub(now); left >= d && left <= d+d/4 {
		return nil
	}
	c.readUntil = later(now, d)
	return c.ReadUntil(c.readUntil)
}

// writeBy bounds the time that writing takes.
func (c *conn) writeBy(d time.Duration) error {
	now := time.Now()
	if c.writeUntil.Sub(now) >= d {
		return nil
	}
	c.writeUntil = later(now, d)
	return c.Net.SetWriteDeadline(c.writeUntil)
}

// within is the context of a request that may take so long, which may be that of earlier ones.
func (c *conn) within(d time.Duration) context.Context {
	if now := time.Now(); c.boundedUntil.Sub(now) < d {
		if c.unbind != nil {
			c.unbind()
		}
		c.boundedUntil = later(now, d)
		c.bounded, c.unbind = context.WithDeadline(c.Life, c.boundedUntil) // #nosec G118 -- Life ends it at the latest
	}
	return c.bounded
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
	req, err := c.s.decode(c.Life, f)
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
	if err := c.writeBy(writeTime); err != nil {
		return err
	}
	_, err := c.Net.Write(b)
	if c.out = b[:0]; cap(b) > maxKept {
		c.out = nil
	}
	return err
}

// grantWithin is what the credential opened when it was checked last; nil: that is longer ago, or it has expired since.
func (c *conn) grantWithin(age time.Duration) *access.Grant {
	g := c.grant.Load()
	if g == nil {
		return nil
	}
	now, expires := c.s.now(), g.Claims.Expires
	if since := now.UnixMilli() - c.checked.Load(); since < 0 || since >= age.Milliseconds() || !expires.IsZero() && !now.Before(expires) {
		return nil
	}
	return g
}

// authorize checks the connection's credential again. That the client knows its secret need not be proved any more.
func (c *conn) authorize(ctx context.Context) (access.Grant, error) {
	now := c.s.now().UnixMilli()
	g, err := c.s.gate.Return(ctx, c.grant.Load().Claims)
	if err == nil {
		c.checked.Store(now)
		c.grant.Store(&g)
	}
	return g, err
}
