package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/testenv/runtimetest"
)

// TestSubscriptionIsStreamed receives what another instance publishes, while the function still
// answers, and sees the stream end before the function's time is over.
func TestSubscriptionIsStreamed(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)
	got := fn.InvokeFor(runtimetest.Event(t, "redis/function-url-subscribe.json", "${TOKEN}", d.token), 8*time.Second)
	var prelude struct {
		StatusCode int
		Headers    map[string]string
	}
	if err := json.Unmarshal(got.Prelude, &prelude); err != nil || prelude.StatusCode != 200 || !strings.HasPrefix(prelude.Headers["Content-Type"], "text/event-stream") {
		t.Fatalf("%v: %s %s", err, got.Prelude, got.Payload)
	}
	lines := bufio.NewScanner(got.Body)
	expect := func(want string) {
		t.Helper()
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if data != want {
					t.Errorf("event %q, want %q", data, want)
				}
				return
			}
		}
		t.Fatalf("the stream ends: %v; %s", lines.Err(), fn.Output())
	}
	expect("subscribe,news,1")
	publish := func(message, want string) {
		t.Helper()
		var w resp.Writer
		if err := d.engine.Do(t.Context(), d.db, redis.Access{}, []string{"PUBLISH", "news", message}, &w); err != nil || string(w.Buf) != want {
			t.Errorf("publish: %q, %v, want %q", w.Buf, err, want)
		}
	}
	publish("hello, world", ":1\r\n")
	expect("message,news,hello, world")
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream does not end cleanly: %v", err)
	}
	publish("too late", ":0\r\n")

	// The function goes on serving.
	if a := invoke(t, fn, runtimetest.Event(t, "redis/get.json", "${TOKEN}", d.token)); a.StatusCode != 200 {
		t.Errorf("afterwards: %d %s", a.StatusCode, a.body)
	}
}

func TestSubscriptionThatCannotBeStreamed(t *testing.T) {
	d := deploy(t)
	fn := runtimetest.Start(t, runtimetest.Build(t, "./functions/redis"), d.env...)
	event := runtimetest.Event(t, "redis/function-url-subscribe.json", "${TOKEN}", d.token)
	for _, tt := range []struct {
		from, to string
		status   int
		want     string
	}{
		{"lambda-url", "execute-api", 400, "ERR subscriptions are not available at this address"},
		{d.token, "x", 401, "WRONGPASS"},
		{"/subscribe/news", "/subscribe", 400, "ERR wrong number of arguments for 'subscribe' command"},
	} {
		got := invoke(t, fn, bytes.ReplaceAll(event, []byte(tt.from), []byte(tt.to)))
		if got.StatusCode != tt.status || !strings.HasPrefix(got.body, `{"error":"`+tt.want) {
			t.Errorf("%s: %d %s", tt.to, got.StatusCode, got.body)
		}
	}
}
