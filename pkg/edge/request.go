package edge

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
)

// HeaderReader gives the first value of a header field, or nothing. http.Header is one.
type HeaderReader interface {
	Get(name string) string
}

// HeaderWriter sets a header field of an answer, whose name is in canonical form.
type HeaderWriter interface {
	SetHeader(name, value string)
}

// NoStore keeps an answer out of caches, those of browsers and of proxies: it may carry tokens, or was asked for
// with one in its address. [Send] does so by itself.
func NoStore(w HeaderWriter) { w.SetHeader("Cache-Control", "no-store") }

type requestIDKey struct{}

// WithRequestID gives a request the id that what lies in front has for it, such as Lambda's.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID names a request: by the id that WithRequestID has set, otherwise by a new one at random.
func RequestID(ctx context.Context) string {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok && id != "" {
		return id
	}
	return rand.Text()[:12]
}

// PanicError is a panic of a handler.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Recover turns a panic into a *PanicError: one request must not end a process that serves others,
// and clients can read an answer only in the form of their product.
//
//	func (h *Handler) serveSafely(…) (err error) {
//		defer edge.Recover(&err)
//		return h.serve(…)
//	}
func Recover(err *error) {
	if p := recover(); p != nil {
		*err = &PanicError{Value: p, Stack: debug.Stack()}
	}
}
