// Package embedded implements the port pkg/kafka/ingest over pkg/store: a stream
// for one process, which is its only writer and reader at a time.
//
// # Layout
//
//	partition          sort key                 attributes
//	"stream " name     sequence(8) piece(2)     k key, d data, a arrival (Unix ms), n pieces (first only)
//
// Sequence numbers ascend; a missing one is a record that was never accepted. A
// record larger than an item is stored in pieces, all by one commit. Records are
// deleted once they have been handled, so the first one there is the next to deliver.
package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a record's items.
const (
	attrKey     = "k"
	attrData    = "d"
	attrArrived = "a"
	attrPieces  = "n"
)

const (
	pieceSize = 384 << 10 // bytes of data in one item
	pageItems = 256       // records delivered at once, at most
)

// DefaultRetryAfter is the pause before failed records are delivered again.
const DefaultRetryAfter = 200 * time.Millisecond

// Options say how to open a stream.
type Options struct {
	Store      store.Store
	Name       string           // of the stream in the store; "": "default"
	RetryAfter time.Duration    // 0: DefaultRetryAfter
	Now        func() time.Time // nil: time.Now
	Logger     *slog.Logger     // nil: slog.Default
}

// Stream is a stream in a store. See the package's documentation.
type Stream struct {
	store      store.Store
	partition  string
	retryAfter time.Duration
	now        func() time.Time
	log        *slog.Logger

	mu      sync.Mutex
	next    int64          // sequence number of the next record
	pending map[int64]bool // being written: nothing from the least of them on is visible
	arrived chan struct{}  // closed and renewed when more has become visible
}

var _ ingest.Stream = (*Stream)(nil)

// Open opens the stream, or begins it.
func Open(ctx context.Context, o Options) (*Stream, error) {
	s := &Stream{
		store: o.Store, partition: "stream " + o.Name, retryAfter: o.RetryAfter, now: o.Now, log: o.Logger,
		next: 1, pending: map[int64]bool{}, arrived: make(chan struct{}),
	}
	if o.Name == "" {
		s.partition += "default"
	}
	if s.retryAfter == 0 {
		s.retryAfter = DefaultRetryAfter
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	// What has been delivered is gone, and with it its numbers; they may come again.
	last, err := s.store.Query(ctx, store.Query{Partition: s.partition, Reverse: true, Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("opening the stream: %w", err)
	}
	if len(last.Items) > 0 {
		s.next = sequenceOf(last.Items[0].Key) + 1
	}
	// Sequence numbers of one run of the program stay unique in the next.
	s.next = max(s.next, s.now().UnixMicro())
	return s, nil
}

func sequenceOf(k store.Key) int64 { return int64(binary.BigEndian.Uint64([]byte(k.Sort[:8]))) }

func (s *Stream) key(sequence int64, piece int) store.Key {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 10), uint64(sequence))
	return store.Key{Partition: s.partition, Sort: string(binary.BigEndian.AppendUint16(b, uint16(piece)))}
}

// Put implements ingest.Stream.
func (s *Stream) Put(ctx context.Context, records []ingest.Record) []error {
	if len(records) == 0 {
		return nil
	}
	errs := make([]error, len(records))
	var writes sync.WaitGroup
	for i, r := range records[:len(records)-1] {
		writes.Go(func() { errs[i] = s.put(ctx, r) })
	}
	last := len(records) - 1
	errs[last] = s.put(ctx, records[last])
	writes.Wait()
	failed := false
	for i, err := range errs {
		if err != nil {
			failed = true
			errs[i] = fmt.Errorf("put of %d bytes: %w", len(records[i].Data), err)
		}
	}
	if !failed {
		return nil
	}
	return errs
}

func (s *Stream) put(ctx context.Context, r ingest.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	for {
		sequence := s.begin()
		err := s.write(ctx, sequence, r)
		s.end(sequence)
		var taken *store.ConditionError
		switch {
		case errors.As(err, &taken): // by another process
			continue
		case errors.Is(err, store.ErrThrottled):
			return fmt.Errorf("%w: %w", ingest.ErrThrottled, err)
		case errors.Is(err, store.ErrUnknownOutcome):
			return fmt.Errorf("%w: %w", ingest.ErrUnknownOutcome, err)
		}
		return err
	}
}

func (s *Stream) write(ctx context.Context, sequence int64, r ingest.Record) error {
	ops := make([]store.Op, 0, 1)
	for data := r.Data; len(ops) == 0 || len(data) > 0; {
		part := data[:min(pieceSize, len(data))]
		data = data[len(part):]
		attrs := []store.Attr{{Name: attrData, Value: store.Bytes(string(part))}}
		if len(ops) == 0 {
			pieces := 1 + (len(r.Data)-len(part)+pieceSize-1)/pieceSize
			attrs = append(attrs,
				store.Attr{Name: attrKey, Value: store.Bytes(r.Key)},
				store.Attr{Name: attrArrived, Value: store.Int(s.now().UnixMilli())},
				store.Attr{Name: attrPieces, Value: store.Int(int64(pieces))})
		}
		ops = append(ops, store.Put(s.key(sequence, len(ops)), store.NewAttrs(attrs...), store.Absent(attrData)))
	}
	return s.store.Commit(ctx, ops)
}

func (s *Stream) begin() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sequence := s.next
	s.next++
	s.pending[sequence] = true
	return sequence
}

// end makes a record visible, once all before it are, or have failed.
func (s *Stream) end(sequence int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, sequence)
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// visible is the sequence number that nothing may be read from on, and a channel
// that is closed when this may have changed.
func (s *Stream) visible() (end int64, change <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end = s.next
	for sequence := range s.pending {
		end = min(end, sequence)
	}
	return end, s.arrived
}

// read returns records from a sequence number on, before end, and their items' keys.
func (s *Stream) read(ctx context.Context, from, end int64) (records []ingest.Delivery, keys []store.Key, err error) {
	if from >= end {
		return nil, nil, nil
	}
	q := store.Query{Partition: s.partition, From: s.key(from, 0).Sort, To: s.key(end, 0).Sort}
	missing := 0 // pieces of the last record
	for {
		page, err := s.store.Query(ctx, q)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the stream: %w", err)
		}
		for _, it := range page.Items {
			data := it.Attrs.Get(attrData).Str()
			if missing > 0 {
				last := &records[len(records)-1]
				last.Data = append(last.Data, data...)
				missing--
			} else {
				if len(records) == pageItems {
					return records, keys, nil
				}
				records = append(records, ingest.Delivery{
					Record:   ingest.Record{Key: it.Attrs.Get(attrKey).Str(), Data: []byte(data)},
					Sequence: fmt.Sprintf("%020d", sequenceOf(it.Key)),
					Arrived:  time.UnixMilli(it.Attrs.Get(attrArrived).Num()),
				})
				missing = int(it.Attrs.Get(attrPieces).Num()) - 1
			}
			keys = append(keys, it.Key)
		}
		if !page.More || len(records) > 0 && missing == 0 {
			return records, keys, nil
		}
		q = q.Next(page)
	}
}

// Tail implements ingest.Stream.
func (s *Stream) Tail(ctx context.Context, _ string, since time.Time, handle func([]ingest.Delivery) error) error {
	end, _ := s.visible()
	for from := int64(0); ; {
		records, keys, err := s.read(ctx, from, end)
		if err != nil || len(records) == 0 {
			return err
		}
		from = sequenceOf(keys[len(keys)-1]) + 1
		fresh := records[:0]
		for _, r := range records {
			if !r.Arrived.Before(since) {
				fresh = append(fresh, r)
			}
		}
		if len(fresh) > 0 {
			if err := handle(fresh); err != nil {
				return err
			}
		}
	}
}

// Consume implements ingest.Stream.
func (s *Stream) Consume(ctx context.Context, handle func(context.Context, []ingest.Delivery) error) error {
	from := int64(0)
	for ctx.Err() == nil {
		end, change := s.visible()
		records, keys, err := s.read(ctx, from, end)
		if err == nil && len(records) > 0 {
			if err = handle(ctx, records); err == nil {
				err = s.store.Load(ctx, nil, keys)
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.Error("the stream's records are delivered again", "error", err)
			wait(ctx, s.retryAfter, nil)
		case len(records) == 0:
			wait(ctx, math.MaxInt64, change)
		default:
			from = sequenceOf(keys[len(keys)-1]) + 1
		}
	}
	return nil
}

// wait returns after a time, or when the context ends or the channel is closed.
func wait(ctx context.Context, d time.Duration, change <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-change:
	case <-timer.C:
	}
}
