package qstash

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a queue's item.
const (
	queueParallelism = "w"
	queuePaused      = "z" // 1: paused
	queueGeneration  = "g" // names the entries of this queue, not those of an earlier one of its name
	queueNext        = "n" // next place; of an entry, its place
	queueFloor       = "f" // see queue_turn.go; none: as next
	queueCreated     = "c" // ms
	queueUpdated     = "u" // ms
	entryVoid        = "v" // of an entry: it has no message, and never will
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
	return e.contend(ctx, func(ctx context.Context) error {
		_, err := e.store.Apply(ctx, store.Update(queueKey(acct, name), store.Exists(queueGeneration), edits...))
		if ce := (*store.ConditionError)(nil); errors.As(err, &ce) {
			return e.createQueue(ctx, acct, name, parallelism, paused)
		}
		if err == nil {
			e.wake(ctx, hint(e.now(), dueQueue, acct, name))
		}
		return err
	}, "changing queue %s", name)
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// createQueue creates a queue. The error is a *store.ConditionError if there is one.
func (e *Engine) createQueue(ctx context.Context, acct, name string, parallelism *int, paused *bool) error {
	n, err := e.count(ctx, part("q", acct), nil)
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
		store.Attr{Name: queueFloor, Value: store.Int(0)},
		store.Attr{Name: queueCreated, Value: now},
		store.Attr{Name: queueUpdated, Value: now},
	), store.Absent(queueGeneration)))
	if err != nil {
		return fmt.Errorf("creating queue %s: %w", name, err)
	}
	return nil
}

// count is the number of items of a partition that meet a condition.
func (e *Engine) count(ctx context.Context, partition string, which store.Cond) (int, error) {
	n := 0
	for q := (store.Query{Partition: partition, CountOnly: true, Filter: which}); ; {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return 0, fmt.Errorf("counting %q: %w", partition, err)
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
		return Queue{}, fmt.Errorf("reading queue %s: %w", name, err)
	}
	if attrs == nil {
		return Queue{}, notFound("queue %s not found", name)
	}
	return e.queueView(ctx, acct, name, attrs)
}

func (e *Engine) queueView(ctx context.Context, acct, name string, attrs store.Attrs) (Queue, error) {
	lag, err := e.count(ctx, entryPartition(acct, name, attrs.Get(queueGeneration).Str()), store.Absent(entryVoid))
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
	generation := ""
	err := e.contend(ctx, func(ctx context.Context) error {
		q, err := e.readQueue(ctx, acct, name)
		if err != nil || q == nil {
			return err
		}
		// A publisher may have a place already, whose message comes after the entries are dropped.
		late := dueKey(acct, shardOf(name), dueSort(e.now().Add(deletionGrace), dueDeleted, part(name, q.generation)))
		if _, err := e.store.Apply(ctx, store.Put(late, store.Attrs{}, nil)); err != nil {
			return err
		}
		_, err = e.store.Apply(ctx, store.Delete(queueKey(acct, name), store.Eq(queueGeneration, store.Bytes(q.generation))))
		if err == nil {
			generation = q.generation
		}
		return err
	}, "deleting queue %s", name)
	if err != nil || generation == "" {
		return err
	}
	return e.dropEntries(ctx, acct, name, generation)
}

// dropLate drops what has come to a queue after it was deleted. id is a due entry's.
func (e *Engine) dropLate(ctx context.Context, acct, id string) error {
	name, generation, _ := strings.Cut(id, "\x00")
	q, err := e.readQueue(ctx, acct, name)
	if err != nil || q != nil && q.generation == generation { // whoever was to delete it has not
		return err
	}
	return e.dropEntries(ctx, acct, name, generation)
}

// dropEntries cancels the messages of a queue that has been deleted.
func (e *Engine) dropEntries(ctx context.Context, acct, name, generation string) error {
	return e.each(ctx, store.Query{Partition: entryPartition(acct, name, generation)}, func(it store.Item) (bool, error) {
		if _, err := e.cancel(ctx, acct, it.Attrs.Get(attrMessage).Str(), cancelRetries); err != nil {
			return false, err
		}
		if _, err := e.store.Apply(ctx, store.Delete(it.Key, nil)); err != nil {
			return false, fmt.Errorf("clearing queue %s: %w", name, err)
		}
		return true, nil
	})
}
