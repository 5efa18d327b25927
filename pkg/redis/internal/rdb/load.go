package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/lzf"
	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// The errors of Load. Redis answers their texts after "ERR ", the first two alike.
var (
	ErrChecksum = errors.New("DUMP payload version or checksum are wrong")
	ErrVersion  = errors.New("DUMP payload version or checksum are wrong")
	ErrFormat   = errors.New("Bad data format") //lint:ignore ST1005 Redis's own text
)

// maxDecoded bounds the memory a payload may decode to, in bytes.
const maxDecoded = 128 << 20

// elementCost is what an element counts besides its bytes: its header, its place in the index that finds duplicates,
// and what it takes on its way into the database.
const elementCost = 240

// Load reads a payload. Errors are [ErrChecksum], [ErrVersion], or wrap [ErrFormat].
func Load(payload string) (Value, error) { return LoadWithin(payload, nil) }

// LoadWithin is Load for a caller who counts the bytes that the value takes, before they are taken: a small payload may
// decode to very much. If charge reports false, Load gives up, with an error of any kind. nil: nobody counts.
func LoadWithin(payload string, charge func(bytes int) bool) (Value, error) {
	d, err := open(payload)
	if err != nil {
		return Value{}, err
	}
	d.charge = charge
	v := d.value()
	if d.err == nil && d.rest != "" {
		d.fail("%d bytes after the value", len(d.rest))
	}
	if d.err != nil {
		return Value{}, d.err
	}
	return v, nil
}

// open checks a payload's footer and returns a decoder of what is before it.
func open(payload string) (decoder, error) {
	if len(payload) < footerLen {
		return decoder{}, ErrChecksum
	}
	body, footer := payload[:len(payload)-footerLen], []byte(payload[len(payload)-footerLen:])
	if binary.LittleEndian.Uint16(footer) > versionMax {
		return decoder{}, ErrVersion
	}
	if binary.LittleEndian.Uint64(footer[2:]) != checksum([]byte(payload[:len(payload)-8])) {
		return decoder{}, ErrChecksum
	}
	return decoder{rest: body, budget: maxDecoded}, nil
}

// decoder reads values off rest. After the first failure, err is set, rest is empty and
// everything reads as zero.
type decoder struct {
	rest   string
	budget int
	charge func(bytes int) bool // see LoadWithin
	err    error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	d.rest = ""
}

// spend counts memory that is about to be used.
func (d *decoder) spend(n int) bool {
	if d.charge != nil && !d.charge(n) || n > d.budget {
		d.fail("more than %d bytes of data", maxDecoded)
		return false
	}
	d.budget -= n
	return true
}

// take returns the next n bytes.
func (d *decoder) take(n uint64) string {
	if n > uint64(len(d.rest)) {
		d.fail("%d bytes expected, %d there", n, len(d.rest))
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

// little reads an unsigned little-endian integer of 1 to 8 bytes.
func (d *decoder) little(size uint64) uint64 {
	var n uint64
	for i, s := 0, d.take(size); i < len(s); i++ {
		n |= uint64(s[i]) << (8 * i)
	}
	return n
}

// big reads an unsigned big-endian integer of 1 to 8 bytes.
func (d *decoder) big(size uint64) uint64 {
	var n uint64
	for i, s := 0, d.take(size); i < len(s); i++ {
		n = n<<8 | uint64(s[i])
	}
	return n
}

// signed reads a little-endian integer of 1 to 8 bytes in two's complement, as text.
func (d *decoder) signed(size uint64) string {
	unused := 64 - 8*size
	return strconv.FormatInt(int64(d.little(size)<<unused)>>unused, 10)
}

// length reads a length.
func (d *decoder) length() uint64 {
	first := byte(d.little(1))
	switch {
	case first&special == len6:
		return uint64(first)
	case first&special == len14:
		return uint64(first&^special)<<8 | d.little(1)
	case first == len32:
		return d.big(4)
	case first == len64:
		return d.big(8)
	}
	d.fail("no length but %#x", first)
	return 0
}

// count reads how many elements follow, each of at least size bytes, and at least one.
func (d *decoder) count(size int) int {
	n := d.length()
	if n == 0 || n > uint64(len(d.rest)/size) {
		d.fail("%d elements in %d bytes", n, len(d.rest))
		return 0
	}
	if !d.spend(int(n) * elementCost) {
		return 0
	}
	return int(n)
}

// string reads a string in any of its encodings.
func (d *decoder) string() string {
	if d.rest == "" {
		d.fail("string missing")
		return ""
	}
	switch d.rest[0] {
	case stringInt8, stringInt16, stringInt32:
		size := uint64(1) << (d.rest[0] &^ special)
		d.take(1)
		return d.signed(size)
	case stringLZF:
		d.take(1)
		compressed, length := d.length(), d.length()
		block := d.take(compressed)
		if d.err != nil || length > maxDecoded || !d.spend(int(length)) {
			d.fail("compressed string of %d bytes", length)
			return ""
		}
		s, err := lzf.Decompress(block, int(length))
		if err != nil {
			d.fail("compressed string: %v", err)
		}
		return s
	}
	return d.take(d.length())
}

func (d *decoder) strings() []string {
	n := d.count(1)
	ss := make([]string, 0, n)
	for range n {
		ss = append(ss, d.string())
	}
	return ss
}

func (d *decoder) value() Value {
	kind := d.little(1)
	switch kind {
	case typeString:
		return Value{Kind: String, String: d.string()}
	case typeList:
		return Value{Kind: List, List: d.strings()}
	case typeListZiplist:
		return Value{Kind: List, List: d.notEmpty(d.packed(ziplist))}
	case typeListQuicklist, typeListQuicklist2:
		return Value{Kind: List, List: d.notEmpty(d.quicklist(kind))}
	case typeSet:
		return d.set(d.strings())
	case typeSetIntset:
		return d.set(d.notEmpty(d.packed(intset)))
	case typeSetListpack:
		return d.set(d.notEmpty(d.packed(listpack)))
	case typeHash:
		return d.hash(d.fields())
	case typeHashZiplist:
		return d.hash(d.pairs(d.packed(ziplist)))
	case typeHashListpack:
		return d.hash(d.pairs(d.packed(listpack)))
	case typeHashExpiring:
		return d.hash(d.expiringFields())
	case typeHashExpiringLP:
		d.take(8) // the earliest expiry
		return d.hash(d.triples(d.packed(listpack)))
	case typeZSet, typeZSetText:
		return d.zset(d.members(kind))
	case typeZSetZiplist:
		return d.zset(d.scored(d.packed(ziplist)))
	case typeZSetListpack:
		return d.zset(d.scored(d.packed(listpack)))
	case typeStream, typeStream2, typeStream3:
		return d.stream(kind)
	case typeModule2:
		return d.module()
	}
	d.fail("type %d", kind)
	return Value{}
}

func (d *decoder) notEmpty(elements []string) []string {
	if len(elements) == 0 {
		d.fail("empty collection")
	}
	return elements
}

// quicklist reads a list of nodes, each a packed list or, in the newer type, one element.
func (d *decoder) quicklist(kind uint64) []string {
	const plain, packed = 1, 2
	var elements []string
	for range d.count(1) {
		if kind == typeListQuicklist {
			elements = append(elements, d.packed(ziplist)...)
			continue
		}
		switch container := d.length(); container {
		case plain:
			elements = append(elements, d.string())
		case packed:
			elements = append(elements, d.packed(listpack)...)
		default:
			d.fail("list node of kind %d", container)
		}
		if d.err != nil {
			return nil
		}
	}
	return elements
}

func (d *decoder) fields() []Field {
	n := d.count(2)
	fields := make([]Field, 0, n)
	for range n {
		name := d.string()
		fields = append(fields, Field{Name: name, Value: d.string()})
	}
	return fields
}

func (d *decoder) expiringFields() []Field {
	first := d.little(8)
	n := d.count(3)
	fields := make([]Field, 0, n)
	for range n {
		after := d.length()
		f := Field{Name: d.string()}
		f.Value = d.string()
		if after > 0 {
			f.ExpireAt = d.expiry(first + after - 1)
		}
		fields = append(fields, f)
	}
	return fields
}

func (d *decoder) expiry(ms uint64) int64 {
	if ms > math.MaxInt64 {
		d.fail("expiry %d", ms)
		return 0
	}
	return int64(ms)
}

// pairs makes fields of names and values in turn.
func (d *decoder) pairs(elements []string) []Field {
	if len(elements) == 0 || len(elements)%2 != 0 {
		d.fail("hash of %d elements", len(elements))
		return nil
	}
	fields := make([]Field, 0, len(elements)/2)
	for i := 0; i < len(elements); i += 2 {
		fields = append(fields, Field{Name: elements[i], Value: elements[i+1]})
	}
	return fields
}

// triples makes fields of names, values and expiries in turn.
func (d *decoder) triples(elements []string) []Field {
	if len(elements) == 0 || len(elements)%3 != 0 {
		d.fail("hash of %d elements", len(elements))
		return nil
	}
	fields := make([]Field, 0, len(elements)/3)
	for i := 0; i < len(elements); i += 3 {
		expiry, ok := num.ParseInt(elements[i+2])
		if !ok || expiry < 0 {
			d.fail("expiry %q", elements[i+2])
			return nil
		}
		fields = append(fields, Field{Name: elements[i], Value: elements[i+1], ExpireAt: expiry})
	}
	return fields
}

func (d *decoder) members(kind uint64) []Member {
	size := 1 + 8
	if kind == typeZSetText {
		size = 2
	}
	n := d.count(size)
	members := make([]Member, 0, n)
	for range n {
		m := Member{Name: d.string()}
		if kind == typeZSetText {
			m.Score = d.textScore()
		} else {
			m.Score = math.Float64frombits(d.little(8))
		}
		members = append(members, m)
	}
	return members
}

// textScore reads a score as text after its length, or a code for one that is not finite.
func (d *decoder) textScore() float64 {
	const nan, inf, negativeInf = 253, 254, 255
	switch n := d.little(1); n {
	case nan:
		return math.NaN() // refused later
	case inf:
		return math.Inf(1)
	case negativeInf:
		return math.Inf(-1)
	default:
		return d.score(d.take(n))
	}
}

func (d *decoder) score(s string) float64 {
	f, ok := num.ParseFloat(s)
	if !ok {
		d.fail("score %q", s)
	}
	return f
}

// scored makes members of names and scores in turn.
func (d *decoder) scored(elements []string) []Member {
	if len(elements) == 0 || len(elements)%2 != 0 {
		d.fail("sorted set of %d elements", len(elements))
		return nil
	}
	members := make([]Member, 0, len(elements)/2)
	for i := 0; i < len(elements); i += 2 {
		members = append(members, Member{Name: elements[i], Score: d.score(elements[i+1])})
	}
	return members
}

func (d *decoder) set(members []string) Value {
	unique(d, members, func(m string) string { return m })
	return Value{Kind: Set, Set: members}
}

func (d *decoder) hash(fields []Field) Value {
	unique(d, fields, func(f Field) string { return f.Name })
	return Value{Kind: Hash, Hash: fields}
}

func (d *decoder) zset(members []Member) Value {
	unique(d, members, func(m Member) string { return m.Name })
	for _, m := range members {
		if math.IsNaN(m.Score) {
			d.fail("score of %q is not a number", m.Name)
		}
	}
	return Value{Kind: ZSet, ZSet: members}
}

// unique fails on the second element of a name.
func unique[T any](d *decoder, elements []T, name func(T) string) {
	if d.err != nil {
		return
	}
	seen := make(map[string]struct{}, len(elements))
	for _, e := range elements {
		n := name(e)
		if _, ok := seen[n]; ok {
			d.fail("%q twice", n)
			return
		}
		seen[n] = struct{}{}
	}
}
