package keyspace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/skystash/skystash/pkg/compress"
	"github.com/skystash/skystash/pkg/store"
)

// Values that take several write units are compressed when they are written, if that saves one; see
// the package's documentation. A compressed value is its length as a varint and a zstd frame, in an
// attribute of its own, attrPacked. Whoever needs the length alone, or moves a value as it is, does
// not decompress it.

// text is a value as an item holds it.
type text struct {
	plain  string
	packed string // the value compressed, "" if it is stored as it is; plain may be "" then, until somebody has asked
}

const (
	// unitBytes is what a write unit pays for.
	unitBytes = 1 << 10
	// itemBytes is about what keys and further attributes of an item take besides the user's key and the value.
	itemBytes = 110
	// maxPlain bounds what a compressed value stands for: as much as an item holds that is not compressed.
	maxPlain = store.MaxItemSize

	deflateWork = 4 // units of work for a byte that is compressed
	inflateWork = 4 // and for one that comes out of decompressing
)

var (
	codec         = compress.New(maxPlain)
	errCompressed = errors.New("malformed compressed value")
)

// textOf is the value in an item. Who writes one form removes the other, but for instances of an older build, which
// do not know of compression: the plain form is the later one then.
func textOf(as store.Attrs) text {
	if v := as.Get(AttrValue); !v.IsZero() {
		return text{plain: v.Str()}
	}
	return text{packed: as.Get(attrPacked).Str()}
}

// textFor is the form in which to write a value to an item that has a number of bytes besides. tried is how many bytes were
// compressed, perhaps in vain.
func textFor(s string, besides int) (t text, tried int64) {
	besides += itemBytes
	if units(len(s)+besides) < 2 || len(s) > maxPlain {
		return text{plain: s}, 0
	}
	packed := codec.Append(binary.AppendUvarint(nil, uint64(len(s))), unsafe.Slice(unsafe.StringData(s), len(s)))
	if units(len(packed)+besides) < units(len(s)+besides) {
		return text{packed: unsafe.String(unsafe.SliceData(packed), len(packed))}, int64(len(s))
	}
	return text{plain: s}, int64(len(s))
}

// known reports whether plain is the value.
func (t text) known() bool { return t.packed == "" || t.plain != "" }

// units is how many write units an item of a size costs.
func units(bytes int) int { return (bytes + unitBytes - 1) / unitBytes }

// attr holds the value, which is not empty, in the form that it has.
func (t text) attr() store.Attr {
	if t.packed != "" {
		return store.Attr{Name: attrPacked, Value: store.Bytes(t.packed)}
	}
	return store.Attr{Name: AttrValue, Value: store.Bytes(t.plain)}
}

// len is the value's length. A malformed one has none.
func (t text) len() int {
	if t.packed == "" {
		return len(t.plain)
	}
	n, width := binary.Uvarint(unsafe.Slice(unsafe.StringData(t.packed), min(len(t.packed), binary.MaxVarintLen64)))
	if width <= 0 || n > maxPlain {
		return 0
	}
	return int(n)
}

// open is the value. It makes at most maxPlain bytes of whatever is in the store.
func (t text) open() (string, error) {
	if t.known() {
		return t.plain, nil
	}
	n, width := binary.Uvarint(unsafe.Slice(unsafe.StringData(t.packed), min(len(t.packed), binary.MaxVarintLen64)))
	if width <= 0 || n == 0 || n > maxPlain {
		return "", fmt.Errorf("%w: its length", errCompressed)
	}
	frame := t.packed[width:]
	plain, err := codec.Decode(make([]byte, 0, n), unsafe.Slice(unsafe.StringData(frame), len(frame)))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errCompressed, err)
	}
	if uint64(len(plain)) != n {
		return "", fmt.Errorf("%w: %d bytes instead of %d", errCompressed, len(plain), n)
	}
	return unsafe.String(unsafe.SliceData(plain), len(plain)), nil
}

// stored is the attribute in which to write a value to an item that has a number of bytes besides. It counts the work.
func (tx *Txn) stored(t text, besides int) store.Attr {
	if t.packed == "" {
		var tried int64
		t, tried = textFor(t.plain, besides)
		tx.spend(deflateWork * tried)
	}
	return t.attr()
}

// open is the value of t, which nobody keeps for long. It counts the work, and fails the transaction if the value is
// malformed.
func (tx *Txn) open(t text) string {
	if t.known() {
		return t.plain
	}
	if tx.spend(inflateWork * int64(t.len())); tx.err != nil {
		return ""
	}
	s, err := t.open()
	if err != nil {
		tx.Fail(fmt.Errorf("reading a value: %w", err))
	}
	return s
}

// keep is the value of t, which stays in memory until the transaction ends.
func (tx *Txn) keep(t text) string {
	if !t.known() {
		if tx.Hold(int64(t.len())); tx.err != nil {
			return ""
		}
	}
	return tx.open(t)
}
