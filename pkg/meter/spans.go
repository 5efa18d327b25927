package meter

import "encoding/binary"

// span is the numbers from one to another, without the latter.
type span struct{ from, to int64 }

// spans is a set of numbers, as ascending spans that do not touch.
type spans []span

// search is the index of the first span that ends behind n.
func (s spans) search(n int64) int {
	low, high := 0, len(s)
	for low < high {
		mid := (low + high) / 2
		if s[mid].to > n {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

func (s spans) contains(n int64) bool {
	i := s.search(n)
	return i < len(s) && s[i].from <= n
}

// add adds a number that is not in the set.
func (s spans) add(n int64) spans {
	i := s.search(n)
	before := i > 0 && s[i-1].to == n
	behind := i < len(s) && s[i].from == n+1
	switch {
	case before && behind:
		s[i-1].to = s[i].to
		return append(s[:i], s[i+1:]...)
	case before:
		s[i-1].to++
	case behind:
		s[i].from--
	default:
		s = append(s, span{})
		copy(s[i+1:], s[i:])
		s[i] = span{n, n + 1}
	}
	return s
}

// limit reduces a set to at most gaps gaps. It closes the lowest ones, as if their numbers had
// come, and returns how many numbers that added.
func (s spans) limit(gaps int) (spans, int64) {
	closed := int64(0)
	if s.gaps() <= gaps {
		return s, 0
	}
	// Numbers begin with 0, so the numbers below the first span are a gap as well.
	closed += s[0].from
	s[0].from = 0
	for s.gaps() > gaps {
		closed += s[1].from - s[0].to
		s[1].from = 0
		s = s[1:]
	}
	return s, closed
}

func (s spans) gaps() int {
	if len(s) > 0 && s[0].from > 0 {
		return len(s)
	}
	return max(0, len(s)-1)
}

// encode writes the distances between the ends of spans.
func (s spans) encode() string {
	var b []byte
	last := int64(0)
	for _, sp := range s {
		b = binary.AppendUvarint(b, uint64(sp.from-last))
		b = binary.AppendUvarint(b, uint64(sp.to-sp.from))
		last = sp.to
	}
	return string(b)
}

// decodeSpans reports false of what encode has not written.
func decodeSpans(text string) (spans, bool) {
	var s spans
	b := []byte(text)
	last := int64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, false
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, false
		}
		b = b[n+m:]
		from := last + int64(gap)
		last = from + int64(length)
		if from < 0 || last <= from || len(s) > 0 && gap == 0 {
			return nil, false
		}
		s = append(s, span{from, last})
	}
	return s, true
}
