package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/scripts/local/server"
)

// events is an answer of server-sent events as it arrives.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

// open starts a subscription, the way the official client does.
func open(t *testing.T, m *server.Main, token, path string) *events {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL()+path, strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
	return &events{t: t, lines: bufio.NewScanner(resp.Body), close: func() { cancel(); resp.Body.Close() }}
}

// next is the payload of the next event.
func (ev *events) next() string {
	ev.t.Helper()
	for ev.lines.Scan() {
		if data, ok := strings.CutPrefix(ev.lines.Text(), "data: "); ok {
			return data
		}
	}
	ev.t.Fatalf("the stream ends: %v", ev.lines.Err())
	return ""
}

func (ev *events) expect(want ...string) {
	ev.t.Helper()
	for _, w := range want {
		if got := ev.next(); got != w {
			ev.t.Errorf("event %q, want %q", got, w)
		}
	}
}

func TestSubscriptions(t *testing.T) {
	m, _ := start(t, "-ephemeral")
	channels := open(t, m, m.Token(), "/subscribe/c1/c2")
	channels.expect("subscribe,c1,1", "subscribe,c2,2")
	pattern := open(t, m, m.Token(), "/psubscribe/c?")
	pattern.expect("psubscribe,c?,1")
	if got := call(t, m, m.ReadOnlyToken(), "/psubscribe/c?"); !strings.Contains(got, "NOPERM") {
		t.Errorf("a read-only token without rules is answered %s", got)
	}
	wantAnswer(t, call(t, m, m.Token(), "/publish/c1/one"), `{"result":2}`)
	channels.expect("message,c1,one")
	pattern.expect("pmessage,c?,c1,one")
	wantAnswer(t, call(t, m, m.Token(), "/publish/c2/two%0Alines"), `{"result":2}`)
	channels.expect(`message,c2,"two\nlines"`) // one line, as the official client reads it

	// A client that has gone is not counted any more.
	channels.close()
	until(t, func() bool { return call(t, m, m.Token(), "/pubsub/numsub/c1") == `{"result":["c1",0]}` })
	wantAnswer(t, call(t, m, m.Token(), "/publish/c1/three"), `{"result":1}`)
}

// until waits for what happens as soon as the server has noticed something.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func TestMonitor(t *testing.T) {
	m, _ := start(t, "-ephemeral")
	monitor := open(t, m, m.Token(), "/monitor")
	monitor.expect(`"OK"`)
	call(t, m, m.Token(), "/set/k/%00%22")
	if got := monitor.next(); !strings.HasSuffix(got, ` [0 0.0.0.0:0] "set" "k" "\x00\""`) {
		t.Errorf("line %q", got)
	}
	if got := call(t, m, m.ReadOnlyToken(), "/monitor"); !strings.Contains(got, "NOPERM") {
		t.Errorf("with the read-only token: %s", got)
	}
}

// The program ends though there are streams, and it does so at once.
func TestStreamsEndWithTheProgram(t *testing.T) {
	m, stop := start(t, "-ephemeral")
	var all []*events
	for range 100 {
		ev := open(t, m, m.Token(), "/subscribe/c")
		ev.expect("subscribe,c,1")
		all = append(all, ev)
	}
	wantAnswer(t, call(t, m, m.Token(), "/publish/c/x"), fmt.Sprintf(`{"result":%d}`, len(all)))
	for _, ev := range all {
		ev.expect("message,c,x")
	}
	stop()
	for _, ev := range all {
		for ev.lines.Scan() {
		}
	}
}
