package rest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/revoked"
)

// stubEngine records what it is asked to do and answers from a table.
type stubEngine struct {
	databases map[string]*redis.Database
	err       error // of Database, Do and Multi
	panics    bool

	calls    []string   // "do", "pipeline", "multi"
	commands [][]string // all of all calls
	access   redis.Access
	db       *redis.Database
	refuse   redis.Error // of Multi
}

func newStubEngine() *stubEngine {
	return &stubEngine{databases: map[string]*redis.Database{
		"db1": {ID: "db1", CredentialGeneration: 3, Revoked: revoked.Of("gone")},
	}}
}

func (e *stubEngine) Ahead(ctx context.Context, _ string, _ func() [][]string) context.Context {
	return ctx
}

func (e *stubEngine) AheadOfUser(ctx context.Context, _ string, _ func() [][]string) context.Context {
	return ctx
}

func (e *stubEngine) Database(_ context.Context, id string) (*redis.Database, error) {
	if e.err != nil {
		return nil, e.err
	}
	db := e.databases[id]
	if db == nil {
		return nil, redis.ErrNoDatabase
	}
	return db, nil
}

func (e *stubEngine) record(call string, db *redis.Database, a redis.Access, cmds ...[]string) {
	if e.panics {
		panic("boom")
	}
	e.calls = append(e.calls, call)
	e.db, e.access = db, a
	for _, args := range cmds {
		e.commands = append(e.commands, slices.Clone(args))
	}
}

// table is an engine that is asked for what its commands are only.
var table = sync.OnceValue(func() *redis.Engine { return redis.New(redis.Config{}) })

func (*stubEngine) NeedsConnection(name string) bool { return table().NeedsConnection(name) }

func (*stubEngine) WithTurn(ctx context.Context, _ *redis.Database) (context.Context, *redis.Turn) {
	return ctx, nil
}

func (e *stubEngine) Do(ctx context.Context, db *redis.Database, a redis.Access, args []string, w *resp.Writer) error {
	e.record("do", db, a, args)
	if err := ctx.Err(); err != nil {
		return err
	}
	if args[0] == "fail" {
		return errors.New("disk on fire at 10.0.0.7")
	}
	answer(args, w)
	return nil
}

func (e *stubEngine) Pipeline(_ context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer) {
	e.record("pipeline", db, a, cmds...)
	for _, args := range cmds {
		answer(args, w)
	}
}

func (e *stubEngine) Multi(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer) error {
	e.record("multi", db, a, cmds...)
	if e.refuse != "" {
		return e.refuse
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, args := range cmds {
		answer(args, w)
	}
	return nil
}

func (e *stubEngine) Authenticate(context.Context, string) (*redis.Database, redis.Access, error) {
	return nil, redis.Access{}, redis.ErrNoUser
}

func (e *stubEngine) AccessOf([]string) (redis.Access, error) { return redis.Access{}, nil }

func (e *stubEngine) Subscribe(_ context.Context, db *redis.Database, a redis.Access, channels, patterns []string) (*redis.Subscription, error) {
	e.record("subscribe", db, a, channels, patterns)
	return nil, e.refuse
}

func (e *stubEngine) Monitor(_ context.Context, db *redis.Database, a redis.Access) (*redis.Subscription, error) {
	e.record("monitor", db, a)
	return nil, e.refuse
}

// answer replies as the command's name says.
func answer(args []string, w *resp.Writer) {
	switch args[0] {
	case "echo":
		w.Bulk(args[1])
	case "ping":
		w.Simple("PONG")
	case "nil":
		w.Null()
	case "nilarray":
		w.NullArray()
	case "int":
		w.Int(9223372036854775807)
	case "double":
		w.Double(99.5)
	case "map":
		w.Map(1)
		w.Bulk("f")
		w.Bool(true)
	case "list":
		w.Array(3)
		w.OK()
		w.Bulk("OK")
		w.Error("ERR inner")
	case "oops":
		w.Error("WRONGTYPE Operation against a key")
	case "noperm":
		w.Error("NOPERM this user has no permissions")
	case "none": // a mistake of the engine
	case "two": // another
		w.OK()
		w.OK()
	case "badreply":
		w.Buf = append(w.Buf, "$5\r\nx\r\n"...)
	default:
		w.OK()
	}
}

// stubVerifier knows tokens by their text.
type stubVerifier map[string]token.Claims

func (v stubVerifier) Resource(text string) string { return v[text].Resource }

func (v stubVerifier) Verify(_ context.Context, text string) (token.Claims, error) {
	c, ok := v[text]
	if !ok {
		return token.Claims{}, token.ErrMalformed
	}
	return c, nil
}

func claims(scope token.Scope) token.Claims {
	return token.Claims{CredentialID: "c1", Resource: "db1", Products: []string{"redis"}, Scope: scope, Generation: 3}
}

func stubTokens() stubVerifier {
	otherProduct, oldGeneration, newGeneration, revoked, noDatabase := claims("rw"), claims("rw"), claims("rw"), claims("rw"), claims("rw")
	otherProduct.Products = []string{"kafka"}
	oldGeneration.Generation = 2
	newGeneration.Generation = 4
	revoked.CredentialID = "gone"
	noDatabase.Resource = "db2"
	return stubVerifier{
		"good": claims("rw"), "reader": claims("ro"), "other-product": otherProduct, "old-generation": oldGeneration,
		"new-generation": newGeneration, "revoked": revoked, "no-database": noDatabase, "to ken+/=": claims("rw"),
	}
}

// server is a handler over stubs.
type server struct {
	*Handler
	engine *stubEngine
	log    *strings.Builder
}

func newServer(t testing.TB, change func(*Config)) *server {
	t.Helper()
	s := &server{engine: newStubEngine(), log: new(strings.Builder)}
	cfg := Config{
		Engine:   s.engine,
		Verifier: stubTokens(),
		Now:      func() time.Time { return time.UnixMicro(1_700_000_000_000_000) },
		Logger:   slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	s.Handler = New(cfg)
	return s
}

// do sends a request with a good token and the headers given as name, value, ...
func (s *server) do(t testing.TB, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return s.doAs(t, "Bearer good", method, target, body, header...)
}

func (s *server) doAs(t testing.TB, authorization, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r = r.WithContext(edge.WithRequestID(r.Context(), "id1"))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// expect checks an answer's status and body.
func expect(t testing.TB, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if w.Code != status || w.Body.String() != body {
		t.Errorf("answer %d %s\nwant   %d %s", w.Code, w.Body, status, body)
	}
}

// expectNothingRan checks that the engine was left alone.
func (s *server) expectNothingRan(t testing.TB) {
	t.Helper()
	if len(s.engine.calls) > 0 {
		t.Errorf("the engine was asked for %v %q", s.engine.calls, s.engine.commands)
	}
}

// expectCommands checks what the engine was asked for.
func (s *server) expectCommands(t testing.TB, call string, cmds ...[]string) {
	t.Helper()
	if !slices.Equal(s.engine.calls, []string{call}) {
		t.Errorf("calls %v, want one %s", s.engine.calls, call)
	}
	if !slices.EqualFunc(s.engine.commands, cmds, slices.Equal[[]string]) {
		t.Errorf("commands %q\nwant     %q", s.engine.commands, cmds)
	}
}

func TestCommandByPath(t *testing.T) {
	for _, tc := range []struct {
		name   string
		method string
		target string
		body   string
		want   []string
	}{
		{"GET", "GET", "/get/foo", "", []string{"get", "foo"}},
		{"POST without body", "POST", "/get/foo", "", []string{"get", "foo"}},
		{"PUT", "PUT", "/set/foo/bar", "", []string{"set", "foo", "bar"}},
		{"HEAD", "HEAD", "/get/foo", "", []string{"get", "foo"}},
		{"name in any case, as written", "GET", "/GeT/Foo", "", []string{"GeT", "Foo"}},
		{"escaped slash stays in its argument", "GET", "/set/a%2Fb/c%2fd", "", []string{"set", "a/b", "c/d"}},
		{"raw bytes", "GET", "/set/%00%FF/%c3%28", "", []string{"set", "\x00\xff", "\xc3("}},
		{"UTF-8", "GET", "/set/%C3%A9/%F0%9F%98%80", "", []string{"set", "é", "😀"}},
		{"plus is a plus", "GET", "/set/a+b/c%2Bd", "", []string{"set", "a+b", "c+d"}},
		{"blank", "GET", "/set/a%20b", "", []string{"set", "a b"}},
		{"percent sign", "GET", "/set/50%25/100%2525", "", []string{"set", "50%", "100%25"}},
		{"question mark and hash, escaped", "GET", "/set/a%3Fb/c%23d", "", []string{"set", "a?b", "c#d"}},
		{"unreserved characters", "GET", "/set/a:b@c,d;e=f&g/!$'()*", "", []string{"set", "a:b@c,d;e=f&g", "!$'()*"}},
		{"characters that should have been escaped", "GET", "/set/a%2Fb/{\"c\":\"é|^<>\\`\"}", "", []string{"set", "a/b", "{\"c\":\"é|^<>\\`\"}"}},
		{"dots are arguments, not folders", "GET", "/set/../.", "", []string{"set", "..", "."}},
		{"empty segments are empty arguments", "GET", "/set//v", "", []string{"set", "", "v"}},
		{"so is one at the end", "GET", "/echo/", "", []string{"echo", ""}},
		{"body is the last argument", "POST", "/set/foo", "bar", []string{"set", "foo", "bar"}},
		{"body of a PUT", "PUT", "/set/foo", "bar", []string{"set", "foo", "bar"}},
		{"body byte for byte", "POST", "/set/foo", "\x00\xff\r\n%41+ ", []string{"set", "foo", "\x00\xff\r\n%41+ "}},
		{"body that looks like JSON", "POST", "/set/foo", `["a"]`, []string{"set", "foo", `["a"]`}},
		{"body of a GET does not count", "GET", "/get/foo", "bar", []string{"get", "foo"}},
		{"query follows the path", "GET", "/set/foo/bar?EX=100", "", []string{"set", "foo", "bar", "EX", "100"}},
		{"query follows the body", "POST", "/set/foo?EX=100", "bar", []string{"set", "foo", "bar", "EX", "100"}},
		{"query in the order written", "GET", "/set/k/v?PX=5&EX=1&A=2&A=1", "", []string{"set", "k", "v", "PX", "5", "EX", "1", "A", "2", "A", "1"}},
		{"bare name", "GET", "/set/k/v?NX", "", []string{"set", "k", "v", "NX"}},
		{"bare name among others", "GET", "/set/k/v?EX=100&NX&GET", "", []string{"set", "k", "v", "EX", "100", "NX", "GET"}},
		{"empty value is an argument", "GET", "/set/k/v?EX=", "", []string{"set", "k", "v", "EX", ""}},
		{"value with an equals sign", "GET", "/set/k/v?a=b=c", "", []string{"set", "k", "v", "a", "b=c"}},
		{"query is decoded, plus is a blank", "GET", "/set/k/v?a%20b=c+d%2B&%FF=%00", "", []string{"set", "k", "v", "a b", "c d+", "\xff", "\x00"}},
		{"empty parameters are none", "GET", "/set/k/v?&a&&b=1&", "", []string{"set", "k", "v", "a", "b", "1"}},
		{"semicolon is ordinary", "GET", "/set/k/v?a;b=c;d", "", []string{"set", "k", "v", "a;b", "c;d"}},
		{"_token is not an argument", "GET", "/set/k/v?EX=100&_token=good&NX", "", []string{"set", "k", "v", "EX", "100", "NX"}},
		{"_token first, repeated, bare, escaped", "GET", "/set/k/v?_token=good&a&_token=x&_token&%5Ftoken=y&b", "", []string{"set", "k", "v", "a", "b"}},
		{"other names like it are", "GET", "/set/k/v?_Token=x&token=y", "", []string{"set", "k", "v", "_Token", "x", "token", "y"}},
		{"a command is not an endpoint in capitals", "POST", "/PIPELINE", "", []string{"PIPELINE"}},
		{"nor with arguments", "GET", "/pipeline/a", "", []string{"pipeline", "a"}},
		{"PUBLISH is an ordinary command", "POST", "/publish/ch/msg", "", []string{"publish", "ch", "msg"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, nil)
			w := s.do(t, tc.method, tc.target, tc.body)
			if w.Code != http.StatusOK {
				t.Errorf("answer %d %s", w.Code, w.Body)
			}
			s.expectCommands(t, "do", tc.want)
			if s.engine.db != s.engine.databases["db1"] || s.engine.access.ReadOnly != (tc.method == "HEAD") {
				t.Errorf("database %v, access %v", s.engine.db, s.engine.access)
			}
		})
	}
}

func TestMalformedURLs(t *testing.T) {
	for _, query := range []string{"a=%", "a=%4", "a=%zz", "%g0", "a=1&b=%a"} {
		t.Run(query, func(t *testing.T) {
			s := newServer(t, nil)
			expect(t, s.do(t, "GET", "/set/k/v?"+query, ""), 400, `{"error":"ERR invalid percent-encoding in the URL"}`)
			s.expectNothingRan(t)
		})
	}
	t.Run("a path is decoded once even if it arrives decoded", func(t *testing.T) {
		s := newServer(t, nil)
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "good")
		r.URL.Path = "/set/50%/a b\xff" // as some adapters pass it, without RawPath
		s.ServeHTTP(httptest.NewRecorder(), r)
		s.expectCommands(t, "do", []string{"set", "50%", "a b\xff"})
	})
	t.Run("parameters beside a JSON body", func(t *testing.T) {
		for _, path := range []string{"/", "/pipeline", "/multi-exec"} {
			s := newServer(t, nil)
			expect(t, s.do(t, "POST", path+"?EX=100", `[["set","k","v"]]`), 400,
				`{"error":"ERR query parameters are only supported with a command in the path"}`)
			s.expectNothingRan(t)
		}
	})
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"DELETE", "PATCH", "TRACE", "get"} {
		s := newServer(t, nil)
		w := s.doAs(t, "", method, "/get/foo", "")
		expect(t, w, 405, `{"error":"ERR method not allowed: use GET, HEAD, POST or PUT"}`)
		if w.Header().Get("Allow") == "" {
			t.Errorf("%s: no Allow header", method)
		}
		s.expectNothingRan(t)
	}
}

func TestHeadHasStatusAndHeadersOfGet(t *testing.T) {
	for _, target := range []string{"/echo/value", "/oops", "/fail", "/"} {
		s := newServer(t, nil)
		get, head := s.do(t, "GET", target, ""), s.do(t, "HEAD", target, "")
		if head.Body.Len() != 0 {
			t.Errorf("%s: body %q", target, head.Body)
		}
		// The tokens differ, as they should.
		get.Header().Del("Upstash-Sync-Token")
		head.Header().Del("Upstash-Sync-Token")
		if head.Code != get.Code || len(head.Header()) != len(get.Header()) {
			t.Errorf("%s: HEAD %d %v, GET %d %v", target, head.Code, head.Header(), get.Code, get.Header())
		}
		for name, values := range get.Header() {
			if !slices.Equal(head.Header()[name], values) {
				t.Errorf("%s: %s is %q for HEAD, %q for GET", target, name, head.Header()[name], values)
			}
		}
	}
}

// TestHeadRunsNoCommandThatMayWrite: GET does, as Upstash's does. See also TestHeadChangesNothing of package edge.
func TestHeadRunsNoCommandThatMayWrite(t *testing.T) {
	s := newServer(t, nil)
	w := s.do(t, "HEAD", "/noperm/k", "")
	expect(t, w, 405, "")
	if allow := w.Header().Get("Allow"); allow != "GET, POST, PUT, OPTIONS" {
		t.Errorf("Allow: %s", allow)
	}
	expect(t, s.do(t, "GET", "/noperm/k", ""), 400, `{"error":"NOPERM this user has no permissions"}`)
}

func TestFailuresOfOurs(t *testing.T) {
	t.Run("a short text for the client, the cause for the log", func(t *testing.T) {
		s := newServer(t, nil)
		expect(t, s.do(t, "POST", "/", `["fail"]`), 500, `{"error":"ERR internal error (request id1)"}`)
		if log := s.log.String(); !strings.Contains(log, "disk on fire") || !strings.Contains(log, "request=id1") {
			t.Errorf("log: %s", log)
		}
	})
	t.Run("database cannot be read", func(t *testing.T) {
		s := newServer(t, nil)
		s.engine.err = errors.New("no route to host")
		w := s.do(t, "GET", "/get/foo", "")
		if w.Code != 500 || strings.Contains(w.Body.String(), "route") {
			t.Errorf("answer %d %s", w.Code, w.Body)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		for _, target := range []string{"/get/foo", "/multi-exec"} {
			s := newServer(t, nil)
			ctx, cancel := context.WithDeadline(edge.WithRequestID(t.Context(), "id1"), time.Unix(0, 0))
			defer cancel()
			r := httptest.NewRequest("POST", target, strings.NewReader(`[["get","a"]]`)).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer good")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			expect(t, w, 504, `{"error":"ERR the command did not finish in time (request id1)"}`)
		}
	})
	t.Run("panic", func(t *testing.T) {
		s := newServer(t, nil)
		s.engine.panics = true
		expect(t, s.do(t, "GET", "/get/foo", ""), 500, `{"error":"ERR internal error (request id1)"}`)
		if !strings.Contains(s.log.String(), "boom") {
			t.Errorf("log: %s", s.log)
		}
		s.engine.panics = false
		expect(t, s.do(t, "GET", "/get/foo", ""), 200, `{"result":"OK"}`)
	})
	t.Run("replies that are none", func(t *testing.T) {
		for _, cmd := range []string{"none", "two", "badreply"} {
			s := newServer(t, nil)
			for _, header := range [][]string{nil, {"Upstash-Response-Format", "resp2"}} {
				expect(t, s.do(t, "POST", "/", `["`+cmd+`"]`, header...), 500, `{"error":"ERR internal error (request id1)"}`)
				expect(t, s.do(t, "POST", "/pipeline", `[["`+cmd+`"]]`, header...), 500, `{"error":"ERR internal error (request id1)"}`)
			}
		}
	})
	t.Run("ids are made up without a source of them", func(t *testing.T) {
		s := newServer(t, nil)
		fail := func() string {
			r := httptest.NewRequest("GET", "/fail", nil)
			r.Header.Set("Authorization", "Bearer good")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w.Body.String()
		}
		one, two := fail(), fail()
		if one == two {
			t.Errorf("twice %s", one)
		}
	})
}

func TestStatusOfFailures(t *testing.T) {
	for _, tc := range failures() {
		t.Run(tc.err.Error(), func(t *testing.T) {
			s := newServer(t, nil)
			s.engine.err = tc.err
			w := s.do(t, "GET", "/get/foo", "")
			if w.Code != tc.status || !strings.HasPrefix(w.Body.String(), `{"error":"ERR `) {
				t.Errorf("answer %d %s, want %d", w.Code, w.Body, tc.status)
			}
		})
	}
}
