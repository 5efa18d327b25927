package kafka

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a partition's head.
const (
	headNext     = "n"  // offset that is reserved next
	headMark     = "w"  // high watermark: what is below it is in segments
	headReserved = "t"  // when offsets were reserved last (Unix ms)
	headPending  = "q"  // batches that wait for a gap to close are below this offset
	headMaxTime  = "r"  // greatest timestamp below the watermark
	headStart    = "b"  // log start: what is below it is deleted
	headBytes    = "z"  // of all segments ever written
	headCompact  = "y"  // below it no key occurs twice; only if there is headCleaned
	headKeep     = "k"  // ms that messages are kept after they were appended, 0 for ever; none: as segments say
	headNews     = "nw" // there if the topic has news, see newsOf
	headObjects  = "os" // when orphaned objects were looked for, Unix ms
	headExtend   = "ke" // segments have yet to get a longer time: how far that has got, and since when
	headFloor    = "g"  // see floor
	headCleaned  = "yc" // what the last compaction has left, see cleaned
	headPass     = "yp" // how far the present one has got, see pass
	headMerged   = "mg" // how far segments have been merged, see merged
	headMerging  = "mm" // a merge that has begun, see merging
	headFence    = "fn" // what the stream did not have when this was written is given up below it, see fence
	headData     = "f"  // watermark, and the offset behind the last segment with data below it, see dataEnd
)

// Attributes of a segment.
const (
	segNext     = "n" // offset behind its last; its first is in its key
	segData     = "d" // record batches; a segment without has been voided
	segPieces   = "c" // instead of data: number of pieces that hold one large batch
	segObject   = "o" // instead of data: name of an object that holds it
	segLength   = "l" // bytes of the object
	segMaxTime  = "r" // greatest timestamp of the log up to its end
	segBytes    = "z" // of all segments up to its end
	segExpires  = "e" // Unix ms; none: never
	segAppended = "a" // Unix ms; none: it was written before this was noted
	segDue      = "k" // Unix ms from which on its tombstones may go; none: it has none, or was not compacted
	segWrite    = "v" // id of the compaction's, or the merge's, write that it is of, and of its pieces; none: it is as it came
	segIndex    = "i" // of a large object: the parts that can be read by themselves, see segment.parts
	segFence    = "f" // changed where a merge was given up, so that it cannot go on
)

// Sort keys: the kind's letter, then the offset, big endian, then perhaps a number.
const (
	kindHead    = "h"
	kindSegment = "s"
	kindPiece   = "d"
	kindPending = "q"
)

// itemData is the number of bytes of data that an item holds at most. Records that are put into the
// stream have at most this size, too.
const itemData = 380 << 10

// reclaimGrace is how long an expired segment stays at least before DynamoDB deletes it, in seconds.
const reclaimGrace = 60

func headKey(log string) store.Key { return store.Key{Partition: log, Sort: kindHead} }

func offsetKey(log, kind string, offset int64) store.Key {
	return store.Key{Partition: log, Sort: string(binary.BigEndian.AppendUint64([]byte(kind), uint64(offset)))}
}

func numberedKey(log, kind string, offset int64, number int) store.Key {
	k := offsetKey(log, kind, offset)
	k.Sort += string(binary.BigEndian.AppendUint16(nil, uint16(number)))
	return k
}

func offsetOf(k store.Key) int64 { return int64(binary.BigEndian.Uint64([]byte(k.Sort[1:9]))) }

// newHead is the head of an empty log of a topic.
func newHead(t *Topic) store.Attrs {
	attrs := []store.Attr{
		{Name: headNext, Value: store.Int(0)},
		{Name: headMark, Value: store.Int(0)},
		{Name: headKeep, Value: store.Int(t.keepMs())},
	}
	if t.Partitions > newsAbove {
		attrs = append(attrs, store.Attr{Name: headNews, Value: store.Int(1)})
	}
	return store.NewAttrs(attrs...)
}

// head is the state of a partition.
type head struct {
	next, mark, pending, start int64
	reserved                   int64 // Unix ms
	maxTime, bytes             int64
	cleaned                    cleaned
	pass                       *pass // nil: none is under way
	keep                       int64
	floor                      *floor // nil: it is not known
	data                       int64  // as dataEnd has it; unknownEnd
	hasNews                    bool
	objectsAt                  int64 // Unix ms
	fence                      int64
	merged                     merged
	merging                    *merging // nil: none has begun

	keepNote, floorNote, extend store.Value // as they were read
}

func headOf(as store.Attrs) *head {
	if as == nil {
		return nil
	}
	return &head{
		next: as.Get(headNext).Num(), mark: as.Get(headMark).Num(), pending: as.Get(headPending).Num(),
		start: as.Get(headStart).Num(), reserved: as.Get(headReserved).Num(),
		maxTime: as.Get(headMaxTime).Num(), bytes: as.Get(headBytes).Num(),
		cleaned: cleanedOf(as), pass: passOf(as.Get(headPass)),
		keep: as.Get(headKeep).Num(), floor: floorOf(as.Get(headFloor)), data: dataOf(as),
		hasNews: as.Has(headNews), objectsAt: as.Get(headObjects).Num(), fence: as.Get(headFence).Num(),
		merged: mergedOf(as.Get(headMerged)), merging: mergingOf(as.Get(headMerging)), keepNote: as.Get(headKeep), floorNote: as.Get(headFloor), extend: as.Get(headExtend),
	}
}

// heads reads the heads of logs; nil for those of deleted topics.
func (e *Engine) heads(ctx context.Context, logs []string) ([]*head, error) {
	out := make([]*head, len(logs))
	if len(logs) == 1 {
		as, err := e.store.Get(ctx, headKey(logs[0]))
		if err != nil {
			return nil, fmt.Errorf("reading the state of a partition: %w", err)
		}
		out[0] = headOf(as)
		return out, nil
	}
	keys := make([]store.Key, len(logs))
	for i, l := range logs {
		keys[i] = headKey(l)
	}
	all, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading the state of partitions: %w", err)
	}
	for i, as := range all {
		out[i] = headOf(as)
	}
	return out, nil
}

// segment is a part of a log.
type segment struct {
	base, next     int64
	data           []byte
	pieces         int
	object         string
	objectBytes    int64
	maxTime, bytes int64
	expires        int64
	appended       int64
	due            int64
	write          string
	index          string      // segIndex
	fence          store.Value // segFence

	at int64 // of a part of a large object: where it begins in it
}

func segmentOf(base int64, as store.Attrs) *segment {
	return &segment{
		base: base, next: as.Get(segNext).Num(), data: []byte(as.Get(segData).Str()), pieces: int(as.Get(segPieces).Num()),
		maxTime: as.Get(segMaxTime).Num(), bytes: as.Get(segBytes).Num(), expires: as.Get(segExpires).Num(),
		object: as.Get(segObject).Str(), objectBytes: as.Get(segLength).Num(),
		appended: as.Get(segAppended).Num(), due: as.Get(segDue).Num(), write: as.Get(segWrite).Str(),
		index: as.Get(segIndex).Str(), fence: as.Get(segFence),
	}
}

// isVoid reports whether the segment has no data: it is a void, or compaction has left nothing.
func (s *segment) isVoid() bool { return s.size() == 0 }

// size is the number of bytes of its batches; if they are in pieces, at most an item's too many.
func (s *segment) size() int64 { return int64(len(s.data)+s.pieces*itemData) + s.objectBytes }

// asWritten is the condition that no compaction has written the segment since it was read.
func (s *segment) asWritten() store.Cond {
	if s.write == "" {
		return store.Absent(segWrite)
	}
	return store.Eq(segWrite, store.Bytes(s.write))
}

// asRead is the condition that a segment is there as it was read.
func (s *segment) asRead() store.And {
	cond := store.And{store.Eq(segNext, store.Int(s.next)), s.asWritten(), store.Absent(segExpires)}
	if s.expires > 0 {
		cond[2] = store.Eq(segExpires, store.Int(s.expires))
	}
	return cond
}

// pieceRange is what the sort keys of the segment's pieces start with. Pieces that compaction has
// written have the id of the write in their keys, so that they never mix with others.
func (s *segment) pieceRange(log string) store.Query {
	prefix := offsetKey(log, kindPiece, s.base).Sort + s.write
	return store.Query{Partition: log, From: prefix, To: store.PrefixEnd(prefix)}
}

func (s *segment) pieceKey(log string, number int) store.Key {
	k := offsetKey(log, kindPiece, s.base)
	k.Sort += s.write + string(binary.BigEndian.AppendUint16(nil, uint16(number)))
	return k
}

// cut makes the items that hold data which is too large for the segment's item. The segment then has
// pieces instead of data.
func (s *segment) cut(log string) (pieces []store.Item) {
	for data := s.data; len(data) > 0; data = data[min(itemData, len(data)):] {
		attrs := append(expiry(s.expires), store.Attr{Name: segData, Value: store.Bytes(string(data[:min(itemData, len(data))]))})
		pieces = append(pieces, store.Item{Key: s.pieceKey(log, len(pieces)), Attrs: store.NewAttrs(attrs...)})
	}
	s.pieces = len(pieces)
	return pieces
}

func (s *segment) attrs() store.Attrs {
	attrs := []store.Attr{
		{Name: segNext, Value: store.Int(s.next)},
		{Name: segMaxTime, Value: store.Int(s.maxTime)},
		{Name: segBytes, Value: store.Int(s.bytes)},
	}
	switch {
	case s.object != "":
		attrs = append(attrs, store.Attr{Name: segObject, Value: store.Bytes(s.object)}, store.Attr{Name: segLength, Value: store.Int(s.objectBytes)})
		if s.index != "" {
			attrs = append(attrs, store.Attr{Name: segIndex, Value: store.Bytes(s.index)})
		}
	case s.pieces > 0:
		attrs = append(attrs, store.Attr{Name: segPieces, Value: store.Int(int64(s.pieces))})
	case len(s.data) > 0:
		attrs = append(attrs, store.Attr{Name: segData, Value: store.Bytes(string(s.data))})
	}
	if s.appended > 0 {
		attrs = append(attrs, store.Attr{Name: segAppended, Value: store.Int(s.appended)})
	}
	if s.due > 0 {
		attrs = append(attrs, store.Attr{Name: segDue, Value: store.Int(s.due)})
	}
	if s.write != "" {
		attrs = append(attrs, store.Attr{Name: segWrite, Value: store.Bytes(s.write)})
	}
	return store.NewAttrs(append(attrs, expiry(s.expires)...)...)
}

// expiry are the attributes of an item that expires at a time, Unix ms; 0: never.
func expiry(at int64) []store.Attr {
	if at == 0 {
		return nil
	}
	return []store.Attr{
		{Name: segExpires, Value: store.Int(at)},
		{Name: store.TTLAttr, Value: store.Int(at/1000 + 1 + reclaimGrace)},
	}
}
