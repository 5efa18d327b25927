package lambdahttp

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
)

// answerMargin is how long before the function's deadline the handler's is.
const answerMargin = 500 * time.Millisecond

// Handler answers events, in the form that lambda.Start takes.
type Handler func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// New adapts an http.Handler. It never returns an error to the runtime: what
// goes wrong is logged and answered with status 500.
func New(h http.Handler, log *slog.Logger) Handler {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		ctx, cancel := withMargin(ctx)
		defer cancel()
		resp, err := serve(withFront(ctx, event), h, event)
		if err != nil {
			log.ErrorContext(ctx, "request failed",
				"request_id", event.RequestContext.RequestID, "error", err)
			return answer(http.StatusInternalServerError, "ERR internal error"), nil
		}
		if size := encodedSize(resp); size > MaxResponseBytes-envelopeBytes {
			return tooLarge(size), nil
		}
		return resp, nil
	}
}

// answer is a response of our own; the text needs no escaping.
func answer(status int, text string) events.APIGatewayV2HTTPResponse {
	return events.APIGatewayV2HTTPResponse{
		StatusCode: status,
		Headers:    map[string]string{"Content-Type": "application/json"},
		Body:       `{"error":"` + text + `"}`,
	}
}

func withMargin(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-answerMargin))
	}
	return context.WithCancel(ctx)
}

func serve(ctx context.Context, h http.Handler, event events.APIGatewayV2HTTPRequest) (resp events.APIGatewayV2HTTPResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	path := event.RawPath
	if path == "" {
		path = event.RequestContext.HTTP.Path
	}
	event.RawPath = EncodedPath(path, !isFunctionURL(event))
	event.RawQueryString = encodedQuery(event.RawQueryString)

	adapter := httpadapter.NewV2(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range event.Headers {
			r.Header.Set(name, value)
		}
		w.WriteHeader(http.StatusOK) // what stands if the handler says nothing, as with net/http
		h.ServeHTTP(w, r)
	}))
	resp, err = adapter.ProxyWithContext(ctx, event)
	if err != nil {
		return resp, fmt.Errorf("adapt the event: %w", err)
	}
	if event.RequestContext.HTTP.Method == http.MethodHead {
		resp.Body, resp.IsBase64Encoded = "", false
	}
	if resp.Body != "" && !resp.IsBase64Encoded && !isText(resp.Headers["Content-Type"]) {
		resp.Body, resp.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(resp.Body)), true
	}
	return resp, nil
}

// isFunctionURL tells events of a function URL from those of an HTTP API, which
// look the same but for their domain.
func isFunctionURL(event events.APIGatewayV2HTTPRequest) bool {
	return strings.Contains(event.RequestContext.DomainName, ".lambda-url.")
}

func isText(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "text/"))
}
