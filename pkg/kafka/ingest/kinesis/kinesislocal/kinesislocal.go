// Package kinesislocal gives tests an emulator of Amazon Kinesis Data Streams,
// kinesalite.
//
//	client := kinesislocal.Client(t)
//	name := kinesislocal.Stream(t, client, 1)
//
// One server is started for each test process, on a free port of the loopback
// address and with its data in memory; it ends with the process. If the
// environment variable SKYSTASH_KINESIS_ENDPOINT names a running one, such as
// http://127.0.0.1:4567, that is used instead. The server comes from npm ("npm
// ci" in the folder integration) and needs Node on the PATH.
//
// The emulator differs from Kinesis: it never throttles and knows no shard limits
// of bytes or requests.
package kinesislocal

import (
	"bufio"
	"context"
	"crypto/rand"
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

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// endpointVar names a server that already runs.
const endpointVar = "SKYSTASH_KINESIS_ENDPOINT"

const (
	startTimeout   = time.Minute
	requestTimeout = 10 * time.Second // the server may leave a request without an answer
)

//go:embed server.cjs
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
		t.Fatalf("starting kinesalite: %v", shared.err)
	}
	return shared.endpoint
}

func start() (endpoint string, lifeline io.Closer, err error) {
	module, err := findModule()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command("node", "-e", script, module)
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
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		output <- strings.TrimSpace(line)
		_, _ = io.Copy(os.Stderr, out) // what goes wrong in it
	}()
	select {
	case text := <-output:
		port, ok := strings.CutPrefix(text, "port ")
		if !ok {
			return "", nil, fmt.Errorf("node says %q", text)
		}
		return "http://127.0.0.1:" + port, lifeline, nil
	case <-time.After(startTimeout):
		return "", nil, errors.Join(errors.New("not ready in time"), lifeline.Close())
	}
}

// findModule finds the emulator in integration/node_modules of the module whose test runs.
func findModule() (string, error) {
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
	module := filepath.Join(integration, "node_modules", "kinesalite")
	if _, err := os.Stat(module); err != nil {
		return "", fmt.Errorf("kinesalite is not installed; run: npm ci --prefix %s", integration)
	}
	return module, nil
}

// Client makes a client of the server, which it starts if need be.
func Client(t testing.TB, options ...func(*kinesis.Options)) *kinesis.Client {
	t.Helper()
	return kinesis.New(kinesis.Options{
		BaseEndpoint: aws.String(Start(t)),
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("skystash", "skystash", ""),
		HTTPClient:   http.NewBuildableClient().WithTimeout(requestTimeout),
	}, options...)
}

// Stream creates a stream with a unique name, which goes when the test ends.
func Stream(t testing.TB, client *kinesis.Client, shards int32) string {
	t.Helper()
	name := "test-" + rand.Text()
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}); err != nil {
		t.Fatal(err)
	}
	WaitActive(t, client, name)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if _, err := client.DeleteStream(context.Background(), &kinesis.DeleteStreamInput{StreamName: &name}); err != nil {
			t.Errorf("deleting stream %s: %v", name, err)
		}
	})
	return name
}

// WaitActive returns once a stream can be used, after it was created or resharded.
func WaitActive(t testing.TB, client *kinesis.Client, name string) {
	t.Helper()
	waiter := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 50*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &name}, startTimeout); err != nil {
		t.Fatal(err)
	}
}
