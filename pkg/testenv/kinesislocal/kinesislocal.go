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
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/skystash/skystash/pkg/testenv/emulator"
)

const (
	startTimeout   = 10 * time.Minute
	requestTimeout = 30 * time.Second // the server may leave a request without an answer
)

//go:embed server.cjs
var script string

// server is the process's one.
var server = emulator.Server{Name: "kinesalite", EndpointVar: "SKYSTASH_KINESIS_ENDPOINT", Command: command, Timeout: startTimeout}

// Start returns the endpoint of the process's server, which the first call starts.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	return server.Start(t)
}

func command(integration string) (*exec.Cmd, error) {
	module := filepath.Join(integration, "node_modules", "kinesalite")
	if _, err := os.Stat(module); err != nil {
		return nil, fmt.Errorf("not installed; run: npm ci --prefix %s", integration)
	}
	return exec.Command("node", "-e", script, module), nil
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
