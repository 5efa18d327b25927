package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/deliver"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// Names of what QStash keeps apart from Redis.
const (
	qstashAccount = "default"
	qstashDir     = "qstash"
)

// What @upstash/qstash expects of a development server: an address and credentials that
// are no secret.
const (
	devAccount = "defaultUser"
	devToken   = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
)

var devKeys = qstash.Keys{Current: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", Next: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"}

// How QStash looks ahead: each sweep hands the wake-ups of the time until well after
// the next one to the waker.
const (
	qstashSweepEvery = time.Minute
	qstashLookAhead  = 2 * qstashSweepEvery
)

// qstashServer is QStash in this program.
type qstashServer struct {
	store   store.Store
	engine  *qstash.Engine
	waker   *embedded.Waker
	handler http.Handler
	token   string
	keys    qstash.Keys
	dev     *fasthttp.Server // nil: not asked for
	devURL  string
}

// QStashToken opens QStash for reading and writing.
func (m *Main) QStashToken() string { return m.qstash.token }

// QStashDevURL is where the development credentials are good; "" without -qstash-dev.
func (m *Main) QStashDevURL() string { return m.qstash.devURL }

// openQStash opens the store and the account, and makes the handler.
func (m *Main) openQStash(ctx context.Context, key ed25519.PrivateKey) error {
	q := &qstashServer{}
	var err error
	if q.store, _, err = m.openStore(ctx, qstashDir, m.flags.qstashTable); err != nil {
		return err
	}
	m.qstash = q
	q.waker = embedded.New(embedded.Options{Horizon: qstashLookAhead, Logger: m.log})
	q.engine = qstash.New(qstash.Config{
		Store:      q.store,
		Sender:     deliver.New(deliver.Config{Allow: deliver.Loopback, Resolve: m.flags.resolve}),
		Waker:      q.waker,
		Alone:      m.flags.store == storeEmbedded,
		AccountTTL: accountTTL(m.flags.store),
		Logger:     m.log,
	})
	acct, err := q.account(ctx, qstashAccount, qstash.Keys{})
	if err != nil {
		return err
	}
	q.keys = acct.Keys
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		return err
	}
	password, err := signer.Mint(token.Claims{
		CredentialID: "local", Resource: acct.ID, Products: []string{token.ProductQStash}, Scope: token.ReadWrite,
		Generation: acct.CredentialGeneration, IssuedAt: acct.CreatedAt,
	})
	if err != nil {
		return err
	}
	q.token = rest.Envelope(acct.ID, password)
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}, Product: token.ProductQStash})
	if err != nil {
		return err
	}
	q.handler = rest.New(rest.Config{Engine: q.engine, Authenticator: rest.Tokens{Engine: q.engine, Verifier: verifier}, Logger: m.log})
	return nil
}

// accountTTL lets other processes on the same table take part.
func accountTTL(kind string) time.Duration {
	if kind == storeEmbedded {
		return 0
	}
	return time.Second
}

// account reads an account, or creates it at the first start.
func (q *qstashServer) account(ctx context.Context, id string, keys qstash.Keys) (*qstash.Account, error) {
	acct, err := q.engine.Account(ctx, id)
	if !errors.Is(err, qstash.ErrNoAccount) {
		return acct, err
	}
	acct, err = q.engine.CreateAccount(ctx, id, keys)
	if errors.Is(err, qstash.ErrAccountExists) {
		return q.engine.Account(ctx, id)
	}
	return acct, err
}

// startQStash begins to deliver, and to look for what is due.
func (m *Main) startQStash(duties context.Context) {
	q := m.qstash
	q.waker.Start(duties, q.engine.Handle)
	m.duties.Go(func() {
		defer q.waker.Stop()
		tick := time.NewTicker(qstashSweepEvery)
		defer tick.Stop()
		for {
			if _, err := q.engine.Sweep(duties, time.Now().Add(qstashLookAhead)); err != nil && duties.Err() == nil {
				m.log.Warn("looking for what is due", "error", err)
			}
			select {
			case <-duties.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// startQStashDev serves the development credentials at their usual address.
func (m *Main) startQStashDev(ctx, duties context.Context) error {
	if !m.flags.qstashDev {
		return nil
	}
	q := m.qstash
	if _, err := q.account(ctx, devAccount, devKeys); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", m.flags.qstashDevAddr)
	if err != nil {
		return fmt.Errorf("listen for -qstash-dev: %w", err)
	}
	handler := rest.New(rest.Config{Engine: q.engine, Authenticator: rest.Fixed{Token: devToken, Account: devAccount}, Logger: m.log})
	front := &frontend{ctx: duties, qstash: handler, qstashOnly: true}
	q.devURL = "http://" + listener.Addr().String()
	q.dev = front.server(m.log)
	go func() {
		if err := q.dev.Serve(listener); err != nil {
			m.failed <- fmt.Errorf("serve -qstash-dev: %w", err)
		}
	}()
	return nil
}

// serveHTTP hands a request to a handler of net/http, its target as it was sent.
func serveHTTP(base context.Context, ctx *fasthttp.RequestCtx, h http.Handler, path, query string) {
	r := (&http.Request{
		Method:        string(ctx.Method()),
		URL:           &url.URL{Path: path, RawQuery: query},
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{},
		Body:          http.NoBody,
		ContentLength: int64(ctx.Request.Header.ContentLength()),
		Host:          string(ctx.Host()),
		RemoteAddr:    ctx.RemoteAddr().String(),
		RequestURI:    path,
	}).WithContext(base)
	if query != "" {
		r.RequestURI += "?" + query
	}
	for name, value := range ctx.Request.Header.All() {
		r.Header.Add(string(name), string(value))
	}
	if body := ctx.RequestBodyStream(); body != nil {
		r.Body = io.NopCloser(body)
	} else if body := ctx.Request.Body(); len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	h.ServeHTTP(&httpResponse{ctx: ctx, header: http.Header{}}, r)
}

// httpResponse writes an answer of net/http to fasthttp.
type httpResponse struct {
	ctx    *fasthttp.RequestCtx
	header http.Header
	wrote  bool
}

func (w *httpResponse) Header() http.Header { return w.header }

func (w *httpResponse) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	w.ctx.SetStatusCode(status)
	for name, values := range w.header {
		for _, v := range values {
			w.ctx.Response.Header.Add(name, v)
		}
	}
}

func (w *httpResponse) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.ctx.Response.AppendBody(p)
	return len(p), nil
}
