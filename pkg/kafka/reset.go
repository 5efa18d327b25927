package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// ResetOffsets sets committed offsets of a group that has no members of either kind: from there its next ones
// begin. The offsets are stored as they are given, each partition's by itself. The error is of kind
// NotFound if there is no such group, and InUse while it has members.
func (e *Engine) ResetOffsets(ctx context.Context, c *Cluster, group string, offsets []TopicOffset) error {
	if err := checkName("group", group); err != nil {
		return err
	}
	commits := map[groups.BlockKey]map[int]int64{}
	for _, o := range offsets {
		if o.Offset < 0 {
			return refuse(Invalid, "offset %d is negative", o.Offset)
		}
		topic, err := e.partitionTopic(ctx, c, o.TopicPartition)
		if err != nil {
			return err
		}
		key := groups.BlockOf(topic, o.Partition)
		if commits[key] == nil {
			commits[key] = map[int]int64{}
		}
		commits[key][o.Partition] = o.Offset
	}
	err := e.retry.Do(ctx, func(ctx context.Context) error { return e.resetOffsets(ctx, c, group, commits) })
	if store.Contended(err) {
		return fmt.Errorf("resetting offsets of group %s: %w", group, err)
	}
	return err
}

func (e *Engine) resetOffsets(ctx context.Context, c *Cluster, group string, commits map[groups.BlockKey]map[int]int64) error {
	g, err := e.loadGroup(ctx, c.ID, group)
	switch {
	case err != nil:
		return err
	case g.attrs == nil:
		return refuse(NotFound, "no group %q", group)
	case len(g.live(e.nowMs())) > 0:
		return refuse(InUse, "group %q has instances", group)
	case slices.ContainsFunc(g.seats, func(s *seat) bool { return s.Member != nil }):
		// They have expired. What they are known to have had is committed when they are taken out, so
		// that comes first.
		if _, err := e.press(ctx, c, group, g.seats[0].Name, func(store.Attrs) bool { return false }); err != nil {
			return err
		}
		return errRetry
	}
	if live, err := e.hasClassic(ctx, g); err != nil {
		return err
	} else if live {
		return refuse(InUse, "group %q has members", group)
	}
	if consumers, err := consumersOf(g.attrs); err != nil {
		return err
	} else if classicOf(g.attrs).State != groups.Empty || len(consumers.Members) > 0 {
		// They have died without leaving. One that comes back must not commit over the reset.
		if err := e.takeOutDead(ctx, c, group); err != nil {
			return err
		}
		return errRetry
	}
	if err := e.use(ctx, g); err != nil {
		return fmt.Errorf("resetting offsets of group %s: %w", group, err)
	}
	for key, offsets := range commits {
		if err := e.resetBlock(ctx, g, key, offsets); err != nil {
			return err
		}
		delete(commits, key)
	}
	return nil
}

// takeOutDead takes the members of Kafka's own protocol out of a group, none of which has a session any more.
func (e *Engine) takeOutDead(ctx context.Context, c *Cluster, group string) error {
	room, leave, err := e.room(ctx, c.ID, group)
	if err != nil {
		return err
	}
	defer leave()
	if err := room.load(ctx, 0); err != nil {
		return err
	}
	if live, err := e.hasClassic(ctx, room.record); err != nil || live || room.state.State == groups.Empty && len(room.consumers.Members) == 0 {
		return err
	}
	return room.takeOutAll(ctx)
}

// use notes that a group is used, so that it is not forgotten. errRetry: it is another group by now, or members
// of Kafka's own protocol have come or gone.
func (e *Engine) use(ctx context.Context, g *groupItem) error {
	_, err := e.store.Apply(ctx, store.Update(groupKey(g.cluster, g.name), store.And{
		store.Same(groupIncarnation, g.attrs.Get(groupIncarnation)), store.Same(classicWrite, g.attrs.Get(classicWrite))},
		store.Set(groupUsed, store.Int(e.nowMs()))))
	if _, ok := unmet(err); ok {
		return errRetry
	}
	if errors.Is(err, store.ErrUnknownOutcome) {
		return nil // it has been used today, too
	}
	return err
}

// resetBlock sets offsets of a block that no member has a claim of. Commits that come late, of who was a
// member before, are refused from then on.
func (e *Engine) resetBlock(ctx context.Context, g *groupItem, key groups.BlockKey, offsets map[int]int64) error {
	write := store.Bytes(writeID())
	cond := store.And{store.Or{store.Absent(blockFloor), store.Le(blockFloor, store.Int(g.generation()))}}
	edits := []store.Edit{
		store.Set(blockFloor, store.Int(g.generation())), store.Set(blockWrite, write), store.Set(blockCommitted, store.Int(e.nowMs())),
	}
	for p, offset := range offsets {
		cond = append(cond, g.unclaimed(p))
		edits = append(edits, store.Remove(blockClaim+strconv.Itoa(p)))
		edits = append(edits, blockCommit{partition: p, offset: offset}.edits()...)
	}
	_, err := e.store.Apply(ctx, store.Update(blockKey(g, key), cond, edits...))
	if ce, ok := unmet(err); ok && ce.Old.Get(blockWrite).Equal(write) {
		return nil
	} else if ok || errors.Is(err, store.ErrConflict) {
		return errRetry
	}
	if errors.Is(err, store.ErrUnknownOutcome) {
		if now, readErr := e.store.Get(context.WithoutCancel(ctx), blockKey(g, key)); readErr == nil && now.Get(blockWrite).Equal(write) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("resetting offsets of group %s: %w", g.name, err)
	}
	return nil
}

// ResetTo is where a group is to begin: at Offset if that is not negative, else at the first message
// with a timestamp of at least Time, Unix ms, which may be Earliest or Latest.
type ResetTo struct {
	TopicPartition
	Offset int64
	Time   int64
}

// FindResets finds the offsets that resets mean. It waits at most for the timeout for messages that were
// accepted before.
func (e *Engine) FindResets(ctx context.Context, c *Cluster, resets []ResetTo, timeout time.Duration) ([]TopicOffset, error) {
	out := make([]TopicOffset, len(resets))
	for i, r := range resets {
		out[i] = TopicOffset{r.TopicPartition, r.Offset}
		if r.Offset >= 0 {
			continue
		}
		found, err := e.Offsets(ctx, c, []TopicPartition{r.TopicPartition}, r.Time, timeout)
		if err != nil {
			return nil, err
		}
		out[i] = found[0]
	}
	return out, nil
}
