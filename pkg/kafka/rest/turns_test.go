package rest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/turns"
)

// What takes long, such as a large body or answer, waits for its turn while another account has it. What is short does not.
func TestLargeRequestsTakeTurns(t *testing.T) {
	queue := turns.New(1, 0, time.Now)
	a := newAPI(t)
	a.handler = rest.New(rest.Config{Engine: a.engine, Verifier: a.verifier, Turns: queue})
	large := `{"topic":"red","partition":0,"value":"` + strings.Repeat("x", 1_000_000) + `"}`
	if status, got := a.do("POST /produce", large); status != http.StatusOK {
		t.Fatalf("%d %s", status, got)
	}
	fetch := `{"topic":"red","partition":0,"offset":0,"timeout":20000}`
	if status, got := a.do("POST /fetch", fetch); status != http.StatusOK || len(got) < 1_000_000 {
		t.Fatalf("%d %.200s", status, got)
	}

	ctx, other := queue.Request(t.Context(), "another account", "database", 0)
	for range 3 {
		if err := other.Spend(ctx, 10*turns.LookEvery); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan int)
	for request, body := range map[string]string{"POST /produce": large, "POST /fetch": fetch} {
		go func() {
			status, _ := a.do(request, body)
			done <- status
		}()
	}
	for waiting := 0; waiting < 2; _, waiting = queue.Count() {
		select {
		case status := <-done:
			t.Fatalf("a large request did not wait: %d", status)
		case <-time.After(time.Millisecond):
		}
	}
	a.want("POST /produce", `{"topic":"blue","value":"x"}`, `[{"topic":"blue","partition":0,"offset":0,"timestamp":T}]`)
	other.End()
	for range 2 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	if free, waiting := queue.Count(); free != 1 || waiting != 0 {
		t.Errorf("%d turns are free, %d requests wait", free, waiting)
	}
}

// A large request waits while another account's is served, and a short one does not. One that waits for messages holds up nobody.
func TestLargeRequestsPassAGate(t *testing.T) {
	gate := turns.NewGate(1, time.Now)
	a := newAPI(t)
	a.handler = rest.New(rest.Config{Engine: a.engine, Verifier: a.verifier, Large: gate})
	leave, err := gate.Pass(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int)
	go func() {
		status, _ := a.do("POST /produce", `{"topic":"red","partition":0,"value":"`+strings.Repeat("x", 20_000)+`"}`)
		done <- status
	}()
	for waiting := 0; waiting < 1; _, waiting = gate.Count() {
		select {
		case status := <-done:
			t.Fatalf("a large request did not wait: %d", status)
		case <-time.After(time.Millisecond):
		}
	}
	a.want("POST /produce", `{"topic":"blue","value":"x"}`, `[{"topic":"blue","partition":0,"offset":0,"timestamp":T}]`)
	places := `{"topicPartitionOffsets":[` + strings.Repeat(`{"topic":"blue","partition":0,"offset":0},`, 500) + `{"topic":"blue","partition":0,"offset":0}]}`
	if status, got := a.do("POST /fetch", places); status != http.StatusOK {
		t.Errorf("a fetch is answered %d %.200s", status, got)
	}
	leave()
	if status := <-done; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if free, waiting := gate.Count(); free != 1 || waiting != 0 {
		t.Errorf("%d are free in the end, %d wait", free, waiting)
	}
}
