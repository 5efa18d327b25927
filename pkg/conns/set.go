package conns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Member is a connection of a Set.
type Member interface {
	comparable

	// Serve serves the connection until it ends, and closes it.
	Serve()
	// IsRevoked reports whether the credential that the client has logged in with is not good any more.
	IsRevoked(context.Context) bool

	// Drain and Close are those of Conn.
	Drain()
	Close()
}

const (
	// DefaultDrainTime is the time over which Drain spreads the ends of connections.
	DefaultDrainTime = 20 * time.Second
	// drainPause is between two of them, unless there are so many that it has to be shorter.
	drainPause = 2 * time.Millisecond
	// maxRefusing is how many clients are told at the same time that they are one too many. Further ones are told nothing.
	maxRefusing = 100
	// acceptPause is how long no connection is accepted after too many files were open.
	acceptPause = 10 * time.Millisecond
)

// Config is what a Set is made of.
type Config[M Member] struct {
	Protocol string // as errors and the log name it, such as "Redis's protocol"

	Limit     int            // of connections
	Strangers int            // of them, those that have not logged in; 0: Limit
	Refuse    func(net.Conn) // tells a client that it is one too many, in a bounded time; nil: nothing is said

	CheckEvery time.Duration // how often the credentials of all connections are checked
	DrainTime  time.Duration // that Drain takes at most; 0: DefaultDrainTime

	Logger *slog.Logger // nil: slog.Default
}

// Quota is a name that connections are counted under, and the number of them that there may be.
type Quota struct {
	Name  string
	Limit int
}

// Set keeps connections. It is safe for concurrent use, and must be closed.
type Set[M Member] struct {
	cfg Config[M]
	log *slog.Logger

	life  context.Context // done when the set is closing
	close context.CancelFunc
	work  sync.WaitGroup

	drained    context.Context // done when all connections know that they shall end
	setDrained context.CancelFunc

	mu        sync.Mutex
	listeners map[net.Listener]bool
	members   map[M][]Quota // what each is counted under; nil: it has not logged in
	strangers int
	counts    map[string]int // by the names of quotas
	admitted  uint64
	refusing  int
	refused   int // since the last look
}

// New makes a Set.
func New[M Member](cfg Config[M]) *Set[M] {
	cfg.DrainTime = cmp.Or(cfg.DrainTime, DefaultDrainTime)
	cfg.Strangers = cmp.Or(cfg.Strangers, cfg.Limit)
	s := &Set[M]{
		cfg: cfg, log: cfg.Logger,
		listeners: map[net.Listener]bool{}, members: map[M][]Quota{}, counts: map[string]int{},
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.life, s.close = context.WithCancel(context.Background())         // #nosec G118 -- stopListening calls it
	s.drained, s.setDrained = context.WithCancel(context.Background()) // #nosec G118 -- Drain does
	s.work.Go(s.watch)
	return s
}

// Serve serves the connections of a listener, which it closes, until the set is drained. open makes a
// connection's member. It must not call the set.
func (s *Set[M]) Serve(l net.Listener, open func(net.Conn) M) error {
	defer l.Close()
	if !s.listen(l) {
		return nil
	}
	for {
		nc, err := l.Accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			s.admit(nc, open)
		case s.life.Err() != nil:
			return nil
		case errors.As(err, &temporary) && temporary.Temporary():
			select {
			case <-time.After(acceptPause):
			case <-s.life.Done():
			}
		default:
			return fmt.Errorf("accepting a connection of %s: %w", s.cfg.Protocol, err)
		}
	}
}

// listen notes a listener that is closed when the set is drained; false: it already is.
func (s *Set[M]) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = true
	return s.life.Err() == nil
}

// admit begins to serve a connection, unless there are too many.
func (s *Set[M]) admit(nc net.Conn, open func(net.Conn) M) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.life.Err() != nil:
		nc.Close()
		return
	case len(s.members) >= s.cfg.Limit || s.strangers >= s.cfg.Strangers:
		s.refuse(nc)
		return
	}
	m := open(nc)
	s.members[m] = nil
	s.admitted++
	s.strangers++
	s.work.Go(func() {
		defer s.remove(m)
		m.Serve()
	})
}

// refuse ends a connection that is one too many. The caller holds mu.
func (s *Set[M]) refuse(nc net.Conn) {
	s.refused++
	if s.cfg.Refuse == nil || s.refusing >= maxRefusing {
		nc.Close()
		return
	}
	s.refusing++
	s.work.Go(func() {
		s.cfg.Refuse(nc)
		nc.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refusing--
	})
}

// remove forgets a connection that has ended.
func (s *Set[M]) remove(m M) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(m, nil)
	s.strangers--
	delete(s.members, m)
}

// Enter counts a connection under the names of who has logged in, instead of those that it was counted under
// before. Without any the connection is a stranger's again. Enter reports false, and changes nothing, if there
// are as many connections under one of the names as there may be.
func (s *Set[M]) Enter(m M, quotas ...Quota) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.members[m]
	if !ok {
		return false
	}
	s.count(m, nil)
	for _, q := range quotas {
		if s.counts[q.Name] >= q.Limit {
			s.count(m, old)
			return false
		}
	}
	s.count(m, quotas)
	return true
}

// count changes what a connection is counted under. The caller holds mu.
func (s *Set[M]) count(m M, quotas []Quota) {
	old := s.members[m]
	for _, q := range old {
		if s.counts[q.Name]--; s.counts[q.Name] == 0 {
			delete(s.counts, q.Name)
		}
	}
	for _, q := range quotas {
		s.counts[q.Name]++
	}
	if len(old) > 0 {
		s.strangers++
	}
	if len(quotas) > 0 {
		s.strangers--
	}
	s.members[m] = quotas
}

// Count is the number of connections that are counted under a name.
func (s *Set[M]) Count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[name]
}

// Len is the number of all connections.
func (s *Set[M]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members)
}

// Clients are the connections that there are, and those that there have been with them.
func (s *Set[M]) Clients() (open int, total uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members), s.admitted
}

// All are the connections that there are, in no order.
func (s *Set[M]) All() []M {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]M, 0, len(s.members))
	for m := range s.members {
		out = append(out, m)
	}
	return out
}

// Each calls f with each connection, in no order. f must not call the set, and should be short: no connection begins or ends
// meanwhile.
func (s *Set[M]) Each(f func(M)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for m := range s.members {
		f(m)
	}
}

// known are the connections that have logged in.
func (s *Set[M]) known() []M {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]M, 0, len(s.members)-s.strangers)
	for m, quotas := range s.members {
		if len(quotas) > 0 {
			out = append(out, m)
		}
	}
	return out
}

// watch closes the connections of credentials that were revoked or have expired, whatever they wait for. It
// goes on while connections are drained.
func (s *Set[M]) watch() {
	tick := time.NewTicker(s.cfg.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.drained.Done():
			return
		case <-tick.C:
		}
		s.tellRefused()
		for _, m := range s.known() {
			if m.IsRevoked(s.drained) {
				s.log.Info("a connection of "+s.cfg.Protocol+" is closed", "reason", "its credential is not good any more")
				m.Close()
			}
		}
	}
}

// tellRefused logs how many connections were refused since its last call.
func (s *Set[M]) tellRefused() {
	s.mu.Lock()
	refused, all, strangers := s.refused, len(s.members), s.strangers
	s.refused = 0
	s.mu.Unlock()
	if refused > 0 {
		s.log.Warn("connections of "+s.cfg.Protocol+" were refused", "refused", refused, "connections", all, "strangers", strangers)
	}
}

// Drain accepts nothing more and makes all connections end, one after the other: each once it has nothing to
// do. It returns when all know that, but does not wait for their ends. When the context ends, those that are left
// are told at once. Each further call waits for the first.
func (s *Set[M]) Drain(ctx context.Context) {
	if !s.stopListening() {
		select {
		case <-s.drained.Done():
		case <-ctx.Done():
		}
		return
	}
	defer s.setDrained()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.DrainTime)
	defer cancel()
	all := s.All()
	tick := time.NewTicker(max(1, min(drainPause, s.cfg.DrainTime/time.Duration(max(1, len(all))))))
	defer tick.Stop()
	for _, m := range all {
		m.Drain()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// stopListening accepts nothing more. It reports whether it is the first call.
func (s *Set[M]) stopListening() (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.life.Err() == nil
	s.close()
	for l := range s.listeners {
		l.Close()
	}
	return first
}

// Close drains the set and waits until all connections have ended. When the context ends, they are closed.
func (s *Set[M]) Close(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		for _, m := range s.All() {
			m.Close()
		}
	})
	defer stop()
	s.Drain(ctx)
	s.work.Wait()
}
