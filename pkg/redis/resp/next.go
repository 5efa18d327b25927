package resp

import (
	"bytes"
	"errors"
	"fmt"
)

// MaxDepth is how deep aggregates may be nested in a reply: an array of plain
// values has depth 1.
const MaxDepth = 1024

// ErrMalformed is what every error of this package's readers wraps. Replies
// come from a Writer, so it means a mistake in whoever wrote them.
var ErrMalformed = errors.New("malformed RESP")

// Value is one RESP value; of an aggregate only its head, its members follow it.
type Value struct {
	Type byte
	Text []byte // of a string, error or double; aliases the input
	Int  int64  // of an integer; 1 or 0 of a boolean
	Len  int    // of an aggregate: how many values follow as its members, two for each pair of a map or of pairs
}

// Aggregate reports whether members follow.
func (v Value) Aggregate() bool {
	switch v.Type {
	case TypeArray, TypeMap, TypeSet, TypePairs, TypeRows, TypePush:
		return true
	}
	return false
}

// Next reads the first value of b, of an aggregate only its head, and returns
// what follows it. It is strict: it accepts exactly what a Writer writes.
func Next(b []byte) (v Value, rest []byte, err error) {
	if len(b) == 0 {
		return v, nil, malformed("no value")
	}
	v.Type = b[0]
	b = b[1:]
	switch v.Type {
	case TypeInt:
		v.Int, rest, err = readInt(b)
		return v, rest, err
	case TypeBulk, TypeVerbatim:
		n, b, err := readLen(b)
		if err != nil {
			return v, nil, err
		}
		if n > len(b)-2 {
			return v, nil, malformed("bulk string cut off")
		}
		if b[n] != '\r' || b[n+1] != '\n' {
			return v, nil, malformed("bulk string without its end")
		}
		v.Text = b[:n:n]
		return v, b[n+2:], nil
	case TypeArray, TypeSet, TypeMap, TypePairs, TypeRows, TypePush:
		n, rest, err := readLen(b)
		if err != nil {
			return v, nil, err
		}
		// The shortest value has three bytes, so a head can never promise
		// more members than a caller may make room for.
		if n > len(rest)/3 {
			return v, nil, malformed("aggregate cut off")
		}
		if v.Type == TypeMap || v.Type == TypePairs {
			n *= 2
			if n > len(rest)/3 {
				return v, nil, malformed("pairs cut off")
			}
		}
		v.Len = n
		return v, rest, nil
	}
	line, rest, err := readLine(b)
	if err != nil {
		return v, nil, err
	}
	switch v.Type {
	case TypeSimple, TypeError:
		v.Text = line
		return v, rest, nil
	case TypeDouble:
		if !isDouble(line) {
			return v, nil, malformed("not a double")
		}
		v.Text = line
		return v, rest, nil
	case TypeNull, TypeNullArr:
		if len(line) == 0 {
			return v, rest, nil
		}
	case TypeBool:
		if len(line) == 1 && (line[0] == 't' || line[0] == 'f') {
			if line[0] == 't' {
				v.Int = 1
			}
			return v, rest, nil
		}
	}
	return v, nil, malformed("unknown type or excess bytes")
}

// Cut splits b after its first complete reply.
func Cut(b []byte) (reply, rest []byte, err error) {
	rest, err = skip(b, 0)
	if err != nil {
		return nil, nil, err
	}
	n := len(b) - len(rest)
	return b[:n:n], rest, nil
}

// Check reports what is wrong with a reply, which must be exactly one.
func Check(reply []byte) error {
	rest, err := skip(reply, 0)
	if err == nil && len(rest) > 0 {
		err = malformed("bytes after the reply")
	}
	return err
}

func skip(b []byte, depth int) ([]byte, error) {
	v, b, err := Next(b)
	if err != nil {
		return nil, err
	}
	if v.Aggregate() && depth == MaxDepth {
		return nil, malformed("nested too deep")
	}
	for range v.Len {
		if b, err = skip(b, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// readLine reads up to the next CR LF; neither may stand alone.
func readLine(b []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, malformed("line without its end")
	}
	line = b[: i-1 : i-1]
	if bytes.IndexByte(line, '\r') >= 0 {
		return nil, nil, malformed("carriage return within a line")
	}
	return line, b[i+1:], nil
}

// readLen reads a length: digits without a leading zero, and CR LF.
func readLen(b []byte) (n int, rest []byte, err error) {
	i := 0
	for i < len(b) && b[i]-'0' <= 9 {
		if i == 15 {
			return 0, nil, malformed("length too large")
		}
		n = n*10 + int(b[i]-'0')
		i++
	}
	if i == 0 || b[0] == '0' && i > 1 || len(b) < i+2 || b[i] != '\r' || b[i+1] != '\n' {
		return 0, nil, malformed("bad length")
	}
	return n, b[i+2:], nil
}

// readInt reads a canonical 64-bit integer and CR LF.
func readInt(b []byte) (int64, []byte, error) {
	neg := len(b) > 0 && b[0] == '-'
	digits := b
	if neg {
		digits = b[1:]
	}
	var n uint64
	i := 0
	for i < len(digits) && digits[i]-'0' <= 9 {
		if i == 19 {
			return 0, nil, malformed("integer out of range")
		}
		n = n*10 + uint64(digits[i]-'0')
		i++
	}
	if i == 0 || digits[0] == '0' && (i > 1 || neg) || len(digits) < i+2 || digits[i] != '\r' || digits[i+1] != '\n' {
		return 0, nil, malformed("bad integer")
	}
	switch {
	case !neg && n > 1<<63-1, neg && n > 1<<63:
		return 0, nil, malformed("integer out of range")
	case neg:
		return -int64(n), digits[i+2:], nil
	}
	return int64(n), digits[i+2:], nil
}

// isDouble reports whether b has the form of what AppendDouble makes.
func isDouble(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	} else if string(b) == "nan" {
		return true
	}
	if string(b) == "inf" {
		return true
	}
	b, ok := digits(b)
	if !ok {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b, ok = digits(b[1:]); !ok {
			return false
		}
	}
	if len(b) > 1 && b[0] == 'e' && (b[1] == '+' || b[1] == '-') {
		if b, ok = digits(b[2:]); !ok {
			return false
		}
	}
	return len(b) == 0
}

func digits(b []byte) (rest []byte, ok bool) {
	i := 0
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return b[i:], i > 0
}
