// Package motolocal gives tests an emulator of Amazon SQS and EventBridge Scheduler, moto.
//
//	endpoint := motolocal.Start(t)
//
// One server is started for each test process, on a free port of the loopback
// address and with its data in memory; it ends with the process. If the
// environment variable SKYSTASH_MOTO_ENDPOINT names a running one, such as
// http://127.0.0.1:5000, that is used instead. The server comes from PyPI and needs
// Python; scripts/test installs it into integration/venv.
//
// The emulator keeps schedules, but does not run them, and takes any expression.
package motolocal

import (
	"bufio"
	_ "embed"
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

// endpointVar names a server that already runs.
const endpointVar = "SKYSTASH_MOTO_ENDPOINT"

const startTimeout = time.Minute

//go:embed server.py
var script string

// The process's one server.
var shared struct {
	once     sync.Once
	endpoint string
	lifeline io.Closer // the server ends with its standard input; referred to so that it is not collected
	err      error
}

// Start returns the endpoint of the process's server, which the first call starts.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	if e := os.Getenv(endpointVar); e != "" {
		return e
	}
	shared.once.Do(func() { shared.endpoint, shared.lifeline, shared.err = start() })
	if shared.err != nil {
		t.Fatalf("starting moto: %v", shared.err)
	}
	return shared.endpoint
}

func start() (endpoint string, lifeline io.Closer, err error) {
	python, err := findPython()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(python, "-c", script)
	if lifeline, err = cmd.StdinPipe(); err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	output := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		output <- strings.TrimSpace(line)
		_, _ = io.Copy(os.Stderr, out) // what goes wrong in it
	}()
	select {
	case text := <-output:
		port, ok := strings.CutPrefix(text, "port ")
		if !ok {
			return "", nil, fmt.Errorf("python says %q", text)
		}
		return "http://127.0.0.1:" + port, lifeline, nil
	case <-time.After(startTimeout):
		return "", nil, errors.Join(errors.New("not ready in time"), lifeline.Close())
	}
}

// findPython finds integration/venv of the module whose test runs.
func findPython() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
	venv := filepath.Join(dir, "integration", "venv")
	python := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return "", fmt.Errorf("moto is not installed; run: python3 -m venv %[1]s && %[1]s/bin/pip install -r %[2]s",
			venv, filepath.Join(dir, "integration", "requirements.txt"))
	}
	return python, nil
}
