package keyspace

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// Attribute names of a head. One letter each: names are billed in every item.
const (
	attrType   = "t"
	AttrWrite  = "w"
	attrExpiry = "e"
	attrBirth  = "b"
	attrTrace  = "q" // prefix
	attrSeal   = "z" // traces must not be destroyed, see trace.go
	attrKey    = "k"
	AttrGen    = "g"
	attrCount  = "c"
	attrLeft   = "a"
	attrSweep  = "f"
	AttrValue  = "v"
	attrPacked = "r" // v, compressed
	attrNumber = "n"
	attrList   = "l"

	attrStream  = "d" // what is known of a stream as a whole
	attrEntries = "i" // a stream's newest entries
	attrGroups  = "u" // a stream's groups
)

// Prefixes of the attributes that hold an inline collection's members; the
// upper case one is followed by base64, for members that are no plain text.
const (
	attrMember     = 'm'
	attrMember64   = 'M'
	attrFieldExp   = 'y'
	attrFieldExp64 = 'Y'
)

// First bytes of the sort keys of a generation's items.
const (
	elemOwner  = "\x00"
	elemMember = "\x01"
	elemScore  = "\x02"
	elemIndex  = "\x03"
	elemChunk  = "\x04"
	elemPage   = "\x05" // of a stream
	elemGroup  = "\x06" // of a stream
)

const (
	MaxKeySize = 32 << 10 // bytes of a user's key

	// longName is the length from which a key or member is cut in a sort key
	// and followed by its SHA-256; the whole is then in an attribute.
	longName = 900
)

// HashOf spreads keys and members; cursors are made of its upper bits.
func HashOf(s string) uint64 { return xxh3.HashString(s) }

// CursorBits is how much of a hash a cursor holds: few enough for clients that
// keep numbers in a float64.
const CursorBits = 52

// PutUint64 is a number in 8 bytes, whose order is that of the numbers.
func PutUint64(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

// GetUint64 reads what PutUint64 makes, from the beginning of a string; 0 if that is too short.
func GetUint64(s string) uint64 {
	if len(s) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64([]byte(s[:8]))
}

// SortName is the part of a sort key that stands for a name of any length.
func SortName(name string) string {
	if len(name) <= longName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:longName] + string(sum[:])
}

// slotPartition is the partition of one slot of a database's keys.
func slotPartition(db string, epoch int64, slot int) string {
	b := make([]byte, 0, len(db)+12)
	b = append(b, 'k')
	b = append(b, db...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(epoch))
	return string(binary.BigEndian.AppendUint16(b, uint16(slot)))
}

// ElemPartition is the partition of a generation's elements.
func ElemPartition(db, gen string) string { return "e" + db + "\x00" + gen }

func memberSort(member string) string {
	return elemMember + PutUint64(HashOf(member)) + SortName(member)
}

func scoreSort(score float64, member string) string {
	return elemScore + encodeScore(score) + SortName(member)
}

func indexSort(pos int64) string { return elemIndex + PutUint64(uint64(pos)^(1<<63)) }

func indexOfSort(sort string) int64 { return int64(GetUint64(sort[1:]) ^ (1 << 63)) }

func chunkSort(i int) string { return elemChunk + PutUint64(uint64(i)) }

// encodeScore maps float64 to 8 bytes whose order is that of the numbers. -0 becomes 0, as in the
// small sorted sets of Redis.
func encodeScore(f float64) string {
	bits := math.Float64bits(positiveZero(f))
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return PutUint64(bits)
}

// decodeScore reads what encodeScore makes. Scores that were stored long ago may be -0, which reads as 0.
func decodeScore(s string) float64 {
	bits := GetUint64(s)
	if bits>>63 != 0 {
		bits &^= 1 << 63
	} else {
		bits = ^bits
	}
	return positiveZero(math.Float64frombits(bits))
}

func positiveZero(f float64) float64 {
	if f == 0 {
		return 0
	}
	return f
}

// plainName reports whether a member can be part of an attribute's name as it is.
func plainName(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func memberAttr(member string) string { return nameAttr(attrMember, attrMember64, member) }

func fieldExpAttr(field string) string { return nameAttr(attrFieldExp, attrFieldExp64, field) }

func nameAttr(plain, coded byte, member string) string {
	if plainName(member) {
		return string(plain) + member
	}
	return string(coded) + base64.RawStdEncoding.EncodeToString([]byte(member))
}

// memberOfAttr is the member that an attribute m*, M*, y* or Y* names.
func memberOfAttr(name string) string {
	if name[0] == attrMember || name[0] == attrFieldExp {
		return name[1:]
	}
	b, err := base64.RawStdEncoding.DecodeString(name[1:])
	if err != nil {
		return name[1:]
	}
	return string(b)
}

func isMemberAttr(name string) bool { return name[0] == attrMember || name[0] == attrMember64 }
