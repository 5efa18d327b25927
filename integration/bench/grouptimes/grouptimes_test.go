// Package grouptimes measures what Kafka's groups take of a local server's time: how long producers wait while 200
// instances join a group at once, and how long messages take to the instances of 20 groups that wait. It has
// nothing but a benchmark, which writes GROUPTIMES.md with -update.
package grouptimes

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
)

var update = flag.Bool("update", false, "write GROUPTIMES.md anew")

const file = "../GROUPTIMES.md"

// times are what calls took.
type times struct {
	mu  sync.Mutex
	all []time.Duration
}

func (t *times) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
}

func (t *times) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// row is number, median, 99th percentile and longest, as cells of a table.
func (t *times) row() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.all)
	n := len(t.all)
	if n == 0 {
		return "0 | | |"
	}
	return fmt.Sprintf("%d | %.1f | %.1f | %.1f", n, ms(t.all[n/2]), ms(t.all[n*99/100]), ms(t.all[n-1]))
}

func (t *times) report(b *testing.B, name string) {
	t.row()
	if n := len(t.all); n > 0 {
		b.ReportMetric(ms(t.all[n/2]), name+"-p50-ms")
		b.ReportMetric(ms(t.all[n*99/100]), name+"-p99-ms")
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// server is a local server with one topic.
type server struct {
	*local.Server
	client *http.Client
}

func startServer(b *testing.B, topic string) *server {
	b.Helper()
	s := &server{local.New(b, local.Build(b), "-ephemeral", "-kafka-addr", "127.0.0.1:0", "-topics", topic),
		&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}}
	s.Log = io.Discard
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

// call sends a request of Kafka's REST API.
func (s *server) call(ctx context.Context, path string, header map[string]string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Var("UPSTASH_KAFKA_REST_URL")+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.Var("UPSTASH_KAFKA_REST_USERNAME"), s.Var("UPSTASH_KAFKA_REST_PASSWORD"))
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, data)
	}
	return json.Unmarshal(data, answer)
}

const preface = `# What groups take of the time

Written by ` + "`go test ./integration/bench/grouptimes -run '^$' -bench . -benchtime 1x -update`" + ` (%s/%s, %s, GOMAXPROCS %d, load before it began: %s;
clients and servers share the processors). Milliseconds.
`

func BenchmarkGroups(b *testing.B) {
	load := loadAverage()
	var out strings.Builder
	fmt.Fprintf(&out, preface, runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.GOMAXPROCS(0), load)
	out.WriteString(joinsPreface)
	for _, c := range crowds {
		b.Run("joins/"+c.name, func(b *testing.B) { fmt.Fprintf(&out, "| %s | %s |\n", c.name, c.measure(b)) })
	}
	out.WriteString(waitsPreface)
	for _, w := range waiters {
		b.Run("waits/"+w.name, func(b *testing.B) { fmt.Fprintf(&out, "| %s | %s |\n", w.name, w.measure(b)) })
	}
	if !*update || b.Failed() {
		return
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		b.Fatal(err)
	}
}

// loadAverage is the machine's over the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
