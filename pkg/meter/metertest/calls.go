package metertest

import (
	"context"
	"fmt"
	"sync"

	"github.com/skystash/skystash/pkg/store"
)

// Calls is a store that notes the calls made to it. It is safe for concurrent use.
type Calls struct {
	store.Store

	mu   sync.Mutex
	made []string
}

// Take returns the calls made since it was called last, in their order.
func (c *Calls) Take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.made
	c.made = nil
	return made
}

func (c *Calls) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, fmt.Sprintf(format, args...))
}

// Get implements store.Store, as the following methods do.
func (c *Calls) Get(ctx context.Context, key store.Key) (store.Attrs, error) {
	c.note("Get %q", key)
	return c.Store.Get(ctx, key)
}

func (c *Calls) GetMany(ctx context.Context, keys []store.Key, snapshot bool) ([]store.Attrs, error) {
	c.note("GetMany %q %v", keys, snapshot)
	return c.Store.GetMany(ctx, keys, snapshot)
}

func (c *Calls) Query(ctx context.Context, q store.Query) (store.Page, error) {
	c.note("Query %q from %q to %q", q.Partition, q.From, q.To)
	return c.Store.Query(ctx, q)
}

func (c *Calls) Apply(ctx context.Context, op store.Op) (store.Attrs, error) {
	c.note("Apply %d %q", op.Kind, op.Key)
	return c.Store.Apply(ctx, op)
}

func (c *Calls) Commit(ctx context.Context, ops []store.Op) error {
	keys := make([]store.Key, len(ops))
	for i, op := range ops {
		keys[i] = op.Key
	}
	c.note("Commit %q", keys)
	return c.Store.Commit(ctx, ops)
}

func (c *Calls) Load(ctx context.Context, puts []store.Item, deletes []store.Key) error {
	c.note("Load %d %d", len(puts), len(deletes))
	return c.Store.Load(ctx, puts, deletes)
}
