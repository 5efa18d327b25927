package conns_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/conns"
)

// echo is a member that answers each line by the same line, after a while if the line is a duration.
type echo struct {
	*conns.Conn
	revoked atomic.Bool
}

func (e *echo) IsRevoked(context.Context) bool { return e.revoked.Load() }

func (e *echo) Serve() {
	defer e.Close()
	r := bufio.NewReader(e.Net)
	for e.ReadUntil(time.Time{}) == nil {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if d, err := time.ParseDuration(line[:len(line)-1]); err == nil {
			select {
			case <-time.After(d):
			case <-e.Life.Done():
			}
		}
		if _, err := io.WriteString(e.Net, line); err != nil {
			return
		}
	}
}

// pipes is a listener of connections within the process.
type pipes struct {
	arrive chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{arrive: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.arrive:
		return nc, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// server is a set of echoes.
type server struct {
	*testing.T
	*conns.Set[*echo]
	pipes   *pipes
	mu      sync.Mutex
	members []*echo
	served  chan error
}

func serve(t *testing.T, change func(*conns.Config[*echo])) *server {
	cfg := conns.Config[*echo]{Protocol: "echo's protocol", Limit: 1000, CheckEvery: time.Second}
	if change != nil {
		change(&cfg)
	}
	s := &server{T: t, Set: conns.New(cfg), pipes: newPipes(), served: make(chan error, 1)}
	go func() { s.served <- s.Serve(s.pipes, s.open) }()
	return s
}

func (s *server) open(nc net.Conn) *echo {
	e := &echo{Conn: conns.NewConn(nc)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members = append(s.members, e)
	return e
}

// dial returns once the connection was accepted.
func (s *server) dial() net.Conn {
	client, theirs := net.Pipe()
	s.pipes.arrive <- theirs
	synctest.Wait()
	return client
}

// says reads everything that the server sends until it closes the connection.
func (s *server) says(nc net.Conn) string {
	s.Helper()
	text, err := io.ReadAll(nc)
	if err != nil {
		s.Error(err)
	}
	return string(text)
}

func (s *server) speaks(nc net.Conn, line string) {
	s.Helper()
	got := make([]byte, len(line))
	if _, err := io.WriteString(nc, line); err != nil {
		s.Error(err)
	} else if _, err := io.ReadFull(nc, got); err != nil || string(got) != line {
		s.Errorf("got %q, %v, want %q", got, err, line)
	}
}

// end closes the set within a time, and returns how long that has taken.
func (s *server) end(within time.Duration) time.Duration {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	began := time.Now()
	s.Close(ctx)
	if err := <-s.served; err != nil {
		s.Error(err)
	}
	if n := s.Len(); n != 0 {
		s.Errorf("%d connections are left", n)
	}
	return time.Since(began)
}

func TestConnectionsBeyondTheLimitAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(c *conns.Config[*echo]) {
			c.Limit = 2
			c.Refuse = func(nc net.Conn) { _, _ = io.WriteString(nc, "one too many") }
		})
		first, second := s.dial(), s.dial()
		if got := s.says(s.dial()); got != "one too many" {
			t.Errorf("the third was told %q", got)
		}
		s.speaks(first, "one\n")
		s.speaks(second, "two\n")
		first.Close()
		synctest.Wait()
		s.speaks(s.dial(), "three\n")
		s.end(time.Minute)
	})
}

func TestStrangersBeyondTheirLimitAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(c *conns.Config[*echo]) { c.Strangers = 1 })
		s.dial()
		if got := s.says(s.dial()); got != "" {
			t.Errorf("a second stranger was told %q", got)
		}
		if !s.Enter(s.members[0], conns.Quota{Name: "a", Limit: 10}) {
			t.Error("the first may not log in")
		}
		s.speaks(s.dial(), "hello\n")
		if !s.Enter(s.members[0]) {
			t.Error("the first may not log out")
		}
		s.members[1].Close()
		synctest.Wait()
		if got := s.says(s.dial()); got != "" {
			t.Errorf("after a logout, a second stranger was told %q", got)
		}
		s.end(time.Minute)
	})
}

func TestConnectionsAreCountedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, nil)
		for range 3 {
			s.dial()
		}
		database, alice, bob := conns.Quota{Name: "database", Limit: 2}, conns.Quota{Name: "alice", Limit: 1}, conns.Quota{Name: "bob", Limit: 1}
		counts := func(wantDatabase, wantAlice, wantBob int) {
			t.Helper()
			if d, a, b := s.Count("database"), s.Count("alice"), s.Count("bob"); d != wantDatabase || a != wantAlice || b != wantBob {
				t.Errorf("counted %d, %d, %d, want %d, %d, %d", d, a, b, wantDatabase, wantAlice, wantBob)
			}
		}
		for i, tt := range []struct {
			member                           int
			quotas                           []conns.Quota
			ok                               bool
			wantDatabase, wantAlice, wantBob int
		}{
			{0, []conns.Quota{database, alice}, true, 1, 1, 0},
			{0, []conns.Quota{database, alice}, true, 1, 1, 0}, // it takes its own place
			{1, []conns.Quota{database, alice}, false, 1, 1, 0},
			{1, []conns.Quota{database, bob}, true, 2, 1, 1},
			{2, []conns.Quota{database}, false, 2, 1, 1},
			{1, []conns.Quota{database, alice}, false, 2, 1, 1}, // it keeps what it has
			{0, nil, true, 1, 0, 1},
			{1, []conns.Quota{database, alice}, true, 1, 1, 0},
		} {
			if ok := s.Enter(s.members[tt.member], tt.quotas...); ok != tt.ok {
				t.Errorf("step %d: %v", i, ok)
			}
			counts(tt.wantDatabase, tt.wantAlice, tt.wantBob)
		}
		s.members[1].Close()
		synctest.Wait()
		counts(0, 0, 0)
		if s.Enter(s.members[1], database) {
			t.Error("a connection that has ended is counted")
		}
		s.end(time.Minute)
	})
}

func TestConnectionsOfRevokedCredentialsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, nil)
		bad, good, stranger := s.dial(), s.dial(), s.dial()
		for i, m := range s.members {
			m.revoked.Store(i != 1)
		}
		for _, m := range s.members[:2] {
			s.Enter(m, conns.Quota{Name: "a", Limit: 10})
		}
		began := time.Now()
		s.says(bad)
		if d := time.Since(began); d > time.Second {
			t.Errorf("it was closed after %v", d)
		}
		s.speaks(good, "still here\n")
		s.speaks(stranger, "still here\n")
		s.end(time.Minute)
	})
}

func TestDrainSpreadsTheEndsOfConnections(t *testing.T) {
	for _, tt := range []struct {
		connections int
		drainTime   time.Duration
		want        time.Duration
	}{
		{1, 0, 2 * time.Millisecond},
		{100, 0, 200 * time.Millisecond}, // 500 a second
		{100, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d in %v", tt.connections, tt.drainTime), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, func(c *conns.Config[*echo]) { c.DrainTime = tt.drainTime })
				var clients []net.Conn
				for range tt.connections {
					clients = append(clients, s.dial())
				}
				began := time.Now()
				var ends sync.Map
				var reading sync.WaitGroup
				for _, nc := range clients {
					reading.Go(func() {
						s.says(nc)
						n, _ := ends.LoadOrStore(time.Since(began), new(atomic.Int64))
						n.(*atomic.Int64).Add(1)
					})
				}
				if d := s.end(time.Hour); d > tt.want || d < tt.want/2 {
					t.Errorf("it took %v, want %v", d, tt.want)
				}
				reading.Wait()
				for at, n := range ends.Range {
					if n := n.(*atomic.Int64).Load(); n > 2 {
						t.Errorf("%d connections ended at %v", n, at)
					}
				}
			})
		})
	}
}

func TestConnectionsAreServedUntilTheirTurnAndFinishWhatTheyHaveRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, nil)
		busy, endless := s.dial(), s.dial()
		for nc, line := range map[net.Conn]string{busy: "3s\n", endless: "10h\n"} {
			if _, err := io.WriteString(nc, line); err != nil {
				t.Fatal(err)
			}
		}
		said := make(chan string, 2)
		go func() { said <- s.says(busy) }()
		go func() {
			text, _ := io.ReadAll(endless)
			said <- string(text)
		}()
		if d := s.end(time.Minute); d != time.Minute {
			t.Errorf("it took %v", d)
		}
		if got := <-said; got != "3s\n" {
			t.Errorf("the busy one was told %q", got)
		}
		if got := <-said; got != "" {
			t.Errorf("the endless one was told %q", got)
		}
	})
}

func TestRevokedCredentialsAreLookedAtWhileConnectionsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, func(c *conns.Config[*echo]) { c.DrainTime = time.Hour })
		for range 1000 {
			s.dial()
		}
		last := make(chan time.Time, len(s.members))
		for _, m := range s.members {
			s.Enter(m, conns.Quota{Name: "a", Limit: 1000})
			context.AfterFunc(m.Life, func() { last <- time.Now() })
		}
		began := time.Now()
		for _, m := range s.members {
			m.revoked.Store(true)
		}
		s.end(time.Hour)
		for range s.members {
			if d := (<-last).Sub(began); d > time.Second {
				t.Errorf("one was closed after %v", d)
			}
		}
	})
}

func TestCloseTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, nil)
		nc := s.dial()
		if _, err := io.WriteString(nc, "10h\n"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var closing sync.WaitGroup
		for _, within := range []time.Duration{time.Hour, time.Minute} {
			closing.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), within)
				defer cancel()
				s.Close(ctx)
			})
		}
		closing.Wait()
		if d := time.Since(began); d != time.Minute {
			t.Errorf("it took %v, and the more impatient one wanted a minute", d)
		}
		s.end(time.Hour)
		late := newPipes()
		if err := s.Serve(late, s.open); err != nil {
			t.Error(err)
		}
		if _, err := late.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("a listener that comes too late is not closed")
		}
	})
}

func TestReadingEndsWhenDrainComesBetween(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	c := conns.NewConn(server)
	defer c.Close()
	c.Drain()
	if err := c.ReadUntil(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
}

// Clients connect and talk, over TCP, while the set is closed.
func TestCloseWhileConnectionsCome(t *testing.T) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &server{T: t, Set: conns.New(conns.Config[*echo]{Protocol: "echo's protocol", Limit: 1000, CheckEvery: time.Millisecond, DrainTime: time.Millisecond}), served: make(chan error, 1)}
		go func() { s.served <- s.Serve(l, s.open) }()
		var clients sync.WaitGroup
		talked := make(chan struct{}, 8)
		for range cap(talked) {
			clients.Go(func() {
				for n := 0; ; n++ {
					nc, err := net.Dial("tcp", l.Addr().String())
					if err != nil {
						return
					}
					_, _ = io.WriteString(nc, "x\n")
					_, err = bufio.NewReader(nc).ReadString('\n')
					nc.Close()
					if err == nil && n == 0 {
						talked <- struct{}{}
					}
				}
			})
		}
		for range cap(talked) {
			<-talked
		}
		s.end(time.Minute)
		clients.Wait()
	}
}
