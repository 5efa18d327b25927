package transfer

import (
	"encoding/base64"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/skystash/skystash/pkg/redis/internal/rdb"
)

// kinds are the names of types, as TYPE answers them, but for documents, which Redis calls "ReJSON-RL".
var kinds = map[rdb.Kind]string{
	rdb.String: "string", rdb.List: "list", rdb.Set: "set", rdb.Hash: "hash", rdb.ZSet: "zset", rdb.StreamKind: "stream", rdb.JSON: "json",
}

// JSONWriter writes entries as lines of JSON.
type JSONWriter struct {
	w   io.Writer
	buf []byte
}

// NewJSONWriter writes lines to w.
func NewJSONWriter(w io.Writer) *JSONWriter { return &JSONWriter{w: w} }

// Write adds a line. It says what of the entry is not in it, which is nothing.
func (j *JSONWriter) Write(e Entry) ([]Skipped, error) {
	v, err := e.value()
	if err != nil {
		return []Skipped{{Key: e.Key, Why: err.Error()}}, nil
	}
	j.buf, err = appendLine(j.buf[:0], e, v)
	if err != nil {
		return []Skipped{{Key: e.Key, Why: err.Error()}}, nil
	}
	_, err = j.w.Write(j.buf)
	return nil, err
}

// Close ends the lines, which needs nothing.
func (j *JSONWriter) Close() error { return nil }

func appendLine(b []byte, e Entry, v rdb.Value) ([]byte, error) {
	if v.Kind == rdb.JSON && !jsontext.Value(v.JSON).IsValid(lenient...) {
		return nil, errors.New("a document that is not JSON")
	}
	text := isText(e.Key, v)
	w := lineWriter{b, text}
	w.raw(`{"key":`)
	w.string(e.Key)
	w.raw(`,"type":"`, kinds[v.Kind], `"`)
	if e.ExpireAt > 0 {
		w.raw(`,"expireAt":`, strconv.FormatInt(e.ExpireAt, 10))
	}
	if !text {
		w.raw(`,"encoding":"base64"`)
	}
	w.raw(`,"value":`)
	w.b = appendValue(w.b, v, text)
	if v.Kind == rdb.Hash {
		w.fieldExpiries(v.Hash)
	}
	w.raw("}\n")
	return w.b, nil
}

// lenient reads what is JSON for most.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// isText reports whether all strings of an entry are UTF-8.
func isText(key string, v rdb.Value) bool {
	ok := utf8.ValidString(key) && utf8.ValidString(v.String)
	for _, s := range slices.Concat(v.List, v.Set) {
		ok = ok && utf8.ValidString(s)
	}
	for _, f := range v.Hash {
		ok = ok && utf8.ValidString(f.Name) && utf8.ValidString(f.Value)
	}
	for _, m := range v.ZSet {
		ok = ok && utf8.ValidString(m.Name)
	}
	if v.Stream == nil {
		return ok
	}
	for _, e := range v.Stream.Entries {
		for _, s := range e.Pairs {
			ok = ok && utf8.ValidString(s)
		}
	}
	for _, g := range v.Stream.Groups {
		ok = ok && utf8.ValidString(g.Name)
		for _, c := range g.Consumers {
			ok = ok && utf8.ValidString(c.Name)
		}
	}
	return ok
}

// lineWriter appends to a line.
type lineWriter struct {
	b    []byte
	text bool // strings are written as they are
}

func (w *lineWriter) raw(parts ...string) {
	for _, p := range parts {
		w.b = append(w.b, p...)
	}
}

func (w *lineWriter) string(s string) {
	if !w.text {
		w.b = append(w.b, '"')
		w.b = base64.StdEncoding.AppendEncode(w.b, []byte(s))
		w.b = append(w.b, '"')
		return
	}
	w.b, _ = jsontext.AppendQuote(w.b, s) // fails only for what is no UTF-8, and has written it nevertheless
}

func (w *lineWriter) int(n int64) { w.b = strconv.AppendInt(w.b, n, 10) }

// list writes n elements in brackets.
func (w *lineWriter) list(n int, element func(i int)) {
	w.raw("[")
	for i := range n {
		if i > 0 {
			w.raw(",")
		}
		element(i)
	}
	w.raw("]")
}

func (w *lineWriter) fieldExpiries(fields []rdb.Field) {
	begin := `,"fieldExpireAt":{`
	for _, f := range fields {
		if f.ExpireAt > 0 {
			w.raw(begin)
			w.string(f.Name)
			w.raw(":")
			w.int(f.ExpireAt)
			begin = ","
		}
	}
	if begin == "," {
		w.raw("}")
	}
}

// appendValue writes what stands at "value".
func appendValue(b []byte, v rdb.Value, text bool) []byte {
	w := lineWriter{b, text}
	switch v.Kind {
	case rdb.String:
		w.string(v.String)
	case rdb.List:
		w.list(len(v.List), func(i int) { w.string(v.List[i]) })
	case rdb.Set:
		w.list(len(v.Set), func(i int) { w.string(v.Set[i]) })
	case rdb.Hash:
		w.raw("{")
		for i, f := range v.Hash {
			if i > 0 {
				w.raw(",")
			}
			w.string(f.Name)
			w.raw(":")
			w.string(f.Value)
		}
		w.raw("}")
	case rdb.ZSet:
		w.list(len(v.ZSet), func(i int) {
			w.raw("[")
			w.string(v.ZSet[i].Name)
			w.raw(",", scoreText(v.ZSet[i].Score), "]")
		})
	case rdb.JSON:
		compact := jsontext.Value(v.JSON).Clone()
		if compact.Compact(lenient...) == nil {
			w.b = append(w.b, compact...)
		}
	case rdb.StreamKind:
		w.stream(v.Stream)
	}
	return w.b
}

// scoreText is a score as a number of JSON, or "inf" or "-inf" in quotes.
func scoreText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return `"inf"`
	case math.IsInf(f, -1):
		return `"-inf"`
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func (w *lineWriter) id(id rdb.StreamID) {
	w.raw(`"`, idText(id), `"`)
}

func (w *lineWriter) stream(s *rdb.Stream) {
	w.raw(`{"entries":`)
	w.list(len(s.Entries), func(i int) {
		w.raw("[")
		w.id(s.Entries[i].ID)
		for _, p := range s.Entries[i].Pairs {
			w.raw(",")
			w.string(p)
		}
		w.raw("]")
	})
	w.raw(`,"last":`)
	w.id(s.Last)
	if !s.Old {
		w.raw(`,"removed":`)
		w.id(s.Removed)
		w.raw(`,"added":`)
		w.int(s.Added)
	}
	w.raw(`,"groups":`)
	w.list(len(s.Groups), func(i int) { w.group(s.Groups[i]) })
	w.raw("}")
}

func (w *lineWriter) group(g rdb.StreamGroup) {
	w.raw(`{"name":`)
	w.string(g.Name)
	w.raw(`,"last":`)
	w.id(g.Last)
	w.raw(`,"read":`)
	w.int(g.Read)
	w.raw(`,"pending":`)
	w.list(len(g.Pending), func(i int) {
		p := g.Pending[i]
		w.raw("[")
		w.id(p.ID)
		w.raw(",")
		w.string(p.Consumer)
		w.raw(",", strconv.FormatInt(p.At, 10), ",", strconv.FormatInt(p.Count, 10), "]")
	})
	w.raw(`,"consumers":`)
	w.list(len(g.Consumers), func(i int) {
		c := g.Consumers[i]
		w.raw("[")
		w.string(c.Name)
		w.raw(",", strconv.FormatInt(c.Seen, 10), ",", strconv.FormatInt(c.Active, 10), "]")
	})
	w.raw("}")
}
