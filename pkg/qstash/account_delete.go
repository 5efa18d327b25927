package qstash

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// deletionGrace is how long a deleted account is left alone, until no call is under way any
// more that has read its record before.
const deletionGrace = 5 * time.Minute

// DeleteAccount deletes an account and everything in it. Attempts under way go on; no other attempt
// begins. Other engines may serve the account for Config.RecordTTL longer. Sweep deletes its items
// later. Some are left to expire within days: deduplication ids, tickets, notifications that no run has
// waited for, and the steps of workflow runs whose messages are gone.
func (e *Engine) DeleteAccount(ctx context.Context, id string) error {
	return e.changeAccount(ctx, id, func(a *Account) { a.DeletedAt = e.now().UTC() })
}

// sweepDeleted clears away what an account had that was deleted. It reports whether there
// is nothing else to be done for the account.
func (e *Engine) sweepDeleted(ctx context.Context, id string) (bool, error) {
	attrs, err := e.store.Get(ctx, accountKey(id))
	if err != nil {
		return false, fmt.Errorf("reading account %s: %w", id, err)
	}
	if attrs == nil {
		return true, nil
	}
	a, err := parseAccount(id, attrs.Get(attrJSON).Str())
	if err != nil || a.DeletedAt.IsZero() {
		return false, err
	}
	if e.now().Sub(a.DeletedAt) < deletionGrace {
		return true, nil
	}
	if err := e.clear(ctx, id); err != nil {
		return true, fmt.Errorf("clearing account %s: %w", id, err)
	}
	return true, e.drop(ctx, accountKey(id))
}

// clear deletes the items of an account. An item that refers to others is deleted after them, so
// that the next sweep can continue one that was cut off.
func (e *Engine) clear(ctx context.Context, acct string) error {
	for shard := range byte(shards) {
		if err := e.clearEach(ctx, duePartition(acct, shard), func(it store.Item) error {
			_, kind, id, ok := parseDue(it.Key.Sort)
			switch {
			case ok && kind == dueWaiter:
				_, event, _ := strings.Cut(id, "/")
				return e.clearEach(ctx, eventPartition(acct, event), nil)
			case ok && kind == dueDeleted:
				name, generation, _ := strings.Cut(id, "\x00")
				return e.clearEach(ctx, entryPartition(acct, name, generation), nil)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := e.clearEach(ctx, messagePartition(acct, shard), func(it store.Item) error {
			m, err := parseMessage(acct, it.Key.Sort, it.Attrs)
			if err != nil {
				return err
			}
			if w := m.rec.Workflow; w != nil {
				if err := e.clearEach(ctx, runPartition(acct, w.RunID), nil); err != nil {
					return err
				}
			}
			if m.rec.Chunks == 0 {
				return nil
			}
			return e.clearEach(ctx, part("b", acct, m.id), nil)
		}); err != nil {
			return err
		}
	}
	for shard := range byte(shards) {
		if err := e.clearEach(ctx, anchorPartition(acct, shard), nil); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		partition string
		behind    func(store.Item) error // clears what the item leads to; nil: nothing
	}{
		{part("s", acct), func(it store.Item) error {
			s, err := parseSchedule(it.Key.Sort, it.Attrs)
			if err != nil {
				return err
			}
			e.cease(ctx, acct, s)
			return e.dropScheduleBody(ctx, acct, s)
		}},
		{part("q", acct), func(it store.Item) error {
			return e.clearEach(ctx, entryPartition(acct, it.Key.Sort, it.Attrs.Get(queueGeneration).Str()), nil)
		}},
		{part("f", acct), func(it store.Item) error {
			return e.clearEach(ctx, waitPartition(acct, it.Key.Sort), nil)
		}},
		{part("R", acct), func(it store.Item) error {
			return e.clearEach(ctx, runPartition(acct, it.Key.Sort[min(len(it.Key.Sort), 8):]), nil)
		}},
		{part("l", acct), nil},
		{part("g", acct), nil},
		{part("h", acct), nil},
		{part("k", acct), nil},
	} {
		if err := e.clearEach(ctx, p.partition, p.behind); err != nil {
			return err
		}
	}
	return nil
}

// clearEach deletes the items of a partition, page by page, each page after what its items lead to.
func (e *Engine) clearEach(ctx context.Context, partition string, behind func(store.Item) error) error {
	for q := (store.Query{Partition: partition}); ; {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return fmt.Errorf("querying %q: %w", partition, err)
		}
		keys := make([]store.Key, len(page.Items))
		for i, it := range page.Items {
			keys[i] = it.Key
			if behind != nil {
				if err := behind(it); err != nil {
					return err
				}
			}
		}
		if err := e.store.Load(ctx, nil, keys); err != nil {
			return fmt.Errorf("clearing %q: %w", partition, err)
		}
		if !page.More {
			return nil
		}
		q = q.Next(page)
	}
}
