package keyspace

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
)

// WriteID identifies one attempt to write: 6 bytes of Unix milliseconds, 6
// random bytes. It serves as an item's version and as a generation id.
type WriteID string

// NewWriteID makes an id of a time (Unix ms).
func NewWriteID(nowMs int64) WriteID {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(nowMs)<<16)
	binary.BigEndian.PutUint64(b[6:14], rand.Uint64())
	return WriteID(b[:12])
}

// Millis is the Unix time, in milliseconds, at which the id was made; 0 for
// something that is no id.
func (id WriteID) Millis() int64 {
	if len(id) != 12 {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(id[:8])) >> 16)
}

// TraceName is the attribute that records the write in an item.
func (id WriteID) TraceName() string {
	var b [32]byte
	return string(base64.RawURLEncoding.AppendEncode(append(b[:0], attrTrace...), []byte(id)))
}

// traceID is the inverse of traceName; "" if the attribute is no trace.
func traceID(attr string) WriteID {
	if len(attr) != 17 || attr[:1] != attrTrace {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(attr[1:])
	if err != nil {
		return ""
	}
	return WriteID(b)
}
