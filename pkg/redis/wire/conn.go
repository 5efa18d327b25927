package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/conns"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// conn is a connection. One goroutine reads requests, carries them out and sends the replies.
type conn struct {
	*conns.Conn
	s  *Server
	id int64
	in *reader
	to *rawWriter // nil: the connection is not of TCP

	label  string          // the database that the host name stands for, by TLS
	caller redis.Caller    // what the engine is told of it
	values context.Context // with the caller, without an end
	began  time.Time

	login   atomic.Pointer[login] // nil: nobody has logged in
	blocked atomic.Bool           // in a command that waits
	waiter  atomic.Pointer[waiting]
	seen    seen
	held    [holdings]atomic.Int64 // see hold
	holding sync.Mutex             // held while held or share change
	share   *share                 // that held is part of

	softSince time.Time // since when more waits than the soft limit; known to limitMemory alone

	proto    int // 2 or 3
	w        resp.Writer
	reply    replyMode
	failures int    // of logins
	refused  string // the error of a SELECT, after which no command about keys is carried out
	hangUp   bool   // the connection ends behind what is to be sent
	failure  string // of the command of the connection itself that is carried out
	inScript string // the last failure of a command that the script has run which is carried out
	again    bool   // the script runs again: what it runs was counted

	ran []meter.Ran // of the batch, for the meter

	tx      *transaction // nil: none
	watched redis.Watched
	subs    subscriptions

	memory  *replies   // that w and out write into; nil: there are none
	out     []byte     // replies that are to be sent
	sending sync.Mutex // held while replies, or a message, are sent: none is within another one
}

// seen is what others see of a connection.
type seen struct {
	mu              sync.Mutex
	name            string
	libName, libVer string
	command         string
	at              time.Time // of the last command
	proto           int
	queued          int // commands of a transaction; -1: there is none
	channels        []string
	patterns        []string
	shards          []string
	monitors        bool
	bytesIn         int64
	subs            []*redis.Subscription
}

func newConn(s *Server, nc net.Conn, id int64) *conn {
	c := &conn{Conn: conns.NewConn(nc), s: s, id: id, in: newReader(nc, &s.buffers), to: newRawWriter(nc), proto: 2, began: s.now(), share: s.shareOf("")}
	c.seen.proto, c.seen.queued, c.seen.at = 2, -1, c.began
	c.caller = redis.Caller{Addr: nc.RemoteAddr().String(), Patient: true, Observer: observer{c}, Waits: c.Life, Server: func() redis.ServerInfo { return s.info(c.login.Load()) }}
	c.values = redis.WithCaller(context.Background(), &c.caller)
	return c
}

// logger is the server's log, with the client's address.
func (c *conn) logger() *slog.Logger { return c.s.log.With("peer", c.caller.Addr) }

// turnAway tells a client that it is one too many.
func turnAway(nc net.Conn) {
	if nc.SetDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.WriteString(nc, "-"+errMaxClients+"\r\n")
	}
}

// IsRevoked reports whether the credential of the client's login is not good any more, or does not allow any more what the
// connection receives.
func (c *conn) IsRevoked(ctx context.Context) bool {
	l := c.login.Load()
	if l == nil {
		return false
	}
	grant, err := l.check(ctx)
	return errors.Is(err, gate.ErrRefused) || err == nil && !c.mayHear(grant.Access)
}

// Serve serves the connection until it ends.
func (c *conn) Serve() {
	defer func() {
		c.Close()
		c.subs.end(c)
		c.in.close()
		c.letGo()
	}()
	err := c.greet()
	if err == nil {
		err = c.serveRequests()
	}
	var protocol protocolError
	var crowded crowdedError
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
	case errors.As(err, &protocol), errors.As(err, &crowded), errors.Is(err, errHTTP), errors.Is(err, errTLS), errors.Is(err, errPanic):
		c.logger().Warn("a connection of Redis's protocol is closed", "error", err)
	default:
		c.logger().Debug("a connection of Redis's protocol has ended", "error", err)
	}
}

// greet prepares a connection.
func (c *conn) greet() error {
	tcp := c.Net
	if secure, ok := c.Net.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(c.Life, handshakeTime)
		defer cancel()
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("agreeing on TLS: %w", err)
		}
		c.label = c.s.labelOf(secure.ConnectionState().ServerName)
		tcp = secure.NetConn()
	}
	if tcp, ok := tcp.(*net.TCPConn); ok {
		// Below the 350 seconds after which load balancers forget an idle connection.
		if err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4}); err != nil {
			return err
		}
	}
	return nil
}

// serveRequests serves requests in order, until the client has gone.
func (c *conn) serveRequests() error {
	var batch [][]string
	for {
		most := maxBatch
		if c.login.Load() == nil {
			most = 1 // the bounds of what may come behind depend on it
		}
		before, fills := c.in.read, c.in.fills
		var broken error
		for batch = batch[:0]; len(batch) < most; {
			args, ok, err := c.in.next()
			if broken = err; err != nil || !ok {
				break
			}
			batch = append(batch, args)
		}
		if len(batch) > 0 {
			if err := c.serveBatch(batch, c.in.read-before); err != nil {
				return err
			}
			clear(batch)
		}
		switch {
		case broken != nil:
			return c.breakOff(broken)
		case c.hangUp:
			return c.bye()
		case len(batch) == most || c.in.fills > fills:
			continue // there may be more, also what has arrived while a command waited
		}
		if err := c.flush(); err != nil {
			return err
		}
		c.rest()
		if cap(batch) > keptBatch {
			batch = nil
		}
		if err := c.fill(); err != nil {
			if c.Draining() {
				return c.bye()
			}
			return c.breakOff(err)
		}
	}
}

// fill waits for more from the client.
func (c *conn) fill() error {
	var until time.Time // never
	switch {
	case c.login.Load() == nil:
		until = c.began.Add(strangerTime)
	case c.s.cfg.IdleTime > 0 && !c.listens():
		until = time.Now().Add(c.s.cfg.IdleTime)
	}
	if err := c.ReadUntil(until); err != nil {
		return err
	}
	c.hold(heldRequests, c.in.held()) // without what was carried out
	return c.read()
}

// read reads what has arrived, or waits until something has.
func (c *conn) read() error {
	err := c.in.fill()
	held := c.in.held()
	c.hold(heldRequests, held)
	if err == nil {
		err = c.mayHold(held)
	}
	return err
}

// breakOff ends a connection whose client does not speak the protocol, or has sent too much.
func (c *conn) breakOff(err error) error {
	var protocol protocolError
	var crowded crowdedError
	switch {
	case errors.As(err, &protocol):
		c.w.Error("ERR " + protocol.Error())
	case errors.As(err, &crowded):
		c.s.evicted.Add(1)
		c.in.part = nil
		c.hold(heldRequests, 0)
		c.w.Error(crowded.Error())
	default:
		return err
	}
	if err := c.bye(); err != nil {
		return err
	}
	return err
}

// bye sends what is to be sent, and gives the client time to read it: a connection that is closed while
// something arrives is reset, and what was sent is lost.
func (c *conn) bye() error {
	if err := c.flush(); err != nil {
		return err
	}
	half, ok := c.Net.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.Net.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return nil
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(c.Net, maxRequest))
	return nil
}

// errPanic means that a command has met a fault of ours.
var errPanic = errors.New("internal error")

// guard turns a panic into an error.
func (c *conn) guard(err *error) {
	if p := recover(); p != nil {
		c.logger().Error("a command has panicked", "panic", p, "stack", string(debug.Stack()))
		*err = errPanic
	}
}

// encode turns the replies that were written into those of the protocol.
func (c *conn) encode() (err error) {
	if c.reply != replyOn {
		c.w.Reset()
		return nil
	}
	if c.proto == 3 {
		c.out, err = resp.AppendAllRESP3(c.out, c.w.Buf)
	} else {
		c.out, err = resp.AppendAllRESP2(c.out, c.w.Buf)
	}
	c.w.Reset()
	if err != nil {
		return fmt.Errorf("%w: a reply: %w", errPanic, err)
	}
	return nil
}

// flush sends all replies.
func (c *conn) flush() error {
	if err := c.encode(); err != nil {
		return err
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.send()
}

// send sends the replies in out. The caller holds sending.
func (c *conn) send() error {
	if err := c.write(c.out, heldReplies); err != nil {
		return err
	}
	c.out = c.out[:0]
	return nil
}

// prepare takes memory for replies.
func (c *conn) prepare() {
	if c.memory == nil {
		c.memory = c.s.buffers.getReplies()
		c.w.Buf, c.out = append(c.memory.written, c.w.Buf...), append(c.memory.sent, c.out...)
	}
}

// rest gives the memory for replies back, all of which were sent.
func (c *conn) rest() {
	if c.memory != nil {
		c.memory.written, c.memory.sent = c.w.Buf, c.out
		c.s.buffers.putReplies(c.memory)
	}
	c.memory, c.w.Buf, c.out = nil, nil, nil
}

// write sends bytes, which are held for something. The caller holds sending.
func (c *conn) write(rest []byte, what holding) error {
	for rest = rest[c.to.write(rest[:min(len(rest), writeChunk)]):]; len(rest) > 0; {
		c.hold(what, len(rest))
		n := min(len(rest), writeChunk)
		if err := c.Net.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return err
		}
		if _, err := c.Net.Write(rest[:n]); err != nil {
			c.Close()
			return err
		}
		rest = rest[n:]
	}
	c.hold(what, 0)
	return nil
}
