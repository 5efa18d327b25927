package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/scripts/local/server"
)

// logged is a log that many may write.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// speak sends bytes, sends no more, and returns what the server answers until it closes the connection.
func speak(t *testing.T, url, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%.40q: %v after %q", text, err, answer)
	}
	return string(answer)
}

// TestLogHasNoBytesOfMalformedRequests: what is not HTTP may have a token anywhere.
func TestLogHasNoBytesOfMalformedRequests(t *testing.T) {
	const secret = "s3cr3t-t0k3n"
	log := &logged{}
	m := server.NewMain(io.Discard, log)
	if err := m.ParseFlags([]string{"-addr", "127.0.0.1:0", "-ephemeral", "-qstash-dev", "-qstash-dev-addr", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed := false
	defer func() {
		if !closed {
			m.Close()
		}
	}()
	auth := "Authorization: Bearer " + secret
	for _, text := range []string{
		"AUTH " + secret + "\r\n",
		"AUTH " + secret,
		"GET /get/k?_token=" + secret,
		"GET /get/k?_token=" + secret + " HTTP/1.1\r\n",
		"GET /get/k?_token=" + secret + " HTTP/9." + secret + "\r\n\r\n",
		"GET /get/k HTTP/1.1\r\nHost: x\r\n" + auth,
		"GET /get/k HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n",
		"GET /get/k HTTP/1.1\r\nHost: x\r\n" + secret + "\r\n\r\n",
		"GET /get/k HTTP/1.1\r\nHost: x\r\nBad Header " + secret + ": x\r\n\r\n",
		"GET /get/k HTTP/1.1\r\nHost: x\r\nX-A: \x00" + secret + "\r\n\r\n",
		"GET /get/k HTTP/1.1\r\nHost: " + secret + "\x7f%zz[\r\n\r\n",
		"GET http://" + secret + ":port:[/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /get/%zz" + secret + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + secret + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + secret,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + secret + "\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + secret + "\r\n\r\n",
		"GET /" + strings.Repeat("x", 200<<10) + secret + " HTTP/1.1\r\n\r\n",
		"\x16\x03\x01" + secret,
	} {
		for _, url := range []string{m.URL(), m.QStashDevURL()} {
			if len(text) > 100<<10 {
				// The server closes the connection while bytes are on their way: whether the answer
				// is seen is not the matter here.
				if conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://")); err == nil {
					_, _ = io.WriteString(conn, text)
					_, _ = io.Copy(io.Discard, conn)
					conn.Close()
				}
				continue
			}
			if answer := speak(t, url, text); strings.Contains(answer, secret) {
				t.Errorf("%.60q is answered %q", text, answer)
			}
		}
	}
	closed = true
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	text := log.String()
	if !strings.Contains(text, "error when serving connection") {
		t.Errorf("the log does not say that connections have failed: %s", text)
	}
	if at := strings.Index(text, secret); at >= 0 {
		t.Errorf("the log has the token: %.300s", text[max(0, at-150):])
	}
}

// TestRedisProtocolIsAnsweredInIt: a client for another protocol learns why it does not work.
func TestRedisProtocolIsAnsweredInIt(t *testing.T) {
	log := &logged{}
	m := server.NewMain(io.Discard, log)
	if err := m.ParseFlags([]string{"-addr", "127.0.0.1:0", "-ephemeral"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const secret = "s3cr3t-t0k3n"
	for _, text := range []string{
		fmt.Sprintf("*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n", len(secret), secret),
		"*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$" + fmt.Sprint(len(secret)) + "\r\n" + secret + "\r\n",
		"*1\r\n$30000\r\n" + strings.Repeat(secret, 2500),
	} {
		got := speak(t, m.URL(), text)
		if !strings.HasPrefix(got, "-ERR ") || !strings.HasSuffix(got, "\r\n") || !strings.Contains(got, "HTTP") || strings.Count(got, "\n") != 1 {
			t.Errorf("%.40q is answered %q", text, got)
		}
		if strings.Contains(got, secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%.40q: the token is in %q or in the log", text, got)
		}
	}
	wantAnswer(t, call(t, m, m.Token(), "/ping"), `{"result":"PONG"}`)
}
