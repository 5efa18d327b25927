package dynamo_test

import (
	"context"

	"github.com/skystash/skystash/pkg/store"
)

// metered makes calls under one context.
type metered struct {
	store store.Store
	ctx   context.Context
}

func (m *metered) get(k store.Key) error {
	_, err := m.store.Get(m.ctx, k)
	return err
}

func (m *metered) many(snapshot bool, keys ...store.Key) error {
	_, err := m.store.GetMany(m.ctx, keys, snapshot)
	return err
}

func (m *metered) query(q store.Query) error {
	q.Partition = "partition"
	_, err := m.store.Query(m.ctx, q)
	return err
}

func (m *metered) apply(op store.Op) error {
	_, err := m.store.Apply(m.ctx, op)
	return err
}

func (m *metered) commit(ops ...store.Op) error { return m.store.Commit(m.ctx, ops) }
