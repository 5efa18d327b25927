package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// CommitResult is what has become of one offset of a commit.
type CommitResult struct {
	TopicOffset       // of the instance's own position: what is committed now
	Err         error // of kind Lost: it was not stored; of none: the store has failed, and it may have been
}

// CommitError says that some offsets of a commit were not stored, because the instance has lost their
// partitions, or the store has failed. The others were.
type CommitError struct {
	Results []CommitResult // in the order of the request; of the instance's own positions, by partition
}

func (e *CommitError) Error() string { return e.Unwrap().Error() }

// Unwrap is the first failure of the store, or, if there is none, the first refusal.
func (e *CommitError) Unwrap() error {
	i := slices.IndexFunc(e.Results, func(r CommitResult) bool { return r.Err != nil && !IsKind(r.Err, Lost) })
	if i < 0 {
		i = slices.IndexFunc(e.Results, func(r CommitResult) bool { return r.Err != nil })
	}
	return e.Results[i].Err
}

// Commit stores offsets for a group, as they are given; without any, the positions of all partitions of
// the instance. The error is of kind NotFound if the group does not know the instance, and Lost if
// that has expired. It is a *CommitError, of kind Lost too, if some partitions are another's by now:
// partitions that are named, or, without any, those of which the instance's last answer had messages. If the store
// fails for some offsets and not for others, the error is a *CommitError, too, of the store's kind.
func (e *Engine) Commit(ctx context.Context, c *Cluster, group, instance string, offsets []TopicOffset) error {
	err := e.retry.Do(ctx, func(ctx context.Context) error { return e.commit(ctx, c, group, instance, offsets) })
	if store.Contended(err) {
		return fmt.Errorf("committing for group %s: %w", group, err)
	}
	return err
}

func (e *Engine) commit(ctx context.Context, c *Cluster, group, instance string, offsets []TopicOffset) error {
	if err := errors.Join(checkName("group", group), checkName("instance", instance)); err != nil {
		return err
	}
	g, s, err := e.loadBoth(ctx, c.ID, group, instance)
	switch {
	case err != nil:
		return err
	case s.Member == nil:
		return noInstance(group, instance)
	case s.Member.Expired(e.nowMs()):
		return refuse(Lost, "instance %q of group %q has expired", instance, group)
	}
	parts, err := e.commitParts(ctx, c, s, offsets)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(parts, func(p commitPart) bool { return p.claim == "" && !p.lost }) {
		// The instance must have been a member in the group's generation.
		again, err := e.loadSeat(ctx, c.ID, group, instance)
		if err != nil {
			return err
		}
		if again.Member == nil || again.Member.Incarnation != s.Member.Incarnation {
			return errRetry
		}
	}
	commits := map[groups.BlockKey][]blockCommit{}
	last := map[groups.BlockKey]map[int]int{} // of a partition that is named twice, the last offset counts
	for _, p := range parts {
		if p.lost {
			continue
		}
		key := groups.BlockOf(p.topic, p.Partition)
		commit := blockCommit{partition: p.Partition, claim: p.claim, offset: p.Offset, generation: g.generation()}
		if n, ok := last[key][p.Partition]; ok {
			commits[key][n] = commit
			continue
		}
		if last[key] == nil {
			last[key] = map[int]int{}
		}
		last[key][p.Partition] = len(commits[key])
		commits[key] = append(commits[key], commit)
	}
	refused, broken := map[groups.BlockKey][]int{}, map[groups.BlockKey]error{}
	for key, all := range commits {
		if refused[key], err = e.commitBlock(ctx, g, key, all); err != nil {
			broken[key] = err
		}
	}
	if len(broken) > 0 && len(broken) == len(commits) {
		return err
	}
	var results []CommitResult
	failed := false
	for _, p := range parts {
		r, key := CommitResult{TopicOffset: p.TopicOffset}, groups.BlockOf(p.topic, p.Partition)
		switch {
		case p.lost || slices.Contains(refused[key], p.Partition):
			r.Err = refuse(Lost, "%s/%d belongs to another instance of group %q", p.Topic, p.Partition, group)
		case broken[key] != nil:
			r.Err = broken[key]
		}
		failed = failed || r.Err != nil
		results = append(results, r)
	}
	if failed {
		return &CommitError{results}
	}
	return nil
}

// commitPart is an offset that an instance commits.
type commitPart struct {
	TopicOffset
	topic int64  // id
	claim string // the instance's; "": the partition is not its own
	lost  bool   // the partition was taken from it
}

// commitParts are the offsets of a commit; without any, the instance's positions.
func (e *Engine) commitParts(ctx context.Context, c *Cluster, s *seat, offsets []TopicOffset) (parts []commitPart, err error) {
	m := s.Member
	if len(offsets) == 0 {
		for _, r := range m.Runs {
			for i := range r.Places {
				if at := &r.Places[i]; at.Position != groups.None {
					parts = append(parts, commitPart{TopicOffset{TopicPartition{r.Topic, r.First + i}, at.Position}, r.ID, m.ClaimOf(at), false})
				}
			}
		}
		for _, p := range m.Lost {
			parts = append(parts, commitPart{TopicOffset{TopicPartition(p), groups.None}, 0, "", true})
		}
	}
	for _, o := range offsets {
		if o.Offset < 0 {
			return nil, refuse(Invalid, "offset %d is negative", o.Offset)
		}
		topic, err := e.partitionTopic(ctx, c, o.TopicPartition)
		if err != nil {
			return nil, err
		}
		p := commitPart{o, topic, "", false}
		if at := m.Place(topic, o.Partition); at != nil {
			p.claim = m.ClaimOf(at)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// instance finds a member of a group, perhaps one that has expired.
func (e *Engine) instance(ctx context.Context, c *Cluster, group, name string) (*seat, error) {
	if err := errors.Join(checkName("group", group), checkName("instance", name)); err != nil {
		return nil, err
	}
	s, err := e.loadSeat(ctx, c.ID, group, name)
	if err != nil {
		return nil, err
	}
	if s.Member == nil {
		return nil, noInstance(group, name)
	}
	return s, nil
}

func noInstance(group, name string) error {
	return refuse(NotFound, "no instance %q in group %q", name, group)
}

// loadBoth reads a group's item and one of its instances, in one call.
func (e *Engine) loadBoth(ctx context.Context, cluster, group, name string) (*groupItem, *seat, error) {
	items, err := e.store.GetMany(ctx, []store.Key{groupKey(cluster, group), memberKey(cluster, group, name)}, false)
	if err != nil {
		return nil, nil, fmt.Errorf("reading instance %s of group %s: %w", name, group, err)
	}
	g := &groupItem{cluster: cluster, name: group, attrs: items[0]}
	if g.isOld() {
		if g, err = e.loadRecord(ctx, cluster, group); err != nil {
			return nil, nil, err
		}
	}
	s, err := seatOf(name, items[1])
	return g, s, err
}

// partitionTopic is the id of a partition's topic.
func (e *Engine) partitionTopic(ctx context.Context, c *Cluster, tp TopicPartition) (int64, error) {
	t, err := e.Topic(ctx, c, tp.Topic)
	if err != nil {
		return 0, err
	}
	if tp.Partition < 0 || tp.Partition >= t.Partitions {
		return 0, refuse(Invalid, "no partition %d: topic %q has %d", tp.Partition, t.Name, t.Partitions)
	}
	return t.id, nil
}

// Committed reads the offsets that a group has committed, -1 where it has not. The
// group need not have instances, or exist.
func (e *Engine) Committed(ctx context.Context, c *Cluster, group string, tps []TopicPartition) ([]TopicOffset, error) {
	if err := checkName("group", group); err != nil {
		return nil, err
	}
	topics := make([]int64, len(tps))
	for i, tp := range tps {
		var err error
		if topics[i], err = e.partitionTopic(ctx, c, tp); err != nil {
			return nil, err
		}
	}
	g, err := e.loadRecord(ctx, c.ID, group)
	if err != nil {
		return nil, err
	}
	blocks, err := e.blocksOf(ctx, g, topics, tps)
	if err != nil {
		return nil, err
	}
	out := make([]TopicOffset, len(tps))
	for i, tp := range tps {
		out[i] = TopicOffset{tp, groups.None}
		if b := blocks[groups.BlockOf(topics[i], tp.Partition)]; b != nil {
			out[i].Offset = b.At(tp.Partition).Committed
		}
	}
	return out, nil
}

// blocksOf reads the blocks that partitions are in, of topics with some ids.
func (e *Engine) blocksOf(ctx context.Context, g *groupItem, topics []int64, tps []TopicPartition) (map[groups.BlockKey]*groups.Block, error) {
	blocks := map[groups.BlockKey]*groups.Block{}
	if g.attrs == nil {
		return blocks, nil
	}
	var names []groups.BlockKey
	var keys []store.Key
	for i, tp := range tps {
		if name := groups.BlockOf(topics[i], tp.Partition); blocks[name] == nil {
			blocks[name] = &groups.Block{}
			names, keys = append(names, name), append(keys, blockKey(g, name))
		}
	}
	items, err := e.store.GetMany(ctx, keys, false)
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of group %s: %w", g.name, err)
	}
	for i, attrs := range items {
		blocks[names[i]] = blockOf(names[i], attrs)
	}
	return blocks, nil
}

// DeleteInstance takes an instance out of its group. Its positions are committed
// if it does so automatically, and its partitions go to the others. The error is
// of kind NotFound if the group does not have it, or not any more.
func (e *Engine) DeleteInstance(ctx context.Context, c *Cluster, group, instance string) error {
	attempts := e.retry.Begin()
	for asked := false; ; asked = true {
		s, err := e.instance(ctx, c, group, instance)
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
		incarnation := s.Member.Incarnation
		update := store.Update(memberKey(c.ID, group, instance), store.Eq(memberIncarnation, store.Bytes(incarnation)),
			store.Set(memberQuit, store.Int(e.nowMs())))
		err = e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, update); return err })
		if _, ok := unmet(err); err != nil && !ok {
			return fmt.Errorf("deleting an instance of group %s: %w", group, err)
		}
		if _, err := e.press(ctx, c, group, instance, func(as store.Attrs) bool { return as.Get(memberIncarnation).Str() != incarnation }); err != nil {
			return err
		}
		if s.Member.Expired(e.nowMs()) {
			return noInstance(group, instance)
		}
	}
}
