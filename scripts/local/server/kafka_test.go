package server_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/scripts/local/server"
)

// environment reads the variables of local.env.
func environment(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "local.env"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = strings.Trim(value, `"`)
	}
	return env
}

// kafka sends a request to Kafka with its credentials, as local.env has them.
func kafka(t *testing.T, dir, method, path, body string) string {
	t.Helper()
	env := environment(t, dir)
	req, err := http.NewRequest(method, env["UPSTASH_KAFKA_REST_URL"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(env["UPSTASH_KAFKA_REST_USERNAME"], env["UPSTASH_KAFKA_REST_PASSWORD"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestKafkaIsServedBesideRedisAndKeepsItsMessages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, stop := start(t, "-data", dir, "-topics", "red:3,blue")
	wantAnswer(t, kafka(t, dir, "GET", "/topics", ""), `{"blue":1,"red":3}`)
	wantAnswer(t, call(t, m, m.Token(), "/set/kafka/v"), `{"result":"OK"}`)
	wantAnswer(t, kafka(t, dir, "GET", "/produce/", `{"topic":"blue","value":"GET with a body","timestamp":1}`), `[{"topic":"blue","partition":0,"offset":0,"timestamp":1}]`)
	kafka(t, dir, "POST", "/produce/blue/a%2Fb", "")
	stop()

	// Topics that are there already stay as they are.
	start(t, "-data", dir, "-topics", "red:7")
	wantAnswer(t, kafka(t, dir, "GET", "/topics", ""), `{"blue":1,"red":3}`)
	got := kafka(t, dir, "POST", "/fetch", `{"topic":"blue","partition":0,"offset":1,"timeout":5000}`)
	if !strings.Contains(got, `"offset":1,`) || !strings.Contains(got, `"value":"a/b"`) {
		t.Errorf("fetched %s", got)
	}
	if got := kafka(t, dir, "POST", "/produce", `{"topic":"blue","value":"`+strings.Repeat("x", 11<<20)+`"}`); !strings.Contains(got, `"status":413`) {
		t.Errorf("a body beyond the limit is answered %.200s", got)
	}
}

func TestBadTopicsAreRefused(t *testing.T) {
	for _, topics := range []string{"a b", "red:0", "red:x", "red,"} {
		m := server.NewMain(io.Discard, io.Discard)
		if err := m.ParseFlags([]string{"-ephemeral", "-topics", topics}); err == nil {
			t.Errorf("%q is accepted", topics)
		}
	}
}

func TestNumberOfPartitionsIsBoundedByAFlag(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m := server.NewMain(io.Discard, io.Discard)
	if err := m.ParseFlags([]string{"-data", dir, "-addr", "127.0.0.1:0", "-kafka-partitions", "3", "-topics", "red:4"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the cluster can have 3 partitions") {
		t.Errorf("four partitions of three: %v", err)
	}
	_, stop := start(t, "-data", dir, "-kafka-partitions", "4", "-topics", "red:4")
	wantAnswer(t, kafka(t, dir, "GET", "/topics", ""), `{"red":4}`)
	stop()
}

// A client that closes its connection ends its poll, and what comes then is for the next one. The
// clients are instances of the same name, which no newer poll has ended before.
func TestPollEndsWithItsClient(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	start(t, "-data", dir, "-topics", "red")
	env := environment(t, dir)
	consume := func(ctx context.Context, timeout string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, "GET", env["UPSTASH_KAFKA_REST_URL"]+"/consume/g/i/red?timeout="+timeout, nil)
		if err != nil {
			return "", err
		}
		req.SetBasicAuth(env["UPSTASH_KAFKA_REST_USERNAME"], env["UPSTASH_KAFKA_REST_PASSWORD"])
		req.Header.Set("Kafka-Auto-Offset-Reset", "earliest")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	if _, err := consume(t.Context(), "0"); err != nil {
		t.Fatal(err)
	}
	// Nothing tells when the abandoned call has ended, so each attempt gives it more time. A call that
	// went on would take the message each time.
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), pause)
		if got, err := consume(ctx, "25000"); err == nil {
			t.Fatalf("the poll that is to wait answers %s", got)
		}
		cancel()
		time.Sleep(pause)
		kafka(t, dir, "POST", "/produce/red/a", "")
		got, err := consume(t.Context(), "2000")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, `"value":"a"`) {
			return
		}
		if pause > 5*time.Second {
			t.Fatalf("the next client gets %s", got)
		}
	}
}
