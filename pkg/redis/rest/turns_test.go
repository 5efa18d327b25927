package rest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// What a request takes before and after the engine is part of its work: with a large body, or a large reply, it
// waits while others have the turns. Small requests do not.
func TestLargeBodiesAndRepliesTakeTurns(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st, Turns: 1})
	t.Cleanup(engine.Close)
	db, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db1"})
	if err != nil {
		t.Fatal(err)
	}
	good := claims("rw")
	good.Generation = 1
	h := New(Config{Engine: engine, Verifier: stubVerifier{"good": good}})
	send := func(target, body string) string {
		r := httptest.NewRequest("POST", target, strings.NewReader(body))
		if strings.HasPrefix(body, "\x1f\x8b") {
			r.Header.Set("Content-Encoding", "gzip")
		}
		r.Header.Set("Authorization", "Bearer good")
		r.Header.Set("Accept-Encoding", "gzip")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return fmt.Sprintf("%d %.30s", w.Code, w.Body)
	}
	large := strings.Repeat("x", 300_000)
	if got := send("/set/large", large); got != `200 {"result":"OK"}` {
		t.Fatal(got)
	}
	for name, tc := range map[string]struct{ target, body string }{
		"a large command":     {"/", `["echo","` + large + `"]`},
		"a large pipeline":    {"/pipeline", `[["echo","` + large + `"]]`},
		"a large transaction": {"/multi-exec", `[["echo","` + large + `"]]`},
		"a large reply":       {"/get/large", ""},
		"a compressed body":   {"/echo", zip(large)},
		"replies":             {"/pipeline", "[" + strings.Repeat(`["nosuch"],`, 9999) + `["nosuch"]]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, turn := engine.WithTurn(context.Background(), db)
			if err := turn.Spend(t.Context(), 100_000_000); err != nil {
				t.Fatal(err)
			}
			answered := make(chan string, 1)
			go func() { answered <- send(tc.target, tc.body) }()
			for range 100 {
				if got := send("/", `["ping"]`); got != `200 {"result":"PONG"}` {
					t.Errorf("a small request: %s", got)
				}
			}
			select {
			case got := <-answered:
				t.Errorf("answered without a turn: %s", got)
			default:
			}
			turn.Release()
			if got := <-answered; !strings.HasPrefix(got, "200") {
				t.Error(got)
			}
		})
	}
}

// What a request was inflated to belongs to the memory that it may keep, with the arguments of its commands.
func TestInflatedBodiesTakeMemory(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	engine := redis.New(redis.Config{Store: st, Budget: redis.Budget{Memory: 4 << 20}})
	t.Cleanup(engine.Close)
	if _, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db1"}); err != nil {
		t.Fatal(err)
	}
	good := claims("rw")
	good.Generation = 1
	h := New(Config{Engine: engine, Verifier: stubVerifier{"good": good}})
	const refused = `400 {"error":"ERR max request memory exceeded. Limit: 4194304 bytes"}`
	echo := func(n int) string { return `["echo","` + strings.Repeat("x", n) + `"]` }
	for _, tc := range []struct{ name, target, body, want string }{
		{"a body as it is", "/", echo(900_000), `200 {"result":"xxx`},
		{"a body that was inflated", "/", zip(echo(400_000)), `200 {"result":"xxx`},
		{"one that is too large with its copy", "/", zip(echo(2_500_000)), refused},
		{"one that is too large", "/", zip(echo(9_000_000)), refused},
		{"an argument of a path", "/echo", zip(echo(9_000_000)), refused},
		{"a pipeline", "/pipeline", zip("[" + echo(9_000_000) + "]"), refused},
		{"many small arguments", "/", `["del"` + strings.Repeat(`,"a"`, 140_000) + "]", refused},
		{"many small arguments of many commands", "/pipeline", "[" + strings.Repeat(`["del"`+strings.Repeat(`,"a"`, 500)+"],", 300) + `["ping"]]`, refused},
		{"a body after all that", "/", echo(900_000), `200 {"result":"xxx`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", tc.target, strings.NewReader(tc.body))
			r.Header.Set("Authorization", "Bearer good")
			if strings.HasPrefix(tc.body, "\x1f\x8b") {
				r.Header.Set("Content-Encoding", "gzip")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := fmt.Sprintf("%d %.100s", w.Code, w.Body); !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
