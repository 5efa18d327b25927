package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// codecVersion is the first byte of every stored value.
const codecVersion = 1

var errCorrupt = errors.New("stored item is corrupt")

// encodeAttrs appends the stored form of an item's attributes:
//
//	version  1 byte
//	count    uvarint
//	then for each attribute, in order of the names
//	  head   uvarint: length of the name << 2 | kind
//	  name
//	  value  bytes: uvarint length, bytes
//	         int:   varint
//	         list:  uvarint count, and for each element its length and bytes
//
// It refuses attributes that are not as store.NewAttrs makes them.
func encodeAttrs(b []byte, as store.Attrs) ([]byte, error) {
	b = append(b, codecVersion)
	b = binary.AppendUvarint(b, uint64(len(as)))
	for i := range as {
		a := &as[i]
		if a.Name == "" || i > 0 && as[i-1].Name >= a.Name {
			return nil, fmt.Errorf("embedded: attribute name %q is empty or out of order", a.Name)
		}
		kind := a.Value.Kind()
		b = binary.AppendUvarint(b, uint64(len(a.Name))<<2|uint64(kind))
		b = append(b, a.Name...)
		switch kind {
		case store.KindBytes:
			b = appendString(b, a.Value.Str())
		case store.KindInt:
			b = binary.AppendVarint(b, a.Value.Num())
		case store.KindList:
			elems := a.Value.Elems()
			b = binary.AppendUvarint(b, uint64(len(elems)))
			for _, e := range elems {
				b = appendString(b, e)
			}
		default:
			return nil, fmt.Errorf("embedded: attribute %q has no value", a.Name)
		}
	}
	return b, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeAttrs is the reverse of encodeAttrs. Names and byte strings of the
// result are parts of s.
func decodeAttrs(s string) (store.Attrs, error) {
	if s == "" {
		return nil, errCorrupt
	}
	if s[0] != codecVersion {
		return nil, fmt.Errorf("stored item has format %d, newer than this program", s[0])
	}
	c := cursor{s: s, pos: 1}
	n := c.count()
	as := make(store.Attrs, n)
	for i := range as {
		head := c.uvarint()
		name := c.take(head >> 2)
		var v store.Value
		switch store.Kind(head & 3) {
		case store.KindBytes:
			v = store.Bytes(c.take(c.uvarint()))
		case store.KindInt:
			u := c.uvarint()
			v = store.Int(int64(u>>1) ^ -int64(u&1))
		case store.KindList:
			elems := make([]string, c.count())
			for j := range elems {
				elems[j] = c.take(c.uvarint())
			}
			v = store.List(elems)
		default:
			c.bad = true
		}
		if c.bad {
			return nil, errCorrupt
		}
		as[i] = store.Attr{Name: name, Value: v}
	}
	if c.bad || c.pos != len(s) {
		return nil, errCorrupt
	}
	return as, nil
}

// cursor reads a string from left to right. Once something is missing, bad is
// set and everything reads as zero.
type cursor struct {
	s   string
	pos int
	bad bool
}

func (c *cursor) uvarint() uint64 {
	if c.pos < len(c.s) && c.s[c.pos] < 0x80 { // most are short
		c.pos++
		return uint64(c.s[c.pos-1])
	}
	var x uint64
	for shift := uint(0); shift < 64 && c.pos < len(c.s); shift += 7 {
		b := c.s[c.pos]
		c.pos++
		if shift == 63 && b > 1 {
			break // more than 64 bits
		}
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return x
		}
	}
	c.bad = true
	return 0
}

// count reads the number of things that follow, each at least one byte long.
func (c *cursor) count() int {
	n := c.uvarint()
	if n > uint64(len(c.s)-c.pos) {
		c.bad = true
		return 0
	}
	return int(n)
}

func (c *cursor) take(n uint64) string {
	if c.bad || n > uint64(len(c.s)-c.pos) {
		c.bad = true
		return ""
	}
	c.pos += int(n)
	return c.s[c.pos-int(n) : c.pos]
}
