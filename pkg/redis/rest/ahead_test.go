package rest

import (
	"crypto/ed25519"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// instance is a function's instance, as it is deployed, and who looks after the deployment.
type instance struct {
	*testing.T
	h         *Handler
	store     *slow.Store
	admin     *redis.Engine
	directory keydir.Directory
	public    ed25519.PublicKey
	token     string

	mu sync.Mutex
	at time.Time
}

func (in *instance) now() time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.at
}

func (in *instance) idle(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.at = in.at.Add(d)
}

func newInstance(t *testing.T) *instance {
	t.Helper()
	in := &instance{T: t, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := embedded.Open(embedded.Options{InMemory: true})
	ok(err)
	t.Cleanup(func() { st.Close() })
	in.store, in.directory = slow.New(st, slow.Options{}), keydir.Directory{Store: st}
	in.admin = redis.New(redis.Config{Store: st, Now: in.now, RecordTTL: time.Second})
	db, err := in.admin.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db"})
	ok(err)
	key, err := token.GenerateKey()
	ok(err)
	in.public = key.Public().(ed25519.PublicKey)
	ok(in.directory.Publish(t.Context(), in.public))
	signer, err := token.NewSigner(token.SignerConfig{Key: key, Now: in.now})
	ok(err)
	in.token, err = signer.Mint(token.Claims{CredentialID: "mine", Resource: "db", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration})
	ok(err)
	engine := redis.New(redis.Config{Store: in.store, Now: in.now, RecordTTL: time.Second})
	verifier, err := token.NewVerifier(token.VerifierConfig{Now: in.now, Published: keydir.Directory{Store: in.store}})
	ok(err)
	in.h = New(Config{Engine: engine, Verifier: verifier, Now: in.now})
	return in
}

// want sends a request and checks the answer and the number of calls that read.
func (in *instance) want(what, method, target, body string, status int, answer string, calls int) {
	in.Helper()
	in.store.Reset()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+in.token)
	w := httptest.NewRecorder()
	in.h.ServeHTTP(w, r)
	if w.Code != status || !strings.Contains(w.Body.String(), answer) {
		in.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, status, answer)
	}
	if reads := in.store.Counts().Reads(); reads != calls {
		in.Errorf("%s: %d calls that read, want %d", what, reads, calls)
	}
}

func TestIdleInstanceReadsOnce(t *testing.T) {
	in := newInstance(t)
	in.want("the first request", "POST", "/", `["SET","k","secret"]`, 200, "OK", 1) // keys and record
	for _, r := range []struct{ what, method, target, body, answer string }{
		{"a command in the path", "GET", "/get/k", "", `{"result":"secret"}`},
		{"a command in the body", "POST", "/", `["GET","k"]`, `{"result":"secret"}`},
		{"one in a pipeline, as the official client sends it", "POST", "/pipeline", `[["get","k"]]`, `[{"result":"secret"}]`},
		{"several", "POST", "/pipeline", `[["get","k"],["strlen","k"],["exists","other"]]`, `[{"result":"secret"},{"result":6},{"result":0}]`},
		{"a key that is not there", "GET", "/get/other", "", `{"result":null}`},
	} {
		for _, pause := range []time.Duration{1500 * time.Millisecond, 5 * time.Second, time.Hour} {
			in.idle(pause)
			in.want(r.what+" after "+pause.String(), r.method, r.target, r.body, 200, r.answer, 1)
		}
	}
	in.idle(5 * time.Second)
	in.want("what is no JSON", "POST", "/", `["GET",`, 400, "error", 1)
	in.idle(5 * time.Second)
	in.want("an unknown command", "POST", "/", `["NOSUCH","k"]`, 400, "error", 1)
}

// The key of a request is read before it is known whether its token is good. It is answered only if it is.
func TestWhatWasReadAheadIsNotAnsweredToWhoMayNot(t *testing.T) {
	for _, tc := range []struct {
		name     string
		withdraw func(*instance) error
		within   time.Duration
	}{
		{"the credential is revoked", func(in *instance) error { return in.admin.RevokeCredential(in.Context(), "db", "mine", time.Time{}) }, time.Second},
		{"all credentials are reset", func(in *instance) error {
			_, err := in.admin.ResetCredentials(in.Context(), "db")
			return err
		}, time.Second},
		{"the database is deleted", func(in *instance) error { return in.admin.DeleteDatabase(in.Context(), "db") }, time.Second},
		{"the signing key is retired", func(in *instance) error { return in.directory.Retire(in.Context(), in.public, in.now()) }, token.KeyAge},
	} {
		for _, pause := range []time.Duration{0, time.Minute} {
			in := newInstance(t)
			in.want("a write", "POST", "/", `["SET","k","secret"]`, 200, "OK", 1)
			if err := tc.withdraw(in); err != nil {
				t.Fatal(err)
			}
			in.idle(tc.within + pause)
			in.want(tc.name, "POST", "/", `["GET","k"]`, 401, "WRONGPASS", 1)
		}
	}
}

// An instance that is never idle keeps its bounds too.
func TestBusyInstanceLearnsOfARetiredKeyInTime(t *testing.T) {
	in := newInstance(t)
	in.want("a write", "POST", "/", `["SET","k","v"]`, 200, "OK", 1)
	for range 20 {
		in.idle(300 * time.Millisecond)
		in.want("a busy instance", "GET", "/get/k", "", 200, "v", 1)
	}
	if err := in.directory.Retire(t.Context(), in.public, in.now()); err != nil {
		t.Fatal(err)
	}
	for waited := time.Duration(0); ; {
		in.idle(300 * time.Millisecond)
		if waited += 300 * time.Millisecond; waited > token.KeyAge {
			break
		}
		r := httptest.NewRequest("GET", "/get/k", nil)
		r.Header.Set("Authorization", "Bearer "+in.token)
		w := httptest.NewRecorder()
		if in.h.ServeHTTP(w, r); w.Code == 401 {
			return
		}
	}
	t.Errorf("a retired key opens the database for more than %v", token.KeyAge)
}
