package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/skystash/skystash/pkg/store"
)

// maxTouched bounds the partitions that one request reads from, or that are
// committed at once: so many attributes of an item can be changed in one call.
const maxTouched = 60

// Consume gives an instance of a group the next messages of its partitions. Its
// first call makes it a member of the group; options hold from then on.
//
// A message is given out once: a position moves with the answer, whether or not
// it is ever committed. After the instance has expired or been deleted, the
// partitions go on from the committed offsets.
//
// An instance has one call at a time. A newer one, or the deletion of the instance, ends those that
// still wait: they return nothing, move nothing and do not join again. Messages of an answer count
// as received when the instance calls again, or is deleted. Automatic commits go no further than
// that, so what an instance was given that never calls again is given to its successor.
func (e *Engine) Consume(ctx context.Context, c *Cluster, group, instance string, topics []string, o InstanceOptions, timeout time.Duration) ([]Message, error) {
	a, err := e.Poll(ctx, c, group, instance, topics, o, "", timeout)
	return a.Messages, err
}

// Answer is what Poll returns.
type Answer struct {
	ID       string // for the next call of the instance; "" if that has begun already
	Messages []Message
}

// Poll is Consume for a caller that says which answer it got last, by its ID. If that is not the
// instance's last answer, the messages of the last one are given out again. With received "", that the
// instance calls says that it has had its last answer.
func (e *Engine) Poll(ctx context.Context, c *Cluster, group, instance string, topics []string, o InstanceOptions, received string, timeout time.Duration) (Answer, error) {
	p := &poll{e: e, c: c, group: group, instance: instance, options: o, id: writeID(), received: received}
	out, err := p.run(ctx, topics, timeout)
	a := Answer{Messages: out}
	switch {
	case err != nil || p.over:
	case p.claimed:
		a.ID = p.id
	default:
		a.ID = p.before
	}
	return a, err
}

// run is the call.
func (p *poll) run(ctx context.Context, topics []string, timeout time.Duration) ([]Message, error) {
	e, c, group, instance, o := p.e, p.c, p.group, p.instance, p.options
	if err := errors.Join(checkName("group", group), checkName("instance", instance)); err != nil {
		return nil, err
	}
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	if len(topics) == 0 {
		return nil, refuse(Invalid, "no topics")
	}
	if o.SessionTimeout < MinSessionTimeout || o.SessionTimeout > MaxSessionTimeout {
		return nil, refuse(Invalid, "the session timeout is %d ms: it must be %d to %d", o.SessionTimeout.Milliseconds(),
			MinSessionTimeout.Milliseconds(), MaxSessionTimeout.Milliseconds())
	}
	for _, t := range topics {
		if _, err := e.Topic(ctx, c, t); err != nil {
			return nil, err
		}
	}
	until, cancel := e.timeout(ctx, timeout)
	defer cancel()
	p.topics, p.until = topics, until
	defer p.close()
	attempts := e.retry.Begin()
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("consuming in group %s: %w", group, err)
		}
		out, done, err := p.round(ctx)
		if errors.Is(err, errRetry) {
			if err := attempts.Wait(ctx, err); err != nil {
				return nil, fmt.Errorf("consuming in group %s: %w", group, err)
			}
			continue
		}
		if err != nil || done {
			return out, err
		}
	}
}

// poll is a call of Consume.
type poll struct {
	e               *Engine
	c               *Cluster
	group, instance string
	topics          []string
	options         InstanceOptions
	until           context.Context // see Engine.timeout
	wait            *wait           // for the partitions of generation
	generation      int64
	asked           bool // the group has been asked to take the instance in

	id      string // of the call
	looked  bool   // the group has been read before
	before  string // id of the call that was the instance's when this one first looked
	claimed bool   // this call is the instance's
	over    bool   // it is not any more

	received string // id of the answer that the caller got last; "": it does not say
}

func (p *poll) close() {
	if p.wait != nil {
		p.wait.stop()
	}
}

// round looks once. It reports done if the call is over.
func (p *poll) round(ctx context.Context) (out []Message, done bool, err error) {
	g, err := p.e.loadGroup(ctx, p.c.ID, p.group)
	if err != nil {
		return nil, false, err
	}
	if p.superseded(g) {
		p.over = true
		return nil, true, nil
	}
	joined, err := p.join(ctx, g)
	if err != nil || !joined {
		return nil, false, err
	}
	me := g.member(p.instance)
	mine := me.partitions(p.c.ID)
	for _, o := range mine {
		if g.position(o.name).offset == noPosition {
			return nil, false, noOffset(o.TopicPartition)
		}
	}
	if p.wait == nil || p.generation != g.generation {
		p.close()
		logs := make([]string, len(mine))
		for i, o := range mine {
			logs[i] = o.log
		}
		p.wait = p.e.newWait(ctx, p.until, logs, groupKey(p.c.ID, p.group).Partition, clusterPartition(p.c.ID))
		p.generation = g.generation
	}
	p.wait.witness, p.wait.limit = p.witness(g, me), g.quiet(me, p.e.nowMs())
	at := make([]cursor, len(mine))
	for i, o := range mine {
		at[i] = p.from(g, o.name)
	}
	heads, err := p.wait.heads(ctx, at)
	if err != nil {
		return nil, false, err
	}
	moved := map[string]cursor{}
	left := newBudget()
	first := 0
	if len(mine) > 0 {
		first = rand.IntN(len(mine)) // whoever is first must not starve the others
	}
	for i := range mine {
		i = (i + first) % len(mine)
		o, h := mine[i], heads[i]
		if at[i].offset != g.position(o.name).offset && len(moved) < maxTouched {
			moved[o.name] = at[i]
		}
		if h == nil || at[i].offset >= h.mark || left.messages == 0 || len(moved) == maxTouched {
			continue
		}
		records, next, err := p.e.readLog(ctx, o.log, at[i], h, left)
		if err != nil {
			return nil, false, err
		}
		if next == at[i] {
			continue
		}
		at[i], moved[o.name] = next, next
		for _, r := range records {
			out = append(out, Message{o.Topic, o.Partition, r})
		}
	}
	before := map[string]int64{}
	for name := range moved {
		before[name] = p.from(g, name).offset
	}
	if err := p.moveOn(ctx, g, me, mine, moved); err != nil {
		return nil, false, err
	}
	if err := ctx.Err(); err != nil && len(out) > 0 {
		p.takeBack(context.WithoutCancel(ctx), g, me, before, moved)
		return nil, false, fmt.Errorf("consuming in group %s: %w", p.group, err)
	}
	if len(out) > 0 || len(moved) > 0 && p.until.Err() != nil {
		return out, true, nil
	}
	return nil, !p.wait.more(heads, at), nil
}

// from is where the instance goes on in a partition: behind its last answer, or before that, if the
// caller has not got it.
func (p *poll) from(g *groupState, name string) cursor {
	at := g.position(name)
	if lost := p.received != "" && p.before != "" && p.received != p.before; !lost || p.claimed {
		return at
	}
	if before := g.confirmed(name); before != at.offset {
		return cursor{before, unknownSegment}
	}
	return at
}

// takeBack sets positions back that the call has moved: its client has gone while it did so. If that
// fails, the messages count as received only if the instance calls again.
func (p *poll) takeBack(ctx context.Context, g *groupState, me *member, before map[string]int64, moved map[string]cursor) {
	ctx, cancel := context.WithTimeout(ctx, leadFor)
	defer cancel()
	cond := store.And{store.Eq(attrPoll+strconv.Itoa(me.ID), store.Bytes(p.id))}
	edits := []store.Edit{store.Set(attrVersion, store.Bytes(writeID()))}
	for name, at := range moved {
		cond = append(cond, store.Eq(attrPosition+name, store.Int(at.offset)))
		edits = append(edits, store.Set(attrPosition+name, store.Int(before[name])), store.Set(attrSegment+name, store.Int(unknownSegment)))
	}
	update := store.Update(groupKey(g.cluster, g.name), cond, edits...)
	err := p.e.repeat(ctx, func() error { _, err := p.e.store.Apply(ctx, update); return err })
	if _, ok := unmet(err); err != nil && !ok {
		p.e.log.WarnContext(ctx, "positions of a client that has gone were not taken back", "group", g.name, "error", err)
	}
}

// witness tells from the group's item, perhaps as it was a moment ago, whether the call has to look
// properly: after a rebalance, or when a newer call has begun.
func (p *poll) witness(g *groupState, me *member) *witness {
	generation, attr := g.generation, attrPoll+strconv.Itoa(me.ID)
	return &witness{groupKey(p.c.ID, p.group), func(as store.Attrs) bool {
		call := as.Get(attr).Str()
		return as.Get(attrGeneration).Num() <= generation && (call == p.id || call == p.before)
	}}
}

// quiet is how long nothing has to be done for an instance that waits: until it has to be noted that it
// is there, or another one expires.
func (g *groupState) quiet(me *member, now int64) time.Duration {
	left := g.number(attrSeen, me.ID) + me.Timeout/touchEvery - now
	for _, m := range g.members {
		if at := g.number(attrSeen, m.ID) + m.Timeout + 1 - now; m.ID != me.ID && at > 0 {
			left = min(left, at)
		}
	}
	return max(firstLook, time.Duration(left)*time.Millisecond)
}

// superseded reports whether the call has nothing more to say: a newer one of the instance has begun,
// or the instance was taken out of the group.
func (p *poll) superseded(g *groupState) bool {
	me, now := g.member(p.instance), ""
	if me != nil {
		now = g.poll(me)
	}
	if p.claimed {
		return me == nil || now != p.id || g.expired(me, p.e.nowMs())
	}
	if !p.looked || now == "" { // none has begun since it was taken in
		p.looked, p.before = true, now
	}
	return now != p.before
}

// join makes the instance a member with the topics it wants, and the group one
// whose assignment is right. It reports true if there was nothing to do.
func (p *poll) join(ctx context.Context, g *groupState) (bool, error) {
	now := p.e.nowMs()
	me := g.member(p.instance)
	// An instance that was taken in just now is there, even if its session is shorter than a call to
	// the store takes. Otherwise it would never get anything.
	there := ""
	if p.asked {
		there = p.instance
	}
	if me != nil && (p.asked || !g.expired(me, now)) && slices.Equal(me.Topics, p.topics) {
		topics, err := p.e.topicsOf(ctx, p.c, g.members)
		if err != nil {
			return false, err
		}
		if g.balanced(topics, now, there) {
			p.asked = false
			return true, nil
		}
	}
	if p.asked {
		// What others ask for meanwhile can undo it. The next time comes after a pause.
		p.asked = false
		return false, errRetry
	}
	p.asked = true
	return false, p.e.ask(ctx, p.c, p.group, request{instance: p.instance, member: &member{
		Topics: p.topics, Auto: p.options.AutoCommit,
		Interval: p.options.AutoCommitInterval.Milliseconds(), Reset: p.options.Reset,
		Timeout: p.options.SessionTimeout.Milliseconds(),
	}})
}

// touchEvery is the part of the session timeout after which it is noted that an
// instance is there, if there is nothing else to write.
const touchEvery = 4

// moveOn makes the call the instance's if it was not yet, writes how far the instance has got, and
// commits automatically what is due: the positions as they were before this call's messages. errRetry:
// another call of the instance, or a rebalance, has come in between, and the messages must not be given out.
func (p *poll) moveOn(ctx context.Context, g *groupState, me *member, mine []owned, moved map[string]cursor) error {
	e := p.e
	now, id := e.nowMs(), strconv.Itoa(me.ID)
	due := me.Auto && now-g.number(attrCommitTime, me.ID) >= me.Interval
	unconfirmed := g.attrs.Has(attrLost+id) || slices.ContainsFunc(mine, func(o owned) bool { return g.attrs.Has(attrConfirmed + o.name) })
	begins := !p.claimed && (p.until.Err() == nil || unconfirmed)
	if len(moved) == 0 && !due && !begins && now-g.number(attrSeen, me.ID) < me.Timeout/touchEvery {
		return nil
	}
	write := writeID()
	cond := store.And{store.Eq(attrGeneration, store.Int(g.generation))}
	edits := []store.Edit{
		store.Set(attrVersion, store.Bytes(write)),
		store.Set(attrSeen+id, store.Int(now)),
		store.Set(attrAnswer+id, store.Bytes(write)),
	}
	switch {
	case p.claimed:
		cond = append(cond, store.Eq(attrPoll+id, store.Bytes(p.id)))
	case p.before == "":
		cond = append(cond, store.Absent(attrPoll+id))
	default:
		cond = append(cond, store.Eq(attrPoll+id, store.Bytes(p.before)))
	}
	if !p.claimed {
		edits = append(edits, store.Set(attrPoll+id, store.Bytes(p.id)), store.Remove(attrLost+id))
	}
	for name, at := range moved {
		before := p.from(g, name).offset
		cond = append(cond, store.Eq(attrPosition+name, store.Int(g.position(name).offset)))
		edits = append(edits, store.Set(attrPosition+name, store.Int(at.offset)))
		if at.segment == at.offset {
			edits = append(edits, store.Remove(attrSegment+name))
		} else {
			edits = append(edits, store.Set(attrSegment+name, store.Int(at.segment)))
		}
		if !p.claimed || !g.attrs.Has(attrConfirmed+name) {
			edits = append(edits, store.Set(attrConfirmed+name, store.Int(before)))
		}
	}
	for _, o := range mine {
		// That the instance calls says that it has had the answer before.
		if _, ok := moved[o.name]; !p.claimed && !ok && g.attrs.Has(attrConfirmed+o.name) {
			edits = append(edits, store.Remove(attrConfirmed+o.name))
		}
	}
	var later []store.Edit
	if due {
		for _, o := range mine {
			at := p.from(g, o.name).offset
			if p.claimed { // it has answered with nothing so far, but it may be about to
				at = g.confirmed(o.name)
			}
			if at == g.committed(o.name) || at == noPosition {
				continue
			}
			if ed := store.Set(attrCommitted+o.name, store.Int(at)); len(edits) < 4*maxTouched {
				edits = append(edits, ed)
			} else {
				later = append(later, ed)
			}
		}
		edits = append(edits, store.Set(attrCommitTime+id, store.Int(now)))
	}
	_, err := e.store.Apply(ctx, store.Update(groupKey(g.cluster, g.name), cond, edits...))
	if errors.Is(err, store.ErrUnknownOutcome) {
		err = e.resolve(context.WithoutCancel(ctx), g, attrAnswer+id, write)
	}
	if ce, ok := unmet(err); ok && ce.Old.Get(attrAnswer+id).Str() == write {
		err = nil // it was sent twice on its way, and is there
	} else if ok || errors.Is(err, store.ErrConflict) {
		return errRetry
	}
	if err != nil {
		return fmt.Errorf("moving group %s on: %w", g.name, err)
	}
	if !p.claimed {
		p.claimed = true
		e.notifier.notifyOthers(groupKey(g.cluster, g.name).Partition, p.wait.news) // calls that are over now
	}
	for part := range slices.Chunk(later, maxTouched) {
		if _, err := e.store.Apply(ctx, store.Update(groupKey(g.cluster, g.name), store.Eq(attrGeneration, store.Int(g.generation)), part...)); err != nil {
			e.log.WarnContext(ctx, "positions were not committed", "group", g.name, "error", err)
		}
	}
	return nil
}

// resolve finds out whether a write whose answer was lost has taken place.
func (e *Engine) resolve(ctx context.Context, g *groupState, attr, write string) error {
	ctx, cancel := context.WithTimeout(ctx, leadFor)
	defer cancel()
	now, err := e.loadGroup(ctx, g.cluster, g.name)
	for attempts := e.retry.Begin(); err != nil; now, err = e.loadGroup(ctx, g.cluster, g.name) {
		if gaveUp := attempts.Wait(ctx, err); gaveUp != nil {
			return err
		}
	}
	if now.attrs.Get(attr).Str() == write {
		return nil
	}
	return errRetry
}
