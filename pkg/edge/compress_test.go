package edge_test

import (
	"compress/gzip"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/edge"
)

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br, gzip, deflate": true, "gzip;q=0.5": true, "gzip;q=0": false,
		"gzip; q=0.000, *": false, "*": true, "*;q=0": false, "identity": false, "br": false, "gzippy": false, "gzip;q=x": true, "*;q=0, gzip": true,
	} {
		if got := edge.AcceptsGzip(header); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestAnswersAreCompressedIfThatPays(t *testing.T) {
	words := strings.Repeat("some words that come again and again; ", 10_000)
	noise := make([]byte, 100_000)
	_, _ = rand.Read(noise)
	for _, tt := range []struct {
		name, method, accept, body string
		compressed, varies         bool
	}{
		{"long", "GET", "gzip", words, true, true},
		{"just long enough", "GET", "gzip", words[:edge.CompressFrom], true, true},
		{"too short", "GET", "gzip", words[:edge.CompressFrom-1], false, false},
		{"not accepted", "GET", "br", words, false, true},
		{"it saves nothing", "GET", "gzip", string(noise), false, true},
		{"it saves nothing, and is short", "GET", "gzip", string(noise[:5000]), false, true},
		{"HEAD", "HEAD", "gzip", words, true, true},
		{"nothing", "GET", "gzip", "", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", nil)
			r.Header.Set("Accept-Encoding", tt.accept)
			w := httptest.NewRecorder()
			edge.Send(w, r, 201, []byte(tt.body))
			if w.Code != 201 || (w.Header().Get("Content-Encoding") == "gzip") != tt.compressed || (w.Header().Get("Vary") == "Accept-Encoding") != tt.varies {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			if tt.method == "HEAD" {
				if n, err := strconv.Atoi(w.Header().Get("Content-Length")); err != nil || n == 0 || w.Body.Len() > 0 {
					t.Errorf("length %q, body of %d", w.Header().Get("Content-Length"), w.Body.Len())
				}
				return
			}
			if w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
				t.Errorf("length %q of %d", w.Header().Get("Content-Length"), w.Body.Len())
			}
			var body io.Reader = w.Body
			if tt.compressed {
				if w.Body.Len() >= len(tt.body) {
					t.Errorf("%d bytes of %d", w.Body.Len(), len(tt.body))
				}
				var err error
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := io.ReadAll(body); err != nil || string(got) != tt.body {
				t.Errorf("%v: got %d bytes, want %d", err, len(got), len(tt.body))
			}
		})
	}
}

func TestCompressUsesItsRoomAgain(t *testing.T) {
	body := []byte(strings.Repeat("again ", 1000))
	h := http.Header{}
	room := make([]byte, 3, 10_000)
	got := edge.Compress(edge.HTTPHeader(h), "gzip", "Origin", body, &room)
	if &got[0] != &room[0] || cap(room) != 10_000 {
		t.Error("the body is elsewhere")
	}
	r, err := gzip.NewReader(strings.NewReader(string(got)))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(r); err != nil || string(text) != string(body) || h.Get("Vary") != "Origin, Accept-Encoding" {
		t.Errorf("%v, %d bytes, %v", err, len(text), h)
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add("gzip;q=0, *", "Bearer x", "a=1&_token=t&b=%zz")
	f.Fuzz(func(t *testing.T, accept, authorization, query string) {
		edge.AcceptsGzip(accept)
		if token, ok := edge.Bearer(authorization); ok && strings.TrimSpace(token) != token {
			t.Errorf("token %q", token)
		}
		value, rest, err := edge.CutQuery(query, "_token")
		again, same, _ := edge.CutQuery(rest, "_token")
		if again != "" || same != rest {
			t.Errorf("%q is left of %q", again, query)
		}
		if want, bad := url.ParseQuery(query); bad == nil && err == nil && !strings.Contains(query, ";") {
			first := ""
			for _, v := range want["_token"] {
				if first == "" {
					first = v
				}
			}
			if value != first {
				t.Errorf("%q instead of %q", value, first)
			}
		}
	})
}

func BenchmarkSend(b *testing.B) {
	body := []byte(strings.Repeat(`{"result":"some words that come again and again"},`, 2000))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		edge.Send(httptest.NewRecorder(), r, 200, body)
	}
}
