package batch

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// stream is records that are decompressed while they are read.
type stream struct {
	source
	close func() // gives back what decompresses
}

// open begins to read the records.
func (i *Info) open() (stream, error) {
	packed := i.Bytes[HeaderSize:]
	r, release, err := i.Codec().reader(packed)
	switch {
	case i.Codec() == None:
		return stream{&plainRecords{packed}, func() {}}, nil
	case errors.Is(err, ErrUnsupported):
		return stream{}, err
	case err != nil:
		return stream{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	p := &packedRecords{in: buffers.Get().(*bufio.Reader), left: MaxDecoded}
	p.in.Reset(r)
	return stream{p, func() {
		p.in.Reset(nil)
		buffers.Put(p.in)
		release()
	}}, nil
}

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// reader decompresses as it is read. Of what it returns, release must be called when it is not read any more.
func (c Codec) reader(packed []byte) (r io.Reader, release func(), err error) {
	switch c {
	case None:
		return nil, nil, nil
	case Gzip:
		z := gzipReaders.Get().(*gzip.Reader)
		return z, func() { gzipReaders.Put(z) }, z.Reset(bytes.NewReader(packed))
	case Snappy:
		return newSnappyReader(packed), func() {}, nil
	case LZ4:
		z := lz4Readers.Get().(*lz4.Reader)
		z.Reset(bytes.NewReader(packed))
		return z, func() { lz4Readers.Put(z) }, nil
	case Zstd:
		z := zstdReaders.Get().(*zstd.Decoder)
		return z, func() {
			_ = z.Reset(nil)
			zstdReaders.Put(z)
		}, z.Reset(bytes.NewReader(packed))
	default:
		return nil, nil, fmt.Errorf("%w: compression %d", ErrUnsupported, c)
	}
}

// zstdReaders work in the goroutine that reads, so they can be left to the garbage collector.
var zstdReaders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxDecoded), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}}

// packedRecords reads records from what decompresses them.
type packedRecords struct {
	in   *bufio.Reader
	left int64 // bytes that may be read yet
	body []byte
}

// atOnce is how much memory a record gets for its length alone.
const atOnce = 1 << 20

func (p *packedRecords) next() ([]byte, error) {
	size, err := binary.ReadVarint(p.in)
	switch {
	case err != nil:
		return nil, unexpected(err)
	case size < 0:
		return nil, errLength
	case size > p.left:
		return nil, errTooMuch
	}
	p.left -= size + 1
	if p.body = p.body[:0]; int64(cap(p.body)) < min(size, atOnce) {
		p.body = make([]byte, 0, min(size, atOnce))
	}
	for n := int(size); len(p.body) < n; {
		if len(p.body) == cap(p.body) {
			larger := make([]byte, len(p.body), min(n, 2*cap(p.body)))
			copy(larger, p.body)
			p.body = larger
		}
		room := p.body[len(p.body):min(n, cap(p.body))]
		if _, err := io.ReadFull(p.in, room); err != nil {
			return nil, unexpected(err)
		}
		p.body = p.body[:len(p.body)+len(room)]
	}
	return p.body, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// isEnd also lets the checksum of what was decompressed be checked.
func (p *packedRecords) isEnd() bool {
	_, err := p.in.ReadByte()
	return err == io.EOF
}

// snappyReader decompresses one block after the other.
type snappyReader struct {
	blocks []byte // that are left, of Java's format
	size   int    // of all that was decompressed
	plain  []byte // of the block
	err    error  // behind it
}

func newSnappyReader(packed []byte) *snappyReader {
	switch {
	case !bytes.HasPrefix(packed, xerial):
		plain, err := unsnappyBlock(nil, packed)
		if err == nil {
			err = io.EOF
		}
		return &snappyReader{plain: plain, err: err}
	case len(packed) < xerialHeader:
		return &snappyReader{err: io.ErrUnexpectedEOF}
	}
	return &snappyReader{blocks: packed[xerialHeader:]}
}

func (s *snappyReader) Read(p []byte) (int, error) {
	for len(s.plain) == 0 && s.err == nil {
		s.nextBlock()
	}
	if len(s.plain) == 0 {
		return 0, s.err
	}
	n := copy(p, s.plain)
	s.plain = s.plain[n:]
	return n, nil
}

func (s *snappyReader) nextBlock() {
	if len(s.blocks) == 0 {
		s.err = io.EOF
		return
	}
	if len(s.blocks) < 4 {
		s.err = io.ErrUnexpectedEOF
		return
	}
	size := binary.BigEndian.Uint32(s.blocks)
	if s.blocks = s.blocks[4:]; uint64(size) > uint64(len(s.blocks)) {
		s.err = io.ErrUnexpectedEOF
		return
	}
	s.plain, s.err = unsnappyBlock(nil, s.blocks[:size])
	s.blocks = s.blocks[size:]
	if s.size += len(s.plain); s.size > MaxDecoded {
		s.plain, s.err = nil, errTooMuch
	}
}
