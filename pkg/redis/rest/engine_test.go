package rest

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
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
	db, err := engine.CreateDatabase(ctx, redis.DatabaseOptions{ID: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := token.NewSigner(token.SignerConfig{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{Keys: []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}})
	if err != nil {
		t.Fatal(err)
	}
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
	if err := engine.RevokeCredential(ctx, "orders", "w2"); err != nil {
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
