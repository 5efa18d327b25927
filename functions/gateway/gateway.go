package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/route53"

	"github.com/skystash/skystash/functions/backend/access"
	"github.com/skystash/skystash/functions/backend/awskafka"
	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/functions/backend/cloud"
	"github.com/skystash/skystash/functions/gateway/dns"
	kafkawire "github.com/skystash/skystash/pkg/kafka/wire"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/nudge"
	"github.com/skystash/skystash/pkg/redis/rest"
	rediswire "github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/store"
)

const (
	turns         = 64       // see redis.Config: requests wait for DynamoDB most of their time
	maxReplyBytes = 10 << 20 // of Redis

	headerTime = 10 * time.Second // that a client of HTTPS has for its headers
	idleTime   = 2 * time.Minute  // between its requests
	flushEvery = time.Minute      // of the meter
	endTime    = 10 * time.Second // beyond draining, for what is carried out
)

// gateway is what serves.
type gateway struct {
	cfg config
	log *slog.Logger

	redis     awsredis.Redis
	redisWire *rediswire.Server // nil: not served
	mesh      *nudge.Mesh
	kafkaWire *kafkawire.Server // nil: not served
	https     *http.Server      // nil: not served
	requests  httpCensus
	health    health

	clients, acme *tls.Config
	duties        sync.WaitGroup
	failed        chan error
}

// run serves until the context ends.
func run(ctx context.Context, aws cloud.Settings, cfg config, log *slog.Logger) (err error) {
	g := &gateway{cfg: cfg, log: log, failed: make(chan error, 1)}
	in := cloud.New(aws)
	duties, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		stop()
		g.duties.Wait()
	}()
	if err := g.open(in); err != nil {
		return err
	}
	if err := g.listen(duties); err != nil {
		return err
	}
	named, leave := context.WithCancel(duties)
	defer leave()
	left, err := g.keepName(named, in)
	if err != nil {
		return err
	}
	if cfg.idle > 0 {
		client := ecs.NewFromConfig(in.AWS, func(o *ecs.Options) {
			if cfg.ecsEndpoint != "" {
				o.BaseEndpoint = &cfg.ecsEndpoint
			}
		})
		idle := newIdleness(g.census, time.Now)
		g.duties.Go(func() { switchOff(duties, cfg, client, idle, log) })
	}
	if flush := cfg.flushMeter; flush != nil {
		g.duties.Go(func() { flushOften(duties, flush) })
	}
	log.Info("serving", "host", cfg.host, "redis", g.redisWire != nil, "kafka", g.kafkaWire != nil)
	select {
	case <-ctx.Done():
	case err = <-g.failed:
	}
	log.Info("ending", "over", cfg.drain)
	g.health.ending.Store(true)
	leave()
	left.Wait() // new clients go elsewhere from now on
	g.drain()
	return err
}

// open opens the engines.
func (g *gateway) open(in *cloud.Cloud) (err error) {
	if c := g.cfg.redis; c != nil {
		c.Logger = g.log
		c.Resident = &awsredis.Resident{Turns: turns, MaxReplyBytes: maxReplyBytes, Neighbours: func(table store.Store) redis.Neighbours {
			g.mesh = nudge.New(nudge.Config{Store: table, Now: time.Now, Log: g.log})
			return g.mesh
		}}
		if g.redis, err = awsredis.Open(in, *c); err != nil {
			return err
		}
		g.health.tables = append(g.health.tables, g.redis.Table)
		verifier, err := access.NewVerifier(g.cfg.redisTokens, g.redis.Table)
		if err != nil {
			return err
		}
		g.redisWire = rediswire.New(rediswire.Config{
			Engine: g.redis.Engine, Verifier: verifier, Domain: g.cfg.domain,
			MaxClients: g.cfg.maxClients, DrainTime: g.cfg.drain, Meter: g.cfg.meter, Logger: g.log,
		})
		g.https = g.newHTTPS(rest.New(rest.Config{
			Engine: g.redis.Engine, Verifier: verifier, Domain: g.cfg.domain,
			Meter: g.cfg.meter, Class: g.redis.Engine.Class, Outcome: g.redis.Engine.Outcome, Logger: g.log,
		}))
	}
	if c := g.cfg.kafka; c != nil {
		c.Logger = g.log
		k, err := awskafka.Open(in, *c)
		if err != nil {
			return err
		}
		g.health.tables = append(g.health.tables, k.Table)
		verifier, err := access.NewVerifier(g.cfg.kafkaTokens, k.Table)
		if err != nil {
			return err
		}
		g.kafkaWire = kafkawire.New(kafkawire.Config{
			Engine: k.Engine, Verifier: verifier, DrainTime: g.cfg.drain, Meter: g.cfg.meter, Logger: g.log,
		})
	}
	if g.https == nil && g.cfg.tls.mode == tlsACME {
		g.https = g.newHTTPS(http.NotFoundHandler()) // the certificate authority asks there
	}
	g.clients, g.acme, err = certificates(g.cfg, g.health.tables[0])
	return err
}

// newHTTPS makes the server of Redis over HTTPS.
func (g *gateway) newHTTPS(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		ConnState:         g.requests.note,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
}

// What a gateway serves, as errors name it.
const (
	redisProtocol = "Redis's protocol"
	redisHTTPS    = "Redis over HTTPS"
	kafkaProtocol = "Kafka's protocol"
	healthChecks  = "health checks"
)

// listen begins to serve.
func (g *gateway) listen(duties context.Context) error {
	if g.redisWire != nil {
		l, err := g.listenOn(redisProtocol, g.cfg.redisAddr, g.clients)
		if err != nil {
			return err
		}
		g.serve(redisProtocol, func() error { return g.redisWire.Serve(l) })
		conn, address, err := nudge.Listen("0.0.0.0")
		if err != nil {
			return fmt.Errorf("listening for other gateways: %w", err)
		}
		g.duties.Go(func() { g.mesh.Serve(duties, conn, address, g.redis.Engine.Wake) })
	}
	if g.https != nil {
		l, err := g.listenOn(redisHTTPS, g.cfg.httpsAddr, g.acme)
		if err != nil {
			return err
		}
		g.serve(redisHTTPS, func() error { return g.https.Serve(l) })
	}
	if g.kafkaWire != nil {
		l, err := g.listenOn(kafkaProtocol, g.cfg.kafkaAddr, g.clients)
		if err != nil {
			return err
		}
		advertised, err := kafkawire.AddressOf(l.Addr().String())
		if err != nil {
			return fmt.Errorf("listening for %s: %w", kafkaProtocol, err)
		}
		advertised.Host, advertised.TLS = g.cfg.host, true // a balancer's clients come by TLS, too
		g.serve(kafkaProtocol, func() error { return g.kafkaWire.Serve(l, advertised) })
	}
	l, err := g.listenOn(healthChecks, g.cfg.healthAddr, nil)
	if err != nil {
		return err
	}
	checks := &http.Server{Handler: &g.health, ReadHeaderTimeout: headerTime}
	g.serve(healthChecks, func() error { return checks.Serve(l) })
	context.AfterFunc(duties, func() { checks.Close() })
	return nil
}

func (g *gateway) listenOn(what, addr string, secure *tls.Config) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", what, err)
	}
	if g.cfg.listening != nil {
		g.cfg.listening(what, l.Addr())
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	return l, nil
}

// serve runs a server beside the others. If it fails, the gateway ends.
func (g *gateway) serve(what string, serve func() error) {
	g.duties.Go(func() {
		if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) {
			select {
			case g.failed <- fmt.Errorf("serving %s: %w", what, err):
			default:
			}
		}
	})
}

// keepName keeps the gateways' name at their addresses until the context ends. The group ends when the gateway has
// left it.
func (g *gateway) keepName(ctx context.Context, in *cloud.Cloud) (left *sync.WaitGroup, err error) {
	left = new(sync.WaitGroup)
	if g.cfg.zone == "" {
		return left, nil
	}
	address := g.cfg.address
	if !address.IsValid() {
		if address, err = publicAddress(ctx, addressService); err != nil {
			return nil, err
		}
	}
	registrar := dns.New(dns.Config{
		Store: g.health.tables[0],
		Route53: route53.NewFromConfig(in.AWS, func(o *route53.Options) {
			if g.cfg.route53Endpoint != "" {
				o.BaseEndpoint = &g.cfg.route53Endpoint
			}
		}),
		Zone: g.cfg.zone, Name: g.cfg.host, Address: address, Now: time.Now, Log: g.log,
	})
	left.Go(func() { registrar.Run(ctx) })
	return left, nil
}

// flushOften writes what the meter holds, also while nobody calls. The last of it is written when the process ends.
func flushOften(ctx context.Context, flush func()) {
	ticks := time.NewTicker(flushEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			flush()
		case <-ctx.Done():
			return
		}
	}
}

// addressService is Amazon's, which tells whoever asks what address it is asked from. A task's own
// metadata names its private address only.
const addressService = "https://checkip.amazonaws.com"

// publicAddress is the address that this process is seen by.
func publicAddress(ctx context.Context, service string) (address netip.Addr, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("asking %s for the gateway's public address: %w", service, err)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, headerTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, service, nil)
	if err != nil {
		return address, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return address, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64))
	if err != nil {
		return address, err
	}
	if address, err = netip.ParseAddr(strings.TrimSpace(string(text))); err == nil && !address.Is4() {
		err = fmt.Errorf("%v is no IPv4 address", address)
	}
	return address, err
}

// census are the clients of all protocols.
func (g *gateway) census() (open int, total uint64) {
	add := func(o int, t uint64) { open, total = open+o, total+t }
	if g.redisWire != nil {
		add(g.redisWire.Clients())
	}
	if g.https != nil {
		add(g.requests.clients())
	}
	if g.kafkaWire != nil {
		add(g.kafkaWire.Clients())
	}
	return open, total
}

// drain closes all connections, each once it has nothing to do.
func (g *gateway) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.drain+endTime)
	defer cancel()
	var servers sync.WaitGroup
	if g.redisWire != nil {
		servers.Go(func() { g.redisWire.Close(ctx) })
	}
	if g.https != nil {
		servers.Go(func() {
			// Subscriptions have no end of their own.
			ctx, cancel := context.WithTimeout(ctx, g.cfg.drain)
			defer cancel()
			if g.https.Shutdown(ctx) != nil {
				g.https.Close()
			}
		})
	}
	if g.kafkaWire != nil {
		servers.Go(func() { g.kafkaWire.Close(ctx) })
	}
	servers.Wait()
}

// httpCensus counts the connections of an http.Server.
type httpCensus struct {
	open  atomic.Int64
	total atomic.Uint64
}

// note is the server's ConnState.
func (c *httpCensus) note(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
		c.total.Add(1)
	case http.StateHijacked, http.StateClosed:
		c.open.Add(-1)
	}
}

func (c *httpCensus) clients() (open int, total uint64) { return int(c.open.Load()), c.total.Load() }
