package lambdahttp

import (
	"net/http"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// RequestID is the id under which Lambda logs the invocation that carried a
// request; "" outside of Lambda.
func RequestID(r *http.Request) string {
	if lc, ok := lambdacontext.FromContext(r.Context()); ok {
		return lc.AwsRequestID
	}
	return ""
}
