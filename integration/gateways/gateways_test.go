package gateways

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/skystash/skystash/integration/local"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
)

var (
	duration  = flag.Duration("for", 20*time.Second, "how `long` servers are killed")
	killEvery = flag.Duration("kill-every", 5*time.Second, "`time` between two kills")
	every     = flag.Duration("every", 200*time.Millisecond, "`pause` of each of the producers after a message")
)

const (
	topic      = "orders"
	partitions = 100
	producers  = 4
	consumers  = 4
)

// gateways are three servers over the same tables and the same stream.
type gateways struct {
	*testing.T
	servers [3]*local.Server

	mu      sync.Mutex
	clients map[*kgo.Client]bool
}

func start(t *testing.T) *gateways {
	t.Helper()
	g := &gateways{T: t, clients: map[*kgo.Client]bool{}}
	tables, streams := dynamolocal.Client(t), kinesislocal.Client(t)
	args := []string{
		"-data", t.TempDir(), "-store", "dynamo", "-endpoint", dynamolocal.Start(t),
		"-table", dynamolocal.Table(t, tables), "-kafka-table", dynamolocal.Table(t, tables),
		"-qstash-table", dynamolocal.Table(t, tables), "-control-table", dynamolocal.Table(t, tables),
		"-kafka-stream", kinesislocal.Stream(t, streams, 1), "-kinesis-endpoint", kinesislocal.Start(t),
		"-kafka-addr", "127.0.0.1:0", "-kafka-tls-addr", "", "-topics", fmt.Sprintf("%s:%d", topic, partitions),
	}
	binary := local.Build(t)
	for i := range g.servers {
		g.servers[i] = local.New(t, binary, args...)
		g.servers[i].Log = &serverLog{t: t, number: i}
		if err := g.servers[i].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// addresses are those of all servers, the i-th one first.
func (g *gateways) addresses(i int) (all []string) {
	for n := range g.servers {
		all = append(all, g.servers[(i+n)%len(g.servers)].Var("KAFKA_BROKERS"))
	}
	return all
}

// client makes a client that asks the i-th server first, and the others if that is down.
func (g *gateways) client(i int, opts ...kgo.Opt) *kgo.Client {
	g.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(g.addresses(i)...), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.SASL(plain.Auth{User: g.servers[0].Var("KAFKA_USERNAME"), Pass: g.servers[0].Var("KAFKA_PASSWORD")}.AsMechanism()))...)
	if err != nil {
		g.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients[c] = true
	return c
}

func (g *gateways) close(c *kgo.Client) {
	g.mu.Lock()
	delete(g.clients, c)
	g.mu.Unlock()
	c.CloseAllowingRebalance()
}

// restart starts a server again, and tells all clients where it is now.
func (g *gateways) restart(i int) {
	if err := g.servers[i].Start(context.Background()); err != nil {
		g.Error(err)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.clients {
		if err := c.UpdateSeedBrokers(g.addresses(i)...); err != nil {
			g.Error(err)
		}
	}
}

// disturb kills one server after the other, and starts it again a second later, until the context ends. Then all are
// there.
func (g *gateways) disturb(ctx context.Context, every time.Duration) (kills int) {
	for wait(ctx, every) {
		i := kills % len(g.servers)
		g.servers[i].Kill()
		kills++
		wait(ctx, time.Second)
		g.restart(i)
	}
	return kills
}

// wait returns after a time, or false when the context ends.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func TestKilledGatewaysKeepTheirPromises(t *testing.T) {
	g := start(t)
	w := &work{g: g, acked: map[string][]place{}, seen: map[place]int{}, keys: map[string]int{}}
	stop, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	done, enough := context.WithCancel(t.Context())
	defer enough()
	var producing, consuming sync.WaitGroup
	for i := range producers {
		producing.Go(func() { w.produce(stop, i) })
	}
	for i := range consumers {
		consuming.Go(func() { w.consume(done, stop, i) })
	}
	kills := g.disturb(stop, *killEvery)
	producing.Wait()
	ctx := t.Context()
	if end, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-time.Minute)) // time to tell what is missing
		defer cancel()
	}
	for w.unseen() > 0 && wait(ctx, 100*time.Millisecond) {
	}
	enough()
	consuming.Wait()
	w.verify(ctx)
	t.Logf("%d kills in %v: %d messages were acknowledged; the group got %d of them again, and joined %d times", kills, *duration, w.total(), w.again, w.joins)
	if kills == 0 || w.total() == 0 {
		t.Error("nothing has happened")
	}
}

// serverLog shows what a server logs, when the test fails or is verbose.
type serverLog struct {
	t      *testing.T
	number int
}

func (l *serverLog) Write(b []byte) (int, error) {
	l.t.Logf("server %d: %s", l.number, bytes.TrimSpace(b))
	return len(b), nil
}

var errStopped = errors.New("the test is over")
