package deliver_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/qstash/deliver"
)

func delivery(url string) qstash.Delivery {
	return qstash.Delivery{URL: url, Method: "POST", Header: qstash.Header{"X-Mine": {"a", "b"}, "Host": {"evil"}},
		Body: []byte("hello"), Timeout: time.Minute, SigningKey: "sig_key", IssuedAt: time.Now()}
}

func TestRequestArrivesAsPublishedAndSigned(t *testing.T) {
	var got *http.Request
	var body []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "1")
		w.WriteHeader(299)
		io.WriteString(w, strings.Repeat("x", 100))
	}))
	defer srv.Close()
	s := deliver.New(deliver.Config{Allow: deliver.Loopback, MaxResponseBytes: 10})
	url := srv.URL + "/a//b?x=1&y=%2F"
	resp, err := s.Send(t.Context(), delivery(url))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 299 || string(resp.Body) != "xxxxxxxxxx" || !resp.Cut || resp.Header.Get("X-Answer") != "1" {
		t.Errorf("answer %d %q %v", resp.Status, resp.Body, resp.Header)
	}
	if got.RequestURI != "/a//b?x=1&y=%2F" || string(body) != "hello" || len(got.Header["X-Mine"]) != 2 || got.Host == "evil" {
		t.Errorf("request %s %q %v host %s", got.RequestURI, body, got.Header, got.Host)
	}
	claims := jwt.MapClaims{}
	if _, err := jwt.ParseWithClaims(got.Header.Get("Upstash-Signature"), claims, func(tok *jwt.Token) (any, error) {
		return []byte("sig_key"), nil
	}, jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("Upstash"), jwt.WithExpirationRequired()); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("hello"))
	if claims["sub"] != url || claims["body"] != base64.URLEncoding.EncodeToString(sum[:]) || claims["nbf"] != 0.0 ||
		claims["exp"].(float64)-claims["iat"].(float64) != 300 || !strings.HasPrefix(claims["jti"].(string), "jwt_") {
		t.Errorf("claims %v", claims)
	}
}

func TestRedirectsAreTheAnswer(t *testing.T) {
	srv := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/", http.StatusFound))
	defer srv.Close()
	resp, err := deliver.New(deliver.Config{Allow: deliver.Loopback}).Send(t.Context(), delivery(srv.URL))
	if err != nil || resp.Status != http.StatusFound {
		t.Errorf("%d, %v", resp.Status, err)
	}
}

func TestAddressesThatAreNotPublicAreRefused(t *testing.T) {
	s := deliver.New(deliver.Config{})
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "2130706433", "0x7f.1", "0.0.0.0", "localhost", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "240.0.0.1",
		"[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
		"[64:ff9b::7f00:1]", "[64:ff9b:1:a00:0:100::]", "[64:ff9b:1:7f00:0:100::]", "[::ffff:0:127.0.0.1]", "[::ffff:0:a00:1]",
		"[2a00:1450::5efe:7f00:1]", "[2a00:1450::200:5efe:a00:1]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2001:db8::1]", "[fec0::1]",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := s.Send(ctx, delivery("http://"+host+":1/"))
		cancel()
		if err == nil || !(strings.Contains(err.Error(), "not allowed") || strings.Contains(err.Error(), "unable to resolve")) {
			t.Errorf("%s: %v, want a refusal", host, err)
		}
	}
}

// TestErrorsDoNotTellWhichInternalNamesThereAre: a name with a private address fails as one without any.
func TestErrorsDoNotTellWhichInternalNamesThereAre(t *testing.T) {
	s := deliver.New(deliver.Config{})
	said := func(host string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := s.Send(ctx, delivery("http://"+host+":1/"))
		if err == nil {
			t.Fatalf("%s was reached", host)
		}
		return strings.ReplaceAll(err.Error(), host, "HOST")
	}
	if internal, none := said("localhost"), said("nothing-here.invalid"); internal != none {
		t.Errorf("%q and %q", internal, none)
	}
}

// A name whose address changes between the check and the connection gains nothing:
// there is only the connection.
func TestAllowedBlocksAndMappedHosts(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	mapped := deliver.New(deliver.Config{Resolve: map[string]string{"Example.com": srv.Listener.Addr().String(), "other.example:81": srv.Listener.Addr().String()}})
	for _, host := range []string{"example.com", "EXAMPLE.com:" + port, "other.example:81"} {
		resp, err := mapped.Send(t.Context(), delivery("http://"+host+"/"))
		if err != nil || !strings.EqualFold(string(resp.Body), host) {
			t.Errorf("%s: %q, %v", host, resp.Body, err)
		}
	}
	if _, err := mapped.Send(t.Context(), delivery(srv.URL)); err == nil {
		t.Error("an address that only a mapping leads to is refused by itself")
	}
	narrow := deliver.New(deliver.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	if _, err := narrow.Send(t.Context(), delivery(srv.URL)); err != nil {
		t.Error(err)
	}
	if _, err := narrow.Send(t.Context(), delivery("http://127.0.0.2:"+port)); err == nil {
		t.Error("127.0.0.2 is not allowed")
	}
}

func TestFailuresAreSaidInWords(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	closed := httptest.NewServer(nil)
	closed.Close()
	s := deliver.New(deliver.Config{Allow: deliver.Loopback})
	d := delivery(slow.URL)
	d.Timeout = 20 * time.Millisecond
	if _, err := s.Send(t.Context(), d); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("slow: %v", err)
	}
	if _, err := s.Send(t.Context(), delivery(closed.URL)); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("closed: %v", err)
	}
}
