package resp

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// JSONOptions say how AppendJSON writes strings.
type JSONOptions struct {
	// Base64 encodes every string (simple, bulk, double, an error within an
	// array) at every depth, with padding, except a reply that is just OK.
	// Without it, bytes that are not UTF-8 become U+FFFD, one for each.
	Base64 bool
}

// AppendJSON appends a reply, which must be exactly one, as JSON of the shape
// that RESP2 would give it: strings and doubles as strings, integers as numbers
// with all their digits, maps and sets as flat arrays, booleans as 1 and 0,
// nulls as null, errors as strings of their text.
func AppendJSON(dst, reply []byte, o JSONOptions) ([]byte, error) {
	if o.Base64 && IsOK(reply) {
		return append(dst, `"OK"`...), nil
	}
	out, rest, err := appendJSON(dst, reply, o, 0)
	if err == nil && len(rest) > 0 {
		err = malformed("bytes after the reply")
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}

func appendJSON(dst, b []byte, o JSONOptions, depth int) (out, rest []byte, err error) {
	v, b, err := Next(b)
	if err != nil {
		return dst, nil, err
	}
	switch v.Type {
	case TypeNull, TypeNullArr:
		return append(dst, "null"...), b, nil
	case TypeInt, TypeBool:
		return strconv.AppendInt(dst, v.Int, 10), b, nil
	case TypeArray, TypeMap, TypeSet, TypePairs, TypeRows, TypePush:
		if depth == MaxDepth {
			return dst, nil, malformed("nested too deep")
		}
		dst = append(dst, '[')
		for i := range v.Len {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, b, err = appendJSON(dst, b, o, depth+1); err != nil {
				return dst, nil, err
			}
		}
		return append(dst, ']'), b, nil
	}
	if !o.Base64 {
		return AppendJSONString(dst, v.Text), b, nil
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, v.Text)
	return append(dst, '"'), b, nil
}

// AppendJSONString appends a JSON string literal. Bytes that are not UTF-8
// become U+FFFD, one for each.
func AppendJSONString[S ~string | ~[]byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	start := 0 // of the run that can be copied as it is
	for i := 0; i < len(s); {
		if i+8 <= len(s) && plain8(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			n := utf8.UTFMax
			if n > len(s)-i {
				n = len(s) - i
			}
			r, size := utf8.DecodeRuneInString(string(s[i : i+n]))
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// plain8 reports whether eight bytes are all ASCII that needs no escape. It may
// say no where yes would be right.
func plain8[S ~string | ~[]byte](s S) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	w := binary.LittleEndian.Uint64([]byte(s[:8]))
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	// A byte's top bit is set in w if it is not ASCII, in w - ' ' if it is less
	// than a blank (by the borrow), in x - 1 if x was zero. A borrow can set the
	// bit of the next byte as well, which only costs time.
	return (w|(w-ones*' ')|(quote-ones)|(slash-ones))&tops == 0
}
