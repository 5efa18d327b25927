package rdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math"
	"strconv"
)

// maxFileValue bounds a value, a name, or anything else that a file has one of.
const maxFileValue = 512 << 20

// FileEntry is a key of an RDB file.
type FileEntry struct {
	DB       int
	Key      string
	ExpireAt int64  // Unix time in milliseconds; 0: never
	Payload  string // as DUMP answers it
}

// FileReader reads an RDB file from its beginning. It holds one value at a time. Values are copied, not decoded: their
// types tell only where they end.
type FileReader struct {
	r         *bufio.Reader
	crc       uint64
	raw       []byte // what was read since the last mark
	n         int64
	version   int
	db        int
	functions int
	err       error // the first failure
}

// NewFileReader reads the head of a file. Versions from 1 to 12 (Redis 7.4) are read, and later ones as long as all in
// them is of a known type.
func NewFileReader(r io.Reader) (*FileReader, error) {
	f := &FileReader{r: bufio.NewReaderSize(r, 1<<20), crc: ^uint64(0)}
	head := string(f.take(uint64(fileMagicLen)))
	if f.err != nil || head[:len(fileMagic)] != fileMagic {
		return nil, fmt.Errorf("%w: no RDB file", ErrFormat)
	}
	version, err := strconv.Atoi(head[len(fileMagic):])
	if err != nil || version < 1 {
		return nil, fmt.Errorf("%w: RDB file of version %q", ErrFormat, head[len(fileMagic):])
	}
	f.version = version
	return f, nil
}

// Functions is how many libraries of functions were skipped.
func (f *FileReader) Functions() int { return f.functions }

// Next returns the next key. After the last it checks the file's checksum and returns io.EOF. A file that ends earlier
// is an error that wraps [ErrFormat].
func (f *FileReader) Next() (FileEntry, error) {
	e := FileEntry{DB: f.db}
	for {
		f.raw = f.raw[:0]
		kind := f.byte()
		if f.err != nil {
			return FileEntry{}, f.failure()
		}
		switch kind {
		case opEOF:
			return FileEntry{}, f.end()
		case opSelectDB:
			f.db = int(min(f.length(), math.MaxInt32))
			e.DB = f.db
		case opExpireMs:
			e.ExpireAt = int64(binary.LittleEndian.Uint64(f.fixed(8)))
		case opExpire:
			e.ExpireAt = int64(binary.LittleEndian.Uint32(f.fixed(4))) * 1000
		case opFunction2:
			f.string()
			f.functions++
		case opModuleAux:
			f.length()
			f.moduleParts()
		case opIdle:
			f.length()
		case opFreq:
			f.byte()
		case opAux:
			f.string()
			f.string()
		case opResizeDB:
			f.length()
			f.length()
		case opSlotInfo:
			f.length()
			f.length()
			f.length()
		default:
			e.Key = f.decoded()
			f.raw = append(f.raw[:0], kind)
			f.value(kind)
			if f.err != nil {
				return FileEntry{}, f.failure()
			}
			if e.ExpireAt < 0 {
				e.ExpireAt = 1 // long ago
			}
			e.Payload = sealed(f.raw, uint16(versionOf(kind)))
			return e, nil
		}
	}
}

// sealed is a body with the footer of a payload.
func sealed(body []byte, version uint16) string {
	b := binary.LittleEndian.AppendUint16(body, version)
	return string(binary.LittleEndian.AppendUint64(b, checksum(b)))
}

func (f *FileReader) failure() error {
	if errors.Is(f.err, io.EOF) || errors.Is(f.err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the file ends after %d bytes, amid a value", ErrFormat, f.n)
	}
	return f.err
}

// end checks the checksum, which files have since version 5. One of 0 was not computed.
func (f *FileReader) end() error {
	if f.version < 5 {
		return io.EOF
	}
	want := ^f.crc
	got := binary.LittleEndian.Uint64(f.fixed(8))
	switch {
	case f.err != nil:
		return f.failure()
	case got != 0 && got != want:
		return fmt.Errorf("%w: the file's checksum is wrong", ErrFormat)
	}
	return io.EOF
}

func (f *FileReader) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w: %s, at byte %d of the file", ErrFormat, fmt.Sprintf(format, args...), f.n)
	}
}

// take reads n bytes, which stay valid until the next call. Memory is taken as bytes arrive, whatever n says.
func (f *FileReader) take(n uint64) []byte {
	if f.err != nil {
		return nil
	}
	if n > maxFileValue-uint64(len(f.raw)) {
		f.fail("%d bytes in one value", n)
		return nil
	}
	start := len(f.raw)
	for left := int(n); left > 0; {
		chunk := min(left, 1<<20)
		f.raw = append(f.raw, make([]byte, chunk)...)
		part := f.raw[len(f.raw)-chunk:]
		if _, err := io.ReadFull(f.r, part); err != nil {
			f.err = err
			return nil
		}
		f.crc = crc64.Update(f.crc, jones, part)
		f.n += int64(chunk)
		left -= chunk
	}
	return f.raw[start:]
}

// fixed is take, but has its size also after a failure.
func (f *FileReader) fixed(n int) []byte {
	if b := f.take(uint64(n)); b != nil {
		return b
	}
	return make([]byte, n)
}

func (f *FileReader) byte() byte { return f.fixed(1)[0] }

// form reads a length, or which encoding of a string follows instead.
func (f *FileReader) form() (n uint64, encoding byte) {
	first := f.byte()
	switch {
	case first&special == len6:
		return uint64(first), 0
	case first&special == len14:
		return uint64(first&^special)<<8 | uint64(f.byte()), 0
	case first == len32:
		return uint64(binary.BigEndian.Uint32(f.fixed(4))), 0
	case first == len64:
		return binary.BigEndian.Uint64(f.fixed(8)), 0
	}
	return 0, first
}

func (f *FileReader) length() uint64 {
	n, encoding := f.form()
	if encoding != 0 {
		f.fail("no length but %#x", encoding)
	}
	return n
}

// string reads past a string.
func (f *FileReader) string() {
	n, encoding := f.form()
	switch encoding {
	case 0:
		f.take(n)
	case stringInt8, stringInt16, stringInt32:
		f.take(1 << (encoding &^ special))
	case stringLZF:
		compressed := f.length()
		f.length()
		f.take(compressed)
	default:
		f.fail("no string but %#x", encoding)
	}
}

// decoded reads a string and returns what it says.
func (f *FileReader) decoded() string {
	start := len(f.raw)
	f.string()
	if f.err != nil {
		return ""
	}
	d := decoder{rest: string(f.raw[start:]), budget: maxDecoded}
	s := d.string()
	if d.err != nil {
		f.err = d.err
	}
	return s
}

// times calls read as often as the length says that comes next.
func (f *FileReader) times(read func()) {
	for n := f.length(); n > 0 && f.err == nil; n-- {
		read()
	}
}

// value reads past a value.
func (f *FileReader) value(kind byte) {
	two := func() { f.string(); f.string() }
	switch kind {
	case typeString, typeListZiplist, typeSetIntset, typeZSetZiplist, typeHashZiplist, typeHashListpack, typeZSetListpack, typeSetListpack:
		f.string()
	case typeList, typeSet, typeListQuicklist:
		f.times(f.string)
	case typeHash:
		f.times(two)
	case typeZSet:
		f.times(func() { f.string(); f.take(8) })
	case typeZSetText:
		f.times(func() { f.string(); f.textScore() })
	case typeListQuicklist2:
		f.times(func() { f.length(); f.string() })
	case typeStream, typeStream2, typeStream3:
		f.stream(kind)
	case typeHashExpiring:
		f.take(8)
		f.times(func() { f.length(); f.string(); f.string() })
	case typeHashExpiringLP:
		f.take(8)
		f.string()
	case typeModule2:
		f.length()
		f.moduleParts()
	default:
		f.fail("a value of type %d, which is not known, so that what follows cannot be read either", kind)
	}
}

func (f *FileReader) textScore() {
	if n := f.byte(); n < 253 { // not a code for one that is not finite
		f.take(uint64(n))
	}
}

func (f *FileReader) stream(kind byte) {
	f.times(func() { f.string(); f.string() })
	lengths := func(n int) {
		for range n {
			f.length()
		}
	}
	lengths(3)
	if kind != typeStream {
		lengths(5)
	}
	f.times(func() { // groups
		f.string()
		lengths(2)
		if kind != typeStream {
			lengths(1)
		}
		f.times(func() { f.take(16 + 8); f.length() })
		f.times(func() { // consumers
			f.string()
			f.take(8)
			if kind == typeStream3 {
				f.take(8)
			}
			f.times(func() { f.take(16) })
		})
	})
}

// moduleParts reads past what a module has written, up to the part that ends it.
func (f *FileReader) moduleParts() {
	const signed, unsigned, float, double = 1, 2, 3, 4
	for f.err == nil {
		switch part := f.length(); part {
		case moduleEnd:
			return
		case signed, unsigned:
			f.length()
		case float:
			f.take(4)
		case double:
			f.take(8)
		case moduleString:
			f.string()
		default:
			f.fail("part %d of a module's value", part)
		}
	}
}
