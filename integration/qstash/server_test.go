// Package qstash_test runs QStash in the real local server, beside destinations of its own.
package qstash_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// local is the local server as a process of its own.
type local struct {
	t      *testing.T
	binary string
	data   string
	cmd    *exec.Cmd
	client *http.Client

	mu    sync.Mutex
	url   string
	token string
}

func newLocal(t *testing.T) *local {
	t.Helper()
	l := &local{t: t, binary: filepath.Join(t.TempDir(), "local"), data: filepath.Join(t.TempDir(), "data"),
		client: &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}}
	if dir := os.Getenv("SKYSTASH_PREBUILT"); dir != "" {
		l.binary = filepath.Join(dir, "local")
	} else if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", l.binary, "github.com/skystash/skystash/scripts/local").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if l.cmd != nil {
			l.kill()
		}
	})
	return l
}

// start starts the server and waits until it is ready.
func (l *local) start() {
	l.t.Helper()
	l.cmd = exec.Command(l.binary, "-addr", "127.0.0.1:0", "-data", l.data)
	l.cmd.Stderr = os.Stderr
	stdout, err := l.cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Ready") {
		for name, to := range map[string]*string{"QSTASH_URL=": &l.url, "QSTASH_TOKEN=": &l.token} {
			if _, value, ok := strings.Cut(lines.Text(), name); ok {
				l.mu.Lock()
				*to = strings.TrimSpace(value)
				l.mu.Unlock()
			}
		}
	}
	if err := lines.Err(); err != nil || l.url == "" {
		l.t.Fatalf("the server does not start: %v", err)
	}
	go io.Copy(io.Discard, stdout)
}

// kill ends the server as kill -9 does.
func (l *local) kill() {
	l.cmd.Process.Kill()
	l.cmd.Wait()
	l.cmd = nil
}

// call sends a request and decodes its answer into v.
func (l *local) call(ctx context.Context, method, path string, header map[string]string, body string, v any) error {
	l.mu.Lock()
	url, token := l.url, l.token
	l.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := l.client.Do(req)
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
