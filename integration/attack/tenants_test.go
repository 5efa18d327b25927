package attack

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
	"github.com/skystash/skystash/pkg/console"
	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/testenv/logbuffer"
)

// tenant is an account with its API key and a browser that has signed in with it.
type tenant struct {
	*target
	email, key string
	browser    browser
	csrf       string
	ids        map[string]string // of what the account has, see furnish
	data       string            // folder of the server
}

// operation is one of the Developer API.
type operation struct {
	method, path string
	inBody       []string // members of its body that are ids
}

func (o operation) String() string { return o.method + " " + o.path }

// operations are all operations of the Developer API, as its document has them. A test of the API says that
// it has them all.
func (a *target) operations() []operation {
	a.Helper()
	type schema struct {
		Ref        string                     `json:"$ref"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var document struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	r := a.send("GET", a.server.Var("SKYSTASH_API_URL")+"/v2/openapi.json", nil)
	if err := json.Unmarshal([]byte(r.body), &document); err != nil {
		a.Fatalf("%s: %v", r, err)
	}
	var all []operation
	for path, methods := range document.Paths {
		for method, op := range methods {
			o := operation{method: strings.ToUpper(method), path: path}
			for _, content := range op.RequestBody.Content {
				s := content.Schema
				if s.Ref != "" {
					s = document.Components.Schemas[s.Ref[strings.LastIndex(s.Ref, "/")+1:]]
				}
				for name := range s.Properties {
					if name == "id" || strings.HasSuffix(name, "_id") {
						o.inBody = append(o.inBody, name)
					}
				}
			}
			all = append(all, o)
		}
	}
	if len(all) < 60 {
		a.Fatalf("the document has only %d operations", len(all))
	}
	// What only reads comes first, what ends something last.
	order := func(o operation) string {
		rank := 1
		switch {
		case o.method == "GET":
			rank = 0
		case o.method == "DELETE":
			rank = 3
		case ends(o.String()):
			rank = 2
		}
		return fmt.Sprint(rank, o.path)
	}
	slices.SortFunc(all, func(x, y operation) int { return strings.Compare(order(x), order(y)) })
	return all
}

var ending = regexp.MustCompile(`DELETE|delete|reset|revoke|retire|remove|sign-out|sessions/end|rotate`)

// ends reports whether a route may take something away that others need.
func ends(route string) bool { return ending.MatchString(route) }

// api sends a request to the Developer API.
func (t *tenant) api(method, path string, body any) answer {
	t.Helper()
	req := http.Request{Header: http.Header{}}
	req.SetBasicAuth(t.email, t.key)
	var text []byte
	if body != nil {
		text = encode(t.T, body)
	}
	return t.send(method, t.server.Var("SKYSTASH_API_URL")+"/v2"+path, text, "Authorization", req.Header.Get("Authorization"))
}

func (t *tenant) made(field, path string, body any) string {
	t.Helper()
	r := t.api("POST", path, body)
	if r.status != http.StatusOK {
		t.Fatalf("%s: POST %s is answered %s", t.email, path, r)
	}
	return r.field(t.T, field)
}

var csrfMeta = regexp.MustCompile(`<meta name="csrf-token" content="([^"]*)">`)

// page sends a request to the console. POSTs have a form that every action of it finds something in.
func (t *tenant) page(method, path string, header ...string) answer {
	t.Helper()
	form := url.Values{
		"csrf": {t.csrf}, "line": {"flushall"}, "confirmed": {"1"}, "name": {"c2VjcmV0LWtleQ"}, "confirm": {"secret-topic"}, "value": {"x"}, "paused": {"1"}, "all": {"1"}, "reveal": {"1"},
		"cron": {"* * * * *"}, "destination": {"http://127.0.0.1:9/x"}, "url": {"http://127.0.0.1:9/x"}, "body": {"x"}, "key": {"k"}, "to": {"earliest"}, "topic": {"secret-topic"}, "product": {"redis"},
		"type": {"string"}, "daily_requests": {"1"}, "monthly_budget": {"1"}, "seconds": {"1"},
	}
	return t.browser.do(method, "/console"+path, map[bool]url.Values{true: form}[method == "POST"], header...)
}

func (t *tenant) signIn() {
	t.Helper()
	t.browser = t.target.browser()
	if r := t.browser.signIn(t.email, t.key, ""); r.status != http.StatusSeeOther {
		t.Fatalf("%s: signing in is answered %s", t.email, r)
	}
	found := csrfMeta.FindStringSubmatch(t.page("GET", "/").body)
	if found == nil {
		t.Fatal("no page has the session's token")
	}
	t.csrf = found[1]
}

// furnish makes one of everything that an account can have. The ids have the names that they have in the
// routes of the console, and of those of the Developer API.
func (t *tenant) furnish() {
	t.Helper()
	x := map[string]string{"snippet": "javascript", "group": "secret-group", "queue": "secret-queue", "run": "wfr_secret", "host": "secret-host.example"}
	x["database"] = t.made("database_id", "/redis/database", map[string]any{"database_name": "same", "primary_region": "us-east-1"})
	x["cluster"] = t.made("cluster_id", "/kafka/cluster", map[string]any{"name": "same"})
	x["topic_id"] = t.made("topic_id", "/kafka/topic", map[string]any{"name": "secret-topic", "cluster_id": x["cluster"], "partitions": 1})
	x["topic"] = "secret-topic"
	x["credential_id"] = t.made("credential_id", "/kafka/credential", map[string]any{"credential_name": "c", "cluster_id": x["cluster"], "permissions": "ALL"})
	x["qstash"] = t.made("id", "/skystash/qstash", map[string]any{"name": "same"})
	x["credential"] = t.made("id", "/skystash/credentials/"+x["database"], map[string]any{"name": "c"})
	x["key"] = t.made("id", "/skystash/apikeys", map[string]any{"name": "spare"})
	t.ids = x

	redis, kafka := t.redisToken(), t.kafkaLogin()
	t.do(redis, "SET", "secret-key", "her-own-words")
	if r := t.api("POST", "/redis/create-backup/"+x["database"], map[string]any{"name": "her-own-words"}); r.status != http.StatusOK {
		t.Fatalf("making a backup: %s", r)
	}
	var backups []struct {
		ID string `json:"backup_id"`
	}
	if r := t.api("GET", "/redis/list-backup/"+x["database"], nil); json.Unmarshal([]byte(r.body), &backups) != nil || len(backups) != 1 {
		t.Fatalf("the backups: %s", r)
	}
	x["backup"] = backups[0].ID
	t.mustKafka(kafka, "POST", "/produce", `{"topic":"secret-topic","value":"her-own-words"}`)
	bearer := []string{"Authorization", "Bearer " + t.qstashToken(), "Upstash-Delay", "30d"}
	send := func(path, body string, header ...string) answer {
		r := t.send("POST", t.qstashURL()+"/v2"+path, []byte(body), append(slices.Clone(bearer), header...)...)
		if r.status >= 300 {
			t.Fatalf("POST %s is answered %s", path, r)
		}
		return r
	}
	x["message"] = send("/publish/https://secret-host.example/her-own-words", "her-own-words", "Upstash-Flow-Control-Key", "secret-flow", "Upstash-Flow-Control-Value", "parallelism=1").field(t.T, "messageId")
	x["schedule"] = send("/schedules/https://secret-host.example/her-own-words", "her-own-words", "Upstash-Cron", "0 0 1 1 *").field(t.T, "scheduleId")
	send("/queues", `{"queueName":"secret-queue","parallelism":3}`)
	send("/topics/secret-group/endpoints", `{"endpoints":[{"url":"https://secret-host.example/her-own-words"}]}`)
	send("/publish/https://secret-host.example/her-own-words", "her-own-words", "Upstash-Workflow-Runid", x["run"], "Upstash-Workflow-Init", "true", "Upstash-Workflow-Url", "https://secret-host.example/her-own-words")
}

func (t *tenant) redisToken() string {
	t.Helper()
	return t.api("GET", "/redis/database/"+t.ids["database"], nil).field(t.T, "rest_token")
}

func (t *tenant) kafkaLogin() login {
	t.Helper()
	r := t.api("GET", "/kafka/cluster/"+t.ids["cluster"], nil)
	return login{r.field(t.T, "username"), r.field(t.T, "password")}
}

func (t *tenant) qstashToken() string {
	t.Helper()
	return t.api("GET", "/qstash/user/"+t.ids["qstash"], nil).field(t.T, "token")
}

// state is all that an account has and can see of it, without what it has used.
func (t *tenant) state() map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, o := range t.operations() {
		if o.method != "GET" || strings.Contains(o.path, "usage") || strings.Contains(o.path, "stats") {
			continue
		}
		for _, path := range t.paths(o) {
			all["GET "+path] = t.api("GET", path, nil).body
		}
	}
	for _, cmd := range [][]string{{"DUMP", "secret-key"}, {"DBSIZE"}, {"ACL", "LIST"}} {
		all[strings.Join(cmd, " ")] = t.do(t.redisToken(), cmd...).body
	}
	for _, path := range []string{"/topics", "/consumers"} {
		all["Kafka "+path] = t.kafka(t.kafkaLogin(), "GET", path, "").body
	}
	all["Kafka offsets"] = t.kafka(t.kafkaLogin(), "POST", "/offsets/latest", `{"topic":"secret-topic","partition":0}`).body
	for _, path := range []string{"/messages/" + t.ids["message"], "/schedules", "/queues", "/topics", "/flowControl", "/keys", "/logs", "/dlq", "/globalParallelism"} {
		all["QStash "+path] = t.send("GET", t.qstashURL()+"/v2"+path, nil, "Authorization", "Bearer "+t.qstashToken()).body
	}
	return all
}

// paths are the paths of an operation with every id of the account in each of its places.
func (t *tenant) paths(o operation) []string {
	t.Helper()
	things := []string{t.ids["database"], t.ids["cluster"], t.ids["topic_id"], t.ids["credential_id"], t.ids["qstash"]}
	switch places := placeholder.FindAllString(o.path, -1); {
	case len(places) == 0:
		return []string{o.path}
	case strings.HasSuffix(o.path, "/{id}/{backup}"):
		return []string{strings.NewReplacer("{id}", t.ids["database"], "{backup}", t.ids["backup"]).Replace(o.path)}
	case strings.Contains(o.path, "/apikeys/"):
		things = []string{t.ids["key"]}
	case strings.Contains(o.path, "/signing-keys/"):
		things = []string{t.signingKey()}
	case o.path == "/skystash/credentials/{resource}/{id}":
		return []string{"/skystash/credentials/" + t.ids["database"] + "/" + t.ids["credential"], "/skystash/credentials/" + t.ids["cluster"] + "/default", "/skystash/credentials/" + t.ids["qstash"] + "/default"}
	case len(places) > 1 || places[0] != "{id}" && places[0] != "{resource}":
		t.Fatalf("%s has ids that this test does not know: give it a case", o)
	}
	var paths []string
	for _, id := range things {
		paths = append(paths, placeholder.ReplaceAllLiteralString(o.path, id))
	}
	return paths
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

// signingKey is the id of the deployment's key, which only administrators may ask for.
func (t *tenant) signingKey() string {
	t.Helper()
	var keys []struct{ ID string }
	r := t.manage("GET", "/v2/skystash/signing-keys", nil)
	if err := json.Unmarshal([]byte(r.body), &keys); err != nil || len(keys) == 0 {
		t.Fatalf("signing keys: %s", r)
	}
	return keys[0].ID
}

// pagePaths are the paths of a route of the console with an account's ids, one for each resource.
func (t *tenant) pagePaths(route string) []string {
	t.Helper()
	_, path, _ := strings.Cut(route, " ")
	resources := []string{t.ids["database"], t.ids["cluster"], t.ids["qstash"]}
	if !strings.HasPrefix(path, "/r/{id}") {
		resources = []string{""}
	}
	var paths []string
	for _, resource := range resources {
		paths = append(paths, placeholder.ReplaceAllStringFunc(path, func(place string) string {
			switch name := strings.Trim(place, "{}"); {
			case name == "id":
				return resource
			case strings.HasPrefix(path, "/signing-keys/"):
				return t.signingKey()
			case strings.Contains(path, "/signing-keys/"):
				return "current"
			case t.ids[name] == "":
				t.Fatalf("%s has an id %s that this test does not know: give it a case", route, name)
				return ""
			default:
				return t.ids[name]
			}
		}))
	}
	return paths
}

// body is one that an operation of the Developer API finds what it needs in. Those of our own take nothing else.
func (t *tenant) body(o operation) map[string]any {
	switch {
	case strings.HasPrefix(o.path, "/skystash/limits/"):
		return map[string]any{"daily_requests": 1, "monthly_budget": 1}
	case strings.HasPrefix(o.path, "/skystash/"):
		return map[string]any{"name": "x"}
	}
	return map[string]any{
		"name": "x", "budget": 1, "read_regions": []string{}, "partitions": 9, "daily_requests": 1, "monthly_budget": 1, "cluster_id": t.ids["cluster"], "credential_name": "x", "permissions": "ALL",
		"database_name": "x", "primary_region": "us-east-1", "backup_id": t.ids["backup"],
	}
}

// twoTenants starts a server with two accounts. The first administrates the deployment, and is furnished.
func twoTenants(t *testing.T, binary string) (alice, bob *tenant) {
	t.Helper()
	dir := t.TempDir()
	first := local.New(t, binary, "-data", dir, "-email", "alice@example.com")
	first.Log = &logbuffer.Buffer{}
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	// The second account is made as an operator does it, who can write to the table.
	st, err := embedded.Open(embedded.Options{Dir: filepath.Join(dir, "control")})
	if err != nil {
		t.Fatal(err)
	}
	engine := control.New(control.Config{Store: st, Keyring: control.NewMemoryKeyring()})
	acct, err := engine.CreateAccount(t.Context(), "bob@example.com", false)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := engine.CreateAPIKey(t.Context(), acct.ID, "first")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	a := startTarget(t, binary, "-data", dir, "-email", "alice@example.com")
	alice = &tenant{target: a, email: "alice@example.com", key: a.server.Var("UPSTASH_API_KEY"), data: dir}
	bob = &tenant{target: a, email: "bob@example.com", key: key}
	for _, who := range []*tenant{alice, bob} {
		who.furnish()
		who.signIn()
	}
	return alice, bob
}

// One account sends the other's ids, in every place where there is one. It learns and changes nothing.
func testIDs(alice, bob *tenant) {
	before := alice.state()
	for name, text := range before {
		if strings.Contains(text, `"error"`) && !strings.Contains(name, "/stats") && !strings.HasPrefix(name, "GET ") {
			bob.Errorf("%s is answered %s to its owner", name, text)
		}
	}
	opened := 0
	for _, o := range bob.operations() {
		if !strings.Contains(o.path, "{") && len(o.inBody) == 0 {
			continue
		}
		want := http.StatusNotFound
		if strings.Contains(o.path, "/signing-keys/") {
			want = http.StatusForbidden
		}
		for _, path := range alice.paths(o) {
			if o.method == "GET" && alice.api("GET", path, nil).status == http.StatusOK {
				opened++
			}
			if r := bob.api(o.method, path, alice.body(o)); r.status != want || strings.Contains(r.body, "secret") {
				bob.Errorf("%s %s is answered %s", o.method, path, r)
			}
		}
		for _, member := range o.inBody {
			body := alice.body(o)
			if body[member] == nil {
				bob.Errorf("%s takes the id %s in its body: give it a case", o, member)
			}
		}
	}
	if opened < 15 {
		bob.Errorf("only %d of the paths open something to their owner", opened)
	}
	// Her credential's id with his resource, her topic's number with his cluster.
	_, number, _ := strings.Cut(alice.ids["credential_id"], ".")
	for _, path := range []string{
		"/skystash/credentials/" + bob.ids["database"] + "/" + alice.ids["credential"], "/skystash/credentials/" + alice.ids["database"] + "/" + bob.ids["credential"],
		"/kafka/credential/" + bob.ids["cluster"] + "." + number, "/kafka/credential/" + alice.ids["cluster"] + "." + number,
	} {
		if r := bob.api("DELETE", path, nil); r.status != http.StatusNotFound {
			bob.Errorf("DELETE %s is answered %s", path, r)
		}
	}

	query := "?" + url.Values{"key": {"secret-key"}, "element": {"0"}, "partition": {"0"}, "offset": {"0"}}.Encode()
	opened = 0
	for _, route := range console.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if !strings.Contains(path, "{") {
			continue
		}
		for _, path := range alice.pagePaths(route) {
			if method == "GET" && !strings.HasSuffix(path, "/tail") && alice.page(method, path+query).status == http.StatusOK {
				opened++
			}
			for _, header := range [][]string{nil, {"HX-Request", "true", "X-CSRF-Token", bob.csrf}} {
				r := bob.page(method, path+query, header...)
				refused := r.status == http.StatusNotFound || r.status == http.StatusForbidden || header == nil && method == "POST" && r.status == http.StatusSeeOther
				if strings.HasPrefix(path, "/account/keys/") { // it is as if there were no such key
					refused = refused || r.status == http.StatusSeeOther
				}
				if !refused || strings.Contains(r.body, "her-own-words") || strings.Contains(r.body, "eyJ") {
					bob.Errorf("%s %s is answered %s", method, path, r)
				}
			}
			visitor := bob.target.browser()
			if r := visitor.do(method, "/console"+path+query, map[bool]url.Values{true: {}}[method == "POST"]); r.status < 300 || strings.Contains(r.body, "her-own-words") {
				bob.Errorf("a visitor's %s %s is answered %s", method, path, r)
			}
		}
	}
	if opened < 35 {
		bob.Errorf("only %d pages open to their owner", opened)
	}

	// The ids of data, with his own token.
	bearer := []string{"Authorization", "Bearer " + bob.qstashToken()}
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/messages/{message}", ""}, {"DELETE", "/messages/{message}", ""}, {"POST", "/messages/{message}/retry", ""}, {"DELETE", "/messages", `{"messageIds":["{message}"]}`},
		{"GET", "/dlq/{message}", ""}, {"DELETE", "/dlq/{message}", ""}, {"POST", "/dlq/retry/{message}", ""}, {"GET", "/schedules/{schedule}", ""}, {"DELETE", "/schedules/{schedule}", ""},
		{"POST", "/schedules/{schedule}/pause", ""}, {"POST", "/schedules/{schedule}/resume", ""}, {"POST", "/schedules/{schedule}/run", ""}, {"GET", "/logs?messageId={message}", ""}, {"GET", "/logs?messageIds={message}", ""},
		{"GET", "/workflows/logs?workflowRunId={run}-of-hers", ""}, {"POST", "/workflows/runs/{run}-of-hers/cancel", ""}, {"DELETE", "/workflows/runs/{run}-of-hers", ""},
	} {
		fill := func(text string) string {
			for name, id := range alice.ids {
				text = strings.ReplaceAll(text, "{"+name+"}", id)
			}
			return text
		}
		got := bob.send(r.method, bob.qstashURL()+"/v2"+fill(r.path), []byte(fill(r.body)), bearer...)
		if got.status >= 500 || strings.Contains(got.body, "her-own-words") || strings.Contains(got.body, "secret-host") || r.method != "GET" && got.status < 300 && !strings.Contains(got.body, ":0") {
			bob.Errorf("%s %s is answered %s", r.method, r.path, got)
		}
	}
	for name, text := range alice.state() {
		if before[name] != text {
			bob.Errorf("%s was\n%.2000s\nand is\n%.2000s", name, before[name], text)
		}
	}
}

var (
	secretText = regexp.MustCompile(`acl_[\w-]{20,}|eyJ[\w-]{20,}|sig_\w{20,}|key" ?: ?"[\w-]{43}"|[>"][\w-]{43}<|value="[\w-]{43}" readonly`)
	cookieText = regexp.MustCompile(`^[^=]+=[^;]{20,}`)
)

// sameForAll are the answers that say the same to everybody.
var sameForAll = map[string]bool{"GET /r/{id}/cli/commands": true, "GET /console": true}

// Every answer says that no cache may keep it, whether it carries a secret or not; those that do are counted, so
// that it is known that they were among them.
func testSecretsAreNotStored(alice *tenant) {
	carried := map[string]bool{}
	check := func(name string, r answer) {
		alice.Helper()
		if !strings.Contains(r.header.Get("Cache-Control"), "no-store") && !sameForAll[strings.TrimSuffix(name, " by htmx")] {
			alice.Errorf("%s is answered with Cache-Control %q: %s", name, r.header.Get("Cache-Control"), r)
		}
		if secretText.MatchString(r.body) || cookieText.MatchString(r.header.Get("Set-Cookie")) {
			carried[name] = true
		}
		if r.status >= 500 {
			alice.Errorf("%s is answered %s", name, r)
		}
	}
	redis, qstash := alice.redisToken(), []string{"Authorization", "Bearer " + alice.qstashToken()}
	if r := alice.do(redis, "ACL", "SETUSER", "user", "on", ">password-of-user", "~*", "+@all"); r.status != http.StatusOK {
		alice.Fatalf("making a user: %s", r)
	}
	check("ACL RESTTOKEN", alice.do(redis, "ACL", "RESTTOKEN", "user", "password-of-user"))
	check("ACL RESTTOKEN in a pipeline", alice.post(redis, "/pipeline", [][]string{{"ACL", "RESTTOKEN", "user", "password-of-user"}}))
	check("Redis, token in the query", alice.send("GET", alice.url()+"/get/secret-key?_token="+url.QueryEscape(redis), nil))
	check("Redis, wrong token in the query", alice.send("GET", alice.url()+"/get/secret-key?_token=wrong", nil))
	check("GET /v2/keys", alice.send("GET", alice.qstashURL()+"/v2/keys", nil, qstash...))
	check("POST /v2/keys/rotate", alice.send("POST", alice.qstashURL()+"/v2/keys/rotate", nil, qstash...))
	check("QStash, token in the query", alice.send("GET", alice.qstashURL()+"/v2/messages/"+alice.ids["message"]+"?qstash_token="+url.QueryEscape(alice.qstashToken()), nil))
	check("Kafka", alice.kafka(alice.kafkaLogin(), "GET", "/topics", ""))
	check("signing in", alice.target.browser().signIn(alice.email, alice.key, ""))
	for _, link := range []string{"/console/sign-in", "/console/sign-in/link?key=x", "/console", "/console/", "/console/nosuch"} {
		check("GET "+link, alice.target.browser().do("GET", link, nil))
	}
	routes := console.Routes()
	slices.SortStableFunc(routes, func(x, y string) int {
		return strings.Compare(fmt.Sprint(ends(x)), fmt.Sprint(ends(y)))
	})
	for _, last := range []bool{false, true} {
		for _, o := range alice.operations() {
			if ends(o.String()) != last {
				continue
			}
			for _, path := range alice.paths(o) {
				check(o.String(), alice.api(o.method, path, alice.body(o)))
			}
		}
		for _, route := range routes {
			if ends(route) != last || strings.HasSuffix(route, "/tail") { // which never ends, and is a stream
				continue
			}
			method, _, _ := strings.Cut(route, " ")
			for _, path := range alice.pagePaths(route) {
				check(route, alice.page(method, path))
				check(route+" by htmx", alice.page(method, path, "HX-Request", "true", "X-CSRF-Token", alice.csrf, "Accept", "text/plain"))
			}
		}
	}
	for _, name := range []string{
		"ACL RESTTOKEN", "GET /v2/keys", "POST /v2/keys/rotate", "signing in", "GET /redis/databases", "POST /redis/database", "GET /redis/database/{id}", "POST /redis/reset-password/{id}",
		"GET /kafka/cluster/{id}", "POST /kafka/cluster", "POST /kafka/credential", "GET /qstash/user/{id}", "POST /qstash/rotate-token/{id}", "GET /skystash/credentials/{resource}/{id}",
		"POST /skystash/credentials/{resource}", "POST /skystash/apikeys", "POST /account/keys", "POST /r/{id}/connection", "POST /r/{id}/credentials/{credential}/token",
		"POST /r/{id}/credentials/new", "POST /r/{id}/signing-keys/{key}",
	} {
		if !carried[name] {
			alice.Errorf("the answer to %s carried no secret; those to %s did", name, slices.Sorted(maps.Keys(carried)))
		}
	}
}

// Tokens with the deployment's own signature open nothing if they say that they are for somebody else or another
// time, or that what reads them has to know something which it does not.
func testSignedTokens(alice *tenant) {
	key := alice.privateKey()
	own := alice.redisToken()
	sign := func(change func(header, claims map[string]any)) string {
		parts := strings.Split(own, ".")
		var both [2]map[string]any
		for i := range both {
			part, err := base64.RawURLEncoding.DecodeString(parts[i])
			if err != nil {
				alice.Fatal(err)
			}
			if err := json.Unmarshal(part, &both[i]); err != nil {
				alice.Fatal(err)
			}
		}
		change(both[0], both[1])
		signed := base64.RawURLEncoding.EncodeToString(encode(alice.T, both[0])) + "." + base64.RawURLEncoding.EncodeToString(encode(alice.T, both[1]))
		return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
	}
	if r := alice.do(sign(func(_, _ map[string]any) {}), "PING"); r.status != http.StatusOK {
		alice.Errorf("a token that was signed again is answered %s", r)
	}
	now := time.Now().Unix()
	for name, change := range map[string]func(header, claims map[string]any){
		"a critical extension":    func(h, _ map[string]any) { h["crit"] = []string{"exp"} },
		"an empty list of them":   func(h, _ map[string]any) { h["crit"] = []string{} },
		"no algorithm":            func(h, _ map[string]any) { h["alg"] = "none" },
		"another algorithm":       func(h, _ map[string]any) { h["alg"] = "HS256" },
		"an unknown key":          func(h, _ map[string]any) { h["kid"] = "unknown" },
		"expired":                 func(_, c map[string]any) { c["exp"] = now - 3600 },
		"not valid yet":           func(_, c map[string]any) { c["nbf"] = now + 3600 },
		"another issuer":          func(_, c map[string]any) { c["iss"] = "evil" },
		"another deployment":      func(_, c map[string]any) { c["aud"] = []string{"evil"} },
		"another product":         func(_, c map[string]any) { c["products"] = []string{"kafka"} },
		"no product":              func(_, c map[string]any) { delete(c, "products") },
		"no resource":             func(_, c map[string]any) { delete(c, "res") },
		"a resource that is none": func(_, c map[string]any) { c["res"] = "nosuch" },
		"an older generation":     func(_, c map[string]any) { c["gen"] = -1 },
		"a later generation":      func(_, c map[string]any) { c["gen"] = 1 << 40 },
		"no id":                   func(_, c map[string]any) { delete(c, "jti") },
		"a scope that is none":    func(_, c map[string]any) { c["scope"] = "admin" },
	} {
		if r := alice.do(sign(change), "PING"); r.status != http.StatusUnauthorized {
			alice.Errorf("%s: a token is answered %s", name, r)
		}
	}
}

func tenants(t *testing.T, binary string) {
	alice, bob := twoTenants(t, binary)
	for _, tc := range []struct {
		name string
		run  func(alice, bob *tenant)
	}{
		{"ids of another account open nothing", testIDs},
		{"signed tokens for others open nothing", func(alice, _ *tenant) { testSignedTokens(alice) }},
		{"what is nearly a token opens nothing", func(alice, _ *tenant) { testTokenForms(alice) }},
		{"signed tokens that make no sense open nothing", func(alice, _ *tenant) { testSignedForms(alice) }},
		{"several tokens add nothing to each other", func(alice, _ *tenant) { testSeveralTokens(alice) }},
		{"no answer may be stored", func(alice, _ *tenant) { testSecretsAreNotStored(alice) }}, // last: it ends everything
	} {
		t.Run(tc.name, func(t *testing.T) {
			with := func(x *tenant) *tenant {
				y := *x
				y.target = x.with(t)
				y.browser.a = y.target
				return &y
			}
			tc.run(with(alice), with(bob))
		})
	}
}
