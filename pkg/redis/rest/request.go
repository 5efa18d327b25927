package rest

import (
	"context"
	"io"

	"github.com/skystash/skystash/pkg/edge"
)

// Request is an HTTP request, whichever server has received it.
type Request struct {
	Method string
	Host   string
	Path   string // as it was sent, with its escapes
	Query  string // as it was sent, without the question mark
	Asks   bool   // there was a question mark, if perhaps nothing behind it
	Header edge.HeaderReader
	Body   io.Reader // nil if there is none
	Length int64     // of the body; negative if that is not known
}

// ResponseWriter is what an answer is written to.
type ResponseWriter interface {
	edge.HeaderWriter
	// Send sends the answer, once. It must not keep the body.
	Send(status int, body []byte)
	// Streams reports whether Stream can be used.
	Streams() bool
	// Stream sends, in the place of Send, an answer without a length: what run writes, until
	// it returns, be that before Stream does or after. The context ends when the client is gone.
	Stream(status int, run func(ctx context.Context, w io.Writer))
}
