package rdb

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// Stream is a stream with its consumer groups.
type Stream struct {
	Entries []StreamEntry // in order
	Last    StreamID      // the highest id that an entry ever had
	Removed StreamID      // the highest id that was deleted
	Added   int64         // entries ever added
	Groups  []StreamGroup

	// Old says that the stream was written before Redis 7.0, which knew neither Removed nor Added
	// nor the groups' Read.
	Old bool
}

// StreamID is the id of an entry.
type StreamID struct{ Ms, Seq uint64 }

// StreamEntry is an entry of a stream.
type StreamEntry struct {
	ID    StreamID
	Pairs []string // fields and values in turn
}

// StreamGroup is a consumer group.
type StreamGroup struct {
	Name      string
	Last      StreamID // delivered
	Read      int64    // entries read; -1: unknown
	Pending   []StreamPending
	Consumers []StreamConsumer
}

// StreamPending is an entry that was delivered and not acknowledged.
type StreamPending struct {
	ID       StreamID
	Consumer string
	At       int64 // of the last delivery, Unix ms
	Count    int64 // deliveries
}

// StreamConsumer is a consumer of a group.
type StreamConsumer struct {
	Name   string
	Seen   int64 // when it last asked, Unix ms
	Active int64 // when it last got something, Unix ms; -1: never
}

func (id StreamID) less(other StreamID) bool {
	return id.Ms < other.Ms || id.Ms == other.Ms && id.Seq < other.Seq
}

func (id StreamID) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, id.Ms), id.Seq)
}

// Flags of an entry in a node.
const (
	entryDeleted    = 1
	entrySameFields = 2 // as the node's master entry
)

const (
	// streamNodeEntries and streamNodeBytes are how much a node holds, as in Redis.
	streamNodeEntries = 100
	streamNodeBytes   = 4096
)

// exactTimes reports whether a consumer was active at another time than it was seen, which
// only Redis 7.2 can read.
func (s *Stream) exactTimes() bool {
	for _, g := range s.Groups {
		for _, c := range g.Consumers {
			if c.Active != c.Seen {
				return true
			}
		}
	}
	return false
}

// appendStream writes a stream: nodes of entries, what is known of it as a whole, its groups.
func appendStream(b []byte, s *Stream, times bool) []byte {
	kind := byte(typeStream2)
	if times {
		kind = typeStream3
	}
	b = append(b, kind)
	nodes := streamNodes(s.Entries)
	b = appendLen(b, uint64(len(nodes)))
	for _, entries := range nodes {
		b = append(appendLen(b, 16), entries[0].ID.append(nil)...)
		node := streamNode(entries)
		b = append(appendLen(b, uint64(len(node))), node...)
	}
	var first StreamID
	if len(s.Entries) > 0 {
		first = s.Entries[0].ID
	}
	for _, n := range []uint64{uint64(len(s.Entries)), s.Last.Ms, s.Last.Seq, first.Ms, first.Seq, s.Removed.Ms, s.Removed.Seq, uint64(s.Added)} {
		b = appendLen(b, n)
	}
	b = appendLen(b, uint64(len(s.Groups)))
	for _, g := range s.Groups {
		b = appendStreamGroup(b, g, times)
	}
	return b
}

func appendStreamGroup(b []byte, g StreamGroup, times bool) []byte {
	b = append(appendLen(b, uint64(len(g.Name))), g.Name...)
	for _, n := range []uint64{g.Last.Ms, g.Last.Seq, uint64(g.Read), uint64(len(g.Pending))} {
		b = appendLen(b, n)
	}
	of := map[string][]byte{}
	counts := map[string]uint64{}
	for _, p := range g.Pending {
		b = binary.LittleEndian.AppendUint64(p.ID.append(b), uint64(p.At))
		b = appendLen(b, uint64(p.Count))
		of[p.Consumer] = p.ID.append(of[p.Consumer])
		counts[p.Consumer]++
	}
	b = appendLen(b, uint64(len(g.Consumers)))
	for _, c := range g.Consumers {
		b = append(appendLen(b, uint64(len(c.Name))), c.Name...)
		b = binary.LittleEndian.AppendUint64(b, uint64(c.Seen))
		if times {
			b = binary.LittleEndian.AppendUint64(b, uint64(c.Active))
		}
		b = append(appendLen(b, counts[c.Name]), of[c.Name]...)
	}
	return b
}

// streamNodes cuts entries into nodes.
func streamNodes(entries []StreamEntry) [][]StreamEntry {
	var nodes [][]StreamEntry
	start, size := 0, 0
	for i, e := range entries {
		n := 8
		for _, s := range e.Pairs {
			n += len(s) + 2
		}
		if i > start && (size+n > streamNodeBytes || i-start == streamNodeEntries) {
			nodes = append(nodes, entries[start:i])
			start, size = i, 0
		}
		size += n
	}
	if start < len(entries) {
		nodes = append(nodes, entries[start:])
	}
	return nodes
}

// streamNode is a listpack: first the master entry, which gives the fields of the first entry,
// then all entries. Those with the same fields leave them out.
func streamNode(entries []StreamEntry) []byte {
	var p packer
	master := entries[0]
	p.ints(int64(len(entries)), 0, int64(len(master.Pairs)/2))
	for i := 0; i < len(master.Pairs); i += 2 {
		p.add(master.Pairs[i])
	}
	p.ints(0)
	for _, e := range entries {
		same := len(e.Pairs) == len(master.Pairs)
		for i := 0; same && i < len(e.Pairs); i += 2 {
			same = e.Pairs[i] == master.Pairs[i]
		}
		flags, before := int64(0), p.count
		if same {
			flags = entrySameFields
		}
		p.ints(flags, int64(e.ID.Ms-master.ID.Ms), int64(e.ID.Seq-master.ID.Seq))
		if !same {
			p.ints(int64(len(e.Pairs) / 2))
		}
		for i, s := range e.Pairs {
			if !same || i%2 == 1 {
				p.add(s)
			}
		}
		p.ints(int64(p.count - before))
	}
	return p.listpack()
}

// packer writes a listpack.
type packer struct {
	b     []byte
	count int
}

func (p *packer) ints(ns ...int64) {
	for _, n := range ns {
		p.add(strconv.FormatInt(n, 10))
	}
}

// add appends an element, followed by its size.
func (p *packer) add(s string) {
	if p.b == nil {
		p.b = make([]byte, 6, 256)
	}
	start := len(p.b)
	p.b = appendListpackEntry(p.b, s)
	size := len(p.b) - start
	shift := 7 * (backLength(size) - 1)
	for more := byte(0); shift >= 0; shift, more = shift-7, 0x80 {
		p.b = append(p.b, byte(size>>shift)&0x7f|more)
	}
	p.count++
}

func appendListpackEntry(b []byte, s string) []byte {
	if n, ok := num.IsCanonicalInt(s); ok {
		switch {
		case n >= 0 && n < 1<<7:
			return append(b, byte(n))
		case n >= -1<<12 && n < 1<<12:
			return append(b, 0xc0|byte(n>>8)&0x1f, byte(n))
		case n >= math.MinInt16 && n <= math.MaxInt16:
			return binary.LittleEndian.AppendUint16(append(b, 0xf1), uint16(n))
		case n >= -1<<23 && n < 1<<23:
			return append(b, 0xf2, byte(n), byte(n>>8), byte(n>>16))
		case n >= math.MinInt32 && n <= math.MaxInt32:
			return binary.LittleEndian.AppendUint32(append(b, 0xf3), uint32(n))
		}
		return binary.LittleEndian.AppendUint64(append(b, 0xf4), uint64(n))
	}
	switch n := len(s); {
	case n < 1<<6:
		b = append(b, 0x80|byte(n))
	case n < 1<<12:
		b = append(b, 0xe0|byte(n>>8), byte(n))
	default:
		b = binary.LittleEndian.AppendUint32(append(b, 0xf0), uint32(n))
	}
	return append(b, s...)
}

// backLength is how many bytes tell the size of an element of a listpack behind it.
func backLength(size int) int {
	switch {
	case size < 1<<7:
		return 1
	case size < 1<<14-1: // this bound is one less than a byte more could tell, here and below, as in Redis
		return 2
	case size < 1<<21-1:
		return 3
	case size < 1<<28-1:
		return 4
	}
	return 5
}

// listpack is the listpack with its header and end.
func (p *packer) listpack() []byte {
	p.b = append(p.b, packedEnd)
	binary.LittleEndian.PutUint32(p.b, uint32(len(p.b)))
	binary.LittleEndian.PutUint16(p.b[4:], uint16(min(p.count, math.MaxUint16)))
	return p.b
}
