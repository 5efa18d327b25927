package rest

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

func zip(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func TestCompressedRequests(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, tc := range []struct {
		name, target, body, encoding string
		status                       int
		want                         string
	}{
		{"a command", "/", zip(`["echo","hello"]`), "gzip", 200, `{"result":"hello"}`},
		{"an argument", "/echo", zip("hello"), "gzip", 200, `{"result":"hello"}`},
		{"nothing", "/ping", zip(""), "gzip", 200, `{"result":"PONG"}`},
		{"an argument that is too large when inflated", "/echo", zip(x(150)), "gzip", 413, tooLargeBody(100, 101)},
		{"a pipeline that is too large when inflated", "/pipeline", zip(x(100_000)), "gzip", 413, tooLargeBody(1000, 1001)},
		{"no gzip", "/", `["echo","hello"]`, "gzip", 400, `{"error":"ERR the request body is not what its Content-Encoding says: it is no valid gzip"}`},
		{"another coding", "/", `["echo","hello"]`, "br", 415, `{"error":"ERR unsupported Content-Encoding: use gzip or none"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, limitTo(100, 1000))
			expect(t, s.do(t, "POST", tc.target, tc.body, "Content-Encoding", tc.encoding), tc.status, tc.want)
			if tc.status != 200 {
				s.expectNothingRan(t)
			}
		})
	}
}

func TestCompressedAnswers(t *testing.T) {
	s := newServer(t, nil)
	value := strings.Repeat("again and ", 1000)
	want := `{"result":"` + value + `"}`
	for range 2 { // buffers are used again
		w := s.do(t, "POST", "/echo", value, "Accept-Encoding", "br, gzip", "Origin", "https://a.example")
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Origin, Accept-Encoding" || w.Body.Len() > len(want)/4 {
			t.Errorf("%d bytes, %v", w.Body.Len(), w.Header())
		}
		r, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%v: %.100s", err, got)
		}
		expect(t, s.do(t, "POST", "/echo", value), 200, want)
		expect(t, s.do(t, "GET", "/ping", "", "Accept-Encoding", "gzip"), 200, `{"result":"PONG"}`)
	}
}
