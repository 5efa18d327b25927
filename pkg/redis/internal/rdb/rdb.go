package rdb

import (
	"encoding/binary"
	"hash/crc64"
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values.
const (
	String Kind = iota
	List
	Set
	Hash
	ZSet
	StreamKind
	JSON
)

// Value is a Redis value. Only the field of its kind is used.
type Value struct {
	Kind   Kind
	String string
	List   []string
	Set    []string
	Hash   []Field
	ZSet   []Member
	Stream *Stream
	JSON   string // JSON text
}

// Field is a field of a hash.
type Field struct {
	Name, Value string
	ExpireAt    int64 // Unix time in milliseconds; 0: never
}

// Member is a member of a sorted set.
type Member struct {
	Name  string
	Score float64
}

// Types of values as a payload's first byte tells them.
const (
	typeString         = 0
	typeList           = 1
	typeSet            = 2
	typeZSetText       = 3 // scores as text
	typeHash           = 4
	typeZSet           = 5 // scores as 8 bytes
	typeModule2        = 7
	typeListZiplist    = 10
	typeSetIntset      = 11
	typeZSetZiplist    = 12
	typeHashZiplist    = 13
	typeListQuicklist  = 14 // of ziplists
	typeStream         = 15
	typeHashListpack   = 16
	typeZSetListpack   = 17
	typeListQuicklist2 = 18 // of listpacks and single elements
	typeStream2        = 19 // with what Redis 7.0 counts
	typeSetListpack    = 20
	typeStream3        = 21 // with the times when consumers were active
	typeHashExpiring   = 24 // fields with their times to live
	typeHashExpiringLP = 25 // the same in a listpack
)

const (
	versionPlain    = 9  // Redis 5.0, and readable by all later ones
	versionStream2  = 10 // Redis 7.0
	versionStream3  = 11 // Redis 7.2
	versionExpiring = 12 // Redis 7.4
	versionMax      = 12 // the latest whose values Load knows

	footerLen = 2 + 8
)

// A length starts with two bits that tell its form.
const (
	len6    = 0 << 6 // the other 6 bits
	len14   = 1 << 6 // these and the next byte, big-endian
	len32   = 0x80   // the next 4 bytes, big-endian
	len64   = 0x81   // the next 8 bytes, big-endian
	special = 3 << 6 // no length but one of the encodings of strings below
)

const (
	stringInt8 = special + iota // little-endian integers
	stringInt16
	stringInt32
	stringLZF // compressed length, length, data
)

// jones is the table of the CRC-64 with the polynomial ad93d23594c935a9.
var jones = crc64.MakeTable(0x95ac9329ac4bc9b5)

// checksum is Redis's crc64, which unlike Go's does not complement before and after.
func checksum(s []byte) uint64 { return ^crc64.Update(^uint64(0), jones, s) }

// Dump returns the payload of a value, which must not be an empty collection, unless it is a stream.
func Dump(v Value) string {
	var b []byte
	version := uint16(versionPlain)
	switch v.Kind {
	case String:
		b = appendString(append(b, typeString), v.String)
	case List:
		b = appendStrings(append(b, typeList), v.List)
	case Set:
		b = appendStrings(append(b, typeSet), v.Set)
	case Hash:
		if first := firstExpiry(v.Hash); first > 0 {
			version = versionExpiring
			b = appendExpiringHash(b, v.Hash, first)
			break
		}
		b = appendLen(append(b, typeHash), uint64(len(v.Hash)))
		for _, f := range v.Hash {
			b = appendString(appendString(b, f.Name), f.Value)
		}
	case ZSet:
		b = appendLen(append(b, typeZSet), uint64(len(v.ZSet)))
		for _, m := range v.ZSet {
			b = appendString(b, m.Name)
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.Score))
		}
	case StreamKind:
		times := v.Stream.exactTimes()
		if version = versionStream2; times {
			version = versionStream3
		}
		b = appendStream(b, v.Stream, times)
	case JSON:
		b = appendJSON(b, v.JSON)
	}
	b = binary.LittleEndian.AppendUint16(b, version)
	b = binary.LittleEndian.AppendUint64(b, checksum(b))
	return string(b)
}

// firstExpiry returns the earliest expiry of the fields, or 0.
func firstExpiry(fields []Field) int64 {
	var first int64
	for _, f := range fields {
		if f.ExpireAt > 0 && (first == 0 || f.ExpireAt < first) {
			first = f.ExpireAt
		}
	}
	return first
}

// appendExpiringHash writes the earliest expiry, then each field after its own, which
// is 0 for never and otherwise 1 plus the milliseconds after the earliest.
func appendExpiringHash(b []byte, fields []Field, first int64) []byte {
	b = binary.LittleEndian.AppendUint64(append(b, typeHashExpiring), uint64(first))
	b = appendLen(b, uint64(len(fields)))
	for _, f := range fields {
		var after uint64
		if f.ExpireAt > 0 {
			after = uint64(f.ExpireAt-first) + 1
		}
		b = appendLen(b, after)
		b = appendString(appendString(b, f.Name), f.Value)
	}
	return b
}

func appendStrings(b []byte, ss []string) []byte {
	b = appendLen(b, uint64(len(ss)))
	for _, s := range ss {
		b = appendString(b, s)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	if n, ok := num.IsCanonicalInt(s); ok {
		switch {
		case n >= math.MinInt8 && n <= math.MaxInt8:
			return append(b, stringInt8, byte(n))
		case n >= math.MinInt16 && n <= math.MaxInt16:
			return binary.LittleEndian.AppendUint16(append(b, stringInt16), uint16(n))
		case n >= math.MinInt32 && n <= math.MaxInt32:
			return binary.LittleEndian.AppendUint32(append(b, stringInt32), uint32(n))
		}
	}
	return append(appendLen(b, uint64(len(s))), s...)
}

func appendLen(b []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(b, len6|byte(n))
	case n < 1<<14:
		return append(b, len14|byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, len32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, len64), n)
}
