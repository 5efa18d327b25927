package rest

import "net/http"

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
			Header: r.Header,
			Length: r.ContentLength,
		},
		httpResponse{w: w, fields: w.Header()},
	}
	x.values = x.room[:0]
	if r.Body != http.NoBody && r.Body != nil {
		x.Body = r.Body
	}
	h.Serve(r.Context(), &x.Request, &x.httpResponse)
}

// httpResponse writes an answer to an http.ResponseWriter.
type httpResponse struct {
	w      http.ResponseWriter
	fields http.Header
	values []string // of fields: slices of one array
	room   [8]string
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
