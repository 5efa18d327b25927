package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// idleGroupAfter is how long committed offsets of a group without instances are
// kept, in ms: as long as Kafka does.
const idleGroupAfter = 7 * 24 * 60 * 60 * 1000

// DeleteGroup forgets a group with its committed offsets. The error is of kind
// NotFound if there is none, and Invalid while it has instances.
func (e *Engine) DeleteGroup(ctx context.Context, c *Cluster, name string) error {
	g, err := e.loadGroup(ctx, c.ID, name)
	switch {
	case err != nil:
		return err
	case g.attrs == nil:
		return refuse(NotFound, "no group %q", name)
	case len(g.live(e.nowMs())) > 0:
		return refuse(Invalid, "group %q has instances", name)
	}
	if live, err := e.hasClassic(ctx, g); err != nil {
		return err
	} else if live {
		return refuse(Invalid, "group %q has members", name)
	}
	return e.dropGroup(ctx, g)
}

// dropGroup deletes a group without live members. It begins with the group's item, on the condition that
// nobody uses the group: from then on it is another group that somebody makes. The error is of kind
// Invalid if it is in use. What a drop that failed leaves behind, clearGroup deletes later.
func (e *Engine) dropGroup(ctx context.Context, g *groupItem) error {
	cond := store.And{store.Exists(groupForm)}
	for _, name := range []string{groupIncarnation, groupGeneration, groupWant, groupLease, groupUsed, classicWrite} {
		cond = append(cond, store.Same(name, g.attrs.Get(name)))
	}
	if g.attrs != nil {
		_, err := e.store.Apply(ctx, store.Delete(groupKey(g.cluster, g.name), cond))
		if _, ok := unmet(err); ok {
			return refuse(Invalid, "group %q is in use", g.name)
		}
		if err != nil {
			return fmt.Errorf("deleting group %s: %w", g.name, err)
		}
	}
	if err := e.clearGroup(ctx, g.cluster, g.name); err != nil {
		return fmt.Errorf("deleting group %s: %w", g.name, err)
	}
	return nil
}

// clearGroup deletes what is left of a group whose item is gone, and at last its name. If there is a new
// group of the name by now, that stays.
func (e *Engine) clearGroup(ctx context.Context, cluster, name string) error {
	offsets, err := e.queryAll(ctx, store.Query{Partition: groupPartition(cluster, name), From: kindOffsets, To: store.PrefixEnd(kindOffsets)})
	if err != nil {
		return err
	}
	g, err := e.loadGroup(ctx, cluster, name) // after the offsets: those of a later group are not among them
	if err != nil {
		return err
	}
	var keys []store.Key
	for _, it := range offsets {
		if incarnation, _, ok := blockKeyOf(it.Key.Sort); !ok || g.attrs == nil || incarnation != g.incarnation() {
			keys = append(keys, it.Key)
		}
	}
	if err := e.store.Load(ctx, nil, keys); err != nil {
		return err
	}
	if g.attrs != nil {
		return nil
	}
	for _, kind := range []string{kindAssignment, kindStatic, kindSeen, kindClassic} {
		if _, err := e.deleteRange(ctx, store.Query{Partition: groupPartition(cluster, name), From: kind, To: store.PrefixEnd(kind)}); err != nil {
			return err
		}
	}
	for _, s := range g.seats {
		if s.Member == nil || s.Ask != nil {
			return nil // somebody is about to make the group anew
		}
		_, err := e.store.Apply(ctx, store.Delete(memberKey(cluster, name, s.Name), append(s.asRead(), store.Absent(memberAsk))))
		if _, ok := unmet(err); err != nil && !ok {
			return err
		}
	}
	err = e.store.Commit(ctx, []store.Op{
		store.Delete(groupIndexKey(cluster, name), nil),
		store.Check(groupKey(cluster, name), store.Absent(groupForm)),
	})
	if _, ok := unmet(err); ok {
		return nil
	}
	return err
}

// reclaimGroups deletes groups that nobody has used for long, and offsets of topics that are gone.
func (e *Engine) reclaimGroups(ctx context.Context, cluster string) (deleted int, err error) {
	names, err := e.groupNames(ctx, cluster)
	if err != nil {
		return 0, err
	}
	topics := topicNumbers{}
	var errs []error
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		dropped, err := e.reclaimGroup(ctx, cluster, name, topics)
		if dropped {
			deleted++
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return deleted, errors.Join(errs...)
}

func (e *Engine) reclaimGroup(ctx context.Context, cluster, name string, topics topicNumbers) (dropped bool, err error) {
	g, err := e.loadGroup(ctx, cluster, name)
	if err != nil {
		return false, err
	}
	if g.attrs == nil {
		return e.reclaimName(ctx, cluster, name)
	}
	blocks, raw, err := e.loadBlocks(ctx, g)
	if err != nil {
		return false, err
	}
	used := g.usedAt()
	for _, b := range blocks {
		used = max(used, b.CommitTime)
	}
	idle := len(g.live(e.nowMs())) == 0
	if idle && used != 0 && used < e.nowMs()-idleGroupAfter {
		live, err := e.hasClassic(ctx, g)
		if err != nil {
			return false, err
		}
		idle = !live
	}
	if idle && used != 0 && used < e.nowMs()-idleGroupAfter {
		err := e.dropGroup(ctx, g)
		if IsKind(err, Invalid) {
			return false, nil // it has come into use meanwhile
		}
		return err == nil, err
	}
	if used == 0 { // who has made it has died
		if err := e.use(ctx, g); err != nil && !errors.Is(err, errRetry) {
			return false, err
		}
	}
	return false, e.reclaimOffsets(ctx, g, blocks, raw, topics)
}

// reclaimName deletes the name of a group that does not exist, if nobody is about to make one.
func (e *Engine) reclaimName(ctx context.Context, cluster, name string) (bool, error) {
	listed, err := e.store.Get(ctx, groupIndexKey(cluster, name))
	if err != nil || listed.Get(indexCreated).Num() > e.nowMs()-abandonedAfter {
		return false, err
	}
	return true, e.clearGroup(ctx, cluster, name)
}

// reclaimOffsets deletes offsets of topics that are gone, and those that a group with members has not
// committed for long, of topics that it reads no more.
func (e *Engine) reclaimOffsets(ctx context.Context, g *groupItem, blocks map[groups.BlockKey]*groups.Block, raw map[groups.BlockKey]store.Attrs, topics topicNumbers) error {
	read := map[int64]bool{}
	for _, s := range g.seats {
		if s.Member == nil {
			continue
		}
		for _, r := range s.Member.Runs {
			read[r.ID] = true
		}
	}
	listed := false
	for key, b := range blocks {
		gone := false
		if !topics[key.Topic] {
			// Only a list that was made after the offsets were read can say that the topic is gone.
			if !listed {
				if err := e.listNumbers(ctx, g.cluster, topics); err != nil {
					return err
				}
				listed = true
			}
			gone = !topics[key.Topic]
		}
		claimed := slices.ContainsFunc(claims(b), func(claim string) bool { return claim != "" })
		stale := len(read) > 0 && !read[key.Topic] && !claimed && b.CommitTime < e.nowMs()-idleGroupAfter
		if !gone && !stale {
			continue
		}
		_, err := e.store.Apply(ctx, store.Delete(blockKey(g, key), store.Same(blockWrite, raw[key].Get(blockWrite))))
		if _, ok := unmet(err); err != nil && !ok {
			return fmt.Errorf("deleting offsets of group %s: %w", g.name, err)
		}
	}
	return nil
}

func claims(b *groups.Block) (out []string) {
	for _, o := range b.Offsets {
		out = append(out, o.Claim)
	}
	return out
}

// topicNumbers are the numbers of topics that have been seen. No number is given twice,
// so one that is missing in a list made now, and was in use before, is of a topic that is gone.
type topicNumbers map[int64]bool

// listNumbers adds the numbers of the topics that there are now.
func (e *Engine) listNumbers(ctx context.Context, cluster string, numbers topicNumbers) error {
	topics, err := e.Topics(ctx, &Cluster{ID: cluster})
	for _, t := range topics {
		numbers[t.id] = true
	}
	return err
}
