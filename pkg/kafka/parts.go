package kafka

import (
	"encoding/binary"

	"github.com/skystash/skystash/pkg/kafka/batch"
)

// indexOf divides the batches of a large object into parts that readers read by themselves: a varint of the offsets
// and one of the bytes of each. "": the object is read as a whole.
func (e *Engine) indexOf(base int64, data []byte) string {
	size := max(e.mergeBytes, 0) / mergeParts
	if len(data) <= objectData && len(data) <= e.mergeBytes/mergeLeast || size == 0 {
		return ""
	}
	var index []byte
	next, bytes := base, 0 // of the part
	for rest := data; len(rest) > 0; {
		info, behind, err := batch.Next(rest)
		if err != nil {
			return "" // who reads it says so
		}
		if bytes > 0 && bytes+len(info.Bytes) > size {
			index = binary.AppendVarint(binary.AppendVarint(index, next-base), int64(bytes))
			base, bytes = next, 0
		}
		next, bytes, rest = info.Next, bytes+len(info.Bytes), behind
	}
	if len(index) == 0 {
		return ""
	}
	return string(binary.AppendVarint(binary.AppendVarint(index, next-base), int64(bytes)))
}

// parts are what a segment is read in: itself, or the parts of its object. The last one ends where the segment does.
func (s *segment) parts() (out []*segment) {
	base, at := s.base, int64(0)
	for rest := []byte(s.index); len(rest) > 0; {
		offsets, n := binary.Varint(rest)
		bytes, m := binary.Varint(rest[max(n, 0):])
		if n <= 0 || m <= 0 || at+bytes > s.objectBytes {
			return []*segment{s}
		}
		rest = rest[n+m:]
		p := *s
		p.base, p.next, p.at, p.objectBytes, p.index = base, base+offsets, at, bytes, ""
		base, at = p.next, at+bytes
		if len(rest) == 0 {
			p.next = s.next
		}
		out = append(out, &p)
	}
	if at != s.objectBytes || out == nil {
		return []*segment{s}
	}
	return out
}
