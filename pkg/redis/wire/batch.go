package wire

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/token"
)

// batch is commands that are carried out together: under one login, one deadline and one record of what they use.
type batch struct {
	*conn
	gate.Grant // zero without a login
	ctx        context.Context
	use        edge.Use
	turn       *redis.Turn

	class    string
	commands int64
	bytesIn  int64
	blocked  bool           // a limit of the database's usage was reached
	over     bool           // the commands behind the last one are another batch
	inExec   bool           // the replies are part of one, of EXEC
	left     []*receiver    // that have ended within EXEC
	waited   *time.Duration // of the batch's time, what a command waited for others; nil: none
}

// serveBatch carries out commands, which arrived in a number of bytes, in order. An error closes the connection. What is left
// when the connection was closed, as by a revocation, is not carried out.
func (c *conn) serveBatch(cmds [][]string, size int64) (err error) {
	defer c.guard(&err)
	c.prepare()
	c.note(cmds, size)
	for len(cmds) > 0 && !c.hangUp && c.Life.Err() == nil {
		if len(c.out)+len(c.w.Buf) >= flushReplies {
			if err := c.flush(); err != nil {
				return err
			}
		}
		n, err := c.serveSome(cmds, size)
		if err != nil {
			return err
		}
		cmds, size = cmds[n:], 0
	}
	return nil
}

// note lets others see what the connection does.
func (c *conn) note(cmds [][]string, size int64) {
	now := c.s.now()
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.at = now
	name := cmds[len(cmds)-1][0]
	if cmd := c.s.engine.CommandOf(cmds[len(cmds)-1]); cmd != nil {
		name = cmd.Full()
	}
	if name != c.seen.command {
		c.seen.command = strings.Clone(name[:min(len(name), maxName)]) // the request may be large
	}
	c.seen.bytesIn += size
	if s := c.statistics(); s != nil {
		s.BytesIn.Add(size)
	}
}

// serveSome carries out the first of some commands, and returns how many.
func (c *conn) serveSome(cmds [][]string, size int64) (int, error) {
	if err := c.awaitPause(cmds[0]); err != nil {
		return 0, err
	}
	if c.waits(cmds[0]) {
		return 1, c.serveWaiting(cmds[0], size)
	}
	work := &struct { // in one piece of memory
		batch
		timed
	}{batch: batch{conn: c, bytesIn: size}}
	b, ctx := &work.batch, &work.timed
	ctx.begin(c.values, c.s.now, c.s.cfg.Timeout+time.Duration(len(cmds))*commandTime)
	defer ctx.end()
	c.forgetRan()
	done := b.open(ctx, cmds)
	if done == 0 {
		defer b.turn.End()
		for done < len(cmds) && !b.over && c.Life.Err() == nil {
			done += b.serve(cmds[done:])
		}
	}
	return done, b.end()
}

// open finds out what the connection may do now. If it may do nothing, all commands are answered, and their number is returned.
func (b *batch) open(ctx context.Context, cmds [][]string) (answered int) {
	l := b.login.Load()
	if l == nil {
		b.ctx = ctx
		return 0
	}
	if l.secret == "" {
		ctx = b.s.engine.Ahead(ctx, l.database, func() [][]string { return cmds })
	} else {
		ctx = b.s.engine.AheadOfUser(ctx, l.secret, func() [][]string { return cmds })
	}
	ctx, b.use = b.s.meter.Begin(ctx)
	var err error
	if b.Grant, err = l.check(ctx); err != nil {
		text := redis.FailureText(err)
		if errors.Is(err, gate.ErrRefused) {
			text, b.hangUp = errNoAuth, true
		}
		for range cmds {
			b.fail(text)
		}
		return len(cmds)
	}
	b.ctx, b.turn = b.s.engine.WithTurn(ctx, b.Database)
	if limit := b.Database.Blocked; limit.Text != "" && limit.Holds(b.s.now()) {
		b.blocked = true
	}
	return 0
}

// end tells the meter what the batch has used. It is called before any reply is sent: what was done
// counts, whether or not the client is still there to read it.
func (b *batch) end() error {
	before := len(b.out)
	if err := b.encode(); err != nil {
		return err
	}
	if b.hold(heldReplies, len(b.out)); len(b.out) >= leastHeld && b.outputLimit().exceedsHard(len(b.out)) {
		b.conn.cutOff()
	}
	if s := b.statistics(); s != nil {
		s.BytesOut.Add(int64(len(b.out) - before))
	}
	if b.Database == nil || b.commands == 0 && !b.blocked {
		return nil
	}
	status := http.StatusOK
	if b.blocked {
		status = http.StatusBadRequest
	}
	if b.class == "" {
		b.class = meter.ClassOther
	}
	if b.s.meter.Recorder == nil {
		return nil
	}
	rec := b.s.meter.Complete(b.ctx, b.use, meter.Record{
		Resource: meter.Resource{Product: token.ProductRedis, ID: b.Database.ID},
		Class:    b.class, Status: status, Blocked: b.blocked, Commands: b.commands,
		BytesIn: b.bytesIn, BytesOut: int64(len(b.out) - before),
	})
	rec.Count(b.ran)
	if b.waited != nil {
		rec.Duration -= *b.waited
	}
	b.s.meter.Recorder.Record(rec)
	return nil
}

// fail answers a command with an error.
func (c *conn) fail(text string) {
	c.failure = text
	c.w.Error(text)
}

// serve carries out the first command, or all ordinary ones that come first, and returns their number.
func (b *batch) serve(cmds [][]string) int {
	args := cmds[0]
	nature := b.s.engine.NatureOf(args)
	handle := b.s.handlerOf(args)
	switch text := b.refusal(args, nature, handle); {
	case text != "":
		b.reject(args, text)
	case b.paused(args) != nil:
		b.over = true
		return 0
	case b.tx != nil && handle.inMulti != atOnce:
		b.queue(args, nature, handle)
	case nature == redis.Bound || handle.run != nil && b.proto == 2 && b.listens():
		b.count(args)
		b.bound(args, handle)
	case b.waits(args):
		b.over = true
		return 0
	default:
		return b.pipeline(cmds)
	}
	b.answered()
	return 1
}

// refusal is why a command is not carried out, whatever it does; "": it is.
func (b *batch) refusal(args []string, nature redis.Nature, handle handler) string {
	switch {
	case b.Database == nil && !handle.stranger:
		return errNoAuth
	case nature == redis.Unknown:
		b.spoil()
		return errUnknown(args)
	case b.Database == nil:
		return ""
	}
	if b.blocked && !handle.stranger && !strings.EqualFold(args[0], "ping") {
		return b.Database.Blocked.Text
	}
	if b.proto == 2 && b.listens() && !handle.listener {
		return errListening(args)
	}
	if b.refused != "" && !handle.stranger && nature != redis.Bound {
		b.spoil()
		return b.refused
	}
	return ""
}

// pipeline carries out the ordinary commands that come first. The engine stops when there are many replies.
func (b *batch) pipeline(cmds [][]string) int {
	n := 1
	for n < len(cmds) && b.isOrdinary(cmds[n]) && b.reply == replyOn && b.paused(cmds[n]) == nil {
		n++
	}
	var done int
	mark := len(b.w.Buf)
	done, b.Database = b.s.engine.PipelineUpTo(b.ctx, b.Database, b.Access, cmds[:n], maxReplies, &b.w)
	replies := b.w.Buf[mark:]
	for _, args := range cmds[:done] {
		b.count(args)
		replies = b.outcome(args, replies)
	}
	b.answered()
	if done < n {
		b.over = true
	}
	return done
}

// isOrdinary reports whether a command is the engine's, whatever state the connection is in.
func (b *batch) isOrdinary(args []string) bool {
	return !b.blocked && b.s.engine.NatureOf(args) == redis.Ordinary && !(b.proto == 2 && b.listens())
}

// bound carries out a command of the connection itself.
func (b *batch) bound(args []string, handle handler) {
	if err := b.s.engine.Check(b.ctx, b.Access, args); err != nil {
		b.reject(args, b.failedText(err))
		return
	}
	b.carryOut(args, handle)
}

// rank orders classes: several commands together are of the highest.
var rank = map[string]int{meter.ClassRead: 1, meter.ClassPubSub: 2, meter.ClassWrite: 3, meter.ClassScript: 4}

// count notes a command, for the meter.
func (b *batch) count(args []string) {
	b.commands++
	if b.s.meter.Recorder == nil {
		return
	}
	if class := b.s.engine.Class(args); b.class == "" || class != b.class && rank[class] > rank[b.class] {
		b.class = class
	}
}

// outcome notes what a command came to, for the statistics and the meter, and returns the replies behind its own.
func (b *batch) outcome(args []string, replies []byte) []byte {
	reply, rest, err := resp.Cut(replies)
	if err != nil {
		return nil // its reply was suppressed
	}
	ran := b.s.engine.Outcome(args, reply)
	b.lookedUp(ran)
	if b.s.meter.Recorder != nil {
		b.ran = append(b.ran, ran)
	}
	return rest
}

// failedText is what a client is told of an error of the engine.
func (b *batch) failedText(err error) string {
	var refused redis.Error
	if errors.As(err, &refused) {
		return refused.Error()
	}
	b.logger().Log(b.ctx, redis.FailureLevel(err), "command failed", "error", err)
	return redis.FailureText(err)
}
