//go:build kafkaclients

package kafkawire

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryClientIsServed runs what scripts/test kafka-clients has installed into SKYSTASH_KAFKA_CLIENTS: versions of kafka-python,
// each in a folder of its own, folders of jars, and the folder go of programs that goclients has the sources of, beside what TestClientsAreServed uses and kcat.
func TestEveryClientIsServed(t *testing.T) {
	dir := os.Getenv("SKYSTASH_KAFKA_CLIENTS")
	python := program(t, "../venv/bin/python", "scripts/test kafka-clients")
	all := []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}
	type row struct {
		client
		mechanisms []string
	}
	rows := []row{
		{client{"confluent-kafka", []string{python, "confluent.py"}, nil}, all},
		{client{"confluent-kafka, the consumer protocol", []string{python, "consumer_protocol.py"}, nil}, all},
		{client{"kafkajs", []string{"node", "kafkajs.cjs"}, nil}, all},
		{client{"kcat", []string{"./kcat.sh"}, nil}, all[:3]},
		{client{"confluent-kafka-go", []string{filepath.Join(dir, "go", "confluent")}, nil}, all},
		{client{"sarama", []string{filepath.Join(dir, "go", "sarama")}, nil}, all},
	}
	versions, err := os.ReadDir(dir)
	if err != nil || len(versions) < 6 {
		t.Fatalf("%d clients in %s: %v", len(versions), dir, err)
	}
	for _, v := range versions {
		path := filepath.Join(dir, v.Name())
		switch {
		case strings.HasPrefix(v.Name(), "kafka-python-"):
			rows = append(rows, row{client{v.Name(), []string{python, "kafka_python.py"}, []string{"PYTHONPATH=" + path}}, all})
		case strings.HasPrefix(v.Name(), "java-"):
			classes := t.TempDir()
			jars := filepath.Join(path, "*")
			if out, err := exec.CommandContext(t.Context(), "javac", "-nowarn", "-d", classes, "-cp", jars, "JavaClient.java").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			rows = append(rows, row{client{v.Name(), []string{"java", "-cp", classes + ":" + jars, "JavaClient"}, nil}, all[:3]})
			if strings.HasPrefix(v.Name(), "java-3.") { // it has no new protocol
				continue
			}
			if out, err := exec.CommandContext(t.Context(), "javac", "-nowarn", "-d", classes, "-cp", classes+":"+jars, "ConsumerProtocol.java").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			rows = append(rows, row{client{v.Name() + ", the consumer protocol", []string{"java", "-cp", classes + ":" + jars, "ConsumerProtocol"}, nil}, all[:3]})
		}
	}
	b := startBroker(t)
	kcats := 0
	for _, r := range rows {
		for _, mechanism := range r.mechanisms {
			for _, tls := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/TLS=%v", r.name, mechanism, tls), func(t *testing.T) {
					topic := ""
					if r.name == "kcat" {
						kcats++
						topic = fmt.Sprintf("kcat-%d", kcats)
					}
					b.run(t, r.client, mechanism, tls, topic)
				})
			}
		}
	}
}
