package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/kafka/batch"
	"github.com/skystash/skystash/pkg/kafka/ingest"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/turns"
)

// AnyPartition leaves the choice to the partitioner: by the key if there is one,
// else all such messages of one call and topic go to the same.
const AnyPartition = -1

// NewMessage is a message to produce.
type NewMessage struct {
	Topic     string
	Partition int   // or AnyPartition
	Timestamp int64 // Unix ms; negative: now
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   []batch.Header
}

// Produced says where a message is, or why it is not.
type Produced struct {
	Topic     string
	Partition int
	Offset    int64
	Timestamp int64 // Unix ms
	Err       error
}

// group are the messages of one call for one partition.
type group struct {
	topic     *Topic
	partition int
	log       string
	messages  []int // indices
	records   []batch.Record
	batches   [][]byte
	sent      []int // indices of its records in the stream
	err       error
}

// Produce accepts messages: when it returns, they are durable, in the order given
// for each partition. A refusal (Error) comes before anything is written and
// names the message. Otherwise each result has an error or not, whose text is not
// for clients.
func (e *Engine) Produce(ctx context.Context, c *Cluster, messages []NewMessage) ([]Produced, error) {
	results, groups, err := e.plan(ctx, c, messages)
	if err != nil || len(groups) == 0 {
		return results, err
	}
	// The deadline counts from before the first reservation: whoever sees offsets
	// reserved at a time knows when nothing can come for them any more.
	began := e.now()
	ctx, cancel := context.WithTimeout(ctx, e.produceDeadline)
	defer cancel()
	each(groups, func(g *group) { g.err = e.reserve(ctx, g) })

	var records []ingest.Record
	for _, g := range groups {
		if g.err == nil {
			for _, r := range e.envelopes(g) {
				g.sent = append(g.sent, len(records))
				records = append(records, r)
			}
		}
	}
	var errs []error
	if len(records) > 0 {
		errs = e.stream.Put(ctx, records)
	}
	e.closeRefused(ctx, records, errs)
	logs := make([]string, len(groups))
	for i, g := range groups {
		logs[i] = g.log
	}
	fences := e.fences(ctx, began, logs)
	late := e.late(began, e.produceDeadline)
	for n, g := range groups {
		for _, i := range g.sent {
			if errs != nil && errs[i] != nil && g.err == nil {
				g.err = fmt.Errorf("producing to %s/%d: %w", g.topic.Name, g.partition, errs[i])
			}
		}
		if g.err == nil && late {
			g.err = fmt.Errorf("producing to %s/%d: %w: it took too long", g.topic.Name, g.partition, ErrUnknownOutcome)
		}
		if g.err == nil && fences[n] > g.records[0].Offset {
			g.err = fmt.Errorf("producing to %s/%d: %w", g.topic.Name, g.partition, errFenced())
		}
		for n, i := range g.messages {
			results[i].Offset, results[i].Err = g.records[n].Offset, g.err
		}
	}
	return results, nil
}

// each calls f for all groups, at once if there are several.
func each(groups []*group, f func(*group)) {
	var calls sync.WaitGroup
	for _, g := range groups[1:] {
		calls.Go(func() { f(g) })
	}
	f(groups[0])
	calls.Wait()
}

// plan checks all messages, chooses their partitions and encodes them.
func (e *Engine) plan(ctx context.Context, c *Cluster, messages []NewMessage) ([]Produced, []*group, error) {
	topics := map[string]*Topic{}
	sticky := map[string]int{}
	groups := map[string]*group{}
	var order []*group
	results := make([]Produced, len(messages))
	now := e.nowMs()
	for i := range messages {
		m := &messages[i]
		t := topics[m.Topic]
		if t == nil {
			var err error
			if t, err = e.Topic(ctx, c, m.Topic); err != nil {
				return nil, nil, inMessage(len(messages), i, err)
			}
			topics[m.Topic], sticky[m.Topic] = t, rand.IntN(t.Partitions)
		}
		p := m.Partition
		switch {
		case p == AnyPartition && m.Key != nil:
			p = partitionOf(m.Key, t.Partitions)
		case p == AnyPartition:
			p = sticky[m.Topic]
		case p < 0 || p >= t.Partitions:
			return nil, nil, inMessage(len(messages), i, refuse(Invalid, "no partition %d: topic %q has %d", p, t.Name, t.Partitions))
		}
		r := batch.Record{Timestamp: m.Timestamp, Key: m.Key, Value: m.Value, Headers: m.Headers}
		if r.Timestamp < 0 {
			r.Timestamp = now
		}
		if n := r.Size(); n > t.MaxMessageBytes {
			return nil, nil, inMessage(len(messages), i, refuse(TooLarge, "message of %d bytes with its overhead: topic %q takes %d", n, t.Name, t.MaxMessageBytes))
		}
		if w := e.weigh(&r); e.maxWeight > 0 && w > e.maxWeight {
			return nil, nil, inMessage(len(messages), i, refuse(TooLarge, "message takes %d bytes of an answer, which has %d: some of its characters take several there", w, e.maxWeight))
		}
		if t.Compact && m.Key == nil {
			return nil, nil, inMessage(len(messages), i, refuse(Invalid, "topic %q is compacted: its messages need a key", t.Name))
		}
		log := t.log(p)
		g := groups[log]
		if g == nil {
			g = &group{topic: t, partition: p, log: log}
			groups[log] = g
			order = append(order, g)
		}
		r.Offset = int64(len(g.records))
		g.messages, g.records = append(g.messages, i), append(g.records, r)
		results[i] = Produced{Topic: t.Name, Partition: p, Timestamp: r.Timestamp}
	}
	defer turns.Of(ctx).Release()
	for _, g := range order {
		if err := g.encode(ctx); err != nil {
			return nil, nil, err
		}
	}
	return results, order, nil
}

// inMessage says which of several messages a refusal is about.
func inMessage(n, i int, err error) error {
	var refused *Error
	if n == 1 || !errors.As(err, &refused) {
		return err
	}
	return refuse(refused.Kind, "messages[%d]: %s", i, refused.Text)
}

// encodeWorkPerByte is what encoding and compressing a byte takes, in units of work.
const encodeWorkPerByte = 12

// encode makes batches, as few as there can be without one being larger than it must.
func (g *group) encode(ctx context.Context) error {
	for from := 0; from < len(g.records); {
		to, size := from, 0
		for to < len(g.records) && (to == from || size+g.records[to].Size() <= itemData) {
			size += g.records[to].Size() - batch.HeaderSize
			to++
		}
		if err := turns.Of(ctx).Spend(ctx, int64(size)*encodeWorkPerByte); err != nil {
			return err
		}
		b, err := batch.Encode(g.records[from:to], int64(from), int64(to))
		if err != nil {
			return err
		}
		g.batches = append(g.batches, b)
		from = to
	}
	return nil
}

// reserve takes the next offsets of the partition, and moves the group to them.
func (e *Engine) reserve(ctx context.Context, g *group) error {
	old, err := e.reserveOffsets(ctx, g.topic, g.partition, len(g.records))
	if err != nil {
		return err
	}
	base := old.Get(headNext).Num()
	for i := range g.records {
		g.records[i].Offset += base
	}
	return nil
}

// reserveOffsets takes the next offsets of a partition, and returns its head as it was. If it is unknown
// whether that has happened, it takes others: a gap is closed in time.
func (e *Engine) reserveOffsets(ctx context.Context, t *Topic, partition, count int) (old store.Attrs, err error) {
	op := store.Update(headKey(t.log(partition)), store.Exists(headNext),
		store.Add(headNext, headNext, int64(count)), store.Set(headReserved, store.Int(e.nowMs())))
	for range 3 {
		if old, err = e.store.Apply(ctx, op); !errors.Is(err, store.ErrUnknownOutcome) {
			break
		}
	}
	if _, ok := unmet(err); ok {
		return nil, e.topicGone(t)
	}
	if err != nil {
		return nil, fmt.Errorf("reserving offsets of %s/%d: %w", t.Name, partition, err)
	}
	return old, nil
}

// topicGone is the refusal of what is for a topic that was deleted.
func (e *Engine) topicGone(t *Topic) error {
	e.forget(topicKey(t.cluster, t.Name))
	return refuse(NotFound, "no topic %q", t.Name)
}

// envelopes are the records of the stream that carry the group, large batches in parts.
func (e *Engine) envelopes(g *group) (out []ingest.Record) {
	reserved, base := e.nowMs(), g.records[0].Offset
	for _, b := range g.batches {
		info, _, err := batch.Next(b)
		if err != nil {
			panic(err) // it was encoded a moment ago
		}
		first := base + info.Base
		batch.SetBase(b, first)
		out = append(out, cutBatch(g.log, b, envelope{
			base: first, next: first + info.Next - info.Base, reserved: reserved, keep: g.topic.keepMs(),
		})...)
	}
	return out
}

// tick puts a marker record into the stream. When the materializer reads it, every reservation made
// before the marker has had its turn: what is still missing will never come. The head's time was
// read before the reservation was sent, and sending it may have taken as long as a producer has.
// The marker's time allows for that.
func (e *Engine) tick(ctx context.Context, log string, h *head) error {
	return e.tickAt(ctx, log, envelope{base: h.next, next: h.next, reserved: e.tickTime(h)})
}

// tickAt puts a marker record into the stream.
func (e *Engine) tickAt(ctx context.Context, log string, v envelope) error {
	for _, err := range e.stream.Put(ctx, []ingest.Record{{Key: log, Data: v.encode()}}) {
		return err
	}
	return nil
}

// tickTime is the time that a tick has, Unix ms.
func (e *Engine) tickTime(h *head) int64 { return h.reserved + e.produceDeadline.Milliseconds() }

// reservationLife is how long after a reservation its batch may still come. After that, the offsets
// stay unused.
func (e *Engine) reservationLife() time.Duration { return e.produceDeadline + e.clockMargin }

// reservationsEnd is the time from which a tick ends all reservations of the head: those without a
// batch are closed as a gap.
func (e *Engine) reservationsEnd(h *head) time.Time {
	return time.UnixMilli(h.reserved).Add(e.produceDeadline + e.reservationLife())
}
