package nudge_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/nudge"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
)

// network carries datagrams in memory, so that tests run in a bubble of time.
type network struct {
	mu    sync.Mutex
	ports map[string]*port
	cut   bool // datagrams are lost
	sent  int
}

// port is one end.
type port struct {
	net.PacketConn // the methods that are not used
	n              *network
	addr           *net.UDPAddr
	in             chan packet
	closed         chan struct{}
	once           sync.Once
}

type packet struct {
	data []byte
	from net.Addr
}

func (n *network) listen() *port {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &port{n: n, addr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: len(n.ports) + 1}, in: make(chan packet, 100), closed: make(chan struct{})}
	n.ports[p.addr.String()] = p
	return p
}

func (p *port) WriteTo(b []byte, to net.Addr) (int, error) {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.n.sent++
	if other := p.n.ports[to.String()]; other != nil && !p.n.cut {
		select {
		case other.in <- packet{append([]byte(nil), b...), p.addr}:
		default: // as networks do
		}
	}
	return len(b), nil
}

func (p *port) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case got := <-p.in:
		return copy(b, got.data), got.from, nil
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// gateway is a process: an engine and its mesh.
type gateway struct {
	t      *testing.T
	engine *redis.Engine
}

// newGateways makes processes over one store, of which each joins the network.
func newGateways(t *testing.T, st store.Store, n *network, count int) []*gateway {
	t.Helper()
	var all []*gateway
	for i := range count {
		mesh := nudge.New(nudge.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		e := redis.New(redis.Config{Store: st, RecordTTL: time.Second, MaxBlock: 24 * time.Hour, Neighbours: mesh})
		t.Cleanup(e.Close)
		if i == 0 {
			if _, err := e.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db"}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var served sync.WaitGroup
		p := n.listen()
		served.Go(func() { mesh.Serve(ctx, p, p.addr.String(), e.Wake) })
		t.Cleanup(func() {
			stop()
			served.Wait()
		})
		all = append(all, &gateway{t: t, engine: e})
	}
	return all
}

// do runs a command.
func (g *gateway) do(line string) string {
	var w resp.Writer
	ctx := redis.WithCaller(g.t.Context(), &redis.Caller{Patient: true, Waits: g.t.Context()}) // as on a connection
	db, err := g.engine.Database(ctx, "db")
	if err == nil {
		err = g.engine.Do(ctx, db, redis.Access{}, strings.Fields(line), &w)
	}
	if err != nil {
		return err.Error()
	}
	return string(w.Buf)
}

// later runs a command in the background, and tells when it has ended.
func (g *gateway) later(line string) <-chan time.Time {
	done := make(chan time.Time, 1)
	go func() {
		g.do(line)
		done <- time.Now()
	}()
	return done
}

func memory(t *testing.T) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// A job that is added through one process wakes a worker that is blocked on another within a tenth of a second, over a store as slow as
// DynamoDB, however long nothing has happened.
func TestAWriteWakesOtherProcessesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{ports: map[string]*port{}}
		st := slow.New(memory(t), slow.Options{Latency: 8 * time.Millisecond})
		gs := newGateways(t, st, n, 3)
		for _, tt := range []struct{ wait, write string }{
			{"blpop q 0", "rpush q a"},
			{"bzpopmin z 0", "zadd z 1 a"},
			{"xread block 0 streams s $", "xadd s * f v"},
			{"blmove a b left left 0", "eval redis.call('rpush','a','x') 0"},
		} {
			for _, idle := range []time.Duration{time.Second, 10 * time.Minute, time.Hour} {
				done := gs[0].later(tt.wait)
				time.Sleep(idle)
				start := time.Now()
				if got := gs[1].do(tt.write); strings.HasPrefix(got, "-") {
					t.Fatal(got)
				}
				written := time.Now()
				if took := (<-done).Sub(written); took > 100*time.Millisecond {
					t.Errorf("%s: woken %v after the write, which took %v, %v after the worker began to wait", tt.wait, took, written.Sub(start), idle)
				}
			}
		}
	})
}

// A process that came later is told what is waited for, and one that has gone is forgotten.
func TestProcessesThatComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{ports: map[string]*port{}}
		st := memory(t)
		first := newGateways(t, st, n, 1)[0]
		done := first.later("blpop q 0")
		time.Sleep(10 * time.Minute)
		mesh := nudge.New(nudge.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		second := redis.New(redis.Config{Store: st, RecordTTL: time.Second, Neighbours: mesh})
		defer second.Close()
		ctx, stop := context.WithCancel(t.Context())
		p := n.listen()
		go mesh.Serve(ctx, p, p.addr.String(), second.Wake)
		synctest.Wait()
		start := time.Now()
		(&gateway{t, second}).do("rpush q a")
		if took := (<-done).Sub(start); took > 10*time.Millisecond {
			t.Errorf("woken after %v", took)
		}
		stop()
		done = first.later("blpop q 0")
		time.Sleep(5 * time.Minute)
		n.mu.Lock()
		before := n.sent
		n.mu.Unlock()
		time.Sleep(time.Minute)
		n.mu.Lock()
		if n.sent != before {
			t.Errorf("%d datagrams to a process that has gone", n.sent-before)
		}
		n.mu.Unlock()
		first.do("rpush q a")
		<-done
	})
}

// What waits does not depend on datagrams.
func TestLostDatagramsOnlyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{ports: map[string]*port{}, cut: true}
		gs := newGateways(t, memory(t), n, 2)
		for i := range 3 {
			done := gs[0].later("blpop q 0")
			time.Sleep(time.Hour)
			start := time.Now()
			gs[1].do(fmt.Sprintf("rpush q %d", i))
			if took := (<-done).Sub(start); took > 3*time.Second {
				t.Errorf("woken after %v", took)
			}
		}
	})
}

// Datagrams of those who do not know the secret are passed over, and any bytes do no harm.
func TestStrangersDatagrams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{ports: map[string]*port{}}
		gs := newGateways(t, memory(t), n, 2)
		done := gs[0].later("blpop q 0")
		time.Sleep(time.Hour)
		stranger := n.listen()
		for size := range 200 {
			for _, b := range []byte{0, 1, 2, 3, 255} {
				data := []byte(strings.Repeat(string(rune(b)), size))
				if size > 0 {
					data[0] = 1
				}
				for _, p := range n.ports {
					if _, err := stranger.WriteTo(data, p.addr); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
			}
		}
		start := time.Now()
		gs[1].do("rpush q a")
		if took := (<-done).Sub(start); took > 10*time.Millisecond {
			t.Errorf("woken after %v", took)
		}
	})
}

// Over a real network, at the address that Listen tells.
func TestListen(t *testing.T) {
	st := memory(t)
	woken := make(chan string, 100)
	var meshes []*nudge.Mesh
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		m := nudge.New(nudge.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		conn, address, err := nudge.Listen(host)
		if err != nil {
			t.Fatal(err)
		}
		if h, _, err := net.SplitHostPort(address); err != nil || net.ParseIP(h).IsUnspecified() {
			t.Errorf("%s: address %s, %v", host, address, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var served sync.WaitGroup
		served.Go(func() { m.Serve(ctx, conn, address, func(db, key string) { woken <- db + " " + key }) })
		t.Cleanup(func() {
			stop()
			served.Wait()
		})
		meshes = append(meshes, m)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		meshes[0].Await("db", []string{"k"})
		meshes[1].Written("db", "other")
		meshes[1].Written("db", "k")
		select {
		case got := <-woken:
			if got != "db k" {
				t.Errorf("woken for %s", got)
			}
			return
		case <-tick.C:
		}
	}
}
