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
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/store"
)

// Config is what a Handler is made of.
type Config struct {
	Engine *control.Engine
	Book   *meter.Book

	// The products that Engine works on.
	Kafka  *kafka.Engine
	QStash *qstash.Engine

	ReadRegions []string // that databases may ask for besides the deployment's own

	Now       func() time.Time             // nil: time.Now
	Logger    *slog.Logger                 // nil: slog.Default
	RequestID func(context.Context) string // names a request in the log and in answers of status 500 and above; nil: at random
}

// Handler serves the API. It is safe for concurrent use.
type Handler struct {
	cfg    Config
	log    *slog.Logger
	routes []route
	guards guards
}

// New makes a Handler.
func New(cfg Config) *Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.RequestID == nil {
		cfg.RequestID = func(context.Context) string { return rand.Text()[:12] }
	}
	return &Handler{cfg: cfg, log: cfg.Logger, routes: routes(), guards: guards{now: cfg.Now}}
}

// Serves reports whether a path is one of this API's, as opposed to QStash's, which also
// begin with /v2/.
func Serves(path string) bool {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	switch first {
	case "redis", "kafka", "qstash", "skystash", "openapi.json", "team", "teams", "auditlogs", "vector", "search":
		return true
	}
	return false
}

// route is an operation of the API.
type route struct {
	method string
	path   string // behind /v2; {id} stands for any segment
	serve  func(*call) (any, error)
	open   bool // to anybody
}

// call is a request on its way.
type call struct {
	*Handler
	ctx  context.Context
	r    *http.Request
	acct *control.Account
	ids  []string // what stands in the path for {...}, in order
}

// refusal is an answer to a request that is at fault.
type refusal struct {
	status int
	text   string
}

func (e *refusal) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

var (
	errNotFound     = &refusal{http.StatusNotFound, "not found"}
	errUnauthorized = &refusal{http.StatusUnauthorized, "unauthorized"}
	errTooMany      = &refusal{http.StatusTooManyRequests, "too many failed attempts to authenticate, try again in a minute"}
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := h.serveSafely(w, r)
	status := http.StatusOK
	if err != nil {
		status, answer = h.failure(w, r, err)
	}
	text, ok := answer.(json.RawMessage)
	if !ok {
		if text, err = json.Marshal(answer); err != nil {
			status, answer = h.failure(w, r, fmt.Errorf("encode the answer: %w", err))
			text, _ = json.Marshal(answer) // strings always can be
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client has gone
}

// serveSafely turns a panic into an error: one request must not end a process that
// serves others.
func (h *Handler) serveSafely(w http.ResponseWriter, r *http.Request) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(r.Context(), "request panicked", "panic", p, "stack", string(debug.Stack()))
			err = errors.New("panic, see the log")
		}
	}()
	return h.serve(w, r)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	c := &call{Handler: h, ctx: r.Context(), r: r}
	found, allowed := c.find()
	if found == nil && len(allowed) == 0 {
		return nil, errNotFound
	}
	if found == nil {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return nil, &refusal{http.StatusMethodNotAllowed, "method not allowed"}
	}
	if !found.open {
		if err := c.authenticate(); err != nil {
			if errors.Is(err, errUnauthorized) {
				w.Header().Set("WWW-Authenticate", `Basic realm="Developer API", charset="UTF-8"`)
			}
			return nil, err
		}
	}
	return found.serve(c)
}

// find chooses the route of a request; if it has only others for its path, their methods.
func (c *call) find() (found *route, allowed []string) {
	path, ok := strings.CutPrefix(c.r.URL.EscapedPath(), "/v2/")
	if !ok {
		return nil, nil
	}
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range c.routes {
		r := &c.routes[i]
		ids, ok := r.match(parts)
		switch {
		case !ok:
		case r.method == method:
			c.ids = ids
			return r, nil
		default:
			allowed = append(allowed, r.method)
		}
	}
	return nil, allowed
}

func (r *route) match(parts []string) (ids []string, ok bool) {
	pattern := strings.Split(strings.TrimPrefix(r.path, "/"), "/")
	if len(pattern) != len(parts) {
		return nil, false
	}
	for i, p := range pattern {
		if p[0] != '{' {
			if p != parts[i] {
				return nil, false
			}
			continue
		}
		id, err := url.PathUnescape(parts[i])
		if err != nil || id == "" || strings.ContainsAny(id, "/\x00") {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

// authenticate finds out whose request it is.
func (c *call) authenticate() error {
	from := c.caller()
	if c.guards.closed(from) {
		return errTooMany
	}
	email, key, ok := c.r.BasicAuth()
	if !ok {
		return errUnauthorized
	}
	acct, err := c.cfg.Engine.Authenticate(c.ctx, email, key)
	if control.IsKind(err, control.Unauthorized) {
		c.guards.failed(from)
		return errUnauthorized
	}
	c.acct = acct
	return err
}

// caller is the address that a request comes from.
func (c *call) caller() string {
	if host, _, err := net.SplitHostPort(c.r.RemoteAddr); err == nil {
		return host
	}
	return c.r.RemoteAddr
}

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 10

// body reads the request's body as JSON; an empty one leaves v as it is.
func (c *call) body(v any) error {
	if c.r.Body == nil {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	switch {
	case err != nil:
		return badRequest("the request body could not be read")
	case len(text) > maxBody:
		return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request body is larger than %d bytes", maxBody)}
	case len(strings.TrimSpace(string(text))) == 0:
		return nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return badRequest("invalid JSON in the request body")
	}
	return nil
}

// failed is the answer to a request that was not carried out.
type failed struct {
	Error   string `json:"error"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

var statusOf = map[control.ErrorKind]int{
	control.Invalid:      http.StatusBadRequest,
	control.NotFound:     http.StatusNotFound,
	control.Exists:       http.StatusConflict,
	control.Unauthorized: http.StatusUnauthorized,
	control.Denied:       http.StatusForbidden,
	control.Quota:        http.StatusBadRequest,
}

var kafkaStatus = map[kafka.ErrorKind]int{
	kafka.Invalid:  http.StatusBadRequest,
	kafka.NotFound: http.StatusNotFound,
	kafka.Exists:   http.StatusBadRequest,
}

func (h *Handler) failure(w http.ResponseWriter, r *http.Request, err error) (int, failed) {
	status, text := http.StatusInternalServerError, "internal error"
	refused, engine, topic := (*refusal)(nil), (*control.Error)(nil), (*kafka.Error)(nil)
	switch {
	case errors.As(err, &refused):
		status, text = refused.status, refused.text
	case errors.As(err, &engine):
		status, text = statusOf[engine.Kind], engine.Text
	case errors.As(err, &topic) && kafkaStatus[topic.Kind] != 0:
		status, text = kafkaStatus[topic.Kind], topic.Text
	default:
		id := h.cfg.RequestID(r.Context())
		h.log.ErrorContext(r.Context(), "request failed", "request", id, "method", r.Method, "path", r.URL.Path, "error", err)
		if errors.Is(err, store.ErrThrottled) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
			status, text = http.StatusServiceUnavailable, "temporarily unavailable"
		}
		text += " (request " + id + ")"
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "60")
	}
	code := strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
	return status, failed{text, code, text}
}

// resource reads a resource of the caller's that the path names, of a product; "": of any.
func (c *call) resource(id string, p control.Product) (*control.Resource, error) {
	r, err := c.cfg.Engine.Resource(c.ctx, c.acct.ID, id)
	if err == nil && (p != "" && r.Product != p || !c.deployed(r.Product)) || control.IsKind(err, control.NotFound) {
		return nil, &refusal{http.StatusNotFound, nounOf[p] + " not found"}
	}
	return r, err
}

// deployed reports whether there is what a resource of a product needs.
func (c *call) deployed(p control.Product) bool {
	return slices.Contains(c.cfg.Engine.Products(), p)
}

var nounOf = map[control.Product]string{
	control.Redis: "database", control.Kafka: "cluster", control.QStash: "QStash", "": "resource",
}

// resources lists the caller's resources of a product; "": of all.
func (c *call) resources(p control.Product) ([]*control.Resource, error) {
	all, err := c.cfg.Engine.Resources(c.ctx, c.acct.ID)
	if err != nil {
		return nil, err
	}
	var list []*control.Resource
	for _, r := range all {
		if (p == "" || r.Product == p) && c.deployed(r.Product) {
			list = append(list, r)
		}
	}
	return list, nil
}

// unsupported refuses a call for what does not exist here, of a resource that does.
func unsupported(p control.Product, why string) func(*call) (any, error) {
	return func(c *call) (any, error) {
		if len(c.ids) > 0 {
			if _, err := c.resource(c.ids[0], p); err != nil {
				return nil, err
			}
		}
		return nil, badRequest("%s", why)
	}
}

// done is the answer of calls that have nothing to say.
const done = "OK"

// list makes an empty list show as [].
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
