package qstash

import (
	"context"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// A task is something that a run waits for and that is no entry of the run yet: a step that sleeps,
// a request to a third party, an event, another run. It is an item of the run's partition, written
// before what it names, and is the only way from a run to that. Steps that run at once need none,
// since their entries name their messages.
//
// The item stays when the task is over. The supervisor takes it away when it looks at the run.
type task struct {
	kind byte
	name string
	made time.Time
}

// Kinds of tasks, and what their names are.
const (
	taskMessage = 'm' // a message's id; after it comes the message that attrTold of that one names
	taskWaiter  = 'v' // a waiter, see waiterHint
	taskChild   = 'c' // the id of a run that this one has invoked
)

// taskSort begins the sort keys of tasks, behind those of entries.
const taskSort = "t"

// attrMade is the time of a task, in ms.
const attrMade = "t"

func taskKey(acct, runID string, kind byte, name string) store.Key {
	return store.Key{Partition: runPartition(acct, runID), Sort: taskSort + string(kind) + name}
}

// taskOp notes a task until a time; the run's items are kept as long, see keepRun.
func (e *Engine) taskOp(acct, runID string, kind byte, name string) store.Op {
	now := e.now()
	return store.Put(taskKey(acct, runID, kind, name), store.NewAttrs(
		store.Attr{Name: attrMade, Value: store.Int(now.UnixMilli())},
		store.Attr{Name: store.TTLAttr, Value: store.Int(now.Add(e.runTTL()).Unix())}), nil)
}

func (e *Engine) noteTask(ctx context.Context, acct, runID string, kind byte, name string) error {
	if _, err := e.store.Apply(ctx, e.taskOp(acct, runID, kind, name)); err != nil {
		return fmt.Errorf("noting what workflow run %s waits for: %w", runID, err)
	}
	return nil
}

func parseTask(it store.Item) (t task, ok bool) {
	sort := it.Key.Sort
	if len(sort) < 2 || sort[:1] != taskSort {
		return task{}, false
	}
	return task{sort[1], sort[2:], time.UnixMilli(it.Attrs.Get(attrMade).Num())}, true
}

// tasks calls f with the tasks of a run.
func (e *Engine) tasks(ctx context.Context, acct, runID string, f func(key store.Key, t task) (bool, error)) error {
	q := store.Query{Partition: runPartition(acct, runID), From: taskSort, To: store.PrefixEnd(taskSort)}
	return e.each(ctx, q, func(it store.Item) (bool, error) {
		if t, ok := parseTask(it); ok {
			return f(it.Key, t)
		}
		return true, nil
	})
}
