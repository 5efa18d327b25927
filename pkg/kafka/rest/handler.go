package rest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/access"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/turns"
)

// Limits and defaults where Config has none.
const (
	DefaultMaxBodyBytes = 10 << 20
	DefaultMaxWait      = 25 * time.Second
)

// Verifier checks tokens.
type Verifier = access.Verifier

// Config is what a Handler is made of.
type Config struct {
	Engine   *kafka.Engine
	Verifier Verifier

	Meter   meter.Recorder             // is told what each request has used that is for a cluster; nil: nobody is
	Gateway func(context.Context) bool // reports whether a request came through an HTTP API, for Meter; nil: none does
	Now     func() time.Time           // nil: time.Now

	Turns *turns.Queue // where requests take turns that work for long; nil: one of the handler's own
	Large *turns.Gate  // where large requests wait; nil: nowhere

	MaxBodyBytes int64         // of a request; 0: DefaultMaxBodyBytes
	MaxWait      time.Duration // bounds the time that a request may ask to wait; 0: DefaultMaxWait

	Logger *slog.Logger // nil: slog.Default
}

// Handler serves the REST API. It is safe for concurrent use.
type Handler struct {
	engine  *kafka.Engine
	gate    access.Gate
	meter   edge.Meter
	shares  edge.Shares // of clusters
	turns   *turns.Queue
	large   *turns.Gate
	now     func() time.Time
	maxBody int64
	maxWait time.Duration
	log     *slog.Logger
}

// New makes a Handler.
func New(cfg Config) *Handler {
	h := &Handler{turns: cfg.Turns, large: cfg.Large, engine: cfg.Engine, gate: access.Gate{Engine: cfg.Engine, Verifier: cfg.Verifier}, now: cfg.Now, maxBody: cfg.MaxBodyBytes, maxWait: cfg.MaxWait, log: cfg.Logger}
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
	if h.turns == nil {
		h.turns = turns.Default(0, h.now)
	}
	h.meter = edge.Meter{Recorder: cfg.Meter, Gateway: cfg.Gateway, Now: h.now}
	return h
}

// endpoint is one of the API's.
type endpoint struct {
	methods  string // separated by spaces
	min, max int    // path segments behind its name; max < 0: any number
	serve    func(*exchange) (any, error)
	reads    bool // and changes nothing, so HEAD may do it as well
	waits    bool // for messages: it passes no gate, but takes turns where it does not wait
}

var endpoints = map[string]endpoint{
	"produce":         {"GET POST", 0, -1, (*exchange).produce, false, false},
	"webhook":         {"GET POST", 0, 0, (*exchange).webhook, false, false},
	"fetch":           {"GET POST", 0, 0, (*exchange).fetch, true, true},
	"consume":         {"GET POST", 2, 3, (*exchange).consume, false, true},
	"commit":          {"GET POST", 2, 2, (*exchange).commit, false, false},
	"committed":       {"GET POST", 2, 2, (*exchange).committed, true, false},
	"offsets":         {"GET POST", 1, 1, (*exchange).offsets, true, false},
	"topics":          {"GET", 0, 0, (*exchange).topics, true, false},
	"consumers":       {"GET", 0, 0, (*exchange).consumers, true, false},
	"lag":             {"GET", 1, 1, (*exchange).lag, true, false},
	"reset":           {"POST", 1, 1, (*exchange).reset, false, false},
	"delete-consumer": {"POST DELETE", 2, 2, (*exchange).deleteConsumer, false, false},
}

// exchange is a request on its way to its answer.
type exchange struct {
	h       *Handler
	ctx     context.Context
	r       *http.Request
	path    []string // segments behind the endpoint's name, decoded
	rest    string   // for produce: what follows the topic, decoded as a whole
	query   url.Values
	body    []byte
	turn    *turns.Turn
	work    edge.Work
	leave   func() // gives back what the body has of the cluster's share; nil: no body was read
	cluster *kafka.Cluster
	claims  token.Claims
	used    used

	answerID string // of /consume: Kafka-Answer; "": none
}

// cors lets pages of any origin in: browsers used the service, too.
var cors = edge.CORS{Methods: "GET, HEAD, POST, DELETE, OPTIONS"}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := edge.HTTPHeader(w.Header())
	if r.Method == http.MethodOptions {
		cors.Preflight(r.Header, header)
		w.WriteHeader(http.StatusOK)
		return
	}
	cors.Allow(r.Header.Get("Origin"), header)
	header.SetHeader("Content-Type", "application/json")
	status, body := http.StatusOK, []byte(nil)
	x := h.newExchange(r)
	defer x.end()
	answer, err := x.serveSafely()
	if err == nil {
		body, err = encode(answer, x.work)
	}
	if err != nil {
		var e *edge.Error
		e, body = h.refuse(r, err)
		e.SetHeader(header)
		status = e.Status
	}
	if x.answerID != "" {
		header.SetHeader(headerAnswer, x.answerID)
	}
	edge.SayCost(header, x.used.Use, x.record(status, len(body)), cors.Expose)
	x.work.Send(w, r, status, body)
}

// end gives back what the exchange has.
func (x *exchange) end() {
	if x.leave != nil {
		x.leave()
	}
	x.turn.End()
}

// serveSafely turns a panic into an error.
func (x *exchange) serveSafely() (answer any, err error) {
	defer edge.Recover(&err)
	return x.serve()
}

func (x *exchange) serve() (any, error) {
	r := x.r
	name, rest, _ := strings.Cut(strings.TrimLeft(r.URL.EscapedPath(), "/"), "/")
	x.used.endpoint = name
	var queryErr error
	if x.query, queryErr = url.ParseQuery(r.URL.RawQuery); queryErr != nil {
		x.query = url.Values{}
	}
	if err := x.authorize(name == "webhook"); err != nil {
		return nil, err
	}
	x.ctx, x.turn = x.h.turns.Request(x.ctx, cmp.Or(x.cluster.Account, x.cluster.ID), x.cluster.ID, 0)
	x.work = edge.WorkOf(x.ctx)
	if x.cluster.Blocked.Holds(x.h.now()) {
		x.used.blocked = true
		return nil, refuse(http.StatusTooManyRequests, "%s", x.cluster.Blocked.Text)
	}
	if queryErr != nil {
		return nil, refuse(http.StatusBadRequest, "the query cannot be read")
	}
	e, ok := endpoints[name]
	if !ok {
		return nil, refuse(http.StatusNotFound, "no such endpoint")
	}
	if err := x.splitPath(name, rest, e); err != nil {
		return nil, err
	}
	if err := e.allows(r.Method); err != nil {
		return nil, err
	}
	var err error
	if x.body, err = x.readBody(); err != nil {
		return nil, err
	}
	if len(x.body) >= turns.LargeBody && !e.waits {
		leave, err := x.h.large.Pass(x.ctx)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	return e.serve(x)
}

// allows refuses a method that an endpoint does not have.
func (e *endpoint) allows(method string) error {
	methods := strings.Fields(e.methods)
	if slices.Contains(methods, method) || method == http.MethodHead && e.reads {
		return nil
	}
	text := fmt.Sprintf("method %s is not allowed here: use %s", method, strings.Join(methods, " or "))
	if e.reads {
		methods = append(methods, http.MethodHead)
	}
	return edge.NotAllowed(text, methods...)
}

// splitPath decodes the path. The message of /produce is everything behind the
// topic, slashes and all.
func (x *exchange) splitPath(name, rest string, e endpoint) error {
	bad := refuse(http.StatusBadRequest, "the path has a malformed percent-encoding")
	if name == "produce" {
		topic, message, ok := strings.Cut(rest, "/")
		var err error
		if topic, err = url.PathUnescape(topic); err != nil {
			return bad
		}
		if x.rest, err = url.PathUnescape(message); err != nil {
			return bad
		}
		if topic != "" {
			x.path = append(x.path, topic)
		}
		if ok && message != "" {
			x.path = append(x.path, x.rest)
		}
		return nil
	}
	if rest = strings.TrimRight(rest, "/"); rest != "" {
		for part := range strings.SplitSeq(rest, "/") {
			decoded, err := url.PathUnescape(part)
			if err != nil {
				return bad
			}
			x.path = append(x.path, decoded)
		}
	}
	if len(x.path) < e.min || len(x.path) > e.max {
		return refuse(http.StatusNotFound, "no such endpoint: /%s has %d to %d path segments behind it", name, e.min, e.max)
	}
	return nil
}

func (x *exchange) readBody() ([]byte, error) {
	body := edge.BodyOf(x.r)
	if body.Reader == nil {
		return nil, nil
	}
	body.Inflating = x.work.Inflating
	var text bytes.Buffer
	var err error
	x.leave, err = x.h.shares.ReadTo(x.ctx, x.cluster.ID, &body, &text, x.h.maxBody, edge.DrainOf(x.h.maxBody))
	if errors.As(err, new(*edge.TooLargeError)) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", x.h.maxBody)
	}
	return text.Bytes(), err
}
