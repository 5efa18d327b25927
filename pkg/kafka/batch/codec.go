package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is how the records of a batch are compressed, by Kafka's numbers.
type Codec uint8

const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// decompress undoes a codec. What comes out is at most MaxDecoded bytes.
func (c Codec) decompress(packed []byte) (plain []byte, err error) {
	switch c {
	case None:
		return packed, nil
	case Gzip:
		plain, err = gunzip(packed)
	case Snappy:
		plain, err = unsnappy(packed)
	case LZ4:
		r := lz4Readers.Get().(*lz4.Reader)
		defer lz4Readers.Put(r)
		r.Reset(bytes.NewReader(packed))
		plain, err = readBounded(r, len(packed))
	case Zstd:
		plain, err = zstdDecoder().DecodeAll(packed, nil)
	default:
		return nil, fmt.Errorf("%w: compression %d", ErrUnsupported, c)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return plain, nil
}

// zstdDecoder is safe for concurrent use and has no state between calls.
var zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxDecoded))
	if err != nil {
		panic(err) // the option is a constant
	}
	return d
})

var (
	gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}
	gzipWriters = sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant
		}
		return w
	}}
	lz4Readers = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
)

// appendGzip compresses records in the way that every client reads: kafka-python and kafkajs, as they
// are installed, read no zstd.
func appendGzip(b, plain []byte) []byte {
	out := bytes.NewBuffer(b)
	w := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(w)
	w.Reset(out)
	_, _ = w.Write(plain) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func gunzip(packed []byte) ([]byte, error) {
	r := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(r)
	if err := r.Reset(bytes.NewReader(packed)); err != nil {
		return nil, err
	}
	return readBounded(r, len(packed))
}

// expected is how many times larger than its packed form a batch is taken to be, to begin with.
const expected = 4

// readBounded reads at most MaxDecoded bytes; it is an error if there are more.
func readBounded(r io.Reader, packed int) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(min(expected*packed+bytes.MinRead, MaxDecoded))
	n, err := out.ReadFrom(io.LimitReader(r, MaxDecoded+1))
	if err != nil {
		return nil, err
	}
	if n > MaxDecoded {
		return nil, errTooMuch
	}
	return out.Bytes(), nil
}

var errTooMuch = fmt.Errorf("its records take more than %d bytes", MaxDecoded)

// xerial is what snappy data of Java's clients begin with: the magic bytes and two versions. Blocks
// follow, each behind its length.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

func unsnappy(packed []byte) (out []byte, err error) {
	if !bytes.HasPrefix(packed, xerial) {
		return unsnappyBlock(nil, packed)
	}
	if len(packed) < xerialHeader {
		return nil, io.ErrUnexpectedEOF
	}
	for packed = packed[xerialHeader:]; len(packed) > 0; {
		if len(packed) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		size := binary.BigEndian.Uint32(packed)
		if packed = packed[4:]; uint64(size) > uint64(len(packed)) {
			return nil, io.ErrUnexpectedEOF
		}
		if out, err = unsnappyBlock(out, packed[:size]); err != nil {
			return nil, err
		}
		packed = packed[size:]
	}
	return out, nil
}

// unsnappyBlock decodes a block and appends it.
func unsnappyBlock(out, block []byte) ([]byte, error) {
	size, err := s2.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if len(out)+size > MaxDecoded {
		return nil, errTooMuch
	}
	plain, err := s2.Decode(nil, block)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return plain, nil
	}
	return append(out, plain...), nil
}
