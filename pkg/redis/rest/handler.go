package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/gate"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/token"
)

// Engine runs the commands. [redis.Engine] is one.
type Engine interface {
	// Ahead returns a context under which the record of a database, or of a user's token, is read
	// in one call with what cmds will read first. See redis.Engine.
	Ahead(ctx context.Context, id string, cmds func() [][]string) context.Context
	AheadOfUser(ctx context.Context, token string, cmds func() [][]string) context.Context
	// Database fails with redis.ErrNoDatabase if there is none with that id.
	Database(ctx context.Context, id string) (*redis.Database, error)
	// Authenticate does the same for a token that a user of the database has, and finds out
	// what may be done there. It fails with redis.ErrNoUser if the token opens nothing.
	Authenticate(ctx context.Context, token string) (*redis.Database, redis.Access, error)
	// AccessOf makes an Access of a token's rules.
	AccessOf(rules []string) (redis.Access, error)
	// NeedsConnection reports whether a command makes sense on a connection only.
	NeedsConnection(command string) bool
	// Do runs a command and appends its reply, which may be a Redis error.
	Do(ctx context.Context, db *redis.Database, a redis.Access, args []string, w *resp.Writer) error
	// Pipeline runs commands one after the other and appends a reply for each.
	Pipeline(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer)
	// Multi runs commands atomically and appends a reply for each. A
	// redis.Error refuses them all before any has run.
	Multi(ctx context.Context, db *redis.Database, a redis.Access, cmds [][]string, w *resp.Writer) error
	// WithTurn returns a context for Do, Pipeline and Multi, and what the request spends on work of its own.
	WithTurn(ctx context.Context, db *redis.Database) (context.Context, *redis.Turn)
	// Subscribe begins to receive the messages of channels and patterns. A
	// redis.Error says that the caller may not.
	Subscribe(ctx context.Context, db *redis.Database, a redis.Access, channels, patterns []string) (*redis.Subscription, error)
	// Monitor begins to receive the commands of a database, one line each.
	Monitor(ctx context.Context, db *redis.Database, a redis.Access) (*redis.Subscription, error)
}

// Verifier checks tokens. [token.Verifier] is one.
type Verifier interface {
	Verify(ctx context.Context, token string) (token.Claims, error)
	// Resource returns the resource that a token names. The token has not been checked.
	Resource(token string) string
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
	// send. Its token is checked as often, and every 5 seconds at least. 0: DefaultKeepAlive.
	KeepAlive time.Duration

	// Meter is told what each request has used that is for a database; nil: nobody is.
	Meter meter.Recorder
	// Class is the class of a command, for Meter: redis.Engine's method. nil: meter.ClassOther.
	Class func(args []string) string
	// Outcome is what a command came to, for Meter: redis.Engine's method. nil: only what the whole request came to counts.
	Outcome func(args []string, reply []byte) meter.Ran
	// Gateway reports whether a request came through an HTTP API, for Meter. nil: none does.
	Gateway func(context.Context) bool

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
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
	gate       *gate.Gate
	sync       syncTokens
	region     *Region
	scratches  sync.Pool // of *scratch
	now        func() time.Time
	meter      edge.Meter
	class      func(args []string) string
	outcome    func(args []string, reply []byte) meter.Ran // nil: nobody asks
}

// New makes a Handler.
func New(cfg Config) *Handler {
	h := &Handler{
		engine:     cfg.Engine,
		verifier:   cfg.Verifier,
		gate:       gate.New(cfg.Engine, cfg.Verifier),
		maxCommand: cfg.MaxRequestBytes,
		maxBody:    cfg.MaxBodyBytes,
		domain:     strings.Trim(cfg.Domain, "."),
		keepAlive:  cfg.KeepAlive,
		log:        cfg.Logger,
		sync:       syncTokens{now: cfg.Now},
		region:     cfg.Region,
		scratches:  sync.Pool{New: func() any { return new(scratch) }},
		now:        cfg.Now,
		class:      cfg.Class,
		outcome:    cfg.Outcome,
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
	if h.sync.now == nil {
		h.sync.now = time.Now
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.class == nil {
		h.class = func([]string) string { return meter.ClassOther }
	}
	h.meter = edge.Meter{Recorder: cfg.Meter, Gateway: cfg.Gateway, Now: h.now}
	return h
}

// Serve answers one request.
func (h *Handler) Serve(ctx context.Context, r *Request, w ResponseWriter) {
	if r.Method == http.MethodOptions {
		preflight(r, w)
		return
	}
	s := h.scratches.Get().(*scratch)
	s.reset()
	ctx, s.used.Use = h.meter.BeginRequest(ctx, r.Header)
	if err := h.serveSafely(ctx, r, w, s); err != nil {
		h.refuse(ctx, r, s, err)
	}
	if s.used.db != nil && h.meter.Counts(s.used.Use) {
		h.record(ctx, r, s)
	}
	turn := s.turn
	defer turn.End()
	h.send(ctx, r, w, s)
	if s.exchange = (exchange{}); s.reusable() {
		h.scratches.Put(s)
	}
}

// send sends the answer.
func (h *Handler) send(ctx context.Context, r *Request, w ResponseWriter, s *scratch) {
	if len(s.out) >= edge.CompressFrom && edge.AcceptsGzip(r.Header.Get("Accept-Encoding")) {
		_ = s.turn.Spend(ctx, zipWork*int64(len(s.out))) // whose context has ended is answered, too
	}
	s.send(r, w, h.syncToken(s))
}

// serveSafely turns a panic into an error.
func (h *Handler) serveSafely(ctx context.Context, r *Request, w ResponseWriter, s *scratch) (err error) {
	defer edge.Recover(&err)
	return h.serve(ctx, r, w, s)
}

// serve carries out a request and leaves the answer in s.
func (h *Handler) serve(ctx context.Context, r *Request, w ResponseWriter, s *scratch) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut:
	default:
		return errMethod
	}
	query, bearer, queryErr := queryArgs(r.Query)
	if bearer == "" {
		bearer = headerToken(r.Header.Get("Authorization"))
	}
	x := &s.exchange
	*x = exchange{h: h, ctx: ctx, r: r, s: s, bearer: bearer}
	if !x.openReplica() {
		if err := x.open(); err != nil {
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
	if len(path) > 0 && isStream(path[0]) {
		return x.stream(path, w.Streams())
	}
	x.ctx, s.turn = h.engine.WithTurn(x.ctx, x.db)
	switch {
	case len(path) == 0:
		if len(query) > 0 {
			return errQuery
		}
		return x.json()
	case isEndpoint(path, "pipeline"):
		if len(query) > 0 {
			return errQuery
		}
		return x.pipeline()
	case isEndpoint(path, "multi-exec"):
		if len(query) > 0 {
			return errQuery
		}
		return x.multi()
	}
	return x.path(path, query)
}

// isEndpoint reports whether a path is just /name or /name/.
func isEndpoint(path []string, name string) bool {
	return path[0] == name && (len(path) == 1 || len(path) == 2 && path[1] == "")
}

// refuse answers a request that was not carried out.
func (h *Handler) refuse(ctx context.Context, r *Request, s *scratch, err error) {
	e := edge.Report(ctx, h.log, err, "method", r.Method)
	switch {
	case e.Err == nil: // its text is for clients of Redis already
	case errors.Is(err, token.ErrKeysUnavailable):
		e.Text = "ERR " + e.Text
	default:
		e.Text = redis.FailureText(err)
	}
	s.fail(e)
}
