package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/objects"
	"github.com/skystash/skystash/pkg/store"
)

// Limits of an answer to Fetch or Consume; at least one message is always in it.
const (
	MaxMessages = 500
	MaxBytes    = 4 << 20
)

// Message is a message as it is read.
type Message struct {
	Topic     string
	Partition int
	batch.Record
}

// unknownSegment is the start of a segment that is not known.
const unknownSegment = -1

// cursor is a place in a log.
type cursor struct {
	offset  int64 // next to read
	segment int64 // base of the segment that holds it, if known: saves a search
}

// maxDecoded is how many bytes are decoded for an answer, also of what is not in it: a place in the middle of a batch
// is found by decoding what comes before it. It ends the answer once there is a message in it.
const maxDecoded = 32 << 20

// budget is what an answer may still take. messages is 0 once something had no room: nothing more is read then.
type budget struct {
	messages, bytes int
	taken           int                      // messages
	decoded         int                      // bytes so far
	wants           func(*batch.Record) bool // nil: every message
	search          *Search                  // nil: it is none
}

func newBudget() *budget { return &budget{messages: MaxMessages, bytes: MaxBytes} }

// take reports whether there is room for a message. The first one always has.
func (b *budget) take(size int) bool {
	if b.messages <= 0 || b.taken > 0 && b.bytes < size {
		b.messages = 0
		return false
	}
	b.taken++
	b.messages--
	if b.bytes -= size; b.bytes <= 0 {
		b.messages = 0
	}
	return true
}

// decode counts a record that was decoded. It reports false if that was too much.
func (b *budget) decode(size int) bool {
	if b.search != nil {
		b.search.decoded += size
		return b.search.decoded <= maxSearched
	}
	if b.decoded += size; b.decoded > maxDecoded && b.taken > 0 {
		b.messages = 0
		return false
	}
	return true
}

// What a message and a header take besides their bytes, in memory or in an answer. Without it, 500 messages of
// nothing but empty headers would be gigabytes.
const (
	messageBytes = 128
	headerBytes  = 40
)

// weigh is about the bytes that a message takes.
func weigh(r *batch.Record) int {
	size := len(r.Key) + len(r.Value) + messageBytes
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + headerBytes
	}
	return size
}

// readLog reads messages from a place on, as far as one query goes and the budget
// lasts, and returns the place behind them. It makes one call if the place's
// segment is known, or begins at it, else one for that segment alone.
func (e *Engine) readLog(ctx context.Context, log string, at cursor, h *head, left *budget) ([]batch.Record, cursor, error) {
	if first := h.first(); at.offset <= first.offset {
		at = first
	}
	if at.segment == unknownSegment && (at.offset == 0 || e.boundaries.isOne(log, at.offset)) {
		at.segment = at.offset
	}
	items, err := e.segments(ctx, log, at, h.mark, left.messages)
	if err != nil {
		return nil, at, fmt.Errorf("reading a log: %w", err)
	}
	now := e.nowMs()
	var out []batch.Record
	for _, it := range items {
		s := segmentOf(offsetOf(it.Key), it.Attrs)
		if s.next <= at.offset || h.isGone(s, now) {
			if s.next > at.offset {
				at = cursor{s.next, s.next}
			}
			continue
		}
		more, full, err := e.readSegment(ctx, log, s, at.offset, left)
		if err != nil {
			return nil, at, err
		}
		out = append(out, more...)
		if full {
			if len(more) > 0 {
				at = cursor{more[len(more)-1].Offset + 1, s.base}
			}
			return out, at, nil
		}
		at = cursor{s.next, s.next}
	}
	e.goesOn(log, at)
	return out, at, nil
}

// goesOn remembers the place behind what was read, if a segment begins there.
func (e *Engine) goesOn(log string, at cursor) {
	if at.segment == at.offset {
		e.boundaries.set(log, at.offset)
	}
}

// segments reads the segments from the one that holds the place on, up to limit.
// It does not read above the watermark: a query is no snapshot, and of two segments
// written while it runs, it may see the second alone.
func (e *Engine) segments(ctx context.Context, log string, at cursor, mark int64, limit int) ([]store.Item, error) {
	from, sought := at.segment, at.segment == unknownSegment
	if sought {
		it, err := e.covering(ctx, log, at.offset)
		if err != nil || it != nil {
			return oneOf(it), err
		}
		from = at.offset
	}
	page, err := e.store.Query(ctx, store.Query{
		Partition: log, From: offsetKey(log, kindSegment, from).Sort, To: offsetKey(log, kindSegment, mark).Sort, Limit: max(1, limit),
	})
	if err != nil {
		return nil, err
	}
	// Between two of them there may have been one that was merged into the first, or another one before it.
	end := at.offset
	for i, it := range page.Items {
		if base := offsetOf(it.Key); base > end {
			if end > at.offset {
				return page.Items[:i], nil // the next call looks for it
			}
			if !sought {
				covering, err := e.covering(ctx, log, end)
				if err != nil || covering != nil {
					return oneOf(covering), err
				}
			}
			sought = true // it has been deleted
		}
		end = max(end, it.Attrs.Get(segNext).Num())
	}
	if end == at.offset && !sought {
		it, err := e.covering(ctx, log, end)
		if err != nil || it != nil {
			return oneOf(it), err
		}
	}
	return page.Items, nil
}

func oneOf(it *store.Item) []store.Item {
	if it == nil {
		return nil
	}
	return []store.Item{*it}
}

// covering finds the segment that holds an offset; nil: there is none.
func (e *Engine) covering(ctx context.Context, log string, offset int64) (*store.Item, error) {
	page, err := e.store.Query(ctx, store.Query{
		Partition: log, From: kindSegment, To: offsetKey(log, kindSegment, offset+1).Sort, Reverse: true, Limit: 1,
	})
	if err != nil || len(page.Items) == 0 || page.Items[0].Attrs.Get(segNext).Num() <= offset {
		return nil, err
	}
	return &page.Items[0], nil
}

// readSegment decodes a segment from an offset on. full says that the budget did not suffice.
func (e *Engine) readSegment(ctx context.Context, log string, s *segment, from int64, left *budget) (out []batch.Record, full bool, err error) {
	for _, p := range s.parts() {
		if p.next <= from {
			continue
		}
		if left.messages <= 0 {
			return out, true, nil
		}
		infos, err := e.batches(ctx, log, p)
		if err != nil {
			return nil, false, err
		}
		for _, info := range infos {
			if info.Next <= from {
				continue
			}
			err := info.Each(func(r *batch.Record) error {
				if !left.decode(r.Size()) {
					return errNoRoom
				}
				if r.Offset < from || left.wants != nil && !left.wants(r) {
					return nil
				}
				if !left.take(e.weigh(r)) {
					return errNoRoom
				}
				out = append(out, r.Clone())
				return nil
			})
			if errors.Is(err, errNoRoom) {
				return out, true, nil
			}
			if err != nil {
				return nil, false, fmt.Errorf("reading the log %s at %d: %w", log, info.Base, err)
			}
		}
	}
	return out, false, nil
}

// errNoRoom ends the reading of a batch: the budget has been used.
var errNoRoom = errors.New("no room in the answer")

// batches are the batches of a segment; none if it is void.
func (e *Engine) batches(ctx context.Context, log string, s *segment) ([]batch.Info, error) {
	data, err := e.segmentData(ctx, log, s)
	if err != nil {
		return nil, err
	}
	infos, err := splitBatches(data)
	if err != nil {
		return nil, fmt.Errorf("reading the log %s at %d: %w", log, s.base, err)
	}
	return infos, nil
}

func splitBatches(data []byte) (infos []batch.Info, err error) {
	for len(data) > 0 {
		info, rest, err := batch.Next(data)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
		data = rest
	}
	return infos, nil
}

// maxRereads bounds how often a segment is read again because it was compacted or merged while it was read.
const maxRereads = 3

// segmentData is the segment's batches, which its item may not hold itself.
func (e *Engine) segmentData(ctx context.Context, log string, s *segment) ([]byte, error) {
	for range maxRereads {
		data, complete, err := e.partsOf(ctx, log, s)
		if err != nil || complete {
			return data, err
		}
		// It was deleted, compacted or merged after it was read.
		it, err := e.covering(ctx, log, s.base)
		if err != nil {
			return nil, fmt.Errorf("reading a large batch: %w", err)
		}
		if it == nil {
			return nil, nil
		}
		now := segmentOf(offsetOf(it.Key), it.Attrs)
		if now.pieces == s.pieces && now.write == s.write && now.object == s.object {
			return nil, e.whyMissing(ctx, log, s)
		}
		if now.base != s.base || now.next != s.next {
			return e.rangeOf(ctx, log, now, s.base, s.next)
		}
		s = now
	}
	return nil, fmt.Errorf("reading the log %s at %d: it changes all the time: %w", log, s.base, store.ErrConflict)
}

// rangeOf is the data of a segment's batches between two offsets.
func (e *Engine) rangeOf(ctx context.Context, log string, s *segment, from, to int64) (data []byte, err error) {
	for _, p := range s.parts() {
		if p.next <= from || p.base >= to {
			continue
		}
		infos, err := e.batches(ctx, log, p)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			if info.Next > from && info.Base < to {
				data = append(data, info.Bytes...)
			}
		}
	}
	return data, nil
}

// whyMissing is nil if a segment whose data is not there is below the log's start by now: its item stays
// until the store deletes it by its time.
func (e *Engine) whyMissing(ctx context.Context, log string, s *segment) error {
	heads, err := e.heads(ctx, []string{log})
	if err != nil {
		return err
	}
	if h := heads[0]; h == nil || s.next <= h.start {
		return nil
	}
	return fmt.Errorf("reading the log %s at %d: its data is not there", log, s.base)
}

// partsOf reads what a segment's item does not hold itself. complete is false if something is not there.
func (e *Engine) partsOf(ctx context.Context, log string, s *segment) (data []byte, complete bool, err error) {
	switch {
	case s.object != "":
		data, err := e.readObject(ctx, s)
		if errors.Is(err, objects.ErrNotFound) {
			return nil, false, nil
		}
		return data, err == nil, err
	case s.pieces == 0:
		return s.data, true, nil
	}
	items, err := e.queryAll(ctx, s.pieceRange(log))
	if err != nil {
		return nil, false, fmt.Errorf("reading a large batch: %w", err)
	}
	found := 0
	for _, it := range items {
		if len(it.Key.Sort) == len(s.pieceKey(log, 0).Sort) {
			data = append(data, it.Attrs.Get(segData).Str()...)
			found++
		}
	}
	return data, found == s.pieces, nil
}
