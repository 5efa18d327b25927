// Package dynamotls stands between a function's process and DynamoDB Local, and speaks TLS as
// DynamoDB does: for tests and benchmarks that count handshakes, each of which takes two round trips
// and some computing before a cold function's first answer.
package dynamotls

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Counts are what a server has seen.
type Counts struct {
	Connections int      // that were accepted
	Handshakes  int      // of TLS, that were begun
	Calls       []string // names of operations, such as GetItem, in their order
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	target *url.URL
	env    []string

	mu      sync.Mutex
	counts  Counts
	answers map[string]answer // nil: calls are not remembered
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// Start starts a server on loopback in front of another one, which it stops with the test.
func Start(t testing.TB, target string) *Server {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{target: to}
	front := httptest.NewUnstartedServer(s)
	front.TLS = &tls.Config{
		NextProtos: []string{"http/1.1"}, // all that DynamoDB speaks
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.counts.Handshakes++
			return nil, nil
		},
	}
	front.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.counts.Connections++
		}
	}
	front.StartTLS()
	t.Cleanup(front.Close)
	certificate := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(certificate, block, 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"DYNAMODB_ENDPOINT=" + front.URL, "SSL_CERT_FILE=" + certificate}
	return s
}

// Env is what a process needs in its environment to call the server and to trust it.
func (s *Server) Env() []string { return s.env }

// Take returns what the server has seen since the last time.
func (s *Server) Take() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	s.counts = Counts{}
	return c
}

// Remember makes the server answer by itself what it was asked before, so that a benchmark does not
// measure DynamoDB Local. It must not be asked to write.
func (s *Server) Remember() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = map[string]answer{}
}

// ServeHTTP passes a call on, or answers it from memory.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call := operation + string(body)
	s.mu.Lock()
	s.counts.Calls = append(s.counts.Calls, operation)
	known, ok := s.answers[call]
	s.mu.Unlock()
	if !ok {
		if known, err = s.ask(r, body); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		s.mu.Lock()
		if s.answers != nil {
			s.answers[call] = known
		}
		s.mu.Unlock()
	}
	for name, values := range known.header {
		w.Header()[name] = values
	}
	w.WriteHeader(known.status)
	_, _ = w.Write(known.body)
}

func (s *Server) ask(r *http.Request, body []byte) (answer, error) {
	to, err := http.NewRequestWithContext(r.Context(), r.Method, s.target.JoinPath(r.URL.Path).String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	to.Header = r.Header.Clone()
	to.Header.Del("Accept-Encoding")
	resp, err := http.DefaultClient.Do(to)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, got}, err
}
