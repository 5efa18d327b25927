// Command kafkawire measures the local server under clients of Kafka's own protocol: what idle members of groups take, what
// librdkafka (kcat) produces and consumes a second, and how long a message is on its way. It needs kcat on the PATH, and
// writes a table.
//
//	go run ./integration/bench/kafkawire -o integration/bench/KAFKA-WIRE.md
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

func main() {
	members := flag.Int("members", 2000, "`number` of idle members of groups, each with a connection")
	messages := flag.Int("messages", 1_000_000, "`number` of messages of 100 bytes that kcat produces and consumes")
	seconds := flag.Int("seconds", 130, "`seconds` for which idle members are watched: more than the two minutes in which garbage is collected at any rate")
	rounds := flag.Int("rounds", 3, "`number` of rounds of kcat; the table has the medians")
	only := flag.String("only", "", "measure one `part` only: idle, throughput or latency")
	profile := flag.String("profile", "", "`file` for a profile of the processor time that idle members take")
	out := flag.String("o", "", "`file` for the table; empty: standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, plan{*only, *profile, *members, *messages, *seconds, *rounds}, *out); err != nil {
		fmt.Fprintln(os.Stderr, "kafkawire:", err)
		os.Exit(1)
	}
}

// plan is what is measured.
type plan struct {
	only, profile                      string
	members, messages, seconds, rounds int
}

func run(ctx context.Context, p plan, out string) error {
	var rows []string
	note := func(what, value string) {
		rows = append(rows, fmt.Sprintf("| %s | %s |\n", what, value))
		fmt.Fprintf(os.Stderr, "%s: %s\n", what, value)
	}
	load := loadAverage()
	known := false
	for _, part := range []struct {
		name    string
		measure func(*server) error
	}{
		{"idle", func(s *server) error { return idle(ctx, s, p, note) }},
		{"throughput", func(s *server) error { return throughput(ctx, s, p.messages, p.rounds, note) }},
		{"latency", func(s *server) error { return latency(ctx, s, note) }},
	} {
		if p.only != "" && p.only != part.name {
			continue
		}
		known = true
		if err := withServer(ctx, part.measure); err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("there is no part %q", p.only)
	}
	table := fmt.Sprintf(`# Kafka's own protocol

Written by `+"`go run ./integration/bench/kafkawire -o integration/bench/KAFKA-WIRE.md`"+` (%d CPUs, %s/%s, %s). The load average was %s at its
beginning and %s at its end; the clients are on the same machine. The server is `+"`scripts/local`"+` as it starts by default: embedded store on
disk, synced every 100 ms; without TLS. The throughput is that of kcat, which is librdkafka: messages of 100 bytes in a topic of 8
partitions, the median of %d rounds.

| | |
|---|---:|
%s`, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), load, loadAverage(), p.rounds, strings.Join(rows, ""))
	if out == "" {
		_, err := io.WriteString(os.Stdout, table)
		return err
	}
	return os.WriteFile(out, []byte(table), 0o644)
}

// loadAverage is that of the last minute.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}

// server is a local server.
type server struct {
	pid                       int
	brokers, user, credential string
	api, email, key           string // of the Developer API
	url                       string // where profiles are
}

// withServer lends a new local server with the topic bench.
func withServer(ctx context.Context, use func(*server) error) error {
	dir, err := os.MkdirTemp("", "kafkawire-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "local")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./scripts/local")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("compiling the local server: %w", err)
	}
	local := exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0", "-kafka-addr", "127.0.0.1:0", "-kafka-tls-addr", "127.0.0.1:0",
		"-data", filepath.Join(dir, "data"), "-topics", "bench:8,one:1", "-pprof")
	local.Stderr = os.Stderr
	stdout, err := local.StdoutPipe()
	if err != nil {
		return err
	}
	if err := local.Start(); err != nil {
		return err
	}
	defer func() {
		_ = local.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which Wait tells
		_ = local.Wait()
	}()
	s := &server{pid: local.Process.Pid}
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.HasPrefix(lines.Text(), "Ready"); {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		value = strings.Trim(value, `"`)
		switch name {
		case "SKYSTASH_API_URL":
			s.api = value
		case "UPSTASH_REDIS_REST_URL":
			s.url = value
		case "UPSTASH_EMAIL":
			s.email = value
		case "UPSTASH_API_KEY":
			s.key = value
		case "KAFKA_BROKERS":
			s.brokers = value
		case "KAFKA_USERNAME":
			s.user = value
		case "KAFKA_PASSWORD":
			s.credential = value
		}
	}
	if s.brokers == "" || s.credential == "" {
		return errors.New("the local server did not start")
	}
	go io.Copy(io.Discard, stdout)
	return use(s)
}

// memory is what the process has in memory, in bytes.
func (s *server) memory() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// processor is the processor time that the process has used.
func (s *server) processor() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// kcat runs kcat and returns how long it has taken.
func (s *server) kcat(ctx context.Context, stdin string, args ...string) (time.Duration, error) {
	all := append([]string{
		"-b", s.brokers, "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=PLAIN", "-X", "sasl.username=" + s.user, "-X", "sasl.password=" + s.credential,
	}, args...)
	cmd := exec.CommandContext(ctx, "kcat", all...)
	if stdin != "" {
		f, err := os.Open(stdin)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	cmd.Stderr = os.Stderr
	begin := time.Now()
	err := cmd.Run()
	return time.Since(begin), err
}

func throughput(ctx context.Context, s *server, messages, rounds int, note func(what, value string)) error {
	dir, err := os.MkdirTemp("", "kafkawire-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	input := filepath.Join(dir, "input")
	if err := os.WriteFile(input, []byte(strings.Repeat(strings.Repeat("x", 99)+"y\n", messages)), 0o600); err != nil {
		return err
	}
	var produced, idempotent, consumed []float64
	for range rounds {
		for _, way := range []struct {
			rates *[]float64
			args  []string
			stdin string
		}{
			{&produced, []string{"-P", "-t", "bench", "-X", "linger.ms=20", "-X", "queue.buffering.max.messages=1000000"}, input},
			{&idempotent, []string{"-P", "-t", "bench", "-X", "linger.ms=20", "-X", "queue.buffering.max.messages=1000000", "-X", "enable.idempotence=true"}, input},
			{&consumed, []string{"-C", "-t", "bench", "-o", "beginning", "-c", strconv.Itoa(messages), "-q", "-f", "", "-X", "fetch.message.max.bytes=4000000"}, ""},
		} {
			took, err := s.kcat(ctx, way.stdin, way.args...)
			if err != nil {
				return fmt.Errorf("kcat %v: %w", way.args, err)
			}
			*way.rates = append(*way.rates, float64(messages)/took.Seconds())
		}
	}
	for _, r := range []struct {
		name  string
		rates []float64
	}{{"produced, messages/s", produced}, {"produced by an idempotent producer, messages/s", idempotent}, {"consumed, messages/s", consumed}} {
		slices.Sort(r.rates)
		note(r.name, fmt.Sprintf("%.0f", r.rates[len(r.rates)/2]))
	}
	return nil
}

// latency measures the way of single messages, from before they are produced until they are consumed.
func latency(ctx context.Context, s *server, note func(what, value string)) error {
	const count = 500
	auth := kgo.SASL(plain.Auth{User: s.user, Pass: s.credential}.AsMechanism())
	consumer, err := kgo.NewClient(kgo.SeedBrokers(s.brokers), auth, kgo.ConsumeTopics("one"))
	if err != nil {
		return err
	}
	defer consumer.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(s.brokers), auth, kgo.DefaultProduceTopic("one"), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer producer.Close()
	var ways []time.Duration
	for len(ways) < count {
		begin := time.Now()
		producer.Produce(ctx, kgo.StringRecord("x"), nil)
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		ways = append(ways, time.Since(begin))
		time.Sleep(5 * time.Millisecond)
	}
	slices.Sort(ways)
	note("from produce to consume, median", ways[count/2].Round(10*time.Microsecond).String())
	note("from produce to consume, 99 %", ways[count*99/100].Round(10*time.Microsecond).String())
	return nil
}
