package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

const (
	healthPath = "/healthz"
	healthTime = 4 * time.Second // ECS gives a check five
)

// health answers health checks: a gateway is well if it can read its tables, and is not ending.
type health struct {
	tables []store.Store
	ending atomic.Bool
}

// probe is an item that need not exist: reading it shows that the table, the credentials and the network are there.
var probe = store.Key{Partition: "gw", Sort: "health"}

// ServeHTTP implements http.Handler.
func (h *health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != healthPath {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	if h.ending.Load() {
		http.Error(w, "ending", http.StatusServiceUnavailable)
		return
	}
	for _, table := range h.tables {
		if _, err := table.Get(ctx, probe); err != nil {
			http.Error(w, "a table cannot be read", http.StatusServiceUnavailable)
			return
		}
	}
	io.WriteString(w, "well\n")
}

// askHealth asks the gateway that listens at an address.
func askHealth(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("environment variable HEALTH_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+healthPath, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("it does not answer: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return fmt.Errorf("it is not well: %s", text)
	}
	return nil
}
