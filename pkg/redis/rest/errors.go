package rest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
)

func badRequest(text string) error { return edge.Refuse(http.StatusBadRequest, text) }

// Refusals. Clients know WRONGPASS, EOF, "expected JSON array" and the texts about
// arguments in these very words.
var (
	errUnauthorized = edge.Refuse(http.StatusUnauthorized, "WRONGPASS invalid or missing auth token.")
	errMethod       = edge.NotAllowed("ERR method not allowed: use GET, HEAD, POST or PUT", allowedMethods)
	errHead         = edge.NotAllowed("ERR HEAD is for commands that only read: use GET, POST or PUT", "GET", "POST", "PUT", "OPTIONS")
	errNoBody       = badRequest("EOF")
	errNotArray     = badRequest("expected JSON array")
	errInvalidJSON  = badRequest("ERR invalid JSON")
	errEmptyCommand = badRequest("ERR empty command")
	errNullArg      = badRequest("ERR null args are not supported")
	errArrayArg     = badRequest(`ERR unsupported arg type: "[": json.Delim`)
	errObjectArg    = badRequest(`ERR unsupported arg type: "{": json.Delim`)
	errEscape       = badRequest("ERR invalid percent-encoding in the URL")
	errQuery        = badRequest("ERR query parameters are only supported with a command in the path")
	errNoStream     = badRequest("ERR subscriptions are not available at this address: it cannot stream answers, use the function URL")
	errFormat       = badRequest("ERR unsupported Upstash-Response-Format: use json or resp2")
	errFormatBase64 = badRequest("ERR Upstash-Response-Format resp2 cannot be combined with Upstash-Encoding base64")
)

// tooLargeText begins the text of what exceeds a limit, a request here and in
// the engine a reply.
const tooLargeText = "ERR max request size exceeded."

func tooLarge(limit, actual int64) string {
	return fmt.Sprintf(tooLargeText+" Limit: %d bytes, Actual: %d bytes", limit, actual)
}

func errTooLarge(limit, actual int64) error {
	return edge.Refuse(http.StatusRequestEntityTooLarge, tooLarge(limit, actual))
}

func needsConnectionText(command string) string {
	return `ERR Command "` + strings.ToUpper(command) + `" is not allowed in REST or it has a special context path`
}
