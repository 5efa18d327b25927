// Command throughput measures the requests a second of the local server, with
// its embedded store on disk, beside webdis in front of redis-server. It needs wrk, webdis and
// redis-server on the PATH, and writes a table.
//
//	go run ./integration/bench/throughput -o integration/bench/THROUGHPUT.md
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	seconds := flag.Int("seconds", 5, "`seconds` of each measurement")
	rounds := flag.Int("rounds", 5, "`number` of rounds; the table has the medians")
	out := flag.String("o", "", "`file` for the table; empty: standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *seconds, *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
}

// target is a server with one kind of request.
type target struct {
	name, url string
	script    string // Lua for wrk, which makes the requests
	rates     []float64
	tails     []time.Duration // 99 % of the answers came within
}

const (
	connections = 16        // that stay open to the server that is measured
	keys        = 1_000_000 // that are drawn from
)

func run(ctx context.Context, seconds, rounds int, out string) error {
	dir, err := os.MkdirTemp("", "throughput-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	targets, stop, err := start(ctx, dir)
	defer stop()
	if err != nil {
		return err
	}
	for round := range rounds {
		for i := range targets {
			t := &targets[i]
			rate, tail, err := measure(ctx, dir, t, seconds)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			t.rates, t.tails = append(t.rates, rate), append(t.tails, tail)
			fmt.Fprintf(os.Stderr, "round %d of %d: %-55s %8.0f/s\n", round+1, rounds, t.name, rate)
		}
	}
	table := report(targets, seconds, rounds)
	if out == "" {
		_, err = io.WriteString(os.Stdout, table)
		return err
	}
	return os.WriteFile(out, []byte(table), 0o644)
}

// start starts all servers. stop ends them, and is never nil.
func start(ctx context.Context, dir string) (targets []target, stop func(), err error) {
	var running []*exec.Cmd
	stop = func() {
		for _, c := range slices.Backward(running) {
			_ = c.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which Wait tells
			_ = c.Wait()
		}
	}
	launch := func(c *exec.Cmd) error {
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return fmt.Errorf("%w (wrk, webdis and redis-server have to be installed)", err)
		}
		running = append(running, c)
		return nil
	}

	binary := filepath.Join(dir, "local")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./scripts/local")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, stop, fmt.Errorf("compiling the local server: %w", err)
	}
	local := exec.CommandContext(ctx, binary, "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"))
	stdout, err := local.StdoutPipe()
	if err != nil {
		return nil, stop, err
	}
	if err := launch(local); err != nil {
		return nil, stop, err
	}
	var url, token string
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.HasPrefix(lines.Text(), "Ready"); {
		for name, to := range map[string]*string{"UPSTASH_REDIS_REST_URL=": &url, "UPSTASH_REDIS_REST_TOKEN=": &token} {
			if _, value, ok := strings.Cut(lines.Text(), name); ok && *to == "" {
				*to = strings.Trim(strings.Fields(value)[0], `"`)
			}
		}
	}
	if url == "" || token == "" {
		return nil, stop, errors.New("the local server did not start")
	}
	go io.Copy(io.Discard, stdout)

	redisPort, err := freePort()
	if err != nil {
		return nil, stop, err
	}
	redis := exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", redisPort, "--save", "", "--appendonly", "no", "--dir", dir)
	if err := launch(redis); err != nil {
		return nil, stop, err
	}
	webdisPort, err := freePort()
	if err != nil {
		return nil, stop, err
	}
	config, err := webdisConfig(dir, redisPort, webdisPort)
	if err != nil {
		return nil, stop, err
	}
	if err := await(ctx, redisPort); err != nil {
		return nil, stop, err
	}
	if err := launch(exec.CommandContext(ctx, "webdis", config)); err != nil {
		return nil, stop, err
	}
	if err := await(ctx, webdisPort); err != nil {
		return nil, stop, err
	}

	hello, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, stop, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"result":"value"}`) // wrk counts what fails
	}), ReadHeaderTimeout: time.Minute}
	go server.Serve(hello)
	servers := stop
	stop = func() {
		_ = server.Close() // the process is about to end
		servers()
	}

	webdis := "http://127.0.0.1:" + webdisPort
	auth := "wrk.headers['Authorization'] = 'Bearer " + token + "'\n"
	client := auth + "wrk.method = 'POST'\nwrk.headers['Upstash-Encoding'] = 'base64'\nwrk.headers['Content-Type'] = 'application/json'\n"
	targets = []target{
		{name: "webdis, SET by path", url: webdis + "/SET/key/value"},
		{name: "Skystash, SET by path", url: url + "/set/key/value", script: auth},
		{name: "Skystash, SET as the client sends it", url: url + "/pipeline", script: client + "wrk.body = '" + `[["set","key","value"]]` + "'\n"},
		{name: "webdis, GET by path", url: webdis + "/GET/key"},
		{name: "Skystash, GET by path", url: url + "/get/key", script: auth},
		{name: "Skystash, GET as the client sends it", url: url + "/pipeline", script: client + "wrk.body = '" + `[["get","key"]]` + "'\n"},
		{name: "webdis, SET of any key by path", url: webdis, script: anyKey("'/SET/key' .. n .. '/value'", "nil")},
		{name: "Skystash, SET of any key by path", url: url, script: auth + anyKey("'/set/key' .. n .. '/value'", "nil")},
		{name: "Skystash, SET of any key as the client sends it", url: url, script: client + anyKey("'/pipeline'", `'[["set","key' .. n .. '","value"]]'`)},
		{name: "webdis, GET of any key by path", url: webdis, script: anyKey("'/GET/key' .. n", "nil")},
		{name: "Skystash, GET of any key by path", url: url, script: auth + anyKey("'/get/key' .. n", "nil")},
		{name: "Skystash, GET of any key as the client sends it", url: url, script: client + anyKey("'/pipeline'", `'[["get","key' .. n .. '"]]'`)},
		{name: "net/http with a constant answer", url: "http://" + hello.Addr().String() + "/"},
	}
	return targets, stop, nil
}

// anyKey is a script for wrk that draws a number for each request. path and body are expressions of Lua with n.
func anyKey(path, body string) string {
	return fmt.Sprintf("request = function()\n  local n = math.random(%d)\n  return wrk.format(nil, %s, nil, %s)\nend\n", keys, path, body)
}

func webdisConfig(dir, redisPort, port string) (string, error) {
	rport, err := strconv.Atoi(redisPort)
	if err != nil {
		return "", err
	}
	hport, err := strconv.Atoi(port)
	if err != nil {
		return "", err
	}
	config, err := json.Marshal(map[string]any{
		"redis_host": "127.0.0.1", "redis_port": rport, "http_host": "127.0.0.1", "http_port": hport,
		"threads": 4, "pool_size": 20, "daemonize": false, "websockets": false, "acl": []any{},
		"verbosity": 0, "logfile": filepath.Join(dir, "webdis.log"),
	})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "webdis.json")
	return file, os.WriteFile(file, config, 0o600)
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// await returns when somebody listens on a port.
func await(ctx context.Context, port string) error {
	for range 100 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("nobody listens on port %s", port)
}

var (
	rateLine = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	tailLine = regexp.MustCompile(`(?m)^\s+99%\s+([0-9.]+[a-z]+)$`)
)

// measure has wrk send requests, and refuses rates that count errors.
func measure(ctx context.Context, dir string, t *target, seconds int) (rate float64, tail time.Duration, err error) {
	script := filepath.Join(dir, "wrk.lua")
	if err := os.WriteFile(script, []byte(t.script), 0o600); err != nil {
		return 0, 0, err
	}
	c := exec.CommandContext(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", seconds), "--latency", "-s", script, t.url)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		return 0, 0, err
	}
	if strings.Contains(string(text), "Non-2xx") || strings.Contains(string(text), "Socket errors") {
		return 0, 0, fmt.Errorf("requests failed:\n%s", text)
	}
	rates, tails := rateLine.FindSubmatch(text), tailLine.FindSubmatch(text)
	if rates == nil || tails == nil {
		return 0, 0, fmt.Errorf("wrk does not report a rate and a distribution:\n%s", text)
	}
	if rate, err = strconv.ParseFloat(string(rates[1]), 64); err == nil {
		tail, err = time.ParseDuration(string(tails[1]))
	}
	return rate, tail, err
}

// report makes the table of medians.
func report(targets []target, seconds, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Throughput of the local server

Written by `+"`go run ./integration/bench/throughput -o integration/bench/THROUGHPUT.md`"+`, on a machine with
nothing else to do (%d CPUs, %s/%s, %s). It needs `+"`wrk`, `webdis` and `redis-server`"+` (Debian packages of these names).

%d keep-alive connections from one wrk thread on the same machine; %d rounds of %d seconds each, the servers in turn. Skystash is
`+"`scripts/local`"+` as it starts by default: embedded store on disk, synced every 100 ms, a token verified for each
request. redis-server writes nothing to disk; webdis has 4 threads and 20 connections to it. "As the client sends it" is how
`+"`@upstash/redis`"+` sends a lone command: `+"`POST /pipeline`"+` with one member, the answer in base64. "Any key" is drawn from a million
for each request, which takes time of wrk's too; the others name the same key always.

| | median, requests/s | lowest | highest | 99 %% within, ms |
|---|---:|---:|---:|---:|
`, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), connections, rounds, seconds)
	for _, t := range targets {
		slices.Sort(t.rates)
		slices.Sort(t.tails)
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %.2f |\n", t.name, t.rates[len(t.rates)/2], t.rates[0], t.rates[len(t.rates)-1],
			t.tails[len(t.tails)/2].Seconds()*1000)
	}
	return b.String()
}
