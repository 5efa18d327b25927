package server

import (
	"context"
	"net"
	"strconv"
	"sync"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/kafka/wire"
)

// kafkaWire serves Kafka's own protocol.
type kafkaWire struct {
	server     *wire.Server
	plain, tls *wireListener // nil: not served
	caFile     string        // "": the certificate is in memory only
	served     sync.WaitGroup
	gateway    *kafka.Gateway     // nil: it has no slot
	leave      context.CancelFunc // gives the slot back; nil: it is not held
}

type wireListener struct {
	net.Listener
	advertised wire.Address
}

func (l *wireListener) address() string {
	if l == nil {
		return ""
	}
	return net.JoinHostPort(l.advertised.Host, strconv.Itoa(int(l.advertised.Port)))
}

// openKafkaWire listens for clients of Kafka's protocol.
func (m *Main) openKafkaWire(engine *kafka.Engine, verifier access.Verifier) (w *kafkaWire, err error) {
	f := &m.flags
	w = &kafkaWire{}
	defer func() {
		if err != nil {
			w.closeListeners()
		}
	}()
	if w.plain, err = m.listenKafka(f.kafkaAddr); err != nil {
		return nil, err
	}
	if w.tls, err = m.listenKafka(f.kafkaTLSAddr); err != nil {
		return nil, err
	}
	if w.tls != nil {
		if w.tls.Listener, w.caFile, err = m.secure(w.tls.Listener); err != nil {
			return nil, err
		}
		w.tls.advertised.TLS = true
	}
	cfg := wire.Config{Engine: engine, Verifier: verifier, Meter: m.usage.live, Now: m.Now, Logger: m.log, DrainTime: m.flags.drainTime()}
	if f.kafkaSlot >= 0 {
		w.gateway = &kafka.Gateway{Slot: f.kafkaSlot, Plain: w.plain.address(), TLS: w.tls.address()}
		cfg.Gateway = w.gateway
	}
	w.server = wire.New(cfg)
	return w, nil
}

// listenKafka listens on an address, or the next free port behind it.
func (m *Main) listenKafka(addr string) (*wireListener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := listenNear(addr, "Kafka's clients")
	if err != nil {
		return nil, err
	}
	advertised, err := wire.AddressOf(l.Addr().String())
	if err != nil {
		l.Close()
		return nil, err
	}
	host, _, _ := net.SplitHostPort(addr)
	switch ip := net.ParseIP(host); {
	case m.flags.kafkaHost != "":
		advertised.Host = m.flags.kafkaHost
	case host == "" || ip != nil && ip.IsUnspecified():
		advertised.Host = "localhost"
	default:
		advertised.Host = host
	}
	return &wireListener{l, advertised}, nil
}

// serve begins to serve.
func (w *kafkaWire) serve(m *Main) {
	if w.gateway != nil {
		var slot context.Context
		slot, w.leave = context.WithCancel(context.Background())
		w.served.Go(func() { m.kafka.KeepSlot(slot, *w.gateway) })
	}
	for _, l := range []*wireListener{w.plain, w.tls} {
		if l == nil {
			continue
		}
		w.served.Go(func() {
			if err := w.server.Serve(l, l.advertised); err != nil {
				m.failed <- err
			}
		})
	}
}

func (w *kafkaWire) closeListeners() {
	for _, l := range []*wireListener{w.plain, w.tls} {
		if l != nil {
			l.Close()
		}
	}
}

// drain gives the slot back, accepts nothing more, and tells the connections to end once they have nothing to do.
func (w *kafkaWire) drain(ctx context.Context) {
	if w.leave != nil {
		w.leave()
	}
	w.server.Drain(ctx)
	w.closeListeners()
}

// close ends the connections. Requests under way have until the context ends.
func (w *kafkaWire) close(ctx context.Context) {
	w.server.Close(ctx)
	w.served.Wait()
}

// vars are what clients read from the environment.
func (w *kafkaWire) vars(username, password string) (vars [][2]string) {
	add := func(name, value string) {
		if value != "" {
			vars = append(vars, [2]string{name, value})
		}
	}
	add("KAFKA_BROKERS", w.plain.address())
	add("KAFKA_TLS_BROKERS", w.tls.address())
	add("KAFKA_TLS_CA", w.caFile)
	add("KAFKA_USERNAME", username)
	add("KAFKA_PASSWORD", password)
	return vars
}

// endpoint is where the control plane says that clients connect to.
func (w *kafkaWire) endpoint() control.Broker {
	switch {
	case w.plain != nil:
		return control.Broker{Address: w.plain.address()}
	case w.tls != nil:
		return control.Broker{Address: w.tls.address(), TLS: true, CAFile: w.caFile}
	}
	return control.Broker{}
}
