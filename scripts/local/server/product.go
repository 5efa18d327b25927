package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/skystash/skystash/pkg/control"
)

// product is what the program serves besides Redis.
type product struct {
	name   string
	prefix string                  // of its paths, such as "/kafka"; its handler sees them without
	match  func(path string) bool  // instead of prefix, for paths that its handler sees as they are; nil: prefix
	serve  fasthttp.RequestHandler // see mount
	duties []func(context.Context) // run until the program ends
	env    [][2]string             // what clients read from the environment
	close  func() error            // after requests and duties have ended

	// ownChecks is for a product of pages, which other sites may link to: it refuses their forms itself.
	ownChecks bool

	// owns is the resource that the program has created; the control plane adopts it. vars returns
	// the environment variables for clients, given the token that opens the resource.
	owns owned
	vars func(control.Token) [][2]string
}

// owned is a resource that the program creates, with a credential of a fixed name.
type owned struct {
	product    control.Product
	id         string
	credential string
}

// mount makes the product serve a handler under its prefix.
func (p *product) mount(h http.Handler) {
	p.serve = func(ctx *fasthttp.RequestCtx) {
		path, query, _ := target(ctx)
		u, err := url.ParseRequestURI("/" + strings.TrimLeft(path[len(p.prefix):], "/"))
		if err != nil {
			malformed(ctx, err)
			return
		}
		u.RawQuery = query
		watched, stop := watch(ctx.Done(), ctx.Conn())
		defer stop()
		serveHTTP(ctx, h, httpRequest(ctx, u).WithContext(&client{Context: watched, conn: ctx.Conn()}))
	}
}

// httpRequest is a request as net/http has it, with a URL of its own. fasthttp's own adaptor
// would read a body of any size into memory before a handler can refuse it.
func httpRequest(ctx *fasthttp.RequestCtx, u *url.URL) *http.Request {
	r := &http.Request{
		Method: string(ctx.Method()), URL: u, Host: string(ctx.Host()), Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: ctx.RemoteAddr().String(),
		ContentLength: int64(ctx.Request.Header.ContentLength()), Body: http.NoBody,
	}
	for name, value := range ctx.Request.Header.All() {
		r.Header.Add(string(name), string(value))
	}
	if body := ctx.RequestBodyStream(); body != nil {
		r.Body = io.NopCloser(body)
	} else if body := ctx.Request.Body(); len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r
}

// serveHTTP answers with what a handler of net/http has to say. The request's context must not be ctx, nor be
// derived from it, see watch.
func serveHTTP(ctx *fasthttp.RequestCtx, h http.Handler, r *http.Request) {
	w := &response{ctx: ctx, header: http.Header{}}
	h.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
}

// response is an http.ResponseWriter.
type response struct {
	ctx    *fasthttp.RequestCtx
	header http.Header
	wrote  bool
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	w.ctx.SetStatusCode(status)
	for name, values := range w.header {
		for _, v := range values {
			w.ctx.Response.Header.Add(name, v)
		}
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.ctx.Write(b)
}

func (p *product) serves(path string) bool {
	if p.match != nil {
		return p.match(path)
	}
	rest, ok := strings.CutPrefix(path, p.prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// openProducts opens everything besides Redis. What is open is closed with the program.
func (m *Main) openProducts(ctx context.Context) error {
	for _, open := range []func(context.Context) (*product, error){
		m.openKafka, m.openQStash, m.openControl, m.openConsole,
	} {
		p, err := open(ctx)
		if err != nil {
			return err
		}
		m.products = append(m.products, p)
	}
	return nil
}
