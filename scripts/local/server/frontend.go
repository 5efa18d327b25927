package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

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
	rest     *rest.Handler
	profiles fasthttp.RequestHandler // nil: not served
	products []*product              // under prefixes of their own
	requests sync.Pool               // of *request
}

func newFrontend(ctx context.Context, h *rest.Handler, products []*product, profiles bool) *frontend {
	f := &frontend{ctx: ctx, rest: h, products: products, requests: sync.Pool{New: func() any { return new(request) }}}
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
	return &fasthttp.Server{
		Handler:               f.serve,
		ErrorHandler:          malformed,
		NoDefaultServerHeader: true,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		ReadBufferSize:        maxHeader,
		// The API bounds bodies itself, and reads forms as the bytes they are.
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
		Logger:                       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// request is a request to the REST API with the way to its answer.
type request struct {
	rest.Request
	ctx *fasthttp.RequestCtx
}

func (f *frontend) serve(ctx *fasthttp.RequestCtx) {
	r := f.requests.Get().(*request)
	defer f.requests.Put(r)
	path, query := target(ctx)
	if f.profiles != nil && strings.HasPrefix(path, "/debug/pprof/") {
		f.profiles(ctx)
		return
	}
	for _, p := range f.products {
		if p.serves(path) {
			p.serve(ctx)
			return
		}
	}
	r.ctx = ctx
	r.Request = rest.Request{
		Method: string(ctx.Method()),
		Host:   string(ctx.Host()),
		Path:   path,
		Query:  query,
		Header: r,
		Length: int64(ctx.Request.Header.ContentLength()),
	}
	if body := ctx.RequestBodyStream(); body != nil {
		r.Body = body
	}
	f.rest.Serve(f.ctx, &r.Request, r)
	*r = request{}
}

// target is the path and the query of a request, as they were sent.
func target(ctx *fasthttp.RequestCtx) (path, query string) {
	uri := ctx.Request.Header.RequestURI()
	if len(uri) > 0 && uri[0] == '/' {
		path, query, _ = strings.Cut(string(uri), "?")
		return path, query
	}
	// http://host/path, as proxies get it.
	return string(ctx.URI().PathOriginal()), string(ctx.URI().QueryString())
}

// Get implements rest.Header.
func (r *request) Get(name string) string { return string(r.ctx.Request.Header.Peek(name)) }

// SetHeader implements rest.ResponseWriter.
func (r *request) SetHeader(name, value string) { r.ctx.Response.Header.Set(name, value) }

// Send implements rest.ResponseWriter.
func (r *request) Send(status int, body []byte) {
	r.ctx.SetStatusCode(status)
	r.ctx.SetBody(body)
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
