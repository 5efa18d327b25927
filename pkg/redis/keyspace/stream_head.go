package keyspace

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// headGroups is the size of the groups (bytes) that a spread stream keeps in its head; beyond
// it, the largest get items of their own.
const headGroups = 512

func decodeStream(tx *Txn, ent *entry, o *object, as store.Attrs) *Stream {
	s := &Stream{tx: tx, ent: ent, obj: o, n: as.Get(attrCount).Num(), packed: as.Get(attrGroups).Str()}
	r := packedReader{rest: as.Get(attrStream).Str()}
	s.last, s.removed, s.first, s.added = r.id(), r.id(), r.id(), r.int()
	s.logs, s.outside = r.uint(), r.int()
	s.entries = streamLog{s: s, num: r.uint(), from: r.id(), dense: int(r.uint())}
	s.shape = r.string()
	var err error
	if s.entries.tail, err = unpackRecords(as.Get(attrEntries).Str()); err != nil || r.bad {
		tx.Fail(errPacked)
	}
	return s
}

// streamShape is the shape in a head.
func streamShape(as store.Attrs) (shape string, ok bool) {
	r := packedReader{rest: as.Get(attrStream).Str()}
	for range 3 {
		r.id()
	}
	for range 4 { // up to the number of the entries' log
		r.uint()
	}
	r.id()
	r.uint()
	return r.string(), !r.bad
}

func (s *Stream) packHead() string {
	b := appendID(appendID(appendID(nil, s.last), s.removed), s.first)
	for _, n := range []uint64{uint64(s.added), s.logs, uint64(s.outside), s.entries.num} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(appendID(b, s.entries.from), uint64(s.entries.dense))
	return string(appendPacked(b, s.shape))
}

func (s *Stream) encode(u *update) (spread bool) {
	u.set(attrCount, store.Int(s.n))
	if s.obj.gen == "" {
		entries := packRecords(s.entries.tail)
		if s.groups != nil {
			s.packed = s.packGroups()
		}
		if len(entries)+len(s.packed) <= inlineLimit {
			s.addTo(u, entries)
			return false
		}
		s.unpackGroups()
		s.tx.regenerate(s.obj)
	}
	ops, reshaped := s.entries.ops()
	if reshaped || s.obj.fresh {
		s.shape = string(s.tx.writeID())
	}
	if s.groups != nil {
		ops = append(ops, s.groupOps()...)
	}
	if s.obj.fresh {
		for _, op := range ops {
			u.add(op.sort, op.attrs)
		}
	} else {
		u.elems = ops
	}
	for _, r := range s.discards {
		u.notes = append(u.notes, rangeNote(s.tx.now, s.obj.gen, s.tx.view.db, r))
	}
	s.addTo(u, packRecords(s.entries.tail))
	return true
}

func (s *Stream) addTo(u *update, entries string) {
	u.set(attrStream, store.Bytes(s.packHead()))
	if entries != "" {
		u.set(attrEntries, store.Bytes(entries))
	}
	if s.packed != "" {
		u.set(attrGroups, store.Bytes(s.packed))
	}
}

// packGroups packs the groups that are in the head.
func (s *Stream) packGroups() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if g := s.groups[name]; g != nil && !g.own {
			b.Write(g.pack())
		}
	}
	return b.String()
}

// groupOps lists the writes of a spread stream's groups, and packs those that stay in the head.
func (s *Stream) groupOps() (ops []elemOp) {
	for _, key := range s.destroyedPages {
		ops = append(ops, elemOp{sort: key})
	}
	sizes := map[*StreamGroup]int{}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		g := s.groups[name]
		if g == nil {
			continue
		}
		pages, _ := g.pel.ops()
		ops = append(ops, pages...)
		if !g.own {
			sizes[g] = len(g.pack())
			total += sizes[g]
		}
	}
	for total > headGroups {
		var largest *StreamGroup
		for g, size := range sizes {
			if largest == nil || size > sizes[largest] || size == sizes[largest] && g.name < largest.name {
				largest = g
			}
		}
		total -= sizes[largest]
		delete(sizes, largest)
		largest.own, largest.dirty = true, true
		s.outside++
	}
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if g := s.groups[name]; g != nil && g.own && g.dirty {
			ops = append(ops, elemOp{sort: groupSort(name), attrs: store.Attrs{{Name: AttrValue, Value: store.Bytes(string(g.pack()))}}})
		}
	}
	slices.Sort(s.destroyed)
	for _, name := range slices.Compact(s.destroyed) {
		if g := s.groups[name]; g == nil || !g.own {
			ops = append(ops, elemOp{sort: groupSort(name)})
		}
	}
	s.packed = s.packGroups()
	return ops
}
