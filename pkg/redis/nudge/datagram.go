package nudge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// kind says what a datagram is about.
type kind byte

const (
	hello   kind = 1 // I am here: tell me what you wait for
	await   kind = 2 // I wait for these
	written kind = 3 // these were written
)

// version is the first byte of every datagram.
const version = 1

const (
	idSize     = 8
	digestSize = 16 // also of the code at the end
	headSize   = 2 + idSize + 8
	// maxDigests is how many digests a datagram holds, so that it fits into a packet of any network.
	maxDigests = 70
	// maxDatagram is the size of the longest datagram in bytes.
	maxDatagram = headSize + maxDigests*digestSize + digestSize
	// maxAge is how old a datagram may be, or how far ahead: clocks differ.
	maxAge = time.Minute
)

type (
	processID [idSize]byte
	digest    [digestSize]byte
)

// datagram is what one process tells another.
type datagram struct {
	kind    kind
	from    processID
	at      time.Time
	digests []digest
}

// encode makes the bytes of a datagram.
func (d datagram) encode(secret []byte) []byte {
	b := make([]byte, 0, headSize+(len(d.digests)+1)*digestSize)
	b = append(b, version, byte(d.kind))
	b = append(b, d.from[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(d.at.UnixMilli()))
	for _, g := range d.digests {
		b = append(b, g[:]...)
	}
	code := mac(secret, b)
	return append(b, code[:]...)
}

// decode reads a datagram. It reports false if it is none of somebody who knows the secret.
func decode(secret, b []byte) (d datagram, ok bool) {
	end := len(b) - digestSize
	if end < headSize || (end-headSize)%digestSize != 0 || b[0] != version {
		return d, false
	}
	if code := mac(secret, b[:end]); !hmac.Equal(code[:], b[end:]) {
		return d, false
	}
	d.kind = kind(b[1])
	copy(d.from[:], b[2:])
	d.at = time.UnixMilli(int64(binary.BigEndian.Uint64(b[2+idSize:])))
	for i := headSize; i < end; i += digestSize {
		d.digests = append(d.digests, digest(b[i:]))
	}
	return d, true
}

// mac is the code of some bytes.
func mac(secret, b []byte) (code digest) {
	h := hmac.New(sha256.New, secret)
	h.Write(b)
	copy(code[:], h.Sum(nil))
	return code
}

// digestOf stands for a key of a database.
func digestOf(secret []byte, db, key string) digest {
	b := make([]byte, 0, len(db)+1+len(key))
	b = append(append(append(b, db...), 0), key...)
	return mac(secret, b)
}
