package lambdahttp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/skystash/skystash/pkg/edge"
)

const (
	gatewayDomain = "abc123.execute-api.eu-central-1.amazonaws.com"
	urlDomain     = "abc123.lambda-url.eu-central-1.on.aws"
)

func event(method, domain, path, query string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{
		Version:        "2.0",
		RouteKey:       "$default",
		RawPath:        path,
		RawQueryString: query,
		Headers:        map[string]string{"host": domain},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			DomainName: domain,
			RequestID:  "request-1",
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path, SourceIP: "192.0.2.1"},
		},
	}
}

// ask sends an event to a handler and returns the answer and what was logged.
func ask(t *testing.T, h http.HandlerFunc, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, string) {
	t.Helper()
	var log bytes.Buffer
	resp, err := New(h, slog.New(slog.NewTextHandler(&log, nil)))(t.Context(), e)
	if err != nil {
		t.Fatalf("an error for the runtime: %v", err)
	}
	return resp, log.String()
}

func TestRequestReachesTheHandlerUnchanged(t *testing.T) {
	tests := []struct {
		name, domain, path, query  string
		wantPath, wantSegment, raw string
	}{
		{"function URL, escapes", urlDomain, "/set/a%2Fb%00%FF/x", "EX=100&NX&EX=5", "/set/a%2Fb%00%FF/x", "/set/a/b\x00\xff/x", "EX=100&NX&EX=5"},
		{"function URL, no query", urlDomain, "/get/%25", "", "/get/%25", "/get/%", ""},
		{"HTTP API, decoded path", gatewayDomain, "/set/a b/50%", "z=1&a=2&z=0", "/set/a%20b/50%25", "/set/a b/50%", "z=1&a=2&z=0"},
		{"HTTP API, double slash", gatewayDomain, "//get//k", "%00=%FF", "//get//k", "//get//k", "%00=%FF"},
		{"query with a hash", urlDomain, "/get/k", "a#b", "/get/k", "/get/k", "a%23b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			called := false
			resp, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
				called = true
				if got := r.URL.EscapedPath(); got != tt.wantPath {
					t.Errorf("escaped path %q, want %q", got, tt.wantPath)
				}
				if r.URL.Path != tt.wantSegment {
					t.Errorf("path %q, want %q", r.URL.Path, tt.wantSegment)
				}
				if r.URL.RawQuery != tt.raw {
					t.Errorf("query %q, want %q", r.URL.RawQuery, tt.raw)
				}
			}, event(http.MethodGet, tt.domain, tt.path, tt.query))
			if !called || resp.StatusCode != http.StatusOK {
				t.Fatalf("called %v, status %d", called, resp.StatusCode)
			}
		})
	}
}

func TestRequestBody(t *testing.T) {
	binary := "\x00\xff\xfe{"
	for _, tt := range []struct {
		name, body string
		base64     bool
		want       string
	}{
		{"text", `["SET","k","é"]`, false, `["SET","k","é"]`},
		{"base64", base64.StdEncoding.EncodeToString([]byte(binary)), true, binary},
		{"empty", "", false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := event(http.MethodPost, urlDomain, "/set/k", "")
			e.Body, e.IsBase64Encoded = tt.body, tt.base64
			ask(t, func(_ http.ResponseWriter, r *http.Request) {
				got, err := io.ReadAll(r.Body)
				if err != nil || string(got) != tt.want {
					t.Errorf("got %q, %v, want %q", got, err, tt.want)
				}
				if r.ContentLength != int64(len(tt.want)) {
					t.Errorf("content length %d, want %d", r.ContentLength, len(tt.want))
				}
			}, e)
		})
	}
}

func TestHeadersArriveWhole(t *testing.T) {
	e := event(http.MethodOptions, gatewayDomain, "/", "")
	e.Headers["access-control-request-headers"] = "authorization, upstash-encoding,content-type"
	e.Headers["authorization"] = "Bearer a.b,c"
	ask(t, func(_ http.ResponseWriter, r *http.Request) {
		for name, want := range e.Headers {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if r.Host != gatewayDomain || r.Method != http.MethodOptions {
			t.Errorf("%s to host %s", r.Method, r.Host)
		}
	}, e)
}

func TestResponse(t *testing.T) {
	tests := []struct {
		name, contentType, body string
		wantBody                string
		wantBase64              bool
	}{
		{"JSON", "application/json", `{"result":"é\u0000"}`, `{"result":"é\u0000"}`, false},
		{"JSON with a charset", "application/json; charset=utf-8", `{}`, `{}`, false},
		{"text", "text/plain; charset=utf-8", "hello", "hello", false},
		{"octets that happen to be text", "application/octet-stream", "+OK\r\n", "K09LDQo=", true},
		{"octets", "application/octet-stream", "$1\r\n\xff\r\n", "JDENCv8NCg==", true},
		{"JSON that is not UTF-8", "application/json", "\"\xff\"", "Iv8i", true},
		{"empty octets", "application/octet-stream", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				w.Header().Set("Upstash-Sync-Token", "abc")
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, tt.body)
			}, event(http.MethodGet, urlDomain, "/", ""))
			if resp.StatusCode != http.StatusBadRequest || resp.Body != tt.wantBody || resp.IsBase64Encoded != tt.wantBase64 {
				t.Errorf("got %d %q %v, want %q %v", resp.StatusCode, resp.Body, resp.IsBase64Encoded, tt.wantBody, tt.wantBase64)
			}
			if resp.Headers["Content-Type"] != tt.contentType || resp.Headers["Upstash-Sync-Token"] != "abc" {
				t.Errorf("headers %v", resp.Headers)
			}
		})
	}
}

func TestHeadIsAnsweredWithoutBody(t *testing.T) {
	resp, _ := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"result":1}`)
	}, event(http.MethodHead, urlDomain, "/get/k", ""))
	if resp.StatusCode != http.StatusOK || resp.Body != "" || resp.Headers["Content-Type"] != "application/json" {
		t.Errorf("got %+v", resp)
	}
}

func TestHandlerThatFailsIsAnsweredInJSON(t *testing.T) {
	malformed := event(http.MethodPost, urlDomain, "/", "")
	malformed.Body, malformed.IsBase64Encoded = "!", true
	tests := []struct {
		name    string
		handler http.HandlerFunc
		event   events.APIGatewayV2HTTPRequest
		logged  string
	}{
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, event(http.MethodGet, urlDomain, "/", ""), "boom"},
		{"a panic after half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "half")
			panic(errors.New("boom"))
		}, event(http.MethodGet, urlDomain, "/", ""), "boom"},
		{"a body that is not base64 as said", func(http.ResponseWriter, *http.Request) {}, malformed, "base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, log := ask(t, tt.handler, tt.event)
			var body struct{ Error string }
			if err := json.Unmarshal([]byte(resp.Body), &body); err != nil || body.Error == "" {
				t.Errorf("body %q, %v", resp.Body, err)
			}
			if resp.StatusCode != http.StatusInternalServerError || resp.Headers["Content-Type"] != "application/json" {
				t.Errorf("got %+v", resp)
			}
			if !strings.Contains(log, tt.logged) || !strings.Contains(log, "request-1") {
				t.Errorf("logged %q, want %q and the request id", log, tt.logged)
			}
		})
	}
}

func TestHandlerHasToAnswerBeforeTheFunctionEnds(t *testing.T) {
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), deadline)
	defer cancel()
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, ok := r.Context().Deadline()
		if want := deadline.Add(-answerMargin); !ok || !got.Equal(want) {
			t.Errorf("deadline %v %v, want %v", got, ok, want)
		}
	})
	if _, err := New(h, slog.New(slog.DiscardHandler))(ctx, event(http.MethodGet, urlDomain, "/", "")); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsKnowTheirFront(t *testing.T) {
	for domain, want := range map[string]bool{gatewayDomain: true, "redis.example.com": true, urlDomain: false} {
		got := !want
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = ThroughGateway(r.Context()) })
		log := slog.New(slog.DiscardHandler)
		for name, serve := range map[string]func(events.APIGatewayV2HTTPRequest) error{
			"whole": func(e events.APIGatewayV2HTTPRequest) error { _, err := New(h, log)(t.Context(), e); return err },
			"streaming": func(e events.APIGatewayV2HTTPRequest) error {
				resp, err := NewStreaming(h, time.Minute, log)(t.Context(), e)
				if s, ok := resp.(*events.LambdaFunctionURLStreamingResponse); ok {
					_, err = io.Copy(io.Discard, s.Body)
				}
				return err
			},
		} {
			if err := serve(event(http.MethodGet, domain, "/", "")); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("%s, %s: through the gateway is %v, want %v", domain, name, got, want)
			}
		}
	}
}

// TestCompressedAnswerIsBase64: its type says JSON, but its bytes are none, and a proxy must not take them for text.
func TestCompressedAnswerIsBase64(t *testing.T) {
	body := strings.Repeat(`"again",`, 1000)
	e := event(http.MethodGet, gatewayDomain, "/", "")
	e.Headers["accept-encoding"] = "gzip"
	resp, _ := ask(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		edge.Send(w, r, 200, []byte(body))
	}, e)
	raw, err := base64.StdEncoding.DecodeString(resp.Body)
	if err != nil || !resp.IsBase64Encoded || resp.Headers["Content-Encoding"] != "gzip" || resp.Headers["Vary"] != "Accept-Encoding" {
		t.Fatalf("%v, base64 %v, %v", err, resp.IsBase64Encoded, resp.Headers)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != body {
		t.Errorf("%v: %d bytes", err, len(got))
	}
	if !isText(map[string]string{"Content-Type": "application/json"}) || isText(map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}) {
		t.Error("an encoded body is no text, another one is")
	}
}

func TestRequestIDIsLambdas(t *testing.T) {
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-1"})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := edge.RequestID(r.Context()); got != "id-1" {
			t.Errorf("got %q", got)
		}
	})
	if _, err := New(h, slog.New(slog.DiscardHandler))(ctx, event(http.MethodGet, urlDomain, "/", "")); err != nil {
		t.Fatal(err)
	}
}
