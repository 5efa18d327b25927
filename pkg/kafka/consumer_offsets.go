package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// A member of the consumer protocol that reads where to start in a partition puts its claim into the partition's block with the same
// write, and takes the place of claims that are lesser: those of who had the partition before. So does each of its commits. Claims of
// one partition's owners grow, see groups.Consumer.Claim, so a late commit of a former owner comes before the new one has
// read, or is refused.

// find finds the member of the consumer protocol that commits.
func (who *committer) find(ctx context.Context, room *room, m MemberRef, offsets []OffsetCommit) (err error) {
	owns := func(me *groups.Consumer) bool {
		for _, o := range offsets {
			if t, ok := room.consumers.Topics[o.Topic]; !ok || !me.Holds(t.ID, o.Partition) {
				return false
			}
		}
		return true
	}
	if who.me, err = room.consumer(ctx, m, owns); err != nil {
		return err
	}
	who.consumers = room.consumers
	room.beats[m.Member] = room.e.now()
	return nil
}

// claim says under which claim a commit is made. It reports false if another member has the partition.
func (who *committer) claim(commit *blockCommit, topic int64) bool {
	switch {
	case who.me == nil:
		commit.above = who.group.bygones()
	case who.me.Holds(topic, commit.partition):
		commit.claim, commit.takes = who.me.Claim(), true
	case who.consumers.Owner(topic, commit.partition) != nil:
		return false
	default: // nobody has it
		commit.above = groups.Claim(commit.generation, "")
	}
	return true
}

// outdated is the code of a commit that comes too late.
func (who *committer) outdated() Code {
	if who.me != nil {
		return CodeStaleMemberEpoch
	}
	return CodeIllegalGeneration
}

// FetchMemberOffsets is FetchOffsets for a member of the consumer protocol: from then on no commit of those who had its
// partitions before is accepted. In groups of other kinds, and without a member, it is FetchOffsets.
func (e *Engine) FetchMemberOffsets(ctx context.Context, c *Cluster, m MemberRef, tps []TopicPartition) ([]OffsetCommit, error) {
	if m.Member == "" || m.Generation < 0 || checkName("group", m.Group) != nil {
		return e.FetchOffsets(ctx, c, m.Group, tps)
	}
	me, topics, err := e.reader(ctx, c, m, tps)
	if err != nil {
		return nil, err
	}
	if me == nil {
		return e.FetchOffsets(ctx, c, m.Group, tps)
	}
	own := map[groups.BlockKey][]int{}
	for _, tp := range tps {
		if t, ok := topics[tp.Topic]; ok && me.Holds(t.ID, tp.Partition) {
			key := groups.BlockOf(t.ID, tp.Partition)
			if !slices.Contains(own[key], tp.Partition) {
				own[key] = append(own[key], tp.Partition)
			}
		}
	}
	return e.fetchOffsets(ctx, c, m.Group, tps, func(ctx context.Context, g *groupItem, blocks map[groups.BlockKey]*groups.Block) error {
		return e.claimBlocks(ctx, g, blocks, me, own)
	})
}

// reader finds the member of the consumer protocol that reads offsets, and the topics that its group knows. nil: the group is of another
// kind.
func (e *Engine) reader(ctx context.Context, c *Cluster, m MemberRef, tps []TopicPartition) (*groups.Consumer, map[string]groups.Topic, error) {
	room, leave, err := e.room(ctx, c.ID, m.Group)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	if err := room.load(ctx, classicAge); err != nil {
		return nil, nil, err
	}
	if room.state.State != groups.Empty {
		return nil, nil, nil
	}
	me, err := room.consumer(ctx, m, func(me *groups.Consumer) bool {
		for _, tp := range tps {
			if t, ok := room.consumers.Topics[tp.Topic]; !ok || !me.Holds(t.ID, tp.Partition) {
				return false // what is known may be old: it may have got the partition since
			}
		}
		return true
	})
	if err != nil {
		if room.state.State != groups.Empty {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	room.beats[m.Member] = e.now()
	return me, room.consumers.Topics, nil
}

// claimBlocks claims partitions for their new owner. It replaces the blocks by what they then have.
func (e *Engine) claimBlocks(ctx context.Context, g *groupItem, blocks map[groups.BlockKey]*groups.Block, me *groups.Consumer, own map[groups.BlockKey][]int) error {
	claim := me.Claim()
	for key, partitions := range own {
		if blocks[key] == nil { // the topic was made anew
			continue
		}
		cond := store.And{store.Or{store.Absent(blockFloor), store.Le(blockFloor, store.Int(me.Epoch))}}
		edits := []store.Edit{store.Set(blockWrite, store.Bytes(writeID()))}
		for _, p := range partitions {
			if blocks[key].At(p).Claim == claim {
				continue
			}
			held := blockClaim + strconv.Itoa(p)
			cond = append(cond, store.Or{store.Absent(held), store.Le(held, store.Bytes(claim))})
			edits = append(edits, store.Set(held, store.Bytes(claim)))
		}
		if len(edits) == 1 {
			continue
		}
		var old store.Attrs
		err := e.repeat(ctx, func() (err error) {
			old, err = e.store.Apply(ctx, store.Update(blockKey(g, key), cond, edits...))
			return err
		})
		switch _, late := unmet(err); {
		case late:
			return groupError(CodeStaleMemberEpoch, "another member has a partition by now")
		case err != nil:
			return fmt.Errorf("reading the offsets of group %s: %w", g.name, err)
		}
		now, _ := store.ApplyEdits(old, edits)
		blocks[key] = blockOf(key, now)
	}
	return nil
}
