package kafka

import (
	"encoding/binary"

	"github.com/skystash/skystash/pkg/store"
)

// cleaned is what is known of the part of a log that has been compacted. The zero value: nothing has
// been. It is what headCompact and headCleaned say.
type cleaned struct {
	upTo     int64 // below it no key occurs twice
	left     int64 // bytes of data that are left below it
	total    int64 // bytes of data that were ever written below it
	at       int64 // when the last pass ended, Unix ms; 0: there has been none
	tombLow  int64 // base of the first segment with tombstones, if there is one
	tombsDue int64 // when the first tombstones may go, Unix ms; 0: there are none

	note store.Value // headCleaned as it was read
}

// pass is a pass of compaction that is under way: what headPass says. The part below at is done.
type pass struct {
	to       int64 // below it no key will occur twice
	at       int64 // base of the segment to go on with
	left     int64 // as cleaned has it, of what is done
	tombLow  int64
	tombsDue int64
}

func cleanedOf(as store.Attrs) cleaned {
	n, ok := readVarints(as.Get(headCleaned).Str(), 5)
	if !ok {
		return cleaned{} // never compacted, or by a version that kept no account
	}
	return cleaned{upTo: as.Get(headCompact).Num(), left: n[0], total: n[1], at: n[2], tombLow: n[3], tombsDue: n[4], note: as.Get(headCleaned)}
}

func (c cleaned) edits() []store.Edit {
	return []store.Edit{
		store.Set(headCompact, store.Int(c.upTo)),
		store.Set(headCleaned, varints(c.left, c.total, c.at, c.tombLow, c.tombsDue)),
	}
}

func passOf(v store.Value) *pass {
	n, ok := readVarints(v.Str(), 5)
	if !ok {
		return nil
	}
	return &pass{to: n[0], at: n[1], left: n[2], tombLow: n[3], tombsDue: n[4]}
}

func (p *pass) value() store.Value { return varints(p.to, p.at, p.left, p.tombLow, p.tombsDue) }

// noteTombs takes in that a segment has tombstones which may go at a time.
func (p *pass) noteTombs(base, due int64) {
	if p.tombsDue == 0 {
		p.tombLow, p.tombsDue = base, due
	}
	p.tombLow, p.tombsDue = min(p.tombLow, base), min(p.tombsDue, due)
}

// varints packs integers into an attribute's value.
func varints(ns ...int64) store.Value {
	var b []byte
	for _, n := range ns {
		b = binary.AppendVarint(b, n)
	}
	return store.Bytes(string(b))
}

// readVarints unpacks what varints has packed. It reports false if there are fewer than count.
func readVarints(text string, count int) ([]int64, bool) {
	b, out := []byte(text), make([]int64, count)
	for i := range out {
		n, width := binary.Varint(b)
		if width <= 0 {
			return nil, false
		}
		out[i], b = n, b[width:]
	}
	return out, true
}
