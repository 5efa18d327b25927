package nudge

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

const (
	// announceEvery is how often others are told again what is waited for here, announcedFor how long they remember.
	announceEvery = 3 * time.Second
	announcedFor  = 10 * time.Second
	// registerEvery is how often a process registers itself, and reads who else there is; registeredFor how long that holds.
	registerEvery = 30 * time.Second
	registeredFor = 3 * registerEvery
	// storeTime bounds what is done with the store at once.
	storeTime = 10 * time.Second
)

// Config is what a Mesh is made of. All of it is needed.
type Config struct {
	Store store.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Mesh is a process among those that serve the same databases. It is safe for concurrent use. Until Serve runs it
// does nothing.
type Mesh struct {
	cfg    Config
	id     processID
	wanted atomic.Int64  // keys that others wait for
	look   chan struct{} // holds a token if the others are to be read soon

	mu      sync.Mutex
	secret  []byte
	conn    net.PacketConn // nil: not serving
	here    map[digest]*awaited
	others  map[processID]*other
	waiting map[digest]map[processID]time.Time // who waits elsewhere, and until when that holds
}

// awaited is a key that commands of this process wait for.
type awaited struct {
	db, key string
	until   time.Time
	told    time.Time // when the others were told last
}

// other is another process.
type other struct {
	addr net.Addr
	seen time.Time
}

// New makes a Mesh.
func New(cfg Config) *Mesh {
	m := &Mesh{
		cfg: cfg, look: make(chan struct{}, 1),
		here: map[digest]*awaited{}, others: map[processID]*other{}, waiting: map[digest]map[processID]time.Time{},
	}
	rand.Read(m.id[:]) // never fails
	return m
}

// Serve exchanges datagrams over a connection, which others reach at an address, until the context ends. It calls wake for a
// key that commands wait for here when another process has written it. It closes the connection.
func (m *Mesh) Serve(ctx context.Context, conn net.PacketConn, address string, wake func(db, key string)) {
	defer conn.Close()
	secret := m.awaitSecret(ctx)
	if secret == nil {
		return
	}
	m.mu.Lock()
	m.secret, m.conn = secret, conn
	m.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { m.receive(ctx, conn, secret, wake) })
	work.Go(func() { m.keep(ctx, address) })
	<-ctx.Done()
	m.mu.Lock()
	m.conn = nil
	m.mu.Unlock()
	conn.Close()
	work.Wait()
	m.leave()
}

// awaitSecret reads the secret, however long the store cannot be reached; nil: the context has ended.
func (m *Mesh) awaitSecret(ctx context.Context) []byte {
	for failed := false; ; failed = true {
		secret, err := m.readSecret(ctx)
		switch {
		case err == nil:
			return secret
		case ctx.Err() != nil:
			return nil
		case !failed:
			m.cfg.Log.Warn("joining the processes that serve Redis", "error", err)
		}
		pause(ctx, announceEvery)
	}
}

// Await says that commands of this process wait for keys of a database. It holds for ten seconds.
func (m *Mesh) Await(db string, keys []string) {
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return
	}
	var tell []digest
	for _, key := range keys {
		g := digestOf(m.secret, db, key)
		a := m.here[g]
		if a == nil {
			a = &awaited{db: db, key: key}
			m.here[g] = a
		}
		a.until = now.Add(announcedFor)
		if now.Sub(a.told) >= announceEvery {
			a.told = now
			tell = append(tell, g)
		}
	}
	if len(tell) == 0 {
		return
	}
	select {
	case m.look <- struct{}{}:
	default:
	}
	for _, o := range m.others {
		m.send(await, tell, o.addr)
	}
}

// Written says that a key was written in this process.
func (m *Mesh) Written(db, key string) {
	if m.wanted.Load() == 0 {
		return
	}
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	g := digestOf(m.secret, db, key)
	for id, until := range m.waiting[g] {
		if o := m.others[id]; o != nil && now.Before(until) {
			m.send(written, []digest{g}, o.addr)
		}
	}
}

// send sends a datagram, or several. The lock is held. A failure is the network's, which may lose datagrams anyway.
func (m *Mesh) send(k kind, digests []digest, to net.Addr) {
	if m.conn == nil {
		return
	}
	for {
		n := min(len(digests), maxDigests)
		_, _ = m.conn.WriteTo(datagram{k, m.id, m.cfg.Now(), digests[:n]}.encode(m.secret), to)
		if digests = digests[n:]; len(digests) == 0 {
			return
		}
	}
}

// receive takes the datagrams of others.
func (m *Mesh) receive(ctx context.Context, conn net.PacketConn, secret []byte, wake func(db, key string)) {
	buf := make([]byte, maxDatagram+1)
	for ctx.Err() == nil {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			if ctx.Err() == nil {
				m.cfg.Log.Warn("receiving what other processes have written", "error", err)
				pause(ctx, time.Second)
			}
			continue
		}
		d, ok := decode(secret, buf[:n])
		if age := m.cfg.Now().Sub(d.at); !ok || d.from == m.id || age > maxAge || age < -maxAge {
			continue
		}
		for _, a := range m.take(d, from) {
			wake(a.db, a.key)
		}
	}
}

// take notes what a datagram tells, and returns which of the keys that are waited for here were written.
func (m *Mesh) take(d datagram, from net.Addr) (woken []awaited) {
	now := m.cfg.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.others[d.from] = &other{addr: from, seen: now}
	switch d.kind {
	case hello:
		var all []digest
		for g, a := range m.here {
			if now.Before(a.until) {
				all = append(all, g)
			}
		}
		if len(all) > 0 {
			m.send(await, all, from)
		}
	case await:
		for _, g := range d.digests {
			if m.waiting[g] == nil {
				m.waiting[g] = map[processID]time.Time{}
			}
			m.waiting[g][d.from] = now.Add(announcedFor)
		}
		m.wanted.Store(int64(len(m.waiting)))
	case written:
		for _, g := range d.digests {
			if a := m.here[g]; a != nil {
				woken = append(woken, *a)
			}
		}
	}
	return woken
}

// keep registers this process and reads who else there is, again and again, until the context ends.
func (m *Mesh) keep(ctx context.Context, address string) {
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	var registered, read time.Time
	failed := false
	for {
		now := m.cfg.Now()
		err := error(nil)
		if now.Sub(registered) >= registerEvery {
			if err = m.register(ctx, address); err == nil {
				registered = now
			}
		}
		if err == nil && (read.IsZero() || m.waits(now) && now.Sub(read) >= registerEvery) {
			if err = m.readOthers(ctx); err == nil {
				read = now
			}
		}
		if err != nil && !failed && ctx.Err() == nil {
			m.cfg.Log.Warn("finding the other processes that serve Redis", "error", err)
		}
		failed = err != nil
		m.forget(now)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-m.look:
		}
	}
}

// waits reports whether commands wait here.
func (m *Mesh) waits(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.here {
		if now.Before(a.until) {
			return true
		}
	}
	return false
}

// forget drops what does not hold any more.
func (m *Mesh) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for g, a := range m.here {
		if now.After(a.until) {
			delete(m.here, g)
		}
	}
	for id, o := range m.others {
		if now.Sub(o.seen) > registeredFor {
			delete(m.others, id)
		}
	}
	for g, ids := range m.waiting {
		for id, until := range ids {
			if now.After(until) {
				delete(ids, id)
			}
		}
		if len(ids) == 0 {
			delete(m.waiting, g)
		}
	}
	m.wanted.Store(int64(len(m.waiting)))
}

// greet adds a process that was read of, and greets it if it is new.
func (m *Mesh) greet(id processID, address string) error {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return fmt.Errorf("the address of another process: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.others[id] == nil {
		m.others[id] = &other{addr: addr}
		m.send(hello, nil, addr)
		var all []digest
		for g := range m.here {
			all = append(all, g)
		}
		if len(all) > 0 {
			m.send(await, all, addr)
		}
	}
	m.others[id].seen = m.cfg.Now()
	return nil
}

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
