package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
)

// NewBatch is a batch that a client has encoded. Append writes its base offset and leader epoch into Data.
type NewBatch struct {
	TopicPartition
	Data []byte // one batch of format v2
}

// Appended says where a batch is, or why it is not.
type Appended struct {
	Offset int64 // of its first message
	Start  int64 // of the log; -1: it is not known
	Err    error // of type *Error if the batch was refused
}

const unknownStart = -1

// maxAppended bounds the messages of a batch, and their headers: what a reader decodes takes memory
// for each, however small it is.
const maxAppended = 500_000

// maxRecord bounds the bytes of a message of a batch, which may be compressed: an answer over HTTP has room for one at least, and writes
// a byte as up to six.
const maxRecord = 16 << 20

// appending is a batch on its way into a log.
type appending struct {
	NewBatch
	info      batch.Info
	rest      []byte // behind the batch
	malformed error  // it is none
	topic     *Topic
	log       string

	producer *producer // nil: it is not of an idempotent one
	entry    sequence  // of the producer
	slot     int

	base, reserved int64 // reserved: Unix ms
	records        []ingest.Record
	start          int64
	done           bool // it is in the log already
	err            error
}

// Append accepts batches as clients have encoded them, at most one for each partition. A batch whose Err is nil
// is durable, at its offset. Batches of an idempotent producer are in the log once and in order, however
// often they are sent, see producers.
func (e *Engine) Append(ctx context.Context, c *Cluster, batches []NewBatch, timeout time.Duration) []Appended {
	if timeout <= 0 || timeout > e.produceDeadline {
		timeout = e.produceDeadline
	}
	began := e.now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all := make([]*appending, len(batches))
	for i, b := range batches {
		all[i] = &appending{NewBatch: b}
		all[i].info, all[i].rest, all[i].malformed = batch.Next(b.Data)
	}
	release := e.takeTurns(ctx, c, all)
	defer release()
	var calls sync.WaitGroup
	for _, a := range all {
		if a.err == nil {
			calls.Go(func() { a.err = e.reserveBatch(ctx, c, a) })
		}
	}
	calls.Wait()
	e.putBatches(ctx, all, began, timeout)
	out := make([]Appended, len(batches))
	for i, a := range all {
		out[i] = Appended{Offset: a.base, Start: a.start, Err: a.err}
	}
	return out
}

// check checks a batch, and finds its log.
func (e *Engine) check(ctx context.Context, c *Cluster, a *appending) (err error) {
	if a.topic, err = e.Topic(ctx, c, a.Topic); err != nil {
		return err
	}
	if a.Partition < 0 || a.Partition >= a.topic.Partitions {
		return refuse(NotFound, "no partition %d: topic %q has %d", a.Partition, a.Topic, a.topic.Partitions)
	}
	a.log = a.topic.log(a.Partition)
	return e.checkBatch(a)
}

// checkBatch checks that a batch is one that all readers can read. The error is an *Error.
func (e *Engine) checkBatch(a *appending) error {
	t, info := a.topic, &a.info
	switch {
	case errors.Is(a.malformed, batch.ErrUnsupported):
		return refuse(OldFormat, "%s", a.malformed)
	case a.malformed != nil:
		return refuse(Corrupt, "%s", a.malformed)
	case len(a.rest) > 0:
		return refuse(BadRecord, "%d bytes behind the batch", len(a.rest))
	case info.Base != 0:
		return refuse(Corrupt, "the batch's base offset is %d instead of 0", info.Base)
	case info.Count == 0 || int64(info.Count) != info.Next:
		return refuse(BadRecord, "%d records for %d offsets", info.Count, info.Next)
	case info.Count > maxAppended:
		return refuse(BadRecord, "%d records are more than %d", info.Count, maxAppended)
	case info.IsControl() || info.IsTransactional():
		return refuse(BadRecord, "a batch of a transaction")
	case info.HasAppendTime():
		return refuse(BadTimestamp, "timestamps are those of the producer")
	case info.Codec() > batch.Zstd:
		return refuse(Corrupt, "compression %d", info.Codec())
	case len(a.Data) > t.MaxMessageBytes+batchOverhead:
		return refuse(TooLarge, "batch of %d bytes: topic %q takes %d", len(a.Data), t.Name, t.MaxMessageBytes)
	}
	headers, latest := 0, int64(math.MinInt64)
	err := info.Each(func(r *batch.Record) error {
		headers, latest = headers+len(r.Headers), max(latest, r.Timestamp)
		switch {
		case t.Compact && r.Key == nil:
			return refuse(BadRecord, "topic %q is compacted: its messages need a key", t.Name)
		case headers > maxAppended:
			return refuse(BadRecord, "more than %d headers", maxAppended)
		case r.Size() > maxRecord:
			return refuse(TooLarge, "a message of %d bytes: at most %d, before compression", r.Size(), maxRecord)
		case e.maxWeight > 0 && e.weigh(r) > e.maxWeight:
			return refuse(TooLarge, "a message takes more than the %d bytes of an answer over HTTP", e.maxWeight)
		}
		return nil
	})
	if refused := (*Error)(nil); err != nil && !errors.As(err, &refused) {
		err = refuse(Corrupt, "%s", err)
	}
	if err == nil && info.MaxTimestamp != latest {
		// A search by time believes it. As a broker does, put it right.
		batch.SetMaxTimestamp(info.Bytes, latest)
		info.MaxTimestamp = latest
	}
	return err
}

// batchOverhead is what Kafka does not count of a batch: base offset and length.
const batchOverhead = 12

// reserveBatch takes the next offsets of the partition.
func (e *Engine) reserveBatch(ctx context.Context, c *Cluster, a *appending) error {
	if a.producer != nil {
		return e.reserveSequence(ctx, c, a)
	}
	if err := e.check(ctx, c, a); err != nil {
		return err
	}
	a.reserved = e.nowMs()
	old, err := e.reserveOffsets(ctx, a.topic, a.Partition, a.info.Count)
	if err == nil {
		a.base, a.start = old.Get(headNext).Num(), headOf(old).first().offset
	}
	return err
}

// putBatches puts what has offsets into the stream. began is when the call did.
func (e *Engine) putBatches(ctx context.Context, all []*appending, began time.Time, timeout time.Duration) {
	var records []ingest.Record
	var logs []string
	for _, a := range all {
		if a.err == nil && !a.done {
			a.seal()
			records, logs = append(records, a.records...), append(logs, a.log)
		}
	}
	if len(records) == 0 {
		return
	}
	errs := e.stream.Put(ctx, records)
	e.closeRefused(ctx, records, errs)
	fences := e.fences(ctx, began, logs)
	late := e.late(began, timeout)
	for _, a := range all {
		if a.err != nil || a.done {
			continue
		}
		fence := fences[0]
		fences = fences[1:]
		if len(errs) > 0 {
			for _, err := range errs[:len(a.records)] {
				if err != nil && a.err == nil {
					a.err = fmt.Errorf("appending to %s/%d: %w", a.Topic, a.Partition, err)
				}
			}
			errs = errs[len(a.records):]
		}
		if a.err == nil && late {
			a.err = fmt.Errorf("appending to %s/%d: %w: it took too long", a.Topic, a.Partition, ErrUnknownOutcome)
		}
		if a.err == nil && fence > a.base {
			a.err = fmt.Errorf("appending to %s/%d: %w", a.Topic, a.Partition, errFenced())
		}
		if a.producer != nil {
			a.producer.accepted = a.err == nil
		}
	}
}

// seal makes the records of the stream that carry the batch.
func (a *appending) seal() {
	batch.SetBase(a.Data, a.base)
	batch.SetEpoch(a.Data, batch.ByClient)
	a.records = cutBatch(a.log, a.Data, envelope{base: a.base, next: a.base + int64(a.info.Count), reserved: a.reserved, keep: a.topic.keepMs()})
}

// cutBatch makes the records of the stream that carry a batch, in parts if it is large.
func cutBatch(log string, data []byte, v envelope) (out []ingest.Record) {
	v.parts = (len(data) + itemData - 1) / itemData
	for v.part = range v.parts {
		v.data = data[v.part*itemData : min(len(data), (v.part+1)*itemData)]
		out = append(out, ingest.Record{Key: log, Data: v.encode()})
	}
	return out
}

// takeTurns makes each producer's batch wait until the one before it has its answer, and returns what
// ends that. Batches that do not get their turn in time have an error.
func (e *Engine) takeTurns(ctx context.Context, c *Cluster, all []*appending) (release func()) {
	// In one order everywhere, so that nobody waits in a circle.
	inOrder := slices.SortedFunc(slices.Values(all), func(a, b *appending) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	var held []*producer
	for _, a := range inOrder {
		if a.malformed != nil {
			continue
		}
		id, epoch, first := a.info.Producer()
		if id < 0 {
			continue
		}
		a.entry = sequence{first: first, count: int32(a.info.Count)}
		p := e.producers.get(producerOf{c.ID, a.TopicPartition, id})
		select {
		case p.turn <- struct{}{}:
			p.claim = epoch
			a.producer, held = p, append(held, p)
		case <-ctx.Done():
			a.err = fmt.Errorf("appending to %s/%d: %w: it took too long", a.Topic, a.Partition, ErrUnknownOutcome)
		}
	}
	return func() {
		for _, p := range held {
			<-p.turn
		}
	}
}

// settle waits until it is known what has become of offsets that were reserved, and reports whether data
// was written there. It puts the records once more, if there are any: the log takes one of the same.
func (e *Engine) settle(ctx context.Context, log string, base int64, again []ingest.Record) (written bool, err error) {
	until, cancel := e.timeout(ctx, e.produceDeadline)
	defer cancel()
	w := e.newWait(ctx, until, []string{log})
	defer w.stop()
	for {
		heads, err := e.heads(ctx, []string{log})
		if err != nil {
			return false, err
		}
		h := heads[0]
		switch {
		case h == nil:
			return false, refuse(NotFound, "the topic was deleted meanwhile")
		case h.mark > base:
			return e.hasData(ctx, log, h, base)
		case len(again) > 0:
			if errs := e.stream.Put(ctx, again); errs != nil {
				return false, errors.Join(errs...)
			}
			again = nil
		}
		if !w.more(heads, []cursor{{base, unknownSegment}}) {
			return false, fmt.Errorf("waiting for offset %d: %w", base, ErrUnknownOutcome)
		}
	}
}

// hasData reports whether an offset below the watermark is not of a void. What was removed since had data.
func (e *Engine) hasData(ctx context.Context, log string, h *head, offset int64) (bool, error) {
	if offset < h.first().offset {
		return true, nil
	}
	page, err := e.store.Query(ctx, store.Query{
		Partition: log, From: kindSegment, To: offsetKey(log, kindSegment, offset+1).Sort, Reverse: true, Limit: 1,
	})
	if err != nil {
		return false, fmt.Errorf("reading a log: %w", err)
	}
	if len(page.Items) == 0 {
		return true, nil
	}
	s := segmentOf(offsetOf(page.Items[0].Key), page.Items[0].Attrs)
	return s.next <= offset || !s.isVoid() || s.write != "", nil
}
