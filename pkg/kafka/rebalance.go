package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// atOnce bounds the items of a group that a leader writes at the same time.
const atOnce = 32

// rebalance carries out the wishes of a group's instances once, see package groups for the steps. It
// writes nothing in a group that is right as it is, but when the next session may end. errRetry: somebody
// else came in between.
func (l *leader) rebalance(ctx context.Context) error {
	g, err := l.e.loadGroup(ctx, l.c.ID, l.group)
	if err != nil {
		return err
	}
	if want := g.attrs.Get(groupWant).Num(); want > l.want && !l.gathered {
		l.want, l.gathered = want, true // more are coming
		l.gather(ctx)
		return l.rebalance(ctx)
	}
	if !g.attrs.Get(groupLease).Equal(l.lease) {
		return nil // another one has it, and does the same
	}
	now := l.e.nowMs()
	known := l.known
	if known == nil {
		known = decodeKnown(g.attrs.Get(groupKnown))
	}
	candidates := make([]*groups.Candidate, len(g.seats))
	for i, s := range g.seats {
		candidates[i] = &s.Candidate
	}
	plan := groups.NewPlan(candidates, known, now)
	refused := map[string]string{}
	if err := l.refuseBusy(ctx, g, plan, refused); err != nil {
		return err
	}
	if err := l.e.admit(ctx, l.c, g, plan, refused); err != nil {
		return err
	}
	if err := l.assign(ctx, plan); err != nil {
		return err
	}
	if len(plan.Changed()) == 0 {
		l.after = []store.Edit{store.Set(groupDue, store.Int(plan.Due()))}
		return nil
	}
	blocks, raw, err := l.e.loadBlocks(ctx, g)
	if err != nil {
		return err
	}
	if without := plan.Without(blocks); len(without) > 0 {
		for name, part := range without {
			refused[name] = noOffset(TopicPartition(part)).Error()
			plan.Refuse(name)
		}
		if err := l.assign(ctx, plan); err != nil {
			return err
		}
	}
	return l.carryOut(ctx, g, plan, blocks, raw, refused)
}

// busyText is why nobody joins a group that has members of Kafka's own protocol.
const busyText = "the group has members that use Kafka's own protocol"

// refuseBusy lets nobody join a group that has members of Kafka's own protocol.
func (l *leader) refuseBusy(ctx context.Context, g *groupItem, plan *groups.Plan, refused map[string]string) error {
	joining := plan.Joining()
	if len(joining) == 0 {
		return nil
	}
	busy, err := l.e.hasClassic(ctx, g)
	if err != nil || !busy {
		return err
	}
	for _, name := range joining {
		refused[name] = busyText
		plan.Refuse(name)
	}
	return nil
}

// assign assigns the partitions of the topics that the members read. Topics that are gone are left out.
func (l *leader) assign(ctx context.Context, plan *groups.Plan) error {
	topics := map[string]groups.Topic{}
	for _, name := range plan.Topics() {
		t, err := l.e.Topic(ctx, l.c, name)
		if IsKind(err, NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		topics[name] = groups.Topic{ID: t.id, Partitions: t.Partitions}
	}
	plan.Assign(topics)
	return nil
}

func (l *leader) carryOut(ctx context.Context, g *groupItem, plan *groups.Plan, blocks map[groups.BlockKey]*groups.Block, raw map[groups.BlockKey]store.Attrs, refused map[string]string) error {
	if plan.OnlyRefuses() {
		l.after = []store.Edit{store.Set(groupDue, store.Int(plan.Due()))}
		return l.removeAll(ctx, g, plan.Changed(), refused)
	}
	if err := l.count(ctx, g, plan.Members()); err != nil {
		return err
	}
	generation, err := l.raise(ctx, g)
	if err != nil {
		return err
	}
	seats := map[string]*seat{}
	for _, s := range g.seats {
		seats[s.Name] = s
	}
	fenced, err := l.fence(ctx, plan.Changed(), seats, generation)
	if err != nil {
		return err
	}
	settled := plan.Settle(generation, fenced, blocks)
	var mu sync.Mutex
	keys := slices.Collect(maps.Keys(settled.Moves))
	err = l.each(ctx, len(keys), func(ctx context.Context, i int) error {
		b, err := l.e.moveBlock(ctx, g, keys[i], raw[keys[i]], settled.Moves[keys[i]], generation)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		blocks[keys[i]] = b
		return nil
	})
	if err != nil {
		return err
	}
	settled.Started(blocks, generation)
	err = l.each(ctx, len(settled.Members), func(ctx context.Context, i int) error {
		m := settled.Members[i]
		return l.give(ctx, seats[m.Name], m, generation, refused[m.Name])
	})
	if err != nil {
		return err
	}
	if err := l.removeAll(ctx, g, settled.Left, refused); err != nil {
		return err
	}
	l.known = settled.Known
	l.after = []store.Edit{
		store.Set(groupKnown, encodeKnown(settled.Known)),
		store.Set(groupTopics, store.List(plan.Topics())),
		store.Set(groupDue, store.Int(plan.Due())),
	}
	return nil
}

// each does something n times, several at once. The error is the first one.
func (l *leader) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if n == 1 {
		return do(ctx, 0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	places := make(chan struct{}, atOnce)
	var work sync.WaitGroup
	for i := range n {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	work.Wait()
	return context.Cause(ctx)
}

// count notes in the list of groups how many members a group has. Reclaim does not forget a group whose
// name is listed later than the group itself.
func (l *leader) count(ctx context.Context, g *groupItem, members int) error {
	before := 0
	for _, s := range g.seats {
		if s.Member != nil {
			before++
		}
	}
	if before == members && g.generation() > 0 {
		return nil
	}
	update := store.Update(groupIndexKey(g.cluster, g.name), nil,
		store.Set(indexInstances, store.Int(int64(members))), store.Default(indexCreated, store.Int(l.e.nowMs())))
	if _, err := l.e.store.Apply(ctx, update); errors.Is(err, store.ErrUnknownOutcome) {
		return errRetry
	} else if err != nil {
		return fmt.Errorf("counting the instances of group %s: %w", g.name, err)
	}
	return nil
}

// raise begins a new generation.
func (l *leader) raise(ctx context.Context, g *groupItem) (generation int64, err error) {
	edits := []store.Edit{store.Add(groupGeneration, groupGeneration, 1), store.Set(groupUsed, store.Int(l.e.nowMs()))}
	// Whoever joins by Kafka's own protocol meanwhile has the condition that the generation is the same.
	cond := store.And{store.Eq(groupLease, l.lease), store.Same(classicWrite, g.attrs.Get(classicWrite))}
	if g.attrs.Has(classicWrite) { // members of Kafka's own protocol, if there were some, have died
		edits = append(edits, store.Set(classicWrite, store.Bytes(writeID())), store.Remove(classicState), store.Remove(classicRoster), store.Remove(classicLeader))
	}
	old, err := l.e.store.Apply(ctx, store.Update(groupKey(g.cluster, g.name), cond, edits...))
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) {
		return 0, errRetry
	}
	if err != nil {
		return 0, err
	}
	return old.Get(groupGeneration).Num() + 1, nil
}

// fence stops members of some names, and returns them as they are then.
func (l *leader) fence(ctx context.Context, names []string, seats map[string]*seat, generation int64) (map[string]*groups.Member, error) {
	var mu sync.Mutex
	fenced := map[string]*groups.Member{}
	err := l.each(ctx, len(names), func(ctx context.Context, i int) error {
		s := seats[names[i]]
		if s.Member == nil {
			return nil
		}
		key := memberKey(l.c.ID, l.group, s.Name)
		edit := store.Set(memberFence, store.Int(generation))
		old, err := l.e.store.Apply(ctx, store.Update(key, store.And{
			store.Eq(memberIncarnation, store.Bytes(s.Member.Incarnation)), store.Lt(memberFence, store.Int(generation))}, edit))
		if errors.Is(err, store.ErrUnknownOutcome) {
			old, err = l.e.store.Get(ctx, key)
			if err == nil && old.Get(memberFence).Num() != generation {
				return errRetry
			}
		}
		if _, ok := unmet(err); ok {
			return errRetry
		}
		if err != nil {
			return err
		}
		attrs, _ := store.ApplyEdits(old, []store.Edit{edit})
		now, err := seatOf(s.Name, attrs)
		if err != nil {
			return err
		}
		if now.Member == nil || now.Member.Incarnation != s.Member.Incarnation {
			return errRetry
		}
		mu.Lock()
		defer mu.Unlock()
		// What was asked for meanwhile is not in the plan.
		s.attrs, s.Member = attrs.With(memberAsk, s.attrs.Get(memberAsk)).With(memberQuit, s.attrs.Get(memberQuit)), now.Member
		fenced[s.Name] = now.Member
		return nil
	})
	return fenced, err
}

// give writes a member's new state, which ends its fence. What it asked for is dealt with then.
func (l *leader) give(ctx context.Context, s *seat, m *groups.Member, generation int64, refused string) error {
	key, write := memberKey(l.c.ID, l.group, m.Name), store.Bytes(writeID())
	edits := []store.Edit{
		store.Set(memberIncarnation, store.Bytes(m.Incarnation)), store.Set(memberWrite, write),
		store.Set(memberFence, store.Int(generation)), store.Set(memberState, store.Bytes(m.Encode())),
		store.Set(memberCall, store.Bytes(m.Call)), store.Remove(store.TTLAttr),
	}
	if m.Call == "" {
		edits[4] = store.Remove(memberCall)
	}
	if m.Back > 0 {
		edits = append(edits, store.Set(memberBack, store.Int(m.Back)))
	} else {
		edits = append(edits, store.Remove(memberBack))
	}
	if refused != "" {
		edits = append(edits, store.Set(memberRefused, store.List([]string{s.Ask.ID, refused})))
	}
	dealt := []store.Edit{store.Remove(memberAsk)}
	cond := append(s.asRead(), store.Same(memberAsk, s.attrs.Get(memberAsk)), store.Same(memberQuit, s.attrs.Get(memberQuit)))
	if s.Quit {
		dealt = append(dealt, store.Remove(memberQuit))
	}
	for {
		_, err := l.e.store.Apply(ctx, store.Update(key, cond, append(slices.Clip(edits), dealt...)...))
		ce, changed := unmet(err)
		switch {
		case err == nil || changed && ce.Old.Get(memberWrite).Equal(write):
			l.e.notifier.notify(key.Partition + key.Sort)
			return nil
		case changed && len(dealt) > 0 && store.Holds(s.asRead(), ce.Old):
			// It asks for something new meanwhile, which stays.
			cond, dealt = s.asRead(), nil
		case changed || errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, store.ErrConflict):
			return errRetry
		default:
			return err
		}
	}
}

// removeAll removes instances of some names.
func (l *leader) removeAll(ctx context.Context, g *groupItem, names []string, refused map[string]string) error {
	return l.each(ctx, len(names), func(ctx context.Context, i int) error {
		n := slices.IndexFunc(g.seats, func(s *seat) bool { return s.Name == names[i] })
		return l.remove(ctx, g.seats[n], refused[names[i]])
	})
}

// remove takes a member out that was fenced, or an ask that leads to nothing.
func (l *leader) remove(ctx context.Context, s *seat, refused string) error {
	key := memberKey(l.c.ID, l.group, s.Name)
	same := append(s.asRead(), store.Same(memberAsk, s.attrs.Get(memberAsk)))
	op := store.Delete(key, same)
	if refused != "" {
		op = store.Update(key, same, store.Set(memberRefused, store.List([]string{s.Ask.ID, refused})), store.Remove(memberAsk),
			store.Remove(memberIncarnation), store.Remove(memberWrite), store.Remove(memberFence), store.Remove(memberState),
			store.Remove(memberCall), store.Remove(memberQuit), store.Remove(memberBack), store.Set(store.TTLAttr, store.Int(l.e.nowMs()/1000+reclaimGrace)))
	}
	_, err := l.e.store.Apply(ctx, op)
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) || errors.Is(err, store.ErrConflict) {
		return errRetry
	}
	if err == nil {
		l.e.notifier.notify(key.Partition + key.Sort)
	}
	return err
}

// spareInstances is by how many instances may be more than partitions: one that takes the place of
// a crashed one comes before the session of that has ended.
const spareInstances = 100

// admit refuses instances too many.
func (e *Engine) admit(ctx context.Context, c *Cluster, g *groupItem, plan *groups.Plan, refused map[string]string) error {
	joining := plan.Joining()
	if len(joining) == 0 {
		return nil
	}
	record, err := e.store.Get(ctx, clusterKey(c.ID))
	if err != nil {
		return fmt.Errorf("counting partitions: %w", err)
	}
	most := spareInstances + int(record.Get(clusterPartitions).Num())
	others, exact, err := e.otherInstances(ctx, c.ID, g.name)
	if err != nil {
		return err
	}
	if !exact && plan.Members()+others > most {
		if others, err = e.countOtherInstances(ctx, c.ID, g.name); err != nil {
			return err
		}
	}
	for _, name := range joining[min(len(joining), max(0, most-(plan.Members()-len(joining))-others)):] {
		refused[name] = fmt.Sprintf("the cluster can have %d instances of groups, %d more than partitions", most, spareInstances)
		plan.Refuse(name)
	}
	return nil
}

// otherInstances counts the instances of all groups but one by the list of groups, without reading the
// groups. The number may be too high, but for what others do at the same time; exact says that there
// are none, which is never too high.
func (e *Engine) otherInstances(ctx context.Context, cluster, group string) (n int, exact bool, err error) {
	items, err := e.queryAll(ctx, store.Query{Partition: clusterPartition(cluster), From: "g", To: "h"})
	if err != nil {
		return 0, false, fmt.Errorf("counting instances: %w", err)
	}
	for _, it := range items {
		if it.Key.Sort[1:] == group {
			continue
		}
		if !it.Attrs.Has(indexInstances) { // listed before there were counts
			n, err = e.countOtherInstances(ctx, cluster, group)
			return n, true, err
		}
		n += int(it.Attrs.Get(indexInstances).Num())
	}
	return n, n == 0, nil
}

// countOtherInstances counts the instances of all groups but one that have not expired.
func (e *Engine) countOtherInstances(ctx context.Context, cluster, name string) (n int, err error) {
	all, err := e.groups(ctx, cluster)
	if err != nil {
		return 0, err
	}
	for _, other := range all {
		if other.name != name {
			n += len(other.live(e.nowMs()))
		}
	}
	return n, nil
}

func noOffset(tp TopicPartition) error {
	return refuse(Invalid, "no committed offset for %s/%d, and the group wants no other start", tp.Topic, tp.Partition)
}
