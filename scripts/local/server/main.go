package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/nudge"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
	"github.com/skystash/skystash/pkg/turns"
)

// databaseID is the database that the program creates.
const databaseID = "default"

// reclaimEvery is how often what deleted collections leave behind is cleared away.
const reclaimEvery = time.Minute

// Main is the program.
type Main struct {
	// Version is printed at the start, if there is one.
	Version string

	// Now is the clock of all products; time.Now if NewMain has made it. What somebody waits for by it, such as a message
	// of QStash that is due later, comes after ClockMoved if it was moved.
	Now func() time.Time

	began          time.Time
	stdout, stderr io.Writer
	terminal       bool // stdout is one
	log            *slog.Logger
	flags          flags

	url, token, readOnly string
	signIn               string         // link to the console
	replica              *replicaServer // nil: there is none

	store     store.Store
	products  []*product // besides Redis
	redis     *redis.Engine
	large     *turns.Gate // nil: the store is another process, which may be waited for at the same time
	kafka     *kafka.Engine
	kafkaWire *kafkaWire // nil: not open yet
	redisWire *redisWire // nil: not open yet
	qstash    *qstashServer

	activity *activity // nil: it is not printed
	control  *controlServer

	certificate *certificate       // for TLS; nil: not needed yet
	directories []keydir.Directory // of public keys, in each product's store
	usage       *usage
	http        *httpServer
	deadlines   *deadlines         // of its connections
	failed      chan error         // of the HTTP server
	stop        context.CancelFunc // of requests and duties
	stopSSE     context.CancelFunc // of answers without end
	duties      sync.WaitGroup
	closeErr    func() error
}

// NewMain makes the program. What users look for goes to stdout, the log to stderr.
func NewMain(stdout, stderr io.Writer) *Main {
	m := &Main{
		Now: time.Now, began: time.Now(), stdout: stdout, stderr: stderr, terminal: isTerminal(stdout),
		log: slog.New(slog.NewTextHandler(stderr, nil)), failed: make(chan error, 4), deadlines: newDeadlines(),
	}
	m.closeErr = sync.OnceValue(m.shutdown)
	return m
}

// ReplicaURL is where clients connect to as in a read region; "" without -replica.
func (m *Main) ReplicaURL() string {
	if m.replica == nil {
		return ""
	}
	return m.replica.url
}

// URL is where clients connect to; Start sets it, as it does the tokens.
func (m *Main) URL() string { return m.url }

// Token opens the database for reading and writing.
func (m *Main) Token() string { return m.token }

// ReadOnlyToken opens the database for reading.
func (m *Main) ReadOnlyToken() string { return m.readOnly }

// Run starts the program and waits until the context ends, then closes it.
func (m *Main) Run(ctx context.Context) error {
	if err := m.Start(ctx); err != nil {
		return err
	}
	m.printScreen()
	if m.flags.open {
		if err := openBrowser(m.signIn); err != nil {
			m.log.Warn("the browser was not opened", "error", err)
		}
	}
	if m.activity != nil {
		printing, stop := context.WithCancel(context.WithoutCancel(ctx))
		var printed sync.WaitGroup
		printed.Go(func() { m.activity.print(printing, m.stdout) })
		defer printed.Wait()
		defer stop()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-m.failed:
	}
	return errors.Join(err, m.Close())
}

// turnsOverNetwork is how many long requests work at a time if most of their time goes by waiting for DynamoDB.
const turnsOverNetwork = 64

// Start returns when the program serves requests. If it fails, nothing is left behind.
func (m *Main) Start(ctx context.Context) (err error) {
	listener, err := net.Listen("tcp", m.flags.addr)
	if inUse(err) {
		return fmt.Errorf("%s is in use by another process; choose another with -addr host:port", m.flags.addr)
	}
	if err != nil {
		return fmt.Errorf("listening on %s: %w", m.flags.addr, err)
	}
	defer func() {
		if err != nil {
			listener.Close()
			m.Close()
		}
	}()

	if !m.flags.quiet {
		m.activity = newActivity(time.Now, m.terminal && showsColours())
	}
	if !m.flags.ephemeral {
		if err := prepareFolder(m.flags.data); err != nil {
			return err
		}
	}
	if err := m.openUsage(ctx); err != nil {
		return err
	}
	var recordTTL time.Duration
	if m.store, recordTTL, err = m.openStore(ctx, storeDir, m.flags.table); err != nil {
		return err
	}
	if m.flags.replica != "" {
		if recordTTL, err = m.addReplica(); err != nil {
			return err
		}
	}
	atOnce := 0
	var others redis.Neighbours
	var mesh *nudge.Mesh
	if m.flags.store == storeDynamo {
		atOnce = turnsOverNetwork
		mesh = nudge.New(nudge.Config{Store: m.store, Now: m.Now, Log: m.log})
		others = mesh
	} else {
		m.large = turns.DefaultGate(m.Now)
	}
	engine := redis.New(redis.Config{
		Store:         m.store,
		Now:           m.Now,
		Logger:        m.log,
		RecordTTL:     recordTTL,
		MaxReplyBytes: int(m.flags.maxRequest),
		Turns:         atOnce,
		Neighbours:    others,
	})
	m.redis, m.directories = engine, []keydir.Directory{{Store: m.store}}
	if _, err := openDatabase(ctx, engine); err != nil {
		return err
	}
	handler, err := m.handler(engine, nil)
	if err != nil {
		return err
	}
	if m.redisWire, err = m.openRedisWire(engine); err != nil {
		return err
	}
	if m.replica != nil {
		if err := m.replica.open(m, recordTTL); err != nil {
			return err
		}
	}
	m.url = "http://" + listener.Addr().String()
	if err := m.openProducts(ctx); err != nil {
		return err
	}
	m.openLimiter()
	if err := m.adopt(ctx); err != nil {
		return err
	}
	if !m.flags.ephemeral {
		if err := writeEnv(m.flags.data, m.environment()); err != nil {
			return err
		}
	}
	if m.flags.envFile != "" {
		if err := mergeEnv(m.flags.envFile, m.environment()); err != nil {
			return err
		}
	}

	duties, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stop
	m.duties.Go(func() { m.reclaim(duties, engine) })
	if mesh != nil {
		m.joinOthers(duties, mesh, engine)
	}
	m.duties.Go(func() { m.count(duties) })
	m.duties.Go(func() { m.deadlines.run(duties) })
	m.duties.Go(func() { m.measure(duties) })
	for _, p := range m.products {
		for _, duty := range p.duties {
			m.duties.Go(func() { duty(duties) })
		}
	}
	var streams context.Context
	streams, m.stopSSE = context.WithCancel(duties)
	front := newFrontend(duties, streams, handler, m.products, m.flags.newGate(m.flags.addr, false), m.requestLog(), m.flags.pprof)
	m.http = m.serveHTTPOn(listener, front.server(m.log))
	m.kafkaWire.serve(m)
	m.redisWire.serve(m)
	if m.replica != nil {
		front := newFrontend(duties, streams, m.replica.handler, nil, m.flags.newGate(m.flags.replica, false), m.requestLog(), false)
		m.replica.http = m.serveHTTPOn(m.replica.listener, front.server(m.log))
	}
	return nil
}

// Close stops taking requests, gives those under way the grace time, and closes
// the store. Only the first call does anything.
func (m *Main) Close() error { return m.closeErr() }

func (m *Main) shutdown() error {
	var errs []error
	grace, cancel := context.WithTimeout(context.Background(), m.flags.grace)
	defer cancel()
	var wires sync.WaitGroup
	wires.Go(func() { m.closeEngines(grace) })
	if m.http != nil {
		m.stopSSE()
		err := m.http.stop(grace)
		if m.replica != nil && m.replica.http != nil {
			err = errors.Join(err, m.replica.http.stop(grace))
		}
		if errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, fmt.Errorf("requests were still running after %v", m.flags.grace))
		} else if err != nil {
			errs = append(errs, fmt.Errorf("stopping the HTTP server: %w", err))
		}
	}
	wires.Wait()
	if m.stop != nil {
		m.stop()
		m.duties.Wait()
	}
	if m.replica != nil {
		if err := m.replica.close(); err != nil {
			errs = append(errs, err)
		}
	}
	if m.store != nil {
		if err := m.store.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the store: %w", err))
		}
	}
	for _, p := range m.products {
		if err := p.close(); err != nil {
			errs = append(errs, fmt.Errorf("closing %s: %w", p.name, err))
		}
	}
	if m.usage != nil {
		if err := m.usage.close(); err != nil {
			errs = append(errs, fmt.Errorf("closing the control plane: %w", err))
		}
	}
	return errors.Join(errs...)
}

// closeEngines ends the connections of the products' own protocols, one after the other, and then what waits in
// the engines, which is not for one of them alone. What works has until the context ends.
func (m *Main) closeEngines(ctx context.Context) {
	var drained, closed sync.WaitGroup
	if m.kafkaWire != nil {
		drained.Go(func() { m.kafkaWire.drain(ctx) })
	}
	if m.redisWire != nil {
		drained.Go(func() { m.redisWire.drain(ctx) })
	}
	drained.Wait()
	if m.redis != nil {
		m.redis.Close()
	}
	if m.kafka != nil {
		m.kafka.Close()
	}
	if m.replica != nil && m.replica.engine != nil {
		m.replica.engine.Close()
	}
	if m.kafkaWire != nil {
		closed.Go(func() { m.kafkaWire.close(ctx) })
	}
	if m.redisWire != nil {
		closed.Go(func() { m.redisWire.close(ctx) })
	}
	closed.Wait()
}

// openDatabase reads the program's database, or creates it at the first start.
func openDatabase(ctx context.Context, engine *redis.Engine) (*redis.Database, error) {
	db, err := engine.Database(ctx, databaseID)
	if !errors.Is(err, redis.ErrNoDatabase) {
		return db, err
	}
	db, err = engine.CreateDatabase(ctx, redis.DatabaseOptions{ID: databaseID, Name: "local"})
	if errors.Is(err, redis.ErrDatabaseExists) {
		// Another process on the same table was faster.
		return engine.Database(ctx, databaseID)
	}
	return db, err
}

func (m *Main) handler(engine *redis.Engine, region *rest.Region) (*rest.Handler, error) {
	verifier, err := m.newVerifier(token.ProductRedis, m.store)
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{
		Engine:          engine,
		Verifier:        verifier,
		Region:          region,
		MaxRequestBytes: m.flags.maxRequest,
		Now:             m.Now,
		Meter:           m.usage.live,
		Class:           engine.Class,
		Outcome:         engine.Outcome,
		Logger:          m.log,
	}), nil
}

// newVerifier checks a product's tokens with the keys that the control plane has published
// in its store.
func (m *Main) newVerifier(product string, st store.Store) (*token.Verifier, error) {
	return token.NewVerifier(token.VerifierConfig{Product: product, Now: m.Now, Published: keydir.Directory{Store: st}})
}

// reclaim clears away, from time to time, what deleted collections leave behind.
// In AWS a function of its own does this.
func (m *Main) reclaim(ctx context.Context, engine *redis.Engine) {
	tick := time.NewTicker(reclaimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if _, err := engine.Reclaim(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("reclaiming space", "error", err)
			}
		}
	}
}

// Environment is what clients read from the environment, as pairs of a name and a value. Start sets it.
func (m *Main) Environment() [][2]string { return m.environment() }

// environment is what clients read from the environment.
func (m *Main) environment() [][2]string {
	vars := [][2]string{
		{"UPSTASH_REDIS_REST_URL", m.url},
		{"UPSTASH_REDIS_REST_TOKEN", m.token},
		{"UPSTASH_REDIS_REST_READONLY_TOKEN", m.readOnly},
		{"KV_REST_API_URL", m.url},
		{"KV_REST_API_TOKEN", m.token},
		{"KV_REST_API_READ_ONLY_TOKEN", m.readOnly},
	}
	vars = append(vars, m.redisWire.vars(m.token)...)
	for _, p := range m.products {
		vars = append(vars, p.env...)
	}
	return vars
}
