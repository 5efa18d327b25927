package kafka

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// complete ends a rebalance if it is time.
func (r *room) complete(ctx context.Context) error {
	now := r.e.now()
	last := time.Time{}
	for id, at := range r.arrived {
		if r.joins[id] == r.state.Next() && at.After(last) {
			last = at
		}
	}
	if now.Sub(last) < groups.Quiet*time.Millisecond && now.UnixMilli() < r.state.Deadline && now.UnixMilli()-r.state.Began < groups.FirstDelay ||
		now.Sub(r.tried) < lastClassicLook {
		return nil
	}
	r.tried = now
	if err := r.beat(ctx); err != nil {
		return err
	}
	if err := r.loadMembers(ctx, 0); err != nil {
		return err
	}
	for _, m := range r.members {
		if at := r.arrived[m.ID]; m.Joins == r.state.Next() && at.After(last) {
			last = at
		}
	}
	done, ok := r.state.Complete(r.members, func(m *groups.ClassicMember) bool { return r.alive(m.ID, m.Session) },
		r.e.nowMs(), r.e.now().Sub(last).Milliseconds(), writeID())
	if !ok {
		if r.e.now().Sub(last) < groups.Quiet*time.Millisecond {
			r.tried = now.Add(groups.Quiet*time.Millisecond - lastClassicLook) // it is nearly time
		}
		return nil
	}
	var entries []rosterEntry
	var topics []string
	for _, m := range done.Members {
		entries = append(entries, rosterEntry{m.ID, m.Instance, m.Session})
		if m.Type == consumerType {
			topics = append(topics, groups.Subscription(m.Metadata(done.Group.Protocol))...)
		}
	}
	if err := r.writeRoster(ctx, done.Group.Generation, done.Group.Roster, entries); err != nil {
		return err
	}
	slices.Sort(topics)
	if err := r.write(ctx, done.Group, store.Set(groupTopics, store.List(slices.Compact(topics)))); err != nil {
		return err
	}
	r.clean(ctx, done)
	return r.list(ctx, len(done.Members))
}

// consumerType is the protocol type of consumers, whose metadata say which topics they read.
const consumerType = "consumer"

// clean deletes who was dropped, and what generations before have left. What fails, the next one does.
func (r *room) clean(ctx context.Context, done groups.Completion) {
	var err error
	for _, m := range done.Dropped {
		_, dropErr := r.e.store.Apply(ctx, store.Delete(classicKey(r.cluster, r.name, kindClassic, m.ID), store.Eq(classicJoins, store.Int(m.Joins))))
		if _, ok := unmet(dropErr); dropErr != nil && !ok {
			err = dropErr
		}
		if m.Instance != "" {
			_, dropErr := r.e.store.Apply(ctx, store.Delete(classicKey(r.cluster, r.name, kindStatic, m.Instance), store.Eq(staticMember, store.Bytes(m.ID))))
			if _, ok := unmet(dropErr); dropErr != nil && !ok {
				err = dropErr
			}
		}
	}
	// The generation before stays: who joined it may be about to read its part.
	_, deleteErr := r.e.deleteRange(ctx, store.Query{
		Partition: groupPartition(r.cluster, r.name), From: kindAssignment,
		To: assignmentKey(r.cluster, r.name, done.Group.Generation-1, "").Sort[:9],
	})
	if err = errors.Join(err, deleteErr); err != nil {
		r.e.log.WarnContext(ctx, "what a group's earlier generations have left was not deleted", "group", r.name, "error", err)
	}
}
