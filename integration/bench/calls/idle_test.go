package calls

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// recordTTL is how old a database's record may be in a deployment (contract.RecordTTL).
const recordTTL = time.Second

// cold is the pause before a row that a new instance answers.
const cold = -1

// idleRow is a request to an instance that has been idle.
type idleRow struct {
	what  string
	path  string
	cmds  []string
	user  bool // its token is one of a user of the database
	pause time.Duration
	calls int // goal
}

func idleRows() []idleRow {
	get := []string{"GET k1"}
	return []idleRow{
		{what: "GET", cmds: get, pause: cold, calls: 2},
		{what: "GET", cmds: get, pause: 0, calls: 1},
		{what: "GET", cmds: get, pause: 1500 * time.Millisecond, calls: 1},
		{what: "GET", cmds: get, pause: 5 * time.Second, calls: 1},
		{what: "GET", cmds: get, pause: time.Hour, calls: 1},
		{what: "GET, with the token of an ACL user", cmds: get, user: true, pause: cold, calls: 2},
		{what: "GET, with the token of an ACL user", cmds: get, user: true, pause: 5 * time.Second, calls: 1},
		{what: "HGETALL", cmds: []string{"HGETALL k2"}, pause: 5 * time.Second, calls: 1},
		{what: "10 GETs in a pipeline", path: "/pipeline", cmds: repeat(10, "GET key%04d"), pause: 5 * time.Second, calls: 1},
		{what: "MGET of 10 keys", cmds: []string{"MGET " + strings.Join(repeat(10, "key%04d"), " ")}, pause: 5 * time.Second, calls: 2},
		{what: "SET", cmds: []string{"SET k1 other"}, pause: cold, calls: 2},
		{what: "SET", cmds: []string{"SET k1 other"}, pause: 5 * time.Second, calls: 2},
		{what: "INCR, EXPIRE in /multi-exec", path: "/multi-exec", cmds: []string{"INCR n", "EXPIRE n 600"}, pause: 5 * time.Second, calls: 3},
	}
}

// when is the pause in the table's words.
func (r idleRow) when() string {
	switch {
	case r.pause == cold:
		return "the instance's first request"
	case r.pause == 0:
		return "a request just before"
	}
	return fmt.Sprintf("%v idle seconds", r.pause.Seconds())
}

// instance is a function's instance as it is deployed: it has read nothing, and no signing keys of its own.
func (b *bench) instance() *rest.Handler {
	b.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	engine := redis.New(redis.Config{Store: b.store, Now: b.clock.now, Logger: log, RecordTTL: recordTTL})
	verifier, err := token.NewVerifier(token.VerifierConfig{Now: b.clock.now, Published: keydir.Directory{Store: b.store}})
	if err != nil {
		b.t.Fatal(err)
	}
	return rest.New(rest.Config{Engine: engine, Verifier: verifier, Now: b.clock.now, Logger: log})
}

// idle measures requests to an instance that has been idle, or is new.
func (b *bench) idle() []row {
	b.t.Helper()
	if err := (keydir.Directory{Store: b.store}).Publish(b.t.Context(), b.public); err != nil {
		b.t.Fatal(err)
	}
	db := b.database()
	b.prepare(db, []string{"SET k1 value", "HSET k2 f one", "SET n 1", "MSET " + pairs(10)})
	user, err := b.do(b.t.Context(), db, "ACL", "SETUSER", "reader", "on", "+@read", "~*")
	if err == nil {
		user, err = b.do(b.t.Context(), db, "ACL", "RESTTOKEN", "reader", b.password(db))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	var rows []row
	h := b.instance()
	for _, ir := range idleRows() {
		bearer := b.bearer(db)
		if ir.user {
			bearer = user.(string)
		}
		if ir.pause == cold {
			h = b.instance()
		}
		warm := func(ctx context.Context) error { return b.send(ctx, h, bearer, ir.path, ir.cmds) }
		if ir.pause != cold {
			if err := warm(b.t.Context()); err != nil {
				b.t.Fatal(err)
			}
			b.clock.advance(ir.pause)
		}
		r := row{what: ir.what, before: ir.when(), cost: b.measureNow(ir.what, warm)}
		if r.calls() != ir.calls {
			b.t.Errorf("%s after %s: %d calls (%s), goal %d", ir.what, ir.when(), r.calls(), describe(r.requests), ir.calls)
		}
		rows = append(rows, r)
		b.clock.advance(tracesGone)
	}
	return rows
}

// password gives the user "reader" a password.
func (b *bench) password(db *redis.Database) string {
	b.t.Helper()
	const password = "correct horse battery staple"
	if _, err := b.do(b.t.Context(), db, "ACL", "SETUSER", "reader", ">"+password); err != nil {
		b.t.Fatal(err)
	}
	return password
}

// bearer is a token that opens a database.
func (b *bench) bearer(db *redis.Database) string {
	b.t.Helper()
	bearer, err := b.signer.Mint(token.Claims{
		CredentialID: "bench", Resource: db.ID, Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: db.CredentialGeneration,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return bearer
}

// send sends commands over HTTP: one as a JSON array, several to a path.
func (b *bench) send(ctx context.Context, h *rest.Handler, bearer, path string, lines []string) error {
	cmds := make([][]string, len(lines))
	for i, line := range lines {
		cmds[i] = strings.Fields(line)
	}
	var body []byte
	var err error
	if path == "" {
		path = "/"
		body, err = json.Marshal(cmds[0])
	} else {
		body, err = json.Marshal(cmds)
	}
	if err != nil {
		return err
	}
	r := httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(string(body)))
	r.Header.Set("Authorization", "Bearer "+bearer)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || strings.Contains(w.Body.String(), `"error"`) {
		return fmt.Errorf("answered %d: %.300s", w.Code, w.Body)
	}
	return nil
}

// publicOf is the public half of a key.
func publicOf(t *testing.T, key ed25519.PrivateKey) ed25519.PublicKey {
	t.Helper()
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatalf("a public key of type %T", key.Public())
	}
	return public
}
