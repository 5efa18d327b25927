package edge_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skystash/skystash/pkg/console"
	"github.com/skystash/skystash/pkg/control"
	controlrest "github.com/skystash/skystash/pkg/control/rest"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	kafkastream "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	kafkarest "github.com/skystash/skystash/pkg/kafka/rest"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	qstashrest "github.com/skystash/skystash/pkg/qstash/rest"
	wake "github.com/skystash/skystash/pkg/qstash/wake/embedded"
	"github.com/skystash/skystash/pkg/redis"
	redisrest "github.com/skystash/skystash/pkg/redis/rest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/token/keydir"
)

// product is a handler with requests that it is sent.
type product struct {
	name    string
	handler http.Handler
	auth    func(*http.Request, bool) // lets a request in, or tries to with a bad token
	read    string                    // path of a GET that reads the store each time
	long    string                    // the same, with an answer that is long enough to be compressed
	write   string                    // path of a POST
	inner   string                    // path of a POST whose body is read here, if that of write is passed on in any coding
	body    string                    // its body
	limit   int                       // bytes of a body
	pad     func(n int) string        // a body of n bytes
	bare    int                       // status of an OPTIONS request without a token
	unknown int                       // status of a request with a bad token; 0: 401
	heads   []string                  // paths of HEAD requests that would change something if GET or POST were meant

	// html says that answers are pages for people. They have texts of their own, and the id of a request in another form.
	html bool
}

// world is all products over stores that can be broken.
type world struct {
	*testing.T
	faults   *faults
	products []*product
	log      *bytes.Buffer
}

// faults is what goes wrong, in all stores alike.
type faults struct {
	failure atomic.Pointer[func() error] // of all calls; nil: they are carried out
	writes  atomic.Int64
}

// breakable is a store that fails as its faults say, and counts what is written.
type breakable struct {
	store.Store
	*faults
}

func (f *faults) set(failure func() error) {
	if failure == nil {
		f.failure.Store(nil)
	} else {
		f.failure.Store(&failure)
	}
}

func (f *faults) fail() error {
	if failure := f.failure.Load(); failure != nil {
		return (*failure)()
	}
	return nil
}

func (b breakable) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	if err := b.fail(); err != nil {
		return nil, err
	}
	return b.Store.Get(ctx, key)
}

func (b breakable) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	if err := b.fail(); err != nil {
		return nil, err
	}
	return b.Store.GetMany(ctx, keys, snapshot)
}

func (b breakable) Query(ctx context.Context, q store.Query) (store.Page, error) {
	if err := b.fail(); err != nil {
		return store.Page{}, err
	}
	return b.Store.Query(ctx, q)
}

func (b breakable) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	if err := b.fail(); err != nil {
		return nil, err
	}
	b.writes.Add(1)
	return b.Store.Apply(ctx, op)
}

func (b breakable) Commit(ctx context.Context, ops []store.Op) error {
	if err := b.fail(); err != nil {
		return err
	}
	b.writes.Add(1)
	return b.Store.Commit(ctx, ops)
}

func (b breakable) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	if err := b.fail(); err != nil {
		return err
	}
	b.writes.Add(1)
	return b.Store.Load(ctx, puts, deletes)
}

// nothing sends nothing.
type nothing struct{}

func (nothing) Send(context.Context, qstash.Delivery) (qstash.Response, error) {
	return qstash.Response{}, store.ErrUnavailable
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// limit of those handlers that have a choice.
const limit = 100_000

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, faults: &faults{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	open := func() store.Store {
		st, err := embedded.Open(embedded.Options{InMemory: true})
		w.ok(err)
		t.Cleanup(func() { w.ok(st.Close()) })
		return breakable{st, w.faults}
	}
	controls, redises, kafkas, qstashes := open(), open(), open(), open()
	stream, err := kafkastream.Open(t.Context(), kafkastream.Options{Store: kafkas})
	w.ok(err)
	r := redis.New(redis.Config{Store: redises, Logger: log})
	k := kafka.New(kafka.Config{Store: kafkas, Stream: stream, Logger: log})
	q := qstash.New(qstash.Config{Store: qstashes, Sender: nothing{}, Waker: wake.New(wake.Options{}), Alone: true, Logger: log})
	c := control.New(control.Config{
		Store: controls, Keyring: control.NewMemoryKeyring(), Redis: r, Kafka: k, QStash: q, Logger: log,
		Directories: []keydir.Directory{{Store: redises}, {Store: kafkas}, {Store: qstashes}},
		Endpoints:   control.Endpoints{Redis: "https://redis.example", Kafka: "https://kafka.example", QStash: "https://qstash.example"},
	})
	admin, key, err := c.Bootstrap(t.Context(), "admin@example.com")
	w.ok(err)
	owned := func(res *control.Resource, err error) (*control.Resource, control.Token) {
		t.Helper()
		w.ok(err)
		credentials, err := c.Credentials(t.Context(), admin.ID, res.ID)
		w.ok(err)
		for _, cred := range credentials {
			if cred.Default && cred.Scope == token.ReadWrite {
				tok, err := c.Token(t.Context(), admin.ID, res.ID, cred.ID)
				w.ok(err)
				return res, tok
			}
		}
		t.Fatal("no credential")
		return nil, control.Token{}
	}
	verifier := func(name string, st store.Store) *token.Verifier {
		v, err := token.NewVerifier(token.VerifierConfig{Product: name, Published: keydir.Directory{Store: st}})
		w.ok(err)
		return v
	}
	db, dbToken := owned(c.CreateDatabase(t.Context(), admin.ID, control.CreateOptions{Name: "db"}))
	cluster, clusterToken := owned(c.CreateCluster(t.Context(), admin.ID, control.CreateOptions{Name: "cluster"}))
	_, accountToken := owned(c.CreateQStash(t.Context(), admin.ID, control.CreateOptions{Name: "queue"}))
	opened, err := k.Cluster(t.Context(), cluster.ID)
	w.ok(err)
	_, err = k.CreateTopic(t.Context(), opened, "red", kafka.TopicOptions{Partitions: 1})
	w.ok(err)
	pages, err := console.New(console.Config{Control: c, Book: meter.NewBook(controls), Store: controls, Redis: r, Kafka: k, QStash: q, Logger: log})
	w.ok(err)
	cookies, csrf := w.signIn(pages, admin.ID)

	bearer := func(text string) func(*http.Request, bool) {
		return func(r *http.Request, good bool) {
			if good {
				r.Header.Set("Authorization", "Bearer "+text)
			} else {
				r.Header.Set("Authorization", "Bearer bad")
			}
		}
	}
	basic := func(user, password string) func(*http.Request, bool) {
		return func(r *http.Request, good bool) {
			if good {
				r.SetBasicAuth(user, password)
			} else {
				r.SetBasicAuth(user, "bad")
			}
		}
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	w.products = []*product{
		{
			name: "redis", auth: bearer(dbToken.Text), bare: 200, limit: limit, pad: x,
			handler: redisrest.New(redisrest.Config{Engine: r, Verifier: verifier(token.ProductRedis, redises), MaxRequestBytes: limit, MaxBodyBytes: 4 * limit, Logger: log}),
			read:    "/get/k", long: "/get/long", write: "/set/k", body: "value",
			heads: []string{
				"/set/k/v", "/incr/n", "/del/long", "/getex/k?EX=1", "/eval/return%201/0", "/script/load/return%201", "/script/flush", "/flushdb", "/flushall",
				"/publish/c/m", "/acl/setuser/u/on", "/xgroup/create/s/g/$/MKSTREAM", "/xreadgroup/GROUP/g/c/STREAMS/s/>", "/blpop/l/1", "/getdel/k",
				"/pfcount/h", "/json.set/j/$/1", "/multi-exec", "/pipeline", "/subscribe/c", "/monitor", "/rename/k/l", "/expire/k/1", "/function/flush", "/sort/k/store/l",
			},
		},
		{
			name: "kafka", auth: basic(clusterToken.Username, clusterToken.Text), bare: 200, limit: limit, pad: x,
			handler: kafkarest.New(kafkarest.Config{Engine: k, Verifier: verifier(token.ProductKafka, kafkas), MaxBodyBytes: limit, Logger: log}),
			read:    "/consumers", write: "/webhook?topic=red", body: "value",
			heads: []string{"/produce/red/message", "/produce/red", "/webhook?topic=red", "/consume/g/i/red", "/commit/g/i", "/delete-consumer/g/i", "/committed/g/i"},
		},
		{
			name: "qstash", auth: bearer(accountToken.Text), bare: 401, limit: limit, pad: x,
			handler: qstashrest.New(qstashrest.Config{
				Engine: q, Authenticator: qstashrest.Tokens{Engine: q, Verifier: verifier(token.ProductQStash, qstashes)}, MaxBodyBytes: limit, Logger: log,
			}),
			read: "/v2/queues", write: "/v2/publish/https://example.com/", inner: "/v2/batch", body: "value",
			heads: []string{
				"/v2/publish/https://example.com/", "/v2/enqueue/q/https://example.com/", "/v2/batch", "/v2/schedules/https://example.com/", "/v2/trigger/https://example.com/",
				"/v2/notify/event", "/v2/wait/event", "/v2/workflows/hooks/user/run/event", "/v2/keys/rotate", "/v2/rotate", "/v2/messages/m", "/v2/messages", "/v2/dlq/retry",
				"/v2/dlq/d", "/v2/dlq", "/v2/queues/q", "/v2/queues/q/pause", "/v2/topics/t", "/v2/topics/t/endpoints", "/v2/flowControl/k/reset", "/v2/workflows/runs",
				"/v2/workflows/dlq/resume", "/v1/publish/https://example.com/",
			},
		},
		{
			name: "control", auth: basic("admin@example.com", key), bare: 405, limit: 64 << 10,
			handler: controlrest.New(controlrest.Config{Engine: c, Book: meter.NewBook(controls), Kafka: k, QStash: q, Logger: log}),
			read:    "/v2/redis/databases", long: "/v2/openapi.json", write: "/v2/redis/rename/" + db.ID, body: `{"name":"renamed"}`,
			pad: func(n int) string { return `{"name":"` + x(n-11) + `"}` },
			heads: []string{
				"/v2/redis/database", "/v2/redis/database/" + db.ID, "/v2/redis/reset-password/" + db.ID, "/v2/redis/rename/" + db.ID, "/v2/skystash/apikeys",
				"/v2/skystash/credentials/" + db.ID, "/v2/skystash/reset/" + db.ID, "/v2/skystash/limits/" + db.ID, "/v2/skystash/signing-keys", "/v2/qstash/user", "/v2/qstash/rotatetoken",
				"/v2/kafka/topic", "/v2/kafka/cluster/" + cluster.ID,
			},
		},
		{
			name: "console", handler: pages, html: true, bare: 303, unknown: 303, limit: 1 << 20,
			auth: func(r *http.Request, good bool) {
				for _, cookie := range cookies {
					if good {
						r.AddCookie(cookie)
					}
				}
				if r.Method == http.MethodPost {
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					r.Header.Set("Hx-Request", "true") // without, a form at fault goes back to its page, which shows why
				}
			},
			read: "/console/", long: "/console/", write: "/console/account/keys", body: url.Values{"csrf": {csrf}, "name": {"mine"}}.Encode(),
			pad: func(n int) string {
				start := url.Values{"csrf": {csrf}}.Encode() + "&name="
				return start + x(n-len(start))
			},
			heads: []string{
				"/console/new", "/console/account", "/console/account/keys", "/console/sign-out", "/console/sign-in/link?key=x", "/console/r/" + db.ID + "/browser", "/console/r/" + db.ID + "/browser/delete",
				"/console/r/" + db.ID + "/credentials/reset", "/console/r/" + db.ID, "/console/signing-keys/rotate",
			},
		},
	}
	redisHandler := w.products[0]
	if resp := w.send(redisHandler, "POST", "/set/long", strings.Repeat("again and ", 1000)); resp.status != 200 {
		t.Fatalf("%+v", resp)
	}
	return w
}

// signIn returns the cookies and the form's token of a browser that has signed in to the console.
func (w *world) signIn(h *console.Handler, account string) ([]*http.Cookie, string) {
	w.Helper()
	link, err := h.SignInLink(w.Context(), account, 1<<40)
	w.ok(err)
	path, query, _ := strings.Cut(link, "?")
	values, err := url.ParseQuery(query)
	w.ok(err)
	token := func(page *httptest.ResponseRecorder) string {
		w.Helper()
		found := regexp.MustCompile(`<meta name="csrf-token" content="([^"]*)">`).FindStringSubmatch(page.Body.String())
		if found == nil {
			w.Fatalf("%d: no token in %s", page.Code, page.Body)
		}
		return found[1]
	}
	page := httptest.NewRecorder()
	h.ServeHTTP(page, httptest.NewRequest("GET", link, nil))
	form := url.Values{"csrf": {token(page)}, "key": values["key"]}
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range page.Result().Cookies() {
		r.AddCookie(c)
	}
	signed := httptest.NewRecorder()
	h.ServeHTTP(signed, r)
	var cookies []*http.Cookie
	for _, c := range signed.Result().Cookies() {
		if c.Value != "" {
			cookies = append(cookies, c)
		}
	}
	r = httptest.NewRequest("GET", "/console/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	page = httptest.NewRecorder()
	h.ServeHTTP(page, r)
	return cookies, token(page)
}

// answer is what a client gets.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a request with the product's token and pairs of a header's name and value; "token", "bad" sends a bad one, and
// "token", "" none.
func (w *world) send(p *product, method, path, body string, headers ...string) answer {
	w.Helper()
	r := httptest.NewRequestWithContext(edge.WithRequestID(w.Context(), "id-1"), method, path, strings.NewReader(body))
	credential := "good"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "token" {
			credential = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	if credential != "" {
		p.auth(r, credential == "good")
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Result().Header, rec.Body.String()}
}
