//go:build unix

package server

import (
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manyRequests is a connection on which requests arrive one after the other, each when the one before was answered. There is no client, so
// what a benchmark with it measures is all that the server does for a request but for system calls of the network.
type manyRequests struct {
	net.Conn
	left int
	next func() []byte
	addr net.Addr
	bad  []byte // an answer that is not 200
}

func (c *manyRequests) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	c.left--
	return copy(p, c.next()), nil
}

func (c *manyRequests) Write(p []byte) (int, error) {
	if c.bad == nil && !strings.HasPrefix(string(p[:min(len(p), 12)]), "HTTP/1.1 200") {
		c.bad = append([]byte{}, p...)
	}
	return len(p), nil
}

func (*manyRequests) Close() error                     { return nil }
func (c *manyRequests) LocalAddr() net.Addr            { return c.addr }
func (c *manyRequests) RemoteAddr() net.Addr           { return c.addr }
func (*manyRequests) SetDeadline(time.Time) error      { return nil }
func (*manyRequests) SetReadDeadline(time.Time) error  { return nil }
func (*manyRequests) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkRequests is requests to a database over the embedded store on disk, as integration/bench/throughput sends them.
func BenchmarkRequests(b *testing.B) {
	m := NewMain(io.Discard, io.Discard)
	if err := m.ParseFlags([]string{"-addr", "127.0.0.1:0", "-redis-addr", "127.0.0.1:0", "-data", filepath.Join(b.TempDir(), "data")}); err != nil {
		b.Fatal(err)
	}
	if err := m.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(); err != nil {
			b.Error(err)
		}
	})
	head := "Host: 127.0.0.1:8080\r\nAuthorization: Bearer " + m.Token() + "\r\n"
	path := func(words string) string { return "GET /" + words + " HTTP/1.1\r\n" + head + "\r\n" }
	pipeline := func(body string) string {
		return "POST /pipeline HTTP/1.1\r\n" + head + "Upstash-Encoding: base64\r\nContent-Type: application/json\r\nContent-Length: " +
			strconv.Itoa(len(body)) + "\r\n\r\n" + body
	}
	anyKey := func() string { return "key" + strconv.Itoa(100_000+rand.IntN(900_000)) }
	for _, tc := range []struct {
		name string
		next func() string // nil: as the name of a constant
		same string
	}{
		{name: "set", same: path("set/key/value")},
		{name: "get", same: path("get/key")},
		{name: "client-set", same: pipeline(`[["set","key","value"]]`)},
		{name: "client-get", same: pipeline(`[["get","key"]]`)},
		{name: "set-any", next: func() string { return path("set/" + anyKey() + "/value") }},
		{name: "get-any", next: func() string { return path("get/" + anyKey()) }},
	} {
		b.Run(tc.name, func(b *testing.B) {
			conn := &manyRequests{left: b.N, addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}}
			same := []byte(tc.same)
			conn.next = func() []byte { return same }
			if tc.next != nil {
				conn.next = func() []byte { return []byte(tc.next()) }
			}
			b.ReportAllocs()
			before := processorTime(b)
			if err := m.http.ServeConn(&firstByte{lateConn: m.deadlines.keep(conn)}); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			if conn.bad != nil {
				b.Fatalf("answer %q", conn.bad)
			}
		})
	}
}

// processorTime is what the process has taken of the processors: unlike the time that passes, it says something on a busy machine, too.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
