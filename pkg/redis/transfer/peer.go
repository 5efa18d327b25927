package transfer

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// Peer is a server that runs commands. It may be used by several goroutines.
type Peer interface {
	// Do sends commands, which are carried out in their order, and returns a reply for each: string, int64, nil,
	// []any or resp.Error. An error says that some or all may have been carried out.
	Do(ctx context.Context, cmds ...[]string) ([]any, error)
}

// ErrTooLarge is the error of a Peer whose answer to all commands together would be too large, or whose request was.
var ErrTooLarge = errors.New("too large for one request")

// attempts is how often something is tried with a server until that is given up.
const attempts = 6

// persist tries something until it succeeds, with growing pauses. What a server has refused is not tried again.
func persist(ctx context.Context, try func() error) error {
	pause := 200 * time.Millisecond
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == attempts || ctx.Err() != nil || errors.Is(err, ErrTooLarge) || errors.As(err, new(resp.Error)) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// do sends commands, again if need be: what a transfer sends may be repeated.
func do(ctx context.Context, p Peer, cmds ...[]string) (replies []any, err error) {
	err = persist(ctx, func() error {
		replies, err = p.Do(ctx, cmds...)
		return err
	})
	return replies, err
}

// one sends a command and returns its reply. A refusal is an error, resp.Error.
func one(ctx context.Context, p Peer, args ...string) (any, error) {
	replies, err := do(ctx, p, args)
	if err != nil {
		return nil, err
	}
	if refused, ok := replies[0].(resp.Error); ok {
		return nil, refused
	}
	return replies[0], nil
}

// RESP is a server that speaks Redis's own protocol. It keeps as many connections as it is used by at a time.
type RESP struct {
	network, addr string
	tls           *tls.Config
	login         [][]string

	mu   sync.Mutex
	idle []*respConn
}

// patience is how long a server may be silent.
const patience = 2 * time.Minute

// NewRESP makes a peer of redis://user:password@host:port/database, rediss:// for TLS, or unix:///path of a
// socket. Nothing is dialled yet. config is for TLS and may be nil.
func NewRESP(u *url.URL, config *tls.Config) (*RESP, error) {
	r := &RESP{network: "tcp", addr: u.Host}
	switch u.Scheme {
	case "unix":
		r.network, r.addr = "unix", u.Path
	case "redis", "rediss":
		if u.Port() == "" {
			r.addr = net.JoinHostPort(u.Hostname(), "6379")
		}
		if db := strings.Trim(u.Path, "/"); db != "" && db != "0" {
			if _, err := strconv.ParseUint(db, 10, 16); err != nil {
				return nil, fmt.Errorf("database %q: want a number", db)
			}
			r.login = append(r.login, []string{"SELECT", db})
		}
	default:
		return nil, fmt.Errorf("scheme %q: want redis, rediss or unix", u.Scheme)
	}
	if u.Scheme == "rediss" {
		if r.tls = config.Clone(); r.tls == nil {
			r.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if r.tls.ServerName == "" {
			r.tls.ServerName = u.Hostname()
		}
	}
	if password, ok := u.User.Password(); ok {
		auth := []string{"AUTH", password}
		if u.User.Username() != "" {
			auth = []string{"AUTH", u.User.Username(), password}
		}
		r.login = append([][]string{auth}, r.login...)
	}
	return r, nil
}

// Close closes the connections that nobody uses.
func (r *RESP) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.idle {
		c.Close()
	}
	r.idle = nil
}

// Do implements Peer. An error of logging in is a resp.Error.
func (r *RESP) Do(ctx context.Context, cmds ...[]string) ([]any, error) {
	c, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	replies, err := c.do(ctx, cmds)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("asking %s: %w", r.addr, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = append(r.idle, c)
	return replies, nil
}

func (r *RESP) take(ctx context.Context) (*respConn, error) {
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	raw, err := dialer.DialContext(ctx, r.network, r.addr)
	if err != nil {
		return nil, err
	}
	if r.tls != nil {
		raw = tls.Client(raw, r.tls)
	}
	c := &respConn{Conn: raw, in: bufio.NewReaderSize(raw, 64<<10)}
	replies, err := c.do(ctx, r.login)
	for _, reply := range replies {
		if refused, ok := reply.(resp.Error); ok && err == nil {
			err = refused
		}
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("connecting to %s: %w", r.addr, err)
	}
	return c, nil
}

// respConn is one connection.
type respConn struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

// do writes while it reads, or two that both wait for room would wait for ever.
func (c *respConn) do(ctx context.Context, cmds [][]string) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	c.out = c.out[:0]
	for _, args := range cmds {
		c.out = fmt.Appendf(c.out, "*%d\r\n", len(args))
		for _, a := range args {
			c.out = append(strconv.AppendInt(append(c.out, '$'), int64(len(a)), 10), "\r\n"...)
			c.out = append(append(c.out, a...), "\r\n"...)
		}
	}
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() {
		if _, failed = c.Write(c.out); failed != nil {
			c.Close()
		}
	})
	replies := make([]any, 0, len(cmds))
	var err error
	for len(replies) < len(cmds) && err == nil {
		var reply any
		if reply, err = readReply(c.in, 0); err == nil {
			replies = append(replies, reply)
		}
	}
	if err != nil {
		c.Close()
	}
	wg.Wait()
	if cap(c.out) > 4<<20 {
		c.out = nil
	}
	if ctx.Err() != nil {
		return replies, ctx.Err()
	}
	return replies, errors.Join(err, failed)
}

// maxBulk bounds a string, and maxMembers an array, that a server may announce.
const (
	maxBulk    = 512 << 20
	maxMembers = 64 << 20
)

// readReply reads a reply of RESP2.
func readReply(in *bufio.Reader, depth int) (any, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" || depth > 32 {
		return nil, errors.New("no reply of Redis")
	}
	text := line[1:]
	switch line[0] {
	case '+':
		return text, nil
	case '-':
		return resp.Error(text), nil
	case ':':
		return strconv.ParseInt(text, 10, 64)
	case '$', '*':
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > maxBulk {
			return nil, fmt.Errorf("reply of length %.20q", text)
		}
		if n < 0 {
			return nil, nil
		}
		if line[0] == '$' {
			return readBulk(in, n)
		}
		return readArray(in, n, depth)
	}
	return nil, fmt.Errorf("no reply of Redis: %.50q", line)
}

func readBulk(in *bufio.Reader, n int64) (any, error) {
	var b strings.Builder
	if n < 1<<20 {
		b.Grow(int(n))
	}
	if _, err := io.CopyN(&b, in, n); err != nil {
		return nil, err
	}
	_, err := in.Discard(2)
	return b.String(), err
}

func readArray(in *bufio.Reader, n int64, depth int) (any, error) {
	if n > maxMembers {
		return nil, fmt.Errorf("reply with %d members", n)
	}
	members := make([]any, 0, min(n, 1024))
	for range n {
		m, err := readReply(in, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}
