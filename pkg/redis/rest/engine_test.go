package rest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/tokentest"
)

// The real ones are what Config takes.
var (
	_ Engine   = (*redis.Engine)(nil)
	_ Verifier = (*token.Verifier)(nil)
)

// TestWithEngineAndTokens is the whole of Redis over REST but for the network.
func TestWithEngineAndTokens(t *testing.T) {
	ctx := context.Background()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st})
	t.Cleanup(engine.Close)
	db, err := engine.CreateDatabase(ctx, redis.DatabaseOptions{ID: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	signer, verifier := tokentest.Pair(t)
	mint := func(id, resource string, scope token.Scope, generation int64) string {
		t.Helper()
		text, err := signer.Mint(token.Claims{CredentialID: id, Resource: resource, Products: []string{token.ProductRedis}, Scope: scope, Generation: generation})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	writer := mint("w", "orders", token.ReadWrite, db.CredentialGeneration)
	second := mint("w2", "orders", token.ReadWrite, db.CredentialGeneration)
	reader := mint("r", "orders", token.ReadOnly, db.CredentialGeneration)
	h := New(Config{Engine: engine, Verifier: verifier})
	send := func(bearer, method, target, body string, status int, want string) {
		t.Helper()
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+bearer)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		expect(t, w, status, want)
	}

	send(writer, "POST", "/set/k?EX=100", "v\"1", 200, `{"result":"OK"}`)
	send(writer, "GET", "/get/k", "", 200, `{"result":"v\"1"}`)
	send(writer, "GET", "/get/missing", "", 200, `{"result":null}`)
	send(writer, "POST", "/pipeline", `[["SET","n",41],["incr","n"],["incr","k"],["nosuch"]]`, 200,
		`[{"result":"OK"},{"result":42},{"error":"ERR value is not an integer or out of range"},{"error":"ERR Command is not available: 'NOSUCH'"}]`)
	send(writer, "POST", "/multi-exec", `[["incr","n"],["get","n"]]`, 200, `[{"result":43},{"result":"43"}]`)
	send(writer, "POST", "/multi-exec", `[["incr","n"],["get"]]`, 400, `{"error":"ERR wrong number of arguments for 'get' command"}`)
	send(writer, "GET", "/get/n", "", 200, `{"result":"43"}`)
	send(writer, "GET", "/lpush/n/x", "", 400, `{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}`)
	send(writer, "GET", "/publish/ch/msg", "", 200, `{"result":0}`)

	const noPermission = `{"error":"NOPERM this user has no permissions to run the 'set' command or its subcommand"}`
	send(reader, "GET", "/get/n", "", 200, `{"result":"43"}`)
	send(reader, "GET", "/set/n/1", "", 400, noPermission)
	send(reader, "POST", "/pipeline", `[["get","n"],["set","n",1]]`, 200, `[{"result":"43"},`+noPermission+`]`)
	send(reader, "POST", "/multi-exec", `[["get","n"],["set","n",1]]`, 400, noPermission)

	// A user of the database has a token too, and a token may carry rules of its own.
	const noKey = `{"error":"NOPERM No permissions to access a key"}`
	send(writer, "POST", "/", `["ACL","SETUSER","app","on",">long-enough-password","+@all","~app:*","&news"]`, 200, `{"result":"OK"}`)
	var got struct{ Result string }
	r := httptest.NewRequest("GET", "/acl/resttoken/app/long-enough-password", nil)
	r.Header.Set("Authorization", "Bearer "+writer)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	send(got.Result, "POST", "/set/app:1/v", "", 200, `{"result":"OK"}`)
	send(got.Result, "POST", "/set/other/v", "", 400, noKey)
	send(got.Result, "POST", "/pipeline", `[["get","app:1"],["get","n"]]`, 200, `[{"result":"v"},`+noKey+`]`)
	send(got.Result, "POST", "/subscribe/other", "[]", 400, `{"error":"NOPERM No permissions to access a channel"}`)
	send(got.Result+"A", "GET", "/get/app:1", "", 401, unauthorized)
	send(writer, "POST", "/acl/deluser/app", "", 200, `{"result":1}`)
	send(got.Result, "GET", "/get/app:1", "", 401, unauthorized)
	withRules := func(rules ...string) string {
		text, err := signer.Mint(token.Claims{CredentialID: "c", Resource: "orders", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration, Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	send(withRules("+get", "~app:*"), "GET", "/get/app:1", "", 200, `{"result":"v"}`)
	send(withRules("+get", "~app:*"), "GET", "/get/n", "", 400, noKey)
	send(withRules("+get", "~app:*"), "GET", "/set/app:1/w", "", 400, noPermission)
	send(withRules("+nosuch"), "GET", "/get/n", "", 401, unauthorized)

	send(mint("x", "no-such", token.ReadWrite, 1), "GET", "/get/n", "", 401, unauthorized)
	if err := engine.RevokeCredential(ctx, "orders", "w2", time.Time{}); err != nil {
		t.Fatal(err)
	}
	send(second, "GET", "/get/n", "", 401, unauthorized)
	send(writer, "GET", "/get/n", "", 200, `{"result":"43"}`)
	generation, err := engine.ResetCredentials(ctx, "orders")
	if err != nil {
		t.Fatal(err)
	}
	send(writer, "GET", "/get/n", "", 401, unauthorized)
	send(mint("n", "orders", token.ReadWrite, generation), "GET", "/get/n", "", 200, `{"result":"43"}`)
}

// TestStreamOverHTTP is a subscription through net/http: events come at once, keyspace events among them, the subscription
// ends with the connection, and a client that takes nothing holds nobody up.
func TestStreamOverHTTP(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st})
	t.Cleanup(engine.Close)
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db1"})
	if err != nil {
		t.Fatal(err)
	}
	verifier := verifierFunc(func(string) (token.Claims, error) {
		return token.Claims{CredentialID: "c", Resource: "db1", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration}, nil
	})
	server := httptest.NewServer(New(Config{Engine: engine, Verifier: verifier}))
	defer server.Close()
	open := func(path string) (*http.Response, context.CancelFunc) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		r, err := http.NewRequestWithContext(ctx, "POST", server.URL+path, strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer any")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp, cancel
	}
	do := func(args ...string) string {
		t.Helper()
		var w resp.Writer
		if err := engine.Do(t.Context(), db, redis.Access{}, args, &w); err != nil {
			t.Fatal(err)
		}
		return string(w.Buf)
	}

	quick, closeQuick := open("/psubscribe/user.?")
	defer closeQuick()
	idle, closeIdle := open("/subscribe/user.1")
	defer closeIdle()
	if got := quick.Header.Get("Content-Type"); got != "text/event-stream; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if got := quick.Header.Get("Cache-Control"); got != "no-store, no-transform" {
		t.Errorf("Cache-Control %q", got)
	}
	read := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(quick.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	read("data: psubscribe,user.?,1\n\n")
	if got := do("CONFIG", "SET", "notify-keyspace-events", "KA"); got != "+OK\r\n" {
		t.Error(got)
	}
	if db, err = engine.Database(t.Context(), "db1"); err != nil {
		t.Fatal(err)
	}
	events, closeEvents := open("/psubscribe/__keyspace@0__:user.*")
	defer closeEvents()
	do("SET", "user.1", "x")
	do("DEL", "user.1")
	const told = "data: pmessage,__keyspace@0__:user.*,__keyspace@0__:user.1,"
	want := "data: psubscribe,__keyspace@0__:user.*,1\n\n" + told + "set\n\n" + told + "del\n\n"
	heard := make([]byte, len(want))
	if _, err := io.ReadFull(events.Body, heard); err != nil || string(heard) != want {
		t.Errorf("got %q, %v, want %q", heard, err, want)
	}
	big := strings.Repeat("x", 100_000)
	for range 200 { // more than the network takes without being read
		if got := do("PUBLISH", "user.1", big); got != ":2\r\n" {
			t.Fatalf("published to %q", got)
		}
		read("data: pmessage,user.?,user.1," + big + "\n\n")
	}
	closeIdle()
	idle.Body.Close()
	closeQuick()
	for deadline := time.Now().Add(5 * time.Minute); do("PUBLISH", "user.1", "x") != ":0\r\n"; {
		if time.Now().After(deadline) {
			t.Fatal("subscriptions outlive their connections")
		}
	}
}

// TestStreamEndsWithItsToken: a subscription outlives neither its credential nor its user's rights.
func TestStreamEndsWithItsToken(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st})
	t.Cleanup(engine.Close)
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db1"})
	if err != nil {
		t.Fatal(err)
	}
	verifier := verifierFunc(func(string) (token.Claims, error) {
		return token.Claims{CredentialID: "mine", Resource: "db1", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration}, nil
	})
	server := httptest.NewServer(New(Config{Engine: engine, Verifier: verifier, KeepAlive: time.Millisecond}))
	defer server.Close()
	do := func(args ...string) string {
		t.Helper()
		var w resp.Writer
		if err := engine.Do(t.Context(), db, redis.Access{}, args, &w); err != nil {
			t.Fatal(err)
		}
		return string(w.Buf)
	}
	do("ACL", "SETUSER", "u", "on", ">long-enough-password", "+subscribe", "&c")
	userToken := strings.Split(do("ACL", "RESTTOKEN", "u", "long-enough-password"), "\r\n")[1]
	for _, tt := range []struct {
		token string
		end   func()
	}{
		{userToken, func() { do("ACL", "SETUSER", "u", "resetchannels") }},
		{"any", func() {
			if err := engine.RevokeCredential(t.Context(), "db1", "mine", time.Time{}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/subscribe/c", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+tt.token)
		stream, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Body.Close()
		const start = "data: subscribe,c,1\n\n: ping\n\n: ping\n\n"
		got := make([]byte, len(start))
		if _, err := io.ReadFull(stream.Body, got); err != nil || string(got) != start {
			t.Fatalf("got %q, %v", got, err)
		}
		tt.end()
		if _, err := io.Copy(io.Discard, stream.Body); err != nil {
			t.Error(err)
		}
	}
}

type verifierFunc func(string) (token.Claims, error)

func (f verifierFunc) Verify(_ context.Context, text string) (token.Claims, error) { return f(text) }

func (f verifierFunc) Resource(text string) string {
	claims, _ := f(text)
	return claims.Resource
}
