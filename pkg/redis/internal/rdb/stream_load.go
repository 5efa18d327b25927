package rdb

import (
	"encoding/binary"
	"math"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// stream reads a stream; kind is its type.
func (d *decoder) stream(kind uint64) Value {
	s := &Stream{Old: kind == typeStream}
	for n := d.several(2); n > 0 && d.err == nil; n-- {
		d.streamNode(s)
	}
	length := d.length()
	s.Last = d.streamID()
	if !s.Old {
		d.streamID() // of the first entry
		s.Removed = d.streamID()
		s.Added = d.positive()
	}
	switch {
	case length != uint64(len(s.Entries)):
		d.fail("stream of %d entries has %d", length, len(s.Entries))
	case len(s.Entries) > 0 && s.Last.less(s.Entries[len(s.Entries)-1].ID):
		d.fail("stream with an entry behind its last id")
	}
	for n := d.several(4); n > 0 && d.err == nil; n-- {
		s.Groups = append(s.Groups, d.streamGroup(kind))
	}
	names := make(map[string]bool, len(s.Groups))
	for _, g := range s.Groups {
		if names[g.Name] {
			d.fail("group %.50q twice", g.Name)
		}
		names[g.Name] = true
	}
	return Value{Kind: StreamKind, Stream: s}
}

// several is count, but there may be none.
func (d *decoder) several(size int) int {
	n := d.length()
	if n > uint64(len(d.rest)/size) || !d.spend(int(n)*elementCost) {
		d.fail("%d elements in %d bytes", n, len(d.rest))
		return 0
	}
	return int(n)
}

// positive reads a length that is a 63-bit number.
func (d *decoder) positive() int64 {
	n := d.length()
	if n > math.MaxInt64 {
		d.fail("number %d", n)
		return 0
	}
	return int64(n)
}

// streamID reads an id as two lengths.
func (d *decoder) streamID() StreamID {
	ms := d.length()
	return StreamID{ms, d.length()}
}

// rawStreamID reads an id as 16 bytes.
func (d *decoder) rawStreamID() StreamID {
	ms := d.big(8)
	return StreamID{ms, d.big(8)}
}

// time reads a Unix time in milliseconds.
func (d *decoder) time() int64 { return int64(d.little(8)) }

// nodeReader reads the elements of a node.
type nodeReader struct {
	d    *decoder
	rest []string
}

func (r *nodeReader) next() string {
	if len(r.rest) == 0 {
		r.d.fail("stream node too short")
		return ""
	}
	s := r.rest[0]
	r.rest = r.rest[1:]
	return s
}

func (r *nodeReader) int() int64 {
	n, ok := num.ParseInt(r.next())
	if !ok {
		r.d.fail("no number in a stream node")
	}
	return n
}

// size reads the number of elements that follow. It fails if the node is too short for that many
// elements of at least each entries, so that a corrupt number cannot make us allocate gigabytes.
func (r *nodeReader) size(each int) int {
	n := r.int()
	if n < 0 || n > int64(len(r.rest)/each) {
		r.d.fail("%d elements in a stream node with %d", n, len(r.rest))
		return 0
	}
	return int(n)
}

// streamNode reads a node and appends its entries.
func (d *decoder) streamNode(s *Stream) {
	key := d.string()
	if d.err == nil && len(key) != 16 {
		d.fail("stream node with a key of %d bytes", len(key))
	}
	r := nodeReader{d, d.packed(listpack)}
	if d.err != nil {
		return
	}
	master := StreamID{binary.BigEndian.Uint64([]byte(key[:8])), binary.BigEndian.Uint64([]byte(key[8:]))}
	live, deleted := r.int(), r.int()
	names := make([]string, r.size(1))
	for i := range names {
		names[i] = r.next()
	}
	r.int() // the master entry's end
	for len(r.rest) > 0 && d.err == nil {
		flags := r.int()
		e := StreamEntry{ID: StreamID{master.Ms + uint64(r.int()), master.Seq + uint64(r.int())}}
		before := len(r.rest)
		if flags&entrySameFields != 0 {
			for _, name := range names {
				e.Pairs = append(e.Pairs, name, r.next())
			}
		} else {
			for n := r.size(2); n > 0 && d.err == nil; n-- {
				e.Pairs = append(e.Pairs, r.next(), r.next())
			}
		}
		if size := int64(before-len(r.rest)) + 3; r.int() != size {
			d.fail("stream entry of %d elements has another size behind it", size)
		}
		if flags&entryDeleted != 0 {
			deleted--
			continue
		}
		live--
		if n := len(s.Entries); n > 0 && !s.Entries[n-1].ID.less(e.ID) || e.ID == (StreamID{}) || len(e.Pairs) == 0 {
			d.fail("stream entry %d-%d with %d fields is out of order", e.ID.Ms, e.ID.Seq, len(e.Pairs)/2)
		}
		s.Entries = append(s.Entries, e)
	}
	if live != 0 || deleted != 0 {
		d.fail("stream node with other numbers of entries")
	}
}

func (d *decoder) streamGroup(kind uint64) StreamGroup {
	g := StreamGroup{Name: d.string(), Last: d.streamID(), Read: -1}
	if kind != typeStream {
		if g.Read = int64(d.length()); g.Read < -1 {
			d.fail("group that has read %d entries", g.Read)
		}
	}
	n := d.several(16 + 8 + 1)
	index := make(map[StreamID]int, n)
	for i := range n {
		p := StreamPending{ID: d.rawStreamID(), At: d.time(), Count: d.positive()}
		if i > 0 && !g.Pending[i-1].ID.less(p.ID) || p.At < 0 {
			d.fail("pending entry %d-%d out of order", p.ID.Ms, p.ID.Seq)
		}
		if d.err != nil {
			return g
		}
		index[p.ID] = i
		g.Pending = append(g.Pending, p)
	}
	owned := make([]bool, n)
	names := map[string]bool{}
	for n := d.several(1 + 8 + 1); n > 0 && d.err == nil; n-- {
		c := StreamConsumer{Name: d.string(), Seen: d.time()}
		c.Active = c.Seen
		if kind == typeStream3 {
			c.Active = d.time()
		}
		if names[c.Name] || c.Seen < 0 || c.Active < -1 {
			d.fail("consumer %.50q twice, or at no time", c.Name)
		}
		names[c.Name] = true
		for m := d.several(16); m > 0 && d.err == nil; m-- {
			i, ok := index[d.rawStreamID()]
			if !ok || owned[i] {
				d.fail("entry that is pending to nobody, or twice")
				break
			}
			owned[i] = true
			g.Pending[i].Consumer = c.Name
		}
		g.Consumers = append(g.Consumers, c)
	}
	for _, ok := range owned {
		if !ok {
			d.fail("pending entry without a consumer")
		}
	}
	return g
}
