package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// step is what a round of a poll does with the instance's places.
type step struct {
	reset Reset
	mine  []owned
	from  []groups.Place // where the round begins: behind the last answer, or before that, if it was not received
	at    []cursor       // where it ends
	moved map[int]bool   // index of places that are to be written
}

// begin makes a step that moves nothing yet.
func (p *poll) begin(s *seat, mine []owned) *step {
	st := &step{reset: s.Member.Reset, mine: mine, moved: map[int]bool{}}
	lost := p.received != "" && p.before != "" && p.received != p.before && !p.claimed
	for _, r := range s.Member.Runs {
		for _, at := range r.Places {
			if before := at.Received(); lost && before != at.Position {
				at.Position, at.Segment = before, groups.UnknownSegment
				st.moved[len(st.from)] = true
			}
			st.from = append(st.from, at)
			st.at = append(st.at, cursor{at.Position, at.Segment})
		}
	}
	return st
}

// resolve finds where the instance begins in partitions that are new to it. The error is of kind Invalid
// if it wants to begin nowhere.
func (st *step) resolve(heads []*head) error {
	for i, h := range heads {
		from := &st.from[i]
		if from.Position != groups.None || h == nil {
			continue
		}
		switch {
		case from.Start != groups.None && from.Start >= h.start && from.Start <= h.next:
			st.at[i] = cursor{from.Start, unknownSegment}
		case st.reset == ResetEarliest, st.reset == ResetLatest && from.New:
			st.at[i] = cursor{h.start, h.start}
		case st.reset == ResetLatest:
			st.at[i] = cursor{h.next, unknownSegment}
		default:
			return noOffset(st.mine[i].TopicPartition)
		}
		from.Position, from.Segment = st.at[i].offset, st.at[i].segment
		st.moved[i] = true
	}
	return nil
}

// moveOn makes the call the instance's if it was not yet, writes how far the instance has got, and
// commits automatically what is due: the positions as they were before this call's messages. errRetry:
// another call of the instance, or a rebalance, has come in between, and the messages must not be given out.
func (p *poll) moveOn(ctx context.Context, s *seat, st *step) error {
	e, m := p.e, s.Member
	now := e.nowMs()
	next := m.Clone()
	commits := p.commitsDue(next, st, now)
	unconfirmed := len(m.Lost) > 0
	i := 0
	for _, r := range next.Runs {
		for n := range r.Places {
			at := &r.Places[n]
			if !p.claimed && at.Confirmed != groups.None {
				at.Confirmed, unconfirmed = groups.None, true // that the instance calls says that it has had the answer before
			}
			if st.moved[i] {
				if from := st.from[i].Position; at.Confirmed == groups.None && from != st.at[i].offset {
					at.Confirmed = from
				}
				at.Position, at.Segment = st.at[i].offset, st.at[i].segment
			}
			i++
		}
	}
	begins := !p.claimed && (p.until.Err() == nil || unconfirmed)
	if len(st.moved) == 0 && len(commits) == 0 && !begins && now-m.Seen < m.Timeout/touchEvery && (now < m.Look || p.looked == 0) {
		return nil
	}
	next.Seen, next.Call, next.Look = now, p.id, max(m.Look, p.looked)
	if !p.claimed {
		next.Lost = nil
	}
	if err := p.write(ctx, s, next); err != nil {
		return err
	}
	if !p.claimed {
		p.claimed = true
		key := memberKey(p.c.ID, p.group, p.instance)
		e.notifier.notifyOthers(key.Partition+key.Sort, p.wait.news) // calls that are over now
	}
	p.commit(ctx, s, commits)
	return nil
}

// commitsDue are the offsets that are to be committed automatically, if it is time. It notes them in next.
func (p *poll) commitsDue(next *groups.Member, st *step, now int64) map[groups.BlockKey][]blockCommit {
	if !next.Auto || now-next.CommitTime < next.Interval {
		return nil
	}
	commits := map[groups.BlockKey][]blockCommit{}
	i := 0
	for _, r := range next.Runs {
		for n := range r.Places {
			at := &r.Places[n]
			offset := st.from[i].Position
			if received := at.Received(); p.claimed && received != groups.None {
				offset = received // the call has answered with nothing so far, but it may be about to
			}
			if offset != groups.None && offset != at.Committed {
				key := groups.BlockOf(r.ID, r.First+n)
				commits[key] = append(commits[key], blockCommit{partition: r.First + n, claim: next.ClaimOf(at), offset: offset})
				at.Committed, next.CommitTime = offset, now
			}
			i++
		}
	}
	return commits
}

// write writes the instance's state on the condition that nobody has written it since it was read.
func (p *poll) write(ctx context.Context, s *seat, next *groups.Member) error {
	e, key, write := p.e, memberKey(p.c.ID, p.group, p.instance), store.Bytes(writeID())
	edits := []store.Edit{store.Set(memberWrite, write), store.Set(memberState, store.Bytes(next.Encode())), store.Set(memberCall, store.Bytes(next.Call))}
	_, err := e.store.Apply(ctx, store.Update(key, s.asRead(), edits...))
	if errors.Is(err, store.ErrUnknownOutcome) {
		err = e.resolve(context.WithoutCancel(ctx), key, write)
	}
	if ce, ok := unmet(err); ok && ce.Old.Get(memberWrite).Equal(write) {
		err = nil // it was sent twice on its way, and is there
	} else if ok || errors.Is(err, store.ErrConflict) {
		return errRetry
	}
	if err != nil {
		return fmt.Errorf("moving group %s on: %w", p.group, err)
	}
	s.attrs, _ = store.ApplyEdits(s.attrs, edits)
	s.Member = next
	return nil
}

// resolve finds out whether a write whose answer was lost has taken place.
func (e *Engine) resolve(ctx context.Context, key store.Key, write store.Value) error {
	ctx, cancel := context.WithTimeout(ctx, leadFor)
	defer cancel()
	attempts := e.retry.Begin()
	for {
		now, err := e.store.Get(ctx, key)
		switch {
		case err == nil && now.Get(memberWrite).Equal(write):
			return nil
		case err == nil:
			return errRetry
		}
		if gaveUp := attempts.Wait(ctx, err); gaveUp != nil {
			return err
		}
	}
}

// commit commits what is due. What fails is due again after the interval. If a partition is another's by
// now, that is not what the instance's item says, so the group is to look again.
func (p *poll) commit(ctx context.Context, s *seat, commits map[groups.BlockKey][]blockCommit) {
	if len(commits) == 0 {
		return
	}
	var err error
	if p.record == nil { // what its item says of the offsets does not change
		p.record, err = p.e.loadRecord(ctx, p.c.ID, p.group)
	}
	lost := false
	for key, all := range commits {
		var refused []int
		if err == nil {
			refused, err = p.e.commitBlock(ctx, p.record, key, all)
			lost = lost || len(refused) > 0
		}
	}
	if err != nil {
		p.e.log.WarnContext(ctx, "positions were not committed", "group", p.group, "error", err)
		again := s.Member.Clone()
		for key, all := range commits {
			for _, c := range all {
				if at := again.Place(key.Topic, c.partition); at != nil {
					at.Committed = groups.None
				}
			}
		}
		if err := p.write(ctx, s, again); err != nil && !errors.Is(err, errRetry) {
			p.e.log.WarnContext(ctx, "positions will not be committed before they move", "group", p.group, "error", err)
		}
	}
	if lost {
		p.looked = 0
		l := &leader{e: p.e, c: p.c, group: p.group}
		if leads, err := l.take(ctx, 1); err == nil && leads {
			err = l.lead(ctx)
			if err != nil {
				p.e.log.WarnContext(ctx, "a group was not put right", "group", p.group, "error", err)
			}
		}
	}
}

// takeBack sets positions back that the call has moved: its client has gone while it did so. If that
// fails, the messages count as received only if the instance calls again.
func (p *poll) takeBack(ctx context.Context, s *seat, st *step) {
	ctx, cancel := context.WithTimeout(ctx, leadFor)
	defer cancel()
	back := s.Member.Clone()
	i := 0
	for _, r := range back.Runs {
		for n := range r.Places {
			if at := &r.Places[n]; st.moved[i] {
				at.Position, at.Segment = st.from[i].Position, groups.UnknownSegment
				at.Confirmed = min(at.Confirmed, at.Position)
			}
			i++
		}
	}
	if err := p.write(ctx, s, back); err != nil && !errors.Is(err, errRetry) {
		p.e.log.WarnContext(ctx, "positions of a client that has gone were not taken back", "group", p.group, "error", err)
	}
}
