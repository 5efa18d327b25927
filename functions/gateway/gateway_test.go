package main

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/skystash/skystash/functions/backend/contract"
	"github.com/skystash/skystash/functions/backend/ecstask"
	"github.com/skystash/skystash/functions/backend/settings"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/ingest/kinesis"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
	"github.com/skystash/skystash/pkg/token"
)

// deployment is what the stacks make: tables with a database and a cluster, a stream and credentials.
type deployment struct {
	env        map[string]string // of a gateway
	roots      *x509.CertPool
	redisToken string
	kafkaUser  string
	kafkaToken string
}

func deploy(t *testing.T) deployment {
	t.Helper()
	client, streams := dynamolocal.Client(t), kinesislocal.Client(t)
	redisTable, kafkaTable, stream := dynamolocal.Table(t, client), dynamolocal.Table(t, client), kinesislocal.Stream(t, streams, 1)
	engine := redis.New(redis.Config{Store: dynamo.New(client, redisTable), RecordTTL: contract.RecordTTL})
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "first", Name: "first"})
	if err != nil {
		t.Fatal(err)
	}
	k := kafka.New(kafka.Config{Store: dynamo.New(client, kafkaTable), Stream: kinesis.New(streams, stream, kinesis.Options{}), RecordTTL: contract.RecordTTL})
	cluster, err := k.CreateCluster(t.Context(), kafka.ClusterOptions{ID: "broker"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	public, err := token.EncodePublicKey(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	var d deployment
	mint := func(product, resource string, generation int64) (token.Claims, string) {
		claims := token.Claims{CredentialID: "c", Resource: resource, Products: []string{product}, Scope: token.ReadWrite, Generation: generation}
		signed, err := signer.Mint(claims)
		if err != nil {
			t.Fatal(err)
		}
		return claims, signed
	}
	_, d.redisToken = mint(token.ProductRedis, db.ID, db.CredentialGeneration)
	claims, signed := mint(token.ProductKafka, cluster.ID, cluster.CredentialGeneration)
	d.kafkaUser, d.kafkaToken = claims.KafkaUsername(), signed

	certificate, secret, roots := certificateOf(t)
	d.roots = roots
	options := client.Options()
	credentials, err := options.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.env = map[string]string{
		"REDIS_TABLE": redisTable, "KAFKA_TABLE": kafkaTable, "STREAM_NAME": stream, "TOKEN_PUBLIC_KEY": string(public),
		"HOST": "127.0.0.1", "TLS": tlsPEM, "TLS_CERTIFICATE": certificate, "TLS_KEY": secret,
		"REDIS_ADDR": "127.0.0.1:0", "KAFKA_ADDR": "127.0.0.1:0", "HTTPS_ADDR": "127.0.0.1:0", "HEALTH_ADDR": "127.0.0.1:0",
		"DRAIN_SECONDS": "1", "AWS_REGION": options.Region,
		"AWS_ACCESS_KEY_ID": credentials.AccessKeyID, "AWS_SECRET_ACCESS_KEY": credentials.SecretAccessKey,
		"DYNAMODB_ENDPOINT": *options.BaseEndpoint, "KINESIS_ENDPOINT": *streams.Options().BaseEndpoint,
	}
	return d
}

// certificateOf is a certificate for 127.0.0.1 in PEM, and who trusts it.
func certificateOf(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	pair := server.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), roots
}

// running is a gateway that runs.
type running struct {
	mu        sync.Mutex
	addresses map[string]string // by what is served there
	end       func() error      // as SIGTERM does
}

func (r *running) at(what string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addresses[what]
}

// start starts a gateway, and returns once it is well.
func (d deployment) start(t *testing.T) *running {
	t.Helper()
	env := &settings.Environment{Getenv: func(name string) string { return d.env[name] }}
	cfg := configuration(env)
	aws := ecstask.Cloud(env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	r := &running{addresses: map[string]string{}}
	cfg.listening = func(what string, addr net.Addr) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.addresses[what] = addr.String()
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, aws, cfg, slog.New(slog.DiscardHandler)) }()
	r.end = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { r.end() })
	for {
		if addr := r.at(healthChecks); addr != "" && askHealth(t.Context(), addr) == nil {
			return r
		}
		select {
		case err := <-ended:
			t.Fatalf("the gateway ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the gateway does not become well")
		}
	}
}

func (d deployment) redis(addr string) *goredis.Client {
	return goredis.NewClient(&goredis.Options{
		Addr: addr, Username: "default", Password: d.redisToken, MaxRetries: -1, ReadTimeout: time.Minute, ContextTimeoutEnabled: true,
		TLSConfig: &tls.Config{RootCAs: d.roots},
	})
}

func TestGatewayServesAllProtocols(t *testing.T) {
	d := deploy(t)
	g := d.start(t)

	client := d.redis(g.at(redisProtocol))
	defer client.Close()
	if err := client.Set(t.Context(), "greeting", "hello", 0).Err(); err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.roots}}}
	defer web.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+g.at(redisHTTPS)+"/get/greeting", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.redisToken)
	answer, err := web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), `"hello"`) {
		t.Errorf("over HTTPS: %d %s, %v", answer.StatusCode, body, err)
	}

	admin, err := kadm.NewOptClient(
		kgo.SeedBrokers(g.at(kafkaProtocol)), kgo.SASL(plain.Auth{User: d.kafkaUser, Pass: d.kafkaToken}.AsMechanism()),
		kgo.DialTLSConfig(&tls.Config{RootCAs: d.roots}),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.CreateTopic(t.Context(), 2, 1, nil, "red"); err != nil {
		t.Fatal(err)
	}
	brokers, err := admin.ListBrokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := brokers[0]; net.JoinHostPort(got.Host, portOf(t, g.at(kafkaProtocol))) != g.at(kafkaProtocol) {
		t.Errorf("clients are told to go to %s:%d", got.Host, got.Port)
	}
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A worker that waits at one gateway is woken by a write through another; a gateway that ends lets its clients finish.
func TestGatewaysMeet(t *testing.T) {
	d := deploy(t)
	a, b := d.start(t), d.start(t)
	worker, producer := d.redis(a.at(redisProtocol)), d.redis(b.at(redisProtocol))
	defer worker.Close()
	defer producer.Close()
	got := make(chan []string, 1)
	go func() {
		popped, err := worker.BLPop(t.Context(), 0, "jobs").Result()
		if err != nil {
			t.Error(err)
		}
		got <- popped
	}()
	if err := producer.RPush(t.Context(), "jobs", "job").Err(); err != nil {
		t.Fatal(err)
	}
	if popped := <-got; len(popped) != 2 || popped[1] != "job" {
		t.Errorf("the worker got %q", popped)
	}
	if err := b.end(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	if err := producer.Ping(t.Context()).Err(); err == nil {
		t.Error("a gateway that has ended answers")
	}
	if err := worker.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the other gateway: %v", err)
	}
}

func TestHealthTellsOfTables(t *testing.T) {
	d := deploy(t)
	g := d.start(t)
	addr := g.at(healthChecks)
	if err := askHealth(t.Context(), addr); err != nil {
		t.Errorf("a gateway that is well: %v", err)
	}
	if err := g.end(); err != nil {
		t.Fatal(err)
	}
	if err := askHealth(t.Context(), addr); err == nil {
		t.Error("a gateway that has ended is well")
	}
	h := &health{}
	h.ending.Store(true)
	server := httptest.NewServer(h)
	defer server.Close()
	if err := askHealth(t.Context(), strings.TrimPrefix(server.URL, "http://")); err == nil || !strings.Contains(err.Error(), "ending") {
		t.Errorf("one that is ending: %v", err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	good := map[string]string{"REDIS_TABLE": "r", "TOKEN_PUBLIC_KEY": contract.PublishedOnly, "HOST": "gw.example.com", "TLS": tlsOff}
	for _, c := range []struct {
		name    string
		changes map[string]string
		want    string // of the error; "": none
	}{
		{"good", nil, ""},
		{"nothing to serve", map[string]string{"REDIS_TABLE": ""}, "nothing to serve"},
		{"no host", map[string]string{"HOST": ""}, "HOST"},
		{"Kafka without a stream", map[string]string{"KAFKA_TABLE": "k"}, "STREAM_NAME"},
		{"another TLS", map[string]string{"TLS": "maybe"}, "none of acme, pem and off"},
		{"no certificate", map[string]string{"TLS": tlsPEM}, "TLS_CERTIFICATE"},
		{"names that ACME cannot certify", map[string]string{"TLS": tlsACME, "DATABASE_DOMAIN": "redis.example.com"}, "DATABASE_DOMAIN"},
		{"an address of version 6", map[string]string{"PUBLIC_ADDRESS": "2001:db8::1"}, "no IPv4 address"},
		{"idle without a service", map[string]string{"IDLE_MINUTES": "30"}, "ECS_SERVICE"},
		{"no number", map[string]string{"DRAIN_SECONDS": "soon"}, "DRAIN_SECONDS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := &settings.Environment{Getenv: func(name string) string {
				if v, changed := c.changes[name]; changed {
					return v
				}
				return good[name]
			}}
			configuration(env)
			err := env.Err()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestPublicAddress(t *testing.T) {
	for text, good := range map[string]bool{"203.0.113.7\n": true, "2001:db8::1": false, "<html>": false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
		got, err := publicAddress(t.Context(), server.URL)
		server.Close()
		if (err == nil) != good || good && got.String() != strings.TrimSpace(text) {
			t.Errorf("%q is read as %v, %v", text, got, err)
		}
	}
	if _, err := publicAddress(t.Context(), "http://127.0.0.1:1"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("nobody answers: %v", err)
	}
}
