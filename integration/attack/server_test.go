package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/integration/local"
	"github.com/skystash/skystash/pkg/testenv/logbuffer"
)

// target is a local server under attack.
type target struct {
	*testing.T
	server *local.Server
	client *http.Client
	log    *logbuffer.Buffer

	readOnlyToken string
}

// newTarget starts a server for one test. All servers run the same executable.
func newTarget(t *testing.T, binary string, args ...string) *target {
	t.Helper()
	return startTarget(t, binary, append([]string{"-ephemeral"}, args...)...)
}

// startTarget is newTarget with all arguments given.
func startTarget(t *testing.T, binary string, args ...string) *target {
	t.Helper()
	log := &logbuffer.Buffer{}
	s := local.New(t, binary, args...)
	s.Log = log
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%.20000s", log)
		}
	})
	a := &target{T: t, server: s, log: log, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	a.readOnlyToken = a.manage("GET", "/v2/redis/database/default", nil).field(t, "read_only_rest_token")
	return a
}

// with is the same server for another test.
func (a *target) with(t *testing.T) *target {
	b := *a
	b.T = t
	return &b
}

func (a *target) url() string       { return a.server.Var("UPSTASH_REDIS_REST_URL") }
func (a *target) token() string     { return a.server.Var("UPSTASH_REDIS_REST_TOKEN") }
func (a *target) readOnly() string  { return a.readOnlyToken }
func (a *target) qstash() string    { return a.server.Var("QSTASH_TOKEN") }
func (a *target) qstashURL() string { return a.server.Var("QSTASH_URL") }

// answer is what a request has been answered.
type answer struct {
	status int
	header http.Header
	body   string
}

func (r answer) String() string { return fmt.Sprintf("%d %.300s", r.status, r.body) }

// send sends a request. header has names and values in turn.
func (a *target) send(method, url string, body []byte, header ...string) answer {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := a.client.Do(req)
	if err != nil {
		a.Fatalf("%s %.100s: %v", method, url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatalf("%s %.100s: %v", method, url, err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// post sends something as JSON to a path of Redis with a token.
func (a *target) post(token, path string, body any) answer {
	a.Helper()
	return a.send("POST", a.url()+path, encode(a.T, body), "Authorization", "Bearer "+token)
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// do runs a command with a token.
func (a *target) do(token string, args ...string) answer {
	a.Helper()
	return a.post(token, "", args)
}

// must runs a command with the token that may do everything, and returns its result as JSON.
func (a *target) must(args ...string) string {
	a.Helper()
	r := a.do(a.token(), args...)
	if r.status != http.StatusOK {
		a.Fatalf("%.100q: %s", args, r)
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(r.body), `{"result":`), "}")
}

// manage sends a request to the Developer API.
func (a *target) manage(method, path string, body any) answer {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), method, a.server.Var("SKYSTASH_API_URL")+path, bytes.NewReader(encode(a.T, body)))
	if err != nil {
		a.Fatal(err)
	}
	req.SetBasicAuth(a.server.Var("UPSTASH_EMAIL"), a.server.Var("UPSTASH_API_KEY"))
	resp, err := a.client.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// field is a field of an answer that is a JSON object.
func (r answer) field(t *testing.T, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(r.body), &fields); err != nil || fields[name] == nil {
		t.Fatalf("%s has no %s: %v", r, name, err)
	}
	return fmt.Sprint(fields[name])
}

// refused says that an answer has a status and an error with some words.
func (a *target) refused(r answer, status int, words string) {
	a.Helper()
	if r.status != status || !strings.Contains(r.body, words) {
		a.Errorf("answered %s, want %d with %q", r, status, words)
	}
}

// credential issues a credential of the default database and returns its id and token.
func (a *target) credential(rules ...string) (id, token string) {
	a.Helper()
	r := a.manage("POST", "/v2/skystash/credentials/default", map[string]any{"name": "attack", "rules": rules})
	if r.status >= 300 {
		a.Fatalf("issuing a credential: %s", r)
	}
	return r.field(a.T, "id"), r.field(a.T, "token")
}
