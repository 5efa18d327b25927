package edge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

func TestStatusOfErrors(t *testing.T) {
	deep := func(err error) error { return fmt.Errorf("doing this: %w", fmt.Errorf("doing that: %w", err)) }
	for _, tt := range []struct {
		name       string
		err        error
		status     int
		retryAfter string
		ours       bool // logged, and with an id
	}{
		{"unknown outcome", deep(store.ErrUnknownOutcome), 500, "", true},
		{"unknown because time ran out", deep(errors.Join(context.DeadlineExceeded, store.ErrUnknownOutcome)), 500, "", true},
		{"too large to store", deep(store.ErrTooLarge), 413, "", true},
		{"throttled", deep(store.ErrThrottled), 503, "1", true},
		{"throttled until the deadline", deep(errors.Join(context.DeadlineExceeded, store.ErrThrottled)), 503, "1", true},
		{"contended", deep(store.ErrConflict), 503, "1", true},
		{"contended until its patience ended", deep(&store.ContendedError{Cause: &store.ConditionError{}}), 503, "1", true},
		{"unavailable", deep(store.ErrUnavailable), 503, "1", true},
		{"no signing keys", deep(token.ErrKeysUnavailable), 503, "1", true},
		{"deadline", deep(context.DeadlineExceeded), 504, "", true},
		{"the client has gone", deep(context.Canceled), 499, "", true},
		{"a refusal", deep(edge.Refuse(418, "no")), 418, "", false},
		{"a body that is too large", deep(&edge.TooLargeError{Limit: 5, Actual: 6}), 413, "", false},
		{"anything else", errors.New("secret"), 500, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			ctx := edge.WithRequestID(t.Context(), "id-1")
			e := edge.Report(ctx, slog.New(slog.NewTextHandler(&log, nil)), tt.err, "method", "GET")
			if e.Status != tt.status || e.Header["Retry-After"] != tt.retryAfter {
				t.Errorf("%d, Retry-After %q", e.Status, e.Header["Retry-After"])
			}
			if strings.Contains(e.Message(), "secret") {
				t.Error("the client reads what has failed inside")
			}
			if tt.ours != strings.HasSuffix(e.Message(), " (request id-1)") {
				t.Errorf("message %q", e.Message())
			}
			if logged := log.String(); tt.ours != (strings.Contains(logged, "request=id-1 method=GET error=") && strings.Count(logged, "\n") == 1) {
				t.Errorf("log %q", logged)
			}
		})
	}
}

func TestCauseOfACancelledContextCounts(t *testing.T) {
	for cause, status := range map[error]int{nil: 499, context.DeadlineExceeded: 504, store.ErrUnavailable: 503} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if e := edge.Report(ctx, slog.New(slog.DiscardHandler), fmt.Errorf("reading: %w", ctx.Err())); e.Status != status {
			t.Errorf("%v: %d", cause, e.Status)
		}
	}
}

func TestPanicIsLoggedOnceWithItsStack(t *testing.T) {
	serve := func() (err error) {
		defer edge.Recover(&err)
		panic("lost")
	}
	var log bytes.Buffer
	e := edge.Report(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), serve())
	if e.Status != 500 || e.Text != "internal error" || e.ID == "" {
		t.Errorf("%+v", e)
	}
	if s := log.String(); !strings.Contains(s, "panic: lost") || !strings.Contains(s, "edge_test.go") || !strings.Contains(s, e.ID) || strings.Count(s, "\n") != 1 {
		t.Errorf("log %q", s)
	}
}

func TestRequestID(t *testing.T) {
	if a, b := edge.RequestID(t.Context()), edge.RequestID(t.Context()); a == b || a == "" {
		t.Errorf("ids %q and %q", a, b)
	}
	if id := edge.RequestID(edge.WithRequestID(t.Context(), "")); id == "" {
		t.Error("an empty id names nothing")
	}
}

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "  BEARER   abc  ": "abc", "Bearer a b": "a b",
		"abc": "", "Basic abc": "", "": "", "Bearer": "", "Bearer ": "",
	} {
		got, ok := edge.Bearer(header)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", header, got, ok)
		}
	}
}

func TestCutQuery(t *testing.T) {
	for _, tt := range []struct {
		raw, value, rest string
		bad              bool
	}{
		{"", "", "", false},
		{"a=1&b", "", "a=1&b", false},
		{"_token=t", "t", "", false},
		{"a=1&_token=t&b", "t", "a=1&b", false},
		{"_token=&_token=x&_token=y", "x", "", false},
		{"%5Ftoken=a%2Bb+c", "a+b c", "", false},
		{"_token=%zz&a=%zz", "", "a=%zz", true},
		{"_token", "", "", false},
		{"a&&b&", "", "a&&b&", false},
		{"my_token=t", "", "my_token=t", false},
	} {
		value, rest, err := edge.CutQuery(tt.raw, "_token")
		if value != tt.value || rest != tt.rest || (err != nil) != tt.bad {
			t.Errorf("%q: %q, %q, %v", tt.raw, value, rest, err)
		}
	}
}

func TestCORS(t *testing.T) {
	asked := http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Headers": {"x-y"}}
	with := &edge.CORS{Methods: "GET, OPTIONS", Expose: "x-t", Credentials: true}
	without := &edge.CORS{Methods: "GET, OPTIONS"}
	got := http.Header{}
	if vary := with.Allow("https://a.example", edge.HTTPHeader(got)); vary != "Origin" {
		t.Errorf("varies by %q", vary)
	}
	want(t, got, "Access-Control-Allow-Origin=https://a.example Access-Control-Allow-Credentials=true Access-Control-Expose-Headers=x-t Vary=Origin")
	got = http.Header{}
	if vary := without.Allow("https://a.example", edge.HTTPHeader(got)); vary != "" {
		t.Errorf("varies by %q", vary)
	}
	want(t, got, "Access-Control-Allow-Origin=* Access-Control-Allow-Credentials= Vary=")
	got = http.Header{}
	with.Preflight(asked, edge.HTTPHeader(got))
	want(t, got, "Access-Control-Allow-Methods=GET,_OPTIONS Allow=GET,_OPTIONS Access-Control-Allow-Headers=x-y Access-Control-Max-Age=86400 Content-Length=0 Vary=Origin Access-Control-Expose-Headers=")
}

// want checks header fields; a blank in a value is written as '_'.
func want(t *testing.T, h http.Header, pairs string) {
	t.Helper()
	for pair := range strings.FieldsSeq(pairs) {
		name, value, _ := strings.Cut(pair, "=")
		if got := strings.ReplaceAll(h.Get(name), " ", "_"); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

// fail is a body whose connection ends too early.
type fail struct{}

func (fail) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
