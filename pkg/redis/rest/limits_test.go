package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/store"
)

type failure struct {
	err    error
	status int
}

// failures are errors of the engine, wrapped as it does, and the status each deserves.
func failures() []failure {
	wrap := func(err error) error { return fmt.Errorf("reading key: %w", err) }
	return []failure{
		{wrap(store.ErrThrottled), 503},
		{wrap(store.ErrConflict), 503},
		{wrap(store.ErrUnavailable), 503},
		{wrap(store.ErrTooLarge), 413},
		{wrap(store.ErrUnknownOutcome), 500},
		{wrap(context.DeadlineExceeded), 504},
		{wrap(context.Canceled), 499},
		{errors.New("anything else"), 500},
	}
}

func limitTo(command, body int64) func(*Config) {
	return func(c *Config) { c.MaxRequestBytes, c.MaxBodyBytes = command, body }
}

func tooLargeBody(limit, actual int) string {
	return fmt.Sprintf(`{"error":"ERR max request size exceeded. Limit: %d bytes, Actual: %d bytes"}`, limit, actual)
}

func TestLimitOfACommand(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, tc := range []struct {
		name   string
		method string
		target string
		body   string
		status int
		want   string
	}{
		{"JSON at the limit", "POST", "/", `["set","k","` + x(96) + `"]`, 200, `{"result":"OK"}`},
		{"JSON over it", "POST", "/", `["set","k","` + x(97) + `"]`, 413, tooLargeBody(100, 101)},
		{"JSON larger than the command", "POST", "/", `["set","k","` + strings.Repeat(`\u0078`, 96) + `"]`, 200, `{"result":"OK"}`},
		{"path and body at the limit", "POST", "/set/k", x(96), 200, `{"result":"OK"}`},
		{"path and body over it", "POST", "/set/k", x(97), 413, tooLargeBody(100, 101)},
		{"body alone over it", "POST", "/set/k", x(150), 413, tooLargeBody(100, 150)},
		{"body over the limit of bodies", "POST", "/set/k", x(1001), 413, tooLargeBody(100, 1001)},
		{"path and query over it", "GET", "/set/k/v?EX=" + x(95), "", 413, tooLargeBody(100, 102)},
		{"members at the limit each", "POST", "/pipeline", `[["set","k","` + x(96) + `"],["set","k","` + x(96) + `"]]`, 200, `[{"result":"OK"},{"result":"OK"}]`},
		{"a member over it refuses the pipeline", "POST", "/pipeline", `[["get","k"],["set","k","` + x(97) + `"]]`, 413, tooLargeBody(100, 101)},
		{"a member over it discards the transaction", "POST", "/multi-exec", `[["get","k"],["set","k","` + x(97) + `"]]`, 400, tooLargeBody(100, 101)},
		{"pipeline body over its limit", "POST", "/pipeline", `[["get","` + x(1000) + `"]]`, 413, tooLargeBody(1000, 1012)},
		{"transaction body over its limit", "POST", "/multi-exec", `[["get","` + x(1000) + `"]]`, 413, tooLargeBody(1000, 1012)},
		{"JSON body over its limit", "POST", "/", `["get","` + x(1000) + `"]`, 413, tooLargeBody(1000, 1010)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, limitTo(100, 1000))
			expect(t, s.do(t, tc.method, tc.target, tc.body), tc.status, tc.want)
			if tc.status != 200 {
				s.expectNothingRan(t)
			}
		})
	}
}

func TestBodiesOfUnknownLength(t *testing.T) {
	send := func(s *server, target string, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", target, io.MultiReader(body)) // hides the length
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	s := newServer(t, limitTo(100, 1000))
	expect(t, send(s, "/echo", strings.NewReader("hello")), 200, `{"result":"hello"}`)
	expect(t, send(s, "/set/k", strings.NewReader(strings.Repeat("x", 500))), 413, tooLargeBody(100, 500))
	// More than that is not read.
	expect(t, send(s, "/set/k", strings.NewReader(strings.Repeat("x", 5000))), 413, tooLargeBody(100, 1001))
	expect(t, send(s, "/pipeline", strings.NewReader(strings.Repeat(" ", 5000))), 413, tooLargeBody(1000, 1001))
	broken := io.MultiReader(strings.NewReader(`[["get",`), errReader{})
	expect(t, send(s, "/pipeline", broken), 400, `{"error":"ERR the request body could not be read"}`)
	if len(s.engine.calls) != 1 {
		t.Errorf("calls %v", s.engine.calls)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestLimitOfAReply(t *testing.T) {
	// A bulk string of n bytes, n of two digits, is n+7 bytes of RESP.
	fits, over := strings.Repeat("x", 43), strings.Repeat("x", 44)
	tooLarge := tooLargeBody(50, 51)
	s := newServer(t, limitTo(50, 1000))
	expect(t, s.do(t, "GET", "/echo/"+fits, ""), 200, `{"result":"`+fits+`"}`)
	expect(t, s.do(t, "GET", "/echo/"+over, ""), 200, tooLarge)
	expect(t, s.do(t, "POST", "/pipeline", `[["ping"],["echo","`+over+`"],["ping"]]`), 200,
		`[{"result":"PONG"},`+tooLarge+`,{"result":"PONG"}]`)
	expect(t, s.do(t, "POST", "/multi-exec", `[["ping"],["echo","`+over+`"]]`), 200, `[{"result":"PONG"},`+tooLarge+`]`)
	expect(t, s.do(t, "POST", "/pipeline", `[["echo","`+over+`"],["ping"]]`, "Upstash-Response-Format", "resp2"), 200,
		"-ERR max request size exceeded. Limit: 50 bytes, Actual: 51 bytes\r\n+PONG\r\n")
}

func TestDefaultLimit(t *testing.T) {
	s := newServer(t, nil)
	value := strings.Repeat("x", 10485760-4)
	if w := s.do(t, "POST", "/set/k", value); w.Code != http.StatusOK {
		t.Errorf("at the limit: %d %.200s", w.Code, w.Body)
	}
	expect(t, s.do(t, "POST", "/set/k", value+"x"), 413, tooLargeBody(10485760, 10485761))
}

func TestBodyLimitIsNeverBelowTheCommandLimit(t *testing.T) {
	s := newServer(t, limitTo(100, 10))
	expect(t, s.do(t, "POST", "/", `["echo","0123456789"]`), 200, `{"result":"0123456789"}`)
}
