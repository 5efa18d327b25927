package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	kafkastream "github.com/skystash/skystash/pkg/kafka/ingest/embedded"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/embedded"
)

// world is a console over stores in memory, seen by a browser that has signed in.
type world struct {
	testing.TB
	now        time.Time
	store      store.Store // of control
	redis      *redis.Engine
	kafka      *kafka.Engine
	kafkaStore store.Store
	qstash     *qstash.Engine
	control    *control.Engine
	console    *Handler
	server     *httptest.Server
	hints      hints // of qstash

	admin *control.Account
	key   string // the admin's API key
	*browser
}

// destinations plays them: https://ok.example answers, at https://closed.example nobody listens, and to all others nothing is sent.
type destinations struct{}

func (destinations) Send(_ context.Context, d qstash.Delivery) (qstash.Response, error) {
	switch {
	case strings.HasPrefix(d.URL, "https://ok.example"):
		return qstash.Response{Status: 200, Body: []byte("thank you")}, nil
	case strings.HasPrefix(d.URL, "https://closed.example"):
		return qstash.Response{}, &qstash.NoAnswer{Reason: "unable to connect to closed.example: connection refused", Refused: true}
	}
	return qstash.Response{}, &qstash.NoAnswer{Reason: "nothing is sent"}
}

// newTest opens a console. The clock stands still, at noon of 24 November 2026.
func newTest(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	open := func() store.Store {
		st, err := embedded.Open(embedded.Options{InMemory: true, Now: clock})
		w.ok(err)
		t.Cleanup(func() { w.ok(st.Close()) })
		return st
	}
	w.store = open()
	w.kafkaStore = open()
	stream, err := kafkastream.Open(t.Context(), kafkastream.Options{Store: w.kafkaStore, Now: clock})
	w.ok(err)
	w.redis = redis.New(redis.Config{Store: open(), Now: clock})
	t.Cleanup(w.redis.Close)
	w.kafka = kafka.New(kafka.Config{Store: w.kafkaStore, Stream: stream, Now: clock})
	t.Cleanup(w.kafka.Close)
	w.qstash = qstash.New(qstash.Config{Store: open(), Sender: destinations{}, Waker: &w.hints, Now: clock, Alone: true})
	w.control = control.New(control.Config{
		Store: w.store, Keyring: control.NewMemoryKeyring(), Redis: w.redis, Kafka: w.kafka, QStash: w.qstash, Now: clock,
		Endpoints: control.Endpoints{Redis: "https://redis.example", Kafka: "https://kafka.example", QStash: "https://qstash.example"},
	})
	w.admin, w.key, err = w.control.Bootstrap(t.Context(), "admin@example.com")
	w.ok(err)
	w.console, err = New(Config{
		Control: w.control, Book: meter.NewBook(w.store), Store: w.store, Redis: w.redis, Kafka: w.kafka, QStash: w.qstash,
		ReadRegions: []string{"eu-west-1", "ap-south-1"}, Now: clock, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	w.ok(err)
	w.server = httptest.NewServer(w.console)
	t.Cleanup(w.server.Close)
	w.browser = w.newBrowser()
	w.signIn(w.admin)
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) createDatabase(name string) *control.Resource {
	w.Helper()
	res, err := w.control.CreateDatabase(w.Context(), w.admin.ID, control.CreateOptions{Name: name})
	w.ok(err)
	return res
}

func (w *world) createCluster(name string) *control.Resource {
	w.Helper()
	res, err := w.control.CreateCluster(w.Context(), w.admin.ID, control.CreateOptions{Name: name})
	w.ok(err)
	return res
}

func (w *world) createQStash(name string) *control.Resource {
	w.Helper()
	res, err := w.control.CreateQStash(w.Context(), w.admin.ID, control.CreateOptions{Name: name})
	w.ok(err)
	return res
}

// otherAccount makes another account, and a browser that has signed in to it.
func (w *world) otherAccount(email string) (*control.Account, *browser) {
	w.Helper()
	acct, err := w.control.CreateAccount(w.Context(), email, false)
	w.ok(err)
	b := w.newBrowser()
	b.signIn(acct)
	return acct, b
}

// browser keeps cookies and follows redirects.
type browser struct {
	w      *world
	client *http.Client
	csrf   string // of the page it is on
}

func (w *world) newBrowser() *browser {
	jar, err := cookiejar.New(nil)
	w.ok(err)
	return &browser{w: w, client: &http.Client{Jar: jar}}
}

// signIn signs in by a link.
func (b *browser) signIn(acct *control.Account) {
	b.w.Helper()
	link, err := b.w.console.SignInLink(b.w.Context(), acct.ID, time.Minute)
	b.w.ok(err)
	path, query, _ := strings.Cut(strings.TrimPrefix(link, Base), "?")
	values, err := url.ParseQuery(query)
	b.w.ok(err)
	b.get(path + "?" + query)
	b.post(path, "key", values.Get("key"))
}

// answer is an answer, after redirects.
type answer struct {
	w      *world
	status int
	path   string // after redirects, below Base, with the query
	header http.Header
	body   string
}

var csrfMeta = regexp.MustCompile(`<meta name="csrf-token" content="([^"]*)">`)

// send sends a request with pairs of a header's name and value, and follows redirects.
func (b *browser) send(method, path, body string, headers ...string) *answer {
	b.w.Helper()
	req, err := http.NewRequestWithContext(b.w.Context(), method, b.w.server.URL+Base+path, strings.NewReader(body))
	b.w.ok(err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	b.w.ok(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	b.w.ok(err)
	p := &answer{b.w, resp.StatusCode, strings.TrimPrefix(resp.Request.URL.RequestURI(), Base), resp.Header, string(text)}
	if m := csrfMeta.FindStringSubmatch(p.body); m != nil {
		b.csrf = m[1]
	}
	return p
}

// get opens a page. The path is below Base.
func (b *browser) get(path string) *answer {
	b.w.Helper()
	return b.send("GET", path, "").is(http.StatusOK)
}

// try is like get, but takes any status.
func (b *browser) try(path string) *answer {
	b.w.Helper()
	return b.send("GET", path, "")
}

// post sends a form of pairs of a name and a value, with the token of the page it is on.
func (b *browser) post(path string, pairs ...string) *answer {
	b.w.Helper()
	form := url.Values{"csrf": {b.csrf}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.send("POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// htmx sends a form as htmx does.
func (b *browser) htmx(method, path string, pairs ...string) *answer {
	b.w.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	headers := []string{"HX-Request", "true", "X-CSRF-Token", b.csrf}
	if method == "GET" {
		return b.send(method, path+"?"+form.Encode(), "", headers...)
	}
	return b.send(method, path, form.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// is checks the status.
func (p *answer) is(status int) *answer {
	p.w.Helper()
	if p.status != status {
		p.w.Fatalf("%s: status %d, want %d:\n%s", p.path, p.status, status, p.text())
	}
	return p
}

// want checks that texts are in the page.
func (p *answer) want(texts ...string) *answer {
	p.w.Helper()
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			p.w.Errorf("%s: no %q in\n%s", p.path, text, p.text())
		}
	}
	return p
}

// lacks checks that texts are not in the page.
func (p *answer) lacks(texts ...string) *answer {
	p.w.Helper()
	for _, text := range texts {
		if strings.Contains(p.body, text) {
			p.w.Errorf("%s: %q is in\n%s", p.path, text, p.text())
		}
	}
	return p
}

var markup = regexp.MustCompile(`<[^>]*>|\n\s*`)

// text is the page without its markup.
func (p *answer) text() string { return markup.ReplaceAllString(p.body, " ") }
