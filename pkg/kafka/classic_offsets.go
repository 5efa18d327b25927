package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// useEvery is how often commits note that a group is used.
const useEvery = time.Hour

// CommitOffsets commits offsets for a member, or with generation -1 for a group without members. The errors are one for each offset, nil if it is stored; err is for all of them.
// A call without any offset that can be stored makes no group. If all are of unknown partitions, that is all it says, as in Kafka.
func (e *Engine) CommitOffsets(ctx context.Context, c *Cluster, m MemberRef, offsets []OffsetCommit) (errs []error, err error) {
	errs = make([]error, len(offsets))
	topics := make([]int64, len(offsets))
	known, good := 0, 0
	for i, o := range offsets {
		topics[i], err = e.partitionTopic(ctx, c, o.TopicPartition)
		if IsKind(err, NotFound) || IsKind(err, Invalid) {
			errs[i] = groupError(CodeUnknownTopicOrPartition, "%s", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		known++
		switch {
		case len(o.Metadata) > maxOffsetMetadataBytes:
			errs[i] = groupError(CodeOffsetMetadataTooLarge, "the metadata take more than %d bytes", maxOffsetMetadataBytes)
		case o.Offset < groups.None:
			errs[i] = groupError(CodeInvalidRequest, "offset %d is negative", o.Offset)
		default:
			good++
		}
	}
	if known == 0 && len(offsets) > 0 {
		if checkName("group", m.Group) != nil {
			return nil, groupError(CodeInvalidGroupID, "illegal group id")
		}
		return errs, nil
	}
	who, err := e.mayCommit(ctx, c, m, offsets, good > 0)
	if err != nil {
		return nil, err
	}
	commits := map[groups.BlockKey][]blockCommit{}
	places := map[groups.BlockKey][]int{} // of the commits in the request
	for i, o := range offsets {
		if errs[i] != nil {
			continue
		}
		key := groups.BlockOf(topics[i], o.Partition)
		commit := blockCommit{partition: o.Partition, offset: o.Offset, classic: true, epoch: o.LeaderEpoch, metadata: o.Metadata, generation: who.generation}
		if !who.claim(&commit, topics[i]) {
			errs[i] = groupError(CodeStaleMemberEpoch, "another member has the partition")
			continue
		}
		if n := slices.IndexFunc(commits[key], func(b blockCommit) bool { return b.partition == o.Partition }); n >= 0 {
			commits[key][n] = commit // the last one counts
		} else {
			commits[key] = append(commits[key], commit)
		}
		places[key] = append(places[key], i)
	}
	for key, all := range commits {
		refused, err := e.commitBlock(ctx, who.group, key, all)
		for _, i := range places[key] {
			switch {
			case err != nil:
				errs[i] = err
			case slices.Contains(refused, offsets[i].Partition):
				errs[i] = groupError(who.outdated(), "a later generation has begun with the partition")
			}
		}
	}
	return errs, nil
}

// committer is who commits offsets.
type committer struct {
	group      *groupItem
	generation int64
	consumers  *groups.Consumers // without members, unless the group is of the consumer protocol
	me         *groups.Consumer  // nil: not a member of that
}

// mayCommit finds out who commits. If there is no group, it makes one that is to store offsets.
func (e *Engine) mayCommit(ctx context.Context, c *Cluster, m MemberRef, offsets []OffsetCommit, stores bool) (who committer, err error) {
	if checkName("group", m.Group) != nil {
		return who, groupError(CodeInvalidGroupID, "illegal group id")
	}
	room, leave, err := e.room(ctx, c.ID, m.Group)
	if err != nil {
		return who, err
	}
	defer leave()
	if m.Generation >= 0 {
		if err := room.load(ctx, classicAge); err != nil {
			return who, err
		}
	}
	if m.Generation >= 0 && len(room.consumers.Members) > 0 {
		if err := who.find(ctx, room, m, offsets); err != nil {
			return who, err
		}
	} else if m.Generation >= 0 {
		err := room.check(ctx, m)
		switch {
		case err != nil && CodeOf(err) == CodeUnknownMember && room.record.attrs == nil:
			return who, groupError(CodeIllegalGeneration, "there is no group %s, and no generation of it", m.Group)
		case err != nil:
			return who, err
		}
		room.beats[m.Member] = e.now()
		if room.state.State == groups.Completing {
			return who, groupError(CodeRebalanceInProgress, "the group's leader has yet to assign the partitions")
		}
	} else {
		if err := room.load(ctx, 0); err != nil {
			return who, err
		}
		live, err := e.hasMembers(ctx, room.record)
		if err != nil {
			return who, err
		}
		if live {
			if err := room.check(ctx, m); err != nil {
				return who, err
			}
			return who, groupError(CodeUnknownMember, "the group has members, and the commit is of none of them")
		}
	}
	switch {
	case room.record.attrs == nil && !stores:
	case room.record.attrs == nil: // somebody stores offsets without ever being a member
		if err := room.list(ctx, 0); err != nil {
			return who, err
		}
		if err := room.write(ctx, groups.Classic{}); err != nil && !errors.Is(err, errRetry) {
			return who, err
		}
		if err := room.load(ctx, 0); err != nil {
			return who, err
		}
	case e.nowMs()-room.record.attrs.Get(groupUsed).Num() > useEvery.Milliseconds():
		if err := e.use(ctx, room.record); err != nil && !errors.Is(err, errRetry) {
			return who, err
		}
		room.at = time.Time{}
	}
	who.group, who.generation = room.record, int64(m.Generation)
	if m.Generation < 0 {
		who.generation = room.state.Generation
	}
	return who, nil
}

// hasMembers reports whether a group of either kind has members with a session. Of members of other
// processes it goes by what these have told.
func (e *Engine) hasMembers(ctx context.Context, g *groupItem) (bool, error) {
	if g.attrs == nil {
		return false, nil
	}
	all, err := e.loadGroup(ctx, g.cluster, g.name)
	if err != nil || len(all.live(e.nowMs())) > 0 {
		return true, err
	}
	return e.hasClassic(ctx, all)
}

// hasClassic reports whether a group has members of Kafka's own protocol with a session.
func (e *Engine) hasClassic(ctx context.Context, g *groupItem) (bool, error) {
	state, now := classicOf(g.attrs), e.nowMs()
	consumers, err := consumersOf(g.attrs)
	if err != nil {
		return false, fmt.Errorf("reading who is in group %s: %w", g.name, err)
	}
	served := len(consumers.Members) > 0
	switch {
	case state.State == groups.Empty && !served:
		return false, nil
	case !served && state.State != groups.Stable && now < state.Deadline:
		return true, nil
	case g.attrs.Get(groupUsed).Num()+minClassicSession.Milliseconds() > now:
		return true, nil // it has just become stable, and nobody has told anything yet
	}
	items, err := e.queryAll(ctx, store.Query{Partition: groupPartition(g.cluster, g.name), From: kindSeen, To: store.PrefixEnd(kindSeen)})
	if err != nil {
		return false, fmt.Errorf("reading who is in group %s: %w", g.name, err)
	}
	return slices.ContainsFunc(items, func(it store.Item) bool { return it.Attrs.Get(seenUntil).Num() > now }), nil
}

// FetchOffsets reads committed offsets, and from then on no commit of an older generation is accepted.
// With tps nil it returns all that the group has, of topics that there are, by topic and partition; else one for
// each, in order: offset and epoch -1 where there is none, also of unknown topics. The group need not exist.
func (e *Engine) FetchOffsets(ctx context.Context, c *Cluster, group string, tps []TopicPartition) ([]OffsetCommit, error) {
	return e.fetchOffsets(ctx, c, group, tps, e.raiseFloors)
}

// fenceBlocks sees to it that commits of those who had partitions before are refused from now on. It replaces the blocks by what
// they then have.
type fenceBlocks func(context.Context, *groupItem, map[groups.BlockKey]*groups.Block) error

func (e *Engine) fetchOffsets(ctx context.Context, c *Cluster, group string, tps []TopicPartition, fence fenceBlocks) ([]OffsetCommit, error) {
	if checkName("group", group) != nil {
		return nil, groupError(CodeInvalidGroupID, "illegal group id")
	}
	g, err := e.loadRecord(ctx, c.ID, group)
	if err != nil {
		return nil, err
	}
	var blocks map[groups.BlockKey]*groups.Block
	topics := make([]int64, len(tps))
	if tps == nil {
		if blocks, _, err = e.loadBlocks(ctx, g); err != nil {
			return nil, err
		}
	} else {
		var known []TopicPartition
		var ids []int64
		for i, tp := range tps {
			id, err := e.partitionTopic(ctx, c, tp)
			if IsKind(err, NotFound) || IsKind(err, Invalid) {
				topics[i] = noTopic
				continue
			}
			if err != nil {
				return nil, err
			}
			topics[i] = id
			known, ids = append(known, tp), append(ids, id)
		}
		if blocks, err = e.blocksOf(ctx, g, ids, known); err != nil {
			return nil, err
		}
	}
	if err := fence(ctx, g, blocks); err != nil {
		return nil, err
	}
	if tps == nil {
		return e.allOffsets(ctx, c, blocks)
	}
	out := make([]OffsetCommit, len(tps))
	for i, tp := range tps {
		out[i] = OffsetCommit{TopicOffset{tp, groups.None}, groups.None, ""}
		if b := blocks[groups.BlockOf(topics[i], tp.Partition)]; b != nil && topics[i] != noTopic {
			at := b.At(tp.Partition)
			out[i].Offset, out[i].LeaderEpoch, out[i].Metadata = at.Committed, at.Epoch, at.Metadata
		}
	}
	return out, nil
}

// noTopic is the id of no topic.
const noTopic = -1

// raiseFloors sees to it that commits of older generations are refused from now on, in a group whose clients
// assign the partitions. It replaces the blocks by what they then have.
func (e *Engine) raiseFloors(ctx context.Context, g *groupItem, blocks map[groups.BlockKey]*groups.Block) error {
	state := classicOf(g.attrs)
	if state.State == groups.Empty {
		return nil
	}
	for key, b := range blocks {
		edits := []store.Edit{store.Set(blockFloor, store.Int(state.Generation)), store.Set(blockWrite, store.Bytes(writeID()))}
		for p, o := range b.Offsets {
			if o.Claim != "" {
				edits = append(edits, store.Remove(blockClaim+strconv.Itoa(p)))
			}
		}
		if b.Floor >= state.Generation && len(edits) == 2 {
			continue
		}
		cond := store.Or{store.Absent(blockFloor), store.Le(blockFloor, store.Int(state.Generation))}
		var old store.Attrs
		err := e.repeat(ctx, func() (err error) {
			old, err = e.store.Apply(ctx, store.Update(blockKey(g, key), cond, edits...))
			return err
		})
		ce, ok := unmet(err)
		switch {
		case ok: // a later generation has done so
			blocks[key] = blockOf(key, ce.Old)
		case err != nil:
			return fmt.Errorf("reading the offsets of group %s: %w", g.name, err)
		default:
			now, _ := store.ApplyEdits(old, edits)
			blocks[key] = blockOf(key, now)
		}
	}
	return nil
}

// allOffsets lists what is committed, of topics that there are.
func (e *Engine) allOffsets(ctx context.Context, c *Cluster, blocks map[groups.BlockKey]*groups.Block) (out []OffsetCommit, err error) {
	topics, err := e.Topics(ctx, c)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, t := range topics {
		names[t.id] = t.Name
	}
	for key, b := range blocks {
		for p, o := range b.Offsets {
			if name, ok := names[key.Topic]; ok && o.Committed != groups.None {
				out = append(out, OffsetCommit{TopicOffset{TopicPartition{name, p}, o.Committed}, o.Epoch, o.Metadata})
			}
		}
	}
	slices.SortFunc(out, func(a, b OffsetCommit) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return out, nil
}

// DeleteOffsets is Kafka's OffsetDelete: it forgets committed offsets of topics that no member reads. The
// errors are one for each partition, in order; err is for all of them.
func (e *Engine) DeleteOffsets(ctx context.Context, c *Cluster, group string, tps []TopicPartition) (errs []error, err error) {
	if checkName("group", group) != nil {
		return nil, groupError(CodeInvalidGroupID, "illegal group id")
	}
	g, err := e.loadRecord(ctx, c.ID, group)
	if err != nil {
		return nil, err
	}
	if g.attrs == nil {
		return nil, groupError(CodeGroupNotFound, "no group %q", group)
	}
	var read []string
	live, err := e.hasMembers(ctx, g)
	if err != nil {
		return nil, err
	}
	if live {
		read = g.attrs.Get(groupTopics).Elems()
	}
	errs = make([]error, len(tps))
	for i, tp := range tps {
		topic, err := e.partitionTopic(ctx, c, tp)
		switch {
		case IsKind(err, NotFound) || IsKind(err, Invalid):
			errs[i] = groupError(CodeUnknownTopicOrPartition, "%s", err)
			continue
		case err != nil:
			return nil, err
		case slices.Contains(read, tp.Topic):
			errs[i] = groupError(CodeGroupSubscribedToTopic, "members of the group read the topic")
			continue
		}
		refused, err := e.commitBlock(ctx, g, groups.BlockOf(topic, tp.Partition),
			[]blockCommit{{partition: tp.Partition, offset: groups.None, generation: g.generation(), above: g.bygones()}})
		if err != nil {
			return nil, err
		}
		if len(refused) > 0 {
			errs[i] = groupError(CodeGroupSubscribedToTopic, "a member of the group has the partition")
		}
	}
	return errs, nil
}
