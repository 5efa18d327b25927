// Package emulator starts the servers that stand for AWS in tests. Each is one process for a
// test process, on a free port of the loopback address; it ends with the test process, however that
// comes about.
package emulator

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is an emulator. It must not be copied.
type Server struct {
	Name        string // for people
	EndpointVar string // environment variable that names a server that already runs

	// Command makes the command that starts the server, from the folder that emulators are
	// installed into. The server writes a line "port <number>" when it can be used, and ends with its
	// standard input.
	Command func(integration string) (*exec.Cmd, error)
	Timeout time.Duration // until the server can be used
	Quiet   bool          // what it writes after that line is of no use

	once     sync.Once
	endpoint string
	lifeline io.Closer // its standard input; referred to so that it is not collected
	err      error
}

// Start returns the endpoint of the server, which the first call starts. The test fails if there is
// none to be had.
func (s *Server) Start(t testing.TB) (endpoint string) {
	t.Helper()
	if e := os.Getenv(s.EndpointVar); e != "" {
		return e
	}
	s.once.Do(func() { s.err = s.start() })
	if s.err != nil {
		t.Fatalf("starting %s: %v", s.Name, s.err)
	}
	return s.endpoint
}

func (s *Server) start() error {
	integration, err := folder()
	if err != nil {
		return err
	}
	cmd, err := s.Command(integration)
	if err != nil {
		return err
	}
	if s.lifeline, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	output := make(chan string, 1)
	go func() { output <- s.readPort(out) }()
	select {
	case text := <-output:
		port, ok := strings.CutPrefix(text, "port ")
		if !ok {
			return fmt.Errorf("%s ended: %s", cmd.Path, text)
		}
		s.endpoint = "http://127.0.0.1:" + port
		return nil
	case <-time.After(s.Timeout):
		return errors.Join(errors.New("not ready in time"), s.lifeline.Close())
	}
}

// readPort returns the line that names the server's port, or all of its output
// if it ends before.
func (s *Server) readPort(out io.Reader) string {
	var all strings.Builder
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "port ") {
			rest := io.Writer(os.Stderr)
			if s.Quiet {
				rest = io.Discard
			}
			go io.Copy(rest, lines)
			return strings.TrimSpace(line)
		}
		all.WriteString(line)
		if err != nil {
			return all.String()
		}
	}
}

// folder is the folder integration of the module whose test runs: tests run in the folder of
// their package.
func folder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "integration"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
