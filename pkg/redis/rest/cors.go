package rest

import "net/http"

const allowedMethods = "HEAD, GET, POST, PUT, OPTIONS"

// preflight answers a browser's question whether a page of another origin may
// call the API. Any may: what protects a database is its token, and browsers
// add none by themselves.
func preflight(r *Request, w ResponseWriter) {
	allowOrigin(r, w)
	w.SetHeader("Access-Control-Allow-Methods", allowedMethods)
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		w.SetHeader("Access-Control-Allow-Headers", asked)
	}
	w.SetHeader("Access-Control-Max-Age", "86400")
	w.SetHeader("Allow", allowedMethods)
	w.SetHeader("Content-Length", "0")
	w.Send(http.StatusOK, nil)
}

// allowOrigin lets the page that asks, whatever its origin, see the answer.
func allowOrigin(r *Request, w ResponseWriter) {
	origin := r.Header.Get("Origin")
	if origin == "" {
		w.SetHeader("Access-Control-Allow-Origin", "*")
		return
	}
	w.SetHeader("Access-Control-Allow-Origin", origin)
	w.SetHeader("Access-Control-Allow-Credentials", "true")
	w.SetHeader("Vary", "Origin")
}
