package lambdahttp

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/skystash/skystash/pkg/edge"
)

// streamMargin is how long before the function's deadline a stream's handler has to end.
const streamMargin = 3 * time.Second

// StreamingHandler answers events, in the form that lambda.Start takes.
type StreamingHandler func(context.Context, events.APIGatewayV2HTTPRequest) (any, error)

// NewStreaming adapts an http.Handler for a function whose URL has the invoke mode
// RESPONSE_STREAM: what the handler writes is sent as it is written. Behind
// an HTTP API, which cannot stream, it is what New makes; the handler's http.ResponseWriter then is no
// http.Flusher.
//
// The function may run as long as its streams should. A handler that does not flush, and so is no stream, has
// no more time than ordinary.
func NewStreaming(h http.Handler, ordinary time.Duration, log *slog.Logger) StreamingHandler {
	whole := New(h, log)
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (any, error) {
		if isFunctionURL(event) {
			return stream(ctx, h, event, ordinary, log), nil
		}
		ctx, cancel := context.WithTimeout(ctx, ordinary)
		defer cancel()
		return whole(ctx, event)
	}
}

// stream begins to answer an event of a function URL. It returns when the status is known; the handler goes
// on while Lambda reads the body.
func stream(ctx context.Context, h http.Handler, event events.APIGatewayV2HTTPRequest, ordinary time.Duration, log *slog.Logger) *events.LambdaFunctionURLStreamingResponse {
	cancelDeadline := func() {}
	if deadline, ok := ctx.Deadline(); ok {
		ctx, cancelDeadline = context.WithDeadline(ctx, deadline.Add(-streamMargin))
	}
	ctx, cancel := context.WithCancelCause(withFront(ctx, event))
	reader, writer := io.Pipe()
	w := &streamWriter{
		header:   http.Header{},
		started:  make(chan struct{}),
		pipe:     writer,
		ordinary: time.AfterFunc(ordinary, func() { cancel(context.DeadlineExceeded) }),
	}
	go func() {
		defer cancelDeadline()
		defer cancel(nil)
		defer w.ordinary.Stop()
		if err := serveStream(ctx, h, event, w); err != nil {
			w.fail(failure(ctx, log, err))
		}
		w.end()
	}()
	<-w.started
	resp := &events.LambdaFunctionURLStreamingResponse{StatusCode: w.status, Headers: map[string]string{}, Body: reader}
	for name, values := range w.sent {
		resp.Headers[name] = strings.Join(values, ", ")
	}
	return resp
}

func serveStream(ctx context.Context, h http.Handler, event events.APIGatewayV2HTTPRequest, w *streamWriter) (err error) {
	defer edge.Recover(&err)
	r, err := streamRequest(ctx, event)
	if err != nil {
		return err
	}
	h.ServeHTTP(w, r)
	return nil
}

// streamRequest is the request that a function URL describes.
func streamRequest(ctx context.Context, event events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	var body io.Reader = http.NoBody
	length := int64(0)
	switch {
	case event.IsBase64Encoded:
		raw, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return nil, fmt.Errorf("decoding the event's body: %w", err)
		}
		body, length = strings.NewReader(string(raw)), int64(len(raw))
	case event.Body != "":
		body, length = strings.NewReader(event.Body), int64(len(event.Body))
	}
	path := event.RawPath
	if path == "" {
		path = event.RequestContext.HTTP.Path
	}
	url := "https://" + event.RequestContext.DomainName + EncodedPath(path, false)
	if query := encodedQuery(event.RawQueryString); query != "" {
		url += "?" + query
	}
	r, err := http.NewRequestWithContext(ctx, event.RequestContext.HTTP.Method, url, body)
	if err != nil {
		return nil, fmt.Errorf("adapting the event: %w", err)
	}
	r.ContentLength = length
	r.RemoteAddr = event.RequestContext.HTTP.SourceIP
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	return r, nil
}

// streamWriter is the handler's http.ResponseWriter.
type streamWriter struct {
	header   http.Header
	started  chan struct{} // closed when status and sent are set
	once     sync.Once
	status   int
	sent     http.Header
	pipe     *io.PipeWriter
	ordinary *time.Timer // ends what is no stream
}

func (w *streamWriter) Header() http.Header { return w.header }

func (w *streamWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		w.sent.Del("Content-Length") // the length of a streamed answer is not announced
		close(w.started)
	})
}

func (w *streamWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}

// Flush implements http.Flusher: the answer is a stream. What has been written has been sent.
func (w *streamWriter) Flush() {
	w.ordinary.Stop()
	w.WriteHeader(http.StatusOK)
}

// fail answers in the place of the handler, if nothing has been sent yet.
func (w *streamWriter) fail(resp events.APIGatewayV2HTTPResponse) {
	told := false
	w.once.Do(func() {
		told = true
		w.status, w.sent = resp.StatusCode, http.Header{"Content-Type": {resp.Headers["Content-Type"]}}
		close(w.started)
	})
	if told {
		_, _ = io.WriteString(w.pipe, resp.Body) // Lambda itself reads it
	}
}

// end finishes the answer.
func (w *streamWriter) end() {
	w.WriteHeader(http.StatusOK)
	w.pipe.Close()
}
