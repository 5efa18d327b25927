package qstash

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// This file gives messages their places in a queue, and their turns. See "Queues" in the
// package's documentation for why at most as many run as the queue allows.

const (
	// placeLife is how long a publisher may use the place that it was given.
	placeLife = time.Minute

	// voidLife is how long a void entry is kept. It is far longer than a write can be on its way.
	voidLife = time.Hour

	// entryPage is how many entries are read at least: they cost one read unit, as a single one does.
	entryPage = 32

	// voidMessage is the message of a void entry: there is none with that id.
	voidMessage = "-"
)

// openedQueue is a queue as messages need it.
type openedQueue struct {
	acct, name  string
	generation  string
	parallelism int
	paused      bool
	floor       int64 // all places below are decided
}

// readQueue reads a queue, nil if there is none.
func (e *Engine) readQueue(ctx context.Context, acct, name string) (*openedQueue, error) {
	attrs, err := e.store.Get(ctx, queueKey(acct, name))
	if err != nil {
		return nil, fmt.Errorf("reading queue %s: %w", name, err)
	}
	if attrs == nil {
		return nil, nil
	}
	q := &openedQueue{
		acct: acct, name: name,
		generation:  attrs.Get(queueGeneration).Str(),
		parallelism: int(attrs.Get(queueParallelism).Num()),
		paused:      attrs.Get(queuePaused).Num() != 0,
		floor:       attrs.Get(queueFloor).Num(),
	}
	if !attrs.Has(queueFloor) { // places were given together with their entries
		q.floor = attrs.Get(queueNext).Num()
	}
	return q, nil
}

// takePlace gives a message the next place of its queue, which is created if need be, and
// returns the write of its entry, to be made in one commit with the message. Its condition
// is not met if the place has become void meanwhile.
func (e *Engine) takePlace(ctx context.Context, acct, name, id string) (generation string, place int64, entry store.Op, err error) {
	began := e.now()
	old, err := e.addPlace(ctx, acct, name)
	if err != nil {
		return "", 0, entry, err
	}
	if waited := e.now().Sub(began); waited > placeLife {
		return "", 0, entry, fmt.Errorf("a place in queue %s came after %v: %w", name, waited, store.ErrConflict)
	}
	generation, place = old.Get(queueGeneration).Str(), old.Get(queueNext).Num()
	return generation, place, store.Put(entryKey(acct, name, generation, place), store.NewAttrs(
		store.Attr{Name: attrMessage, Value: store.Bytes(id)},
		store.Attr{Name: queueNext, Value: store.Int(place)}), store.Absent(attrMessage)), nil
}

// addPlace counts a place, and returns the queue as it was before.
func (e *Engine) addPlace(ctx context.Context, acct, name string) (store.Attrs, error) {
	key, next := queueKey(acct, name), store.Add(queueNext, queueNext, 1)
	take := store.Update(key, store.And{store.Exists(queueGeneration), store.Exists(queueFloor)}, next)
	old, err := e.store.Apply(ctx, take)
	if ce, unmet := unmetCondition(err); unmet {
		if ce.Old.Has(queueGeneration) {
			// It was created before there were floors: all places given so far are decided.
			take = store.Update(key, store.And{store.Exists(queueGeneration), store.Absent(queueFloor)},
				store.Add(queueFloor, queueNext, 0), next)
		} else if err := e.createQueue(ctx, acct, name, nil, nil); err != nil && !store.Contended(err) {
			return nil, err
		}
		old, err = e.store.Apply(ctx, take)
	}
	if err != nil {
		return nil, fmt.Errorf("taking a place in queue %s: %w", name, err)
	}
	return old, nil
}

// queueEntry is an entry as it was read.
type queueEntry struct {
	key   store.Key
	place int64
	id    string // of the message
	void  bool
	until time.Time // of a void one: when it may go
}

// entries reads a queue's first entries: enough to name at least the given number of messages, if
// there are so many. Void entries between them are included and not counted.
func (e *Engine) entries(ctx context.Context, q *openedQueue, messages int) ([]queueEntry, error) {
	var list []queueEntry
	query := store.Query{Partition: entryPartition(q.acct, q.name, q.generation), Limit: max(messages, entryPage)}
	for {
		page, err := e.store.Query(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("reading queue %s: %w", q.name, err)
		}
		for _, it := range page.Items {
			entry := queueEntry{key: it.Key, id: it.Attrs.Get(attrMessage).Str(), void: it.Attrs.Has(entryVoid)}
			entry.place = int64(binary.BigEndian.Uint64([]byte(it.Key.Sort)))
			if entry.void {
				entry.until = time.Unix(it.Attrs.Get(store.TTLAttr).Num(), 0)
			} else {
				messages--
			}
			list = append(list, entry)
		}
		if messages <= 0 || !page.More {
			return list, nil
		}
		query = query.Next(page)
	}
}

// hasTurn reports whether a message may run: it is among the first of its queue, as many as
// the queue lets run, and no message can come before it any more.
func (e *Engine) hasTurn(ctx context.Context, m *message) (turn bool, err error) {
	err = e.contend(ctx, func(ctx context.Context) error {
		q, err := e.readQueue(ctx, m.acct, m.rec.Queue)
		if err != nil {
			return err
		}
		if q == nil || q.generation != m.rec.QueueGen {
			_, err := e.cancel(ctx, m.acct, m.id, cancelRetries) // it was stored while its queue was deleted
			return err
		}
		if q.paused {
			return nil
		}
		entries, err := e.entries(ctx, q, q.parallelism)
		if err != nil || !among(entries, m.id, q.parallelism) {
			return err
		}
		err = e.closeBehind(ctx, q, entries, m.rec.QueuePlace)
		turn = err == nil
		return err
	}, "looking for the turn of message %s", m.id)
	return turn, err
}

// among reports whether a message is one of the first n.
func among(entries []queueEntry, id string, n int) bool {
	for _, entry := range entries {
		switch {
		case entry.void:
			continue
		case entry.id == id:
			return true
		}
		if n--; n == 0 {
			return false
		}
	}
	return false
}

// closeBehind decides all places before the given one: every place that no message has taken
// becomes void. If a message takes one of them meanwhile, the error is one of contention.
func (e *Engine) closeBehind(ctx context.Context, q *openedQueue, entries []queueEntry, place int64) error {
	if q.floor > place {
		return nil
	}
	taken := make(map[int64]bool, len(entries))
	for _, entry := range entries {
		taken[entry.place] = true
	}
	expires := store.Int(e.now().Add(voidLife).Unix())
	var voids []store.Op
	floor := q.floor
	for ; floor < place || taken[floor]; floor++ {
		if taken[floor] {
			continue
		}
		voids = append(voids, store.Put(entryKey(q.acct, q.name, q.generation, floor), store.NewAttrs(
			store.Attr{Name: attrMessage, Value: store.Bytes(voidMessage)},
			store.Attr{Name: entryVoid, Value: store.Int(1)},
			store.Attr{Name: store.TTLAttr, Value: expires}), store.Absent(attrMessage)))
		if len(voids) == store.MaxCommitOps {
			if err := e.store.Commit(ctx, voids); err != nil {
				return err
			}
			voids = voids[:0]
		}
	}
	if len(voids) > 0 {
		if err := e.store.Commit(ctx, voids); err != nil {
			return err
		}
	}
	// While this message has its entry, its own place needs no void one. So this is written before it runs.
	_, err := e.store.Apply(ctx, store.Update(queueKey(q.acct, q.name), store.And{
		store.Eq(queueGeneration, store.Bytes(q.generation)), store.Lt(queueFloor, store.Int(floor)),
	}, store.Set(queueFloor, store.Int(floor))))
	if _, unmet := unmetCondition(err); unmet {
		return nil // somebody else knows of more
	}
	return err
}

// pumpQueue wakes the messages whose turn it is. It deletes the entries of finished messages.
func (e *Engine) pumpQueue(ctx context.Context, acct, name string) error {
	q, err := e.readQueue(ctx, acct, name)
	if err != nil || q == nil {
		return err
	}
	entries, err := e.entries(ctx, q, q.parallelism)
	if err != nil {
		return err
	}
	now := e.now()
	var first []queueEntry
	var keys []store.Key
	for _, entry := range entries {
		switch {
		case entry.void && now.After(entry.until):
			if err := e.leavePlace(ctx, q, entry); err != nil {
				return err
			}
		case !entry.void && len(first) < q.parallelism:
			first, keys = append(first, entry), append(keys, messageKey(acct, entry.id))
		}
	}
	if len(first) == 0 {
		return nil
	}
	items, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return fmt.Errorf("reading the messages of queue %s: %w", name, err)
	}
	var hints []wake.Hint
	left := 0
	for i, it := range items {
		m := &message{state: stateDelivered}
		if it != nil {
			if m, err = parseMessage(acct, first[i].id, it); err != nil {
				return err
			}
		}
		switch {
		case m.state.finished() && it.Get(attrCallbacks).Num() <= 0:
			if err := e.leavePlace(ctx, q, first[i]); err != nil {
				return err
			}
			left++
		case m.state == stateWaiting && !q.paused, m.state == stateActive && e.lapsed(m, now):
			hints = append(hints, m.hint(m.at))
		}
	}
	if left > 0 {
		hints = append(hints, hint(now, dueQueue, acct, name)) // others have their turn now
	}
	e.wake(ctx, hints...)
	return nil
}

// leavePlace removes an entry that is of no use any more.
func (e *Engine) leavePlace(ctx context.Context, q *openedQueue, entry queueEntry) error {
	if _, err := e.store.Apply(ctx, store.Delete(entry.key, nil)); err != nil {
		return fmt.Errorf("clearing queue %s: %w", q.name, err)
	}
	return nil
}
