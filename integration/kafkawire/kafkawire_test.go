package kafkawire

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
)

// clientTime bounds a client's run.
const clientTime = 3 * time.Minute

// broker is a local server.
type broker struct {
	*local.Server
	names atomic.Int64
}

func startBroker(t *testing.T) *broker {
	t.Helper()
	s := local.New(t, local.Build(t), "-addr", "127.0.0.1:0", "-data", filepath.Join(t.TempDir(), "data"), "-topics", "kcat-1:3,kcat-2:3,kcat-3:3,kcat-4:3,kcat-5:3,kcat-6:3")
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &broker{Server: s}
}

// client is a program that uses a broker.
type client struct {
	name string
	args []string // the mechanism and a name for topics follow
	env  []string
}

// run runs a client, which has to say at its end that all is well.
func (b *broker) run(t *testing.T, c client, mechanism string, tls bool, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	if topic == "" {
		topic = fmt.Sprintf("client-%d", b.names.Add(1))
	}
	cmd := exec.CommandContext(ctx, c.args[0], append(c.args[1:len(c.args):len(c.args)], mechanism, topic)...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Env = append(cmd.Env, "KAFKA_USERNAME="+b.Var("KAFKA_USERNAME"), "KAFKA_PASSWORD="+b.Var("KAFKA_PASSWORD"))
	if tls {
		cmd.Env = append(cmd.Env, "KAFKA_BROKERS="+b.Var("KAFKA_TLS_BROKERS"), "KAFKA_TLS_CA="+b.Var("KAFKA_TLS_CA"))
	} else {
		cmd.Env = append(cmd.Env, "KAFKA_BROKERS="+b.Var("KAFKA_BROKERS"))
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), " "+mechanism+" ok") {
		t.Errorf("%s, %s, TLS %v: %v\n%s", c.name, mechanism, tls, err, out)
	}
}

// program finds what is to be installed.
func program(t *testing.T, path, install string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(full)
	}
	if err != nil {
		t.Fatalf("%v: run scripts/test, or: %s", err, install)
	}
	return full
}

// go test remembers a result for as long as what the test has looked at stays as it is.
func look(t *testing.T, files ...string) {
	t.Helper()
	for _, f := range files {
		if _, err := os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClientsAreServed(t *testing.T) {
	look(t, "kafka_python.py", "confluent.py", "consumer_protocol.py", "librdkafka.py", "kafkajs.cjs")
	python := program(t, "../venv/bin/python", "python3 -m venv integration/venv && integration/venv/bin/pip install -r integration/requirements.txt")
	program(t, "../node_modules/kafkajs/package.json", "npm ci --prefix integration")
	b := startBroker(t)
	for _, row := range []struct {
		client
		mechanism string
		tls       bool
	}{
		{client{"kafka-python", []string{python, "kafka_python.py"}, nil}, "PLAIN", true},
		{client{"confluent-kafka", []string{python, "confluent.py"}, nil}, "SCRAM-SHA-512", false},
		{client{"confluent-kafka, the consumer protocol", []string{python, "consumer_protocol.py"}, nil}, "PLAIN", false},
		{client{"kafkajs", []string{"node", "kafkajs.cjs"}, nil}, "OAUTHBEARER", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b.run(t, row.client, row.mechanism, row.tls, "")
		})
	}
}
