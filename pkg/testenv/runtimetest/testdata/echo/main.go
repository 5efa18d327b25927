// Command echo is the function that runtimetest's own tests run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	if os.Getenv("GREETING") == "" {
		fmt.Fprintln(os.Stderr, "GREETING is not set")
		os.Exit(3)
	}
	count := 0
	lambda.Start(func(ctx context.Context, event string) (json.RawMessage, error) {
		count++
		switch event {
		case "fail":
			return nil, errors.New("failed as asked")
		case "exit":
			os.Exit(4)
		}
		lc, _ := lambdacontext.FromContext(ctx)
		_, deadline := ctx.Deadline()
		return json.Marshal(map[string]any{
			"text": os.Getenv("GREETING") + event, "count": count, "request": lc.AwsRequestID, "deadline": deadline,
		})
	})
}
