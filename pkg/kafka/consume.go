package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// maxTouched bounds the partitions that one request reads from, and the attributes of an item that are
// changed in one call.
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
	generation      int64           // of the member's state
	asked           bool            // the group has been asked to put the instance right
	fenced          int             // rounds in a row in which a rebalance was under way
	looked          int64           // when the group was looked at: what it then said of when to look next
	record          *groupItem      // as it was read then
	found           store.Attrs     // the instance's item, read already; nil: it is to be read

	id      string // of the call
	begun   bool   // the instance has been read before
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

// owned is a partition of an instance.
type owned struct {
	TopicPartition
	topic int64 // id
	log   string
}

// ownedOf are the partitions that an instance has, in the order of its places.
func ownedOf(cluster string, m *groups.Member) (out []owned) {
	for _, r := range m.Runs {
		t := Topic{cluster: cluster, id: r.ID}
		for i := range r.Places {
			out = append(out, owned{TopicPartition{r.Topic, r.First + i}, r.ID, t.log(r.First + i)})
		}
	}
	return out
}

// round looks once. It reports done if the call is over.
func (p *poll) round(ctx context.Context) (out []Message, done bool, err error) {
	s, err := p.read(ctx)
	if err != nil {
		return nil, false, err
	}
	if p.superseded(s) {
		p.over = true
		return nil, true, nil
	}
	joined, err := p.join(ctx, s)
	if err != nil || !joined {
		return nil, false, err
	}
	mine := ownedOf(p.c.ID, s.Member)
	if p.wait == nil || p.generation != s.Member.Generation {
		p.close()
		logs := make([]string, len(mine))
		for i, o := range mine {
			logs[i] = o.log
		}
		key := memberKey(p.c.ID, p.group, p.instance)
		p.wait = p.e.newWait(ctx, p.until, logs, key.Partition+key.Sort, clusterPartition(p.c.ID))
		p.generation = s.Member.Generation
	}
	p.wait.witness = p.witness(s)
	step := p.begin(s, mine)
	heads, err := p.wait.heads(ctx, step.at)
	if err != nil {
		return nil, false, err
	}
	if err := step.resolve(heads); err != nil {
		return nil, false, err
	}
	if s.Member.Back == 0 {
		if out, err = p.readLogs(ctx, step, heads); err != nil {
			return nil, false, err
		}
	}
	if err := p.moveOn(ctx, s, step); err != nil {
		return nil, false, err
	}
	if s.Member.Back != 0 {
		// The instance has had what it was given, so that what is asked back may be taken. Then it gets more.
		_, err := p.e.press(ctx, p.c, p.group, p.instance, func(as store.Attrs) bool { return as.Get(memberFence).Num() > s.Fence })
		return nil, false, err
	}
	if err := ctx.Err(); err != nil && len(out) > 0 {
		p.takeBack(context.WithoutCancel(ctx), s, step)
		return nil, false, fmt.Errorf("consuming in group %s: %w", p.group, err)
	}
	if len(out) > 0 || len(step.moved) > 0 && p.until.Err() != nil {
		return out, true, nil
	}
	p.wait.limit = p.quiet(s.Member)
	return nil, !p.wait.more(heads, step.at), nil
}

// readLogs reads what there is behind the places, and moves these.
func (p *poll) readLogs(ctx context.Context, step *step, heads []*head) (out []Message, err error) {
	left := newBudget()
	first := 0
	if len(step.mine) > 0 {
		first = rand.IntN(len(step.mine)) // whoever is first must not starve the others
	}
	read := 0
	for i := range step.mine {
		i = (i + first) % len(step.mine)
		o, h := step.mine[i], heads[i]
		if h == nil || step.at[i].offset >= h.mark || left.messages == 0 || read == maxTouched {
			continue
		}
		records, next, err := p.e.readLog(ctx, o.log, step.at[i], h, left)
		if err != nil {
			return nil, err
		}
		if next == step.at[i] {
			continue
		}
		read++
		step.at[i], step.moved[i] = next, true
		for _, r := range records {
			out = append(out, Message{o.Topic, o.Partition, r})
		}
	}
	return out, nil
}

// read reads the instance's item.
func (p *poll) read(ctx context.Context) (*seat, error) {
	if attrs := p.found; attrs != nil {
		p.found = nil
		return seatOf(p.instance, attrs)
	}
	return p.e.loadSeat(ctx, p.c.ID, p.group, p.instance)
}

// witness tells from the instance's item, perhaps as it was a moment ago, whether the call has to look
// properly: after a rebalance, or when a newer call has begun.
func (p *poll) witness(s *seat) *witness {
	fence, incarnation := s.Fence, s.Member.Incarnation
	return &witness{memberKey(p.c.ID, p.group, p.instance), func(as store.Attrs) bool {
		call := as.Get(memberCall).Str()
		return as.Get(memberFence).Num() <= fence && as.Get(memberIncarnation).Str() == incarnation &&
			(call == p.id || call == p.before) && !as.Has(memberQuit)
	}}
}

// touchEvery is the part of the session timeout after which it is noted that an
// instance is there, if there is nothing else to write.
const touchEvery = 4

// lookEarly is the part of the session timeout by which a call looks at the group before it has to.
const lookEarly = 4

// quiet is how long nothing has to be done for an instance that waits: until it has to be noted that it
// is there, or the group has to be looked at.
func (p *poll) quiet(m *groups.Member) time.Duration {
	next := min(m.Seen+m.Timeout/touchEvery, max(m.Look, p.looked))
	return max(firstLook, time.Duration(next-p.e.nowMs())*time.Millisecond)
}

// superseded reports whether the call has nothing more to say: a newer one of the instance has begun,
// or the instance was taken out of the group.
func (p *poll) superseded(s *seat) bool {
	call := ""
	if s.Member != nil {
		call = s.Member.Call
	}
	switch {
	case p.claimed:
		return s.Member == nil || call != p.id || s.Member.Expired(p.e.nowMs()) && !p.asked
	case call == p.id: // it was taken in with this call
		p.claimed, p.begun = true, true
		return false
	case !p.begun || call == "": // none has begun since it was taken in
		p.begun, p.before = true, call
	}
	return call != p.before
}

// join makes the instance a member with the topics it wants, and the group one
// whose assignment is right. It reports true if there was nothing to do.
func (p *poll) join(ctx context.Context, s *seat) (bool, error) {
	now, m := p.e.nowMs(), s.Member
	// An instance that was taken in just now is there, even if its session is shorter than a call to
	// the store takes. Otherwise it would never get anything.
	if m == nil || s.Quit || m.Expired(now) && !p.asked || !slices.Equal(m.Topics, p.topics) {
		if p.asked {
			// What others ask for meanwhile can undo it. The next time comes after a pause.
			p.asked = false
			return false, errRetry
		}
		p.asked = true
		var err error
		p.found, err = p.e.join(ctx, p.c, p.group, s, &groups.Ask{
			ID: writeID(), At: now, Call: p.id, Options: p.options.member(), Topics: p.topics,
		})
		return false, err
	}
	if s.Fence != m.Generation {
		if p.fenced++; p.fenced <= maxLooks {
			return false, errRetry // it is being rebalanced
		}
		p.fenced = 0 // who did that is dead
		_, err := p.e.press(ctx, p.c, p.group, p.instance, func(as store.Attrs) bool { return as.Get(memberFence).Num() > s.Fence })
		return false, err
	}
	p.fenced = 0
	right, err := p.balanced(ctx, m)
	if err != nil {
		return false, err
	}
	if !right {
		if p.asked {
			p.asked = false
			return false, errRetry
		}
		p.asked = true
		_, err := p.e.press(ctx, p.c, p.group, p.instance, func(as store.Attrs) bool { return as.Get(memberFence).Num() > s.Fence })
		return false, err
	}
	p.asked = false
	soon := now
	if !p.claimed {
		soon += m.Timeout / lookEarly // so that a call that waits need not be woken for that
	}
	if soon >= m.Look && now >= p.looked {
		return p.look(ctx, m, now)
	}
	return true, nil
}

// balanced reports whether the instance's assignment is of its topics as they are now.
func (p *poll) balanced(ctx context.Context, m *groups.Member) (bool, error) {
	for _, name := range m.Topics {
		i := slices.IndexFunc(m.Runs, func(r groups.Run) bool { return r.Topic == name })
		t, err := p.e.Topic(ctx, p.c, name)
		if IsKind(err, NotFound) {
			if i >= 0 {
				return false, nil
			}
			continue
		}
		if err != nil {
			return false, err
		}
		if i < 0 || m.Runs[i].ID != t.id || m.Runs[i].Of != t.Partitions {
			return false, nil
		}
	}
	return true, nil
}

// look sees whether something is to be done for the group that nobody has done: a session may have ended,
// or who has asked for something has died. It reports true if there is nothing, or another call does it.
func (p *poll) look(ctx context.Context, m *groups.Member, now int64) (bool, error) {
	g, err := p.e.loadRecord(ctx, p.c.ID, p.group)
	if err != nil {
		return false, err
	}
	due, lease := g.attrs.Get(groupDue).Num(), g.attrs.Get(groupLease)
	p.looked, p.record = now+m.Timeout/groups.LookEvery, g
	if due > now {
		p.looked = min(due, p.looked)
	}
	idle := due == 0 || due >= now
	if idle && g.attrs.Get(groupWant).Num() == g.attrs.Get(groupDone).Num() {
		return true, nil
	}
	l := &leader{e: p.e, c: p.c, group: p.group}
	var leads bool
	switch {
	case lease.IsZero():
		leads, err = l.take(ctx, 0)
	case leaseSince(lease) < now-deadLease:
		leads, err = l.takeFrom(ctx, lease.Str())
	}
	if err != nil || !leads {
		return err == nil, err
	}
	return false, l.lead(ctx)
}
