package server

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
)

// client is the context of a request that has arrived whole: it ends when its client closes the connection.
// Err tells so at once, but for its first call: most requests ask once only, just after they have arrived, and
// looking at the connection is a system call.
type client struct {
	context.Context
	conn  net.Conn
	asked atomic.Bool
}

// Err implements context.Context.
func (c *client) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if !c.asked.Load() {
		c.asked.Store(true)
		return nil
	}
	if closedByPeer(c.conn) {
		return fmt.Errorf("the client is gone: %w", context.Canceled)
	}
	return nil
}
