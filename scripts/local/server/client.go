package server

import (
	"context"
	"fmt"
	"net"
)

// client is the context of a request that has arrived whole: it ends when its client closes the connection.
// Err tells so at once. It costs nothing unless a request takes long enough for somebody to ask.
type client struct {
	context.Context
	conn net.Conn
}

// Err implements context.Context.
func (c *client) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	if closedByPeer(c.conn) {
		return fmt.Errorf("the client is gone: %w", context.Canceled)
	}
	return nil
}
