// Package local runs the local server, scripts/local, as a process of its own, for tests that kill it.
package local

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Build returns the local server's executable. scripts/test has built it and says where; without it, it
// is compiled, and goes when the test ends.
func Build(t testing.TB) (binary string) {
	t.Helper()
	if dir := os.Getenv("SKYSTASH_PREBUILT"); dir != "" {
		binary = filepath.Join(dir, "local")
		// go test remembers a result for as long as what the test has looked at stays as it is.
		if _, err := os.Stat(binary); err != nil {
			t.Fatal(err)
		}
		return binary
	}
	binary = filepath.Join(t.TempDir(), "local")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/skystash/skystash/scripts/local")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// Server is a local server, which is started again and again with the same flags.
type Server struct {
	Log         io.Writer // of all its processes
	CloseOutput bool      // a process's standard output is closed when it is ready, instead of being read on

	binary string
	args   []string
	cmd    *exec.Cmd

	mu     sync.Mutex
	vars   map[string]string
	banner string
}

// New makes a server that listens on a free port, another one after each start. It is killed when the
// test ends.
func New(t testing.TB, binary string, args ...string) *Server {
	t.Helper()
	s := &Server{Log: os.Stderr, binary: binary, args: append([]string{"-addr", "127.0.0.1:0"}, args...)}
	t.Cleanup(s.Kill)
	return s
}

// Var is a variable of the environment that the server tells its clients to use, such as QSTASH_TOKEN.
func (s *Server) Var(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vars[name]
}

// Banner is what the server has printed before it was ready.
func (s *Server) Banner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.banner
}

// Start starts a process and waits until it is ready.
func (s *Server) Start(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.binary, s.args...)
	cmd.Stderr = s.Log
	// The same keys as those of the test's clients: DynamoDB Local keeps tables apart by them.
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=skystash", "AWS_SECRET_ACCESS_KEY=skystash", "AWS_SESSION_TOKEN=")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the local server: %w", err)
	}
	s.cmd = cmd
	vars, ready := map[string]string{}, false
	var banner strings.Builder
	for lines := bufio.NewScanner(stdout); !ready && lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		banner.WriteString(line + "\n")
		ready = strings.HasPrefix(line, "Ready")
		if name, value, ok := strings.Cut(line, "="); ok && strings.ToUpper(name) == name {
			vars[name] = value
		}
	}
	if !ready {
		s.Kill()
		return fmt.Errorf("the local server has ended before it was ready: %v", cmd.ProcessState)
	}
	if s.CloseOutput {
		stdout.Close()
	} else {
		go io.Copy(io.Discard, stdout)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vars, s.banner = vars, banner.String()
	return nil
}

// Kill ends the process as kill -9 does, if there is one.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// Stop ends the process as Ctrl-C does, and waits for its end.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := s.cmd.Wait()
	s.cmd = nil
	return err
}
