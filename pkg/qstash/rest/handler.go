package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
	"github.com/skystash/skystash/pkg/token"
	"github.com/skystash/skystash/pkg/turns"
)

// DefaultMaxBodyBytes bounds a request's body, which may hold many messages.
const DefaultMaxBodyBytes = 100 << 20

// Config is what a Handler is made of.
type Config struct {
	Engine        *qstash.Engine
	Authenticator Authenticator
	MaxBodyBytes  int64                      // bytes of a request's body; 0: DefaultMaxBodyBytes
	Logger        *slog.Logger               // nil: slog.Default
	Meter         meter.Recorder             // is told what each request has used that is for an account; nil: nobody is
	Gateway       func(context.Context) bool // reports whether a request came through an HTTP API, for Meter; nil: none does
	Now           func() time.Time           // nil: time.Now
	Turns         *turns.Queue               // where requests take turns that work for long; nil: one of the handler's own
	Large         *turns.Gate                // where large requests wait; nil: nowhere
}

// Handler serves the REST API.
type Handler struct {
	engine  *qstash.Engine
	auth    Authenticator
	maxBody int64
	log     *slog.Logger
	meter   edge.Meter
	shares  edge.Shares // of accounts
	turns   *turns.Queue
	large   *turns.Gate
	now     func() time.Time
}

// New makes a Handler.
func New(cfg Config) *Handler {
	h := &Handler{engine: cfg.Engine, auth: cfg.Authenticator, maxBody: cfg.MaxBodyBytes, log: cfg.Logger, now: cfg.Now, turns: cfg.Turns, large: cfg.Large}
	if h.now == nil {
		h.now = time.Now
	}
	if h.maxBody == 0 {
		h.maxBody = DefaultMaxBodyBytes
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

// Serves reports whether a path is one of this API's.
func Serves(path string) bool {
	return strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/v1/")
}

func badRequest(text string) error { return edge.Refuse(http.StatusBadRequest, text) }

var (
	errUnauthorized = edge.Refuse(http.StatusUnauthorized, "invalid token")
	errReadOnly     = edge.Refuse(http.StatusForbidden, "the token is read-only")
	errNotFound     = edge.Refuse(http.StatusNotFound, "not found")
	errHead         = edge.NotAllowed("method HEAD is not allowed here: it would change something", "GET", "POST", "PUT", "PATCH", "DELETE")
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.newExchange(r)
	defer x.end()
	if err := x.serveSafely(); err != nil {
		x.fail(err).SetHeader(edge.HTTPHeader(w.Header()))
	}
	edge.SayCost(edge.HTTPHeader(w.Header()), x.used.Use, x.record(), "")
	w.Header().Set("Content-Type", cmp.Or(x.contentType, "application/json"))
	x.work.Send(w, r, x.status, x.out)
}

// end gives back what the exchange has.
func (x *exchange) end() {
	for _, leave := range x.leave {
		leave()
	}
	x.turn.End()
}

// exchange is a request on its way to its answer.
type exchange struct {
	h        *Handler
	r        *http.Request
	method   string // GET for HEAD as well, which gets the same answer without its body
	acct     string
	bounds   *token.Claims // see Access
	path     string        // as it was sent, behind the version
	query    string        // as it was sent, without what is ours
	params   url.Values    // what is ours of the query
	seg      []string      // of the path, unescaped
	allowed  methods       // of the path, see at
	version1 bool
	used     used
	block    *meter.Block             // that holds for the account; nil: none does
	trail    qstash.Trail             // of the delivery that the request is, if it is one
	groups   map[string]*qstash.Group // that were read, nil: there is none

	turn        *turns.Turn
	work        edge.Work
	leave       []func() // gives back what the request's body has of the account's share
	pass        func()   // lets the next large request be served; nil: this is none
	contentType string   // of the answer; "": JSON
	status      int      // of the answer
	out         []byte   // its body
}

// serveSafely turns a panic into an error.
func (x *exchange) serveSafely() (err error) {
	defer edge.Recover(&err)
	defer func() {
		if x.pass != nil {
			x.pass()
		}
	}()
	return x.serve()
}

func (x *exchange) serve() error {
	path, query := rawTarget(x.r)
	if !Serves(path) {
		return errNotFound
	}
	x.version1 = strings.HasPrefix(path, "/v1/")
	x.path = path[len("/v2/"):]
	x.params, x.query = ours(query)
	x.trail = qstash.ParseTrail(x.r.Header.Get(qstash.HeaderHops))
	if handled, err := x.hook(); handled {
		return err
	}
	text, _ := edge.Bearer(x.r.Header.Get("Authorization"))
	if text == "" {
		text = x.params.Get(tokenParameter)
	}
	access, err := x.h.auth.Authenticate(x.r.Context(), text)
	if errors.Is(err, ErrUnauthorized) {
		return errUnauthorized
	}
	if err != nil {
		return err
	}
	if access.ReadOnly && x.method != http.MethodGet {
		return errReadOnly
	}
	x.acct, x.bounds = access.Account, access.Bounds
	ctx, turn := x.h.turns.Request(x.r.Context(), cmp.Or(access.Owner, x.acct), x.acct, 0)
	x.r, x.turn, x.work = x.r.WithContext(ctx), turn, edge.WorkOf(ctx)
	if access.Blocked.Holds(x.h.now()) {
		x.block = &access.Blocked
	}
	if x.block != nil && x.creates() {
		return x.tooMany()
	}
	if x.method != http.MethodGet {
		if err := x.h.engine.Follow(x.trail); err != nil {
			return err
		}
	}
	return x.route()
}

// after returns what follows name/ in the path as it was sent.
func (x *exchange) after(names ...string) (string, bool) {
	rest := x.path
	for _, name := range names {
		if len(rest) <= len(name) || !strings.EqualFold(rest[:len(name)], name) || rest[len(name)] != '/' {
			return "", false
		}
		rest = rest[len(name)+1:]
	}
	return rest, rest != ""
}

// behind is after for a name whose destination may be missing, which the engine refuses.
func (x *exchange) behind(name string) (string, bool) {
	if strings.EqualFold(strings.TrimSuffix(x.path, "/"), name) {
		return "", true
	}
	return x.after(name)
}

// route serves an authenticated request. What takes a destination comes first: its
// path is not split at slashes.
func (x *exchange) route() error {
	if x.r.Method == http.MethodPost || x.r.Method == http.MethodPut {
		if rest, ok := x.behind("publish"); ok {
			return x.publish(destination(rest, x.query), "")
		}
		if rest, ok := x.behind("enqueue"); ok {
			queue, dest, _ := strings.Cut(rest, "/")
			name, err := url.PathUnescape(queue)
			if queue == "" || err != nil {
				return badRequest("enqueue needs a queue and a destination")
			}
			return x.publish(destination(dest, x.query), name)
		}
		if rest, ok := x.behind("schedules"); ok && !isAction(rest, "pause", "resume", "run") {
			return x.createSchedule(destination(rest, x.query))
		}
		if rest, ok := x.behind("trigger"); ok && x.bounds == nil {
			return x.trigger(destination(rest, x.query))
		}
	}
	var err error
	if x.seg, err = segments(x.path); err != nil {
		return err
	}
	if x.bounds != nil && !x.is("batch") {
		return errBounded
	}
	if x.method == http.MethodGet && lists[strings.ToLower(x.seg[0])] {
		if err := x.large(); err != nil {
			return err
		}
	}
	serve, ok := map[string]func() error{
		"batch": x.batch, "messages": x.messages, "dlq": x.dlq, "logs": x.logs, "events": x.logs,
		"queues": x.queues, "topics": x.topics, "schedules": x.schedules, "flowcontrol": x.flowControl,
		"globalparallelism": x.globalParallelism, "keys": x.keys, "rotate": x.keys,
		"hosts": x.hosts, "metrics": x.metrics, "wait": x.wait, "notify": x.notify, "waiters": x.waiters, "workflows": x.workflows,
	}[strings.ToLower(x.seg[0])]
	if !ok || x.version1 && !inVersion1[strings.ToLower(x.seg[0])] {
		return errNotFound
	}
	return serve()
}

// lists are the resources that are read by pages of hundreds.
var lists = map[string]bool{"messages": true, "dlq": true, "logs": true, "events": true, "workflows": true, "topics": true, "schedules": true}

// large waits until a large request may be served. Nothing may be waited for then but the engine.
func (x *exchange) large() (err error) {
	if x.pass == nil {
		x.pass, err = x.h.large.Pass(x.r.Context())
	}
	return err
}

// inVersion1 are the resources of version 1 that still exist.
var inVersion1 = map[string]bool{"messages": true, "events": true, "logs": true, "keys": true, "schedules": true, "topics": true, "dlq": true}

// isAction tells /schedules/{id}/{action} from a destination, for some actions.
func isAction(rest string, actions ...string) bool {
	id, action, ok := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	return ok && !strings.Contains(id, ":") && slices.Contains(actions, strings.ToLower(action))
}

// is reports whether the path has as many segments as the pattern and equals it, where
// "*" stands for any that is not empty.
func (x *exchange) is(pattern ...string) bool {
	if len(x.seg) != len(pattern) {
		return false
	}
	for i, p := range pattern {
		if p == "*" && x.seg[i] == "" || p != "*" && !strings.EqualFold(p, x.seg[i]) {
			return false
		}
	}
	return true
}

// body reads the request's body, up to limit bytes.
func (x *exchange) body(limit int64) ([]byte, error) { return x.readBody(edge.BodyOf(x.r), limit) }

// messageBody reads the body of a message, up to limit bytes. One in an encoding that is not taken off here
// reaches the destination as it is, and so does its field.
func (x *exchange) messageBody(h http.Header, limit int64) ([]byte, error) {
	body := edge.BodyOf(x.r)
	if encoding := passedOn(h); encoding != "" && h.Get(runIDHeader) == "" {
		body.Encoding = ""
	}
	return x.readBody(body, limit)
}

// passedOn is the encoding of a body that is not taken off here; "": there is none.
func passedOn(h http.Header) string {
	switch encoding := h.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity", "gzip", "x-gzip":
		return ""
	default:
		return encoding
	}
}

// maxInflated bounds what a compressed body stands for: a hundred KB that were sent could be a hundred MB.
const maxInflated = 16 << 20

func (x *exchange) readBody(body edge.Body, limit int64) ([]byte, error) {
	if limit = min(limit, x.h.maxBody); body.Compressed() {
		limit = min(limit, maxInflated)
	}
	body.Inflating = x.work.Inflating
	defer x.work.Pause()
	var text bytes.Buffer
	leave, err := x.h.shares.ReadTo(x.r.Context(), x.acct, &body, &text, limit, edge.DrainOf(limit))
	x.leave = append(x.leave, leave)
	x.used.read += int64(text.Len())
	if errors.As(err, new(*edge.TooLargeError)) {
		return nil, edge.Refusef(http.StatusRequestEntityTooLarge, "maximum message size exceeded: limit %d bytes", limit)
	}
	if err == nil && text.Len() >= turns.LargeBody {
		err = x.large()
	}
	return text.Bytes(), err
}

// maxJSON bounds bodies that are lists of names and the like.
const maxJSON = 1 << 20

// json reads the body as JSON; an empty one leaves v as it is.
func (x *exchange) json(v any) error {
	body, err := x.body(maxJSON)
	if err != nil || len(body) == 0 {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return badRequest("invalid JSON in the request body")
	}
	return nil
}

// ok answers with JSON.
func (x *exchange) ok(v any) error { return x.answer(http.StatusOK, v) }

func (x *exchange) answer(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	if err := x.work.JSON(len(text)); err != nil {
		return err
	}
	x.status, x.out = status, text
	return nil
}

// fail makes the answer one to a request that was not carried out.
func (x *exchange) fail(err error) *edge.Error {
	e := edge.Report(x.r.Context(), x.h.log, answerOf(err), "method", x.r.Method)
	x.status, x.contentType = e.Status, ""
	x.out, _ = json.Marshal(map[string]string{"error": e.Message()}) // texts always can be
	return e
}

// answerOf makes a refusal of what the engine refuses. All else is as it is: package edge knows its status.
func answerOf(err error) error {
	var refused *qstash.Error
	if errors.As(err, &refused) {
		e := edge.Refuse(engineStatus[refused.Kind], refused.Text)
		if refused.Kind == qstash.KindLoop {
			e.Header = notAgain
		}
		return e
	}
	return err
}

var engineStatus = map[qstash.Kind]int{
	qstash.KindInvalid:  http.StatusBadRequest,
	qstash.KindNotFound: http.StatusNotFound,
	qstash.KindQuota:    http.StatusPreconditionFailed,
	qstash.KindTooLarge: http.StatusRequestEntityTooLarge,
	qstash.KindTooMany:  http.StatusRequestEntityTooLarge,
	qstash.KindLoop:     qstash.StatusNonRetryable,
}

// notAgain tells the deliverer, which is who hears of a loop, that it makes no sense to try again.
var notAgain = map[string]string{qstash.HeaderNonRetryable: "true"}

// callerIP is the address of who sent the request.
func (x *exchange) callerIP() string {
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		return host
	}
	return x.r.RemoteAddr
}
