package rest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// maxReused is how large a buffer may be that is kept for later requests.
const maxReused = 1 << 20

// exchange holds the buffers of one request and its answer. They are used
// again, so nothing that outlives the request may point into them.
type exchange struct {
	body    bytes.Buffer
	limited io.LimitedReader // of the request's body
	parser  bodyParser
	replies resp.Writer

	out    []byte // the answer's body
	status int
	resp2  bool    // out is RESP2, not JSON
	events *events // in the place of all that
	used   used
	abroad int64 // when the client was last in another region, see lastAbroad
}

func (x *exchange) reset() {
	x.body.Reset()
	x.replies.Reset()
	x.out = x.out[:0]
	x.status = http.StatusOK
	x.resp2 = false
	x.events = nil
	x.used = used{}
	x.abroad = 0
}

func (x *exchange) reusable() bool {
	return x.body.Cap() <= maxReused && cap(x.replies.Buf) <= maxReused && cap(x.out) <= maxReused &&
		cap(x.parser.args) <= maxReused/16
}

// read reads the request's body, up to limit bytes. Of a larger one it reads on
// up to drain bytes, so that the client, still busy sending, gets to see the refusal.
func (x *exchange) read(r *Request, limit, drain int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.Length > drain {
		return nil, errTooLarge(limit, r.Length)
	}
	if r.Length > 0 {
		// ReadFrom wants room for MinRead more to see the end. What a client only
		// announces does not take memory without end.
		x.body.Grow(int(min(r.Length, limit, maxReused-bytes.MinRead)) + bytes.MinRead)
	}
	x.limited = io.LimitedReader{R: r.Body, N: limit + 1}
	n, err := x.body.ReadFrom(&x.limited)
	x.limited.R = nil
	if err == nil && n > limit {
		var more int64
		more, err = io.Copy(io.Discard, io.LimitReader(r.Body, drain-limit))
		if err == nil {
			return nil, errTooLarge(limit, n+more)
		}
	}
	if err != nil {
		return nil, errBodyUnreadable
	}
	return x.body.Bytes(), nil
}

// format is how replies are written.
type format struct {
	base64 bool
	resp2  bool
}

func wantsBase64(header Header) bool {
	return strings.EqualFold(header.Get("Upstash-Encoding"), "base64")
}

// formatOf reads the format that a request asks for.
func formatOf(header Header) (format, error) {
	f := format{base64: wantsBase64(header)}
	switch name := header.Get("Upstash-Response-Format"); {
	case name == "", strings.EqualFold(name, "json"):
	case !strings.EqualFold(name, "resp2"):
		return f, errFormat
	case f.base64:
		return f, errFormatBase64
	default:
		f.resp2 = true
	}
	return f, nil
}

// one appends a reply to the answer.
func (x *exchange) one(reply []byte, f format) (err error) {
	if f.resp2 {
		x.resp2 = true
		if x.out, err = resp.AppendRESP2(x.out, reply); err != nil {
			return fmt.Errorf("writing a reply as RESP2: %w", err)
		}
		return nil
	}
	if resp.IsError(reply) {
		text, ok := resp.ErrorText(reply)
		if !ok {
			return fmt.Errorf("writing an error reply as JSON: %w", resp.Check(reply))
		}
		x.out = append(x.out, `{"error":`...)
		x.out = resp.AppendJSONString(x.out, text)
	} else {
		x.out = append(x.out, `{"result":`...)
		if x.out, err = resp.AppendJSON(x.out, reply, resp.JSONOptions{Base64: f.base64}); err != nil {
			return fmt.Errorf("writing a reply as JSON: %w", err)
		}
	}
	x.out = append(x.out, '}')
	return nil
}

// fail makes the answer an error, whatever it was.
func (x *exchange) fail(status int, text string) {
	x.status = status
	x.resp2 = false
	x.out = append(x.out[:0], `{"error":`...)
	x.out = resp.AppendJSONString(x.out, text)
	x.out = append(x.out, '}')
}

// send sends the answer in one piece. HEAD gets its headers only.
func (x *exchange) send(r *Request, w ResponseWriter, syncToken string) {
	contentType := "application/json; charset=utf-8"
	if x.resp2 {
		contentType = "application/octet-stream"
	}
	allowOrigin(r, w)
	w.SetHeader("Access-Control-Expose-Headers", "upstash-sync-token")
	w.SetHeader("Upstash-Sync-Token", syncToken)
	if x.events != nil {
		w.SetHeader("Content-Type", "text/event-stream; charset=utf-8")
		w.SetHeader("Cache-Control", "no-cache, no-transform")
		w.SetHeader("X-Accel-Buffering", "no")
		w.Stream(x.status, x.events.send)
		return
	}
	w.SetHeader("Content-Type", contentType)
	w.SetHeader("Content-Length", strconv.Itoa(len(x.out)))
	if x.status == http.StatusMethodNotAllowed {
		w.SetHeader("Allow", allowedMethods)
	}
	body := x.out
	if r.Method == http.MethodHead {
		body = nil
	}
	w.Send(x.status, body)
}
