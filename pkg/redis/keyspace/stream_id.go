package keyspace

import (
	"math"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/refusal"
)

// StreamID is the id of a stream's entry: Unix milliseconds and a number within them.
type StreamID struct{ Ms, Seq uint64 }

var MaxStreamID = StreamID{math.MaxUint64, math.MaxUint64}

// ErrStreamID refuses what is no id.
const ErrStreamID refusal.Error = "ERR Invalid stream ID specified as stream command argument"

// String is the id as Redis writes it.
func (id StreamID) String() string {
	return strconv.FormatUint(id.Ms, 10) + "-" + strconv.FormatUint(id.Seq, 10)
}

func (id StreamID) Less(other StreamID) bool {
	return id.Ms < other.Ms || id.Ms == other.Ms && id.Seq < other.Seq
}

func (id StreamID) compare(other StreamID) int {
	switch {
	case id.Less(other):
		return -1
	case id == other:
		return 0
	}
	return 1
}

// IsZero reports whether it is the id 0-0, which no entry has.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// Next is the id that follows; not ok if there is none.
func (id StreamID) Next() (StreamID, bool) {
	switch {
	case id == MaxStreamID:
		return id, false
	case id.Seq == math.MaxUint64:
		return StreamID{id.Ms + 1, 0}, true
	}
	return StreamID{id.Ms, id.Seq + 1}, true
}

// Prev is the id before; not ok if there is none.
func (id StreamID) Prev() (StreamID, bool) {
	switch {
	case id.IsZero():
		return id, false
	case id.Seq == 0:
		return StreamID{id.Ms - 1, math.MaxUint64}, true
	}
	return StreamID{id.Ms, id.Seq - 1}, true
}

// sort is the id as 16 bytes in whose order ids are.
func (id StreamID) sort() string { return PutUint64(id.Ms) + PutUint64(id.Seq) }

func streamIDOfSort(s string) StreamID {
	if len(s) != 16 {
		return StreamID{}
	}
	return StreamID{GetUint64(s), GetUint64(s[8:])}
}

// ParseStreamID reads "ms-seq" or "ms", for which seq is as given.
func ParseStreamID(s string, seq uint64) (StreamID, error) {
	ms, rest, full := strings.Cut(s, "-")
	id := StreamID{Seq: seq}
	var ok bool
	if id.Ms, ok = parseUint64(ms); !ok {
		return StreamID{}, ErrStreamID
	}
	if full {
		if id.Seq, ok = parseUint64(rest); !ok {
			return StreamID{}, ErrStreamID
		}
	}
	return id, nil
}

// parseUint64 reads an unsigned number, before which Redis lets blanks, a plus sign and zeros pass.
func parseUint64(s string) (uint64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 64)
	return n, err == nil
}

// ParseStreamBound reads an end of an interval: an id, which "(" makes exclusive, "-" or "+". An id
// without a number gets the lowest at the start and the highest at the end.
func ParseStreamBound(s string, end bool) (StreamID, error) {
	var seq uint64
	if end {
		seq = math.MaxUint64
	}
	switch {
	case s == "-":
		return StreamID{}, nil
	case s == "+":
		return MaxStreamID, nil
	case len(s) < 2 || s[0] != '(':
		return ParseStreamID(s, seq)
	}
	id, err := ParseStreamID(s[1:], seq)
	if err != nil {
		return id, err
	}
	if end {
		if id, ok := id.Prev(); ok {
			return id, nil
		}
		return id, refusal.Error("ERR invalid end ID for the interval")
	}
	if id, ok := id.Next(); ok {
		return id, nil
	}
	return id, refusal.Error("ERR invalid start ID for the interval")
}
