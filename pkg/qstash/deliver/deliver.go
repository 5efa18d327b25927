package deliver

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

// DefaultMaxResponseBytes is how many bytes of an answer are read. A workflow that fails answers with its error
// twice, as its message and in its stack, and the error may hold a message's body.
const DefaultMaxResponseBytes = 2*qstash.DefaultMaxMessageBytes + 1<<20

// Config sets up a Sender.
type Config struct {
	// Allow are blocks of addresses that requests may go to although they are not
	// public, such as those of a private network.
	Allow []netip.Prefix

	// Resolve maps hosts, or hosts with ports, to the address (host:port) to connect to
	// instead; these addresses are not checked.
	Resolve map[string]string

	MaxResponseBytes int64       // bytes of an answer's body that are kept; 0: DefaultMaxResponseBytes
	TLS              *tls.Config // nil: the usual; tests bring their certificates along
}

// Loopback is the addresses of the own machine, for Config.Allow.
var Loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Sender sends requests; it is a qstash.Sender.
type Sender struct {
	kept        *http.Client // keeps connections for later requests
	fresh       *http.Client // makes a connection for each request
	maxResponse int64
}

// New makes a Sender.
func New(cfg Config) *Sender {
	g := newGuard(cfg)
	client := func(fresh bool) *http.Client {
		return &http.Client{
			Transport: &http.Transport{
				DialContext:            g.dial,
				TLSClientConfig:        cfg.TLS,
				ForceAttemptHTTP2:      true,
				TLSHandshakeTimeout:    dialTimeout,
				DisableKeepAlives:      fresh,
				MaxIdleConns:           1000,
				MaxIdleConnsPerHost:    256,
				IdleConnTimeout:        90 * time.Second,
				MaxResponseHeaderBytes: 64 << 10,
				DisableCompression:     true, // bodies are passed on as they are
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Sender{
		maxResponse: cmp.Or(cfg.MaxResponseBytes, DefaultMaxResponseBytes),
		kept:        client(false),
		fresh:       client(true),
	}
}

// CloseIdleConnections closes the connections that no request uses. A process that is about to be
// frozen calls it: when it goes on, their destinations may have given them up long ago.
func (s *Sender) CloseIdleConnections() { s.kept.CloseIdleConnections() }

// hopByHop are the fields that belong to a connection, and those that the client makes.
var hopByHop = []string{"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// Send implements qstash.Sender.
func (s *Sender) Send(ctx context.Context, d qstash.Delivery) (qstash.Response, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, d.Method, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return qstash.Response{}, errors.New("invalid destination url")
	}
	req.Header = http.Header(d.Header)
	for _, name := range hopByHop {
		delete(req.Header, name)
	}
	signature, err := Sign(d.SigningKey, d.URL, d.Body, d.IssuedAt)
	if err != nil {
		return qstash.Response{}, err
	}
	req.Header["Upstash-Signature"] = []string{signature}
	resp, err := s.do(req)
	if err != nil {
		// Also if the address is forbidden: it must not be told from a name that has none.
		return qstash.Response{}, &qstash.NoAnswer{Reason: reason(err, req.URL), Refused: errors.Is(err, syscall.ECONNREFUSED)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.maxResponse+1))
	if err != nil {
		return qstash.Response{}, &qstash.NoAnswer{Reason: "reading the response: " + reason(err, req.URL)}
	}
	answer := qstash.Response{Status: resp.StatusCode, Header: qstash.Header(resp.Header), Body: body}
	if answer.Cut = int64(len(body)) > s.maxResponse; answer.Cut {
		answer.Body = body[:s.maxResponse]
		// What is left over is short, or not worth the connection.
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	}
	return answer, nil
}

// do sends a request, once more if the connection was kept from before and is no good any more:
// the destination has closed it, and the request has met nobody. net/http does not send a POST
// again by itself. What is sent again goes over a connection of its own, so there is no third time.
func (s *Sender) do(req *http.Request) (*http.Response, error) {
	var reused, answered atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { reused.Store(info.Reused) },
		GotFirstResponseByte: func() { answered.Store(true) },
	}
	ctx := req.Context()
	resp, err := s.kept.Do(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	// A time limit that has passed says that somebody is there, or may be.
	if err == nil || !reused.Load() || answered.Load() || ctx.Err() != nil {
		return resp, err
	}
	again := req.Clone(ctx)
	if again.Body, err = req.GetBody(); err != nil {
		return nil, err
	}
	return s.fresh.Do(again)
}

// reason says why there is no answer, without what only concerns this side.
func reason(err error, u *url.URL) string {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, errForbidden) || errors.As(err, &dns):
		if _, err := netip.ParseAddr(u.Hostname()); err == nil {
			return fmt.Sprintf("destination host %s is not allowed", u.Hostname())
		}
		// One text for both: it does not tell which internal names there are.
		return fmt.Sprintf("unable to resolve host: lookup %s: no such host, or none that is allowed", u.Hostname())
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout: no response in time"
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Sprintf("unable to connect to %s: %s", u.Host, strings.TrimPrefix(op.Err.Error(), "connect: "))
	}
	return err.Error()
}
