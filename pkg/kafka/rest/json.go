package rest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/skystash/skystash/pkg/edge"
	"github.com/skystash/skystash/pkg/kafka"
	"github.com/skystash/skystash/pkg/kafka/batch"
)

// lenient are the options by which bodies are read. Unknown members are ignored;
// what is not UTF-8 becomes U+FFFD.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// Bounds of a body: the smallest object and the smallest string take many times their bytes in memory.
const (
	maxObjects = 100_000
	maxValues  = 1_000_000
)

// checkSize refuses a body of too many objects or values.
func checkSize(body []byte) error {
	objects, values, inString := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{':
			objects++
		case c == ',':
			values++
		}
	}
	switch {
	case objects > maxObjects:
		return refuse(http.StatusRequestEntityTooLarge, "the body has %d objects, at most %d", objects, maxObjects)
	case values > maxValues:
		return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d values", maxValues)
	}
	return nil
}

// decode reads the JSON body. A comma behind the last element is forgiven.
func (x *exchange) decode(body []byte, to any) error {
	if err := checkSize(body); err != nil {
		return err
	}
	defer x.work.Pause()
	err := json.UnmarshalRead(x.work.Reader(body), to, lenient)
	if err == nil || x.ctx.Err() != nil {
		return x.ctx.Err()
	}
	if mended, ok := withoutTrailingCommas(body); ok {
		err = json.UnmarshalRead(x.work.Reader(mended), to, lenient)
	}
	var semantic *json.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &semantic) && semantic.JSONPointer != "":
		return refuse(http.StatusBadRequest, "invalid request: %s has the wrong type", semantic.JSONPointer)
	case errors.As(err, &semantic):
		return refuse(http.StatusBadRequest, "invalid request: the body has the wrong type")
	}
	return refuse(http.StatusBadRequest, "invalid JSON")
}

// withoutTrailingCommas removes commas that nothing follows but the end of an
// array or object. It reports whether there were any.
func withoutTrailingCommas(body []byte) ([]byte, bool) {
	out := make([]byte, 0, len(body))
	inString, comma := false, -1 // the place in out of a comma that only space has followed
	found := false
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case inString && c == '\\' && i+1 < len(body):
			out = append(out, c)
			i++
			c = body[i]
		case c == '"':
			inString = !inString
			comma = -1
		case inString, c == ' ', c == '\t', c == '\n', c == '\r':
		case c == ',':
			comma = len(out)
		case (c == ']' || c == '}') && comma >= 0:
			out[comma] = ' '
			found = true
			comma = -1
		default:
			comma = -1
		}
		out = append(out, c)
	}
	return out, found
}

// decodeMany reads a body that is one value or an array of them.
func decodeMany[T any](x *exchange, body []byte) (values []T, single bool, err error) {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '[' {
		err = x.decode(body, &values)
		return values, false, err
	}
	var one T
	if err := x.decode(body, &one); err != nil {
		return nil, true, err
	}
	return []T{one}, true, nil
}

// nullable is a string, null, or not there.
type nullable struct {
	given bool
	value []byte // nil: null
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (n *nullable) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	n.given = true
	switch d.PeekKind() {
	case 'n':
		return d.SkipValue()
	case '"':
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		n.value, err = jsontext.AppendUnquote([]byte{}, raw)
		if err != nil && len(n.value) == 0 {
			return err
		}
		return nil
	}
	if err := d.SkipValue(); err != nil {
		return err
	}
	return errors.New("neither string nor null")
}

// metadata says where a message is.
type metadata struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Timestamp int64  `json:"timestamp"`
}

func metadataOf(p kafka.Produced) metadata {
	return metadata{p.Topic, p.Partition, p.Offset, p.Timestamp}
}

// form is how keys, values and the values of headers are written in JSON. A request's headers say it.
type form struct {
	nulls  bool // what is not there is null, and not ""
	base64 bool // bytes are base64, so that all of them survive
}

// Header fields of the form, in requests to produce, fetch and consume.
const (
	nullsField    = "Kafka-Nulls"
	encodingField = "Kafka-Encoding"
)

func formOf(h http.Header) (f form, err error) {
	switch v := h.Get(nullsField); v {
	case "", "false":
	case "true":
		f.nulls = true
	default:
		return f, badRequest("%s must be true or false", nullsField)
	}
	switch v := h.Get(encodingField); v {
	case "", "utf8":
	case "base64":
		f.base64 = true
	default:
		return f, badRequest("%s must be utf8 or base64", encodingField)
	}
	return f, nil
}

// append appends bytes as they are written in JSON.
func (f form) append(b, bytes []byte) []byte {
	switch {
	case bytes == nil && f.nulls:
		return append(b, "null"...)
	case f.base64:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), bytes)
		return append(b, '"')
	}
	return appendString(b, bytes)
}

// decode reads what was a string in JSON; nil stays nil.
func (f form) decode(what string, text []byte) ([]byte, error) {
	if !f.base64 || text == nil {
		return text, nil
	}
	bytes, err := base64.StdEncoding.AppendDecode([]byte{}, text)
	if err != nil {
		return nil, badRequest("%s is no base64", what)
	}
	return bytes, nil
}

// messages are written without a tree in between: they are most of the traffic.
type messages struct {
	list []kafka.Message
	form form
}

// encode makes the JSON of an answer.
func encode(answer any, work edge.Work) ([]byte, error) {
	if ms, ok := answer.(messages); ok {
		defer work.Pause()
		return ms.append(make([]byte, 0, ms.size()), work)
	}
	return json.Marshal(answer, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
}

// size is the length of the JSON, or a little more. A buffer that grows would take several times as much.
func (ms messages) size() int {
	n := len("[]")
	for i := range ms.list {
		m := &ms.list[i]
		n += perMessage + ms.form.size(m.Key) + ms.form.size(m.Value)
		for _, h := range m.Headers {
			n += perHeader + quoted(h.Key) + ms.form.size(h.Value)
		}
	}
	return n
}

// size is the length of bytes as append writes them, or a little more.
func (f form) size(bytes []byte) int {
	if f.base64 {
		return base64.StdEncoding.EncodedLen(len(bytes))
	}
	return quoted(bytes)
}

// quoted is the length of a JSON string without its quotes, or a little more.
func quoted[T ~string | ~[]byte](s T) (n int) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '\\', '\b' <= c && c <= '\r' && c != '\v':
			n += 2
		case c < ' ':
			n += len(`\u0000`)
		case c < utf8.RuneSelf:
			n++
		default:
			r, width := utf8.DecodeRuneInString(string(s[i:min(len(s), i+utf8.UTFMax)]))
			n += utf8.RuneLen(r) // of U+FFFD for a byte that is none
			i += width - 1
		}
	}
	return n
}

func (ms messages) append(b []byte, work edge.Work) ([]byte, error) {
	b = append(b, '[')
	before := 0
	for i := range ms.list {
		m := &ms.list[i]
		if err := work.JSON(len(b) - before); err != nil { // of the one before
			return nil, err
		}
		before = len(b)
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"topic":`...), m.Topic)
		b = appendInt(append(b, `,"partition":`...), int64(m.Partition))
		b = appendInt(append(b, `,"offset":`...), m.Offset)
		b = appendInt(append(b, `,"timestamp":`...), m.Timestamp)
		b = ms.form.append(append(b, `,"key":`...), m.Key)
		b = ms.form.append(append(b, `,"value":`...), m.Value)
		b = append(b, `,"headers":[`...)
		for j, h := range m.Headers {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendString(append(b, `{"key":`...), h.Key)
			b = ms.form.append(append(b, `,"value":`...), h.Value)
			b = append(b, '}')
		}
		b = append(b, `]}`...)
	}
	return append(b, ']'), nil
}

// appendString appends a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString[T ~string | ~[]byte](b []byte, s T) []byte {
	quoted, _ := jsontext.AppendQuote(b, s) // the error says that it had to replace bytes
	return quoted
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// Weigh is what a message takes of an answer that is a string in another JSON
// document, as Lambda's are. See kafka.Config.
func Weigh(r *batch.Record) int {
	n := escaped(r.Key) + escaped(r.Value)
	for _, h := range r.Headers {
		n += escaped(h.Key) + escaped(h.Value) + perHeader
	}
	return n + perMessage
}

// What is written around a message and a header, with its quotes escaped.
const (
	perMessage = 500 // the topic may have 249 bytes
	perHeader  = 32
)

// escaped bounds the length of a JSON string inside of a JSON string.
func escaped[T ~string | ~[]byte](s T) (n int) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c == 0x7f:
			n += len(`\\u0000`)
		case c == '"', c == '\\':
			n += len(`\\\"`)
		case c >= 0x80:
			n += len("\ufffd")
		default:
			n++
		}
	}
	return n
}
