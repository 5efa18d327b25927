package rest

import (
	"bytes"
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

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/meter"
	"github.com/skystash/skystash/pkg/qstash"
)

// Config is what a Handler is made of.
type Config struct {
	Engine *control.Engine
	Book   *meter.Book

	// The products that Engine works on.
	Kafka  *kafka.Engine
	QStash *qstash.Engine

	Backups *backup.Backups // of databases; nil: there are none

	ReadRegions []string // that databases may ask for besides the deployment's own

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default
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
	return &Handler{cfg: cfg, log: cfg.Logger, routes: routes(), guards: guards{now: cfg.Now}}
}

// Serves reports whether a path is one of this API's, as opposed to QStash's, which also
// begin with /v2/.
func Serves(path string) bool {
	if path == metricsPath {
		return true
	}
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
	serve  func(*exchange) (any, error)
	open   bool // to anybody
}

// exchange is a request on its way to its answer.
type exchange struct {
	*Handler
	ctx  context.Context
	r    *http.Request
	acct *control.Account
	ids  []string // what stands in the path for {...}, in order
	own  bool     // the request is none of Upstash's Developer API
}

func badRequest(format string, args ...any) error {
	return edge.Refusef(http.StatusBadRequest, format, args...)
}

var (
	errNotFound     = edge.Refuse(http.StatusNotFound, "not found")
	errUnauthorized = &edge.Error{
		Status: http.StatusUnauthorized, Text: "unauthorized",
		Header: map[string]string{"Www-Authenticate": `Basic realm="Developer API", charset="UTF-8"`},
	}
	errTooMany = &edge.Error{
		Status: http.StatusTooManyRequests, Text: "too many failed attempts to authenticate, try again in a minute",
		Header: map[string]string{"Retry-After": "60"},
	}
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := edge.HTTPHeader(w.Header())
	status := http.StatusOK
	contentType := "application/json"
	var text []byte
	var err error
	if r.URL.Path == metricsPath {
		contentType = "text/plain; version=0.0.4; charset=utf-8"
		text, err = h.metrics(r)
	} else {
		text, err = h.serveSafely(r)
	}
	if err != nil {
		e := edge.Report(r.Context(), h.log, answerOf(err), "method", r.Method, "path", r.URL.Path)
		status, text = e.Status, failed(e)
		e.SetHeader(header)
		contentType = "application/json"
	}
	header.SetHeader("Content-Type", contentType)
	edge.Send(w, r, status, text)
}

// serveSafely turns a panic into an error.
func (h *Handler) serveSafely(r *http.Request) (text []byte, err error) {
	defer edge.Recover(&err)
	answer, err := h.serve(r)
	if err != nil {
		return nil, err
	}
	if text, ok := answer.(json.RawMessage); ok {
		return text, nil
	}
	if text, err = json.Marshal(answer); err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	return text, nil
}

func (h *Handler) serve(r *http.Request) (any, error) {
	x := &exchange{Handler: h, ctx: r.Context(), r: r}
	found, allowed := x.find()
	if found == nil && len(allowed) == 0 {
		return nil, errNotFound
	}
	if found == nil {
		return nil, edge.NotAllowed("method not allowed", allowed...)
	}
	x.own = strings.HasPrefix(found.path, ownPaths)
	if !found.open {
		if err := x.authenticate(h.cfg.Engine.Authenticate); err != nil {
			return nil, err
		}
	}
	return found.serve(x)
}

// find chooses the route of a request; if it has only others for its path, their methods.
func (x *exchange) find() (found *route, allowed []string) {
	path, ok := strings.CutPrefix(x.r.URL.EscapedPath(), "/v2/")
	if !ok {
		return nil, nil
	}
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	method := x.r.Method // HEAD changes nothing, because GET changes nothing
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for i := range x.routes {
		r := &x.routes[i]
		ids, ok := r.match(parts)
		switch {
		case !ok:
		case r.method == method:
			x.ids = ids
			return r, nil
		default:
			if allowed = append(allowed, r.method); r.method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
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

// authenticate finds out whose request it is. The key is checked first: others at the caller's address,
// or whoever can send from there, cannot keep the owner of a key out.
func (x *exchange) authenticate(open func(ctx context.Context, email, key string) (*control.Account, error)) error {
	email, key, ok := x.r.BasicAuth()
	if !ok {
		return errUnauthorized
	}
	acct, err := open(x.ctx, email, key)
	if control.IsKind(err, control.Unauthorized) {
		from := x.caller()
		if x.guards.closed(from) {
			return errTooMany
		}
		x.guards.failed(from)
		return errUnauthorized
	}
	x.acct = acct
	return err
}

// caller is the address that a request comes from.
func (x *exchange) caller() string {
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		return host
	}
	return x.r.RemoteAddr
}

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 10

// ownPaths begin the paths of requests that Upstash's Developer API does not have.
const ownPaths = "/skystash/"

// body reads the request's body as JSON; an empty one leaves v as it is. Fields that v does not have are passed over,
// since clients of Upstash's send some. Those of our own requests are refused: a bound or a limit whose name is misspelt
// would be none.
func (x *exchange) body(v any) error {
	body := edge.BodyOf(x.r)
	var buffer bytes.Buffer
	if err := body.ReadTo(&buffer, maxBody, edge.DrainOf(maxBody)); err != nil {
		return err
	}
	text := buffer.Bytes()
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return badRequest("invalid JSON in the request body")
	}
	if !x.own {
		return nil
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(v); err != nil {
		return badRequest("request body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// failed is the answer to a request that was not carried out.
func failed(e *edge.Error) []byte {
	code := strings.ReplaceAll(strings.ToLower(http.StatusText(e.Status)), " ", "_")
	text, _ := json.Marshal(struct { // strings always can be
		Error   string `json:"error"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}{e.Message(), code, e.Message()})
	return text
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

// answerOf makes a refusal of what an engine refuses. All else is as it is: package edge knows its status.
func answerOf(err error) error {
	var refused *control.Error
	if errors.As(err, &refused) {
		return edge.Refuse(statusOf[refused.Kind], refused.Text)
	}
	var topic *kafka.Error
	if errors.As(err, &topic) && kafkaStatus[topic.Kind] != 0 {
		return edge.Refuse(kafkaStatus[topic.Kind], topic.Text)
	}
	return err
}

// resource reads a resource of the caller's that the path names, of a product; "": of any.
func (x *exchange) resource(id string, p control.Product) (*control.Resource, error) {
	r, err := x.cfg.Engine.Resource(x.ctx, x.acct.ID, id)
	if err == nil && (p != "" && r.Product != p || !x.deployed(r.Product)) || control.IsKind(err, control.NotFound) {
		return nil, edge.Refuse(http.StatusNotFound, nounOf[p]+" not found")
	}
	return r, err
}

// deployed reports whether there is what a resource of a product needs.
func (x *exchange) deployed(p control.Product) bool {
	return slices.Contains(x.cfg.Engine.Products(), p)
}

var nounOf = map[control.Product]string{
	control.Redis: "database", control.Kafka: "cluster", control.QStash: "QStash", "": "resource",
}

// resources lists the caller's resources of a product; "": of all.
func (x *exchange) resources(p control.Product) ([]*control.Resource, error) {
	all, err := x.cfg.Engine.Resources(x.ctx, x.acct.ID)
	if err != nil {
		return nil, err
	}
	var list []*control.Resource
	for _, r := range all {
		if (p == "" || r.Product == p) && x.deployed(r.Product) {
			list = append(list, r)
		}
	}
	return list, nil
}

// unsupported refuses a call for what does not exist here, of a resource that does.
func unsupported(p control.Product, why string) func(*exchange) (any, error) {
	return func(x *exchange) (any, error) {
		if len(x.ids) > 0 {
			if _, err := x.resource(x.ids[0], p); err != nil {
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
