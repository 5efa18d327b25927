package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// abandonedAfter is how old a note about partitions may get before they are taken
// for those of a topic that never came about, in ms.
const abandonedAfter = 60 * 60 * 1000

// Reclaim does what has no need to be done at once: it deletes what deleted
// topics and clusters leave behind, messages that are beyond their topic's size or time, and
// idle groups, and compacts topics. It returns how many items it has deleted.
//
// It deletes nothing that is newer than what it judges by: a thing is read first, then that which
// says that the thing is of no use, and the deletion has a condition if the thing can come into use
// again. What fails in one log or cluster does not keep it from the others.
func (e *Engine) Reclaim(ctx context.Context) (deleted int, err error) {
	ids, err := e.Clusters(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		n, err := e.reclaimCluster(ctx, id)
		deleted += n
		if err != nil {
			errs = append(errs, fmt.Errorf("reclaiming in cluster %s: %w", id, err))
		}
	}
	return deleted, errors.Join(append(errs, ctx.Err())...)
}

func (e *Engine) reclaimCluster(ctx context.Context, id string) (deleted int, err error) {
	record, err := e.store.Get(ctx, clusterKey(id))
	if err != nil {
		return 0, err
	}
	if at := record.Get(clusterDeleted); !at.IsZero() {
		if at.Num() > e.nowMs()-deletionGrace {
			return 0, nil
		}
		return e.clearCluster(ctx, id)
	}
	var errs []error
	add := func(n int, err error) {
		deleted += n
		if err != nil {
			errs = append(errs, err)
		}
	}
	add(e.payDebts(ctx, id))
	topics, err := e.Topics(ctx, &Cluster{ID: id})
	if err != nil {
		return deleted, errors.Join(append(errs, err)...)
	}
	for _, t := range topics {
		add(e.reclaimTopic(ctx, t))
	}
	add(e.reclaimGroups(ctx, id))
	return deleted, errors.Join(errs...)
}

// reclaimTopic reclaims a topic's logs.
func (e *Engine) reclaimTopic(ctx context.Context, t *Topic) (deleted int, err error) {
	logs := make([]string, t.Partitions)
	for p := range logs {
		logs[p] = t.log(p)
	}
	heads, err := e.heads(ctx, logs)
	if err != nil {
		return 0, err
	}
	var errs []error
	for i, h := range heads {
		if h == nil || ctx.Err() != nil {
			continue
		}
		n, err := e.reclaimLog(ctx, t, logs[i], h)
		deleted += n
		if err != nil {
			errs = append(errs, fmt.Errorf("reclaiming %s/%d: %w", t.Name, i, err))
		}
	}
	return deleted, errors.Join(errs...)
}

// payDebts deletes what topics have left behind that were deleted, or that never came about.
func (e *Engine) payDebts(ctx context.Context, cluster string) (deleted int, err error) {
	debts, err := e.debts(ctx, cluster)
	if err != nil {
		return 0, err
	}
	for _, t := range debts {
		if t.CreatedAt.UnixMilli() > 0 {
			if t.CreatedAt.UnixMilli() > e.nowMs()-abandonedAfter {
				continue // perhaps being created
			}
			// From here on the topic cannot be created any more: that needs the time in the note.
			_, err := e.store.Apply(ctx, store.Update(debtKey(cluster, t.id), store.Exists(topicCreated), store.Remove(topicCreated)))
			if _, ok := unmet(err); ok {
				continue // it has just been created
			}
			if err != nil {
				return deleted, fmt.Errorf("giving up a topic: %w", err)
			}
		}
		n, err := e.deleteLogs(ctx, t)
		deleted += n
		if err != nil {
			return deleted, err
		}
		if err := e.store.Load(ctx, nil, []store.Key{debtKey(cluster, t.id)}); err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// debts lists the topics whose logs have to be deleted, and those that may be in the course of
// being created. The latter have the time of their creation.
func (e *Engine) debts(ctx context.Context, cluster string) ([]*Topic, error) {
	items, err := e.queryAll(ctx, store.Query{Partition: clusterPartition(cluster), From: "r", To: "s"})
	if err != nil {
		return nil, err
	}
	topics := make([]*Topic, len(items))
	for i, it := range items {
		id, err := strconv.ParseInt(it.Key.Sort[1:], 10, 64)
		if err != nil {
			return nil, err
		}
		topics[i] = &Topic{
			cluster: cluster, id: id, CreatedAt: time.UnixMilli(it.Attrs.Get(topicCreated).Num()),
			TopicOptions: TopicOptions{Partitions: int(it.Attrs.Get(topicPartitions).Num())},
		}
	}
	return topics, nil
}

// payDebt deletes what a topic has left behind whose creation failed.
func (e *Engine) payDebt(ctx context.Context, cluster string, topic int64) error {
	debt, err := e.store.Get(ctx, debtKey(cluster, topic))
	if err != nil || debt == nil {
		return err
	}
	t := &Topic{cluster: cluster, id: topic, TopicOptions: TopicOptions{Partitions: int(debt.Get(topicPartitions).Num())}}
	if _, err := e.deleteLogs(ctx, t); err != nil {
		return err
	}
	return e.store.Load(ctx, nil, []store.Key{debtKey(cluster, topic)})
}

// deleteLogs deletes all that a topic's partitions hold, first what makes them take messages.
func (e *Engine) deleteLogs(ctx context.Context, t *Topic) (deleted int, err error) {
	news, _ := newsOf(t.log(0))
	heads := []store.Key{news}
	for p := range t.Partitions {
		heads = append(heads, headKey(t.log(p)))
	}
	if err := e.store.Load(ctx, nil, heads); err != nil {
		return 0, err
	}
	for p := range t.Partitions {
		for _, remove := range []func() (int, error){
			func() (int, error) { return e.deleteRange(ctx, store.Query{Partition: t.log(p)}) },
			func() (int, error) { return e.deleteAllObjects(ctx, t.log(p)) },
		} {
			n, err := remove()
			deleted += n
			if err != nil {
				return deleted, err
			}
		}
	}
	return deleted, nil
}

// deleteRange deletes the items that a query finds.
func (e *Engine) deleteRange(ctx context.Context, q store.Query) (deleted int, err error) {
	for {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return deleted, err
		}
		keys := make([]store.Key, len(page.Items))
		for i, it := range page.Items {
			keys[i] = it.Key
		}
		if err := e.store.Load(ctx, nil, keys); err != nil {
			return deleted, err
		}
		if deleted += len(keys); !page.More {
			return deleted, nil
		}
		q = q.Next(page)
	}
}
