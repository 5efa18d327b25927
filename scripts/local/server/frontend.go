package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/skystash/skystash/pkg/redis/rest"
)

// Limits of the HTTP server. A client that only dribbles its request is cut off;
// the body may be large and the line slow.
const (
	readTimeout  = time.Minute
	writeTimeout = time.Minute
	idleTimeout  = 2 * time.Minute
	maxHeader    = 128 << 10 // commands by path are in the request line
)

// frontend hands requests to the REST API. On requests as small as most are,
// fasthttp spends half of what net/http does.
type frontend struct {
	ctx      context.Context // of all requests
	streams  context.Context // of all answers without end
	rest     *rest.Handler
	profiles fasthttp.RequestHandler // nil: not served
	products []*product              // under prefixes of their own
	gate     gate
	activity *activity // nil: requests are not printed
	requests sync.Pool // of *request
}

func newFrontend(ctx, streams context.Context, h *rest.Handler, products []*product, g gate, a *activity, profiles bool) *frontend {
	f := &frontend{ctx: ctx, streams: streams, rest: h, products: products, gate: g, activity: a, requests: sync.Pool{New: func() any { return new(request) }}}
	if profiles {
		mux := http.NewServeMux()
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
		f.profiles = fasthttpadaptor.NewFastHTTPHandler(mux)
	}
	return f
}

// server makes the HTTP server.
func (f *frontend) server(log *slog.Logger) *fasthttp.Server {
	// It has no time limits: its connections do, see lateConn.
	return &fasthttp.Server{
		Handler:               f.serve,
		ErrorHandler:          malformed,
		NoDefaultServerHeader: true,
		LazyRequestTime:       true, // nobody asks for it
		ReadBufferSize:        maxHeader,
		// The API bounds bodies itself, and reads forms as the bytes they are.
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		Logger:                       connectionLog{log},
		SecureErrorLogMessage:        true,
	}
}

// request is a request to the REST API with the way to its answer.
type request struct {
	rest.Request
	ctx     *fasthttp.RequestCtx
	conn    *firstByte
	header  header
	streams context.Context
}

func (f *frontend) serve(ctx *fasthttp.RequestCtx) {
	path, query, asks := target(ctx)
	var found *product
	for _, p := range f.products {
		if p.serves(path) {
			found = p
			break
		}
	}
	r := f.requests.Get().(*request)
	defer f.put(r)
	r.ctx = ctx
	r.conn, _ = ctx.Conn().(*firstByte)
	r.header.read(&ctx.Request.Header)
	if why := f.gate.refusal(r, found != nil && found.ownChecks); why != "" {
		forbid(ctx, why)
		return
	}
	if f.profiles != nil && strings.HasPrefix(path, "/debug/pprof/") {
		f.profiles(ctx)
		return
	}
	if found != nil {
		if f.activity == nil || found.ownChecks {
			found.serve(ctx)
			return
		}
		began, what := time.Now(), pathShown(string(ctx.Method()), path)
		found.serve(ctx)
		f.activity.request(answered{found.name, what, ctx.Response.StatusCode(), began})
		return
	}
	r.streams = f.streams
	r.Request = rest.Request{
		Method: method(ctx),
		Host:   r.host(),
		Path:   path,
		Query:  query,
		Asks:   asks,
		Header: r,
		Length: int64(ctx.Request.Header.ContentLength()),
	}
	if body := ctx.RequestBodyStream(); body != nil {
		r.Body = body
	}
	if f.activity != nil {
		began, body := time.Now(), &firstBytes{Reader: r.Body}
		if r.Body != nil {
			r.Body = body
		}
		defer func() {
			f.activity.request(answered{"Redis", commandShown(path, body.first), ctx.Response.StatusCode(), began})
		}()
	}
	f.rest.Serve(&client{Context: f.ctx, conn: ctx.Conn()}, &r.Request, r)
}

func (f *frontend) put(r *request) {
	*r = request{}
	f.requests.Put(r)
}

// method is a request's method. The usual ones take no memory.
func method(ctx *fasthttp.RequestCtx) string {
	for _, usual := range [...]string{http.MethodGet, http.MethodPost} {
		if string(ctx.Method()) == usual {
			return usual
		}
	}
	return string(ctx.Method())
}

// target is the path and the query of a request, as they were sent.
func target(ctx *fasthttp.RequestCtx) (path, query string, asks bool) {
	uri := ctx.Request.Header.RequestURI()
	if len(uri) > 0 && uri[0] == '/' {
		return strings.Cut(string(uri), "?")
	}
	// http://host/path, as proxies get it.
	return string(ctx.URI().PathOriginal()), string(ctx.URI().QueryString()), bytes.IndexByte(uri, '?') >= 0
}

// host is the name by which the request has reached the server.
func (r *request) host() string {
	host := r.ctx.Host()
	if r.conn != nil && r.conn.host == string(host) {
		return r.conn.host
	}
	return string(host)
}

// Get implements edge.HeaderReader.
func (r *request) Get(name string) string {
	value, known := r.header.get(name)
	switch {
	case !known:
		return string(r.ctx.Request.Header.Peek(name))
	case name == "Authorization" && r.conn != nil: // long, and the same again and again
		if r.conn.authorization != string(value) {
			r.conn.authorization = string(value)
		}
		return r.conn.authorization
	}
	return string(value)
}

// SetHeader implements edge.HeaderWriter.
func (r *request) SetHeader(name, value string) {
	if name == "Content-Length" && r.Method != http.MethodHead {
		return // it is set by Send
	}
	r.ctx.Response.Header.SetCanonical(unsafe.Slice(unsafe.StringData(name), len(name)), unsafe.Slice(unsafe.StringData(value), len(value)))
}

// Send implements rest.ResponseWriter.
func (r *request) Send(status int, body []byte) {
	r.ctx.SetStatusCode(status)
	r.ctx.SetBody(body)
}

// Streams implements rest.ResponseWriter.
func (r *request) Streams() bool { return true }

// Stream implements rest.ResponseWriter. The connection serves no other request afterwards.
func (r *request) Stream(status int, run func(context.Context, io.Writer)) {
	conn, streams := r.ctx.Conn(), r.streams
	r.ctx.SetStatusCode(status)
	r.ctx.SetConnectionClose()
	r.ctx.Response.ImmediateHeaderFlush = true
	r.ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, gone := context.WithCancel(streams)
		defer gone()
		go func() {
			defer gone()
			untilClosed(ctx, conn)
		}()
		run(ctx, streamWriter{w, conn})
	})
}

// untilClosed waits until the client closes a connection on which it has nothing more to say.
func untilClosed(ctx context.Context, conn net.Conn) {
	var rest [512]byte
	for ctx.Err() == nil {
		if err := conn.SetReadDeadline(time.Time{}); err != nil {
			return
		}
		var netErr net.Error
		if _, err := conn.Read(rest[:]); err != nil && !(errors.As(err, &netErr) && netErr.Timeout()) {
			return
		}
	}
}

// streamWriter sends each write at once. A client that does not read for writeTimeout is
// disconnected.
type streamWriter struct {
	w    *bufio.Writer
	conn net.Conn
}

func (s streamWriter) Write(p []byte) (int, error) {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err == nil {
		err = s.w.Flush()
	}
	return n, err
}

// malformed answers what is not an HTTP request that can be served.
func malformed(ctx *fasthttp.RequestCtx, err error) {
	status, text := fasthttp.StatusBadRequest, "ERR malformed HTTP request"
	var netErr net.Error
	switch {
	case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
		status, text = fasthttp.StatusRequestHeaderFieldsTooLarge, "ERR the URL and headers are too large: send the command in the body"
	case errors.As(err, &netErr) && netErr.Timeout():
		status, text = fasthttp.StatusRequestTimeout, "ERR the request took too long to arrive"
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json; charset=utf-8")
	ctx.SetBodyString(`{"error":"` + text + `"}`)
}
