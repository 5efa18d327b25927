package edge

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	// CompressFrom is how long an answer must be to be compressed. A shorter one fits into one
	// packet of a network together with its headers, so it would not arrive any sooner.
	CompressFrom = 1400

	// sampled is how much of a longer answer decides whether the rest is worth the time.
	sampled = 16 << 10
)

// pays reports whether a compressed answer is so much smaller that the client's work pays, too.
func pays(compressed, plain int) bool { return compressed <= plain-plain/8 }

// AcceptsGzip reports whether a client accepts gzip by its Accept-Encoding (RFC 9110, 12.5.3).
func AcceptsGzip(acceptEncoding string) bool {
	any := false
	for item := range strings.SplitSeq(acceptEncoding, ",") {
		coding, parameters, _ := strings.Cut(item, ";")
		coding = strings.TrimSpace(coding)
		switch {
		case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
			return !isZeroQuality(parameters)
		case coding == "*":
			any = !isZeroQuality(parameters)
		}
	}
	return any
}

// isZeroQuality reports whether parameters are "q=0", with any number of zeros behind it.
func isZeroQuality(parameters string) bool {
	name, value, ok := strings.Cut(strings.TrimSpace(parameters), "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return false
	}
	quality, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err == nil && quality == 0
}

// compressors are kept, because each takes most of a megabyte.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a valid one
	}
	return w
}}

// appender is a bytes.Buffer whose memory belongs to the caller.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// appendGzip appends body to b, compressed; it is not ok if that does not pay, or if step fails, which is called before each step.
// nil: there is one step.
func appendGzip(b, body []byte, step func(bytes int) error) (compressed []byte, ok bool) {
	out := &appender{b}
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(out)
	rest := body
	// Writes to an appender never fail.
	if len(body) > 4*sampled {
		_, _ = w.Write(body[:sampled])
		_ = w.Flush()
		if !pays(len(out.b)-len(b), sampled) {
			return out.b[:len(b)], false
		}
		rest = body[sampled:]
	}
	for size := len(rest); len(rest) > 0; rest = rest[size:] {
		if step != nil {
			if size = min(workStep, len(rest)); step(size) != nil {
				return out.b[:len(b)], false
			}
		}
		_, _ = w.Write(rest[:size])
	}
	_ = w.Close()
	return out.b, pays(len(out.b)-len(b), len(body))
}

// Compress returns the body to send in the place of body: compressed, if the client accepts that and
// it pays. It sets Content-Encoding and Vary; vary is the header field by which the answer varies
// otherwise, "" if there is none. The compressed body is in *room, whose memory is used again;
// nil: in memory of its own.
func Compress(w HeaderWriter, acceptEncoding, vary string, body []byte, room *[]byte) []byte {
	if len(body) < CompressFrom {
		return body
	}
	if vary != "" {
		vary += ", "
	}
	w.SetHeader("Vary", vary+"Accept-Encoding")
	if !AcceptsGzip(acceptEncoding) {
		return body
	}
	if room == nil {
		room = new([]byte)
	}
	var ok bool
	if *room, ok = appendGzip((*room)[:0], body, nil); !ok {
		return body
	}
	w.SetHeader("Content-Encoding", "gzip")
	return *room
}

// HTTPHeader is a HeaderWriter of net/http.
type HTTPHeader http.Header

// SetHeader implements HeaderWriter.
func (h HTTPHeader) SetHeader(name, value string) { http.Header(h).Set(name, value) }

// Send answers a request of net/http with a whole body, compressed if that pays. Nobody may store it, unless the
// caller has set Cache-Control. Header fields other than those and those about the length and the encoding of
// the body are the caller's. HEAD gets no body.
func Send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	Work{ctx: r.Context()}.Send(w, r, status, body)
}
