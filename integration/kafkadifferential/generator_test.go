package kafkadifferential

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// epoch is the time of the first record, in milliseconds: a fixed one, so that a seed gives the same requests at any time.
const epoch = 1_800_000_000_000

// world is what is known of both sides, as their answers have said.
type world struct {
	*rand.Rand
	versions  map[int16][2]int16
	topics    map[string]int32 // partitions
	groups    map[string]*group
	produced  int                 // records so far: the time of the next
	sequences map[sequence]int32  // of idempotent producers: the next
	last      map[sequence][]byte // their last batches, without the producer's id
	unsettled bool                // something was produced that may not be readable yet
}

// sequence is whose a producer's sequence numbers are.
type sequence struct {
	producer  int // in the order of InitProducerId
	topic     string
	partition int32
}

func newWorld(seed uint64) *world {
	return &world{
		Rand: rand.New(rand.NewPCG(seed, 0)), topics: map[string]int32{},
		groups: map[string]*group{}, sequences: map[sequence]int32{}, last: map[sequence][]byte{},
	}
}

// draw is a request for a side. Both are drawn from generators of the same seed, so that they differ only in
// what the side has named itself.
type draw struct {
	*rand.Rand
	*world
	s *side
}

func (d *draw) IntN(n int) int { return d.Rand.IntN(n) }

// chance is true once in n times.
func (d *draw) chance(n int) bool { return d.IntN(n) == 0 }

func pick[T any](d *draw, of ...T) T { return of[d.IntN(len(of))] }

var topicNames = []string{"red", "green", "blue", "a.b", "_x"}

// topic is mostly one that there is.
func (d *draw) topic() string {
	there := slices.Sorted(keysOf(d.topics))
	if len(there) == 0 || d.chance(8) {
		return pick(d, append(topicNames, "none", "", "!", "..")...)
	}
	return pick(d, there...)
}

func keysOf[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// partition is mostly one that there is.
func (d *draw) partition(topic string) int32 {
	if d.chance(10) {
		return pick[int32](d, -1, 7, 1<<30)
	}
	return int32(d.IntN(int(max(1, d.topics[topic]))))
}

// stranger is a member's id that was never given.
const stranger = "stranger"

var groupNames = []string{"g1", "g2", "g3"}

func (d *draw) group() string {
	if d.chance(12) {
		return pick(d, "", "nobody")
	}
	return pick(d, groupNames...)
}

// version chooses a version of a request that both sides serve.
func (d *draw) version(req kmsg.Request) {
	v := d.versions[req.Key()]
	req.SetVersion(v[0] + int16(d.IntN(int(v[1]-v[0])+1)))
}

// member is a group's member and its generation, or a wrong one.
func (d *draw) member(name string) (id string, instance *string, generation int32) {
	g := d.groups[name]
	switch {
	case g == nil || len(g.members) == 0 || d.chance(8):
		id, generation = pick(d, "", stranger), pick[int32](d, -1, 0, 1)
	default:
		m := pick(d, g.members...)
		id, instance, generation = d.s.members[m.id], m.instance, g.generation
	}
	if d.chance(10) {
		generation += pick[int32](d, -1, 1)
	}
	if d.chance(15) {
		instance = kmsg.StringPtr("i9")
	}
	return id, instance, generation
}

// offset is one that may be in a log.
func (d *draw) offset() int64 {
	if d.chance(12) {
		return pick[int64](d, -1, -2, -7, 1<<40)
	}
	return int64(d.IntN(d.produced/4 + 3))
}

// record is one of a batch.
func (d *draw) record(delta int) []byte {
	r := kmsg.Record{OffsetDelta: int32(delta), TimestampDelta64: int64(delta), Key: []byte(fmt.Sprint("k", d.IntN(3))), Value: make([]byte, d.IntN(30))}
	for i := range r.Value {
		r.Value[i] = byte(d.IntN(256))
	}
	if d.chance(3) {
		r.Headers = append(r.Headers, kmsg.Header{Key: "h", Value: []byte{1}})
	}
	if d.chance(20) {
		r.Value = nil
	}
	body := r.AppendTo(nil)[1:] // its length was 0
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

// batch is a batch of records of the world's time.
func (d *draw) batch() kmsg.RecordBatch {
	n := 1 + d.IntN(4)
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(n - 1), NumRecords: int32(n), ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		FirstTimestamp: epoch + int64(d.produced), MaxTimestamp: epoch + int64(d.produced+n-1),
	}
	for i := range n {
		b.Records = append(b.Records, d.record(i)...)
	}
	return b
}

// encode writes a batch with its length and checksum.
func encode(b kmsg.RecordBatch) []byte {
	b.Length = int32(49 + len(b.Records))
	out := b.AppendTo(nil)
	sum(out)
	return out
}

// sum puts the right checksum into a batch.
func sum(b []byte) {
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
}

// mistake makes a batch wrong in one of the ways that brokers look for.
func (d *draw) mistake(b kmsg.RecordBatch) []byte {
	switch d.IntN(8) {
	case 0:
		b.FirstOffset = 3
	case 1:
		b.Magic = 3
	case 2:
		b.Attributes |= 1 << 5 // control
	case 3:
		b.LastOffsetDelta++
	case 4:
		b.Attributes |= 5 // no codec
	case 5:
		out := encode(b)
		out[17] ^= 1
		return out
	case 6:
		out := encode(b)
		return out[:len(out)-1]
	case 7:
		return encode(b)[:20]
	}
	return encode(b)
}
