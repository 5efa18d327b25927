// Package awsbody makes the request bodies of the AWS SDK such that net/http keeps its connections.
package awsbody

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const id = "skystash.awsbody"

// Plain is for aws.Config.APIOptions and the like; a client that has it twice has it once.
//
// It lets the transport take a fresh connection by itself if it finds the one it wanted to use closed
// before anything was written to it. For that it needs the body once more.
//
// It also keeps connections from being given up for nothing. The SDK closes a request's body when the
// answer is there, while the transport may be about to ask it whether there is more. A body that is
// an io.WriterTo then says io.EOF, which is no end for a WriterTo but an error (smithy-go 1.28,
// safeWriteToReadCloser), and the transport closes the connection: the next call pays for another TLS
// handshake. A plain io.Reader says the same and means the end.
func Plain(stack *middleware.Stack) error {
	if _, ok := stack.Finalize.Get(id); ok {
		return nil
	}
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc(id, plain), middleware.After)
}

func plain(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	r, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	body, ok := r.GetStream().(*bytes.Reader)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	again, err := r.SetStream(struct{ io.ReadSeeker }{body})
	if err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("awsbody: preparing a request's body: %w", err)
	}
	start := *body
	again.GetBody = func() (io.ReadCloser, error) {
		fromStart := start
		return io.NopCloser(struct{ io.Reader }{&fromStart}), nil
	}
	in.Request = again
	return next.HandleFinalize(ctx, in)
}
