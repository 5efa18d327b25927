package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/skystash/skystash/pkg/qstash"
)

func TestDeliveryLines(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 30, 5, 0, time.UTC)
	for _, c := range []struct {
		attempt qstash.Attempt
		want    string
		mood    mood
	}{
		{qstash.Attempt{State: qstash.EventDelivered, Status: 200, Took: 12345 * time.Microsecond}, "200 in 12ms", good},
		{qstash.Attempt{State: qstash.EventRetry, Status: 503, Took: 2340 * time.Millisecond, Next: at.Add(12182 * time.Millisecond), Retries: 3}, "503 in 2.3s, again in 12.2s (retry 1 of 3)", odd},
		{qstash.Attempt{State: qstash.EventRetry, Err: &qstash.NoAnswer{Reason: "unable to connect", Refused: true}, Next: at.Add(time.Hour), Retried: 2, Retries: 3}, "nobody listens on 127.0.0.1:3000, again in 1h0m0s (retry 3 of 3)", odd},
		{qstash.Attempt{State: qstash.EventFailed, Err: errors.New("timeout:\nno \x1b[31mresponse"), Took: 61 * time.Second}, "no answer in 1m1s: timeout: no  [31mresponse, failed for good", bad},
		{qstash.Attempt{State: qstash.EventCancelled, Status: 500, Took: 99 * time.Microsecond}, "500 in 100µs, cancelled", bad},
	} {
		a := c.attempt
		a.Method, a.URL, a.At = "POST", "http://user:pw@127.0.0.1:3000/api/hook?token=secret", at
		what, outcome, m := deliveryLine(&a)
		if m != c.mood {
			t.Errorf("%s: mood %s, want %s", c.want, m, c.mood)
		}
		if got, want := what+outcome, "12:30:05  POST http://127.0.0.1:3000/api/hook?…  "+c.want; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// stuck is a terminal that nobody reads.
type stuck chan struct{}

func (s stuck) Write([]byte) (int, error) { <-s; return 0, io.ErrClosedPipe }

func TestDeliveriesDoNotWaitForTheTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(stuck)
		d := newActivity(time.Now, false)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { d.print(ctx, s); close(ended) }()
		for range 10_000 {
			d.delivery(qstash.Attempt{URL: "http://a.example/"})
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-ended
		close(s)
	})
}

func TestManyDeliveriesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := newActivity(time.Now, false)
		ctx, cancel := context.WithCancel(t.Context())
		go d.print(ctx, &out)
		for range 2 {
			for range linesPerSecond + 50 {
				d.delivery(qstash.Attempt{URL: "http://a.example/"})
				synctest.Wait()
			}
			time.Sleep(time.Second)
		}
		cancel()
		synctest.Wait()
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2*linesPerSecond+1 || lines[linesPerSecond] != "… and 50 more deliveries in that second" {
			t.Errorf("%d lines, the one after the first second %q", len(lines), lines[min(linesPerSecond, len(lines)-1)])
		}
	})
}

// lines hands on what the program prints.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		l <- strings.TrimSpace(line)
	}
	return len(text), nil
}

// runProgram runs the program until the test ends, and returns what it prints from when it is ready.
func runProgram(t *testing.T, args ...string) (*Main, lines) {
	t.Helper()
	out := make(lines, 10_000)
	m := NewMain(out, io.Discard)
	if err := m.ParseFlags(append([]string{"-ephemeral", "-addr", "127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	for line := range out {
		if strings.HasPrefix(line, "Ready") {
			break
		}
	}
	return m, out
}

// publishTo publishes a message without retries.
func publishTo(t *testing.T, m *Main, destination string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, m.URL()+"/v2/publish/"+destination, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.QStashToken())
	req.Header.Set("Upstash-Retries", "0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("publish: %d %s", resp.StatusCode, text)
	}
}

func TestDeliveriesArePrinted(t *testing.T) {
	m, out := runProgram(t)
	publishTo(t, m, "http://127.0.0.1:1/hook")
	if got := <-out; !strings.HasSuffix(got, "POST http://127.0.0.1:1/hook  nobody listens on 127.0.0.1:1, failed for good") {
		t.Errorf("printed %q", got)
	}
}

func TestQuietPrintsNoDeliveries(t *testing.T) {
	m, out := runProgram(t, "-quiet")
	if m.activity != nil {
		t.Error("deliveries are observed")
	}
	select {
	case line := <-out:
		t.Errorf("printed %q", line)
	default:
	}
}
