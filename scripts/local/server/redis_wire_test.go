package server_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skystash/skystash/scripts/local/server"
)

// Clients find Redis's own protocol by local.env, without TLS and with it.
func TestRedisClientsConnectWithAndWithoutTLS(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, _ := start(t, "-data", dir, "-redis-addr", "127.0.0.1:0", "-redis-tls-addr", "127.0.0.1:0")
	env := environment(t, dir)
	ca, err := os.ReadFile(env["REDIS_TLS_CA"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for name, dial := range map[string]func(addr string) (net.Conn, error){
		"REDIS_URL": func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) },
		"REDIS_TLS_URL": func(addr string) (net.Conn, error) {
			return tls.Dial("tcp", addr, &tls.Config{RootCAs: roots})
		},
	} {
		u, err := url.Parse(env[name])
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dial(u.Host)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer conn.Close()
		password, _ := u.User.Password()
		if _, err := fmt.Fprintf(conn, "AUTH %s %s\r\nINCR n\r\nQUIT\r\n", u.User.Username(), password); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(bufio.NewReader(conn))
		if err != nil || !strings.HasPrefix(string(answer), "+OK\r\n:") {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	if got := call(t, m, m.Token(), "/get/n"); got != `{"result":"2"}` {
		t.Errorf("over REST: %s", got)
	}
}

func TestRedisTakesTheNextPortThatIsFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	start(t, "-data", dir, "-redis-addr", taken.Addr().String(), "-redis-tls-addr", "")
	env := environment(t, dir)
	if got := env["REDIS_URL"]; strings.Contains(got, taken.Addr().String()) || !strings.Contains(got, "@127.0.0.1:") {
		t.Errorf("REDIS_URL is %s", got)
	}
	if env["REDIS_TLS_URL"] != "" {
		t.Errorf("REDIS_TLS_URL is %s", env["REDIS_TLS_URL"])
	}
}

func TestRedisWithoutTLSIsForThisMachine(t *testing.T) {
	for args, ok := range map[string]bool{
		"-redis-addr 0.0.0.0:6379":                 false,
		"-redis-addr 0.0.0.0:6379 -redis-insecure": true,
		"-redis-addr localhost:6379":               true,
		"-redis-tls-addr 0.0.0.0:6380":             true,
		"-redis-addr 6379":                         false,
	} {
		if err := server.NewMain(os.Stdout, os.Stderr).ParseFlags(strings.Fields(args)); (err == nil) != ok {
			t.Errorf("%s: %v", args, err)
		}
	}
}
