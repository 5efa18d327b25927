package wire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/skystash/skystash/pkg/redis/wire"
)

// goredis is a client that speaks a protocol.
func (s *server) goredis(change func(*goredis.Options)) *goredis.Client {
	s.Helper()
	o := &goredis.Options{Addr: s.addr, Username: "anybody", Password: s.mint(nil), MaxRetries: -1, ReadTimeout: testTimeout, WriteTimeout: testTimeout, PoolTimeout: testTimeout}
	if change != nil {
		change(o)
	}
	c := goredis.NewClient(o)
	s.Cleanup(func() { c.Close() })
	return c
}

func TestGoRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		t.Run(fmt.Sprintf("RESP%d", proto), func(t *testing.T) {
			s := newServer(t, nil)
			c := s.goredis(func(o *goredis.Options) { o.Protocol = proto })
			ctx := t.Context()
			check := func(what string, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			check("SET", c.Set(ctx, "k", "v", time.Minute).Err())
			if got := c.Get(ctx, "k").Val(); got != "v" {
				t.Errorf("GET: %q", got)
			}
			if err := c.Get(ctx, "none").Err(); err != goredis.Nil {
				t.Errorf("GET of nothing: %v", err)
			}
			check("HSET", c.HSet(ctx, "h", "f", "v", "g", "w").Err())
			if got := c.HGetAll(ctx, "h").Val(); len(got) != 2 || got["g"] != "w" {
				t.Errorf("HGETALL: %v", got)
			}
			check("ZADD", c.ZAdd(ctx, "z", goredis.Z{Score: 1.5, Member: "a"}, goredis.Z{Score: 2, Member: "b"}).Err())
			if got := c.ZRangeWithScores(ctx, "z", 0, -1).Val(); len(got) != 2 || got[0].Score != 1.5 || got[1].Member != "b" {
				t.Errorf("ZRANGE: %v", got)
			}
			if got := c.ZPopMin(ctx, "z", 2).Val(); len(got) != 2 || got[0].Score != 1.5 {
				t.Errorf("ZPOPMIN: %v", got)
			}
			id, err := c.XAdd(ctx, &goredis.XAddArgs{Stream: "s", Values: []any{"f", "v"}}).Result()
			check("XADD", err)
			streams, err := c.XRead(ctx, &goredis.XReadArgs{Streams: []string{"s", "0"}, Block: time.Second}).Result()
			if err != nil || len(streams) != 1 || streams[0].Messages[0].ID != id || streams[0].Messages[0].Values["f"] != "v" {
				t.Errorf("XREAD: %v, %v", streams, err)
			}
			if got, err := c.ClientList(ctx).Result(); err != nil || got == "" {
				t.Errorf("CLIENT LIST: %q, %v", got, err)
			}
			if info, err := c.ClientInfo(ctx).Result(); err != nil || info.Resp != proto {
				t.Errorf("CLIENT INFO: %+v, %v", info, err)
			}
			script := goredis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
			if got, err := script.Run(ctx, c, []string{"n"}, 5).Int(); err != nil || got != 5 {
				t.Errorf("a script: %d, %v", got, err)
			}
			const n = 10_000
			cmds, err := c.Pipelined(ctx, func(p goredis.Pipeliner) error {
				for i := range n {
					p.Incr(ctx, fmt.Sprint("p", i%10))
				}
				return nil
			})
			if err != nil || cmds[n-1].(*goredis.IntCmd).Val() != n/10 {
				t.Errorf("a pipeline: %d replies, %v", len(cmds), err)
			}
			cmds, err = c.TxPipelined(ctx, func(p goredis.Pipeliner) error {
				p.Set(ctx, "t", 1, 0)
				p.Incr(ctx, "t")
				return nil
			})
			if err != nil || len(cmds) != 2 || cmds[1].(*goredis.IntCmd).Val() != 2 {
				t.Errorf("a transaction: %v, %v", cmds, err)
			}
		})
	}
}

// Increments under WATCH that are tried again until they succeed: none is lost.
func TestGoRedisWatches(t *testing.T) {
	s := newServer(t, nil)
	c := s.goredis(nil)
	increment := func(ctx context.Context) error {
		for {
			err := c.Watch(ctx, func(tx *goredis.Tx) error {
				n, err := tx.Get(ctx, "n").Int()
				if err != nil && err != goredis.Nil {
					return err
				}
				_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error {
					p.Set(ctx, "n", n+1, 0)
					return nil
				})
				return err
			}, "n")
			if !errors.Is(err, goredis.TxFailedErr) {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if err := increment(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := c.Get(t.Context(), "n").Val(); got != "80" {
		t.Errorf("80 increments make %s", got)
	}
}

func TestGoRedisSubscribes(t *testing.T) {
	s := newServer(t, nil)
	c := s.goredis(nil)
	ctx := t.Context()
	sub := c.Subscribe(ctx, "a", "b")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	if err := sub.PSubscribe(ctx, "x*"); err != nil {
		t.Fatal(err)
	}
	channel := sub.Channel()
	for c.PubSubNumPat(ctx).Val() == 0 {
	}
	for _, name := range []string{"a", "b", "xy"} {
		if n, err := c.Publish(ctx, name, "hello "+name).Result(); err != nil || n != 1 {
			t.Errorf("PUBLISH %s: %d, %v", name, n, err)
		}
		if m := <-channel; m.Channel != name || m.Payload != "hello "+name {
			t.Errorf("received %v", m)
		}
	}
}

// Elements are shared out among those who wait, and each goes to one.
func TestGoRedisWaits(t *testing.T) {
	s := newServer(t, nil)
	c := s.goredis(func(o *goredis.Options) { o.PoolSize = 30 })
	ctx := t.Context()
	const n = 20
	got := make(chan string, n)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			kv, err := c.BLPop(ctx, 0, "q").Result()
			if err != nil {
				t.Error(err)
				return
			}
			got <- kv[1]
		})
	}
	s.isBlocked(n)
	for i := range n {
		if err := c.RPush(ctx, "q", i).Err(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	seen := map[string]bool{}
	for range n {
		seen[<-got] = true
	}
	if len(seen) != n {
		t.Errorf("%d different elements, want %d", len(seen), n)
	}
}

// secure serves the same over TLS, and returns the address and what clients trust.
func (s *server) secure() (addr string, roots *x509.CertPool) {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"db.redis.test", "other.redis.test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		s.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		s.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(leaf)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		s.Fatal(err)
	}
	go s.wire.Serve(l)
	return l.Addr().String(), roots
}

// Over TLS, the host name may stand for a database, which the token must be of.
func TestGoRedisOverTLS(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.Domain = "redis.test" })
	addr, roots := s.secure()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, want := range map[string]string{
			"db.redis.test":    "",
			"other.redis.test": "WRONGPASS invalid username-password pair or user is disabled.",
		} {
			c := s.goredis(func(o *goredis.Options) {
				o.TLSConfig = &tls.Config{RootCAs: roots, ServerName: name, MinVersion: version, MaxVersion: version}
				o.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
					return (&tls.Dialer{Config: o.TLSConfig}).DialContext(ctx, "tcp", addr)
				}
			})
			text := ""
			if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				text = err.Error()
			}
			if text != want {
				t.Errorf("%s: %q, want %q", name, text, want)
			}
		}
	}
}
