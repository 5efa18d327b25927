package resp

import (
	"strconv"
	"strings"
)

// Types, the first byte of each RESP value.
const (
	TypeSimple  = '+'
	TypeError   = '-'
	TypeInt     = ':'
	TypeBulk    = '$'
	TypeArray   = '*'
	TypeNull    = '_' // RESP2 writes it as $-1
	TypeDouble  = ',' // RESP2: a bulk string
	TypeBool    = '#' // RESP2: 0 or 1
	TypeMap     = '%' // RESP2: a flat array
	TypeSet     = '~' // RESP2: an array
	TypeNullArr = 'N' // internal, a null that RESP2 writes as *-1; never sent as such

	// Internal as well, for replies whose nesting differs between the protocols.
	TypePairs    = 'P' // pairs: a flat array in RESP2, an array of arrays of two in RESP3
	TypeRows     = 'R' // arrays of two: an array of them in RESP2, a map in RESP3
	TypePush     = '>' // a message that is no reply; RESP2 has none
	TypeVerbatim = '=' // a text for people: a bulk string in RESP2; RESP3 writes its format in front
)

// Writer appends RESP values to a buffer. The zero Writer is ready to use.
type Writer struct {
	Buf []byte

	end     int // bytes that Buf may have; 0: any number
	dropped int // bytes of bulk strings that were not written because of end
}

// Reset empties the buffer and keeps its memory.
func (w *Writer) Reset() { w.Truncate(0) }

// Len is the number of bytes written, with those that Limit keeps out of the buffer.
func (w *Writer) Len() int { return len(w.Buf) + w.dropped }

// Truncate drops what was written after the buffer had n bytes.
func (w *Writer) Truncate(n int) { w.Buf, w.dropped = w.Buf[:n], 0 }

// Limit bounds what is written from now on, until Unlimit. Bulk strings beyond n bytes are counted by Len and
// take no memory. What the buffer holds then is no reply, and is to be truncated.
func (w *Writer) Limit(n int) { w.end = len(w.Buf) + n }

// Unlimit ends what Limit began.
func (w *Writer) Unlimit() { w.end = 0 }

func (w *Writer) head(t byte, n int64) {
	w.Buf = append(w.Buf, t)
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
	w.Buf = append(w.Buf, '\r', '\n')
}

func (w *Writer) line(t byte, s string) {
	w.Buf = append(w.Buf, t)
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Simple writes a simple string. Line breaks become blanks.
func (w *Writer) Simple(s string) { w.line(TypeSimple, oneLine(s)) }

// OK writes the simple string OK.
func (w *Writer) OK() { w.line(TypeSimple, "OK") }

// Error writes an error reply; the text starts with its code ("ERR ...", "WRONGTYPE ...").
// Line breaks become blanks.
func (w *Writer) Error(text string) { w.line(TypeError, oneLine(text)) }

// oneLine keeps a text from breaking the framing of a reply.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
	}
	return s
}

// Int writes an integer.
func (w *Writer) Int(n int64) { w.head(TypeInt, n) }

// IntBool writes 1 or 0.
func (w *Writer) IntBool(b bool) {
	if b {
		w.Int(1)
	} else {
		w.Int(0)
	}
}

// Bulk writes a bulk string.
func (w *Writer) Bulk(s string) {
	w.head(TypeBulk, int64(len(s)))
	if w.end > 0 && len(w.Buf)+len(s) > w.end {
		w.dropped += len(s)
		return
	}
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// BulkOrNull writes a bulk string, or null if not ok.
func (w *Writer) BulkOrNull(s string, ok bool) {
	if ok {
		w.Bulk(s)
	} else {
		w.Null()
	}
}

// BulkInt writes an integer as a bulk string.
func (w *Writer) BulkInt(n int64) { w.Bulk(strconv.FormatInt(n, 10)) }

// Null writes the null that RESP2 sends as a null bulk string.
func (w *Writer) Null() { w.Buf = append(w.Buf, TypeNull, '\r', '\n') }

// NullArray writes the null that RESP2 sends as a null array.
func (w *Writer) NullArray() { w.Buf = append(w.Buf, TypeNullArr, '\r', '\n') }

// Array starts an array of n values, which must follow.
func (w *Writer) Array(n int) { w.head(TypeArray, int64(n)) }

// Map starts a map of n pairs: 2n values must follow.
func (w *Writer) Map(n int) { w.head(TypeMap, int64(n)) }

// Set starts a set of n values, which must follow.
func (w *Writer) Set(n int) { w.head(TypeSet, int64(n)) }

// Pairs starts n pairs, such as members with their scores: 2n values must follow. RESP2 has them as
// a flat array, RESP3 as an array of n arrays.
func (w *Writer) Pairs(n int) { w.head(TypePairs, int64(n)) }

// Rows starts an array of n arrays of two values each, which must follow with their headers. RESP3
// has them as a map, as in the reply of XREAD.
func (w *Writer) Rows(n int) { w.head(TypeRows, int64(n)) }

// Push starts a message of n values, which must follow. It is for RESP3 only.
func (w *Writer) Push(n int) { w.head(TypePush, int64(n)) }

// Verbatim writes a text for people, such as the reply of INFO.
func (w *Writer) Verbatim(s string) {
	w.head(TypeVerbatim, int64(len(s)))
	w.Buf = append(w.Buf, s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Double writes a double.
func (w *Writer) Double(f float64) {
	w.Buf = append(w.Buf, TypeDouble)
	w.Buf = AppendDouble(w.Buf, f)
	w.Buf = append(w.Buf, '\r', '\n')
}

// DoubleText is Double for a number whose text is its own: digits, with a point or without.
func (w *Writer) DoubleText(s string) { w.line(TypeDouble, s) }

// Bool writes a boolean.
func (w *Writer) Bool(b bool) {
	if b {
		w.line(TypeBool, "t")
	} else {
		w.line(TypeBool, "f")
	}
}

// Strings writes an array of bulk strings.
func (w *Writer) Strings(ss []string) {
	w.Array(len(ss))
	for _, s := range ss {
		w.Bulk(s)
	}
}

// Mark remembers a place for the header of an aggregate whose length is not known yet.
func (w *Writer) Mark() int { return len(w.Buf) }

// ArrayAt inserts, at a place got from Mark, the header of an array of n values that
// were written since.
func (w *Writer) ArrayAt(mark, n int) { w.insert(mark, TypeArray, n) }

// SetAt is ArrayAt for a set of n values.
func (w *Writer) SetAt(mark, n int) { w.insert(mark, TypeSet, n) }

// PairsAt is ArrayAt for n pairs.
func (w *Writer) PairsAt(mark, n int) { w.insert(mark, TypePairs, n) }

// RowsAt is ArrayAt for n rows.
func (w *Writer) RowsAt(mark, n int) { w.insert(mark, TypeRows, n) }

// MapAt is ArrayAt for a map of n pairs.
func (w *Writer) MapAt(mark, n int) { w.insert(mark, TypeMap, n) }

func (w *Writer) insert(mark int, t byte, n int) {
	var tmp [24]byte
	h := append(tmp[:0], t)
	h = strconv.AppendInt(h, int64(n), 10)
	h = append(h, '\r', '\n')
	w.Buf = append(w.Buf, h...)
	copy(w.Buf[mark+len(h):], w.Buf[mark:])
	copy(w.Buf[mark:], h)
}
