package rest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
)

// Limits and defaults where Config has none.
const (
	DefaultMaxBodyBytes = 10 << 20
	DefaultMaxWait      = 25 * time.Second
)

// Verifier checks tokens. [token.Verifier] is one.
type Verifier interface {
	Verify(token string) (token.Claims, error)
}

// Config is what a Handler is made of.
type Config struct {
	Engine   *kafka.Engine
	Verifier Verifier

	Meter   meter.Recorder             // is told what each request has used that is for a cluster; nil: nobody is
	Gateway func(context.Context) bool // reports whether a request came through an HTTP API, for Meter; nil: none does
	Now     func() time.Time           // nil: time.Now

	MaxBodyBytes int64         // of a request; 0: DefaultMaxBodyBytes
	MaxWait      time.Duration // bounds the time that a request may ask to wait; 0: DefaultMaxWait

	Logger    *slog.Logger                 // nil: slog.Default
	RequestID func(context.Context) string // names a request in the log and in answers of status 500 and above; nil: at random
}

// Handler serves the REST API. It is safe for concurrent use.
type Handler struct {
	engine    *kafka.Engine
	meter     meter.Recorder
	gateway   func(context.Context) bool
	now       func() time.Time
	verifier  Verifier
	maxBody   int64
	maxWait   time.Duration
	log       *slog.Logger
	requestID func(context.Context) string
}

// New makes a Handler.
func New(cfg Config) *Handler {
	h := &Handler{
		engine: cfg.Engine, meter: cfg.Meter, gateway: cfg.Gateway, now: cfg.Now, verifier: cfg.Verifier, maxBody: cfg.MaxBodyBytes, maxWait: cfg.MaxWait,
		log: cfg.Logger, requestID: cfg.RequestID,
	}
	if h.gateway == nil {
		h.gateway = func(context.Context) bool { return false }
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.maxBody == 0 {
		h.maxBody = DefaultMaxBodyBytes
	}
	if h.maxWait == 0 {
		h.maxWait = DefaultMaxWait
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.requestID == nil {
		h.requestID = func(context.Context) string { return rand.Text()[:12] }
	}
	return h
}

// endpoint is one of the API's.
type endpoint struct {
	methods  string // separated by spaces
	min, max int    // path segments behind its name; max < 0: any number
	serve    func(*call) (any, error)
}

var endpoints = map[string]endpoint{
	"produce":         {"GET POST", 0, -1, (*call).produce},
	"webhook":         {"GET POST", 0, 0, (*call).webhook},
	"fetch":           {"GET POST", 0, 0, (*call).fetch},
	"consume":         {"GET POST", 2, 3, (*call).consume},
	"commit":          {"GET POST", 2, 2, (*call).commit},
	"committed":       {"GET POST", 2, 2, (*call).committed},
	"offsets":         {"GET POST", 1, 1, (*call).offsets},
	"topics":          {"GET", 0, 0, (*call).topics},
	"consumers":       {"GET", 0, 0, (*call).consumers},
	"delete-consumer": {"POST DELETE", 2, 2, (*call).deleteConsumer},
}

// call is a request under way.
type call struct {
	h       *Handler
	ctx     context.Context
	r       *http.Request
	path    []string // segments behind the endpoint's name, decoded
	rest    string   // for produce: what follows the topic, decoded as a whole
	query   url.Values
	body    []byte
	cluster *kafka.Cluster
	claims  token.Claims
	used    used
}

const allowedMethods = "GET, POST, DELETE, OPTIONS"

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		header.Set("Access-Control-Allow-Methods", allowedMethods)
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			header.Set("Access-Control-Allow-Headers", asked)
		}
		header.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusOK)
		return
	}
	status, body := http.StatusOK, []byte(nil)
	c := h.newCall(r)
	answer, err := c.serveSafely()
	if err == nil {
		body, err = encode(answer)
	}
	if err != nil {
		status, body = h.refuse(r, err)
	}
	c.record(status, len(body))
	header.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone
}

// serveSafely turns a panic into an error: one request must not end a process that
// serves others.
func (c *call) serveSafely() (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.h.log.ErrorContext(c.ctx, "request panicked", "panic", p, "stack", string(debug.Stack()))
			err = errors.New("panic, see the log")
		}
	}()
	return c.serve()
}

func (c *call) serve() (any, error) {
	r := c.r
	name, rest, _ := strings.Cut(strings.TrimLeft(r.URL.EscapedPath(), "/"), "/")
	c.used.endpoint = name
	var queryErr error
	if c.query, queryErr = url.ParseQuery(r.URL.RawQuery); queryErr != nil {
		c.query = url.Values{}
	}
	if err := c.authorize(name == "webhook"); err != nil {
		return nil, err
	}
	if c.cluster.Blocked.Holds(c.h.now()) {
		c.used.blocked = true
		return nil, refuse(http.StatusTooManyRequests, "%s", c.cluster.Blocked.Text)
	}
	if queryErr != nil {
		return nil, refuse(http.StatusBadRequest, "the query cannot be read")
	}
	e, ok := endpoints[name]
	if !ok {
		return nil, refuse(http.StatusNotFound, "no such endpoint")
	}
	if err := c.splitPath(name, rest, e); err != nil {
		return nil, err
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if !strings.Contains(" "+e.methods+" ", " "+method+" ") {
		return nil, refuse(http.StatusMethodNotAllowed, "method %s is not allowed here: use %s", r.Method, strings.ReplaceAll(e.methods, " ", " or "))
	}
	var err error
	if c.body, err = c.readBody(); err != nil {
		return nil, err
	}
	return e.serve(c)
}

// splitPath decodes the path. The message of /produce is everything behind the
// topic, slashes and all.
func (c *call) splitPath(name, rest string, e endpoint) error {
	bad := refuse(http.StatusBadRequest, "the path has a malformed percent-encoding")
	if name == "produce" {
		topic, message, ok := strings.Cut(rest, "/")
		var err error
		if topic, err = url.PathUnescape(topic); err != nil {
			return bad
		}
		if c.rest, err = url.PathUnescape(message); err != nil {
			return bad
		}
		if topic != "" {
			c.path = append(c.path, topic)
		}
		if ok && message != "" {
			c.path = append(c.path, c.rest)
		}
		return nil
	}
	if rest = strings.TrimRight(rest, "/"); rest != "" {
		for part := range strings.SplitSeq(rest, "/") {
			decoded, err := url.PathUnescape(part)
			if err != nil {
				return bad
			}
			c.path = append(c.path, decoded)
		}
	}
	if len(c.path) < e.min || len(c.path) > e.max {
		return refuse(http.StatusNotFound, "no such endpoint: /%s has %d to %d path segments behind it", name, e.min, e.max)
	}
	return nil
}

func (c *call) readBody() ([]byte, error) {
	if c.r.Body == nil {
		return nil, nil
	}
	if c.r.ContentLength > c.h.maxBody {
		c.drain()
		return nil, c.tooLarge()
	}
	body, err := io.ReadAll(io.LimitReader(c.r.Body, c.h.maxBody+1))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body could not be read")
	}
	if int64(len(body)) > c.h.maxBody {
		c.drain()
		return nil, c.tooLarge()
	}
	return body, nil
}

// drain reads on for a while: a client that is still sending would not see the answer.
func (c *call) drain() { _, _ = io.CopyN(io.Discard, c.r.Body, 4*c.h.maxBody) }

func (c *call) tooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", c.h.maxBody)
}
