package wire

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/skystash/skystash/pkg/conns"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/meter"
)

// Limits of connections.
const (
	maxConnections   = 5000
	maxStrangers     = 500  // of them, those that have not authenticated
	maxPerCluster    = 2000 // of them, those of one cluster
	maxPerCredential = 1000 // of them, those of one credential
	strangerTime     = 10 * time.Second
	idleTime         = 10 * time.Minute
	bodyTime         = 30 * time.Second // from the beginning of a request to its end
	writeTime        = 30 * time.Second
	failureTime      = time.Second     // that a failed authentication takes
	checkEvery       = 3 * time.Second // that idle connections are looked at
	answerMemory     = 256 << 20       // bytes that the answers of all connections share
	maxAnswer        = 16 << 20
	minAnswer        = 64 << 10
)

// Config is what a Server is made of.
type Config struct {
	Engine   *kafka.Engine
	Verifier access.Verifier

	Meter  meter.Recorder   // is told what each request has used; nil: nobody is
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default

	MaxPerCredential int            // connections of one credential; 0: 1,000
	Gateway          *kafka.Gateway // as others name this process, for whom somebody keeps its slot; nil: clients are told of no other process
	DrainTime        time.Duration  // over which Close spreads the ends of connections; 0: conns.DefaultDrainTime
}

// Server serves the protocol. It is safe for concurrent use.
type Server struct {
	engine   *kafka.Engine
	gate     access.Gate
	meter    edge.Meter
	now      func() time.Time
	log      *slog.Logger
	apis     []api
	table    [maxKey]*api        // by key
	memory   *semaphore.Weighted // requestMemory
	decoding *semaphore.Weighted // decodeMemory
	secret   []byte              // see saltOf
	gateway  *kafka.Gateway

	conns         *conns.Set[*conn]
	perCredential int

	strangers *share // what those have together who have not authenticated

	mu     sync.Mutex
	shares map[string]*share // see shareOf
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{
		engine: cfg.Engine, gate: access.Gate{Engine: cfg.Engine, Verifier: cfg.Verifier}, now: cfg.Now, log: cfg.Logger,
		memory: semaphore.NewWeighted(requestMemory), decoding: semaphore.NewWeighted(decodeMemory),
		strangers: &share{decoding: semaphore.NewWeighted(strangerDecode)}, shares: map[string]*share{},
		perCredential: cmp.Or(cfg.MaxPerCredential, maxPerCredential), gateway: cfg.Gateway,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.meter = edge.Meter{Recorder: cfg.Meter, Now: s.now}
	s.apis = apis()
	for i := range s.apis {
		s.table[s.apis[i].key] = &s.apis[i]
	}
	s.secret = []byte(rand.Text())
	s.conns = conns.New(conns.Config[*conn]{
		Protocol: "Kafka's protocol", Limit: maxConnections, Strangers: maxStrangers,
		CheckEvery: checkEvery, DrainTime: cfg.DrainTime, Logger: s.log,
	})
	return s
}

// Address is where clients reach a listener. Metadata tells them.
type Address struct {
	Host string
	Port int32
	TLS  bool // the listener is one of TLS: its clients are told of other gateways' listeners of TLS
}

// AddressOf reads a host and port.
func AddressOf(hostport string) (Address, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return Address{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Address{}, fmt.Errorf("port %q: %w", port, err)
	}
	return Address{Host: host, Port: int32(n)}, nil
}

// Serve serves the connections of a listener, which it closes, until the server is drained.
func (s *Server) Serve(l net.Listener, advertised Address) error {
	return s.conns.Serve(l, func(nc net.Conn) *conn { return newConn(s, nc, advertised) })
}

// Clients are the connections that there are, and those that there have been with them.
func (s *Server) Clients() (open int, total uint64) { return s.conns.Clients() }

// answerBytes is how many bytes of answers a connection may have.
func (s *Server) answerBytes() int {
	return max(minAnswer, min(maxAnswer, answerMemory/max(1, s.conns.Len())))
}

// Drain accepts nothing more and makes all connections end, spread over Config.DrainTime: each is served as always until its turn
// comes. Then the requests that were read are answered, and it is closed. Drain returns when all connections know that, or the
// context ends. What waits, such as a member that joins its group, waits until the engine is closed.
func (s *Server) Drain(ctx context.Context) { s.conns.Drain(ctx) }

// Close drains the server and waits until all connections have ended. When the context ends, they are closed.
func (s *Server) Close(ctx context.Context) { s.conns.Close(ctx) }
