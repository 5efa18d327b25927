package wire

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/token"
)

// SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE, MONITOR.
//
// A connection has one subscription of the engine, which grows and shrinks, and one for MONITOR. A goroutine for each
// sends what arrives. A client that does not read is cut off: the engine keeps its messages for some time, and then ends the
// subscription.

// subscriptions are what a connection receives besides replies.
type subscriptions struct {
	channels names
	patterns names
	shards   names
	messages *receiver // nil: none
	commands *receiver // of MONITOR; nil: none
}

// names are channels, patterns of them, or shard channels, in the order in which they were subscribed to.
type names struct {
	list  []string // is not changed in place: others look at it, see noteSubscriptions
	has   map[string]bool
	bytes int // that they take in memory
}

// nameBytes is about what a name takes besides its own bytes: it stands in a list, in a set, and in what the engine knows.
const nameBytes = 200

func sizeOfNames(list []string) (bytes int) {
	for _, name := range list {
		bytes += len(name) + nameBytes
	}
	return bytes
}

func (n *names) add(name string) {
	if n.has[name] {
		return
	}
	if n.has == nil {
		n.has = map[string]bool{}
	}
	n.has[name] = true
	n.list = append(n.list, name)
	n.bytes += len(name) + nameBytes
}

// tidy takes names out of the list that were deleted from the set.
func (n *names) tidy() {
	left := make([]string, 0, len(n.has))
	for _, name := range n.list {
		if n.has[name] {
			left = append(left, name)
		}
	}
	n.list, n.bytes = left, sizeOfNames(left)
}

// receiver sends what a subscription receives.
type receiver struct {
	sub  *redis.Subscription
	stop context.CancelFunc
	done sync.WaitGroup
}

// listens reports whether the connection receives messages.
func (c *conn) listens() bool {
	return len(c.subs.channels.has)+len(c.subs.patterns.has)+len(c.subs.shards.has) > 0
}

// bytes are what the names of channels take.
func (s *subscriptions) bytes() int { return s.channels.bytes + s.patterns.bytes + s.shards.bytes }

// count is the number that confirmations about some of the names show.
func (s *subscriptions) count(of *names) int {
	if of == &s.shards {
		return len(s.shards.has)
	}
	return len(s.channels.has) + len(s.patterns.has)
}

// SUBSCRIBE channel [channel ...]
func subscribe(b *batch, args []string) { b.listen("subscribe", &b.subs.channels, args[1:]) }

// PSUBSCRIBE pattern [pattern ...]
func psubscribe(b *batch, args []string) { b.listen("psubscribe", &b.subs.patterns, args[1:]) }

// SSUBSCRIBE shardchannel [shardchannel ...]
func ssubscribe(b *batch, args []string) {
	if b.inExec {
		b.fail(errShardInMulti)
		return
	}
	b.listen("ssubscribe", &b.subs.shards, args[1:])
}

// undisturbed sends the replies that write writes. No message is sent before them, nor between them. Within EXEC, that is so already.
func (b *batch) undisturbed(write func()) {
	if b.inExec {
		write()
		return
	}
	if err := b.flush(); err != nil {
		b.hangUp = true
		return
	}
	b.writeAndSend(write)
	for _, r := range b.left {
		r.end()
	}
	b.left = nil
}

func (b *batch) writeAndSend(write func()) {
	b.sending.Lock()
	defer b.sending.Unlock()
	write()
	err := b.encode()
	if err == nil {
		err = b.send()
	}
	if err != nil {
		b.hangUp = true
	}
}

// listen subscribes to channels, patterns or shard channels. No message is sent before its channel's confirmation.
func (b *batch) listen(kind string, to *names, more []string) {
	b.undisturbed(func() {
		if err := b.mayHold(b.subs.bytes() + sizeOfNames(more)); err != nil {
			b.fail(err.Error())
			return
		}
		if err := b.enlarge(to, more); err != nil {
			b.fail(b.failedText(err))
			return
		}
		for _, name := range more {
			to.add(name)
			b.confirm(kind, to, name, true)
		}
		b.noteSubscriptions()
	})
}

// enlarge makes the engine's subscription one of further names.
func (b *batch) enlarge(to *names, more []string) error {
	channels, patterns := more, []string(nil)
	if to == &b.subs.patterns {
		channels, patterns = nil, more
	}
	if err := b.Access.CheckSubscribe(channels, patterns); err != nil {
		return err
	}
	add := func(s *redis.Subscription) error {
		if to == &b.subs.shards {
			return s.AddShards(b.ctx, b.Database, b.Access, more)
		}
		return s.Add(b.ctx, b.Database, b.Access, channels, patterns)
	}
	if r := b.subs.messages; r != nil {
		return add(r.sub)
	}
	sub, err := b.s.engine.Subscribe(b.ctx, b.Database, b.Access, nil, nil)
	if err != nil {
		return err
	}
	if err := add(sub); err != nil {
		sub.Close()
		return err
	}
	b.subs.messages = b.receive(sub, (*conn).message)
	return nil
}

// confirm writes that a subscription has begun or ended; without a name, that there was none.
//
// It is a push, also in RESP2: CLIENT REPLY OFF does not hold it back.
func (b *batch) confirm(kind string, of *names, name string, named bool) {
	w := &b.w
	if b.reply != replyOn {
		w = &resp.Writer{}
		defer func() {
			if b.proto == 3 {
				b.out, _ = resp.AppendAllRESP3(b.out, w.Buf)
			} else {
				b.out, _ = resp.AppendAllRESP2(b.out, w.Buf)
			}
		}()
	}
	b.push(w, 3)
	w.Bulk(kind)
	w.BulkOrNull(name, named)
	w.Int(int64(b.subs.count(of)))
}

// push begins a message of n values: RESP3 tells it from a reply.
func (c *conn) push(w *resp.Writer, n int) {
	if c.proto == 3 {
		w.Push(n)
	} else {
		w.Array(n)
	}
}

// UNSUBSCRIBE [channel [channel ...]]
func unsubscribe(b *batch, args []string) {
	b.ignore("unsubscribe", &b.subs.channels, args[1:])
}

// PUNSUBSCRIBE [pattern [pattern ...]]
func punsubscribe(b *batch, args []string) {
	b.ignore("punsubscribe", &b.subs.patterns, args[1:])
}

// SUNSUBSCRIBE [shardchannel [shardchannel ...]]
func sunsubscribe(b *batch, args []string) {
	b.ignore("sunsubscribe", &b.subs.shards, args[1:])
}

// ignore ends subscriptions, all of a kind if none is named.
func (b *batch) ignore(kind string, from *names, gone []string) {
	if len(gone) == 0 {
		gone = from.list
	}
	if len(gone) == 0 {
		b.confirm(kind, from, "", false)
		return
	}
	if r := b.subs.messages; r != nil {
		switch from {
		case &b.subs.channels:
			r.sub.Remove(b.Database, gone, nil)
		case &b.subs.patterns:
			r.sub.Remove(b.Database, nil, gone)
		default:
			r.sub.RemoveShards(b.Database, gone)
		}
	}
	for _, name := range gone {
		delete(from.has, name)
		b.confirm(kind, from, name, true)
	}
	from.tidy()
	if !b.listens() && b.subs.messages != nil {
		if b.inExec { // it may be about to send
			b.left = append(b.left, b.subs.messages)
		} else {
			b.subs.messages.end()
		}
		b.subs.messages = nil
	}
	b.noteSubscriptions()
}

// noteSubscriptions lets others see the subscriptions.
func (c *conn) noteSubscriptions() {
	c.hold(heldNames, c.subs.bytes())
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.channels, c.seen.patterns, c.seen.shards = c.subs.channels.list, c.subs.patterns.list, c.subs.shards.list
	c.seen.monitors = c.subs.commands != nil
	c.seen.subs = nil
	for _, r := range []*receiver{c.subs.messages, c.subs.commands} {
		if r != nil {
			c.seen.subs = append(c.seen.subs, r.sub)
		}
	}
}

// mayHear reports whether a caller with some rights may receive all that the connection receives.
func (c *conn) mayHear(a redis.Access) bool {
	c.seen.mu.Lock()
	channels, patterns, monitors := slices.Concat(c.seen.channels, c.seen.shards), c.seen.patterns, c.seen.monitors
	c.seen.mu.Unlock()
	return (len(channels)+len(patterns) == 0 || a.CheckSubscribe(channels, patterns) == nil) && (!monitors || a.CheckMonitor() == nil)
}

// MONITOR
func monitor(b *batch, _ []string) {
	if b.inExec {
		b.fail(errMonInMulti)
		return
	}
	if b.subs.commands == nil {
		sub, err := b.s.engine.Monitor(b.ctx, b.Database, b.Access)
		if err != nil {
			b.fail(b.failedText(err))
			return
		}
		b.w.OK()
		if err := b.flush(); err != nil {
			b.hangUp = true
		}
		b.subs.commands = b.receive(sub, (*conn).command)
		b.noteSubscriptions()
		return
	}
	b.w.OK()
}

// end ends all subscriptions.
func (s *subscriptions) end(c *conn) {
	for _, r := range []*receiver{s.messages, s.commands} {
		if r != nil {
			r.end()
		}
	}
	*s = subscriptions{}
	c.noteSubscriptions()
}

func (r *receiver) end() {
	r.stop()
	r.done.Wait()
	r.sub.Close()
}

// receive begins to send what a subscription receives, written by write.
func (b *batch) receive(sub *redis.Subscription, write func(*conn, *resp.Writer, redis.Message)) *receiver {
	c, database := b.conn, b.Database.ID
	ctx, stop := context.WithCancel(c.Life)
	r := &receiver{sub: sub, stop: stop}
	r.done.Go(func() {
		if err := c.relay(ctx, sub, database, write); ctx.Err() == nil {
			c.logger().Warn("a subscription ends", "error", err)
			c.Close()
		}
	})
	return r
}

// relay sends messages until the context ends, or with it the connection.
func (c *conn) relay(ctx context.Context, sub *redis.Subscription, database string, write func(*conn, *resp.Writer, redis.Message)) error {
	for {
		m, err := sub.Next(ctx)
		if err != nil {
			if errors.Is(err, redis.ErrClosed) {
				c.Drain()
				<-ctx.Done()
			}
			return err
		}
		if err := c.sendMessage(m, database, write); err != nil {
			return err
		}
	}
}

// sendMessage sends a message as write writes it.
func (c *conn) sendMessage(m redis.Message, database string, write func(*conn, *resp.Writer, redis.Message)) (err error) {
	memory := c.s.buffers.getReplies()
	defer c.s.buffers.putReplies(memory)
	c.sending.Lock()
	defer c.sending.Unlock()
	w := resp.Writer{Buf: memory.written}
	write(c, &w, m)
	if memory.written = w.Buf; c.proto == 3 {
		memory.sent, err = resp.AppendAllRESP3(memory.sent, w.Buf)
	} else {
		memory.sent, err = resp.AppendAllRESP2(memory.sent, w.Buf)
	}
	if err != nil {
		return err
	}
	c.recordMessage(database, len(memory.sent))
	return c.write(memory.sent, heldMessage)
}

// recordMessage tells the meter of a message that is about to be sent.
func (c *conn) recordMessage(database string, size int) {
	if c.s.meter.Recorder != nil {
		c.s.meter.Recorder.Record(meter.Record{
			Resource: meter.Resource{Product: token.ProductRedis, ID: database},
			At:       c.s.now(), Class: meter.ClassPubSub, Status: 200, BytesOut: int64(size),
		})
	}
}

// message writes a message.
func (c *conn) message(w *resp.Writer, m redis.Message) {
	switch {
	case m.Shard:
		c.push(w, 3)
		w.Bulk("smessage")
	case m.Pattern != "":
		c.push(w, 4)
		w.Bulk("pmessage")
		w.Bulk(m.Pattern)
	default:
		c.push(w, 3)
		w.Bulk("message")
	}
	w.Bulk(m.Channel)
	w.Bulk(m.Payload)
}

// command writes a line of MONITOR, which is no push in RESP3 either.
func (c *conn) command(w *resp.Writer, m redis.Message) { w.Simple(m.Payload) }
