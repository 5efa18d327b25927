package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/store"
)

// CommitResult is what has become of one offset of a commit.
type CommitResult struct {
	TopicOffset       // of the instance's own position: what is committed now
	Err         error // of kind Lost: it was not stored
}

// CommitError says that some offsets of a commit were not stored, because the instance has lost their
// partitions. The others were.
type CommitError struct {
	Results []CommitResult // in the order of the request; of the instance's own positions, by partition
}

func (e *CommitError) Error() string { return e.Unwrap().Error() }

// Unwrap is the first refusal.
func (e *CommitError) Unwrap() error {
	i := slices.IndexFunc(e.Results, func(r CommitResult) bool { return r.Err != nil })
	return e.Results[i].Err
}

// Commit stores offsets for a group, as they are given; without any, the positions of all partitions of
// the instance. The error is of kind NotFound if the group does not know the instance, and Lost if
// that has expired. It is a *CommitError, of kind Lost too, if some partitions are another's by now:
// partitions that are named, or, without any, those of which the instance's last answer had messages.
func (e *Engine) Commit(ctx context.Context, c *Cluster, group, instance string, offsets []TopicOffset) error {
	err := e.retry.Do(ctx, func(ctx context.Context) error { return e.commit(ctx, c, group, instance, offsets) })
	if store.Contended(err) {
		return fmt.Errorf("committing for group %s: %w", group, err)
	}
	return err
}

func (e *Engine) commit(ctx context.Context, c *Cluster, group, instance string, offsets []TopicOffset) error {
	g, me, err := e.instance(ctx, c, group, instance)
	if err != nil {
		return err
	}
	if g.expired(me, e.nowMs()) {
		return refuse(Lost, "instance %q of group %q has expired", instance, group)
	}
	values := map[string]int64{}
	var order []string
	var results []CommitResult
	refused := false
	set := func(name string, o TopicOffset) {
		if _, ok := values[name]; !ok {
			order = append(order, name)
		}
		values[name] = o.Offset
		results = append(results, CommitResult{TopicOffset: o})
	}
	lose := func(o TopicOffset) {
		refused = true
		results = append(results, CommitResult{o, refuse(Lost, "%s/%d belongs to another instance of group %q", o.Topic, o.Partition, group)})
	}
	if len(offsets) == 0 {
		for _, o := range me.partitions(c.ID) {
			if at := g.position(o.name).offset; at != noPosition {
				set(o.name, TopicOffset{o.TopicPartition, at})
			}
		}
		for _, tp := range g.lost(me) {
			lose(TopicOffset{tp, noPosition})
		}
	}
	for _, o := range offsets {
		if o.Offset < 0 {
			return refuse(Invalid, "offset %d is negative", o.Offset)
		}
		name, err := e.groupPartition(ctx, c, o.TopicPartition)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(g.members, func(m member) bool {
			return m.Name != instance && slices.ContainsFunc(m.partitions(c.ID), func(p owned) bool { return p.name == name })
		}) {
			lose(o)
		} else {
			set(name, o)
		}
	}
	for part := range slices.Chunk(order, maxTouched) {
		edits := []store.Edit{store.Set(attrVersion, store.Bytes(writeID()))}
		for _, name := range part {
			edits = append(edits, store.Set(attrCommitted+name, store.Int(values[name])))
		}
		_, err := e.store.Apply(ctx, store.Update(groupKey(c.ID, group), store.Eq(attrGeneration, store.Int(g.generation)), edits...))
		if _, ok := unmet(err); ok || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnknownOutcome) {
			return errRetry // to commit again does no harm
		}
		if err != nil {
			return fmt.Errorf("committing for group %s: %w", group, err)
		}
	}
	if refused {
		return &CommitError{results}
	}
	return nil
}

// instance finds a member of a group, perhaps one that has expired.
func (e *Engine) instance(ctx context.Context, c *Cluster, group, name string) (*groupState, *member, error) {
	if err := errors.Join(checkName("group", group), checkName("instance", name)); err != nil {
		return nil, nil, err
	}
	g, err := e.loadGroup(ctx, c.ID, group)
	if err != nil {
		return nil, nil, err
	}
	me := g.member(name)
	if me == nil {
		return nil, nil, refuse(NotFound, "no instance %q in group %q", name, group)
	}
	return g, me, nil
}

// groupPartition is a partition's name in a group's item.
func (e *Engine) groupPartition(ctx context.Context, c *Cluster, tp TopicPartition) (string, error) {
	t, err := e.Topic(ctx, c, tp.Topic)
	if err != nil {
		return "", err
	}
	if tp.Partition < 0 || tp.Partition >= t.Partitions {
		return "", refuse(Invalid, "no partition %d: topic %q has %d", tp.Partition, t.Name, t.Partitions)
	}
	return assigned{Topic: t.id}.name(tp.Partition), nil
}

// Committed reads the offsets that a group has committed, -1 where it has not. The
// group need not have instances, or exist.
func (e *Engine) Committed(ctx context.Context, c *Cluster, group string, tps []TopicPartition) ([]TopicOffset, error) {
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	g, err := e.loadGroup(ctx, c.ID, group)
	if err != nil {
		return nil, err
	}
	out := make([]TopicOffset, len(tps))
	for i, tp := range tps {
		name, err := e.groupPartition(ctx, c, tp)
		if err != nil {
			return nil, err
		}
		out[i] = TopicOffset{tp, g.committed(name)}
	}
	return out, nil
}

// GroupTopics are the topics that a group's instances read, by name. A group without instances, or one
// that does not exist, has none.
func (e *Engine) GroupTopics(ctx context.Context, c *Cluster, group string) ([]string, error) {
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	g, err := e.loadGroup(ctx, c.ID, group)
	if err != nil {
		return nil, err
	}
	var topics []string
	for _, m := range g.members { // also those that have expired and hold partitions still
		topics = append(topics, m.Topics...)
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

// DeleteInstance takes an instance out of its group. Its positions are committed
// if it does so automatically, and its partitions go to the others. The error is
// of kind NotFound if the group does not have it, or not any more.
func (e *Engine) DeleteInstance(ctx context.Context, c *Cluster, group, instance string) error {
	attempts := e.retry.Begin()
	for asked := false; ; asked = true {
		g, me, err := e.instance(ctx, c, group, instance)
		if asked && IsKind(err, NotFound) {
			return nil // we, or somebody else at the same time
		}
		if err != nil {
			return err
		}
		if asked {
			// It has come back in between.
			if err := attempts.Wait(ctx, errRetry); err != nil {
				return fmt.Errorf("deleting an instance of group %s: %w", group, err)
			}
		}
		expired := g.expired(me, e.nowMs())
		if err := e.ask(ctx, c, group, request{instance: instance}); err != nil {
			return err
		}
		if expired {
			return refuse(NotFound, "no instance %q in group %q", instance, group)
		}
	}
}
