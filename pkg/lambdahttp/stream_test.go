package lambdahttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

const ordinary = 28 * time.Second

// askStream sends an event of a function URL to a handler.
func askStream(ctx context.Context, t *testing.T, h http.HandlerFunc, e events.APIGatewayV2HTTPRequest) *events.LambdaFunctionURLStreamingResponse {
	t.Helper()
	got, err := NewStreaming(h, ordinary, slog.New(slog.DiscardHandler))(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	return got.(*events.LambdaFunctionURLStreamingResponse)
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFunctionURLIsAnsweredAsAStream(t *testing.T) {
	e := event("POST", urlDomain, "/set/a%2Fb", "EX=1&b")
	e.Body, e.IsBase64Encoded = "AP8=", true
	e.Headers["authorization"] = "Bearer x, y"
	resp := askStream(t.Context(), t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Got", fmt.Sprintf("%s %s %s %q %d %q", r.Method, r.URL.EscapedPath(), r.URL.RawQuery, body, r.ContentLength, r.Header.Get("Authorization")))
		w.WriteHeader(418)
		io.WriteString(w, "\x00\xff")
	}, e)
	if got := readAll(t, resp.Body); resp.StatusCode != 418 || got != "\x00\xff" || resp.Headers["X-Got"] != `POST /set/a%2Fb EX=1&b "\x00\xff" 2 "Bearer x, y"` {
		t.Errorf("%d %q %v", resp.StatusCode, got, resp.Headers)
	}
}

func TestStreamedAnswerIsAlwaysWellFormed(t *testing.T) {
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		status  int
		body    string
	}{
		"says nothing":    {func(http.ResponseWriter, *http.Request) {}, 200, ""},
		"panics":          {func(http.ResponseWriter, *http.Request) { panic("secret") }, 500, `{"error":"ERR internal error (request request-1)"}`},
		"panics half-way": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "half"); panic("x") }, 200, "half"},
		"announces its length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "short")
		}, 200, "short"},
	} {
		resp := askStream(t.Context(), t, tt.handler, event("GET", urlDomain, "/", ""))
		if got := readAll(t, resp.Body); resp.StatusCode != tt.status || got != tt.body || resp.Headers["Content-Length"] != "" {
			t.Errorf("%s: %d %q %v", name, resp.StatusCode, got, resp.Headers)
		}
	}
	e := event("POST", urlDomain, "/", "")
	e.Body, e.IsBase64Encoded = "!", true
	resp := askStream(t.Context(), t, func(http.ResponseWriter, *http.Request) { t.Error("called") }, e)
	if got := readAll(t, resp.Body); resp.StatusCode != 500 || !strings.HasPrefix(got, `{"error":`) {
		t.Errorf("%d %q", resp.StatusCode, got)
	}
}

// An ordinary request has less time than the function, a stream all but a margin.
func TestTimeOfStreams(t *testing.T) {
	for _, flush := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
			defer cancel()
			begin := time.Now()
			resp := askStream(ctx, t, func(w http.ResponseWriter, r *http.Request) {
				if flush {
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done()
				if cause := context.Cause(r.Context()); !errors.Is(cause, context.DeadlineExceeded) {
					t.Errorf("flush %v: ends with %v", flush, cause)
				}
			}, event("GET", urlDomain, "/", ""))
			readAll(t, resp.Body)
			want := ordinary
			if flush {
				want = 15*time.Minute - streamMargin
			}
			if took := time.Since(begin); took != want {
				t.Errorf("flush %v: ends after %v, want %v", flush, took, want)
			}
		})
	}
}

func TestHTTPAPIIsAnsweredAtOnce(t *testing.T) {
	got, err := NewStreaming(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Flusher); ok {
			t.Error("it seems to stream")
		}
		if deadline, ok := r.Context().Deadline(); !ok || time.Until(deadline) > ordinary {
			t.Errorf("deadline %v, %v", deadline, ok)
		}
		io.WriteString(w, "whole")
	}), ordinary, slog.New(slog.DiscardHandler))(t.Context(), event("GET", gatewayDomain, "/", ""))
	if resp, ok := got.(events.APIGatewayV2HTTPResponse); err != nil || !ok || resp.StatusCode != 200 {
		t.Errorf("%+v, %v", got, err)
	}
}
