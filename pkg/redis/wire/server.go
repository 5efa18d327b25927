package wire

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
)

// Defaults of a Config.
const (
	DefaultMaxClients       = 10_000
	DefaultMaxPerDatabase   = 5_000
	DefaultMaxPerCredential = 2_000
	DefaultTimeout          = 20 * time.Second
)

// Times and sizes of connections.
const (
	strangerTime  = 30 * time.Second       // until which a client has logged in
	handshakeTime = 10 * time.Second       // of TLS
	writeTime     = 60 * time.Second       // without any progress
	lingerTime    = time.Second            // for the client to read what a connection ends with
	checkEvery    = 5 * time.Second        // how often the credentials of all connections are checked
	maxBatch      = 1000                   // commands that are carried out together
	commandTime   = 250 * time.Millisecond // that each of them adds to Config.Timeout
	maxReplies    = 1 << 20                // bytes of replies from which on they are sent before more is done
	flushReplies  = 64 << 10               // bytes of replies from which on they are sent
	writeChunk    = 256 << 10              // bytes that writeTime is for
	maxFailures   = 10                     // failed logins of a connection
	failureTime   = 100 * time.Millisecond
)

// Config is what a Server is made of.
type Config struct {
	Engine   *redis.Engine
	Verifier gate.Verifier

	// Domain, if not empty, gives each database a host name of its own, <database id>.<Domain>: a TLS
	// connection to it needs a credential of that database. Otherwise the credential alone chooses it.
	Domain string

	MaxClients       int           // connections; 0: DefaultMaxClients
	MaxPerDatabase   int           // of them, those of one database; 0: DefaultMaxPerDatabase
	MaxPerCredential int           // of them, those of one credential; 0: DefaultMaxPerCredential
	IdleTime         time.Duration // after which a connection is closed that sends nothing; 0: never
	Timeout          time.Duration // of a command, but for the time that it waits and those before it; 0: DefaultTimeout

	Meter  meter.Recorder   // is told what the commands have used; nil: nobody is
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Server serves the protocol. It is safe for concurrent use.
type Server struct {
	cfg      Config
	engine   *redis.Engine
	gate     *gate.Gate
	meter    edge.Meter
	now      func() time.Time
	log      *slog.Logger
	handlers map[string]handler
	buffers  sync.Pool // of readers
	started  time.Time
	runID    string

	life  context.Context // done once the server is closed
	close context.CancelFunc
	work  sync.WaitGroup

	ids      atomic.Int64
	accepted atomic.Int64
	commands atomic.Int64

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[int64]*conn
	counts    map[string]int // of connections, by database and by credential
	port      int
}

// New makes a Server.
func New(cfg Config) *Server {
	cfg.MaxClients = cmp.Or(cfg.MaxClients, DefaultMaxClients)
	cfg.MaxPerDatabase = cmp.Or(cfg.MaxPerDatabase, DefaultMaxPerDatabase)
	cfg.MaxPerCredential = cmp.Or(cfg.MaxPerCredential, DefaultMaxPerCredential)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	s := &Server{
		cfg: cfg, engine: cfg.Engine, gate: gate.New(cfg.Engine, cfg.Verifier), now: cfg.Now, log: cfg.Logger, handlers: handlers(),
		listeners: map[net.Listener]bool{}, conns: map[int64]*conn{}, counts: map[string]int{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.meter = edge.Meter{Recorder: cfg.Meter, Now: s.now}
	s.started = s.now()
	id := make([]byte, 20)
	rand.Read(id) // never fails
	s.runID = hex.EncodeToString(id)
	s.life, s.close = context.WithCancel(context.Background())
	s.work.Go(s.watch)
	return s
}

// Serve serves the connections of a listener, which it closes, until the server is closed. TLS is
// the listener's.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listeners[l] = true
	if addr, ok := l.Addr().(*net.TCPAddr); ok && s.port == 0 {
		s.port = addr.Port
	}
	closed := s.life.Err() != nil
	s.mu.Unlock()
	defer l.Close()
	if closed {
		return nil
	}
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			s.admit(nc)
		case s.life.Err() != nil:
			return nil
		case isTemporary(err):
			time.Sleep(10 * time.Millisecond) // too many open files
		default:
			return fmt.Errorf("accepting a connection of Redis's protocol: %w", err)
		}
	}
}

func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// admit begins to serve a connection, unless there are too many.
func (s *Server) admit(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		nc.Close()
		return
	}
	if len(s.conns) >= s.cfg.MaxClients {
		s.work.Go(func() { turnAway(nc) })
		return
	}
	s.accepted.Add(1)
	c := newConn(s, nc, s.ids.Add(1))
	s.conns[c.id] = c
	s.work.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c.id)
	})
}

// connections are those that there are.
func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		out = append(out, c)
	}
	return out
}

// enter counts a connection that logs in. It reports false if there are too many of its database or its credential.
func (s *Server) enter(l *login) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts[l.database] >= s.cfg.MaxPerDatabase || s.counts[l.credential] >= s.cfg.MaxPerCredential {
		return false
	}
	s.counts[l.database]++
	s.counts[l.credential]++
	return true
}

// leave ends what enter has begun.
func (s *Server) leave(l *login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{l.database, l.credential} {
		if s.counts[name]--; s.counts[name] <= 0 {
			delete(s.counts, name)
		}
	}
}

// watch closes the connections of credentials that were revoked or have expired, whatever they wait for, and of users that
// may not receive any more what they receive.
func (s *Server) watch() {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
		}
		for _, c := range s.connections() {
			l := c.login.Load()
			if l == nil {
				continue
			}
			if grant, err := l.check(s.life); errors.Is(err, gate.ErrRefused) || err == nil && !c.mayHear(grant.Access) {
				c.log.Info("a connection of Redis's protocol is closed", "reason", "its credential is not good any more")
				c.Close()
			}
		}
	}
}

// Close ends the server: it accepts nothing more, what has arrived is carried out, what waits is answered as if
// its time were over, and connections are closed as soon as they have nothing to do. When the context ends, all are.
func (s *Server) Close(ctx context.Context) {
	s.mu.Lock()
	s.close()
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	for _, c := range s.connections() {
		c.drain()
	}
	stop := context.AfterFunc(ctx, func() {
		for _, c := range s.connections() {
			c.Close()
		}
	})
	defer stop()
	s.work.Wait()
}

// info is what INFO tells of the server to a client of a database.
func (s *Server) info(database string) redis.ServerInfo {
	i := redis.ServerInfo{RunID: s.runID, MaxClients: s.cfg.MaxClients, TotalConnections: s.accepted.Load(), TotalCommands: s.commands.Load()}
	if up := s.now().Sub(s.started).Seconds(); up >= 1 {
		i.CommandsPerSec = int64(float64(i.TotalCommands) / up)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i.Port, i.Clients = s.port, s.counts[database]
	for _, c := range s.conns {
		if l := c.login.Load(); l != nil && l.database == database && c.blocked.Load() {
			i.Blocked++
		}
	}
	return i
}
