package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/skystash/skystash/pkg/control"
	controlrest "github.com/skystash/skystash/pkg/control/rest"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/breaker"
	"github.com/skystash/skystash/pkg/qstash/deliver"
	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// Names of what QStash keeps apart from Redis.
const (
	qstashAccount = "default-qstash"
	qstashDir     = "qstash"
)

// What @upstash/qstash expects of a development server: an address and credentials that
// are no secret.
const (
	devAccount = "defaultUser"
	devToken   = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0=" // #nosec G101 -- every client has it
)

var devKeys = qstash.Keys{Current: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r", Next: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"}

// How QStash looks ahead: each sweep hands the wake-ups of the time until well after
// the next one to the waker.
const (
	qstashSweepEvery = time.Minute
	qstashLookAhead  = 2 * qstashSweepEvery
)

// qstashMaxPause bounds the time for which attempts to a host are held that is not reached: whoever
// starts his own program again does not want to wait.
const qstashMaxPause = 5 * time.Second

// qstashTailHold is how long a reader who follows the log waits for events.
const qstashTailHold = 5 * time.Second

// qstashServer is QStash in this program.
type qstashServer struct {
	store   store.Store
	engine  *qstash.Engine
	waker   *embedded.Waker
	handler http.Handler
	token   string
	keys    qstash.Keys

	dev         *fasthttp.Server // nil: not asked for
	devListener net.Listener
	devURL      string
}

// QStashToken opens QStash for reading and writing.
func (m *Main) QStashToken() string { return m.qstash.token }

// QStashDevURL is where the development credentials are good; "" without -qstash-dev.
func (m *Main) QStashDevURL() string { return m.qstash.devURL }

// openQStash opens QStash.
func (m *Main) openQStash(ctx context.Context) (p *product, err error) {
	q := &qstashServer{}
	var recordTTL time.Duration
	if q.store, recordTTL, err = m.openStore(ctx, qstashDir, m.flags.qstashTable); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			q.store.Close()
		}
	}()
	q.waker = embedded.New(embedded.Options{Horizon: qstashLookAhead, Now: m.Now, Logger: m.log})
	var observe func(qstash.Attempt)
	if m.activity != nil {
		observe = m.activity.delivery
	}
	q.engine = qstash.New(qstash.Config{
		Observe:   observe,
		Meter:     m.usage.live,
		Store:     q.store,
		Now:       m.Now,
		Sender:    deliver.New(deliver.Config{Allow: deliver.Loopback, Resolve: m.flags.resolve}),
		Waker:     q.waker,
		Limits:    qstash.Limits{MaxTimeout: m.flags.qstashTimeout},
		Breaker:   breaker.Config{Failures: m.flags.qstashBreaker, MaxPause: qstashMaxPause},
		Alone:     m.flags.store == storeEmbedded,
		RecordTTL: recordTTL,
		TailHold:  qstashTailHold,
		Logger:    m.log,
	})
	acct, err := q.account(ctx, qstashAccount, qstash.Keys{})
	if err != nil {
		return nil, err
	}
	q.keys = acct.Keys
	verifier, err := m.newVerifier(token.ProductQStash, q.store)
	if err != nil {
		return nil, err
	}
	m.directories = append(m.directories, keydir.Directory{Store: q.store})
	q.handler = rest.New(rest.Config{Engine: q.engine, Authenticator: rest.Tokens{Engine: q.engine, Verifier: verifier}, Meter: m.usage.live, Turns: m.redis.Queue(), Large: m.large, Now: m.Now, Logger: m.log})
	p = &product{
		name:   "QStash",
		match:  func(path string) bool { return rest.Serves(path) && !controlrest.Serves(path) },
		serve:  func(ctx *fasthttp.RequestCtx) { serveQStash(ctx, q.handler) },
		duties: []func(context.Context){m.deliverQStash},
		owns:   owned{control.QStash, qstashAccount, "local"},
		vars: func(t control.Token) [][2]string {
			q.token = t.Text
			return [][2]string{
				{"QSTASH_URL", m.url},
				{"QSTASH_TOKEN", q.token},
				{"QSTASH_CURRENT_SIGNING_KEY", q.keys.Current},
				{"QSTASH_NEXT_SIGNING_KEY", q.keys.Next},
			}
		},
		close: q.store.Close,
	}
	m.qstash = q
	if m.flags.qstashDev {
		if err := m.openQStashDev(ctx); err != nil {
			return nil, err
		}
		p.duties = append(p.duties, m.serveQStashDev)
	}
	return p, nil
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

// deliverQStash delivers, and looks for what is due, until the program ends.
func (m *Main) deliverQStash(ctx context.Context) {
	q := m.qstash
	q.waker.Start(ctx, q.engine.Handle)
	defer q.waker.Stop()
	tick := time.NewTicker(qstashSweepEvery)
	defer tick.Stop()
	for {
		if _, err := q.engine.Sweep(ctx, m.Now().Add(qstashLookAhead)); err != nil && ctx.Err() == nil {
			m.log.Warn("looking for what is due", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-q.waker.Missing():
		}
	}
}

// ClockMoved tells the program that Now has jumped: what is due by it comes now.
func (m *Main) ClockMoved(ctx context.Context) error {
	if _, err := m.qstash.engine.Sweep(ctx, m.Now().Add(qstashLookAhead)); err != nil {
		return fmt.Errorf("looking for what is due: %w", err)
	}
	m.qstash.waker.ClockMoved()
	return nil
}

// openQStashDev makes the account of the development credentials, and the server for it.
func (m *Main) openQStashDev(ctx context.Context) error {
	q := m.qstash
	if _, err := q.account(ctx, devAccount, devKeys); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", m.flags.qstashDevAddr)
	if err != nil {
		return fmt.Errorf("listening for -qstash-dev: %w", err)
	}
	handler := rest.New(rest.Config{Engine: q.engine, Authenticator: rest.Fixed{Token: devToken, Account: devAccount}, Meter: m.usage.live, Turns: m.redis.Queue(), Large: m.large, Now: m.Now, Logger: m.log})
	front := newFrontend(ctx, ctx, nil, []*product{{
		name:  "QStash",
		match: func(string) bool { return true },
		serve: func(ctx *fasthttp.RequestCtx) { serveQStash(ctx, handler) },
	}}, m.flags.newGate(m.flags.qstashDevAddr, true), m.requestLog(), false)
	q.dev, q.devListener, q.devURL = front.server(m.log), listener, "http://"+listener.Addr().String()
	return nil
}

// serveQStashDev serves the development credentials until the program ends.
func (m *Main) serveQStashDev(ctx context.Context) {
	q := m.qstash
	dev := m.serveHTTPOn(q.devListener, q.dev)
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.flags.grace)
	defer cancel()
	if err := dev.stop(grace); err != nil {
		m.log.Warn("-qstash-dev is still being served", "error", err)
	}
}

// serveQStash hands a request to a handler, its target as it was sent. The request goes
// on while the server shuts down: it has the grace time for that.
func serveQStash(ctx *fasthttp.RequestCtx, h http.Handler) {
	path, query, _ := target(ctx)
	r := httpRequest(ctx, &url.URL{Path: path, RawQuery: query})
	r.RequestURI = path
	if query != "" {
		r.RequestURI += "?" + query
	}
	serveHTTP(ctx, h, r)
}
