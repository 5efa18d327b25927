// Package qstash_test runs QStash in the real local server, beside destinations of its own.
package qstash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
)

// server is a local server, and a client of its QStash.
type server struct {
	t *testing.T
	*local.Server
	client *http.Client
}

func newServer(t *testing.T) *server {
	t.Helper()
	return &server{
		t: t, Server: local.New(t, local.Build(t), "-data", filepath.Join(t.TempDir(), "data")),
		client: &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
	}
}

// start starts the server and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	if err := s.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// call sends a request and decodes its answer into v.
func (s *server) call(ctx context.Context, method, path string, header map[string]string, body string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.Var("QSTASH_URL")+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Var("QSTASH_TOKEN"))
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	if v == nil {
		return nil
	}
	return json.NewDecoder(bytes.NewReader(text)).Decode(v)
}

// Who reads the tokens and closes its end of the pipe, as "| head" does, does not end the server by that,
// although it prints deliveries there.
func TestServerSurvivesWhoStopsReadingItsOutput(t *testing.T) {
	l, d := newServer(t), newHolding(t)
	d.opened = true
	l.CloseOutput = true
	l.start()
	for n := range 5 {
		if err := l.call(t.Context(), http.MethodPost, "/v2/publish/"+d.URL, nil, fmt.Sprint(n), nil); err != nil {
			t.Fatal(err)
		}
		for _, got := d.counts(); got <= n; _, got = d.counts() {
			select {
			case <-d.change:
			case <-time.After(time.Minute):
				t.Fatalf("message %d is not delivered", n)
			}
		}
	}
	if err := l.Stop(); err != nil {
		t.Errorf("the server has ended with %v", err)
	}
}
