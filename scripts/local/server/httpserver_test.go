package server

import (
	"net"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestStoppedBeforeItServes: to stop does not depend on whether the goroutine that serves has come to it.
func TestStoppedBeforeItServes(t *testing.T) {
	m := &Main{deadlines: newDeadlines(), failed: make(chan error, 1)}
	for range 200 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := m.serveHTTPOn(listener, &fasthttp.Server{Handler: func(*fasthttp.RequestCtx) {}})
		if err := s.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
			conn.Close()
			t.Fatal("connections are still accepted")
		}
	}
	select {
	case err := <-m.failed:
		t.Error(err)
	default:
	}
}
