package deliver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/skystash/skystash/pkg/qstash/deliver"
)

// rawServer is a destination that decides for each request on a connection what to do. It counts
// what it has seen.
type rawServer struct {
	url     string
	mu      sync.Mutex
	conns   int
	started int // requests of which a byte has come
	handled int // requests that were read, to the last byte

	giveUp context.CancelFunc // ends the client's patience, in tests that need it
}

// startRaw serves connections with serve, which gets the number of the connection and of the
// request on it, counted from 1, after the request's first byte has come. The connection is
// closed when serve returns false.
func startRaw(t *testing.T, serve func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{url: "http://" + l.Addr().String()}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.count(&s.conns)
			all.Go(func() {
				defer c.Close()
				stop := make(chan struct{})
				defer close(stop)
				go func() { // so that a connection that is still kept does not hold up the test's end
					select {
					case <-t.Context().Done():
						c.Close()
					case <-stop:
					}
				}()
				r := bufio.NewReader(c)
				for n := 1; ; n++ {
					if _, err := r.Peek(1); err != nil {
						return
					}
					s.count(&s.started)
					if !serve(s, c, r, n) {
						return
					}
				}
			})
		}
	})
	return s
}

func (s *rawServer) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

// answer reads a request and answers it.
func (s *rawServer) answer(c net.Conn, r *bufio.Reader) bool {
	if !s.read(r) {
		return false
	}
	_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	return err == nil
}

func (s *rawServer) read(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err == nil {
		_, err = io.Copy(io.Discard, req.Body)
	}
	if err == nil {
		s.count(&s.handled)
	}
	return err == nil
}

func (s *rawServer) stopWaiting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.giveUp()
}

func (s *rawServer) counts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d connections, %d requests begun, %d handled", s.conns, s.started, s.handled)
}

func TestStaleConnectionsCostNoAttempt(t *testing.T) {
	const sends = 20
	for _, c := range []struct {
		name  string
		body  int // bytes
		serve func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool
		want  string // "": what is seen depends on who is faster
	}{
		{"closed right after an answer", 5, func(s *rawServer, c net.Conn, r *bufio.Reader, _ int) bool {
			s.answer(c, r)
			return false
		}, ""},
		// Every request but the first meets a connection that is kept, or a new one after that.
		{"closed when the next request comes", 5, func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool {
			return request == 1 && s.answer(c, r)
		}, ""},
		{"closed when the next request comes, a long one", 1 << 20, func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool {
			return request == 1 && s.answer(c, r)
		}, ""},
		{"kept", 5, func(s *rawServer, c net.Conn, r *bufio.Reader, _ int) bool { return s.answer(c, r) },
			"1 connections, 20 requests begun, 20 handled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := startRaw(t, c.serve)
			s := deliver.New(deliver.Config{Allow: deliver.Loopback})
			defer s.CloseIdleConnections()
			for i := range sends {
				d := delivery(srv.url)
				d.Body = []byte(strings.Repeat("x", c.body))
				if resp, err := s.Send(t.Context(), d); err != nil || resp.Status != 200 || string(resp.Body) != "ok" {
					t.Errorf("request %d: %d %q, %v", i+1, resp.Status, resp.Body, err)
				}
			}
			if c.want != "" && srv.counts() != c.want {
				t.Errorf("%s, want %s", srv.counts(), c.want)
			}
			if !strings.HasSuffix(srv.counts(), fmt.Sprintf(" %d handled", sends)) {
				t.Errorf("%s: want each handled once", srv.counts())
			}
		})
	}
}

func TestWhatMayHaveArrivedIsNotRepeated(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool
		sends int // before the one that fails
		want  string
	}{
		{"on a new connection", func(s *rawServer, _ net.Conn, r *bufio.Reader, _ int) bool {
			s.read(r)
			return false
		}, 0, "1 connections, 1 requests begun, 1 handled"},
		{"after bytes of an answer", func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool {
			if request == 1 {
				return s.answer(c, r)
			}
			s.read(r)
			io.WriteString(c, "HTTP/1.1 2")
			return false
		}, 1, "1 connections, 2 requests begun, 2 handled"},
		{"after half a body", func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool {
			if request == 1 {
				return s.answer(c, r)
			}
			s.read(r)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
			return false
		}, 1, "1 connections, 2 requests begun, 2 handled"},
		{"when nobody waits any more", func(s *rawServer, c net.Conn, r *bufio.Reader, request int) bool {
			if request == 1 {
				return s.answer(c, r)
			}
			s.read(r)
			s.stopWaiting()
			r.Peek(1) // until the client has closed the connection
			return false
		}, 1, "1 connections, 2 requests begun, 2 handled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := startRaw(t, c.serve)
			s := deliver.New(deliver.Config{Allow: deliver.Loopback})
			defer s.CloseIdleConnections()
			for range c.sends {
				if _, err := s.Send(t.Context(), delivery(srv.url)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			srv.mu.Lock()
			srv.giveUp = cancel
			srv.mu.Unlock()
			if resp, err := s.Send(ctx, delivery(srv.url)); err == nil {
				t.Errorf("answer %d %q", resp.Status, resp.Body)
			}
			if srv.counts() != c.want {
				t.Errorf("%s, want %s", srv.counts(), c.want)
			}
		})
	}
}

// What fails on its own connection too has failed.
func TestStaleConnectionsAreReplacedOnce(t *testing.T) {
	var first sync.Once
	srv := startRaw(t, func(s *rawServer, c net.Conn, r *bufio.Reader, _ int) (kept bool) {
		first.Do(func() { kept = s.answer(c, r) })
		return kept
	})
	s := deliver.New(deliver.Config{Allow: deliver.Loopback})
	if _, err := s.Send(t.Context(), delivery(srv.url)); err != nil {
		t.Fatal(err)
	}
	if resp, err := s.Send(t.Context(), delivery(srv.url)); err == nil {
		t.Errorf("answer %d", resp.Status)
	}
	if want := "2 connections, 3 requests begun, 1 handled"; srv.counts() != want {
		t.Errorf("%s, want %s", srv.counts(), want)
	}
}

func TestIdleConnectionsCanBeGivenUp(t *testing.T) {
	srv := startRaw(t, func(s *rawServer, c net.Conn, r *bufio.Reader, _ int) bool { return s.answer(c, r) })
	s := deliver.New(deliver.Config{Allow: deliver.Loopback})
	for range 2 {
		if _, err := s.Send(t.Context(), delivery(srv.url)); err != nil {
			t.Fatal(err)
		}
		s.CloseIdleConnections()
	}
	if want := "2 connections, 2 requests begun, 2 handled"; srv.counts() != want {
		t.Errorf("%s, want %s", srv.counts(), want)
	}
}
