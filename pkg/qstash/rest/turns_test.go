package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/qstash/rest"
	"github.com/skystash/skystash/pkg/turns"
)

// A large batch waits for its turn while another account has it. A message does not.
func TestLargeBatchesTakeTurns(t *testing.T) {
	s := newService(t)
	queue := turns.New(1, 0, time.Now)
	handler := rest.New(rest.Config{Engine: s.engine, Authenticator: rest.Fixed{Token: s.token, Account: acct}, Turns: queue})
	send := func(path, body string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+s.token)
		r.Header.Set("Upstash-Delay", "1d")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	item := `{"destination":"https://example.com/","headers":{"Upstash-Delay":"1d"},"body":"` + strings.Repeat("x", 100_000) + `"}`
	batch := "[" + strings.Repeat(item+",", 9) + item + "]"
	if status := send("/v2/batch", batch); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	ctx, other := queue.Request(t.Context(), "another account", "database", 0)
	for range 3 {
		if err := other.Spend(ctx, 10*turns.LookEvery); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan int)
	go func() { done <- send("/v2/batch", batch) }()
	for waiting := 0; waiting < 1; _, waiting = queue.Count() {
		select {
		case status := <-done:
			t.Fatalf("a large batch did not wait: %d", status)
		case <-time.After(time.Millisecond):
		}
	}
	if status := send("/v2/publish/https://example.com/", "x"); status != http.StatusOK {
		t.Errorf("a message is answered %d", status)
	}
	other.End()
	if status := <-done; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if free, waiting := queue.Count(); free != 1 || waiting != 0 {
		t.Errorf("%d turns are free, %d requests wait", free, waiting)
	}
}

// A large batch and a list wait while another account's large request is served, and a short message does not.
func TestLargeBatchesAndListsPassAGate(t *testing.T) {
	s := newService(t)
	gate := turns.NewGate(1, time.Now)
	handler := rest.New(rest.Config{Engine: s.engine, Authenticator: rest.Fixed{Token: s.token, Account: acct}, Large: gate})
	send := func(method, path, body string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+s.token)
		r.Header.Set("Upstash-Delay", "1d")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	leave, err := gate.Pass(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int)
	go func() {
		item := `{"destination":"https://example.com/","headers":{"Upstash-Delay":"1d"},"body":"` + strings.Repeat("x", 500) + `"}`
		done <- send(http.MethodPost, "/v2/batch", "["+strings.Repeat(item+",", 39)+item+"]")
	}()
	go func() { done <- send(http.MethodGet, "/v2/logs", "") }()
	for waiting := 0; waiting < 2; _, waiting = gate.Count() {
		select {
		case status := <-done:
			t.Fatalf("a large request did not wait: %d", status)
		case <-time.After(time.Millisecond):
		}
	}
	if status := send(http.MethodPost, "/v2/publish/https://example.com/", "x"); status != http.StatusOK {
		t.Errorf("a short message is answered %d", status)
	}
	leave()
	for range 2 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	if free, waiting := gate.Count(); free != 1 || waiting != 0 {
		t.Errorf("%d are free in the end, %d wait", free, waiting)
	}
}
