package hll

import "slices"

// sketch is a HyperLogLog string being written.
type sketch []byte

const (
	sparseMaxLen  = 3000 // Redis's hll-sparse-max-bytes, header included
	maxRunRank    = 32   // the highest register a run can hold
	maxRunSpan    = 4    // registers in a run of values
	maxShortZeros = 64   // registers in a run of zeros of one byte
)

func (sk sketch) invalidate() { sk[headerLen-1] |= staleBit }

// cursor is a place between two runs: the next one is at body[at:] and starts with the
// register first. The zero cursor is the start.
type cursor struct{ at, first int }

// raise sets a register to rank unless it is that high already. Several registers in
// ascending order are found faster if they share near, which may otherwise be new.
func (sk *sketch) raise(index int, rank uint8, near *cursor) (changed bool, err error) {
	if (*sk)[encodingAt] == dense {
		return sk.raiseDense(index, rank), nil
	}
	return sk.raiseSparse(index, rank, near)
}

func (sk sketch) raiseDense(index int, rank uint8) bool {
	body := sk[headerLen:]
	at, shift := index*6/8, index*6%8
	old := body[at] >> shift
	if shift > 2 { // its upper bits are in the next byte
		old |= body[at+1] << (8 - shift)
	}
	if old&63 >= rank {
		return false
	}
	body[at] = body[at]&^(63<<shift) | rank<<shift
	if shift > 2 {
		body[at+1] = body[at+1]&^(63>>(8-shift)) | rank>>(8-shift)
	}
	return true
}

// run is a sparse string's unit: span registers that are all value, in size bytes.
type run struct {
	value uint8
	span  int
	size  int
}

// runAt reads the run at body[at:]; it is not ok if that is cut short.
func runAt[S ~string | ~[]byte](body S, at int) (r run, ok bool) {
	b := body[at]
	switch {
	case b&0x80 != 0:
		return run{value: b>>2&31 + 1, span: int(b&3) + 1, size: 1}, true
	case b&0x40 == 0:
		return run{span: int(b) + 1, size: 1}, true
	case at+1 < len(body):
		return run{span: int(b&63)<<8 | int(body[at+1]) + 1, size: 2}, true
	}
	return run{}, false
}

func appendRun(b []byte, value uint8, span int) []byte {
	switch {
	case span == 0:
		return b
	case value > 0:
		return append(b, 0x80|(value-1)<<2|uint8(span-1))
	case span > maxShortZeros:
		return append(b, 0x40|uint8((span-1)>>8), uint8(span-1))
	}
	return append(b, uint8(span-1))
}

// raiseSparse splits the run that holds the register and then joins neighbours, in
// Redis's way, so that the same additions give the same bytes.
func (sk *sketch) raiseSparse(index int, rank uint8, near *cursor) (changed bool, err error) {
	if rank > maxRunRank {
		return sk.promoteAndRaise(index, rank)
	}
	body := (*sk)[headerLen:]
	prev, here, r, ok := find(body, index, *near)
	if ok && here == prev && here.at > 0 { // the run before it is needed as well
		prev, here, r, ok = find(body, index, cursor{})
	}
	if !ok {
		return false, ErrCorrupt
	}
	*near = prev
	if r.value >= rank {
		return false, nil
	}
	var buf [5]byte
	split := appendRun(buf[:0], r.value, index-here.first)
	split = appendRun(split, rank, 1)
	split = appendRun(split, r.value, here.first+r.span-1-index)
	if growth := len(split) - r.size; growth > 0 && len(*sk)+growth > sparseMaxLen {
		return sk.promoteAndRaise(index, rank)
	}
	*sk = slices.Replace(*sk, headerLen+here.at, headerLen+here.at+r.size, split...)
	sk.join(headerLen + prev.at)
	return true, nil
}

// find returns the run that holds a register and the place of the run before it, both
// looked for from a cursor on. When it is the first run there, the places are the same.
func find(body []byte, index int, from cursor) (prev, here cursor, r run, ok bool) {
	prev, here = from, from
	for here.at < len(body) {
		if r, ok = runAt(body, here.at); !ok {
			break
		}
		if index < here.first+r.span {
			return prev, here, r, true
		}
		prev = here
		here.at += r.size
		here.first += r.span
	}
	return prev, here, r, false
}

// join merges runs of equal values, looking at five places from at on.
func (sk *sketch) join(at int) {
	b := *sk
	for range 5 {
		if at >= len(b) {
			break
		}
		r, ok := runAt(b, at)
		if !ok {
			break
		}
		if r.value > 0 && at+1 < len(b) {
			next, ok := runAt(b, at+1)
			if ok && next.value == r.value && r.span+next.span <= maxRunSpan {
				b[at] += byte(next.span)
				b = slices.Delete(b, at+1, at+2)
				continue // it may take the next one, too
			}
		}
		at += r.size
	}
	*sk = b
}

func (sk *sketch) promoteAndRaise(index int, rank uint8) (changed bool, err error) {
	if err := sk.toDense(); err != nil {
		return false, err
	}
	return sk.raiseDense(index, rank), nil
}

// toDense turns a sparse sketch into a dense one.
func (sk *sketch) toDense() error {
	var union [registers]uint8
	if err := mergeInto(&union, string(*sk)); err != nil {
		return err
	}
	d := make(sketch, denseLen)
	copy(d, (*sk)[:headerLen])
	d[encodingAt] = dense
	for index, rank := range union {
		if rank > 0 {
			d.raiseDense(index, rank)
		}
	}
	*sk = d
	return nil
}
