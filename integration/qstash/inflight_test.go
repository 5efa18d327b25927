package qstash_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// inFlight is how many messages have been accepted and not been delivered when the server is killed.
const inFlight = 3000

// holding is a destination. Until it opens, it keeps all requests waiting.
type holding struct {
	*httptest.Server
	mu     sync.Mutex
	opened bool
	kept   map[string]int // requests that it got before, by body: some server is dead by now
	got    map[string]int // and after
	change chan struct{}
}

func newHolding(t *testing.T) *holding {
	h := &holding{kept: map[string]int{}, got: map[string]int{}, change: make(chan struct{}, 1)}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(h.Close)
	return h
}

func (h *holding) serve(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h.mu.Lock()
	opened := h.opened
	if opened {
		h.got[string(body)]++
	} else {
		h.kept[string(body)]++
	}
	h.mu.Unlock()
	select {
	case h.change <- struct{}{}:
	default:
	}
	if !opened {
		<-r.Context().Done() // the server is killed
	}
}

// counts are how many messages have come before and after it has opened.
func (h *holding) counts() (kept, got int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.kept), len(h.got)
}

func TestMessagesInFlightSurviveAKill(t *testing.T) {
	l, d := newServer(t), newHolding(t)
	l.start()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for n := 0; n < inFlight; {
		var batch []map[string]any
		for range 1000 {
			item := map[string]any{"destination": d.URL, "body": strconv.Itoa(n)}
			if n%10 == 0 {
				item["queue"] = "q" + strconv.Itoa(n%70)
			}
			batch = append(batch, item)
			n++
		}
		text, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.call(ctx, http.MethodPost, "/v2/batch", nil, string(text), nil); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what string, done func() bool) {
		t.Helper()
		for !done() {
			select {
			case <-d.change:
			case <-ctx.Done():
				kept, got := d.counts()
				t.Fatalf("%s: %d messages before the kill, %d after it", what, kept, got)
			}
		}
	}
	await("attempts under way", func() bool { kept, _ := d.counts(); return kept >= 300 })
	l.Kill()
	d.mu.Lock()
	d.opened = true
	d.mu.Unlock()
	l.start()
	await("after the kill", func() bool { _, got := d.counts(); return got == inFlight })
	if err := l.Stop(); err != nil { // attempts under way end before
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for body, times := range d.got {
		if times > 1 {
			t.Errorf("message %s is delivered %d times after the kill", body, times)
		}
	}
	t.Logf("%d messages in flight, %d of them in attempts under way: those come twice, the others once", inFlight, len(d.kept))
}
