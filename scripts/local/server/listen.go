package server

import (
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
	"slices"
	"strconv"
	"syscall"
	"time"
)

// What the listeners of protocols besides HTTP have in common: a port near the one asked for, and a
// certificate that the program makes for itself.

// portsToTry bounds how far a free port is looked for behind one that is taken.
const portsToTry = 200

// Files of the authority in the data folder that signs the certificate for TLS. Clients trust the first. They were Kafka's alone at first.
const (
	certFile    = "kafka-ca.pem"
	certKeyFile = "kafka-ca-key.pem"
)

const (
	certLife  = 10 * 365 * 24 * time.Hour
	certRenew = 30 * 24 * time.Hour // before its end
)

// certificate is what the listeners of TLS show.
type certificate struct {
	tls.Certificate
	file string // that clients trust; "": it is in memory only
}

// listenNear listens on an address. If another process has its port, it takes the next one that is free. Errors say for whom.
func listenNear(addr, whom string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", whom, err)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: port %q: %w", whom, port, err)
	}
	for n := first; ; n++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n)))
		if inUse(err) && n < min(first+portsToTry, 1<<16-1) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listening for %s on %s: %w", whom, addr, err)
		}
		return l, nil
	}
}

// inUse reports whether an address was not listened on because another process does.
func inUse(err error) bool {
	const wsaAddrInUse = syscall.Errno(10048) // Windows; syscall.EADDRINUSE is an invented number there
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddrInUse)
}

// secure makes a listener one of TLS 1.2 or later, and returns the file of the certificate that clients trust; "": it is in
// memory only. All listeners have the same certificate.
func (m *Main) secure(l net.Listener) (_ net.Listener, caFile string, err error) {
	if m.certificate == nil {
		c := &certificate{}
		if c.Certificate, err = m.readCertificate(c); err != nil {
			return l, "", err
		}
		m.certificate = c
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{m.certificate.Certificate}, MinVersion: tls.VersionTLS12}), m.certificate.file, nil
}

// readCertificate makes a certificate for this machine, signed by the authority of the data folder. There is a new one at each start:
// what clients trust is the authority.
func (m *Main) readCertificate(c *certificate) (tls.Certificate, error) {
	names := []string{"localhost"}
	for _, name := range []string{m.flags.kafkaHost, m.flags.redisHost} {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	ca, err := m.authority(c)
	if err != nil {
		return tls.Certificate{}, err
	}
	return issue(ca, names, time.Now())
}

// authority reads the authority of the data folder, or makes one.
func (m *Main) authority(c *certificate) (tls.Certificate, error) {
	if m.flags.ephemeral {
		cert, key, err := newAuthority(time.Now())
		if err != nil {
			return tls.Certificate{}, err
		}
		return tls.X509KeyPair(cert, key)
	}
	certPath, keyPath := filepath.Join(m.flags.data, certFile), filepath.Join(m.flags.data, certKeyFile)
	var err error
	if c.file, err = filepath.Abs(certPath); err != nil {
		return tls.Certificate{}, err
	}
	ca, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err == nil && time.Now().Before(ca.Leaf.NotAfter.Add(-certRenew)) {
		return ca, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("the certificate in %s: %w", certPath, err)
	}
	certText, keyText, err := newAuthority(time.Now())
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

// newAuthority makes a certificate that signs others, and its key. No server shows it: rustls refuses an authority as a server's certificate.
func newAuthority(now time.Time) (cert, key []byte, err error) {
	private, template, err := newTemplate("skystash local", now, now.Add(certLife))
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage |= x509.KeyUsageCertSign
	template.IsCA = true
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

// issue makes a server's certificate for names and this machine. It does not outlive the authority.
func issue(ca tls.Certificate, names []string, now time.Time) (tls.Certificate, error) {
	private, template, err := newTemplate("skystash local server", now, ca.Leaf.NotAfter)
	if err != nil {
		return tls.Certificate{}, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, private.Public(), ca.PrivateKey)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}, nil
}

// newTemplate makes a key, and what certificates have in common.
func newTemplate(name string, now, end time.Time) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate: %w", err)
	}
	return private, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}, nil
}
