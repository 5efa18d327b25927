package wire

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis"
)

// Commands that wait: BLPOP and its relatives, XREAD with BLOCK. While one waits, another goroutine reads from the
// client: it notices that the client has gone, and what arrives meanwhile waits its turn.

// waiting is a command that waits.
type waiting struct {
	ends  chan struct{} // closed when it shall end as if its time were over
	once  sync.Once
	fails bool // CLIENT UNBLOCK asked for an error
}

func (w *waiting) end(fails bool) (first bool) {
	w.once.Do(func() {
		w.fails, first = fails, true
		close(w.ends)
	})
	return first
}

// waits reports whether a command may wait, here and now.
func (c *conn) waits(args []string) bool {
	return c.login.Load() != nil && c.tx == nil && c.refused == "" && !(c.proto == 2 && c.listens()) && c.s.engine.NatureOf(args) == redis.Waiting
}

// unblock ends the wait of a command. It reports false if none waits.
func (c *conn) unblock(fails bool) bool {
	w := c.waiter.Load()
	return w != nil && w.end(fails)
}

// serveWaiting carries out a command that may wait.
func (c *conn) serveWaiting(args []string, size int64) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.rest()
	w := &waiting{ends: make(chan struct{})}
	caller := c.caller
	b := &batch{conn: c, bytesIn: size, waited: &caller.Waited}
	c.forgetRan()
	caller.Ends, caller.Blocked = w.ends, &c.blocked
	ctx := redis.WithCaller(context.WithoutCancel(c.Life), &caller)
	if b.open(ctx, [][]string{args}) == 0 {
		b.count(args)
		if b.blocked {
			b.fail(b.Database.Blocked.Text)
		} else {
			b.wait(args, w)
		}
		b.turn.End()
	}
	b.answered()
	return b.end()
}

// wait carries out a command while it is watched whether the client is still there.
func (b *batch) wait(args []string, w *waiting) {
	b.waiter.Store(w)
	stop := b.watchClient(w)
	defer func() {
		stop()
		b.waiter.Store(nil)
	}()
	mark, began := b.w.Len(), b.s.now()
	defer func() { b.noteWaiting(args, b.s.now().Sub(began)-*b.waited, b.w.Buf[min(mark, len(b.w.Buf)):]) }()
	if err := b.s.engine.Do(b.ctx, b.Database, b.Access, args, &b.w); err != nil {
		b.w.Truncate(mark)
		if b.Life.Err() == nil {
			b.fail(b.failedText(err))
		}
		return
	}
	if b.Life.Err() != nil {
		b.putBack(args, b.w.Buf[mark:])
		return
	}
	if w.fails && w.ended() {
		b.w.Truncate(mark)
		b.fail(errUnblocked)
	}
}

func (w *waiting) ended() bool {
	select {
	case <-w.ends:
		return true
	default:
		return false
	}
}

// watchClient reads from the client until stop is called. If the client goes, the connection ends.
func (c *conn) watchClient(w *waiting) (stop func()) {
	if err := c.ReadUntil(time.Time{}); err != nil {
		c.Close()
		return func() {}
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for c.in.hasRoom() {
			err := c.read()
			switch {
			case err == nil:
			case errors.Is(err, os.ErrDeadlineExceeded):
				if c.Draining() {
					w.end(false)
				}
				return
			default:
				c.Close()
				return
			}
		}
	})
	return func() {
		c.Interrupt()
		reading.Wait()
	}
}
