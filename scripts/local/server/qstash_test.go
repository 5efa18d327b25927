package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// qstash sends a request to QStash and returns status and answer.
func qstash(t *testing.T, url, token, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// destination takes messages and says what it was sent.
func destination(t *testing.T) (url string, received chan *http.Request) {
	t.Helper()
	received = make(chan *http.Request, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r }))
	t.Cleanup(srv.Close)
	return srv.URL, received
}

func TestQStashDeliversToLoopbackAndSurvivesARestart(t *testing.T) {
	url, received := destination(t)
	dir := filepath.Join(t.TempDir(), "data")
	m, stop := start(t, "-data", dir)
	if status, text := qstash(t, m.URL(), m.QStashToken(), "POST", "/v2/publish/"+url+"/a//b?c=d&e", "now"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if r := <-received; r.RequestURI != "/a//b?c=d&e" || r.Header.Get("Upstash-Signature") == "" {
		t.Errorf("received %s %v", r.RequestURI, r.Header)
	}
	if status, text := qstash(t, m.URL(), m.QStashToken(), "POST", "/v2/publish/"+url+"/later", "", "Upstash-Delay: 2s"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	token := m.QStashToken()
	stop()
	m, _ = start(t, "-data", dir)
	if m.QStashToken() != token {
		t.Error("the token has changed")
	}
	if r := <-received; r.RequestURI != "/later" {
		t.Errorf("received %s", r.RequestURI)
	}
	env, err := os.ReadFile(filepath.Join(dir, "local.env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`QSTASH_URL="` + m.URL() + `"`, `QSTASH_TOKEN="` + token + `"`, `QSTASH_CURRENT_SIGNING_KEY="sig_`, `QSTASH_NEXT_SIGNING_KEY="sig_`} {
		if !strings.Contains(string(env), line) {
			t.Errorf("local.env lacks %s", line)
		}
	}
}

func TestQStashDevelopmentCredentials(t *testing.T) {
	const token = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
	m, _ := start(t, "-ephemeral", "-qstash-dev", "-qstash-dev-addr", "127.0.0.1:0")
	status, text := qstash(t, m.QStashDevURL(), token, "GET", "/v2/keys", "")
	if want := `{"current":"sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r","next":"sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs"}`; status != 200 || text != want {
		t.Errorf("keys: %d %s", status, text)
	}
	url, received := destination(t)
	if status, text := qstash(t, m.QStashDevURL(), token, "POST", "/v2/publish/"+url+"/dev", ""); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	<-received
	if status, _ := qstash(t, m.URL(), token, "GET", "/v2/keys", ""); status != 401 {
		t.Errorf("the development token is good at the other address, too: %d", status)
	}
	if status, text := qstash(t, m.QStashDevURL(), token, "GET", "/get/k", ""); status != 404 {
		t.Errorf("Redis is served there: %d %s", status, text)
	}
	var page struct{ Events []any }
	_, text = qstash(t, m.URL(), m.QStashToken(), "GET", "/v2/events", "")
	if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Events) != 0 {
		t.Errorf("another account's events: %s", text)
	}
}

func TestQStashResolvesAsTold(t *testing.T) {
	url, received := destination(t)
	m, _ := start(t, "-ephemeral", "-resolve", "example.com="+strings.TrimPrefix(url, "http://"))
	if status, text := qstash(t, m.URL(), m.QStashToken(), "POST", "/v2/publish/http://example.com/x", ""); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if r := <-received; r.Host != "example.com" {
		t.Errorf("host %s", r.Host)
	}
}

// Locally a call may take half a day, or as long as somebody wants.
func TestQStashTimeouts(t *testing.T) {
	for _, c := range []struct {
		args             []string
		allowed, refused string
	}{
		{nil, "12h", "12h1s"},
		{[]string{"-qstash-timeout", "48h"}, "2d", "48h1s"},
	} {
		m, _ := start(t, append([]string{"-ephemeral"}, c.args...)...)
		for timeout, want := range map[string]int{c.allowed: 200, c.refused: 412} {
			if status, text := qstash(t, m.URL(), m.QStashToken(), "POST", "/v2/publish/http://127.0.0.1:1/", "", "Upstash-Timeout: "+timeout, "Upstash-Delay: 1h"); status != want {
				t.Errorf("%v: a timeout of %s: %d %s, want %d", c.args, timeout, status, text, want)
			}
		}
	}
}
