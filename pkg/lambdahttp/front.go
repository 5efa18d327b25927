package lambdahttp

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/skystash/skystash/pkg/edge"
)

type gatewayKey struct{}

// ThroughGateway reports whether the request whose context this is came through an HTTP API, which
// has a price, and not through a function URL, which has none.
func ThroughGateway(ctx context.Context) bool {
	return ctx.Value(gatewayKey{}) != nil
}

// withFront adds what is known of a request before its handler sees it: the id under which Lambda logs the
// invocation, and through what it came.
func withFront(ctx context.Context, event events.APIGatewayV2HTTPRequest) context.Context {
	id := event.RequestContext.RequestID // outside of Lambda
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		id = lc.AwsRequestID
	}
	ctx = edge.WithRequestID(ctx, id)
	if isFunctionURL(event) {
		return ctx
	}
	return context.WithValue(ctx, gatewayKey{}, true)
}
