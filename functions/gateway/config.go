package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/skystash/skystash/functions/backend/access"
	"github.com/skystash/skystash/functions/backend/awskafka"
	"github.com/skystash/skystash/functions/backend/awsredis"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

// Ways to TLS.
const (
	tlsACME = "acme"
	tlsPEM  = "pem"
	tlsOff  = "off"
)

const (
	defaultRedisAddr  = ":6379"
	defaultKafkaAddr  = ":9092"
	defaultHTTPSAddr  = ":443"
	defaultHealthAddr = ":8080"
)

// config is what a gateway is started with; see the command's documentation.
type config struct {
	redis       *awsredis.Config // nil: not served
	redisTokens token.VerifierConfig
	kafka       *awskafka.Config // nil: not served
	kafkaTokens token.VerifierConfig

	host, domain                                string
	tls                                         tlsConfig
	redisAddr, kafkaAddr, httpsAddr, healthAddr string
	maxClients                                  int
	drain                                       time.Duration
	zone, route53Endpoint                       string
	address                                     netip.Addr // invalid: it is asked for
	idle                                        time.Duration
	cluster, service, ecsEndpoint               string
	meter                                       meter.Recorder
	flushMeter                                  func()

	listening func(what string, addr net.Addr) // is told where the gateway listens; nil: nobody is
}

type tlsConfig struct {
	mode             string
	certificate, key string // PEM
	email, directory string
}

// configuration reads a gateway's settings.
func configuration(env *settings.Environment) config {
	cfg := config{
		host:            env.Require("HOST", "the name that clients reach the gateways by"),
		domain:          env.Get("DATABASE_DOMAIN"),
		redisAddr:       or(env, "REDIS_ADDR", defaultRedisAddr),
		kafkaAddr:       or(env, "KAFKA_ADDR", defaultKafkaAddr),
		httpsAddr:       or(env, "HTTPS_ADDR", defaultHTTPSAddr),
		healthAddr:      or(env, "HEALTH_ADDR", defaultHealthAddr),
		maxClients:      number(env, "MAX_CLIENTS", 10_000, 1),
		drain:           time.Duration(number(env, "DRAIN_SECONDS", 60, 1)) * time.Second,
		zone:            env.Get("HOSTED_ZONE"),
		route53Endpoint: env.Get("ROUTE53_ENDPOINT"),
		idle:            time.Duration(number(env, "IDLE_MINUTES", 0, 0)) * time.Minute,
		ecsEndpoint:     env.Get("ECS_ENDPOINT"),
		meter:           env.Meter(),
	}
	if table := env.Get("REDIS_TABLE"); table != "" {
		env.With("TABLE_NAME", table, func(env *settings.Environment) {
			redis := awsredis.Environment(env)
			cfg.redis, cfg.redisTokens = &redis, access.Environment(env, token.ProductRedis)
		})
	}
	if table := env.Get("KAFKA_TABLE"); table != "" {
		env.With("TABLE_NAME", table, func(env *settings.Environment) {
			kafka := awskafka.Environment(env)
			cfg.kafka, cfg.kafkaTokens = &kafka, access.Environment(env, token.ProductKafka)
		})
	}
	if cfg.redis == nil && cfg.kafka == nil {
		env.Fault("REDIS_TABLE", errors.New("neither it nor KAFKA_TABLE is set: there is nothing to serve"))
	}
	cfg.flushMeter = env.EndMeter()
	cfg.readTLS(env)
	if cfg.idle > 0 {
		const purpose = "what is switched off after IDLE_MINUTES"
		cfg.cluster, cfg.service = env.Require("ECS_CLUSTER", purpose), env.Require("ECS_SERVICE", purpose)
	}
	if text := env.Get("PUBLIC_ADDRESS"); text != "" {
		var err error
		if cfg.address, err = netip.ParseAddr(text); err != nil || !cfg.address.Is4() {
			env.Fault("PUBLIC_ADDRESS", fmt.Errorf("%q is no IPv4 address", text))
		}
	}
	return cfg
}

func (cfg *config) readTLS(env *settings.Environment) {
	cfg.tls = tlsConfig{mode: env.Require("TLS", "acme, pem or off")}
	switch cfg.tls.mode {
	case "", tlsOff: // the former is noted already
	case tlsACME:
		cfg.tls.email, cfg.tls.directory = env.Get("ACME_EMAIL"), env.Get("ACME_DIRECTORY")
		if cfg.domain != "" {
			env.Fault("DATABASE_DOMAIN", errors.New("its names need a certificate for all of them: set TLS to pem or off"))
		}
	case tlsPEM:
		const purpose = "TLS is pem"
		cfg.tls.certificate, cfg.tls.key = env.Require("TLS_CERTIFICATE", purpose), env.Require("TLS_KEY", purpose)
	default:
		env.Fault("TLS", fmt.Errorf("%q is none of acme, pem and off", cfg.tls.mode))
	}
}

// or reads a variable that has a default.
func or(env *settings.Environment, name, byDefault string) string {
	return cmp.Or(env.Get(name), byDefault)
}

// number reads a whole number that is at least some number.
func number(env *settings.Environment, name string, byDefault, least int) int {
	text := env.Get(name)
	if text == "" {
		return byDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		env.Fault(name, fmt.Errorf("%q is no whole number from %d on", text, least))
	}
	return n
}
