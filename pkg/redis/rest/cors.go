package rest

import (
	"net/http"

	"github.com/skystash/skystash/pkg/edge"
)

const allowedMethods = "HEAD, GET, POST, PUT, OPTIONS"

// cors lets pages of any origin in, as Upstash does: the read-only token is made for browsers.
var cors = edge.CORS{Methods: allowedMethods, Expose: "upstash-sync-token", Credentials: true}

// preflight answers a browser's question whether a page of another origin may call the API.
func preflight(r *Request, w ResponseWriter) {
	cors.Preflight(r.Header, w)
	w.Send(http.StatusOK, nil)
}
