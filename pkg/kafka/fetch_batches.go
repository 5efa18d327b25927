package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
)

// headAge is how old the heads may be that FetchBatches goes by, in a process that materializes the
// stream: whatever it moves into a log makes the log's head be read again. So this is only how late
// it sees what others do to a log.
const headAge = 5 * time.Second

// BatchFetch asks for batches of one partition.
type BatchFetch struct {
	TopicPartition
	Offset   int64
	MaxBytes int // of the answer's part
}

// BatchPart is what there is of one partition.
type BatchPart struct {
	Err     error        // a refusal, of kind NotFound or OutOfRange, or what went wrong
	Start   int64        // of the log
	End     int64        // of the log's data, which is its end for the reader
	Batches []batch.Info // whole; the first may begin before the offset that was asked for
}

// BatchOptions bound an answer.
type BatchOptions struct {
	Wait     time.Duration // for MinBytes
	MinBytes int
	MaxBytes int // of the whole answer; one batch is in it at least, if there is any
}

// FetchBatches reads batches as they are stored, from offsets on. What is wrong with one partition does
// not keep it from reading the others, but then it does not wait. The parts of the answer are in the
// order of what was asked for.
func (e *Engine) FetchBatches(ctx context.Context, c *Cluster, from []BatchFetch, o BatchOptions) ([]BatchPart, error) {
	f := &batchFetch{e: e, ctx: ctx, from: from, o: o, parts: make([]BatchPart, len(from))}
	for i, q := range from {
		log, err := e.findLog(ctx, c, q.TopicPartition)
		if err != nil {
			f.fail(i, err)
			continue
		}
		f.logs, f.of = append(f.logs, log), append(f.of, i)
		f.at = append(f.at, cursor{q.Offset, unknownSegment})
	}
	until, cancel := e.timeout(ctx, o.Wait)
	defer cancel()
	w := e.newWait(ctx, until, f.logs)
	defer w.stop()
	w.limit = headAge
	for {
		heads, err := e.headsOfReaders(ctx, f.logs, w.rounds > 0)
		if err == nil && f.isBeyond(heads) { // or they are from before it was reserved
			heads, err = e.headsOfReaders(ctx, f.logs, true)
		}
		if err != nil {
			return nil, err
		}
		if err := f.read(heads); err != nil {
			return nil, err
		}
		if f.failed || f.bytes >= o.MinBytes || f.full || !w.more(heads, f.at) {
			return f.parts, ctx.Err()
		}
	}
}

// batchFetch is one call of FetchBatches.
type batchFetch struct {
	e     *Engine
	ctx   context.Context
	from  []BatchFetch
	o     BatchOptions
	parts []BatchPart

	logs   []string // of the partitions that there are
	of     []int    // their places in from
	at     []cursor // where reading goes on
	bytes  int      // read so far
	full   bool     // there is no room for more
	failed bool
}

func (f *batchFetch) fail(i int, err error) { f.parts[i].Err, f.failed = err, true }

// isBeyond reports whether a place is one that no log has.
func (f *batchFetch) isBeyond(heads []*head) bool {
	for n, h := range heads {
		if h != nil && f.from[f.of[n]].Offset > h.next {
			return true
		}
	}
	return false
}

// read reads on in all logs.
func (f *batchFetch) read(heads []*head) error {
	for n, h := range heads {
		i := f.of[n]
		part, q := &f.parts[i], f.from[i]
		switch {
		case part.Err != nil:
			continue
		case h == nil:
			f.fail(i, refuse(NotFound, "no topic %q", q.Topic))
			continue
		}
		end, err := f.e.dataEnd(f.ctx, f.logs[n], h)
		if err != nil {
			return err
		}
		// A place behind the data is one that REST has committed. The client is to wait there.
		part.Start, part.End = h.first().offset, max(end, min(q.Offset, h.mark))
		if q.Offset < part.Start || q.Offset > h.next {
			f.fail(i, refuse(OutOfRange, "offset %d of %s/%d, which has %d to %d", q.Offset, q.Topic, q.Partition, part.Start, h.next))
			continue
		}
		if err := f.readLog(n, h); err != nil {
			return err
		}
	}
	return nil
}

// readLog reads on in one log, until it has what may be read of it, or some.
func (f *batchFetch) readLog(n int, h *head) error {
	part, q := &f.parts[f.of[n]], f.from[f.of[n]]
	size := 0
	for _, b := range part.Batches {
		size += len(b.Bytes)
	}
	for f.at[n].offset < h.mark && !f.full {
		before := f.at[n]
		infos, next, err := f.e.readBatches(f.ctx, f.logs[n], before, h, min(q.MaxBytes-size, f.o.MaxBytes-f.bytes))
		if err != nil {
			return err
		}
		for _, info := range infos {
			if f.bytes > 0 && f.bytes+len(info.Bytes) > f.o.MaxBytes {
				f.full = true
				return nil
			}
			if size > 0 && size+len(info.Bytes) > q.MaxBytes || size == 0 && f.bytes > 0 && len(info.Bytes) > q.MaxBytes {
				return nil
			}
			part.Batches = append(part.Batches, info)
			f.at[n] = cursor{info.Next, unknownSegment}
			size, f.bytes = size+len(info.Bytes), f.bytes+len(info.Bytes)
		}
		if f.at[n] = next; next.offset <= before.offset {
			break
		}
	}
	if len(part.Batches) == 0 && q.Offset < part.End && f.at[n].offset >= h.mark {
		return f.expired(n, h)
	}
	return nil
}

// expired finds out what has become of messages that are not there: if they are too old, the log begins
// behind the place by now.
func (f *batchFetch) expired(n int, h *head) error {
	i := f.of[n]
	part, q := &f.parts[i], f.from[i]
	first, _, err := f.e.extent(f.ctx, f.logs[n], h)
	if err != nil {
		return err
	}
	if part.Start = first; q.Offset < first {
		part.End = max(part.End, first)
		f.fail(i, refuse(OutOfRange, "offset %d of %s/%d, which begins at %d", q.Offset, q.Topic, q.Partition, first))
	}
	return nil
}

// headsOfReaders reads heads that may be headAge old if this process materializes the stream, and
// again is false.
func (e *Engine) headsOfReaders(ctx context.Context, logs []string, again bool) ([]*head, error) {
	out := make([]*head, len(logs))
	var need []string
	var places []int
	for i, log := range logs {
		h, ok := e.recent.Get(log)
		if !ok || again || !e.runs.active() {
			need, places = append(need, log), append(places, i)
		}
		out[i] = h
	}
	if len(need) == 0 {
		return out, nil
	}
	begun := e.recent.Begin()
	heads, err := e.heads(ctx, need)
	if err != nil {
		return nil, err
	}
	for n, h := range heads {
		out[places[n]] = h
		if h != nil {
			e.recent.Put(need[n], h, begun)
		}
	}
	return out, nil
}

// maxBatchSegments bounds the segments that one query of readBatches reads.
const maxBatchSegments = 256

// readBatches reads the batches of one query from a place on, or as many as have so many bytes at least, and
// returns the place behind them.
func (e *Engine) readBatches(ctx context.Context, log string, at cursor, h *head, enough int) ([]batch.Info, cursor, error) {
	if first := h.first(); at.offset <= first.offset {
		at = first
	}
	if at.segment == unknownSegment && (at.offset == 0 || e.boundaries.isOne(log, at.offset)) {
		at.segment = at.offset
	}
	items, err := e.segments(ctx, log, at, h.mark, maxBatchSegments)
	if err != nil {
		return nil, at, fmt.Errorf("reading a log: %w", err)
	}
	now := e.nowMs()
	var out []batch.Info
	size := 0
	for _, it := range items {
		s := segmentOf(offsetOf(it.Key), it.Attrs)
		if s.next <= at.offset {
			continue
		}
		if len(out) > 0 && size >= enough { // what is behind it may be in pieces, or in objects
			break
		}
		if !h.isGone(s, now) {
			for _, p := range s.parts() {
				if p.next <= at.offset {
					continue
				}
				if len(out) > 0 && size >= enough {
					return out, at, nil
				}
				infos, err := e.batches(ctx, log, p)
				if err != nil {
					return nil, at, err
				}
				for _, info := range infos {
					if info.Next > at.offset {
						out, size = append(out, info), size+len(info.Bytes)
					}
				}
				at = cursor{p.next, s.base}
			}
		}
		at = cursor{s.next, s.next}
	}
	if len(items) == 0 {
		at = cursor{h.mark, h.mark}
	}
	e.goesOn(log, at)
	return out, at, nil
}

// PartitionLimits are the ends of a partition as clients of the wire protocol see them.
type PartitionLimits struct {
	Start, End int64 // End is the end of the data
}

// Limits reads the ends of a partition. It waits at most for the timeout until what was accepted before is
// in the log: whoever was told that a message is accepted finds it below the end.
func (e *Engine) Limits(ctx context.Context, c *Cluster, tp TopicPartition, timeout time.Duration) (PartitionLimits, error) {
	log, err := e.findLog(ctx, c, tp)
	if err != nil {
		return PartitionLimits{}, err
	}
	h, err := e.oneHead(ctx, log, tp.Topic)
	if err != nil {
		return PartitionLimits{}, err
	}
	if h, err = e.caughtUp(ctx, log, h, timeout); err != nil {
		return PartitionLimits{}, err
	}
	end, err := e.dataEnd(ctx, log, h)
	if err != nil {
		return PartitionLimits{}, err
	}
	first, _, err := e.extent(ctx, log, h)
	return PartitionLimits{Start: first, End: max(first, end)}, err
}

func (e *Engine) oneHead(ctx context.Context, log, topic string) (*head, error) {
	heads, err := e.heads(ctx, []string{log})
	if err == nil && heads[0] == nil {
		err = refuse(NotFound, "no topic %q", topic)
	}
	if err != nil {
		return nil, err
	}
	return heads[0], nil
}

// OffsetAt finds the first message with a timestamp of at least at (Unix ms); nil: there is none. It is one of the
// searches of a request.
func (e *Engine) OffsetAt(ctx context.Context, c *Cluster, tp TopicPartition, at int64, timeout time.Duration, of *Search) (*Message, error) {
	log, err := e.findLog(ctx, c, tp)
	if err != nil {
		return nil, err
	}
	h, err := e.oneHead(ctx, log, tp.Topic)
	if err != nil {
		return nil, err
	}
	offset, err := e.byTime(ctx, log, h, at, timeout, of)
	if err != nil {
		return nil, err
	}
	if h, err = e.oneHead(ctx, log, tp.Topic); err != nil {
		return nil, err
	}
	r, err := e.since(ctx, log, offset, h, at, of)
	if err != nil || r == nil {
		return nil, err
	}
	return &Message{tp.Topic, tp.Partition, *r}, nil
}
