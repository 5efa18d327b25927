// Command qstash measures QStash in the local server: the time from publishing a message
// to its delivery, and how many messages a second flow through. Publisher, server and
// destination share the machine.
//
//	go run ./integration/bench/qstash
//	go run ./integration/bench/qstash -hanging 10000 -messages 0
//
// With -hanging, another account has that many messages for a destination that never answers.
// README.md has what was measured.
package main

import (
	"bufio"
	"context"
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
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	singles := flag.Int("singles", 500, "`number` of messages that are published one after the other")
	count := flag.Int("messages", 40_000, "`number` of messages that are published as fast as they are taken")
	hanging := flag.Int("hanging", 0, "`number` of messages of another account that hang meanwhile")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *singles, *count, *hanging); err != nil {
		fmt.Fprintln(os.Stderr, "qstash:", err)
		os.Exit(1)
	}
}

// connections is how many publishers there are.
const connections = 32

func run(ctx context.Context, singles, count, hanging int) error {
	dir, err := os.MkdirTemp("", "qstash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	url, token, devURL, stop, err := start(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	if hanging > 0 {
		black, err := hang(ctx, devURL, hanging)
		if err != nil {
			return err
		}
		defer black.Close()
	}
	arrived := make(chan time.Time, 1)
	var received atomic.Int64
	all := make(chan struct{})
	want := int64(singles + count)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	destination := &fasthttp.Server{Handler: func(*fasthttp.RequestCtx) {
		n := received.Add(1)
		if n <= int64(singles) {
			arrived <- time.Now()
		}
		if n == want {
			close(all)
		}
	}}
	go destination.Serve(listener)
	defer destination.Shutdown()
	target := url + "/v2/publish/http://" + listener.Addr().String() + "/"

	client := &fasthttp.Client{MaxConnsPerHost: connections}
	publish := func() error {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(resp)
		req.SetRequestURI(target)
		req.Header.SetMethod(http.MethodPost)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.SetContentType("application/json")
		req.SetBodyString(`{"hello":"world"}`)
		if err := client.Do(req, resp); err != nil {
			return err
		}
		if resp.StatusCode() != http.StatusOK {
			return fmt.Errorf("publish: %d %s", resp.StatusCode(), resp.Body())
		}
		return nil
	}

	var times []time.Duration
	for range singles {
		begin := time.Now()
		if err := publish(); err != nil {
			return err
		}
		times = append(times, (<-arrived).Sub(begin))
	}
	slices.Sort(times)
	fmt.Printf("publish to delivery, %d messages one after the other: median %v, 99 %% within %v\n",
		singles, times[len(times)/2].Round(10*time.Microsecond), times[len(times)*99/100].Round(10*time.Microsecond))

	if count == 0 {
		return nil
	}
	begin := time.Now()
	var publishers sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		publishers.Go(func() {
			for range count / connections {
				if errs[i] = publish(); errs[i] != nil {
					return
				}
			}
		})
	}
	publishers.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	taken := time.Since(begin)
	select {
	case <-all:
	case <-time.After(time.Minute):
		return fmt.Errorf("%d of %d messages have arrived", received.Load(), want)
	case <-ctx.Done():
		return ctx.Err()
	}
	fmt.Printf("%d messages by %d publishers: taken at %.0f/s, delivered at %.0f/s (%d processors, shared with publishers and destination)\n",
		count, connections, float64(count)/taken.Seconds(), float64(count)/time.Since(begin).Seconds(), runtime.NumCPU())
	return nil
}

// start compiles and starts the local server.
func start(ctx context.Context, dir string) (url, token, devURL string, stop func(), err error) {
	binary := filepath.Join(dir, "local")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./scripts/local")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", "", "", nil, fmt.Errorf("compiling the local server: %w", err)
	}
	cmd := exec.Command(binary, "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"), "-qstash-dev", "-qstash-dev-addr", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", "", "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", "", "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		_ = cmd.Wait()
	}
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.HasPrefix(lines.Text(), "Ready"); {
		for name, to := range map[string]*string{"QSTASH_URL=": &url, "QSTASH_TOKEN=": &token, "@upstash/qstash are good at ": &devURL} {
			if _, value, ok := strings.Cut(lines.Text(), name); ok {
				*to = strings.TrimSuffix(strings.TrimSpace(value), ".")
			}
		}
	}
	if url == "" {
		stop()
		return "", "", "", nil, errors.New("the local server does not start")
	}
	go io.Copy(io.Discard, stdout)
	return url, token, devURL, stop, nil
}
