package conns

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection and its life. It is safe for concurrent use.
type Conn struct {
	Net  net.Conn
	Life context.Context // done when the connection is closed

	stop     context.CancelFunc
	closing  sync.Once
	draining atomic.Bool
}

// NewConn makes a Conn.
func NewConn(nc net.Conn) *Conn {
	c := &Conn{Net: nc}
	c.Life, c.stop = context.WithCancel(context.Background())
	return c
}

// Close closes the connection at once. What is under way for it ends.
func (c *Conn) Close() {
	c.closing.Do(func() {
		c.stop()
		c.Net.Close()
	})
}

// Abandon ends what is under way for the client without closing the connection: the client has gone.
func (c *Conn) Abandon() { c.stop() }

// Drain makes the connection end once it has nothing to do: nothing more is read from it.
func (c *Conn) Drain() {
	c.draining.Store(true)
	c.Interrupt()
}

// Draining reports whether the connection ends as soon as it has nothing to do.
func (c *Conn) Draining() bool { return c.draining.Load() }

// Interrupt makes reading fail at once with os.ErrDeadlineExceeded, until ReadUntil. Writing goes on.
func (c *Conn) Interrupt() {
	_ = c.Net.SetReadDeadline(time.Unix(1, 0)) // an error means that the connection is closed
}

// ReadUntil makes reading fail from t on; zero: never. Nothing is read from a connection that is draining.
func (c *Conn) ReadUntil(t time.Time) error {
	err := c.Net.SetReadDeadline(t)
	if c.Draining() {
		c.Interrupt() // Drain may have come before the deadline was set
	}
	return err
}
