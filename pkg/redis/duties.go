package redis

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed is the error of subscriptions of an engine that is closed.
var ErrClosed = errors.New("redis: the engine is closed")

// duties are what an engine runs beside calls, for its subscriptions.
type duties struct {
	ctx    context.Context // done once the engine is closed
	cancel context.CancelFunc

	mu     sync.Mutex // makes sure that nothing begins after close
	closed bool
	wg     sync.WaitGroup
}

func newDuties() *duties {
	d := &duties{}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// run calls f in a goroutine, under a context that ends with stop or with the engine. Once the
// engine is closed, it calls nothing.
func (d *duties) run(f func(context.Context)) (stop context.CancelFunc) {
	ctx, stop := context.WithCancel(d.ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.wg.Go(func() { f(ctx) })
	}
	return stop
}

func (d *duties) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.wg.Wait()
}

// Close ends what waits: blocking commands return as if their time were over, and subscriptions
// end with ErrClosed. When Close returns, all goroutines of the engine have ended. Other commands can
// still be carried out, so a server may close its engine first and then let its last requests finish.
func (e *Engine) Close() { e.duties.close() }
