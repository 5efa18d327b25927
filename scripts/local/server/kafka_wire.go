package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/kafka/wire"
)

// portsToTry bounds how far a free port is looked for behind one that is taken.
const portsToTry = 200

// Files of the certificate for TLS in the data folder. Clients trust the first.
const (
	certFile    = "kafka-ca.pem"
	certKeyFile = "kafka-ca-key.pem"
)

const (
	certLife  = 10 * 365 * 24 * time.Hour
	certRenew = 30 * 24 * time.Hour // before its end
)

// kafkaWire serves Kafka's own protocol.
type kafkaWire struct {
	server     *wire.Server
	plain, tls *wireListener // nil: not served
	caFile     string        // "": the certificate is in memory only
	served     sync.WaitGroup
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
		cert, err := m.kafkaCertificate(w)
		if err != nil {
			return nil, err
		}
		w.tls.Listener = tls.NewListener(w.tls.Listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	w.server = wire.New(wire.Config{Engine: engine, Verifier: verifier, Meter: m.usage.sums, Logger: m.log})
	return w, nil
}

// listenKafka listens on an address, or the next free port behind it.
func (m *Main) listenKafka(addr string) (*wireListener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := listenNear(addr)
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

// listenNear listens on an address. If another process has its port, it takes the next one that is free.
func listenNear(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listening for Kafka's clients: %w", err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("listening for Kafka's clients: port %q: %w", port, err)
	}
	for n := first; ; n++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n)))
		if errors.Is(err, syscall.EADDRINUSE) && n < min(first+portsToTry, 1<<16-1) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listening for Kafka's clients on %s: %w", addr, err)
		}
		return l, nil
	}
}

// serve begins to serve.
func (w *kafkaWire) serve(m *Main) {
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

// close ends the connections. Requests under way have until the context ends.
func (w *kafkaWire) close(ctx context.Context) {
	w.closeListeners()
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

// kafkaCertificate reads the certificate of the data folder, or makes one.
func (m *Main) kafkaCertificate(w *kafkaWire) (tls.Certificate, error) {
	names := []string{"localhost"}
	if m.flags.kafkaHost != "" && m.flags.kafkaHost != "localhost" {
		names = append(names, m.flags.kafkaHost)
	}
	if m.flags.ephemeral {
		cert, key, err := newCertificate(names, time.Now())
		if err != nil {
			return tls.Certificate{}, err
		}
		return tls.X509KeyPair(cert, key)
	}
	certPath, keyPath := filepath.Join(m.flags.data, certFile), filepath.Join(m.flags.data, certKeyFile)
	var err error
	if w.caFile, err = filepath.Abs(certPath); err != nil {
		return tls.Certificate{}, err
	}
	cert, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err == nil && covers(cert.Leaf, names, time.Now()) {
		return cert, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("the certificate in %s: %w", certPath, err)
	}
	certText, keyText, err := newCertificate(names, time.Now())
	if err != nil {
		return tls.Certificate{}, err
	}
	for path, text := range map[string][]byte{certPath: certText, keyPath: keyText} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return tls.Certificate{}, fmt.Errorf("writing the certificate: %w", err)
		}
	}
	return tls.X509KeyPair(certText, keyText)
}

// covers reports whether a certificate is for all names, and for some time.
func covers(cert *x509.Certificate, names []string, now time.Time) bool {
	for _, name := range names {
		if cert.VerifyHostname(name) != nil {
			return false
		}
	}
	return now.Before(cert.NotAfter.Add(-certRenew))
}

// newCertificate makes a certificate for this machine that has signed itself.
func newCertificate(names []string, now time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "skystash local"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
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
