package server_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEdgeOfTheLocalServer: what package edge does works through fasthttp as well as through net/http.
func TestEdgeOfTheLocalServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	m, _ := start(t, "-data", dir, "-topics", "red", "-max-request", "100000")
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	env := environment(t, dir)
	for _, p := range []struct {
		name, write, read string
		auth              func(*http.Request)
		head              string // a GET that writes; "": there is none
		long              string // path of a POST
		size              int    // of a body that is too long for it
	}{
		{"redis", "/set/k", "/get/k", bearer(m.Token()), "/set/k/w", "/set/k", 300_000},
		{
			"kafka", "/kafka/webhook?topic=red", "/kafka/topics",
			func(r *http.Request) {
				r.SetBasicAuth(env["UPSTASH_KAFKA_REST_USERNAME"], env["UPSTASH_KAFKA_REST_PASSWORD"])
			}, "/kafka/produce/red/m", "/kafka/produce", 300_000,
		},
		{"qstash", "/v2/publish/http://127.0.0.1:9/", "/v2/queues", bearer(m.QStashToken()), "/v2/workflows/hooks/u/r/e", "/v2/queues", 2 << 20},
		{
			"control", "/v2/skystash/qstash", "/v2/openapi.json",
			func(r *http.Request) { r.SetBasicAuth(m.Email(), m.APIKey()) }, "", "/v2/skystash/qstash", 200_000,
		},
	} {
		t.Run(p.name, func(t *testing.T) {
			send := func(method, path string, body io.Reader, headers ...string) (*http.Response, string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, m.URL()+path, body)
				if err != nil {
					t.Fatal(err)
				}
				p.auth(r)
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				// The transport itself would ask for gzip and hide it.
				resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return resp, string(text)
			}
			value := strings.Repeat("again and ", 1000)
			if p.name == "control" {
				value = `{"name":"another"}`
			}
			var zipped bytes.Buffer
			w := gzip.NewWriter(&zipped)
			_, _ = io.WriteString(w, value)
			_ = w.Close()
			if resp, text := send("POST", p.write, &zipped, "Content-Encoding", "gzip"); resp.StatusCode != 200 {
				t.Fatalf("gzip: %d %s", resp.StatusCode, text)
			}
			if resp, text := send("POST", p.write, strings.NewReader("no gzip"), "Content-Encoding", "gzip"); resp.StatusCode != 400 || !strings.Contains(text, "gzip") {
				t.Errorf("no gzip: %d %s", resp.StatusCode, text)
			}
			if p.head != "" {
				if resp, _ := send("HEAD", p.head, nil); resp.StatusCode != 405 {
					t.Errorf("HEAD %s: %d", p.head, resp.StatusCode)
				}
			}
			_, plain := send("GET", p.read, nil)
			head, _ := send("HEAD", p.read, nil)
			if head.StatusCode != 200 || head.ContentLength != int64(len(plain)) {
				t.Errorf("HEAD %s: %d, length %d of %d", p.read, head.StatusCode, head.ContentLength, len(plain))
			}
			if p.name == "redis" && plain != `{"result":"`+value+`"}` {
				t.Errorf("%.100s was stored", plain)
			}
			if len(plain) > 2000 {
				resp, text := send("GET", p.read, nil, "Accept-Encoding", "gzip")
				z, err := gzip.NewReader(strings.NewReader(text))
				if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("Vary") != "Accept-Encoding" {
					t.Fatalf("%v, %v", err, resp.Header)
				}
				if got, err := io.ReadAll(z); err != nil || string(got) != plain {
					t.Errorf("%v: %d bytes", err, len(got))
				}
				head, _ := send("HEAD", p.read, nil, "Accept-Encoding", "gzip")
				if head.ContentLength != int64(len(text)) || head.Header.Get("Content-Encoding") != "gzip" {
					t.Errorf("HEAD: length %d, %v", head.ContentLength, head.Header)
				}
			}

			// A client that sends everything before it reads gets to see the refusal.
			conn, err := net.Dial("tcp", strings.TrimPrefix(m.URL(), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequest("POST", m.URL()+p.long, strings.NewReader(strings.Repeat("x", p.size)))
			if err != nil {
				t.Fatal(err)
			}
			p.auth(r)
			if err := r.Write(conn); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 413 {
				t.Errorf("too long: %d %s, %v", resp.StatusCode, text, err)
			}
		})
	}
}
