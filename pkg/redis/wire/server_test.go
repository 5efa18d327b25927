package wire_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp/resptest"
	"github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/tokentest"
)

// testTimeout is longer than anything takes that works.
const testTimeout = time.Minute

// server is a server of the protocol over the databases db and other.
type server struct {
	*testing.T
	store  store.Store
	engine *redis.Engine
	signer *token.Signer
	wire   *wire.Server
	addr   string
	usage  usage
}

type usage struct {
	mu      sync.Mutex
	records []meter.Record
}

func (u *usage) Record(r meter.Record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.records = append(u.records, r)
}

// sum adds up all records.
func (u *usage) sum() (sum meter.Record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.records {
		sum.Commands += r.Commands
		sum.BytesIn += r.BytesIn
		sum.BytesOut += r.BytesOut
		sum.Calls += r.Calls
	}
	return sum
}

// testLog writes logs to the test's.
type testLog struct{ *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func newServer(t *testing.T, change func(*wire.Config)) *server {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return newServerOver(t, st, 0, change)
}

func newServerOver(t *testing.T, st store.Store, recordTTL time.Duration, change func(*wire.Config)) *server {
	t.Helper()
	s := &server{T: t, store: st, engine: redis.New(redis.Config{Store: st, RecordTTL: recordTTL})}
	t.Cleanup(s.engine.Close)
	for _, id := range []string{"db", "other"} {
		if _, err := s.engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	var verifier *token.Verifier
	s.signer, verifier = tokentest.Pair(t)
	cfg := wire.Config{Engine: s.engine, Verifier: verifier, Meter: &s.usage, Logger: slog.New(slog.NewTextHandler(testLog{t}, nil))}
	if change != nil {
		change(&cfg)
	}
	s.wire = wire.New(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.wire.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		s.wire.Close(ctx)
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// mint makes a token of the database db; change changes what it says.
func (s *server) mint(change func(*token.Claims)) string {
	s.Helper()
	db, err := s.engine.Database(s.Context(), "db")
	if err != nil {
		s.Fatal(err)
	}
	c := token.Claims{CredentialID: "w", Resource: "db", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration}
	if change != nil {
		change(&c)
	}
	text, err := s.signer.Mint(c)
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// client speaks the protocol byte by byte.
type client struct {
	*testing.T
	net.Conn
	r        *bufio.Reader
	monitors bool // it is not interested in MONITOR's lines, which it receives
}

// monitorLine is a line of MONITOR, as reply shows it.
var monitorLine = regexp.MustCompile(`^\+\d+\.\d{6} \[0 [^\]]+\] ".*\|$`)

func (s *server) dial() *client {
	s.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		s.Fatal(err)
	}
	return &client{T: s.T, Conn: nc, r: bufio.NewReader(nc)}
}

// login is a connection that has logged in.
func (s *server) login() *client {
	s.Helper()
	c := s.dial()
	c.expect("AUTH "+s.mint(nil), "+OK|")
	return c
}

// login3 is one of RESP3.
func (s *server) login3() *client {
	s.Helper()
	c := s.dial()
	c.send("HELLO 3 AUTH default " + s.mint(nil))
	c.reply()
	return c
}

// send sends lines, one command each.
func (c *client) send(lines ...string) {
	c.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(c.Conn, line+"\r\n"); err != nil {
			c.Fatal(err)
		}
	}
}

// sendArgs sends a command as clients do.
func (c *client) sendArgs(args ...string) {
	c.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c.Conn, b.String()); err != nil {
		c.Fatal(err)
	}
}

// reply reads a reply; ends of lines are shown as '|'.
func (c *client) reply() string {
	c.Helper()
	for {
		text, err := resptest.Read(c.r)
		if err != nil {
			c.Fatal(err)
		}
		text = strings.ReplaceAll(text, "\r\n", "|")
		if !c.monitors || !monitorLine.MatchString(text) {
			return text
		}
	}
}

// expect sends a line and compares the reply.
func (c *client) expect(line, want string) {
	c.Helper()
	c.send(line)
	if got := c.reply(); got != want {
		c.Errorf("%.100s: got %s, want %s", line, got, want)
	}
}

// next compares the next reply or message.
func (c *client) next(want string) {
	c.Helper()
	if got := c.reply(); got != want {
		c.Errorf("got %s, want %s", got, want)
	}
}

// ends expects that the server closes the connection.
func (c *client) ends() {
	c.Helper()
	rest, err := io.ReadAll(c.r)
	for line := range strings.Lines(string(rest)) {
		if !c.monitors || !monitorLine.MatchString(strings.ReplaceAll(line, "\r\n", "|")) {
			c.Errorf("instead of the end: %q", line)
		}
	}
	if err != nil {
		c.Error(err)
	}
}
