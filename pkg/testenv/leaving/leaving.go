// Package leaving stands in for a client that goes away while its request is served.
package leaving

import (
	"context"
	"sync/atomic"
)

// Context is the context of such a client's request. Like that of the local server, it tells that the
// client has gone by Err alone.
type Context struct {
	context.Context
	Gone atomic.Bool
}

// Err implements context.Context.
func (c *Context) Err() error {
	if c.Gone.Load() {
		return context.Canceled
	}
	return c.Context.Err()
}
