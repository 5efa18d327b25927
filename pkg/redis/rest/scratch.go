package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// maxReused is how large a buffer may be that is kept for later requests.
const maxReused = 1 << 20

// scratch holds the buffers of one request and its answer. They are used
// again, so nothing that outlives the request may point into them.
type scratch struct {
	body    bytes.Buffer
	in      edge.Body // body is read from it
	hasRead bool      // the body was read, with readErr
	readErr error
	parser  bodyParser
	replies resp.Writer

	exchange exchange          // ends before the answer is sent
	foreseen func() [][]string // of it; nil: not asked for yet

	out      []byte // the answer's body
	zipped   []byte // room for it, compressed
	status   int
	refused  *edge.Error // nil: the request was carried out
	resp2    bool        // out is RESP2, not JSON
	events   *events     // in the place of all that
	used     used
	turn     *redis.Turn
	inflated bool  // the body was
	kept     int64 // bytes that turn counts for it
	abroad   int64 // when the client was last in another region, see lastAbroad
}

func (s *scratch) reset() {
	s.body.Reset()
	s.hasRead, s.readErr = false, nil
	s.replies.Reset()
	s.out = s.out[:0]
	s.status = http.StatusOK
	s.refused = nil
	s.resp2 = false
	s.events = nil
	clear(s.used.ran)
	s.used = used{ran: s.used.ran[:0]}
	s.turn, s.parser.turn = nil, nil
	s.inflated, s.kept = false, 0
	s.abroad = 0
}

func (s *scratch) reusable() bool {
	return s.body.Cap() <= maxReused && cap(s.replies.Buf) <= maxReused && cap(s.out) <= maxReused &&
		cap(s.zipped) <= maxReused && cap(s.parser.args) <= maxReused/16 && cap(s.used.ran) <= maxReused/64
}

// inflateWork is what a byte costs that is inflated, in units of work as redis.Budget has them.
const inflateWork = 5

// read reads the request's body, once, up to limit bytes. Of a larger one it reads on
// up to drain bytes, so that the client, still busy sending, gets to see the refusal.
func (s *scratch) read(ctx context.Context, r *Request, limit, drain int64) ([]byte, error) {
	if !s.hasRead {
		s.hasRead, s.readErr = true, s.readOnce(ctx, r, limit, drain)
	}
	if s.readErr != nil {
		return nil, s.readErr
	}
	return s.body.Bytes(), nil
}

func (s *scratch) readOnce(ctx context.Context, r *Request, limit, drain int64) error {
	s.in.Reader, s.in.Length, s.in.Encoding = r.Body, r.Length, r.Header.Get("Content-Encoding")
	if s.in.Encoding != "" {
		s.in.Inflating = func(bytes, memory int64) error {
			if err := s.turn.Spend(ctx, inflateWork*bytes); err != nil {
				return err
			}
			s.inflated = true
			s.kept += memory
			return s.turn.Hold(memory)
		}
	}
	err := s.in.ReadTo(&s.body, limit, drain)
	s.in.Reader, s.in.Inflating = nil, nil
	if err == nil || ctx.Err() != nil {
		return err
	}
	if text := redis.Error(""); errors.As(err, &text) {
		return badRequest(text.Error())
	}
	var large *edge.TooLargeError
	if errors.As(err, &large) {
		return errTooLarge(large.Limit, large.Actual)
	}
	refused := *edge.Of(err)
	refused.Text = "ERR " + refused.Text
	return &refused
}

// parsed gives up a body that was inflated, of which there are copies now.
func (s *scratch) parsed() {
	if s.kept > 0 {
		s.body = bytes.Buffer{}
		_ = s.turn.Hold(-s.kept)
		s.kept = 0
	}
}

// format is how replies are written.
type format struct {
	base64 bool
	resp2  bool
}

func wantsBase64(header edge.HeaderReader) bool {
	return strings.EqualFold(header.Get("Upstash-Encoding"), "base64")
}

// formatOf reads the format that a request asks for.
func formatOf(header edge.HeaderReader) (format, error) {
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
func (s *scratch) one(reply []byte, f format) (err error) {
	if f.resp2 {
		s.resp2 = true
		if s.out, err = resp.AppendRESP2(s.out, reply); err != nil {
			return fmt.Errorf("writing a reply as RESP2: %w", err)
		}
		return nil
	}
	if resp.IsError(reply) {
		text, ok := resp.ErrorText(reply)
		if !ok {
			return fmt.Errorf("writing an error reply as JSON: %w", resp.Check(reply))
		}
		s.out = append(s.out, `{"error":`...)
		s.out = resp.AppendJSONString(s.out, text)
	} else {
		s.out = append(s.out, `{"result":`...)
		if s.out, err = resp.AppendJSON(s.out, reply, resp.JSONOptions{Base64: f.base64}); err != nil {
			return fmt.Errorf("writing a reply as JSON: %w", err)
		}
	}
	s.out = append(s.out, '}')
	return nil
}

// fail makes the answer an error, whatever it was.
func (s *scratch) fail(e *edge.Error) {
	s.refused = e
	s.status = e.Status
	s.resp2 = false
	s.out = append(s.out[:0], `{"error":`...)
	s.out = resp.AppendJSONString(s.out, e.Message())
	s.out = append(s.out, '}')
}

// send sends the answer in one piece. HEAD gets its headers only.
func (s *scratch) send(r *Request, w ResponseWriter, syncToken string) {
	contentType := "application/json; charset=utf-8"
	if s.resp2 {
		contentType = "application/octet-stream"
	}
	vary := cors.Allow(r.Header.Get("Origin"), w)
	w.SetHeader("Upstash-Sync-Token", syncToken)
	if s.events != nil {
		w.SetHeader("Content-Type", "text/event-stream; charset=utf-8")
		w.SetHeader("Cache-Control", "no-store, no-transform")
		w.SetHeader("X-Accel-Buffering", "no")
		w.Stream(s.status, s.events.send)
		return
	}
	edge.SayCost(w, s.used.Use, s.used.rec, cors.Expose)
	edge.NoStore(w)
	body := s.out
	if len(body) >= edge.CompressFrom { // most answers are not, and looking for the header field takes time
		body = edge.Compress(w, r.Header.Get("Accept-Encoding"), vary, body, &s.zipped)
	}
	w.SetHeader("Content-Type", contentType)
	w.SetHeader("Content-Length", strconv.Itoa(len(body)))
	if s.refused != nil {
		s.refused.SetHeader(w)
	}
	if r.Method == http.MethodHead {
		body = nil
	}
	w.Send(s.status, body)
}
