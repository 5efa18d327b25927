package kafka

import (
	"context"
	"fmt"

	"github.com/skystash/skystash/pkg/store"
)

// deletionGrace is how long a deleted cluster is left alone, in ms: until no call is under
// way any more that has read its record before.
const deletionGrace = 5 * 60 * 1000

// RenameCluster gives a cluster another name for people.
func (e *Engine) RenameCluster(ctx context.Context, id, name string) error {
	return e.updateCluster(ctx, id, store.And{}, store.Set(clusterName, store.Bytes(name)))
}

// DeleteCluster deletes a cluster with its topics, messages and groups; Reclaim clears them
// away. Engines that know it go on for at most Config.RecordTTL. The error is of kind
// NotFound if there is none.
func (e *Engine) DeleteCluster(ctx context.Context, id string) error {
	if !validID(id) {
		return refuse(NotFound, "no cluster %q", id)
	}
	return e.updateCluster(ctx, id, store.And{},
		store.Remove(clusterCreated), store.Set(clusterDeleted, store.Int(e.nowMs())))
}

// clearCluster deletes all that a deleted cluster has left, what others are found by last.
func (e *Engine) clearCluster(ctx context.Context, id string) (deleted int, err error) {
	topics, err := e.Topics(ctx, &Cluster{ID: id})
	if err != nil {
		return 0, err
	}
	debts, err := e.debts(ctx, id)
	if err != nil {
		return 0, err
	}
	for _, t := range append(topics, debts...) {
		n, err := e.deleteLogs(ctx, t)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	names, err := e.groupNames(ctx, id)
	if err != nil {
		return deleted, err
	}
	for _, name := range names {
		n, err := e.deleteRange(ctx, store.Query{Partition: groupPartition(id, name)})
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("deleting groups: %w", err)
		}
	}
	// The record is among the first of its partition, and says what the rest is; it stays until
	// the rest has gone.
	n, err := e.deleteRange(ctx, store.Query{Partition: clusterPartition(id), From: clusterKey(id).Sort + "\x00"})
	deleted += n
	if err != nil {
		return deleted, err
	}
	err = e.store.Load(ctx, nil, []store.Key{clusterKey(id), {Partition: clusterIndex, Sort: id}})
	if err != nil {
		return deleted, fmt.Errorf("deleting the record: %w", err)
	}
	e.forget(clusterKey(id))
	return deleted + 2, nil
}
