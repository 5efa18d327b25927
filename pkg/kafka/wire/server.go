package wire

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/meter"
)

// Limits of connections.
const (
	maxConnections = 5000
	maxStrangers   = 500  // of them, those that have not authenticated
	maxPerCluster  = 2000 // of them, those of one cluster
	strangerTime   = 10 * time.Second
	idleTime       = 10 * time.Minute
	bodyTime       = 30 * time.Second // from the beginning of a request to its end
	writeTime      = 30 * time.Second
	failureTime    = time.Second     // that a failed authentication takes
	checkEvery     = 3 * time.Second // that idle connections are looked at
	answerMemory   = 256 << 20       // bytes that the answers of all connections share
	maxAnswer      = 16 << 20
	minAnswer      = 64 << 10
)

// Config is what a Server is made of.
type Config struct {
	Engine   *kafka.Engine
	Verifier access.Verifier

	Meter  meter.Recorder   // is told what each request has used; nil: nobody is
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
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

	life  context.Context // done once the server is closed
	close context.CancelFunc
	work  sync.WaitGroup

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	memories  map[string]*semaphore.Weighted // by cluster: clusterMemory
	strangers atomic.Int64
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{
		engine: cfg.Engine, gate: access.Gate{Engine: cfg.Engine, Verifier: cfg.Verifier}, now: cfg.Now, log: cfg.Logger,
		memory: semaphore.NewWeighted(requestMemory), decoding: semaphore.NewWeighted(decodeMemory), memories: map[string]*semaphore.Weighted{}, listeners: map[net.Listener]bool{}, conns: map[*conn]bool{},
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
	s.life, s.close = context.WithCancel(context.Background())
	s.work.Go(s.watch)
	return s
}

// Address is where clients reach a listener. Metadata tells them.
type Address struct {
	Host string
	Port int32
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
	return Address{host, int32(n)}, nil
}

// Serve serves the connections of a listener, which it closes, until the server is closed.
func (s *Server) Serve(l net.Listener, advertised Address) error {
	s.mu.Lock()
	s.listeners[l] = true
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
		case s.life.Err() != nil:
			return nil
		case isTemporary(err):
			time.Sleep(10 * time.Millisecond) // too many open files
			continue
		default:
			return fmt.Errorf("accepting a connection of Kafka's protocol: %w", err)
		}
		c, err := s.admit(nc, advertised)
		if err != nil {
			s.log.Warn("a connection of Kafka's protocol is refused", "error", err)
			nc.Close()
			continue
		}
		if c == nil {
			nc.Close()
			return nil
		}
	}
}

func isTemporary(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary()
}

// admit begins to serve a connection; nil: the server is closed.
func (s *Server) admit(nc net.Conn, advertised Address) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.life.Err() != nil:
		return nil, nil
	case len(s.conns) >= maxConnections:
		return nil, fmt.Errorf("there are %d connections already", len(s.conns))
	case s.strangers.Load() >= maxStrangers:
		return nil, fmt.Errorf("there are %d connections already that have not authenticated", maxStrangers)
	}
	c := newConn(s, nc, advertised)
	s.conns[c] = true
	s.strangers.Add(1)
	s.work.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
	return c, nil
}

// share is how many bytes of answers a connection may have.
func (s *Server) share() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(minAnswer, min(maxAnswer, answerMemory/max(1, len(s.conns))))
}

// memoryOf is what the requests of a cluster may take.
func (s *Server) memoryOf(cluster string) *semaphore.Weighted {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memories[cluster] == nil {
		s.memories[cluster] = semaphore.NewWeighted(clusterMemory)
	}
	return s.memories[cluster]
}

// connections are those that there are.
func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}

// countCluster counts the connections of a cluster.
func (s *Server) countCluster(id string) (n int) {
	for _, c := range s.connections() {
		if g := c.grant.Load(); g != nil && g.Claims.Resource == id {
			n++
		}
	}
	return n
}

// watch closes the connections of credentials that were revoked or have expired, whatever they wait for.
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
			if c.grant.Load() == nil {
				continue
			}
			if _, err := c.authorize(s.life); errors.Is(err, access.ErrRefused) {
				c.log.Info("a connection of Kafka's protocol is closed", "reason", "its credential is not good any more")
				c.Close()
			}
		}
	}
}

// Close ends the server: what waits is answered as if its time were over, requests under way have until the
// context ends, and then all connections are closed.
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
