package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/replicated"
)

// world is a primary region, "" and two read regions with a replica each, which serve the database of the token "good".
type world struct {
	links    [2]*replicated.Store
	handlers map[string]*Handler
	closers  []store.Store

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func newWorld(t rapid.TB) *world {
	t.Helper()
	w := &world{handlers: map[string]*Handler{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	memory := func() store.Store {
		s, err := embedded.Open(embedded.Options{InMemory: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	options := replicated.Options{Failed: func(err error) { t.Error(err) }}
	w.links[0] = replicated.New(memory(), memory(), options)
	w.links[1] = replicated.New(w.links[0], memory(), options)
	w.closers = []store.Store{w.links[1]}
	good := claims("rw")
	good.Generation = 1
	serve := func(name string, region *redis.Region) *redis.Engine {
		engine := redis.New(redis.Config{Store: w.links[1], Now: w.clock, RecordTTL: time.Second, Region: region})
		cfg := Config{Engine: engine, Verifier: stubVerifier{"good": good}, Now: w.clock}
		if region != nil {
			w.closers = append(w.closers, region.Marks)
			cfg.Region = &Region{Name: name, Replica: engine}
		}
		w.handlers[name] = New(cfg)
		return engine
	}
	home := serve("", nil)
	for _, id := range []string{"db1", "other"} {
		if _, err := home.CreateDatabase(context.Background(), redis.DatabaseOptions{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	serve("eu", &redis.Region{Replica: w.links[0].Replica(), Marks: memory()})
	serve("us", &redis.Region{Replica: w.links[1].Replica(), Marks: memory()})
	w.catchUp()
	return w
}

func (w *world) catchUp() {
	for _, link := range w.links {
		link.CatchUp()
	}
}

func (w *world) close() {
	for _, s := range w.closers {
		s.Close()
	}
}

// session is a client that passes sync tokens on as it should.
type session struct {
	w     *world
	token string
}

// send sends commands as a pipeline to a region.
func (s *session) send(t rapid.TB, region string, cmds ...[]string) []any {
	t.Helper()
	body, err := json.Marshal(cmds)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/pipeline", bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	r.Header.Set("Upstash-Sync-Token", s.token)
	answer := httptest.NewRecorder()
	s.w.handlers[region].ServeHTTP(answer, r)
	s.token = answer.Header().Get("Upstash-Sync-Token")
	var replies []struct {
		Result any
		Error  string
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &replies); err != nil || answer.Code != 200 {
		t.Fatalf("%v: status %d, %s", cmds, answer.Code, answer.Body)
	}
	out := make([]any, len(replies))
	for i, r := range replies {
		if out[i] = r.Result; r.Error != "" {
			t.Fatalf("%v: %s", cmds[i], r.Error)
		}
	}
	return out
}

// TestSessionsAcrossRegions: whoever passes sync tokens on sees what it wrote and never goes back, from whichever region
// it reads, and whenever what was written arrives there.
func TestSessionsAcrossRegions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		defer w.close()
		names := []string{"", "eu", "us"}
		keys := []string{"a", "b"}
		states := map[string][]any{"a": {nil}, "b": {nil}}
		sessions := make([]session, 3)
		known := make([]map[string]int, len(sessions))
		for i := range sessions {
			sessions[i].w, known[i] = w, map[string]int{}
		}
		serial := 0
		saw := func(i int, key string, got any) {
			n := slices.Index(states[key][known[i][key]:], got)
			if n < 0 {
				t.Fatalf("session %d sees %s = %v, after state %d of %v", i, key, got, known[i][key], states[key])
			}
			known[i][key] += n
		}
		pick := func(t *rapid.T) (int, string, string) {
			return rapid.IntRange(0, len(sessions)-1).Draw(t, "session"), rapid.SampledFrom(names).Draw(t, "region"), rapid.SampledFrom(keys).Draw(t, "key")
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				i, region, key := pick(t)
				serial++
				v := fmt.Sprint("v", serial)
				sessions[i].send(t, region, []string{"SET", key, v})
				states[key] = append(states[key], v)
				known[i][key] = len(states[key]) - 1
			},
			"delete": func(t *rapid.T) {
				i, region, key := pick(t)
				sessions[i].send(t, region, []string{"DEL", key})
				states[key] = append(states[key], nil)
				known[i][key] = len(states[key]) - 1
			},
			"get": func(t *rapid.T) {
				i, region, key := pick(t)
				saw(i, key, sessions[i].send(t, region, []string{"GET", key})[0])
			},
			"get both": func(t *rapid.T) {
				i, region, _ := pick(t)
				for k, got := range sessions[i].send(t, region, []string{"GET", "a"}, []string{"GET", "b"}) {
					saw(i, keys[k], got)
				}
			},
			"arrive": func(t *rapid.T) {
				link := w.links[rapid.IntRange(0, 1).Draw(t, "link")]
				for range rapid.IntRange(1, 4).Draw(t, "writes") {
					link.Step(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "item") })
				}
			},
			"time passes": func(t *rapid.T) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "seconds")) * time.Second)
			},
		})
	})
}

func TestReadRegionAnswersFromTheReplica(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	home, here := &session{w: w}, &session{w: w}
	get := func(s *session, region, key string, want any) {
		t.Helper()
		if got := s.send(t, region, []string{"GET", key})[0]; got != want {
			t.Errorf("GET %s in %q: %v, want %v", key, region, got, want)
		}
	}
	here.send(t, "eu", []string{"PING"}) // the regions learn the database's record
	here.send(t, "us", []string{"PING"})
	here.token = ""
	home.send(t, "", []string{"SET", "k", "1"})
	get(here, "eu", "k", nil)
	if strings.Count(here.token, ".") != 2 {
		t.Errorf("token %q of a client that was in no other region", here.token)
	}
	// Who has been elsewhere gets what is there, for as long as the region may be behind.
	get(home, "eu", "k", "1")
	abroad := home.token
	if strings.Count(abroad, ".") != 3 {
		t.Errorf("token %q of a client that was in another region", abroad)
	}
	home.send(t, "", []string{"SET", "l", "1"})
	get(&session{w: w, token: abroad}, "eu", "l", "1")
	get(&session{w: w}, "us", "k", nil)
	get(&session{w: w, token: "my-own"}, "us", "k", nil)
	get(&session{w: w, token: abroad}, "us", "k", "1")
	// Commands that are not for the replica.
	h := &server{Handler: w.handlers["us"]}
	expect(t, h.do(t, "POST", "/multi-exec", `[["GET","k"]]`), 200, `[{"result":"1"}]`)
	expect(t, h.do(t, "POST", "/set/m/1", ""), 200, `{"result":"OK"}`)
	expect(t, h.do(t, "GET", "/get/m", ""), 200, `{"result":"1"}`)
	expect(t, h.do(t, "POST", "/", `["HGET","m","f"]`), 400, `{"error":"WRONGTYPE Operation against a key holding the wrong kind of value"}`)
	expect(t, h.do(t, "POST", "/pipeline", `[["GET","m"],["WATCH","m"]]`), 200, `[{"result":"1"},{"error":`+strconv.Quote(needsConnectionText("WATCH"))+`}]`)
	expect(t, h.doAs(t, "Bearer bad", "GET", "/get/m", ""), 401, unauthorized)
}

func TestLastAbroad(t *testing.T) {
	now := time.UnixMicro(1_700_000_000_000_000)
	text := func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 32) }
	then, long := now.Add(-time.Hour), now.Add(-abroadLife)
	db, other := "."+strconv.FormatUint(databaseTag("db1"), 32), "."+strconv.FormatUint(databaseTag("db2"), 32)
	for _, tc := range []struct {
		name, token string
		want        time.Time // zero: never
	}{
		{"none", "", time.Time{}},
		{"of the primary region", text(then) + db, then},
		{"of this region", text(then) + db + ".eu", time.Time{}},
		{"of another read region", text(then) + db + ".us", then},
		{"of another, which knew of a third", text(then) + db + ".us." + text(long), then},
		{"of this region after another", text(now) + db + ".eu." + text(then), then},
		{"of this region long after another", text(now) + db + ".eu." + text(long), time.Time{}},
		{"of the primary region long ago", text(long) + db, time.Time{}},
		{"of the future", text(now.Add(time.Hour)) + db, now},
		{"of another database", text(then) + other, time.Time{}},
		{"of no database", text(then), time.Time{}},
		{"of the client's own making", "my-new-sync-token", time.Time{}},
		{"with too many parts", text(then) + db + ".us." + text(then) + ".x", time.Time{}},
		{"with a moment that is none", "xyz" + db, time.Time{}},
		{"with a negative moment", "-1" + db, time.Time{}},
		{"too long", strings.Repeat("0", maxSyncToken) + "1" + db, time.Time{}},
		{"with a number too large", strings.Repeat("v", 40) + db, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := int64(0)
			if !tc.want.IsZero() {
				want = tc.want.UnixMicro()
			}
			if got := lastAbroad(tc.token, "db1", "eu", now); got != want {
				t.Errorf("%q: %d, want %d", tc.token, got, want)
			}
		})
	}
}

// TestRevokedTokenInAReadRegion: a revocation counts where it has arrived, and a minute later where it has not.
func TestRevokedTokenInAReadRegion(t *testing.T) {
	w := newWorld(t)
	defer w.close()
	ctx := context.Background()
	h := &server{Handler: w.handlers["eu"]}
	get := func(status int) {
		t.Helper()
		if got := h.do(t, "GET", "/get/k", "").Code; got != status {
			t.Errorf("status %d, want %d", got, status)
		}
	}
	get(200)
	admin := redis.New(redis.Config{Store: w.links[1], Now: w.clock, RecordTTL: time.Second})
	if _, err := admin.ResetCredentials(ctx, "db1"); err != nil {
		t.Fatal(err)
	}
	get(200) // from the replica, which does not know
	w.mu.Lock()
	w.now = w.now.Add(time.Minute)
	w.mu.Unlock()
	get(401)
	w.catchUp()
	get(401)
}
