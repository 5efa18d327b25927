package rest

import (
	"context"
	"io"
	"net/http"
)

// ServeHTTP answers one request of net/http.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &struct {
		Request
		httpResponse
	}{
		Request{
			Method: r.Method,
			Host:   r.Host,
			Path:   sentPath(r.URL),
			Query:  r.URL.RawQuery,
			Asks:   r.URL.ForceQuery || r.URL.RawQuery != "",
			Header: r.Header,
			Length: r.ContentLength,
		},
		httpResponse{ctx: r.Context(), w: w, fields: w.Header()},
	}
	x.values = x.room[:0]
	if r.Body != http.NoBody && r.Body != nil {
		x.Body = r.Body
	}
	h.Serve(r.Context(), &x.Request, &x.httpResponse)
}

// httpResponse writes an answer to an http.ResponseWriter.
type httpResponse struct {
	ctx    context.Context // of the request
	w      http.ResponseWriter
	fields http.Header
	values []string // of fields: slices of one array
	room   [10]string
}

func (r *httpResponse) SetHeader(name, value string) {
	n := len(r.values)
	r.values = append(r.values, value)
	r.fields[name] = r.values[n : n+1 : n+1]
}

func (r *httpResponse) Send(status int, body []byte) {
	r.w.WriteHeader(status)
	if len(body) > 0 {
		// An error means that the client has gone; there is nobody to tell.
		_, _ = r.w.Write(body)
	}
}

func (r *httpResponse) Streams() bool {
	_, ok := r.w.(http.Flusher)
	return ok
}

func (r *httpResponse) Stream(status int, run func(context.Context, io.Writer)) {
	r.w.WriteHeader(status)
	flushing := flushWriter{r.w, r.w.(http.Flusher)}
	flushing.Flush()
	run(r.ctx, flushing)
}

// flushWriter sends at once what is written.
type flushWriter struct {
	io.Writer
	http.Flusher
}

func (w flushWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.Flush()
	return n, err
}
