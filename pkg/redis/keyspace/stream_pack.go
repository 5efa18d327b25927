package keyspace

import (
	"encoding/binary"
	"errors"
)

// packRecords encodes records compactly. A record is, as varints:
//   - the milliseconds since the record before it;
//   - its sequence number, or the difference to the one before if the milliseconds are the same;
//   - how many leading bytes its data has in common with the data before;
//   - the number of bytes that follow, and these bytes.
//
// So entries with the same field names, or pending to the same consumer, take little room.
func packRecords(recs []streamRecord) string {
	b := make([]byte, 0, recordsSize(recs))
	var prev streamRecord
	for _, r := range recs {
		b = binary.AppendUvarint(b, r.ID.Ms-prev.ID.Ms)
		seq := r.ID.Seq
		if r.ID.Ms == prev.ID.Ms {
			seq -= prev.ID.Seq
		}
		b = binary.AppendUvarint(b, seq)
		same := 0
		for same < len(r.data) && same < len(prev.data) && r.data[same] == prev.data[same] {
			same++
		}
		b = binary.AppendUvarint(b, uint64(same))
		b = binary.AppendUvarint(b, uint64(len(r.data)-same))
		b = append(b, r.data[same:]...)
		prev = r
	}
	return string(b)
}

func unpackRecords(s string) ([]streamRecord, error) {
	r := packedReader{rest: s}
	recs := make([]streamRecord, 0, len(s)/16)
	var prev streamRecord
	for r.rest != "" {
		var rec streamRecord
		after := r.uint()
		rec.ID.Ms, rec.ID.Seq = prev.ID.Ms+after, r.uint()
		if after == 0 {
			rec.ID.Seq += prev.ID.Seq
		}
		same := r.uint()
		if rest := r.string(); same == 0 {
			rec.data = rest
		} else if same <= uint64(len(prev.data)) {
			rec.data = prev.data[:same] + rest
		} else {
			r.bad = true
		}
		if r.bad {
			return nil, errPacked
		}
		recs = append(recs, rec)
		prev = rec
	}
	return recs, nil
}

var errPacked = errors.New("malformed part of a stream")

// packedReader reads numbers and strings off rest. After something malformed, bad is set and rest is empty.
type packedReader struct {
	rest string
	bad  bool
}

func (r *packedReader) uint() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.rest, r.bad = "", true
	return 0
}

func (r *packedReader) int() int64 { return int64(r.uint()) }

func (r *packedReader) id() StreamID {
	ms := r.uint()
	return StreamID{ms, r.uint()}
}

// string reads a string after its length.
func (r *packedReader) string() string {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.rest, r.bad = "", true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func appendID(b []byte, id StreamID) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, id.Ms), id.Seq)
}

func appendPacked(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
