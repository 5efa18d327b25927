package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// Records decodes the records. They share memory with the batch if it is not compressed.
func (i *Info) Records() ([]Record, error) {
	raw, err := i.raw()
	if err != nil {
		return nil, err
	}
	records := make([]Record, 0, i.Count)
	err = i.each(&plainRecords{raw}, func(n int) []Header { return make([]Header, n) }, func(r *Record) error {
		records = append(records, *r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Each calls f for one record after the other, until f returns an error. The record is valid during the call only: see
// Record.Clone. Compressed batches are decompressed as far as they are read, so that what f does not want takes neither memory
// nor time: a batch of 100 KB may stand for 64 MB.
func (i *Info) Each(f func(*Record) error) error {
	if i.IsControl() {
		return fmt.Errorf("%w: a control batch", ErrUnsupported)
	}
	from, err := i.open()
	if err != nil {
		return err
	}
	defer from.close()
	var headers []Header
	return i.each(from, func(n int) []Header {
		headers = slices.Grow(headers[:0], n)
		return headers[:n]
	}, f)
}

// Clone is a copy that shares no memory with r.
func (r *Record) Clone() Record {
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Value)
	}
	room := make([]byte, 0, size)
	clone := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		start := len(room)
		room = append(room, b...)
		return room[start:len(room):len(room)]
	}
	out := *r
	out.Key, out.Value, out.Headers = clone(r.Key), clone(r.Value), slices.Clone(r.Headers)
	for j := range out.Headers {
		out.Headers[j].Value = clone(out.Headers[j].Value)
	}
	return out
}

// raw is the records' part of the batch, decompressed.
func (i *Info) raw() ([]byte, error) {
	if i.IsControl() {
		return nil, fmt.Errorf("%w: a control batch", ErrUnsupported)
	}
	raw, err := i.Codec().decompress(i.Bytes[HeaderSize:])
	if err != nil {
		return nil, err
	}
	if len(raw) < i.Count*minRecord {
		return nil, fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, i.Count, len(raw))
	}
	return raw, nil
}

// minRecord is the size of the smallest record, minHeader that of the smallest header.
const (
	minRecord = 7
	minHeader = 2
)

// source is where records are read from, without their lengths. next is valid until it is called again.
type source interface {
	next() ([]byte, error)
	isEnd() bool // reports whether there is nothing more, not even half a record
}

// plainRecords are records that are there as a whole. What is read of them stays.
type plainRecords struct{ raw []byte }

func (p *plainRecords) next() ([]byte, error) {
	size, width := binary.Varint(p.raw)
	if width <= 0 || size < 0 || size > int64(len(p.raw)-width) {
		return nil, errLength
	}
	b := p.raw[width : width+int(size)]
	p.raw = p.raw[width+int(size):]
	return b, nil
}

func (p *plainRecords) isEnd() bool { return len(p.raw) == 0 }

var errLength = errors.New("its length")

// each decodes the records. room makes room for the headers of one.
func (i *Info) each(from source, room func(int) []Header, f func(*Record) error) error {
	first, previous := int64(binary.BigEndian.Uint64(i.Bytes[firstTime:])), i.Base-1
	var r Record // one for all, since it escapes
	for n := range i.Count {
		body, err := from.next()
		if err != nil {
			return fmt.Errorf("%w: record %d: %w", ErrCorrupt, n, err)
		}
		d := decoder{b: body}
		d.skip(1) // attributes
		r = Record{Timestamp: first + d.varint()}
		delta := d.varint()
		r.Key, r.Value = d.bytes(), d.bytes()
		if count := d.count(minHeader); count > 0 {
			r.Headers = room(count)
			for j := range r.Headers {
				r.Headers[j] = Header{string(d.bytes()), d.bytes()}
			}
		}
		if d.bad || len(d.b) > 0 {
			return fmt.Errorf("%w: record %d", ErrCorrupt, n)
		}
		if r.Offset = i.Base + delta; delta > math.MaxInt32 || r.Offset <= previous || r.Offset >= i.Next {
			return fmt.Errorf("%w: record %d has offset %d", ErrCorrupt, n, r.Offset)
		}
		previous = r.Offset
		if err := f(&r); err != nil {
			return err
		}
	}
	if !from.isEnd() {
		return fmt.Errorf("%w: there is more behind the last record", ErrCorrupt)
	}
	return nil
}

// decoder takes values off bytes. Once something was wrong, bad stays true.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) skip(n int) {
	if d.bad = d.bad || len(d.b) < n; !d.bad {
		d.b = d.b[n:]
	}
}

func (d *decoder) varint() int64 {
	n, width := binary.Varint(d.b)
	if d.bad = d.bad || width <= 0; d.bad {
		return 0
	}
	d.b = d.b[width:]
	return n
}

// bytes is a byte string; nil for a length of -1.
func (d *decoder) bytes() []byte {
	n := d.varint()
	if d.bad = d.bad || n < -1 || n > int64(len(d.b)); d.bad || n < 0 {
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// count is a number of elements, each of at least a size.
func (d *decoder) count(size int) int {
	n := d.varint()
	if d.bad = d.bad || n < 0 || n > int64(len(d.b)/size); d.bad {
		return 0
	}
	return int(n)
}

// Codec is how the records are compressed.
func (i *Info) Codec() Codec { return Codec(i.attributes() & compressionBits) }

// IsControl reports whether the batch is a marker of a transaction instead of records.
func (i *Info) IsControl() bool { return i.attributes()&controlBit != 0 }

// IsTransactional reports whether the batch is part of a transaction.
func (i *Info) IsTransactional() bool { return i.attributes()&transactionBit != 0 }

// HasAppendTime reports whether the timestamps are to be those of a broker.
func (i *Info) HasAppendTime() bool { return i.attributes()&appendTimeBit != 0 }

func (i *Info) attributes() uint16 { return binary.BigEndian.Uint16(i.Bytes[attrsAt:]) }

// Producer is what an idempotent producer has put into the batch: its id, its epoch and the sequence
// number of the first record. The id of other producers is -1.
func (i *Info) Producer() (id int64, epoch int16, sequence int32) {
	return int64(binary.BigEndian.Uint64(i.Bytes[producerAt:])),
		int16(binary.BigEndian.Uint16(i.Bytes[producerAt+8:])),
		int32(binary.BigEndian.Uint32(i.Bytes[sequenceAt:]))
}

// ByClient is the leader epoch with which batches are stored that clients of the wire protocol have
// encoded. Batches of this package have -1. The epoch is not covered by the checksum.
const ByClient = 0

// SetEpoch changes the leader epoch of a batch.
func SetEpoch(b []byte, epoch int32) { binary.BigEndian.PutUint32(b[epochAt:], uint32(epoch)) }

// SetMaxTimestamp changes what the header of a batch says is the greatest timestamp.
func SetMaxTimestamp(b []byte, ms int64) {
	binary.BigEndian.PutUint64(b[maxTimeAt:], uint64(ms))
	binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[attrsAt:], castagnoli))
}

// Epoch is the leader epoch of a batch.
func (i *Info) Epoch() int32 { return int32(binary.BigEndian.Uint32(i.Bytes[epochAt:])) }

// AppendPlain appends the batch without compression.
func (i *Info) AppendPlain(b []byte) ([]byte, error) {
	plain, err := i.Codec().decompress(i.Bytes[HeaderSize:])
	if err != nil {
		return nil, err
	}
	start := len(b)
	b = append(append(b, i.Bytes[:HeaderSize]...), plain...)
	out := b[start:]
	binary.BigEndian.PutUint32(out[lengthAt:], uint32(len(out)-afterLen))
	binary.BigEndian.PutUint16(out[attrsAt:], i.attributes()&^compressionBits)
	binary.BigEndian.PutUint32(out[crcAt:], crc32.Checksum(out[attrsAt:], castagnoli))
	return b, nil
}
