package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// What is known of an idempotent producer in one log: a producer whose batches have numbers, so that
// one that is sent again is not appended again.
//
// A log's head has this for the producers that were active last: when a batch's offsets are reserved, the
// same write notes its number, so there is one write as for other batches, and no two gateways
// disagree. A producer that makes room for another has its own item.
//
// Reserved is not written. A gateway reserves for a batch only if it knows that the batch before it is in
// the stream, or in the log: it has put it there itself, or it waits until the log shows it. So the last
// batch alone may be missing. A producer that sends it again is answered when it is in the log; if
// its offsets are void by then, it gets new ones.

const (
	// hotProducers is how many producers a head has: it is to stay below one KiB, a write unit.
	hotProducers = 5

	// entryPause bounds the pause of a producer that has lost against one of another gateway: time for those of about ten
	// gateways to write. Longer pauses would save little, and a hundred producers would be refused that begin at once.
	entryPause = 450 * time.Millisecond
	// rememberedBatches is how many batches are known with their offsets, as in Kafka: clients have at
	// most five under way.
	rememberedBatches = 5
	// producerLife is how long a producer that makes no use of it is remembered.
	producerLife = 24 * time.Hour
)

// sequence is a batch of a producer.
type sequence struct {
	first, count int32 // sequence number of its first message; messages, 0: there is no such batch
	reserved     int64 // when its offsets were, Unix ms
	base         int64
}

// after is the sequence number that follows.
func (s sequence) after() int32 { return int32((int64(s.first) + int64(s.count)) % (1 << 31)) }

// sequences are the last batches of a producer in a log.
type sequences struct {
	epoch   int16
	last    int // slot of the last batch
	batches [rememberedBatches]sequence
}

func (s *sequences) newest() sequence { return s.batches[s.last] }

// value is what an attribute has of it. The bases of the batches have attributes of their own, since a
// write that reserves offsets does not know them.
func (s *sequences) value() store.Value {
	ns := []int64{int64(s.epoch), int64(s.last)}
	for _, b := range s.batches {
		ns = append(ns, int64(b.first), int64(b.count), b.reserved)
	}
	return varints(ns...)
}

// sequencesOf decodes what a head, or an item of its own, has of a producer; nil: nothing.
func sequencesOf(as store.Attrs, name string) *sequences {
	n, ok := readVarints(as.Get(name).Str(), 2+3*rememberedBatches)
	if !ok || n[1] < 0 || n[1] >= rememberedBatches {
		return nil
	}
	s := &sequences{epoch: int16(n[0]), last: int(n[1])}
	for i := range s.batches {
		s.batches[i] = sequence{int32(n[2+3*i]), int32(n[3+3*i]), n[4+3*i], as.Get(baseAttr(name, i)).Num()}
	}
	return s
}

// headEvicted counts the producers that had to make room: nobody takes one from its item who has read the
// item before it was written anew.
const headEvicted = "pe"

const producerPrefix = "p."

func producerAttr(id int64) string { return producerPrefix + strconv.FormatInt(id, 36) }

func baseAttr(name string, slot int) string { return name + ":" + strconv.Itoa(slot) }

func producerKey(log string, id int64) store.Key {
	return store.Key{Partition: log, Sort: "p" + strconv.FormatInt(id, 36)}
}

// judgement is what is to be done with a batch.
type judgement uint8

const (
	appendIt judgement = iota
	isRepeated
)

// judge says what a batch is, given the ones before it. The error is an *Error. s is nil for a producer that
// is not known; fresh says that the log has never had a batch.
func (s *sequences) judge(epoch int16, b sequence, fresh bool) (j judgement, slot int, err error) {
	switch {
	case s == nil && fresh && b.first != 0:
		return 0, 0, refuse(OutOfSequence, "the first batch of a log has sequence number %d", b.first)
	case s == nil:
		return appendIt, 0, nil
	case epoch < s.epoch:
		return 0, 0, refuse(Fenced, "epoch %d: there is a producer with epoch %d", epoch, s.epoch)
	case epoch > s.epoch && b.first != 0:
		return 0, 0, refuse(OutOfSequence, "a new epoch begins with sequence number %d", b.first)
	case epoch > s.epoch:
		return appendIt, 0, nil
	}
	for i, known := range s.batches {
		if known.count == b.count && known.first == b.first {
			return isRepeated, i, nil
		}
	}
	next := s.newest().after()
	if b.first == next {
		return appendIt, (s.last + 1) % rememberedBatches, nil
	}
	// Sequence numbers wrap around: what is less than half of them behind is old.
	if behind := (int64(next) - int64(b.first) + 1<<31) % (1 << 31); behind < 1<<30 {
		return 0, 0, refuse(DuplicateSequence, "sequence number %d was appended before", b.first)
	}
	return 0, 0, refuse(OutOfSequence, "sequence number %d: %d is next", b.first, next)
}

// add returns what is known once a batch is appended.
func (s *sequences) add(epoch int16, b sequence, slot int) *sequences {
	next := sequences{epoch: epoch}
	if s != nil && s.epoch == epoch {
		next = *s
	}
	next.last, next.batches[slot] = slot, b
	return &next
}

// producer is what this process knows of a producer in a log. Whoever has its turn may look at it.
type producer struct {
	id   int64
	log  string        // the topic may have been made anew
	turn chan struct{} // of capacity 1

	claim    int16      // epoch of the batch whose turn it is
	known    *sequences // as the store had it last
	note     store.Value
	evicted  int64 // headEvicted, if the producer is not in the head
	inHead   bool
	loaded   bool
	fresh    bool // the log had nothing when the producer was loaded
	accepted bool // the last batch is in the stream, for certain

	// missing is the sequence number of a batch that has failed before anything was known of the producer, plus
	// one; 0: none has. Without it, a batch that was sent behind that one would be taken for the first.
	missing      int64
	missingEpoch int16
}

// producers are those that this process knows.
type producers struct {
	mu sync.Mutex
	m  map[producerOf]*producer
}

type producerOf struct {
	cluster string
	TopicPartition
	id int64
}

func (p *producers) get(key producerOf) *producer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.m[key]; one != nil {
		return one
	}
	if p.m == nil || len(p.m) >= maxRecords {
		p.m = map[producerOf]*producer{} // whoever has a turn goes on: the store decides
	}
	one := &producer{id: key.id, turn: make(chan struct{}, 1)}
	p.m[key] = one
	return one
}

// take takes in what a head says of the producer. It reports false if the head says nothing.
func (p *producer) take(as store.Attrs) bool {
	name := producerAttr(p.id)
	p.fresh, p.evicted = as.Get(headNext).Num() == 0, as.Get(headEvicted).Num()
	p.note = as.Get(name)
	if p.inHead = !p.note.IsZero(); p.inHead {
		p.learn(sequencesOf(as, name))
	}
	return p.inHead
}

// learn takes in what the store has of the producer.
func (p *producer) learn(s *sequences) {
	same := p.loaded && p.known != nil && s != nil && *p.known == *s
	p.known, p.loaded, p.accepted = s, true, p.accepted && same
}

// load reads what the store has of a producer.
func (e *Engine) load(ctx context.Context, a *appending, as store.Attrs) error {
	if as == nil {
		var err error
		if as, err = e.store.Get(ctx, headKey(a.log)); err != nil {
			return fmt.Errorf("reading the state of a partition: %w", err)
		}
		if as == nil {
			return e.topicGone(a.topic)
		}
	}
	p := a.producer
	if p.take(as) {
		return nil
	}
	own, err := e.store.Get(ctx, producerKey(a.log, p.id))
	if err != nil {
		return fmt.Errorf("reading the state of a producer: %w", err)
	}
	p.learn(sequencesOf(own, producerAttr(p.id)))
	return nil
}

// reserveSequence is reserveBatch for an idempotent producer. It finds out whether the batch was appended
// before.
func (e *Engine) reserveSequence(ctx context.Context, c *Cluster, a *appending) error {
	p := a.producer
	first := int64(a.entry.first) + 1
	err := e.check(ctx, c, a)
	if p.missing != 0 && p.missing != first && p.missingEpoch == p.claim && p.known == nil && err == nil && !e.isNext(ctx, a) {
		return e.outOfTurn(a)
	}
	p.missing = 0
	if p.log != a.log && err == nil {
		*p = producer{id: p.id, log: a.log, turn: p.turn, claim: p.claim}
	}
	if err == nil {
		err = e.takeSequence(ctx, a)
	}
	if err != nil && p.known == nil {
		p.missing, p.missingEpoch = first, p.claim
	}
	return err
}

// isNext reports whether a batch that seems to lack its predecessor follows, or repeats, what the store has of the
// producer: then its client has sent the predecessor to another gateway.
func (e *Engine) isNext(ctx context.Context, a *appending) bool {
	p := a.producer
	next := e.load(ctx, a, nil) == nil && p.known != nil && p.known.epoch == p.claim
	if next {
		_, _, err := p.known.judge(p.claim, a.entry, false)
		next = err == nil
	}
	if !next {
		p.known, p.loaded = nil, false // the missing batch is to find out anew
	}
	return next
}

// outOfTurn is the error of a batch whose predecessor has failed: the client has to send both again.
func (e *Engine) outOfTurn(a *appending) error {
	return fmt.Errorf("appending to %s/%d: the batch before it is missing: %w", a.Topic, a.Partition, ErrUnknownOutcome)
}

func (e *Engine) takeSequence(ctx context.Context, a *appending) error {
	p := a.producer
	var head store.Attrs
	stale := p.loaded && p.inHead // what is known may be old
	// Producers that come into a full head write the same attributes, so those of one process queue up. What is left are a few
	// other gateways: whoever has lost against one pauses, but no longer each time, as those of this process wait behind it.
	retry := e.retry
	retry.Ticket = func(context.Context) (time.Duration, error) { return rand.N(entryPause), nil }
	attempts := retry.Begin()
	var unlock func()
	leave := func() {
		if unlock != nil {
			unlock()
			unlock = nil
		}
	}
	defer leave()
	for {
		if !stale {
			if unlock == nil {
				var err error
				if unlock, err = e.locks.Lock(ctx, "producers", a.log); err != nil {
					return fmt.Errorf("appending to %s/%d: %w", a.Topic, a.Partition, err)
				}
			}
			if err := e.load(ctx, a, head); err != nil {
				return err
			}
		}
		j, slot, err := p.known.judge(p.claim, a.entry, p.fresh)
		switch {
		case err != nil && stale:
			stale = false
			continue
		case err != nil:
			return err
		case j == isRepeated:
			leave() // it may take long
			done, err := e.repeated(ctx, a, slot)
			if err != nil || done {
				return err
			}
		case p.known != nil && !p.accepted && p.known.newest().count > 0:
			leave()
			written, err := e.settle(ctx, a.log, p.known.newest().base, nil)
			if err != nil {
				return err
			}
			if !written && p.claim == p.known.epoch {
				return e.outOfTurn(a)
			}
		}
		a.slot, stale = slot, false
		head, err = e.noteSequence(ctx, a)
		if err != nil || head == nil {
			return err
		}
		// Another gateway has appended for this producer, or another producer has taken the room in the head.
		if gaveUp := attempts.Wait(ctx, store.ErrConflict); gaveUp != nil {
			return fmt.Errorf("appending to %s/%d: %w", a.Topic, a.Partition, gaveUp)
		}
	}
}

// repeated finds out what has become of a batch that was sent before. If it is in the log, done is
// true; if it is not and never will be, false: it needs other offsets.
func (e *Engine) repeated(ctx context.Context, a *appending, slot int) (done bool, err error) {
	p := a.producer
	known := p.known.batches[slot]
	a.base, a.reserved, a.start = known.base, known.reserved, unknownStart
	if slot != p.known.last || p.accepted {
		a.done = true
		return true, nil
	}
	a.seal()
	written, err := e.settle(ctx, a.log, known.base, a.records)
	if err != nil {
		return false, err
	}
	a.done, p.accepted = written, written
	return written, nil
}

// noteSequence reserves offsets and notes the batch with them. If somebody else has written meanwhile
// it returns the head as it is now.
func (e *Engine) noteSequence(ctx context.Context, a *appending) (changed store.Attrs, err error) {
	p, name := a.producer, producerAttr(a.producer.id)
	a.reserved = e.nowMs()
	a.entry.reserved = a.reserved
	next := p.known.add(p.claim, a.entry, a.slot)
	cond := store.And{store.Exists(headNext), store.Same(name, p.note)}
	edits := []store.Edit{
		store.Add(headNext, headNext, int64(a.entry.count)), store.Set(headReserved, store.Int(a.reserved)),
		store.Set(name, next.value()), store.Add(baseAttr(name, a.slot), headNext, 0),
	}
	if !p.inHead {
		more, err := e.makeRoom(ctx, a, &cond)
		if err != nil {
			return nil, err
		}
		edits = append(edits, more...)
		for i, b := range next.batches {
			if i != a.slot && b.count > 0 {
				edits = append(edits, store.Set(baseAttr(name, i), store.Int(b.base)))
			}
		}
	}
	old, err := e.applyKnown(ctx, store.Update(headKey(a.log), cond, edits...))
	base := old.Get(headNext).Num()
	if ce, ok := unmet(err); ok {
		switch {
		case ce.Old == nil:
			return nil, e.topicGone(a.topic)
		case ce.Old.Get(name).Str() != next.value().Str():
			return ce.Old, nil
		}
		old, base = ce.Old, ce.Old.Get(baseAttr(name, a.slot)).Num() // its answer was lost
	} else if err != nil {
		p.loaded = false
		return nil, fmt.Errorf("reserving offsets of %s/%d: %w", a.Topic, a.Partition, err)
	}
	next.batches[a.slot].base = base
	p.known, p.note, p.inHead, p.loaded, p.accepted = next, next.value(), true, true, false
	a.base, a.start = base, headOf(old).first().offset
	return nil, nil
}

// applyKnown carries out an operation with a condition that it meets only once, until its outcome is known.
func (e *Engine) applyKnown(ctx context.Context, op store.Op) (old store.Attrs, err error) {
	for range maxLost {
		if old, err = e.store.Apply(ctx, op); !errors.Is(err, store.ErrUnknownOutcome) {
			break
		}
	}
	return old, err
}

// makeRoom is what a write that brings a producer into the head has to do besides: the producer that was
// active before all others goes into its own item, if there are too many.
func (e *Engine) makeRoom(ctx context.Context, a *appending, cond *store.And) (edits []store.Edit, err error) {
	*cond = append(*cond, store.Same(headEvicted, numOrNone(a.producer.evicted)))
	head, err := e.store.Get(ctx, headKey(a.log))
	if err != nil {
		return nil, fmt.Errorf("reading the state of a partition: %w", err)
	}
	var oldest *sequences
	var victim string
	count := 0
	for _, at := range head {
		if !strings.HasPrefix(at.Name, producerPrefix) || strings.Contains(at.Name, ":") {
			continue
		}
		count++
		if s := sequencesOf(head, at.Name); s != nil && (oldest == nil || s.newest().reserved < oldest.newest().reserved) {
			oldest, victim = s, at.Name
		}
	}
	if count < hotProducers || oldest == nil {
		return nil, nil
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(victim, producerPrefix), 36, 64)
	if err != nil {
		return nil, fmt.Errorf("reading the state of a partition: producer %q: %w", victim, err)
	}
	// A write that comes late must not undo a newer one. Between two states of a producer its log has grown.
	at := head.Get(headNext)
	attrs := []store.Attr{
		{Name: victim, Value: head.Get(victim)},
		{Name: headNext, Value: at},
		{Name: store.TTLAttr, Value: store.Int(e.now().Add(producerLife).Unix())},
	}
	edits = []store.Edit{store.Remove(victim), store.Add(headEvicted, headEvicted, 1)}
	for i := range oldest.batches {
		if name := baseAttr(victim, i); head.Has(name) {
			attrs = append(attrs, store.Attr{Name: name, Value: head.Get(name)})
			edits = append(edits, store.Remove(name))
		}
	}
	newer := store.Or{store.Absent(headNext), store.Lt(headNext, at)}
	_, err = e.applyKnown(ctx, store.Put(producerKey(a.log, id), store.NewAttrs(attrs...), newer))
	if _, ok := unmet(err); err != nil && !ok {
		return nil, fmt.Errorf("writing the state of a producer: %w", err)
	}
	*cond = append(*cond, store.Same(victim, head.Get(victim)))
	return edits, nil
}

// numOrNone is a counter as an attribute has it that is absent for 0.
func numOrNone(n int64) store.Value {
	if n == 0 {
		return store.Value{}
	}
	return store.Int(n)
}

// producerBlock is how many producer ids an engine takes from its cluster at once.
const producerBlock = 1000

// producerIDs are those that an engine has taken and not given out.
type producerIDs struct {
	mu sync.Mutex
	m  map[string]idBlock // by cluster
}

type idBlock struct{ next, end int64 }

// NewProducerID returns an id that the cluster has given to no other producer.
func (e *Engine) NewProducerID(ctx context.Context, c *Cluster) (int64, error) {
	if id, ok := e.producerIDs.take(c.ID); ok {
		return id, nil
	}
	old, err := e.store.Apply(ctx, store.Update(clusterKey(c.ID), store.Exists(clusterCreated),
		store.Add(clusterProducers, clusterProducers, producerBlock)))
	if _, ok := unmet(err); ok {
		return 0, refuse(NotFound, "no cluster %q", c.ID)
	}
	if err != nil {
		return 0, fmt.Errorf("taking producer ids of cluster %s: %w", c.ID, err)
	}
	first := old.Get(clusterProducers).Num()
	e.producerIDs.put(c.ID, idBlock{first + 1, first + producerBlock})
	return first, nil
}

func (p *producerIDs) take(cluster string) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.m[cluster]
	if b.next >= b.end {
		return 0, false
	}
	p.m[cluster] = idBlock{b.next + 1, b.end}
	return b.next, true
}

// put keeps a block. One that another call has put there is lost, which does no harm.
func (p *producerIDs) put(cluster string, b idBlock) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil || len(p.m) >= maxRecords {
		p.m = map[string]idBlock{}
	}
	p.m[cluster] = b
}
