package qstash

import (
	"context"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/qstash/wake"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a queue's item.
const (
	queueParallelism = "w"
	queuePaused      = "z" // 1: paused
	queueGeneration  = "g" // names the entries of this queue, not those of an earlier one of its name
	queueNext        = "n" // next place
	queueCreated     = "c" // ms
	queueUpdated     = "u" // ms
)

// Queue is the state of a queue.
type Queue struct {
	Name        string `json:"name"`
	CreatedAt   int64  `json:"createdAt"` // ms
	UpdatedAt   int64  `json:"updatedAt"` // ms
	Parallelism int64  `json:"parallelism"`
	Paused      bool   `json:"paused"`
	Lag         int64  `json:"lag"` // messages that have not finished
}

// MaxParallelism bounds the parallelism of a queue: so many entries are looked at for
// each message that finishes.
const MaxParallelism = 1000

// openQueue is a queue as messages need it.
type openedQueue struct {
	acct, name  string
	generation  string
	parallelism int
	paused      bool
	next        int64
}

// openQueue reads a queue, or creates it.
func (e *Engine) openQueue(ctx context.Context, acct, name string) (*openedQueue, error) {
	q, err := e.readQueue(ctx, acct, name)
	if err != nil || q != nil {
		return q, err
	}
	if err := e.UpsertQueue(ctx, acct, name, nil, nil); err != nil {
		return nil, err
	}
	q, err = e.readQueue(ctx, acct, name)
	if err == nil && q == nil {
		err = fmt.Errorf("queue %s was deleted while it was created", name)
	}
	return q, err
}

// readQueue reads a queue, nil if there is none.
func (e *Engine) readQueue(ctx context.Context, acct, name string) (*openedQueue, error) {
	attrs, err := e.store.Get(ctx, queueKey(acct, name))
	if err != nil {
		return nil, fmt.Errorf("read queue %s: %w", name, err)
	}
	if attrs == nil {
		return nil, nil
	}
	return &openedQueue{
		acct: acct, name: name,
		generation:  attrs.Get(queueGeneration).Str(),
		parallelism: int(attrs.Get(queueParallelism).Num()),
		paused:      attrs.Get(queuePaused).Num() != 0,
		next:        attrs.Get(queueNext).Num(),
	}, nil
}

// takePlace gives a message the next place.
func (q *openedQueue) takePlace(id string) []store.Op {
	return []store.Op{
		store.Update(queueKey(q.acct, q.name), store.And{
			store.Eq(queueGeneration, store.Bytes(q.generation)), store.Eq(queueNext, store.Int(q.next)),
		}, store.Set(queueNext, store.Int(q.next+1))),
		store.Put(entryKey(q.acct, q.name, q.generation, q.next), store.NewAttrs(
			store.Attr{Name: attrMessage, Value: store.Bytes(id)},
			store.Attr{Name: queueNext, Value: store.Int(q.next)}), nil),
	}
}

// hasTurn reports whether a message is among the first of its queue, as many as the
// queue lets run, and the queue is not paused.
func (e *Engine) hasTurn(ctx context.Context, m *message) (bool, error) {
	q, err := e.readQueue(ctx, m.acct, m.rec.Queue)
	if err != nil || q == nil || q.paused || q.generation != m.rec.QueueGen {
		return false, err
	}
	turn := false
	err = e.heads(ctx, q, func(_ store.Key, id string) error {
		turn = turn || id == m.id
		return nil
	})
	return turn, err
}

// heads calls f with the messages that may run.
func (e *Engine) heads(ctx context.Context, q *openedQueue, f func(entry store.Key, id string) error) error {
	n := 0
	return e.each(ctx, store.Query{Partition: entryPartition(q.acct, q.name, q.generation), Limit: q.parallelism}, func(it store.Item) (bool, error) {
		n++
		return n < q.parallelism, f(it.Key, it.Attrs.Get(attrMessage).Str())
	})
}

// pumpQueue wakes the messages whose turn it is, and clears away the entries of those
// that have finished.
func (e *Engine) pumpQueue(ctx context.Context, acct, name string) error {
	q, err := e.readQueue(ctx, acct, name)
	if err != nil || q == nil {
		return err
	}
	var ids []string
	var entries []store.Key
	err = e.heads(ctx, q, func(entry store.Key, id string) error {
		ids, entries = append(ids, id), append(entries, entry)
		return nil
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	keys := make([]store.Key, len(ids))
	for i, id := range ids {
		keys[i] = messageKey(acct, id)
	}
	items, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return fmt.Errorf("read the messages of queue %s: %w", name, err)
	}
	now := e.now()
	var hints []wake.Hint
	left := 0
	for i, it := range items {
		m := &message{state: stateDelivered}
		if it != nil {
			if m, err = parseMessage(acct, ids[i], it); err != nil {
				return err
			}
		}
		switch {
		case m.state.finished() && it.Get(attrCallbacks).Num() <= 0:
			if _, err := e.store.Apply(ctx, store.Delete(entries[i], nil)); err != nil {
				return fmt.Errorf("clear queue %s: %w", name, err)
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

// UpsertQueue creates or changes a queue; nil leaves a setting as it is.
func (e *Engine) UpsertQueue(ctx context.Context, acct, name string, parallelism *int, paused *bool) error {
	if err := checkName("queue", name); err != nil {
		return err
	}
	if parallelism != nil && *parallelism < 1 {
		return invalid("parallelism must be at least 1")
	}
	if parallelism != nil && *parallelism > MaxParallelism {
		return quota("parallelism exceeded the limit: maximum %d", MaxParallelism)
	}
	now := store.Int(e.now().UnixMilli())
	edits := []store.Edit{store.Set(queueUpdated, now)}
	if parallelism != nil {
		edits = append(edits, store.Set(queueParallelism, store.Int(int64(*parallelism))))
	}
	if paused != nil {
		edits = append(edits, store.Set(queuePaused, store.Int(boolInt(*paused))))
	}
	_, err := e.store.Apply(ctx, store.Update(queueKey(acct, name), store.Exists(queueGeneration), edits...))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return e.createQueue(ctx, acct, name, parallelism, paused)
	}
	if err != nil {
		return fmt.Errorf("change queue %s: %w", name, err)
	}
	e.wake(ctx, hint(e.now(), dueQueue, acct, name))
	return nil
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (e *Engine) createQueue(ctx context.Context, acct, name string, parallelism *int, paused *bool) error {
	n, err := e.count(ctx, part("q", acct))
	if err != nil {
		return err
	}
	if n >= e.limits.Queues {
		return quota("maximum number of queues exceeded: limit %d", e.limits.Queues)
	}
	now := store.Int(e.now().UnixMilli())
	p, z := int64(1), int64(0)
	if parallelism != nil {
		p = int64(*parallelism)
	}
	if paused != nil {
		z = boolInt(*paused)
	}
	_, err = e.store.Apply(ctx, store.Put(queueKey(acct, name), store.NewAttrs(
		store.Attr{Name: queueParallelism, Value: store.Int(p)},
		store.Attr{Name: queuePaused, Value: store.Int(z)},
		store.Attr{Name: queueGeneration, Value: store.Bytes(e.newID(""))},
		store.Attr{Name: queueNext, Value: store.Int(0)},
		store.Attr{Name: queueCreated, Value: now},
		store.Attr{Name: queueUpdated, Value: now},
	), store.Absent(queueGeneration)))
	if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
		return e.UpsertQueue(ctx, acct, name, parallelism, paused)
	}
	if err != nil {
		return fmt.Errorf("create queue %s: %w", name, err)
	}
	return nil
}

// count is the number of items of a partition.
func (e *Engine) count(ctx context.Context, partition string) (int, error) {
	n := 0
	for q := (store.Query{Partition: partition, CountOnly: true}); ; {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return 0, fmt.Errorf("count %q: %w", partition, err)
		}
		if n += page.Count; !page.More {
			return n, nil
		}
		q = q.Next(page)
	}
}

// Queue reads a queue's state.
func (e *Engine) Queue(ctx context.Context, acct, name string) (Queue, error) {
	if err := checkName("queue", name); err != nil {
		return Queue{}, err
	}
	attrs, err := e.store.Get(ctx, queueKey(acct, name))
	if err != nil {
		return Queue{}, fmt.Errorf("read queue %s: %w", name, err)
	}
	if attrs == nil {
		return Queue{}, notFound("queue %s not found", name)
	}
	return e.queueView(ctx, acct, name, attrs)
}

func (e *Engine) queueView(ctx context.Context, acct, name string, attrs store.Attrs) (Queue, error) {
	lag, err := e.count(ctx, entryPartition(acct, name, attrs.Get(queueGeneration).Str()))
	return Queue{
		Name:        name,
		CreatedAt:   attrs.Get(queueCreated).Num(),
		UpdatedAt:   attrs.Get(queueUpdated).Num(),
		Parallelism: attrs.Get(queueParallelism).Num(),
		Paused:      attrs.Get(queuePaused).Num() != 0,
		Lag:         int64(lag),
	}, err
}

// Queues lists the queues.
func (e *Engine) Queues(ctx context.Context, acct string) ([]Queue, error) {
	list := []Queue{}
	err := e.each(ctx, store.Query{Partition: part("q", acct)}, func(it store.Item) (bool, error) {
		q, err := e.queueView(ctx, acct, it.Key.Sort, it.Attrs)
		list = append(list, q)
		return true, err
	})
	return list, err
}

// DeleteQueue deletes a queue, if there is one, and cancels the messages that wait in
// it. Those under way go on.
func (e *Engine) DeleteQueue(ctx context.Context, acct, name string) error {
	if err := checkName("queue", name); err != nil {
		return err
	}
	old, err := e.store.Apply(ctx, store.Delete(queueKey(acct, name), nil))
	if err != nil {
		return fmt.Errorf("delete queue %s: %w", name, err)
	}
	if old == nil {
		return nil
	}
	return e.dropEntries(ctx, acct, name, old.Get(queueGeneration).Str())
}

// dropEntries cancels the messages of a queue that has been deleted.
func (e *Engine) dropEntries(ctx context.Context, acct, name, generation string) error {
	return e.each(ctx, store.Query{Partition: entryPartition(acct, name, generation)}, func(it store.Item) (bool, error) {
		if _, err := e.cancel(ctx, acct, it.Attrs.Get(attrMessage).Str()); err != nil {
			return false, err
		}
		if _, err := e.store.Apply(ctx, store.Delete(it.Key, nil)); err != nil {
			return false, fmt.Errorf("clear queue %s: %w", name, err)
		}
		return true, nil
	})
}
