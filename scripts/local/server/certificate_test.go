package server

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"
)

// Clients that trust the authority's file trust the server. Its certificate is none that signs others: rustls would refuse it.
func TestTheServersCertificateIsTrusted(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cert, key, err := newAuthority(now)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(cert)
	for range 2 { // also after it was started again
		shown, err := issue(ca, []string{"localhost", "redis.test", "10.0.0.7"}, now)
		if err != nil {
			t.Fatal(err)
		}
		if shown.Leaf.IsCA {
			t.Error("the server shows an authority")
		}
		for _, name := range []string{"localhost", "redis.test", "127.0.0.1", "::1", "10.0.0.7"} {
			for _, at := range []time.Time{now, now.Add(certLife)} {
				if _, err := shown.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: trusted, CurrentTime: at}); err != nil {
					t.Errorf("%s at %v: %v", name, at, err)
				}
			}
		}
		if _, err := shown.Leaf.Verify(x509.VerifyOptions{DNSName: "other.test", Roots: trusted, CurrentTime: now}); err == nil {
			t.Error("it is good for any name")
		}
	}
}
