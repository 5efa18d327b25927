package qstash

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"time"
)

// Prefixes of ids.
const (
	messagePrefix  = "msg_"
	schedulePrefix = "scd_"
	keyPrefix      = "sig_"
	runPrefix      = "wfr_"
)

// alphabet is base 58 in ASCII order, so that ids sort as the numbers they stand for.
const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// idLength digits of base 58 hold 128 bits.
const idLength = 22

// encodeID writes 128 bits.
func encodeID(prefix string, hi, lo uint64) string {
	buf := make([]byte, len(prefix)+idLength)
	copy(buf, prefix)
	for i := len(buf) - 1; i >= len(prefix); i-- {
		q, r := bits.Div64(0, hi, 58)
		var r2 uint64
		lo, r2 = bits.Div64(r, lo, 58)
		hi = q
		buf[i] = alphabet[r2]
	}
	return string(buf)
}

// times58 is a number of 128 bits times 58, plus a digit.
func times58(hi, lo, digit uint64) (uint64, uint64) {
	over, low := bits.Mul64(lo, 58)
	low, carry := bits.Add64(low, digit, 0)
	return hi*58 + over + carry, low
}

// idAt makes an id that begins with a time: 48 bits of milliseconds, 80 of entropy.
func idAt(prefix string, at time.Time, entropy [10]byte) string {
	hi := uint64(at.UnixMilli())<<16 | uint64(binary.BigEndian.Uint16(entropy[:2]))
	return encodeID(prefix, hi, binary.BigEndian.Uint64(entropy[2:]))
}

// newID makes an id that is unique and begins with the present time.
func (e *Engine) newID(prefix string) string { return e.newIDAt(prefix, e.now()) }

// newIDAt is newID for another time.
func (e *Engine) newIDAt(prefix string, at time.Time) string {
	var entropy [10]byte
	e.random(entropy[:])
	return idAt(prefix, at, entropy)
}

// derivedID makes an id that is the same whenever it is made of the same parts, for
// what must happen once though several may try.
func derivedID(prefix string, at time.Time, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	var entropy [10]byte
	copy(entropy[:], h.Sum(nil))
	return idAt(prefix, at, entropy)
}

// shards is how many partitions an account's messages are spread over. One takes
// about 1,000 writes a second.
const shards = 8

func shardOf(id string) byte {
	h := fnv.New32a()
	h.Write([]byte(id))
	return byte(h.Sum32() % shards)
}
