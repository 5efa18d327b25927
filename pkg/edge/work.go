package edge

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"github.com/skystash/skystash/pkg/turns"
)

// What a byte takes, in units of work, which are about nanoseconds.
const (
	inflateWork  = 4
	jsonWork     = 20
	compressWork = 16
)

// workStep is how many bytes are worked on between two looks at whose turn it is.
const workStep = 32 << 10

// Work is the work of one request that is done by turns: see package turns. Small requests wait for nobody.
type Work struct {
	ctx  context.Context
	turn *turns.Turn
}

// WorkOf is the work of a request whose turn is in its context.
func WorkOf(ctx context.Context) Work { return Work{ctx, turns.Of(ctx)} }

// JSON counts bytes of JSON that are about to be decoded or encoded.
func (w Work) JSON(bytes int) error { return w.turn.Spend(w.ctx, jsonWork*int64(bytes)) }

// Pause is called before the request waits for anything but a turn.
func (w Work) Pause() { w.turn.Release() }

// Inflating is for Body.Inflating.
func (w Work) Inflating(bytes, _ int64) error { return w.turn.Spend(w.ctx, inflateWork*bytes) }

// Reader reads JSON that is about to be decoded as it is read. Of white space between values it gives one character: some
// decoders look again at all of it after each read.
func (w Work) Reader(text []byte) io.Reader { return &workReader{Work: w, rest: text} }

type workReader struct {
	Work
	rest                    []byte
	inString, escaped, wide bool // wide: the last character was white space between values
}

func (r *workReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) > 0 {
		step := r.rest[:min(len(p), len(r.rest), workStep)]
		r.rest = r.rest[len(step):]
		if err := r.JSON(len(step)); err != nil {
			return 0, err
		}
		if n := r.narrow(p, step); n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// narrow copies text, and reports how much of it was left.
func (r *workReader) narrow(to, text []byte) (n int) {
	for _, c := range text {
		wide := false
		switch {
		case r.escaped:
			r.escaped = false
		case r.inString:
			r.escaped, r.inString = c == '\\', c != '"'
		default:
			r.inString = c == '"'
			wide = c == ' ' || c == '\t' || c == '\n' || c == '\r'
		}
		if !wide || !r.wide {
			to[n] = c
			n++
		}
		r.wide = wide
	}
	return n
}

// Send is the function Send by turns. If the request ends while it waits for one, the answer is not compressed.
func (w Work) Send(to http.ResponseWriter, r *http.Request, status int, body []byte) {
	header := HTTPHeader(to.Header())
	if to.Header().Get("Cache-Control") == "" {
		NoStore(header)
	}
	if len(body) >= CompressFrom {
		header.SetHeader("Vary", "Accept-Encoding")
		if AcceptsGzip(r.Header.Get("Accept-Encoding")) {
			step := func(n int) error { return w.turn.Spend(w.ctx, compressWork*int64(n)) }
			if compressed, ok := appendGzip(nil, body, step); ok {
				header.SetHeader("Content-Encoding", "gzip")
				body = compressed
			}
		}
	}
	w.Pause()
	header.SetHeader("Content-Length", strconv.Itoa(len(body)))
	to.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = to.Write(body) // an error means that the client has gone
	}
}
