package wire

import (
	"errors"
	"slices"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
)

// MULTI, EXEC, DISCARD, WATCH, UNWATCH.

// Bounds of a transaction that is being queued.
const (
	maxQueued      = 10_000
	maxQueuedBytes = 16 << 20
)

// transaction is commands that wait for EXEC.
type transaction struct {
	commands []queuedCommand
	bytes    int  // that they take in memory
	spoiled  bool // one was refused: EXEC will refuse them all
}

// queuedCommand is a command that was found to be valid.
type queuedCommand struct {
	args   []string
	handle handler // of the connection's own commands; zero: it is the engine's
}

// MULTI
func multi(b *batch, _ []string) {
	if b.tx != nil {
		b.fail(errNested)
		return
	}
	b.tx = &transaction{}
	b.noteQueue(0)
	b.w.OK()
}

// noteQueue lets others see how many commands are queued; -1: there is no transaction.
func (c *conn) noteQueue(n int) {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.queued = n
}

// queue puts a command off until EXEC.
func (b *batch) queue(args []string, nature redis.Nature, handle handler) {
	b.count(args)
	text := ""
	switch err := b.s.engine.Check(b.ctx, b.Access, args); {
	case err != nil:
		text = b.failedText(err)
	case nature == redis.Bound && handle.inMulti == refused:
		text = errInMulti
	case len(b.tx.commands) >= maxQueued || b.tx.bytes > maxQueuedBytes:
		text = "ERR transaction too large: too many commands, or too many bytes"
	default:
		if err := b.mayHold(b.tx.bytes + sizeOf(args)); err != nil {
			text = err.Error()
		}
	}
	if text != "" {
		b.spoil()
		b.reject(args, text)
		return
	}
	if nature != redis.Bound {
		handle = handler{}
	}
	b.tx.commands = append(b.tx.commands, queuedCommand{args, handle})
	b.tx.bytes += sizeOf(args)
	b.noteQueue(len(b.tx.commands))
	b.hold(heldMulti, b.tx.bytes)
	b.w.Simple("QUEUED")
}

// sizeOf is how many bytes a command takes that is queued.
func sizeOf(args []string) int {
	n := elementBytes * (len(args) + 2)
	for _, arg := range args {
		n += len(arg)
	}
	return n
}

// spoil makes EXEC refuse the transaction, if there is one.
func (b *batch) spoil() {
	if b.tx != nil {
		b.tx.spoiled = true
	}
}

// drop ends the transaction, if there is one.
func (b *batch) drop() {
	b.tx = nil
	b.noteQueue(-1)
	b.hold(heldMulti, 0)
}

// forget ends all watches.
func (b *batch) forget() { b.watched = redis.Watched{} }

// DISCARD
func discard(b *batch, _ []string) {
	if b.tx == nil {
		b.fail(errNoDiscard)
		return
	}
	b.drop()
	b.forget()
	b.w.OK()
}

// WATCH key [key ...]
func watch(b *batch, args []string) {
	if b.tx != nil {
		b.fail(errWatchMulti)
		return
	}
	watched, err := b.s.engine.Watch(b.ctx, b.Database, b.watched, args[1:])
	if err != nil {
		b.fail(b.failedText(err))
		return
	}
	b.watched = watched
	b.w.OK()
}

// UNWATCH
func unwatch(b *batch, _ []string) {
	b.forget()
	b.w.OK()
}

// EXEC
//
// The engine carries out its commands in one transaction. Those of the connection itself are carried out
// when it has committed, and answered in their places. So no reply tells of what has not happened.
func exec(b *batch, _ []string) {
	tx, watched := b.tx, b.watched
	if tx == nil {
		b.fail(errNoExec)
		return
	}
	b.tx = nil
	b.noteQueue(-1)
	defer b.hold(heldMulti, 0) // until then the commands are in memory
	b.forget()
	if tx.spoiled {
		b.fail(errAborted)
		return
	}
	var cmds [][]string
	for _, q := range tx.commands {
		if q.handle.run == nil {
			cmds = append(cmds, q.args)
		}
	}
	var replies resp.Writer
	began := b.s.now()
	err := b.s.engine.MultiIf(b.ctx, b.Database, b.Access, cmds, watched, &replies)
	b.noteSlow([]string{"EXEC"}, b.s.now().Sub(began))
	switch {
	case errors.Is(err, redis.ErrWatched):
		b.w.NullArray()
		return
	case errors.Is(err, store.ErrUnknownOutcome):
		b.fail(b.failedText(err)) // not that it was discarded: it may have been carried out
		return
	case err != nil:
		b.fail("EXECABORT Transaction discarded because of: " + b.failedText(err))
		return
	}
	b.over = true // the database may have been flushed
	merge := func() {
		mark := b.w.Len()
		if err := b.merge(tx.commands, replies.Buf); err != nil {
			b.logger().Error("a transaction's replies", "error", err)
			b.w.Truncate(mark)
			b.fail(redis.FailureText(store.ErrUnknownOutcome))
		}
	}
	if tx.subscribes() {
		b.undisturbed(merge)
	} else {
		merge()
	}
}

// subscribes reports whether a command changes what the connection receives.
func (tx *transaction) subscribes() bool {
	return slices.ContainsFunc(tx.commands, func(q queuedCommand) bool { return q.handle.run != nil && q.handle.listener })
}

// merge writes the replies of all commands as one array. Those of the engine's are given.
func (b *batch) merge(commands []queuedCommand, replies []byte) error {
	b.inExec = true
	defer func() { b.inExec = false }()
	b.w.Array(len(commands))
	for _, q := range commands {
		if q.handle.run != nil {
			b.carryOut(q.args, q.handle)
			continue
		}
		reply, rest, err := resp.Cut(replies)
		if err != nil {
			return err
		}
		b.lookedUp(b.s.engine.Outcome(q.args, reply))
		b.w.Buf = append(b.w.Buf, reply...)
		replies = rest
	}
	return nil
}
