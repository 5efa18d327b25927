package twoprocess

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
	"github.com/skystash/skystash/pkg/testenv/kinesislocal"
)

// pair are two servers over the same tables and the same stream.
type pair struct {
	t       *testing.T
	servers [2]*local.Server
	up      [2]atomic.Bool
	client  *http.Client
	kills   int
	began   time.Time
	history history
}

const topic, partitions = "orders", 4

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, began: time.Now(), client: &http.Client{
		Timeout: time.Minute,
		// A connection for each request: none is sent twice because its connection was lost.
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
	tables, streams := dynamolocal.Client(t), kinesislocal.Client(t)
	args := []string{
		"-data", t.TempDir(), "-store", "dynamo", "-endpoint", dynamolocal.Start(t),
		"-table", dynamolocal.Table(t, tables), "-kafka-table", dynamolocal.Table(t, tables),
		"-qstash-table", dynamolocal.Table(t, tables), "-control-table", dynamolocal.Table(t, tables),
		"-kafka-stream", kinesislocal.Stream(t, streams, 1), "-kinesis-endpoint", kinesislocal.Start(t),
		"-topics", fmt.Sprintf("%s:%d", topic, partitions),
	}
	binary := local.Build(t)
	var starts sync.WaitGroup
	for i := range p.servers {
		p.servers[i] = local.New(t, binary, args...)
		p.servers[i].Log = &serverLog{t: t, number: i}
		starts.Go(func() { p.start(i) }) // both find the tables empty
	}
	starts.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, name := range []string{"UPSTASH_REDIS_REST_TOKEN", "UPSTASH_KAFKA_REST_PASSWORD", "QSTASH_TOKEN"} {
		if a, b := p.servers[0].Var(name), p.servers[1].Var(name); a != b || a == "" {
			t.Fatalf("%s is %q of one server and %q of the other", name, a, b)
		}
	}
	return p
}

func (p *pair) start(i int) {
	if err := p.servers[i].Start(context.Background()); err != nil {
		p.t.Error(err)
		return
	}
	p.up[i].Store(true)
}

// disturb kills either server, and starts it again, until the context ends. Then both are there.
func (p *pair) disturb(ctx context.Context, every time.Duration) {
	for wait(ctx, every/2+rand.N(every)) {
		i := rand.IntN(len(p.servers))
		p.up[i].Store(false)
		p.servers[i].Kill()
		p.kills++
		p.history.add("server", "", "server %d is killed", i)
		if !wait(ctx, rand.N(time.Second)) {
			p.start(i)
			return
		}
		p.start(i)
	}
}

// restart ends a server as Ctrl-C does, and starts it again.
func (p *pair) restart() {
	p.up[0].Store(false)
	if err := p.servers[0].Stop(); err != nil {
		p.t.Errorf("stop a server: %v", err)
	}
	p.history.add("server", "", "server 0 is started again")
	p.start(0)
}

// wait returns after a time, or false when the context ends.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// errNotSent says that a request has not reached any server.
var errNotSent = errors.New("not sent")

// statusError is an answer that is no success.
type statusError struct {
	status int
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

// call sends a request to either server and decodes its answer. An error other than errNotSent leaves
// open what has happened.
func (p *pair) call(ctx context.Context, urlVar, path string, authorize func(*local.Server, *http.Request), header map[string]string, body []byte, answer any) error {
	i := rand.IntN(len(p.servers))
	if !p.up[i].Load() {
		i = 1 - i
	}
	s := p.servers[i]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Var(urlVar)+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.GetBody = nil // it is not sent twice
	authorize(s, req)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		return errNotSent
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &statusError{resp.StatusCode, string(text)}
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("answer %q: %w", text, err)
	}
	return nil
}

func bearer(name string) func(*local.Server, *http.Request) {
	return func(s *local.Server, r *http.Request) { r.Header.Set("Authorization", "Bearer "+s.Var(name)) }
}

// redis runs a command, or, if path is "/multi-exec", several.
func (p *pair) redis(ctx context.Context, path string, command any, result any) error {
	body, err := json.Marshal(command)
	if err != nil {
		return err
	}
	return p.call(ctx, "UPSTASH_REDIS_REST_URL", path, bearer("UPSTASH_REDIS_REST_TOKEN"), nil, body, result)
}

// do runs one command; result gets what is under "result".
func (p *pair) do(ctx context.Context, result any, command ...any) error {
	return p.redis(ctx, "/", command, &struct{ Result any }{result})
}

// must is do until it has succeeded, for commands that may run twice.
func (p *pair) must(ctx context.Context, result any, command ...any) {
	for {
		err := p.do(ctx, result, command...)
		if err == nil {
			return
		}
		if p.again(ctx, err) != nil {
			p.t.Errorf("%v: %v", command, err)
			return
		}
	}
}

// again waits a little before a request is repeated. It returns an error if that makes no sense: the
// request is at fault, or the test is over.
func (p *pair) again(ctx context.Context, err error) error {
	var refused *statusError
	if errors.As(err, &refused) && refused.status < 500 && refused.status != http.StatusTooManyRequests {
		return err
	}
	if !wait(ctx, 20*time.Millisecond) {
		return ctx.Err()
	}
	return nil
}

func (p *pair) kafka(ctx context.Context, path string, header map[string]string, body, answer any) error {
	text := []byte{}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return p.call(ctx, "UPSTASH_KAFKA_REST_URL", path, func(s *local.Server, r *http.Request) {
		r.SetBasicAuth(s.Var("UPSTASH_KAFKA_REST_USERNAME"), s.Var("UPSTASH_KAFKA_REST_PASSWORD"))
	}, header, text, answer)
}

// history is what has happened, to be shown for what was violated.
type history struct {
	mu     sync.Mutex
	events []event
}

type event struct {
	at        time.Time
	who, what string
	text      string
}

// add notes an event about something, "" for all.
func (h *history) add(who, what, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, event{time.Now(), who, what, fmt.Sprintf(format, args...)})
}

// of are the last events about something, with those about all.
func (h *history) of(what string, began time.Time) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var lines []string
	for _, e := range h.events {
		if e.what == what || e.what == "" {
			lines = append(lines, fmt.Sprintf("\n  %9.3f s  %-14s %s", e.at.Sub(began).Seconds(), e.who, e.text))
		}
	}
	const most = 60
	var out bytes.Buffer
	if len(lines) > most {
		fmt.Fprintf(&out, "\n  (%d earlier events)", len(lines)-most)
		lines = lines[len(lines)-most:]
	}
	for _, l := range lines {
		out.WriteString(l)
	}
	return out.String()
}

// violated fails the test with the history of what it is about.
func (p *pair) violated(about, format string, args ...any) {
	p.t.Errorf("%s%s", fmt.Sprintf(format, args...), p.history.of(about, p.began))
}

// serverLog shows what a server logs, when the test fails or is verbose.
type serverLog struct {
	t      *testing.T
	number int
}

func (l *serverLog) Write(b []byte) (int, error) {
	l.t.Logf("server %d: %s", l.number, bytes.TrimSpace(b))
	return len(b), nil
}
