package resp

// AppendAllRESP3 appends replies, any number of them, as RESP3 has them. Booleans are integers there
// too: Redis sends none for the commands that there are.
func AppendAllRESP3(dst, replies []byte) ([]byte, error) {
	out, err := dst, error(nil)
	for b := replies; len(b) > 0; {
		if out, b, err = appendRESP3(out, b, 0); err != nil {
			return dst, err
		}
	}
	return out, nil
}

// appendRESP3 appends the first reply of b, and returns what follows it.
func appendRESP3(dst, b []byte, depth int) (out, rest []byte, err error) {
	v, rest, err := Next(b)
	if err != nil {
		return dst, nil, err
	}
	members, perRow := v.Len, 0
	switch v.Type {
	case TypeNullArr:
		return append(dst, TypeNull, '\r', '\n'), rest, nil
	case TypeBool:
		return append(dst, TypeInt, '0'+byte(v.Int), '\r', '\n'), rest, nil
	case TypeVerbatim:
		dst = appendHead(dst, TypeVerbatim, len("txt:")+len(v.Text))
		dst = append(dst, "txt:"...)
		dst = append(dst, v.Text...)
		return append(dst, '\r', '\n'), rest, nil
	case TypePairs:
		dst, perRow = appendHead(dst, TypeArray, v.Len/2), 2
	case TypeRows:
		dst = appendHead(dst, TypeMap, v.Len)
	default:
		dst = append(dst, b[:len(b)-len(rest)]...)
	}
	if members > 0 && depth == MaxDepth {
		return dst, nil, malformed("nested too deep")
	}
	for i := range members {
		switch {
		case perRow > 0 && i%perRow == 0:
			dst = appendHead(dst, TypeArray, perRow)
		case v.Type == TypeRows:
			row, after, err := Next(rest)
			if err != nil || row.Type != TypeArray || row.Len != 2 {
				return dst, nil, malformed("a row that is no array of two")
			}
			if dst, after, err = appendRESP3(dst, after, depth+1); err != nil {
				return dst, nil, err
			}
			rest = after
		}
		if dst, rest, err = appendRESP3(dst, rest, depth+1); err != nil {
			return dst, nil, err
		}
	}
	return dst, rest, nil
}
