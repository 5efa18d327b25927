package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lookAtDeadlines is how often it is looked which deadlines have passed. They are kept that much late at most.
	lookAtDeadlines = time.Second
	// soon is how near a deadline is that the connection keeps itself, to the millisecond.
	soon = 5 * time.Second
)

// deadlines keeps the deadlines of all connections of the HTTP server, of which each request has three. Most are
// never reached. The runtime would move a timer for each of them; here it is a number that is stored, and the clock is
// read once for all of them.
type deadlines struct {
	clock atomic.Int64 // Unix nanoseconds, when it was looked last

	mu    sync.Mutex
	conns map[*lateConn]struct{}
}

func newDeadlines() *deadlines {
	d := &deadlines{conns: map[*lateConn]struct{}{}}
	d.clock.Store(time.Now().UnixNano())
	return d
}

// run looks at the deadlines until the context ends.
func (d *deadlines) run(ctx context.Context) {
	tick := time.NewTicker(lookAtDeadlines)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.look(time.Now())
		}
	}
}

// after is the time, by the clock, when so much will have passed.
func (d *deadlines) after(passed time.Duration) int64 { return d.clock.Load() + int64(passed) }

// look lets connections know of deadlines that have passed.
func (d *deadlines) look(now time.Time) {
	at := now.UnixNano()
	d.clock.Store(at)
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		c.read.look(at, c.Conn.SetReadDeadline)
		c.write.look(at, c.Conn.SetWriteDeadline)
	}
}

// keep returns a new connection, whose deadlines are kept here until it is closed.
func (d *deadlines) keep(conn net.Conn) *lateConn {
	c := &lateConn{Conn: conn, of: d}
	c.read.at.Store(d.after(readTimeout))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conns[c] = struct{}{}
	return c
}

// lateConn is a connection of HTTP. A request has to arrive within readTimeout of its first byte, or of the connection's
// begin. Each write has to be read within writeTimeout, and then the next request has to begin within idleTimeout. These
// deadlines are kept a bit late. Others that are set are, too, unless they are soon.
type lateConn struct {
	net.Conn
	of          *deadlines
	read, write lateDeadline
	idle        atomic.Bool // nothing of the next request has arrived
}

// Read implements net.Conn.
func (c *lateConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && c.idle.Load() {
		c.idle.Store(false)
		if late := c.read.keep(c.of.after(readTimeout), c.Conn.SetReadDeadline); err == nil {
			err = late
		}
	}
	return n, err
}

// Write implements net.Conn.
func (c *lateConn) Write(p []byte) (int, error) {
	free := !c.write.given.Load() && c.write.at.CompareAndSwap(0, c.of.after(writeTimeout)) // nobody has set another limit
	n, err := c.Conn.Write(p)
	if free {
		c.write.at.Store(0)
	}
	c.idle.Store(true)
	if late := c.read.keep(c.of.after(idleTimeout), c.Conn.SetReadDeadline); err == nil {
		err = late
	}
	return n, err
}

// Close implements net.Conn.
func (c *lateConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// SetReadDeadline implements net.Conn.
func (c *lateConn) SetReadDeadline(t time.Time) error {
	return c.read.set(t, c.of.clock.Load(), c.Conn.SetReadDeadline)
}

// SetWriteDeadline implements net.Conn.
func (c *lateConn) SetWriteDeadline(t time.Time) error {
	return c.write.set(t, c.of.clock.Load(), c.Conn.SetWriteDeadline)
}

// SetDeadline implements net.Conn.
func (c *lateConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// lateDeadline is a deadline for one direction.
type lateDeadline struct {
	at    atomic.Int64 // Unix nanoseconds; 0: there is none, or the connection has it
	given atomic.Bool  // the connection has one
	mu    sync.Mutex   // of giving it one
}

func (l *lateDeadline) set(t time.Time, clock int64, give func(time.Time) error) error {
	at := int64(0)
	if !t.IsZero() {
		if at = t.UnixNano(); at-clock < int64(soon) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.at.Store(0)
			l.given.Store(true)
			return give(t)
		}
	}
	return l.keep(at, give)
}

// keep sets a deadline that is not soon; 0: none.
func (l *lateDeadline) keep(at int64, give func(time.Time) error) error {
	l.at.Store(at) // before given is read: look does it the other way round
	if !l.given.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given.Store(false)
	return give(time.Time{})
}

// look gives the connection a deadline that has passed, unless another one is set meanwhile. The connection may be closed.
func (l *lateDeadline) look(now int64, give func(time.Time) error) {
	at := l.at.Load()
	if at == 0 || at > now {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given.Store(true)
	if l.at.CompareAndSwap(at, 0) {
		_ = give(time.Unix(1, 0)) // in any case the past, for every clock
		return
	}
	l.given.Store(false)
}
