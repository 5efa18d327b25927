package server_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kafkaRequest sends a request to Kafka and returns the answer.
func kafkaRequest(b *testing.B, env map[string]string, path, body string) string {
	req, err := http.NewRequest("POST", env["UPSTASH_KAFKA_REST_URL"]+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth(env["UPSTASH_KAFKA_REST_USERNAME"], env["UPSTASH_KAFKA_REST_PASSWORD"])
	req.Header.Set("Kafka-Auto-Offset-Reset", "earliest")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		b.Fatalf("%d %s, %v", resp.StatusCode, got, err)
	}
	return string(got)
}

func startKafka(b *testing.B) map[string]string {
	b.Helper()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 64
	dir := filepath.Join(b.TempDir(), "data")
	start(b, "-data", dir, "-topics", "red:8")
	text, err := os.ReadFile(filepath.Join(dir, "local.env"))
	if err != nil {
		b.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = strings.Trim(value, `"`)
	}
	return env
}

// BenchmarkKafkaProduce100 produces batches of 100 messages of 100 bytes over HTTP;
// client and server share the machine.
func BenchmarkKafkaProduce100(b *testing.B) {
	env := startKafka(b)
	messages := make([]string, 100)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"topic":"red","value":"%s %d"}`, strings.Repeat("some words of it ", 6), i)
	}
	body := "[" + strings.Join(messages, ",") + "]"
	began := time.Now()
	var n atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for n.Add(1) <= int64(b.N) {
				kafkaRequest(b, env, "/produce", body)
			}
		})
	}
	clients.Wait()
	b.ReportMetric(float64(b.N)*100/time.Since(began).Seconds(), "messages/s")
}

// BenchmarkKafkaLatency is the time from sending a message until an instance that
// waits has it.
func BenchmarkKafkaLatency(b *testing.B) {
	env := startKafka(b)
	kafkaRequest(b, env, "/consume/g/i", `{"topic":"red","timeout":0}`)
	var times []time.Duration
	for b.Loop() {
		began := make(chan time.Time, 1)
		go func() {
			time.Sleep(5 * time.Millisecond) // until the instance waits
			began <- time.Now()
			kafkaRequest(b, env, "/produce/red", `{"value":"x"}`)
		}()
		if got := kafkaRequest(b, env, "/consume/g/i", `{"topic":"red","timeout":10000}`); got == "[]" {
			b.Fatal("no message")
		}
		times = append(times, time.Since(<-began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms/median")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "ms/p99")
}
