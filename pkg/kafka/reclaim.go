package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// abandonedAfter is how old a note about partitions may get before they are taken
// for those of a topic that never came about, in ms.
const abandonedAfter = 60 * 60 * 1000

// Reclaim does what has no need to be done at once: it deletes what deleted
// topics and clusters leave behind, messages that are beyond their topic's size or time, and
// idle groups, and compacts topics. It returns how many items it has deleted.
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
	debts, err := e.debts(ctx, id)
	if err != nil {
		return 0, err
	}
	for _, t := range debts {
		if t.CreatedAt.UnixMilli() > e.nowMs()-abandonedAfter {
			continue // perhaps being created
		}
		n, err := e.deleteLogs(ctx, t)
		deleted += n
		if err != nil {
			return deleted, err
		}
		if err := e.store.Load(ctx, nil, []store.Key{debtKey(id, t.id)}); err != nil {
			return deleted, err
		}
	}
	topics, err := e.Topics(ctx, &Cluster{ID: id})
	if err != nil {
		return deleted, err
	}
	for _, t := range topics {
		for p := range t.Partitions {
			n, err := e.reclaimLog(ctx, t, t.log(p))
			deleted += n
			if err != nil {
				return deleted, err
			}
		}
	}
	n, err := e.reclaimGroups(ctx, id, topics)
	return deleted + n, err
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
	var heads []store.Key
	for p := range t.Partitions {
		heads = append(heads, headKey(t.log(p)))
	}
	if err := e.store.Load(ctx, nil, heads); err != nil {
		return 0, err
	}
	for p := range t.Partitions {
		n, err := e.deleteRange(ctx, store.Query{Partition: t.log(p)})
		deleted += n
		if err != nil {
			return deleted, err
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

// reclaimLog moves the log's start past what has expired or is beyond the
// partition's size, deletes what is below it, and compacts the rest if the topic
// wants it.
func (e *Engine) reclaimLog(ctx context.Context, t *Topic, log string) (deleted int, err error) {
	heads, err := e.heads(ctx, []string{log})
	if err != nil || heads[0] == nil {
		return 0, err
	}
	h := heads[0]
	if t.Compact {
		return 0, e.compact(ctx, log, h)
	}
	start, now := h.start, e.nowMs()
	q := store.Query{Partition: log, From: offsetKey(log, kindSegment, h.start).Sort, To: store.PrefixEnd(kindSegment), Limit: 64}
	for more := true; more; {
		page, err := e.store.Query(ctx, q)
		if err != nil {
			return 0, err
		}
		more = page.More
		for _, it := range page.Items {
			s := segmentOf(offsetOf(it.Key), it.Attrs)
			expired := s.expires > 0 && s.expires <= now
			beyond := t.RetentionBytes > 0 && h.bytes-s.bytes >= t.RetentionBytes
			void := len(s.data) == 0 && s.pieces == 0
			if s.next > h.mark || !expired && !beyond && !void {
				more = false
				break
			}
			start = s.next
		}
		if more {
			q = q.Next(page)
		}
	}
	if start == h.start {
		return 0, nil
	}
	// First nobody reads it any more, then it goes.
	if _, err := e.store.Apply(ctx, store.Update(headKey(log), store.Exists(headNext), store.Set(headStart, store.Int(start)))); err != nil {
		if _, ok := unmet(err); ok {
			return 0, nil
		}
		return 0, err
	}
	for _, kind := range []string{kindSegment, kindPiece} {
		n, err := e.deleteRange(ctx, store.Query{Partition: log, From: kind, To: offsetKey(log, kind, start).Sort})
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// idleGroupAfter is how long committed offsets of a group without instances are
// kept, in ms: as long as Kafka does.
const idleGroupAfter = 7 * 24 * 60 * 60 * 1000

// reclaimGroups deletes groups that nobody has used for long, and offsets of topics that are gone.
func (e *Engine) reclaimGroups(ctx context.Context, cluster string, topics []*Topic) (deleted int, err error) {
	names, err := e.groupNames(ctx, cluster)
	if err != nil {
		return 0, err
	}
	alive := map[string]bool{}
	for _, t := range topics {
		alive[strconv.FormatInt(t.id, 36)] = true
	}
	for _, name := range names {
		g, err := e.loadGroup(ctx, cluster, name)
		if err != nil {
			return deleted, err
		}
		if g.attrs == nil || len(g.live(e.nowMs())) == 0 && g.usedAt() != 0 && g.usedAt() < e.nowMs()-idleGroupAfter {
			if err := e.dropGroup(ctx, g); err != nil {
				return deleted, err
			}
			deleted++
			continue
		}
		var stale []store.Edit
		if g.usedAt() == 0 { // all instances had left before that was noted
			stale = append(stale, store.Set(attrRebalanced, store.Int(e.nowMs())))
		}
		for _, a := range g.attrs {
			if topic, _, ok := strings.Cut(strings.TrimPrefix(a.Name, attrCommitted), "."); ok && strings.HasPrefix(a.Name, attrCommitted) && !alive[topic] && len(stale) < 100 {
				stale = append(stale, store.Remove(a.Name))
			}
		}
		if len(stale) > 0 {
			if _, err := e.store.Apply(ctx, store.Update(groupKey(cluster, name), store.Exists(attrVersion), stale...)); err != nil {
				if _, ok := unmet(err); !ok {
					return deleted, err
				}
			}
		}
	}
	return deleted, nil
}
