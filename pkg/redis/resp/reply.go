package resp

// IsError reports whether a reply is an error.
func IsError(reply []byte) bool { return len(reply) > 0 && reply[0] == TypeError }

// ErrorText is the text of an error reply; ok is false of any other reply.
func ErrorText(reply []byte) (text string, ok bool) {
	if !IsError(reply) {
		return "", false
	}
	v, _, err := Next(reply)
	if err != nil {
		return "", false
	}
	return string(v.Text), true
}

// IsNull reports whether a reply is one of the two nulls.
func IsNull(reply []byte) bool {
	return len(reply) > 0 && (reply[0] == TypeNull || reply[0] == TypeNullArr)
}

// IsOK reports whether a reply is the simple string OK.
func IsOK(reply []byte) bool { return string(reply) == "+OK\r\n" }

// IsAggregate reports whether a reply is an array, a map, a set, pairs or rows.
func IsAggregate(reply []byte) bool {
	return len(reply) > 0 && Value{Type: reply[0]}.Aggregate()
}
