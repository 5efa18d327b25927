package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/controltest"
	"github.com/skystash/skystash/pkg/meter"
)

// api is the API of a deployment, as an account sees it. It checks each answer against the
// OpenAPI document, and notes which operations were carried out.
type api struct {
	*controltest.World
	handler    http.Handler
	email, key string
	validate   *validator
	done       map[string]bool
}

func newAPI(t *testing.T) *api {
	w := controltest.New(t)
	h := New(Config{
		Engine: w.Control, Book: meter.NewBook(w.Tables["control"]), Kafka: w.Kafka, QStash: w.QStash, Backups: w.Backups,
		ReadRegions: []string{"eu-west-1"}, Now: w.Now,
	})
	return &api{World: w, handler: h, email: w.Admin.Email, key: w.Key, validate: newValidator(t), done: map[string]bool{}}
}

// as is the API for another account, which it makes.
func (a *api) as(email string) *api {
	b := *a
	_, key, err := a.Control.CreateAPIKey(a.Context(), a.Account(email).ID, "test")
	a.OK(err)
	b.email, b.key = email, key
	return &b
}

// call sends a request and returns the status and the answer.
func (a *api) call(method, path string, body any) (int, any) {
	a.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		a.OK(err)
		in = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, "/v2"+path, in)
	if a.key != "" {
		r.SetBasicAuth(a.email, a.key)
	}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	answer, err := jsonschema.UnmarshalJSON(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		a.Fatalf("%s %s is answered %d %q: %v", method, path, w.Code, w.Body, err)
	}
	if op := a.validate.check(a, method, path, w.Code, answer); w.Code == http.StatusOK {
		a.done[op] = true
	}
	return w.Code, answer
}

// ok sends a request that succeeds.
func (a *api) ok(method, path string, body any) map[string]any {
	a.Helper()
	status, answer := a.call(method, path, body)
	if status != http.StatusOK {
		a.Fatalf("%s %s is answered %d %v", method, path, status, answer)
	}
	m, _ := answer.(map[string]any)
	return m
}

// refused sends a request that is refused with a status.
func (a *api) refused(want int, method, path string, body any) {
	a.Helper()
	if status, answer := a.call(method, path, body); status != want {
		a.Errorf("%s %s is answered %d %v, want status %d", method, path, status, answer, want)
	}
}

// whileTimePasses does what waits until all instances know of a change.
func (a *api) whileTimePasses(do func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				a.Advance(10 * time.Millisecond)
			}
		}
	})
	do()
	close(done)
	wg.Wait()
}

// list sends a request whose answer is a list, and returns what field its members have.
func (a *api) list(path, field string) []string {
	a.Helper()
	status, answer := a.call("GET", path, nil)
	items, ok := answer.([]any)
	if status != http.StatusOK || !ok {
		a.Fatalf("GET %s is answered %d %v", path, status, answer)
	}
	var out []string
	for _, it := range items {
		out = append(out, fmt.Sprint(it.(map[string]any)[field]))
	}
	return out
}

// validator holds answers against the OpenAPI document.
type validator struct {
	compiler *jsonschema.Compiler
	paths    map[string]map[string]any // by path, then method in lower case
	schemas  map[string]*jsonschema.Schema
}

const documentURL = "https://skystash.test/openapi.json"

func newValidator(t *testing.T) *validator {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err != nil {
		t.Fatal(err)
	}
	v := &validator{compiler: jsonschema.NewCompiler(), paths: map[string]map[string]any{}, schemas: map[string]*jsonschema.Schema{}}
	v.compiler.DefaultDraft(jsonschema.Draft2020)
	v.compiler.AssertFormat()
	if err := v.compiler.AddResource(documentURL, doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.(map[string]any)["paths"].(map[string]any) {
		v.paths[path] = item.(map[string]any)
	}
	return v
}

// check holds an answer against the schema of its operation and status, and returns the operation.
func (v *validator) check(a *api, method, path string, status int, answer any) string {
	a.Helper()
	path, _, _ = strings.Cut(path, "?")
	pattern := v.find(method, path)
	pointer := "#/components/schemas/Error"
	if status == http.StatusOK {
		escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(pattern)
		pointer = "#/paths/" + escaped + "/" + strings.ToLower(method) + "/responses/200/content/application~1json/schema"
	}
	if v.schemas[pointer] == nil {
		schema, err := v.compiler.Compile(documentURL + pointer)
		if err != nil {
			a.Fatalf("%s %s: the document has no schema for the answer: %v", method, pattern, err)
		}
		v.schemas[pointer] = schema
	}
	if err := v.schemas[pointer].Validate(answer); err != nil {
		a.Errorf("%s %s: %v\nanswer: %v", method, path, err, answer)
	}
	return method + " " + pattern
}

func (v *validator) find(method, path string) string {
	for pattern, item := range v.paths {
		_, match := (&route{path: pattern}).match(strings.Split(strings.TrimPrefix(path, "/"), "/"))
		if match && item[strings.ToLower(method)] != nil {
			return pattern
		}
	}
	return ""
}

func TestDocumentAndRoutesAreTheSame(t *testing.T) {
	documented, routed := []string{}, []string{}
	for path, item := range newValidator(t).paths {
		for method := range item {
			documented = append(documented, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range routes() {
		routed = append(routed, r.method+" "+r.path)
	}
	slices.Sort(documented)
	slices.Sort(routed)
	for _, op := range documented {
		if _, ok := slices.BinarySearch(routed, op); !ok {
			t.Errorf("%s is documented and not served", op)
		}
	}
	for _, op := range routed {
		if _, ok := slices.BinarySearch(documented, op); !ok {
			t.Errorf("%s is served and not documented", op)
		}
	}
}

// TestEveryOperation carries out every operation that there is, each of which is held
// against the document.
func TestEveryOperation(t *testing.T) {
	a := newAPI(t)

	db := a.ok("POST", "/redis/database", map[string]any{"database_name": "first", "region": "global", "primary_region": "us-east-1", "read_regions": []string{"eu-west-1"}, "budget": 20})
	id := db["database_id"].(string)
	for _, path := range []string{"enable-tls", "enable-eviction", "disable-eviction", "enable-autoupgrade", "disable-autoupgrade", "enable-prodpack", "disable-prodpack"} {
		a.ok("POST", "/redis/"+path+"/"+id, nil)
	}
	a.ok("PATCH", "/redis/update-budget/"+id, map[string]any{"budget": 30})
	a.ok("POST", "/redis/update-regions/"+id, map[string]any{"read_regions": []string{}})
	if got := a.ok("POST", "/redis/rename/"+id, map[string]any{"name": "second"}); got["database_name"] != "second" || got["budget"] != json.Number("30") {
		t.Errorf("after renaming, the database is %v", got)
	}
	if got := a.ok("POST", "/redis/reset-password/"+id, nil); got["rest_token"] == db["rest_token"] || got["read_only_rest_token"] == db["read_only_rest_token"] {
		t.Error("a reset leaves a token as it was")
	}
	if got := a.ok("GET", "/redis/database/"+id+"?credentials=hide", nil); got["rest_token"] != nil || got["password"] != nil {
		t.Errorf("hidden credentials are shown: %v", got)
	}
	if ids := a.list("/redis/databases", "database_id"); !slices.Equal(ids, []string{id}) {
		t.Errorf("databases %v", ids)
	}
	a.ok("GET", "/redis/stats/"+id, nil)
	a.ok("POST", "/redis/create-backup/"+id, map[string]any{"name": "before the change"})
	a.ok("POST", "/redis/create-backup/"+id, map[string]any{"name": "another"})
	backups := a.list("/redis/list-backup/"+id, "backup_id")
	a.whileTimePasses(func() { a.ok("POST", "/redis/restore-backup/"+id, map[string]any{"backup_id": backups[0]}) })
	a.ok("DELETE", "/redis/delete-backup/"+id+"/"+backups[0], nil)
	if left := a.list("/redis/list-backup/"+id, "backup_id"); !slices.Equal(left, backups[1:]) {
		t.Errorf("backups %v, after the first of %v was deleted", left, backups)
	}

	cluster := a.ok("POST", "/kafka/cluster", map[string]any{"name": "events", "region": "us-east-1", "multizone": true})["cluster_id"].(string)
	topic := a.ok("POST", "/kafka/topic", map[string]any{"name": "orders", "cluster_id": cluster, "partitions": 2, "retention_time": -1, "retention_size": -1, "max_message_size": -1, "cleanup_policy": "delete"})["topic_id"].(string)
	if got := a.ok("POST", "/kafka/update-topic/"+topic, map[string]any{"partitions": 3, "retention_time": 60000}); got["partitions"] != json.Number("3") || got["retention_time"] != json.Number("60000") {
		t.Errorf("the topic is %v", got)
	}
	if got := a.ok("POST", "/kafka/update-topic/"+topic, map[string]any{"cleanup_policy": "compact,delete"}); got["cleanup_policy"] != "compact,delete" || got["tcp_endpoint"] != "" {
		t.Errorf("the topic is %v", got)
	}
	a.ok("POST", "/skystash/delete-records/"+topic, []any{map[string]any{"partition": 2, "offset": -1}})
	a.ok("GET", "/kafka/topic/"+topic, nil)
	a.list("/kafka/topics/"+cluster, "topic_id")
	a.ok("GET", "/kafka/stats/topic/"+topic, nil)
	a.ok("GET", "/kafka/stats/cluster/"+cluster, nil)
	a.list("/kafka/clusters", "cluster_id")
	a.ok("GET", "/kafka/cluster/"+cluster, nil)
	a.ok("POST", "/kafka/rename-cluster/"+cluster, map[string]any{"name": "other"})
	a.ok("POST", "/kafka/reset-password/"+cluster, nil)
	cred := a.ok("POST", "/kafka/credential", map[string]any{"credential_name": "reader", "cluster_id": cluster, "topic": "ord*", "permissions": "CONSUME"})["credential_id"].(string)
	if ids := a.list("/kafka/credentials", "credential_id"); !slices.Equal(ids, []string{cred}) {
		t.Errorf("credentials %v", ids)
	}
	a.ok("DELETE", "/kafka/credential/"+cred, nil)
	a.ok("DELETE", "/kafka/topic/"+topic, nil)
	a.ok("DELETE", "/kafka/cluster/"+cluster, nil)

	a.Advance(time.Second)
	qstash := a.ok("POST", "/skystash/qstash", map[string]any{"name": "jobs"})["id"].(string)
	first := a.ok("GET", "/qstash/user", nil)
	if rotated := a.ok("POST", "/qstash/rotate-token/"+qstash, nil); rotated["token"] == first["token"] {
		t.Error("rotating the token leaves it as it was")
	}
	a.ok("POST", "/qstash/rotatetoken", nil)
	a.ok("GET", "/qstash/user/"+qstash, nil)
	a.list("/qstash/users", "id")
	a.ok("GET", "/qstash/stats/"+qstash+"?period=7d", nil)
	a.ok("GET", "/qstash/ipv4", nil)
	a.ok("PATCH", "/qstash/update-budget/"+qstash, map[string]any{"budget": 0})

	a.ok("GET", "/skystash/account", nil)
	if ids := a.list("/skystash/resources", "id"); !slices.Equal(ids, []string{id, qstash}) {
		t.Errorf("resources %v", ids)
	}
	a.ok("GET", "/skystash/resource/"+id, nil)
	issued := a.ok("POST", "/skystash/credentials/"+id, map[string]any{"name": "app", "scope": "ro", "rules": []string{"+@read", "~app:*"}, "expires_at": "2027-01-01T00:00:00Z"})
	if got := a.ok("GET", "/skystash/credentials/"+id+"/"+issued["id"].(string), nil); got["token"] != issued["token"] {
		t.Error("the token is another one when it is asked for again")
	}
	a.list("/skystash/credentials/"+id, "id")
	a.ok("DELETE", "/skystash/credentials/"+id+"/"+issued["id"].(string), nil)
	a.list("/skystash/users/"+id, "name")
	a.ok("POST", "/skystash/reset/"+id, nil)
	a.ok("PUT", "/skystash/limits/"+id, map[string]any{"daily_requests": 1000, "monthly_budget": 2.5})
	a.ok("GET", "/skystash/limits/"+id, nil)
	a.ok("GET", "/skystash/usage/"+id+"?by=day&from=2026-11-01T00:00:00Z", nil)
	key := a.ok("POST", "/skystash/apikeys", map[string]any{"name": "ci"})["id"].(string)
	a.list("/skystash/apikeys", "id")
	a.ok("DELETE", "/skystash/apikeys/"+key, nil)
	old := a.list("/skystash/signing-keys", "id")[0]
	a.ok("POST", "/skystash/signing-keys", nil)
	a.Advance(control.SigningDelay)
	a.ok("DELETE", "/skystash/signing-keys/"+old, nil)
	a.ok("GET", "/openapi.json", nil)

	a.ok("DELETE", "/redis/database/"+id, nil)
	if left, err := a.Backups.List(t.Context(), id); err != nil || len(left) > 0 {
		t.Errorf("a database is deleted and has %d backups: %v", len(left), err)
	}
	a.ok("DELETE", "/skystash/resource/"+qstash, nil)
	a.refused(http.StatusNotFound, "GET", "/redis/database/"+id, nil)

	for path, item := range a.validate.paths {
		for method, op := range item {
			_, succeeds := op.(map[string]any)["responses"].(map[string]any)["200"]
			if name := strings.ToUpper(method) + " " + path; succeeds && !a.done[name] {
				t.Errorf("%s was not carried out", name)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	a := newAPI(t)
	id := a.ok("POST", "/redis/database", map[string]any{"database_name": "first", "primary_region": "us-east-1"})["database_id"].(string)
	qstash := a.ok("POST", "/skystash/qstash", map[string]any{"name": "jobs"})["id"].(string)
	cluster := a.ok("POST", "/kafka/cluster", map[string]any{"name": "events"})["cluster_id"].(string)
	for _, c := range []struct {
		name         string
		status       int
		method, path string
		body         any
	}{
		{"a region that is not the deployment's", 400, "POST", "/redis/database", map[string]any{"database_name": "x", "primary_region": "eu-west-3"}},
		{"a read region that is not deployed", 400, "POST", "/redis/database", map[string]any{"database_name": "x", "read_regions": []string{"sa-east-1"}}},
		{"no name", 400, "POST", "/redis/database", map[string]any{}},
		{"a negative budget", 400, "PATCH", "/redis/update-budget/" + id, map[string]any{"budget": -1}},
		{"a backup without a name", 400, "POST", "/redis/create-backup/" + id, nil},
		{"a backup that is not there", 404, "POST", "/redis/restore-backup/" + id, map[string]any{"backup_id": "none"}},
		{"deleting a backup that is not there", 404, "DELETE", "/redis/delete-backup/" + id + "/none", nil},
		{"backups of another product", 404, "GET", "/redis/list-backup/" + qstash, nil},
		{"daily backups", 400, "PATCH", "/redis/enable-dailybackup/" + id, nil},
		{"no budget", 400, "PATCH", "/redis/update-budget/" + id, map[string]any{}},
		{"a body that is no object", 400, "POST", "/redis/rename/" + id, "name"},
		{"a body that is too large", 413, "POST", "/redis/rename/" + id, map[string]any{"name": strings.Repeat("x", maxBody)}},
		{"a plan", 400, "POST", "/redis/" + id + "/change-plan", map[string]any{"plan_name": "payg"}},
		{"a plan of a database that there is not", 404, "POST", "/redis/nothing/change-plan", nil},
		{"an allow list", 400, "POST", "/redis/update-allowlist/" + id, nil},
		{"a team", 400, "POST", "/redis/move-to-team", nil},
		{"a QStash plan", 400, "POST", "/qstash/set-plan/" + qstash, nil},
		{"a team for QStash", 400, "POST", "/qstash/move-to-team", nil},
		{"a production pack", 400, "POST", "/qstash/enable-prodpack/" + qstash, nil},
		{"no production pack", 400, "POST", "/qstash/disable-prodpack/" + qstash, nil},
		{"a database that is a QStash account", 404, "GET", "/redis/database/" + qstash, nil},
		{"a QStash account that is a database", 404, "GET", "/qstash/user/" + id, nil},
		{"a topic that there is not", 404, "GET", "/kafka/topic/" + cluster + ".7", nil},
		{"a topic id that is none", 404, "GET", "/kafka/topic/x", nil},
		{"an illegal topic name", 400, "POST", "/kafka/topic", map[string]any{"name": "a/b", "cluster_id": cluster}},
		{"too many partitions", 400, "POST", "/kafka/topic", map[string]any{"name": "a", "cluster_id": cluster, "partitions": 101}},
		{"a permission that there is not", 400, "POST", "/kafka/credential", map[string]any{"credential_name": "x", "cluster_id": cluster, "permissions": "SOME"}},
		{"a rule that makes no sense", 400, "POST", "/skystash/credentials/" + id, map[string]any{"name": "x", "rules": []string{"+nothing"}}},
		{"a rule that would set a password", 400, "POST", "/skystash/credentials/" + id, map[string]any{"name": "x", "rules": []string{">password"}}},
		{"a bound that is misspelt", 400, "POST", "/skystash/credentials/" + id, map[string]any{"name": "x", "rule": []string{"+@read"}}},
		{"a bound of another shape", 400, "POST", "/skystash/credentials/" + cluster, map[string]any{"name": "x", "topics": map[string]any{"red": "consume"}}},
		{"no rules", 400, "POST", "/skystash/credentials/" + id, map[string]any{"name": "x", "rules": []string{}}},
		{"no topics", 400, "POST", "/skystash/credentials/" + cluster, map[string]any{"name": "x", "topics": map[string]any{}}},
		{"no groups", 400, "POST", "/skystash/credentials/" + cluster, map[string]any{"name": "x", "groups": ""}},
		{"no destinations", 400, "POST", "/skystash/credentials/" + qstash, map[string]any{"name": "x", "destinations": []string{}}},
		{"a limit that is misspelt", 400, "PUT", "/skystash/limits/" + id, map[string]any{"daily_request": 10}},
		{"an expiry that is over", 400, "POST", "/skystash/credentials/" + id, map[string]any{"name": "x", "expires_at": "2020-01-01T00:00:00Z"}},
		{"the default credential", 400, "DELETE", "/skystash/credentials/" + id + "/default", nil},
		{"the last API key", 400, "DELETE", "/skystash/apikeys/bootstrap", nil},
		{"the signing key in use", 400, "DELETE", "/skystash/signing-keys/" + a.list("/skystash/signing-keys", "id")[0], nil},
		{"a period that there is not", 400, "GET", "/qstash/stats/" + qstash + "?period=2h", nil},
		{"too long a time of usage", 400, "GET", "/skystash/usage/" + id + "?from=2020-01-01T00:00:00Z", nil},
		{"teams", 404, "GET", "/teams", nil},
		{"Vector", 404, "GET", "/vector/index", nil},
		{"a path that there is not", 404, "GET", "/redis/nothing", nil},
		{"a method that there is not", 405, "PUT", "/redis/databases", nil},
	} {
		t.Run(c.name, func(t *testing.T) { a.refused(c.status, c.method, c.path, c.body) })
	}
}

func TestWhoIsNobodyIsRefused(t *testing.T) {
	a := newAPI(t)
	nobody := *a
	nobody.key = ""
	other := a.as("other@example.com")
	mixed := *a
	mixed.key = other.key
	for _, who := range []*api{&nobody, &mixed} {
		for _, r := range routes() {
			if !r.open {
				who.refused(http.StatusUnauthorized, r.method, strings.NewReplacer("{id}", "x", "{resource}", "x").Replace(r.path), nil)
				a.Advance(guardTime)
			}
		}
	}
	for range maxFailures {
		mixed.refused(http.StatusUnauthorized, "GET", "/redis/databases", nil)
	}
	mixed.refused(http.StatusTooManyRequests, "GET", "/redis/databases", nil)
	a.ok("GET", "/skystash/account", nil) // a good key, from the same address
	mixed.refused(http.StatusTooManyRequests, "GET", "/redis/databases", nil)
	a.Advance(guardTime)
	mixed.refused(http.StatusUnauthorized, "GET", "/redis/databases", nil)
}
