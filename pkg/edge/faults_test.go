package edge_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/store"
)

// TestFaultsHaveTheSameOutcomeEverywhere sends the same faults through all handlers. Texts are those of
// each product, but all of them name the request.
func TestFaultsHaveTheSameOutcomeEverywhere(t *testing.T) {
	failWith := func(err error) func() error { return func() error { return fmt.Errorf("secret: %w", err) } }
	for _, tt := range []struct {
		name       string
		failure    func() error
		status     int
		retryAfter string
		says       string // in all texts
	}{
		{"deadline", failWith(context.DeadlineExceeded), 504, "", ""},
		{"client gone", failWith(context.Canceled), 499, "", ""},
		{"unknown outcome", failWith(store.ErrUnknownOutcome), 500, "", "known"},
		{"throttled", failWith(store.ErrThrottled), 503, "1", ""},
		{"unavailable", failWith(store.ErrUnavailable), 503, "1", ""},
		{"too large", failWith(store.ErrTooLarge), 413, "", ""},
		{"anything else", failWith(errors.New("disk on fire")), 500, "", ""},
		{"panic", func() error { panic("secret") }, 500, "", ""},
	} {
		w := newWorld(t)
		for _, p := range w.products {
			t.Run(tt.name+"/"+p.name, func(t *testing.T) {
				if got := w.send(p, "GET", p.read, ""); got.status != 200 {
					t.Fatalf("without a fault: %+v", got)
				}
				w.faults.set(tt.failure)
				w.log.Reset()
				got := w.send(p, "GET", p.read, "")
				w.faults.set(nil)
				if got.status != tt.status || got.header.Get("Retry-After") != tt.retryAfter {
					t.Errorf("%d, Retry-After %q: %s", got.status, got.header.Get("Retry-After"), got.body)
				}
				named := "(request id-1)"
				if p.html {
					named = "id-1"
				}
				if !strings.Contains(got.body, named) || !strings.Contains(got.body, tt.says) || strings.Contains(got.body, "secret") {
					t.Errorf("answer %s", got.body)
				}
				if log := w.log.String(); !strings.Contains(log, "request=id-1") || !strings.Contains(log, "secret") {
					t.Errorf("log %q", log)
				}
				if got := w.send(p, "GET", p.read, ""); got.status != 200 {
					t.Errorf("afterwards: %+v", got)
				}
			})
		}
	}
}

// TestRequestsAtFaultAreRefusedInTheSameWay is for what a client does wrong.
func TestRequestsAtFaultAreRefusedInTheSameWay(t *testing.T) {
	w := newWorld(t)
	for _, p := range w.products {
		t.Run(p.name, func(t *testing.T) {
			plain := w.send(p, "POST", p.write, p.body)
			if plain.status/100 != 2 {
				t.Fatalf("a good request: %+v", plain)
			}
			if got := w.send(p, "POST", p.write, zip(p.body), "Content-Encoding", "gzip"); got.status != plain.status {
				t.Errorf("gzip: %+v", got)
			}
			w.log.Reset()
			writes := w.faults.writes.Load()
			unauthorized := p.unknown
			if unauthorized == 0 {
				unauthorized = 401
			}
			for _, tt := range []struct {
				name    string
				got     answer
				status  int
				explain string
			}{
				{"bad gzip", w.send(p, "POST", p.write, p.body, "Content-Encoding", "gzip"), 400, "gzip"},
				{"gzip that ends too early", w.send(p, "POST", p.write, zip(p.body)[:12], "Content-Encoding", "gzip"), 400, "gzip"},
				{"another coding", w.send(p, "POST", cmp.Or(p.inner, p.write), p.body, "Content-Encoding", "br"), 415, "Content-Encoding"},
				{"a bomb", w.send(p, "POST", p.write, zip(p.pad(50*p.limit)), "Content-Encoding", "gzip"), 413, ""},
				{"a body that is too large", w.send(p, "POST", p.write, p.pad(p.limit+1)), 413, ""},
				{"a bad token", w.send(p, "GET", p.read, "", "token", "bad"), unauthorized, ""},
				{"no token", w.send(p, "GET", p.read, "", "token", ""), unauthorized, ""},
			} {
				if tt.got.status != tt.status {
					t.Errorf("%s: %d %s", tt.name, tt.got.status, tt.got.body)
				}
				if !p.html && !strings.Contains(tt.got.body, tt.explain) || strings.Contains(tt.got.body, "id-1") {
					t.Errorf("%s: %s", tt.name, tt.got.body)
				}
			}
			if w.log.Len() > 0 || w.faults.writes.Load() != writes {
				t.Errorf("%d writes, log %s", w.faults.writes.Load()-writes, w.log)
			}
		})
	}
}

// TestTooLongBodyIsDrained: a client that sends all before it reads gets to see the refusal, not a connection
// that was reset.
func TestTooLongBodyIsDrained(t *testing.T) {
	w := newWorld(t)
	for _, p := range w.products {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/announced=%v", p.name, announced), func(t *testing.T) {
				server := httptest.NewServer(p.handler)
				defer server.Close()
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				w.ok(err)
				defer conn.Close()
				w.ok(conn.SetDeadline(time.Now().Add(time.Minute)))
				body := p.pad(3*p.limit + p.limit/2)
				r := httptest.NewRequest("POST", p.write, strings.NewReader(body))
				p.auth(r, true)
				r.Header.Set("Connection", "close")
				if !announced {
					r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
				}
				w.ok(r.Write(conn))
				resp, err := http.ReadResponse(bufio.NewReader(conn), r)
				w.ok(err)
				text, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != 413 {
					t.Errorf("%d %s, %v", resp.StatusCode, text, err)
				}
			})
		}
	}
}

// TestHeadChangesNothing sends HEAD to where GET or POST would change something, and to where GET reads.
func TestHeadChangesNothing(t *testing.T) {
	w := newWorld(t)
	for _, p := range w.products {
		t.Run(p.name, func(t *testing.T) {
			writes := w.faults.writes.Load()
			for _, path := range p.heads {
				got := w.send(p, "HEAD", path, "")
				if got.body != "" || got.status >= 500 {
					t.Errorf("%s: %d %q", path, got.status, got.body)
				}
				if got.status == 405 && !p.html && got.header.Get("Allow") == "" {
					t.Errorf("%s: 405 without Allow", path)
				}
				if after := w.faults.writes.Load(); after != writes {
					t.Errorf("%s: %d writes, status %d", path, after-writes, got.status)
					writes = after
				}
			}
			get, head := w.send(p, "GET", p.read, ""), w.send(p, "HEAD", p.read, "")
			if head.status != 200 || head.body != "" {
				t.Errorf("%s: %d %q", p.read, head.status, head.body)
			}
			for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Vary", "Access-Control-Allow-Origin"} {
				if get.header.Get(name) != head.header.Get(name) {
					t.Errorf("%s: %s is %q for GET and %q for HEAD", p.read, name, get.header.Get(name), head.header.Get(name))
				}
			}
		})
	}
}

// The statuses of HEAD where GET would write.
func TestHeadIsRefusedWhereGetWrites(t *testing.T) {
	w := newWorld(t)
	for path, p := range map[string]*product{
		"/set/k/v": w.products[0], "/incr/n": w.products[0], "/subscribe/c": w.products[0],
		"/produce/red/m": w.products[1], "/webhook?topic=red": w.products[1], "/consume/g/i/red": w.products[1],
		"/v2/workflows/hooks/user/run/event": w.products[2],
		"/v2/redis/database":                 w.products[3],
	} {
		got := w.send(p, "HEAD", path, "")
		if allow := got.header.Get("Allow"); got.status != 405 || allow == "" || strings.Contains(allow, "HEAD") {
			t.Errorf("%s: %d, Allow %q", path, got.status, allow)
		}
	}
}

func TestLongAnswersAreCompressed(t *testing.T) {
	w := newWorld(t)
	for _, p := range w.products {
		t.Run(p.name, func(t *testing.T) {
			path, method := p.long, "GET"
			body := ""
			switch p.name { // what makes an answer long
			case "kafka":
				message := fmt.Sprintf(`{"topic":"red","value":%q}`, strings.Repeat("again and ", 500))
				if got := w.send(p, "POST", "/produce", message); got.status != 200 {
					t.Fatalf("%+v", got)
				}
				method, path, body = "POST", "/fetch", `{"topic":"red","partition":0,"offset":0,"timeout":10000}`
			case "qstash":
				for i := range 30 {
					if got := w.send(p, "POST", "/v2/queues", `{"queueName":"q`+strconv.Itoa(i)+`","parallelism":1}`); got.status != 200 {
						t.Fatalf("%+v", got)
					}
				}
				path = "/v2/queues"
			}
			plain := w.send(p, method, path, body)
			if plain.status != 200 || len(plain.body) < edge.CompressFrom || plain.header.Get("Content-Encoding") != "" || !strings.HasSuffix(plain.header.Get("Vary"), "Accept-Encoding") {
				t.Fatalf("%d, %d bytes, %v", plain.status, len(plain.body), plain.header)
			}
			got := w.send(p, method, path, body, "Accept-Encoding", "gzip, br")
			if got.header.Get("Content-Encoding") != "gzip" || got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) || len(got.body) >= len(plain.body) {
				t.Fatalf("%d bytes, %v", len(got.body), got.header)
			}
			z, err := gzip.NewReader(strings.NewReader(got.body))
			w.ok(err)
			text, err := io.ReadAll(z)
			if err != nil || string(text) != plain.body {
				t.Errorf("%v: %d bytes instead of %d", err, len(text), len(plain.body))
			}
			missing := w.send(p, "GET", "/v2/redis/missing", "", "Accept-Encoding", "gzip")
			if !p.html && (len(missing.body) >= edge.CompressFrom || missing.header.Get("Content-Encoding") != "") {
				t.Errorf("a short answer: %v", missing.header)
			}
		})
	}
}

// TestOptions: browsers may use Redis, whose read-only tokens are made for them, and Kafka. No page of another origin
// should hold a token of QStash or a key of the control plane, and the console is none of their business.
// Answers carry secrets, and are asked for with secrets in their addresses. TestNoAnswerIsStored walks the routes.
func TestNoAnswerIsStored(t *testing.T) {
	w := newWorld(t)
	for _, p := range w.products {
		t.Run(p.name, func(t *testing.T) {
			paths := append([]string{p.read, p.write, "/nothing", "/v2/nothing", "/console/nothing"}, p.heads...)
			if p.long != "" {
				paths = append(paths, p.long)
			}
			for _, path := range paths {
				if strings.HasPrefix(path, "/subscribe") || path == "/monitor" {
					continue // streams, see pkg/redis/rest
				}
				for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE"} {
					for _, credential := range []string{"good", "bad", ""} {
						got := w.send(p, method, path, p.body, "token", credential)
						if cc := got.header.Get("Cache-Control"); cc != "no-store" {
							t.Errorf("%s %s with a %q token: %d, Cache-Control %q", method, path, credential, got.status, cc)
						}
					}
				}
			}
			w.faults.set(func() error { panic("secret") })
			defer w.faults.set(nil)
			if got := w.send(p, "GET", p.read, ""); got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("after a panic: %v", got.header)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	w := newWorld(t)
	for _, p := range w.products {
		got := w.send(p, "OPTIONS", p.write, "", "token", "", "Origin", "https://a.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
		if got.status != p.bare {
			t.Errorf("%s: %d %s", p.name, got.status, got.body)
		}
		allowed := got.header.Get("Access-Control-Allow-Origin")
		if (allowed != "") != (p.bare == 200) || got.header.Get("Access-Control-Allow-Headers") != map[bool]string{true: "authorization"}[p.bare == 200] {
			t.Errorf("%s: %v", p.name, got.header)
		}
	}
}
