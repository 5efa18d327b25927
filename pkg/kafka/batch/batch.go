package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where fields lie in a batch; all are big endian.
const (
	baseAt     = 0  // int64
	lengthAt   = 8  // int32, of what follows it
	epochAt    = 12 // leader epoch, int32
	afterLen   = 12 // what the length counts begins here
	magicAt    = 16
	crcAt      = 17 // uint32
	attrsAt    = 21 // int16, first byte that the checksum covers
	lastAt     = 23 // last offset delta, int32
	firstTime  = 27 // int64
	maxTimeAt  = 35 // int64
	producerAt = 43 // id, int64; then its epoch, int16
	sequenceAt = 53 // of the first record, int32
	countAt    = 57 // int32
	HeaderSize = 61 // bytes before the records
)

const (
	magic           = 2
	compressionBits = 0x07
	appendTimeBit   = 0x08
	transactionBit  = 0x10
	controlBit      = 0x20
)

const (
	// MaxDecoded bounds the records of one batch once they are decompressed, in bytes.
	MaxDecoded = 64 << 20

	// worthCompressing is the size from which on compression is tried, and gain the
	// part of it that it must save.
	worthCompressing = 512
	gain             = 16
)

// ErrCorrupt means that bytes are not a batch, or have been damaged.
var ErrCorrupt = errors.New("batch: corrupt")

// ErrUnsupported means that a batch is of another format or compression than this
// package knows.
var ErrUnsupported = errors.New("batch: unsupported")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header is a header of a record. The order of headers matters, and their keys may repeat.
type Header struct {
	Key   string
	Value []byte
}

// Record is a message.
type Record struct {
	Offset    int64
	Timestamp int64 // Unix ms, set by the producer
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   []Header
}

// Size is the number of bytes that Kafka counts for the record alone in a batch
// of its own, without compression.
func (r *Record) Size() int { return HeaderSize + r.bodySize() + binary.MaxVarintLen32 }

// bodySize is an upper bound of the record's encoded length.
func (r *Record) bodySize() int {
	n := 1 + 3*binary.MaxVarintLen32 + binary.MaxVarintLen64 + len(r.Key) + len(r.Value) + binary.MaxVarintLen32
	for _, h := range r.Headers {
		n += 2*binary.MaxVarintLen32 + len(h.Key) + len(h.Value)
	}
	return n
}

// Encode makes a batch of records in ascending order of their offsets. The batch
// covers all offsets from base up to next, exclusive: with fewer records than
// that, it has been compacted. It may have no records at all.
func Encode(records []Record, base, next int64) ([]byte, error) {
	if next <= base || next-base > math.MaxInt32 {
		return nil, fmt.Errorf("batch: offsets from %d to %d", base, next)
	}
	size := HeaderSize
	for i := range records {
		size += records[i].bodySize()
	}
	b := make([]byte, HeaderSize, size)
	h := kmsg.RecordBatch{
		FirstOffset:          base,
		PartitionLeaderEpoch: -1,
		Magic:                magic,
		LastOffsetDelta:      int32(next - base - 1),
		ProducerID:           -1,
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           int32(len(records)),
	}
	if len(records) > 0 {
		h.FirstTimestamp, h.MaxTimestamp = records[0].Timestamp, records[0].Timestamp
	}
	var scratch []byte
	for i := range records {
		r := &records[i]
		if r.Offset < base || r.Offset >= next || i > 0 && r.Offset <= records[i-1].Offset {
			return nil, fmt.Errorf("batch: offset %d out of order", r.Offset)
		}
		h.MaxTimestamp = max(h.MaxTimestamp, r.Timestamp)
		b, scratch = appendRecord(b, scratch, r, h.FirstOffset, h.FirstTimestamp)
	}
	if raw := b[HeaderSize:]; len(raw) >= worthCompressing {
		packed := appendGzip(make([]byte, HeaderSize, size), raw)
		if len(packed)-HeaderSize < len(raw)-len(raw)/gain {
			b, h.Attributes = packed, int16(Gzip)
		}
	}
	h.Length = int32(len(b) - afterLen)
	h.AppendTo(b[:0]) // its own record bytes are none, so exactly the header is written
	binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[attrsAt:], castagnoli))
	return b, nil
}

func appendRecord(b, scratch []byte, r *Record, base, firstTimestamp int64) (out, reuse []byte) {
	k := kmsg.Record{
		TimestampDelta64: r.Timestamp - firstTimestamp,
		OffsetDelta:      int32(r.Offset - base),
		Key:              r.Key,
		Value:            r.Value,
	}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
	}
	scratch = k.AppendTo(scratch[:0])
	body := scratch[1:] // behind the length, which is a zero of one byte
	b = binary.AppendVarint(b, int64(len(body)))
	return append(b, body...), scratch
}

// SetBase changes the first offset of a batch.
func SetBase(b []byte, base int64) { binary.BigEndian.PutUint64(b[baseAt:], uint64(base)) }

// Info is what the header of a batch says, and the batch.
type Info struct {
	Base         int64 // first offset
	Next         int64 // offset behind the last
	Count        int   // records
	MaxTimestamp int64 // Unix ms
	Bytes        []byte
}

// Next takes a batch off b and checks it. The error wraps ErrCorrupt or ErrUnsupported.
func Next(b []byte) (info Info, rest []byte, err error) {
	if len(b) < HeaderSize {
		return Info{}, nil, fmt.Errorf("%w: %d bytes are too few", ErrCorrupt, len(b))
	}
	if b[magicAt] > magic {
		return Info{}, nil, fmt.Errorf("%w: there is no message format %d", ErrCorrupt, b[magicAt])
	}
	if b[magicAt] != magic {
		return Info{}, nil, fmt.Errorf("%w: message format %d", ErrUnsupported, b[magicAt])
	}
	size := int64(int32(binary.BigEndian.Uint32(b[lengthAt:]))) + afterLen
	if size < HeaderSize || size > int64(len(b)) {
		return Info{}, nil, fmt.Errorf("%w: a length of %d in %d bytes", ErrCorrupt, size, len(b))
	}
	b, rest = b[:size:size], b[size:]
	if crc32.Checksum(b[attrsAt:], castagnoli) != binary.BigEndian.Uint32(b[crcAt:]) {
		return Info{}, nil, fmt.Errorf("%w: the checksum does not match", ErrCorrupt)
	}
	base := int64(binary.BigEndian.Uint64(b[baseAt:]))
	last := int32(binary.BigEndian.Uint32(b[lastAt:]))
	count := int32(binary.BigEndian.Uint32(b[countAt:]))
	if base < 0 || last < 0 || base > math.MaxInt64-int64(last)-1 || count < 0 || int64(count) > int64(last)+1 {
		return Info{}, nil, fmt.Errorf("%w: %d records from offset %d to %d behind it", ErrCorrupt, count, base, last)
	}
	return Info{
		Base:         base,
		Next:         base + int64(last) + 1,
		Count:        int(count),
		MaxTimestamp: int64(binary.BigEndian.Uint64(b[maxTimeAt:])),
		Bytes:        b,
	}, rest, nil
}
