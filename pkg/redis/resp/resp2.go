package resp

import "strconv"

// AppendRESP2 appends a reply, which must be exactly one, as RESP2 has it: maps
// and sets as arrays, doubles as bulk strings, booleans as 1 and 0, nulls as
// null bulk strings or null arrays, pairs as flat arrays.
func AppendRESP2(dst, reply []byte) ([]byte, error) {
	if err := Check(reply); err != nil {
		return dst, err
	}
	return AppendAllRESP2(dst, reply)
}

// AppendAllRESP2 is AppendRESP2 for any number of replies.
func AppendAllRESP2(dst, replies []byte) ([]byte, error) {
	// Most values are the same in both; they are copied in runs.
	run, b := replies, replies
	for len(b) > 0 {
		v, rest, err := Next(b)
		if err != nil {
			return dst, err
		}
		switch v.Type {
		case TypeSimple, TypeError, TypeInt, TypeBulk, TypeArray:
			b = rest
			continue
		}
		dst = append(dst, run[:len(run)-len(b)]...)
		switch v.Type {
		case TypeNull:
			dst = append(dst, "$-1\r\n"...)
		case TypeNullArr:
			dst = append(dst, "*-1\r\n"...)
		case TypeBool:
			dst = append(dst, TypeInt, '0'+byte(v.Int), '\r', '\n')
		case TypeDouble:
			dst = appendHead(dst, TypeBulk, len(v.Text))
			dst = append(dst, v.Text...)
			dst = append(dst, '\r', '\n')
		case TypeVerbatim:
			dst = appendHead(dst, TypeBulk, len(v.Text))
			dst = append(dst, v.Text...)
			dst = append(dst, '\r', '\n')
		case TypeMap, TypeSet, TypePairs, TypeRows, TypePush:
			dst = appendHead(dst, TypeArray, v.Len)
		}
		run, b = rest, rest
	}
	return append(dst, run...), nil
}

func appendHead(dst []byte, t byte, n int) []byte {
	dst = append(dst, t)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '\r', '\n')
}
