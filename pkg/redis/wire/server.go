package wire

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/conns"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/redis/stats"
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
	keptBatch     = 16                     // of them, those whose room is kept by a connection that is idle
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

	MaxClients       int          // connections, half of them before a login; 0: DefaultMaxClients
	MaxPerDatabase   int          // of them, those of one database; 0: DefaultMaxPerDatabase
	MaxPerCredential int          // of them, those of one credential; 0: DefaultMaxPerCredential
	Outputs          OutputLimits // of what waits to be sent to a client; zero: DefaultOutputLimits
	MaxMemory        int          // bytes that all connections may hold together for requests, replies and messages; 0: DefaultMaxMemory

	DrainTime time.Duration // over which Close spreads the ends of connections; 0: conns.DefaultDrainTime
	IdleTime  time.Duration // after which a connection is closed that sends nothing; 0: never
	Timeout   time.Duration // of a command, but for the time that it waits and those before it; 0: DefaultTimeout

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
	handlers []handler // by the numbers of commands
	pauses   pauses
	buffers  bufferPools
	started  time.Time
	runID    string

	conns    *conns.Set[*conn]
	ids      atomic.Int64
	accepted atomic.Int64
	port     atomic.Int64

	slow  slowLogs
	stats *stats.Book

	held    atomic.Int64  // bytes that connections hold, but for messages that wait in subscriptions
	crowded chan struct{} // they hold too much
	cutOff  atomic.Int64  // connections that were closed because of an output limit
	evicted atomic.Int64  // and because all of them held too much, or those of an account

	sharing sync.Mutex
	shares  map[string]*share // by accounts, "" for strangers: those with connections

	life  context.Context // done when the server is closed
	stop  context.CancelFunc
	looks sync.WaitGroup
}

// New makes a Server.
func New(cfg Config) *Server {
	cfg.MaxClients = cmp.Or(cfg.MaxClients, DefaultMaxClients)
	cfg.MaxPerDatabase = cmp.Or(cfg.MaxPerDatabase, DefaultMaxPerDatabase)
	cfg.MaxPerCredential = cmp.Or(cfg.MaxPerCredential, DefaultMaxPerCredential)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	cfg.Outputs = cmp.Or(cfg.Outputs, DefaultOutputLimits)
	cfg.MaxMemory = cmp.Or(cfg.MaxMemory, DefaultMaxMemory)
	s := &Server{
		cfg: cfg, engine: cfg.Engine, gate: gate.New(cfg.Engine, cfg.Verifier), now: cfg.Now, log: cfg.Logger, handlers: byCommand(cfg.Engine),
		crowded: make(chan struct{}, 1), shares: map[string]*share{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.stats = stats.NewBook(s.engine.CommandCount(), s.now)
	s.meter = edge.Meter{Recorder: cfg.Meter, Now: s.now}
	s.started = s.now()
	id := make([]byte, 20)
	rand.Read(id) // never fails
	s.runID = hex.EncodeToString(id)
	s.slow.least.Store(slowerThan.Microseconds())
	s.conns = conns.New(conns.Config[*conn]{
		Protocol: "Redis's protocol", Limit: cfg.MaxClients, Strangers: (cfg.MaxClients + 1) / 2, Refuse: turnAway, CheckEvery: checkEvery, DrainTime: cfg.DrainTime, Logger: s.log,
	})
	s.life, s.stop = context.WithCancel(context.Background())
	s.looks.Go(s.watchMemory)
	return s
}

// Serve serves the connections of a listener, which it closes, until the server is drained. TLS is
// the listener's.
func (s *Server) Serve(l net.Listener) error {
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		s.port.CompareAndSwap(0, int64(addr.Port))
	}
	return s.conns.Serve(l, func(nc net.Conn) *conn {
		s.accepted.Add(1)
		return newConn(s, nc, s.ids.Add(1))
	})
}

// Clients are the connections that there are, and those that there have been with them.
func (s *Server) Clients() (open int, total uint64) { return s.conns.Clients() }

// enter counts a connection that has logged in, or has logged out if l is nil. It reports false if there are too many of the
// login's database or credential.
func (s *Server) enter(c *conn, l *login) bool {
	if l == nil {
		c.belong("")
		return s.conns.Enter(c)
	}
	if !s.conns.Enter(c, conns.Quota{Name: l.database, Limit: s.cfg.MaxPerDatabase}, conns.Quota{Name: l.credential, Limit: s.cfg.MaxPerCredential}) {
		return false
	}
	c.belong(l.account)
	return true
}

// Drain accepts nothing more and makes all connections end, spread over Config.DrainTime: each is served as always until its turn
// comes. Then what has arrived is carried out, and what waits is answered as if its time were over. Drain returns when all
// connections know that, or the context ends.
func (s *Server) Drain(ctx context.Context) { s.conns.Drain(ctx) }

// Close drains the server and waits until all connections have ended. When the context ends, they are closed.
func (s *Server) Close(ctx context.Context) {
	s.conns.Close(ctx)
	s.stop()
	s.looks.Wait()
}

// info is what INFO tells of the server to a client with some login.
func (s *Server) info(l *login) redis.ServerInfo {
	database, rates := l.database, l.stats.Rates()
	i := redis.ServerInfo{RunID: s.runID, MaxClients: s.cfg.MaxClients, TotalConnections: s.accepted.Load(), TotalCommands: l.stats.Calls(),
		HeldBytes: s.held.Load(), EvictedClients: s.evicted.Load(), SlowClients: s.cutOff.Load(),
		CommandsPerSec: int64(rates.Commands), NetInput: l.stats.BytesIn.Load(), NetOutput: l.stats.BytesOut.Load(),
		InputRate: rates.BytesIn, OutputRate: rates.BytesOut, ErrorReplies: l.stats.Failures(), Hits: l.stats.Hits.Load(), Misses: l.stats.Misses.Load(),
		Listening: func() (channels, patterns, shards int) { return s.listening(database) }, Section: l.stats.Section, ResetStat: l.stats.Reset,
		Parameters: slices.Concat(s.slow.settings(database), l.stats.Settings(),
			[][2]string{{"client-output-buffer-limit", s.cfg.Outputs.String()}, {"maxmemory-clients", strconv.Itoa(s.cfg.MaxMemory)}}),
		Set: func(name, value string) (bool, error) {
			if known, err := s.slow.set(database, name, value); known {
				return true, err
			}
			return l.stats.Set(name, value)
		},
	}
	i.Port, i.Clients = int(s.port.Load()), s.conns.Count(database)
	for _, c := range s.conns.All() {
		if l := c.login.Load(); l != nil && l.database == database {
			if c.blocked.Load() {
				i.Blocked++
			}
			if c.isPubSub() {
				i.Subscribers++
			}
		}
	}
	return i
}

// listening counts the different names that connections of a database are subscribed to.
func (s *Server) listening(database string) (channels, patterns, shards int) {
	type name struct {
		kind int
		name string
	}
	known := map[name]bool{}
	var counts [3]int
	for _, c := range s.conns.All() {
		if l := c.login.Load(); l == nil || l.database != database {
			continue
		}
		c.seen.mu.Lock()
		lists := [3][]string{c.seen.channels, c.seen.patterns, c.seen.shards}
		c.seen.mu.Unlock()
		for kind, list := range lists {
			for _, n := range list {
				if !known[name{kind, n}] {
					known[name{kind, n}] = true
					counts[kind]++
				}
			}
		}
	}
	return counts[0], counts[1], counts[2]
}
