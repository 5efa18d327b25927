package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/valyala/fasthttp"
)

// httpServer serves HTTP on one listener.
type httpServer struct {
	*fasthttp.Server
	listener httpOnly
	ended    chan struct{} // closed when no connection is accepted any more
}

// serveHTTPOn begins to serve what is accepted by a listener. If that ends otherwise than by stop, failed has why.
func (m *Main) serveHTTPOn(listener net.Listener, server *fasthttp.Server) *httpServer {
	s := &httpServer{
		Server:   server,
		listener: httpOnly{Listener: listener, deadlines: m.deadlines, closed: sync.OnceValue(listener.Close)},
		ended:    make(chan struct{}),
	}
	go func() {
		defer close(s.ended)
		if err := server.Serve(s.listener); err != nil {
			m.failed <- fmt.Errorf("serving HTTP on %s: %w", listener.Addr(), err)
		}
	}()
	return s
}

// stop accepts no more connections, and waits for the requests under way until the context ends.
func (s *httpServer) stop(ctx context.Context) error {
	// The server may not have begun to serve yet. It knows of its listener only when it has, and would accept
	// connections for ever.
	err := s.listener.Close()
	err = errors.Join(err, s.ShutdownWithContext(ctx))
	select {
	case <-s.ended:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return err
}
