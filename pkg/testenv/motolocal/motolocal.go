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
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/testenv/emulator"
)

//go:embed server.py
var script string

// server is the process's one.
var server = emulator.Server{Name: "moto", EndpointVar: "SKYSTASH_MOTO_ENDPOINT", Command: command, Timeout: 10 * time.Minute}

// Start returns the endpoint of the process's server, which the first call starts.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	return server.Start(t)
}

func command(integration string) (*exec.Cmd, error) {
	venv := filepath.Join(integration, "venv")
	python := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return nil, fmt.Errorf("not installed; run: python3 -m venv %[1]s && %[1]s/bin/pip install -r %[2]s",
			venv, filepath.Join(integration, "requirements.txt"))
	}
	return exec.Command(python, "-c", script), nil
}
