package rest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

// quietEngine answers without remembering.
type quietEngine struct{ db redis.Database }

func (e *quietEngine) Ahead(ctx context.Context, _ string, _ func() [][]string) context.Context {
	return ctx
}

func (e *quietEngine) AheadOfUser(ctx context.Context, _ string, _ func() [][]string) context.Context {
	return ctx
}

func (e *quietEngine) Database(context.Context, string) (*redis.Database, error) { return &e.db, nil }

func (*quietEngine) NeedsConnection(name string) bool { return table().NeedsConnection(name) }

func (*quietEngine) WithTurn(ctx context.Context, _ *redis.Database) (context.Context, *redis.Turn) {
	return ctx, nil
}

func (e *quietEngine) Do(_ context.Context, _ *redis.Database, _ redis.Access, args []string, w *resp.Writer) error {
	answer(args, w)
	return nil
}

func (e *quietEngine) Pipeline(_ context.Context, _ *redis.Database, _ redis.Access, cmds [][]string, w *resp.Writer) {
	for _, args := range cmds {
		answer(args, w)
	}
}

func (e *quietEngine) Multi(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer) error {
	e.Pipeline(ctx, db, a, cmds, w)
	return nil
}

func (e *quietEngine) Authenticate(context.Context, string) (*redis.Database, redis.Access, error) {
	return nil, redis.Access{}, redis.ErrNoUser
}

func (e *quietEngine) AccessOf([]string) (redis.Access, error) { return redis.Access{}, nil }

func (e *quietEngine) Subscribe(context.Context, *redis.Database, redis.Access, []string, []string) (*redis.Subscription, error) {
	return nil, errors.ErrUnsupported
}

func (e *quietEngine) Monitor(context.Context, *redis.Database, redis.Access) (*redis.Subscription, error) {
	return nil, errors.ErrUnsupported
}

// discard is a ResponseWriter that forgets.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkHandler(b *testing.B) {
	thousand := "[" + strings.TrimSuffix(strings.Repeat(`["echo","some value of a key"],`, 1000), ",") + "]"
	for _, tc := range []struct{ name, method, target, body, encoding string }{
		{"pipeline-1-base64", "POST", "/pipeline", `[["echo","some value of a key"]]`, "base64"},
		{"pipeline-1-plain", "POST", "/pipeline", `[["echo","some value of a key"]]`, ""},
		{"json-set", "POST", "/", `["set","key:123","value",100]`, "base64"},
		{"path-set", "POST", "/set/key:123?EX=100", "value", "base64"},
		{"pipeline-1000", "POST", "/pipeline", thousand, "base64"},
		{"pipeline-1-100kB", "POST", "/pipeline", fmt.Sprintf(`[["echo",%q]]`, strings.Repeat("x", 100_000)), "base64"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			h := New(Config{Engine: &quietEngine{redis.Database{ID: "db1", CredentialGeneration: 3}}, Verifier: stubTokens()})
			body := strings.NewReader(tc.body)
			r := httptest.NewRequest(tc.method, tc.target, body)
			r.Body = io.NopCloser(body)
			r.ContentLength = int64(len(tc.body))
			r.Header.Set("Authorization", "Bearer good")
			r.Header.Set("Upstash-Encoding", tc.encoding)
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(tc.body)
				h.ServeHTTP(w, r)
			}
		})
	}
}

func BenchmarkBodyParser(b *testing.B) {
	body := []byte(`[["set","key:123","some value","EX",100]]`)
	b.ReportAllocs()
	var p bodyParser
	for b.Loop() {
		if _, err := p.commands(body); err != nil {
			b.Fatal(err)
		}
	}
}
