package turns

import (
	"context"
	"runtime"
	"time"
)

// Gate bounds how many large requests are served at a time, from their begin to their end. It is for processes whose store works in
// them: what the store does takes the processors as well, and a Queue is told only what requests say that they spend. Whoever waits
// at a Gate holds nothing yet that others could wait for.
type Gate struct{ queue *Queue }

// DefaultGate makes a Gate that leaves one processor to short requests, if there are several.
func DefaultGate(now func() time.Time) *Gate { return NewGate(max(runtime.GOMAXPROCS(0)-1, 1), now) }

// NewGate makes a Gate for n large requests at a time.
func NewGate(n int, now func() time.Time) *Gate { return &Gate{New(n, 0, now)} }

// Count is how many large requests may come in now, and how many wait.
func (g *Gate) Count() (free, waiting int) { return g.queue.Count() }

// LargeBody is from how many bytes on the body of a request makes it a large one.
const LargeBody = 16 << 10

// Pass waits until a large request may be served: they come round robin, as those do that wait for turns. It gives back the turn of
// the context, which tells whose request it is. The request calls leave when it ends or begins to wait for something, which it may do
// again. A nil Gate lets everybody in. The error is the context's.
func (g *Gate) Pass(ctx context.Context) (leave func(), err error) {
	of := Of(ctx)
	of.Release()
	if g == nil {
		return func() {}, nil
	}
	t := &Turn{turns: g.queue}
	if of != nil {
		t.account, t.database = of.account, of.database
	}
	if err := g.queue.take(ctx, t); err != nil {
		return nil, err
	}
	t.working = true
	return t.Release, nil
}
