package rest

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/token"
)

// Engine runs the commands. [redis.Engine] is one.
type Engine interface {
	// Database fails with redis.ErrNoDatabase if there is none with that id.
	Database(ctx context.Context, id string) (*redis.Database, error)
	// Authenticate does the same for a token that a user of the database has, and finds out
	// what may be done there. It fails with redis.ErrNoUser if the token opens nothing.
	Authenticate(ctx context.Context, token string) (*redis.Database, redis.Access, error)
	// AccessOf makes an Access of a token's rules.
	AccessOf(rules []string) (redis.Access, error)
	// Do runs a command and appends its reply, which may be a Redis error.
	Do(ctx context.Context, db *redis.Database, a redis.Access, args []string, w *resp.Writer) error
	// Pipeline runs commands one after the other and appends a reply for each.
	Pipeline(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer)
	// Multi runs commands atomically and appends a reply for each. A
	// redis.Error refuses them all before any has run.
	Multi(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer) error
	// Subscribe begins to receive the messages of channels and patterns. A
	// redis.Error says that the caller may not.
	Subscribe(ctx context.Context, db *redis.Database, a redis.Access, channels, patterns []string) (*redis.Subscription, error)
	// Monitor begins to receive the commands of a database, one line each.
	Monitor(ctx context.Context, db *redis.Database, a redis.Access) (*redis.Subscription, error)
}

// Verifier checks tokens. [token.Verifier] is one.
type Verifier interface {
	Verify(token string) (token.Claims, error)
}

// DefaultKeepAlive is Config.KeepAlive where there is none.
const DefaultKeepAlive = 15 * time.Second

// Limits where Config has none.
const (
	DefaultMaxRequestBytes = 10 << 20
	DefaultMaxBodyBytes    = 64 << 20
)

// Config is what a Handler is made of.
type Config struct {
	Engine   Engine
	Verifier Verifier

	// MaxRequestBytes bounds one command, the sum of its arguments, and one
	// reply, as RESP. 0: DefaultMaxRequestBytes.
	MaxRequestBytes int64

	// MaxBodyBytes bounds the body of an HTTP request, which may hold many
	// commands. 0: DefaultMaxBodyBytes. It is at least MaxRequestBytes.
	MaxBodyBytes int64

	// Region, if not nil, says that the handler serves a read region.
	Region *Region

	// Domain, if not empty, gives each database a host name of its own,
	// <database id>.<Domain>: requests to it need a token for that database.
	// On any other host the token alone chooses the database.
	Domain string

	// KeepAlive is how often a stream shows that it is alive while there is nothing to
	// send, and how often its token is checked again. 0: DefaultKeepAlive.
	KeepAlive time.Duration

	// Meter is told what each request has used that is for a database; nil: nobody is.
	Meter meter.Recorder
	// Class is the class of a command, for Meter: redis.Engine's method. nil: meter.ClassOther.
	Class func(args []string) string
	// Gateway reports whether a request came through an HTTP API, for Meter. nil: none does.
	Gateway func(context.Context) bool

	Now       func() time.Time             // nil: time.Now
	Logger    *slog.Logger                 // nil: slog.Default
	RequestID func(context.Context) string // names a request in the log and in answers of status 500 and above; nil: at random
}

// Handler serves the REST API. It is safe for concurrent use.
type Handler struct {
	engine     Engine
	verifier   Verifier
	maxCommand int64
	maxBody    int64
	domain     string
	keepAlive  time.Duration
	log        *slog.Logger
	requestID  func(context.Context) string
	accesses   accessCache
	sync       syncTokens
	region     *Region
	exchanges  sync.Pool // of *exchange
	now        func() time.Time
	meter      meter.Recorder
	class      func(args []string) string
	gateway    func(context.Context) bool
}

// New makes a Handler.
func New(cfg Config) *Handler {
	h := &Handler{
		engine:     cfg.Engine,
		verifier:   cfg.Verifier,
		maxCommand: cfg.MaxRequestBytes,
		maxBody:    cfg.MaxBodyBytes,
		domain:     strings.Trim(cfg.Domain, "."),
		keepAlive:  cfg.KeepAlive,
		log:        cfg.Logger,
		requestID:  cfg.RequestID,
		sync:       syncTokens{now: cfg.Now},
		region:     cfg.Region,
		exchanges:  sync.Pool{New: func() any { return new(exchange) }},
		now:        cfg.Now,
		meter:      cfg.Meter,
		class:      cfg.Class,
		gateway:    cfg.Gateway,
	}
	if h.maxCommand == 0 {
		h.maxCommand = DefaultMaxRequestBytes
	}
	if h.maxBody == 0 {
		h.maxBody = DefaultMaxBodyBytes
	}
	h.maxBody = max(h.maxBody, h.maxCommand)
	if h.keepAlive == 0 {
		h.keepAlive = DefaultKeepAlive
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	if h.requestID == nil {
		h.requestID = func(context.Context) string { return rand.Text()[:12] }
	}
	if h.sync.now == nil {
		h.sync.now = time.Now
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.class == nil {
		h.class = func([]string) string { return meter.ClassOther }
	}
	if h.gateway == nil {
		h.gateway = func(context.Context) bool { return false }
	}
	return h
}

// Serve answers one request.
func (h *Handler) Serve(ctx context.Context, r *Request, w ResponseWriter) {
	if r.Method == http.MethodOptions {
		preflight(r, w)
		return
	}
	x := h.exchanges.Get().(*exchange)
	x.reset()
	if h.meter != nil {
		ctx = x.used.begin(ctx, h.now())
	}
	if err := h.serveSafely(ctx, r, w, x); err != nil {
		h.refuse(ctx, r, x, err)
	}
	if h.meter != nil && x.used.db != nil {
		h.record(ctx, r, x)
	}
	x.send(r, w, h.syncToken(x))
	if x.reusable() {
		h.exchanges.Put(x)
	}
}

// serveSafely turns a panic into an error: clients cannot read an answer that
// is not JSON, and one request must not end a process that serves others.
func (h *Handler) serveSafely(ctx context.Context, r *Request, w ResponseWriter, x *exchange) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		h.log.ErrorContext(ctx, "request panicked", "panic", p, "stack", string(debug.Stack()))
		err = errors.New("panic, see the log")
	}()
	return h.serve(ctx, r, w, x)
}

// serve carries out a request and leaves the answer in x.
func (h *Handler) serve(ctx context.Context, r *Request, w ResponseWriter, x *exchange) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut:
	default:
		return errMethod
	}
	query, bearer, queryErr := queryArgs(r.Query)
	if bearer == "" {
		bearer = bearerToken(r.Header.Get("Authorization"))
	}
	c := &call{h: h, ctx: ctx, r: r, x: x, bearer: bearer}
	if !c.openReplica() {
		if err := c.open(); err != nil {
			return err
		}
	}
	path, err := pathArgs(r.Path)
	if err != nil {
		return err
	}
	if queryErr != nil && !(len(path) > 0 && isStream(path[0])) {
		return queryErr
	}
	switch {
	case len(path) == 0:
		if len(query) > 0 {
			return errQuery
		}
		return c.json()
	case isEndpoint(path, "pipeline"):
		if len(query) > 0 {
			return errQuery
		}
		return c.pipeline()
	case isEndpoint(path, "multi-exec"):
		if len(query) > 0 {
			return errQuery
		}
		return c.multi()
	case isStream(path[0]):
		return c.stream(path, w.Streams())
	}
	return c.path(path, query)
}

// isEndpoint reports whether a path is just /name or /name/.
func isEndpoint(path []string, name string) bool {
	return path[0] == name && (len(path) == 1 || len(path) == 2 && path[1] == "")
}

// refuse answers a request that was not carried out.
func (h *Handler) refuse(ctx context.Context, r *Request, x *exchange, err error) {
	var refused *refusal
	if errors.As(err, &refused) {
		x.fail(refused.status, refused.text)
		return
	}
	id := h.requestID(ctx)
	h.log.ErrorContext(ctx, "request failed", "request", id, "method", r.Method, "error", err)
	x.fail(statusOf(err), redis.FailureText(err)+" (request "+id+")")
}

// statusOf chooses the status of a failure of ours. Clients take one of 5xx to
// mean that trying again makes sense.
func statusOf(err error) int {
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusGatewayTimeout
	case errors.Is(err, store.ErrTooLarge):
		return http.StatusBadRequest
	case errors.Is(err, store.ErrThrottled), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
