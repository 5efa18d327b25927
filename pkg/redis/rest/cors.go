package rest

import "net/http"

const allowedMethods = "HEAD, GET, POST, PUT, OPTIONS"

// preflight answers a browser's question whether a page of another origin may
// call the API. Any may: what protects a database is its token, and browsers
// add none by themselves.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := headers{w.Header(), make([]string, 0, 8)}
	h.allowOrigin(r)
	h.set("Access-Control-Allow-Methods", allowedMethods)
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.set("Access-Control-Allow-Headers", asked)
	}
	h.set("Access-Control-Max-Age", "86400")
	h.set("Allow", allowedMethods)
	h.set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// headers sets headers, with canonical names, that share one allocation.
type headers struct {
	to     http.Header
	values []string
}

func (h *headers) set(name, value string) {
	n := len(h.values)
	h.values = append(h.values, value)
	h.to[name] = h.values[n : n+1 : n+1]
}

// allowOrigin lets the page that asks, whatever its origin, see the answer.
func (h *headers) allowOrigin(r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		h.set("Access-Control-Allow-Origin", "*")
		return
	}
	h.set("Access-Control-Allow-Origin", origin)
	h.set("Access-Control-Allow-Credentials", "true")
	h.set("Vary", "Origin")
}
