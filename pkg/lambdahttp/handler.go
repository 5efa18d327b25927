package lambdahttp

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/skystash/skystash/pkg/edge"
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
		ctx = withFront(ctx, event)
		resp, err := serve(ctx, h, event)
		if err != nil {
			return failure(ctx, log, err), nil
		}
		if size := encodedSize(resp); size > MaxResponseBytes-envelopeBytes {
			return tooLarge(size), nil
		}
		return resp, nil
	}
}

// failure answers a request that the handler could not answer.
func failure(ctx context.Context, log *slog.Logger, err error) events.APIGatewayV2HTTPResponse {
	e := edge.Report(ctx, log, err)
	return answer(e.Status, "ERR "+e.Message())
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
	defer edge.Recover(&err)
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
		return resp, fmt.Errorf("adapting the event: %w", err)
	}
	if event.RequestContext.HTTP.Method == http.MethodHead {
		resp.Body, resp.IsBase64Encoded = "", false
	}
	if resp.Body != "" && !resp.IsBase64Encoded && !isText(resp.Headers) {
		resp.Body, resp.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(resp.Body)), true
	}
	return resp, nil
}

// isFunctionURL tells events of a function URL from those of an HTTP API, which
// look the same but for their domain.
func isFunctionURL(event events.APIGatewayV2HTTPRequest) bool {
	return strings.Contains(event.RequestContext.DomainName, ".lambda-url.")
}

// isText reports whether a body is text as it is. One with a Content-Encoding is not, whatever its type.
func isText(headers map[string]string) bool {
	media, _, err := mime.ParseMediaType(headers["Content-Type"])
	if headers["Content-Encoding"] != "" {
		return false
	}
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "text/"))
}
