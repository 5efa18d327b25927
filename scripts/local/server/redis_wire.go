package server

import (
	"context"
	"net"
	"net/url"
	"sync"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/nudge"
	"github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/token"
)

// redisWire serves Redis's own protocol.
type redisWire struct {
	server     *wire.Server
	plain, tls net.Listener // nil: not served
	host       string       // by which clients reach both; "": that of the address
	caFile     string       // "": the certificate is in memory only
	served     sync.WaitGroup
}

// openRedisWire listens for clients of Redis's protocol.
func (m *Main) openRedisWire(engine *redis.Engine) (w *redisWire, err error) {
	w = &redisWire{host: m.flags.redisHost}
	defer func() {
		if err != nil {
			w.closeListeners()
		}
	}()
	const whom = "Redis's clients"
	if addr := m.flags.redisAddr; addr != "" {
		if w.plain, err = listenNear(addr, whom); err != nil {
			return nil, err
		}
	}
	if addr := m.flags.redisTLSAddr; addr != "" {
		if w.tls, err = listenNear(addr, whom); err != nil {
			return nil, err
		}
		if w.tls, w.caFile, err = m.secure(w.tls); err != nil {
			return nil, err
		}
	}
	verifier, err := m.newVerifier(token.ProductRedis, m.store)
	if err != nil {
		return nil, err
	}
	w.server = wire.New(wire.Config{Engine: engine, Verifier: verifier, Meter: m.usage.live, Now: m.Now, Logger: m.log, DrainTime: m.flags.drainTime()})
	return w, nil
}

// joinOthers lets this process and others over the same table wake each other's blocked clients. Without it
// they wake later.
func (m *Main) joinOthers(ctx context.Context, mesh *nudge.Mesh, engine *redis.Engine) {
	host, _, err := net.SplitHostPort(m.flags.redisAddr)
	if err != nil {
		host = "127.0.0.1" // Redis's protocol is not served
	}
	conn, address, err := nudge.Listen(host)
	if err != nil {
		m.log.Warn("other processes are told of nothing", "error", err)
		return
	}
	m.duties.Go(func() { mesh.Serve(ctx, conn, address, engine.Wake) })
}

// serve begins to serve.
func (w *redisWire) serve(m *Main) {
	for _, l := range []net.Listener{w.plain, w.tls} {
		if l == nil {
			continue
		}
		w.served.Go(func() {
			if err := w.server.Serve(l); err != nil {
				m.failed <- err
			}
		})
	}
}

func (w *redisWire) closeListeners() {
	for _, l := range []net.Listener{w.plain, w.tls} {
		if l != nil {
			l.Close()
		}
	}
}

// drain accepts nothing more, and tells the connections to end once they have nothing to do.
func (w *redisWire) drain(ctx context.Context) {
	w.server.Drain(ctx)
	w.closeListeners()
}

// close ends the connections. Commands under way have until the context ends.
func (w *redisWire) close(ctx context.Context) {
	w.server.Close(ctx)
	w.served.Wait()
}

// endpoint is where the control plane says that clients connect to.
func (w *redisWire) endpoint() control.RedisServer {
	return control.RedisServer{Address: w.address(w.plain), TLSAddress: w.address(w.tls), CAFile: w.caFile}
}

// address is where clients reach a listener; "": nowhere.
func (w *redisWire) address(l net.Listener) string {
	if l == nil {
		return ""
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	switch ip := net.ParseIP(host); {
	case w.host != "":
		host = w.host
	case ip != nil && ip.IsUnspecified():
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// vars are what clients read from the environment.
func (w *redisWire) vars(token string) (vars [][2]string) {
	for _, v := range []struct {
		name, scheme string
		l            net.Listener
	}{{"REDIS_URL", "redis", w.plain}, {"REDIS_TLS_URL", "rediss", w.tls}} {
		if v.l != nil {
			u := url.URL{Scheme: v.scheme, User: url.UserPassword("default", token), Host: w.address(v.l)}
			vars = append(vars, [2]string{v.name, u.String()})
		}
	}
	if w.tls != nil && w.caFile != "" {
		vars = append(vars, [2]string{"REDIS_TLS_CA", w.caFile})
	}
	return vars
}
