package lambdahttp

import (
	"context"

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
