package control

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/skystash/skystash/pkg/fresh"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// Endpoints are the public URLs of the products, without a slash at the end.
type Endpoints struct {
	Redis, Kafka, QStash string

	KafkaTCP Broker      // for clients of Kafka's own protocol; zero: not served
	RedisTCP RedisServer // for clients of Redis's own protocol; zero: not served
}

// RedisServer is where clients of Redis's own protocol connect to.
type RedisServer struct {
	Address    string // host:port; "": only over TLS
	TLSAddress string // host:port; "": only without TLS
	CAFile     string // of the certificate, if no client knows it by itself
}

// URL is what clients connect to with a token: over TLS where there is another host than this machine,
// and no certificate that clients have to be told of. "" if it is not served.
func (s RedisServer) URL(token string) string {
	scheme, address := "redis", s.Address
	if address == "" || s.TLSAddress != "" && s.CAFile == "" && !s.local() {
		scheme, address = "rediss", s.TLSAddress
	}
	if address == "" {
		return ""
	}
	return (&url.URL{Scheme: scheme, User: url.UserPassword("default", token), Host: address}).String()
}

// local reports whether clients reach the server on their own machine only.
func (s RedisServer) local() bool {
	host, _, err := net.SplitHostPort(s.Address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// Broker is where clients of Kafka's own protocol connect to.
type Broker struct {
	Address string // host:port
	TLS     bool   // it is spoken over TLS
	CAFile  string // of the certificate, if no client knows it by itself
}

// Config is what an Engine is made of.
type Config struct {
	Store    store.Store // the control table
	Keyring  Keyring     // private keys; nil: the engine only manages accounts
	Audience string      // of the tokens; "": token.DefaultAudience

	// The products; nil: not deployed.
	Redis  *redis.Engine
	Kafka  *kafka.Engine
	QStash *qstash.Engine

	// Directories are where public keys are published, one for the table of each product.
	Directories []keydir.Directory

	Backups Backups // of databases; nil: there are none

	Endpoints Endpoints
	Region    string // that resources are said to be in; "": DefaultRegion

	Retry  store.Retry      // of changes that lose against others; its zero Now is the engine's
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
}

// Backups keeps the backups of databases.
type Backups interface {
	// Forget deletes all backups of a database that is deleted.
	Forget(ctx context.Context, database string) error
}

// RedisServer is where clients of Redis's own protocol connect to; zero: it is not served.
func (e *Engine) RedisServer() RedisServer { return e.endpoints.RedisTCP }

// Broker is where clients of Kafka's own protocol connect to; zero: it is not served.
func (e *Engine) Broker() Broker { return e.endpoints.KafkaTCP }

// How long, and of how many, this process remembers that they are kept.
const (
	keptFor = 24 * time.Hour
	maxKept = 10_000
)

// DefaultRegion is Config.Region where there is none.
const DefaultRegion = "us-east-1"

// Engine is the control plane. It is safe for concurrent use, and any number of engines
// may share a store.
type Engine struct {
	store       store.Store
	retry       store.Retry
	locks       *store.Locks // by record
	keyring     Keyring
	audience    string
	products    map[Product]product
	directories []keydir.Directory
	endpoints   Endpoints
	region      string
	now         func() time.Time
	log         *slog.Logger

	redis  *redis.Engine
	kafka  *kafka.Engine
	qstash *qstash.Engine

	signing keyState
	kept    *fresh.Cache[[32]byte, struct{}] // by SHA-256: Kafka's passwords that SCRAM knows
}

// New makes an Engine.
func New(cfg Config) *Engine {
	e := &Engine{
		store: cfg.Store, keyring: cfg.Keyring, audience: cfg.Audience,
		products: map[Product]product{}, directories: cfg.Directories,
		endpoints: cfg.Endpoints, region: cmp.Or(cfg.Region, DefaultRegion),
		now: cfg.Now, log: cfg.Logger, retry: cfg.Retry, locks: store.NewLocks(),
		redis: cfg.Redis, kafka: cfg.Kafka, qstash: cfg.QStash,
		signing: keyState{turn: make(chan struct{}, 1)},
	}
	if cfg.Redis != nil {
		e.products[Redis] = redisProduct{cfg.Redis, cfg.Backups}
	}
	if cfg.Kafka != nil {
		e.products[Kafka] = kafkaProduct{cfg.Kafka}
	}
	if cfg.QStash != nil {
		e.products[QStash] = qstashProduct{cfg.QStash}
	}
	if e.now == nil {
		e.now = time.Now
	}
	e.retry = e.retry.WithClock(e.now)
	e.kept = fresh.New[[32]byte, struct{}](keptFor, maxKept, e.now)
	if e.log == nil {
		e.log = slog.Default()
	}
	return e
}

// Region is where resources are said to be.
func (e *Engine) Region() string { return e.region }

// stamp is the time, as records keep it.
func (e *Engine) stamp() time.Time { return e.now().UTC().Truncate(time.Millisecond) }

// queryAll reads all that a query finds.
func (e *Engine) queryAll(ctx context.Context, q store.Query) ([]store.Item, error) {
	var items []store.Item
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if !page.More {
			return items, nil
		}
		q = q.Next(page)
	}
}
