package redis

import (
	"math"
	"strconv"
	"strings"

	"github.com/skystash/skystash/pkg/redis/resp"
)

// streamID is the id of a stream's entry: Unix milliseconds and a number within them.
type streamID struct{ ms, seq uint64 }

var maxStreamID = streamID{math.MaxUint64, math.MaxUint64}

const errStreamID resp.Error = "ERR Invalid stream ID specified as stream command argument"

func (id streamID) String() string {
	return strconv.FormatUint(id.ms, 10) + "-" + strconv.FormatUint(id.seq, 10)
}

func (id streamID) less(other streamID) bool {
	return id.ms < other.ms || id.ms == other.ms && id.seq < other.seq
}

func (id streamID) compare(other streamID) int {
	switch {
	case id.less(other):
		return -1
	case id == other:
		return 0
	}
	return 1
}

func (id streamID) isZero() bool { return id == streamID{} }

// next is the id that follows; not ok if there is none.
func (id streamID) next() (streamID, bool) {
	switch {
	case id == maxStreamID:
		return id, false
	case id.seq == math.MaxUint64:
		return streamID{id.ms + 1, 0}, true
	}
	return streamID{id.ms, id.seq + 1}, true
}

// prev is the id before; not ok if there is none.
func (id streamID) prev() (streamID, bool) {
	switch {
	case id.isZero():
		return id, false
	case id.seq == 0:
		return streamID{id.ms - 1, math.MaxUint64}, true
	}
	return streamID{id.ms, id.seq - 1}, true
}

// sort is the id as 16 bytes in whose order ids are.
func (id streamID) sort() string { return putUint64(id.ms) + putUint64(id.seq) }

func streamIDOfSort(s string) streamID {
	if len(s) != 16 {
		return streamID{}
	}
	return streamID{getUint64(s), getUint64(s[8:])}
}

// parseStreamID reads "ms-seq" or "ms", for which seq is as given.
func parseStreamID(s string, seq uint64) (streamID, error) {
	ms, rest, full := strings.Cut(s, "-")
	id := streamID{seq: seq}
	var ok bool
	if id.ms, ok = parseUint64(ms); !ok {
		return streamID{}, errStreamID
	}
	if full {
		if id.seq, ok = parseUint64(rest); !ok {
			return streamID{}, errStreamID
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

// parseStreamBound reads an end of an interval: an id, which "(" makes exclusive, "-" or "+". An id
// without a number gets the lowest at the start and the highest at the end.
func parseStreamBound(s string, end bool) (streamID, error) {
	var seq uint64
	if end {
		seq = math.MaxUint64
	}
	switch {
	case s == "-":
		return streamID{}, nil
	case s == "+":
		return maxStreamID, nil
	case len(s) < 2 || s[0] != '(':
		return parseStreamID(s, seq)
	}
	id, err := parseStreamID(s[1:], seq)
	if err != nil {
		return id, err
	}
	if end {
		if id, ok := id.prev(); ok {
			return id, nil
		}
		return id, resp.Error("ERR invalid end ID for the interval")
	}
	if id, ok := id.next(); ok {
		return id, nil
	}
	return id, resp.Error("ERR invalid start ID for the interval")
}
