// Package duties runs what an engine does beside calls, and waits for its end.
package duties

import (
	"context"
	"sync"
)

// Duties are the goroutines of an engine. They all end when it is closed.
type Duties struct {
	ctx    context.Context // done once they are closed
	cancel context.CancelFunc

	mu     sync.Mutex // makes sure that nothing begins after Close
	closed bool
	wg     sync.WaitGroup
}

// New makes Duties that have not begun yet. They are closed at last.
func New() *Duties {
	d := &Duties{}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Run calls f in a goroutine, under a context that ends with stop or with Close. After Close,
// it calls nothing.
func (d *Duties) Run(f func(context.Context)) (stop context.CancelFunc) {
	ctx, stop := context.WithCancel(d.ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.wg.Go(func() { f(ctx) })
	}
	return stop
}

// Done is closed once Close has been called.
func (d *Duties) Done() <-chan struct{} { return d.ctx.Done() }

// Close ends all that runs, and returns when it has ended.
func (d *Duties) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.wg.Wait()
}
