package lambdahttp

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// RequestID is the id under which Lambda logs the invocation whose
// context this is; "" outside of Lambda.
func RequestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}

type gatewayKey struct{}

// ThroughGateway reports whether the request whose context this is came through an HTTP API, which
// has a price, and not through a function URL, which has none.
func ThroughGateway(ctx context.Context) bool {
	return ctx.Value(gatewayKey{}) != nil
}

func withFront(ctx context.Context, event events.APIGatewayV2HTTPRequest) context.Context {
	if isFunctionURL(event) {
		return ctx
	}
	return context.WithValue(ctx, gatewayKey{}, true)
}
