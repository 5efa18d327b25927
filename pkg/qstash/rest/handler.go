package rest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// DefaultMaxRequest bounds a request's body, which may hold many messages.
const DefaultMaxRequest = 100 << 20

// Config is what a Handler is made of.
type Config struct {
	Engine        *qstash.Engine
	Authenticator Authenticator
	MaxRequest    int64                        // bytes of a request's body; 0: DefaultMaxRequest
	Logger        *slog.Logger                 // nil: slog.Default
	RequestID     func(context.Context) string // names a request in the log; nil: at random
	Meter         meter.Recorder               // is told what each request has used that is for an account; nil: nobody is
	Gateway       func(context.Context) bool   // reports whether a request came through an HTTP API, for Meter; nil: none does
	Now           func() time.Time             // nil: time.Now
}

// Handler serves the REST API.
type Handler struct {
	engine     *qstash.Engine
	auth       Authenticator
	maxRequest int64
	log        *slog.Logger
	requestID  func(context.Context) string
	meter      meter.Recorder
	gateway    func(context.Context) bool
	now        func() time.Time
}

// New makes a Handler.
func New(cfg Config) *Handler {
	h := &Handler{
		engine: cfg.Engine, auth: cfg.Authenticator, maxRequest: cfg.MaxRequest, log: cfg.Logger, requestID: cfg.RequestID,
		meter: cfg.Meter, gateway: cfg.Gateway, now: cfg.Now,
	}
	if h.gateway == nil {
		h.gateway = func(context.Context) bool { return false }
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.maxRequest == 0 {
		h.maxRequest = DefaultMaxRequest
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.requestID == nil {
		h.requestID = func(context.Context) string { return rand.Text()[:12] }
	}
	return h
}

// Serves reports whether a path is one of this API's.
func Serves(path string) bool {
	return strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/v1/")
}

// refusal is an answer to a request that is at fault.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func badRequest(text string) error { return &refusal{http.StatusBadRequest, text} }

var (
	errUnauthorized = &refusal{http.StatusUnauthorized, "invalid token"}
	errReadOnly     = &refusal{http.StatusForbidden, "the token is read-only"}
	errNotFound     = &refusal{http.StatusNotFound, "not found"}
	errMethod       = &refusal{http.StatusMethodNotAllowed, "method not allowed"}
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := h.newCall(w, r)
	w, r = c.w, c.r
	defer c.record()
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(r.Context(), "request panicked", "panic", p, "stack", string(debug.Stack()))
			h.fail(w, r, errors.New("panic, see the log"))
		}
	}()
	if err := c.serve(); err != nil {
		h.fail(w, r, err)
	}
}

// call is a request on its way.
type call struct {
	h        *Handler
	w        http.ResponseWriter
	r        *http.Request
	acct     string
	bounds   *token.Claims // see Access
	path     string        // as it was sent, behind the version
	query    string        // as it was sent, without what is ours
	params   url.Values    // what is ours of the query
	seg      []string      // of the path, unescaped
	version1 bool
	used     used
}

func (c *call) serve() error {
	path, query := rawTarget(c.r)
	if !Serves(path) {
		return errNotFound
	}
	c.version1 = strings.HasPrefix(path, "/v1/")
	c.path = path[len("/v2/"):]
	c.params, c.query = ours(query)
	if handled, err := c.hook(); handled {
		return err
	}
	text := bearer(c.r.Header.Get("Authorization"))
	if text == "" {
		text = c.params.Get("qstash_token")
	}
	access, err := c.h.auth.Authenticate(c.r.Context(), text)
	if errors.Is(err, ErrUnauthorized) {
		return errUnauthorized
	}
	if err != nil {
		return err
	}
	if access.ReadOnly && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		return errReadOnly
	}
	c.acct, c.bounds = access.Account, access.Bounds
	if access.Blocked.Holds(c.h.now()) && c.creates() {
		return c.tooMany(access.Blocked)
	}
	return c.route()
}

// after returns what follows name/ in the path as it was sent.
func (c *call) after(names ...string) (string, bool) {
	rest := c.path
	for _, name := range names {
		if len(rest) <= len(name) || !strings.EqualFold(rest[:len(name)], name) || rest[len(name)] != '/' {
			return "", false
		}
		rest = rest[len(name)+1:]
	}
	return rest, rest != ""
}

// route serves an authenticated request. What takes a destination comes first: its
// path is not split at slashes.
func (c *call) route() error {
	if c.r.Method == http.MethodPost || c.r.Method == http.MethodPut {
		if rest, ok := c.after("publish"); ok {
			return c.publish(destination(rest, c.query), "")
		}
		if rest, ok := c.after("enqueue"); ok {
			queue, dest, ok := strings.Cut(rest, "/")
			name, err := url.PathUnescape(queue)
			if !ok || dest == "" || err != nil {
				return badRequest("enqueue needs a queue and a destination")
			}
			return c.publish(destination(dest, c.query), name)
		}
		if rest, ok := c.after("schedules"); ok && !isPause(rest) {
			return c.createSchedule(destination(rest, c.query))
		}
		if rest, ok := c.after("trigger"); ok && c.bounds == nil {
			return c.trigger(destination(rest, c.query))
		}
	}
	var err error
	if c.seg, err = segments(c.path); err != nil {
		return err
	}
	if c.bounds != nil && !c.is("batch") {
		return errBounded
	}
	serve, ok := map[string]func() error{
		"batch": c.batch, "messages": c.messages, "dlq": c.dlq, "logs": c.logs, "events": c.logs,
		"queues": c.queues, "topics": c.topics, "schedules": c.schedules, "flowcontrol": c.flowControl,
		"globalparallelism": c.globalParallelism, "keys": c.keys, "rotate": c.keys,
		"wait": c.wait, "notify": c.notify, "waiters": c.waiters, "workflows": c.workflows,
	}[strings.ToLower(c.seg[0])]
	if !ok || c.version1 && !inVersion1[strings.ToLower(c.seg[0])] {
		return errNotFound
	}
	return serve()
}

// inVersion1 are the resources of version 1 that still exist.
var inVersion1 = map[string]bool{"messages": true, "events": true, "logs": true, "keys": true, "schedules": true, "topics": true, "dlq": true}

// isPause tells /schedules/{id}/pause from a destination.
func isPause(rest string) bool {
	id, action, ok := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	return ok && !strings.Contains(id, ":") && (strings.EqualFold(action, "pause") || strings.EqualFold(action, "resume"))
}

// is reports whether the path has as many segments as the pattern and equals it, where
// "*" stands for any that is not empty.
func (c *call) is(pattern ...string) bool {
	if len(c.seg) != len(pattern) {
		return false
	}
	for i, p := range pattern {
		if p == "*" && c.seg[i] == "" || p != "*" && !strings.EqualFold(p, c.seg[i]) {
			return false
		}
	}
	return true
}

// changes reports whether the method is one of those that clients use to change something.
func (c *call) changes() bool {
	switch c.r.Method {
	case http.MethodPost, http.MethodPatch, http.MethodPut:
		return true
	}
	return false
}

// body reads the request's body, up to limit bytes.
func (c *call) body(limit int64) ([]byte, error) {
	limit = min(limit, c.h.maxRequest)
	if c.r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(io.LimitReader(c.r.Body, limit+1))
	if err != nil {
		return nil, badRequest("the request body could not be read")
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("maximum message size exceeded: limit %d bytes", limit)}
}

// maxJSON bounds bodies that are lists of names and the like.
const maxJSON = 1 << 20

// json reads the body as JSON; an empty one leaves v as it is.
func (c *call) json(v any) error {
	body, err := c.body(maxJSON)
	if err != nil || len(body) == 0 {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return badRequest("invalid JSON in the request body")
	}
	return nil
}

// ok answers with JSON.
func (c *call) ok(v any) error { return c.answer(http.StatusOK, v) }

func (c *call) answer(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	send(c.w, status, text)
	return nil
}

func send(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client has gone
}

// fail answers a request that was not carried out.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	refused, engine := (*refusal)(nil), (*qstash.Error)(nil)
	switch {
	case errors.As(err, &refused):
		status, text = refused.status, refused.text
	case errors.As(err, &engine):
		status, text = engineStatus[engine.Kind], engine.Text
	default:
		id := h.requestID(r.Context())
		h.log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method, "error", err)
		if errors.Is(err, store.ErrThrottled) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
			status, text = http.StatusServiceUnavailable, "temporarily unavailable"
		}
		text += " (request " + id + ")"
	}
	answer, _ := json.Marshal(map[string]string{"error": text})
	send(w, status, answer)
}

var engineStatus = map[qstash.Kind]int{
	qstash.KindInvalid:  http.StatusBadRequest,
	qstash.KindNotFound: http.StatusNotFound,
	qstash.KindQuota:    http.StatusPreconditionFailed,
	qstash.KindTooLarge: http.StatusRequestEntityTooLarge,
}

// callerIP is the address of who sent the request.
func (c *call) callerIP() string {
	if host, _, err := net.SplitHostPort(c.r.RemoteAddr); err == nil {
		return host
	}
	return c.r.RemoteAddr
}
