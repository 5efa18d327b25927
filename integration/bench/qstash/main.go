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
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

func main() {
	var w workload
	flag.IntVar(&w.singles, "singles", 500, "`number` of messages that are published one after the other")
	flag.IntVar(&w.rate, "rate", 1000, "`number` of messages that are published each second")
	flag.IntVar(&w.seconds, "seconds", 10, "for that `many` seconds")
	flag.IntVar(&w.count, "messages", 40_000, "`number` of messages that are published as fast as they are taken")
	flag.IntVar(&w.hanging, "hanging", 0, "`number` of messages of another account that hang meanwhile")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, w); err != nil {
		fmt.Fprintln(os.Stderr, "qstash:", err)
		os.Exit(1)
	}
}

// workload is what is measured.
type workload struct{ singles, rate, seconds, count, hanging int }

// connections is how many publishers there are of messages that are published as fast as they are taken.
const connections = 32

func run(ctx context.Context, w workload) error {
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
	if w.hanging > 0 {
		black, err := hang(ctx, devURL, w.hanging)
		if err != nil {
			return err
		}
		defer black.Close()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	b := &bench{
		target: url + "/v2/publish/http://" + listener.Addr().String() + "/", token: token,
		client: &fasthttp.Client{MaxConnsPerHost: 1024, MaxConnWaitTimeout: time.Minute}, arrived: make(chan time.Duration, 1<<20),
	}
	destination := &fasthttp.Server{Handler: b.receive}
	go destination.Serve(listener)
	defer destination.Shutdown()

	if err := b.singles(ctx, w.singles); err != nil {
		return err
	}
	if err := b.steady(ctx, w.rate, w.seconds); err != nil {
		return err
	}
	return b.flood(ctx, w.count)
}

// bench publishes messages to its own destination. A message says when it was published.
type bench struct {
	target, token string
	client        *fasthttp.Client
	arrived       chan time.Duration // from a message's publication
}

func (b *bench) receive(ctx *fasthttp.RequestCtx) {
	at, err := strconv.ParseInt(string(ctx.PostBody()), 10, 64)
	if err != nil {
		ctx.SetStatusCode(http.StatusBadRequest)
		return
	}
	b.arrived <- time.Since(time.Unix(0, at))
}

func (b *bench) publish() error {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(b.target)
	req.Header.SetMethod(http.MethodPost)
	req.Header.Set("Authorization", "Bearer "+b.token)
	req.Header.SetContentType("application/json")
	req.SetBodyString(strconv.FormatInt(time.Now().UnixNano(), 10))
	if err := b.client.Do(req, resp); err != nil {
		return err
	}
	if resp.StatusCode() != http.StatusOK {
		return fmt.Errorf("publish: %d %s", resp.StatusCode(), resp.Body())
	}
	return nil
}

// take waits for n messages and returns their times, the shortest first.
func (b *bench) take(ctx context.Context, n int) ([]time.Duration, error) {
	patience := time.After(time.Minute)
	times := make([]time.Duration, 0, n)
	for len(times) < n {
		select {
		case d := <-b.arrived:
			times = append(times, d)
		case <-patience:
			return nil, fmt.Errorf("%d of %d messages have arrived", len(times), n)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	slices.Sort(times)
	return times, nil
}

func report(what string, times []time.Duration) {
	fmt.Printf("publish to delivery, %s: median %v, 99 %% within %v\n", what,
		times[len(times)/2].Round(10*time.Microsecond), times[len(times)*99/100].Round(10*time.Microsecond))
}

// singles publishes each message when the one before has been delivered.
func (b *bench) singles(ctx context.Context, n int) error {
	var times []time.Duration
	for range n {
		if err := b.publish(); err != nil {
			return err
		}
		one, err := b.take(ctx, 1)
		if err != nil {
			return err
		}
		times = append(times, one...)
	}
	if n == 0 {
		return nil
	}
	slices.Sort(times)
	report(fmt.Sprintf("%d messages one after the other", n), times)
	return nil
}

// steady publishes a number of messages each second, whether the earlier ones have been delivered or not.
func (b *bench) steady(ctx context.Context, rate, seconds int) error {
	n := rate * seconds
	if n == 0 {
		return nil
	}
	var publishers sync.WaitGroup
	errs := make(chan error, n)
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		publishers.Go(func() { errs <- b.publish() })
	}
	publishers.Wait()
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	times, err := b.take(ctx, n)
	if err != nil {
		return err
	}
	report(fmt.Sprintf("%d messages a second for %d seconds", rate, seconds), times)
	return nil
}

// flood publishes messages as fast as they are taken.
func (b *bench) flood(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	begin := time.Now()
	var publishers sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		publishers.Go(func() {
			for range n / connections {
				if errs[i] = b.publish(); errs[i] != nil {
					return
				}
			}
		})
	}
	publishers.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	n = n / connections * connections
	taken := time.Since(begin)
	if _, err := b.take(ctx, n); err != nil {
		return err
	}
	fmt.Printf("%d messages by %d publishers: taken at %.0f/s, delivered at %.0f/s (%d processors, shared with publishers and destination)\n",
		n, connections, float64(n)/taken.Seconds(), float64(n)/time.Since(begin).Seconds(), runtime.NumCPU())
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
		for name, to := range map[string]*string{"QSTASH_URL=": &url, "QSTASH_TOKEN=": &token, "QStash dev ": &devURL} {
			if _, value, ok := strings.Cut(lines.Text(), name); ok {
				*to = strings.Fields(value)[0]
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
