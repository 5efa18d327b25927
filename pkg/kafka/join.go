package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// An instance that wants to join or leave writes that into its own item, and counts the wish in the
// group's item. Neither write has a condition that others could break, so a hundred instances that come
// at once do not hinder each other. With the count, an instance takes the group's lease if nobody has it.
// Who has the lease carries out all wishes that there are, with one rebalance, see rebalance.go. The others
// look at their items until they are dealt with. If nobody has the lease, or the same one has it for long,
// an instance that waits takes it.
//
// The lease only saves writes. Two leaders do no harm, see package groups.

const (
	// maxLooks is how often a leader may be seen at work before it is taken for dead. Because of the
	// pauses between looks, that is two seconds or more.
	maxLooks = 8
	// waitLooks bounds the looks of an instance: it waits for half a minute or more.
	waitLooks = 120
	// strongLook is the look from which on an instance reads the group's item, too, and the newest state.
	strongLook = 3
	// maxRounds bounds how often a leader takes in others before it goes about its own business.
	maxRounds = 8
	// leadFor bounds the time of a leader. It is not cut off when its client goes away.
	leadFor = 10 * time.Second
	// deadLease is the age of a lease from which on who does not wait takes it, in ms.
	deadLease = 30 * 1000
	// gatherFor is the pause of a leader before it takes in those who came meanwhile, so that they are
	// many. It is repeated as long as more come, but maxGather times at most.
	gatherFor = 50 * time.Millisecond
	maxGather = 6
)

// Pauses between the looks of an instance that waits.
const (
	firstWaitLook = 100 * time.Millisecond
	lastWaitLook  = 250 * time.Millisecond
)

// incarnationOf names a group that is made now. One of the same name is made again only after it was deleted.
func incarnationOf(now time.Time) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())))
}

// leaseOf names a lease: who has it, and since when.
func leaseOf(id string, now int64) store.Value {
	return store.Bytes(id + string(binary.BigEndian.AppendUint64(nil, uint64(now))))
}

func leaseSince(lease store.Value) int64 {
	text := lease.Str()
	if len(text) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(text[len(text)-8:])))
}

// join asks for an instance to be a member, and waits until that is dealt with. It returns the instance's
// item if the instance is one by this ask. The error is of kind Invalid if the group does not take it.
func (e *Engine) join(ctx context.Context, c *Cluster, group string, s *seat, ask *groups.Ask) (store.Attrs, error) {
	edits := []store.Edit{store.Set(memberAsk, store.Bytes(ask.Encode())), store.Remove(memberRefused)}
	if s.Member == nil {
		edits = append(edits, store.Set(store.TTLAttr, store.Int((ask.At+groups.AskLife)/1000+reclaimGrace)))
	}
	update := store.Update(memberKey(c.ID, group, s.Name), store.Same(memberIncarnation, s.attrs.Get(memberIncarnation)), edits...)
	// An ask that was written twice does no harm.
	err := e.repeat(ctx, func() error { _, err := e.store.Apply(ctx, update); return err })
	if _, ok := unmet(err); ok {
		return nil, errRetry
	}
	if err != nil {
		return nil, fmt.Errorf("asking group %s: %w", group, err)
	}
	now, err := e.press(ctx, c, group, s.Name, func(attrs store.Attrs) bool {
		refused := attrs.Get(memberRefused).Elems()
		return attrs.Get(memberIncarnation).Str() == ask.ID || len(refused) == 2 && refused[0] == ask.ID
	})
	if err != nil {
		return nil, err
	}
	if refused := now.Get(memberRefused).Elems(); len(refused) == 2 && refused[0] == ask.ID {
		kind := Invalid
		if refused[1] == busyText {
			kind = InUse
		}
		return nil, errors.Join(refuse(kind, "%s", refused[1]), e.forgetRefusal(ctx, c, group, s.Name, now))
	}
	if now.Get(memberIncarnation).Str() == ask.ID {
		return now, nil
	}
	return nil, nil
}

// forgetRefusal deletes the item of an instance that was never taken in.
func (e *Engine) forgetRefusal(ctx context.Context, c *Cluster, group, name string, attrs store.Attrs) error {
	if attrs.Has(memberIncarnation) {
		return nil
	}
	_, err := e.store.Apply(ctx, store.Delete(memberKey(c.ID, group, name), store.And{
		store.Absent(memberIncarnation), store.Absent(memberAsk)}))
	if _, ok := unmet(err); ok || err == nil {
		return nil
	}
	return fmt.Errorf("asking group %s: %w", group, err)
}

// press counts a wish, and has all wishes carried out, by this call or another one. It returns the item of
// an instance when it is handled, or the group is done with the wishes that there were. What it returns may
// be a moment old, but if it is handled.
func (e *Engine) press(ctx context.Context, c *Cluster, group, name string, handled func(store.Attrs) bool) (store.Attrs, error) {
	l := &leader{e: e, c: c, group: group}
	key := memberKey(c.ID, group, name)
	news, stop := e.notifier.watch([]string{key.Partition + key.Sort})
	defer stop()
	leads, err := l.take(ctx, 1)
	if err != nil {
		return nil, err
	}
	mine := l.want
	sleep := e.wakened(news)
	other, seen := "", 0
	for look := 1; ; look++ {
		if leads {
			if err := l.lead(ctx); err != nil {
				return nil, err
			}
			return e.store.Get(ctx, key)
		}
		if look == waitLooks {
			return nil, fmt.Errorf("asking group %s: %w", group, errRetry)
		}
		if err := sleep(ctx, min(lastWaitLook, firstWaitLook*time.Duration(look))); err != nil {
			return nil, fmt.Errorf("asking group %s: %w", group, errors.Join(errRetry, err))
		}
		if look < strongLook {
			attrs, err := e.store.Get(store.Stale(ctx), key)
			if err != nil {
				return nil, fmt.Errorf("asking group %s: %w", group, err)
			}
			if handled(attrs) {
				return attrs, nil
			}
			continue
		}
		items, err := e.store.GetMany(ctx, []store.Key{key, groupKey(c.ID, group)}, false)
		if err != nil {
			return nil, fmt.Errorf("asking group %s: %w", group, err)
		}
		if handled(items[0]) || items[1].Get(groupDone).Num() >= mine {
			return items[0], nil
		}
		switch owner := items[1].Get(groupLease).Str(); {
		case owner == "":
			leads, err = l.take(ctx, 0)
		case owner != other:
			other, seen = owner, 1
		case seen < maxLooks:
			seen++
		default:
			leads, err = l.takeFrom(ctx, other)
		}
		if err != nil {
			return nil, err
		}
	}
}

// wakened waits as the engine's retry policy does, but that news end a pause.
func (e *Engine) wakened(news <-chan struct{}) func(context.Context, time.Duration) error {
	if e.retry.Sleep != nil {
		return e.retry.Sleep
	}
	return func(ctx context.Context, d time.Duration) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		case <-timer.C:
		}
		return nil
	}
}

// leader is who carries out what instances of a group wish.
type leader struct {
	e     *Engine
	c     *Cluster
	group string
	lease store.Value // as its owner
	want  int64       // wishes when the group was looked at last

	gathered bool // it has waited for others

	known map[string]groups.Topic // what the group knows since the last round, nil: as its item says
	after []store.Edit            // of the group's item, which the release of the lease carries out
}

// take takes the lease if it is free, and counts wishes. It reports whether it was.
func (l *leader) take(ctx context.Context, wishes int64) (bool, error) {
	if l.lease.IsZero() {
		l.lease = leaseOf(writeID(), l.e.nowMs())
	}
	old, err := l.e.store.Apply(ctx, store.Update(groupKey(l.c.ID, l.group), nil,
		store.Default(groupForm, store.Bytes(formItems)),
		store.Default(groupIncarnation, store.Bytes(incarnationOf(l.e.now()))),
		store.Default(groupLease, l.lease),
		store.Add(groupWant, groupWant, wishes)))
	if errors.Is(err, store.ErrUnknownOutcome) {
		return false, nil // if it is ours, the next take finds that out
	}
	if err != nil {
		return false, fmt.Errorf("asking group %s: %w", l.group, err)
	}
	l.want = old.Get(groupWant).Num() + wishes
	return !old.Has(groupLease) || old.Get(groupLease).Equal(l.lease), nil
}

// takeFrom takes the lease from a leader that is taken for dead.
func (l *leader) takeFrom(ctx context.Context, other string) (bool, error) {
	if l.lease.IsZero() {
		l.lease = leaseOf(writeID(), l.e.nowMs())
	}
	old, err := l.e.store.Apply(ctx, store.Update(groupKey(l.c.ID, l.group),
		store.Eq(groupLease, store.Bytes(other)), store.Set(groupLease, l.lease)))
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking group %s: %w", l.group, err)
	}
	l.want = old.Get(groupWant).Num()
	return true, nil
}

// lead carries out all wishes and gives the lease back. The error is that of the first round, which has
// the wish of the caller in it.
func (l *leader) lead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadFor)
	defer cancel()
	var first error
	for round := 1; ; round++ {
		err := l.e.retry.Do(ctx, l.rebalance)
		if err != nil {
			err = fmt.Errorf("changing the members of group %s: %w", l.group, err)
		}
		if round == 1 {
			first = err
		} else if err != nil {
			l.e.log.WarnContext(ctx, "instances were not taken into their group", "group", l.group, "error", err)
		}
		if more := l.release(ctx, err == nil, round < maxRounds); !more {
			return first
		}
		l.gathered = true
		l.gather(ctx)
	}
}

// release gives the lease back. With unlessMore it does not if there are more wishes than were carried
// out, and reports true then.
func (l *leader) release(ctx context.Context, done, unlessMore bool) (more bool) {
	cond := store.And{store.Eq(groupLease, l.lease)}
	edits := []store.Edit{store.Remove(groupLease)}
	if done {
		edits = append(append(edits, store.Set(groupDone, store.Int(l.want))), l.after...)
		if unlessMore {
			cond = append(cond, store.Eq(groupWant, store.Int(l.want)))
		}
	}
	update := store.Update(groupKey(l.c.ID, l.group), cond, edits...)
	err := l.e.repeat(ctx, func() error { _, err := l.e.store.Apply(ctx, update); return err })
	ce, changed := unmet(err)
	if err != nil && !changed {
		l.e.log.WarnContext(ctx, "a group's lease was not given back", "group", l.group, "error", err)
	}
	if !changed || !ce.Old.Get(groupLease).Equal(l.lease) {
		return false
	}
	l.want = ce.Old.Get(groupWant).Num()
	return true
}

// gather waits until no more wishes come.
func (l *leader) gather(ctx context.Context) {
	sleep := l.e.wakened(nil)
	for range maxGather {
		if sleep(ctx, gatherFor) != nil {
			return
		}
		attrs, err := l.e.store.Get(ctx, groupKey(l.c.ID, l.group))
		if err != nil || attrs.Get(groupWant).Num() == l.want {
			return
		}
		l.want = attrs.Get(groupWant).Num()
	}
}
