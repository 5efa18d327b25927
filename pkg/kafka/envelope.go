package kafka

import (
	"encoding/binary"
	"errors"
)

// envelope is the content of one record of the stream: a batch of messages, or a part of a large
// batch, with the offsets that were reserved for it.
//
// A tick is an envelope without a batch. A reader puts one into the stream when reservations below
// base have stayed unused for too long. When the materializer reads the tick, every batch that was
// sent before it has been read too. So offsets that are still missing then will never be used. A tick that goes
// with a fence says so of all below its base, whatever their age.
//
// A void is an envelope with offsets and without a batch. It never is in the stream: a producer whose
// batch the stream has refused for certain puts it among those that wait, so that the gap is closed as
// soon as the log gets there.
type envelope struct {
	base, next int64
	reserved   int64 // Unix ms; no offset below next was reserved later
	keep       int64 // ms that the messages are kept from now on; 0: for ever
	part       int   // this part's number, and how many there are; 0: a tick
	parts      int
	data       []byte
}

func (v *envelope) isVoid() bool { return v.parts == 0 && v.next > v.base }

const envelopeVersion = 1

// errEnvelope means that a record of the stream is not ours.
var errEnvelope = errors.New("kafka: malformed record of the stream")

func (v *envelope) encode() []byte {
	b := make([]byte, 0, 1+6*binary.MaxVarintLen64+len(v.data))
	b = append(b, envelopeVersion)
	for _, n := range []int64{v.base, v.next, v.reserved, v.keep, int64(v.part), int64(v.parts)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return append(b, v.data...)
}

func decodeEnvelope(b []byte) (v envelope, err error) {
	if len(b) == 0 || b[0] != envelopeVersion {
		return v, errEnvelope
	}
	b = b[1:]
	var n [6]int64
	for i := range n {
		u, width := binary.Uvarint(b)
		if width <= 0 || int64(u) < 0 {
			return v, errEnvelope
		}
		n[i], b = int64(u), b[width:]
	}
	v = envelope{base: n[0], next: n[1], reserved: n[2], keep: n[3], part: int(n[4]), parts: int(n[5]), data: b}
	if v.next < v.base || v.parts > 1<<15 || v.part > v.parts || (v.parts > 0) != (v.next > v.base && v.part < v.parts) {
		return envelope{}, errEnvelope
	}
	return v, nil
}
