package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// Attributes of a group's item that only groups have whose clients assign the partitions, see
// groups.Classic. groupGeneration and groupTopics are those of both kinds.
const (
	classicState    = "cs"
	classicType     = "ct"
	classicProtocol = "cp"
	classicLeader   = "cl"
	classicDeadline = "cd"
	classicBegan    = "cb"
	classicWasEmpty = "ce"
	classicRoster   = "cr"
	classicWrite    = "cv" // id of the last write of these
)

// Kinds of items of such a group, in the group's partition.
const (
	kindAssignment = "a" // generation (8 bytes), member id: what the leader gave it; never changed
	kindStatic     = "i" // instance id: the member that it is
	kindSeen       = "s" // id of a process: whom it has heard of
	kindClassic    = "u" // member id: what it joins with
)

// Attributes of these items.
const (
	classicBody  = "b" // of a member: groups.ClassicMember; of an assignment: what the leader gave
	classicJoins = "j" // of a member: the generation that it has joined for
	staticMember = "m"
	seenAt       = "t" // Unix ms
	seenUntil    = "e" // Unix ms: at most until then one of the members has a session
	seenMembers  = "m" // list of ids
	rosterList   = "m" // id, instance, session timeout, one after the other
)

func classicKey(cluster, group, kind, name string) store.Key {
	return store.Key{Partition: groupPartition(cluster, group), Sort: kind + name}
}

// assignmentKey is a member's assignment; with "r" and a roster's id instead, the list of a generation's members.
func assignmentKey(cluster, group string, generation int64, member string) store.Key {
	return classicKey(cluster, group, kindAssignment, string(binary.BigEndian.AppendUint64(nil, uint64(generation)))+"m"+member)
}

func rosterKey(cluster, group string, generation int64, roster string) store.Key {
	return classicKey(cluster, group, kindAssignment, string(binary.BigEndian.AppendUint64(nil, uint64(generation)))+"r"+roster)
}

func classicOf(as store.Attrs) groups.Classic {
	return groups.Classic{
		State: groups.ClassicState(as.Get(classicState).Str()), Generation: as.Get(groupGeneration).Num(),
		ProtocolType: as.Get(classicType).Str(), Protocol: as.Get(classicProtocol).Str(), Leader: as.Get(classicLeader).Str(),
		Deadline: as.Get(classicDeadline).Num(), Began: as.Get(classicBegan).Num(), WasEmpty: as.Has(classicWasEmpty),
		Roster: as.Get(classicRoster).Str(),
	}
}

// classicEdits write a group's state.
func classicEdits(c groups.Classic, write store.Value) []store.Edit {
	edits := []store.Edit{
		store.Default(groupForm, store.Bytes(formItems)), store.Set(groupGeneration, store.Int(c.Generation)),
		store.Set(classicWrite, write), store.Set(classicDeadline, store.Int(c.Deadline)), store.Set(classicBegan, store.Int(c.Began)),
	}
	for name, text := range map[string]string{
		classicState: string(c.State), classicType: c.ProtocolType, classicProtocol: c.Protocol, classicLeader: c.Leader, classicRoster: c.Roster,
	} {
		if text == "" {
			edits = append(edits, store.Remove(name))
		} else {
			edits = append(edits, store.Set(name, store.Bytes(text)))
		}
	}
	if c.WasEmpty {
		return append(edits, store.Set(classicWasEmpty, store.Int(1)))
	}
	return append(edits, store.Remove(classicWasEmpty))
}

// rooms are what a process remembers of groups whose clients assign the partitions.
type rooms struct {
	mu sync.Mutex
	m  map[store.Key]*room
}

// maxRooms bounds the groups that a process remembers. Those that nobody has used for roomLife go first.
const (
	maxRooms = 1000
	roomLife = time.Hour
)

// room is one of these groups. Its gate is taken by who uses it. Times are of the engine's clock: how old a
// session is goes by what this process has seen, and not by the clocks of others.
type room struct {
	e             *Engine
	cluster, name string
	gate          chan struct{}
	used          time.Time // with rooms.mu

	at        time.Time // when the group's item was read
	record    *groupItem
	state     groups.Classic
	consumers *groups.Consumers // without members, unless the group is of the consumer protocol
	roster    []rosterEntry     // of the generation
	listed    string            // id of the roster

	asked    int64                   // generation, plus 1, in which there were no instances of the REST API
	members  []*groups.ClassicMember // as they were read last
	membered time.Time
	arrived  map[string]time.Time // by member id: when its last join was seen here first
	joins    map[string]int64     // the generation that this was for
	tried    time.Time            // when the completion was tried last

	beats    map[string]time.Time // members that have called here
	heard    map[string]time.Time // members that have called anywhere
	others   map[string]int64     // by process: its item's time when it was read last
	lastBeat time.Time            // when this process has told others
	shortest time.Duration        // session of the roster's members
	longest  time.Duration        // session of theirs
	safe     time.Time            // until then none of these sessions ends

	topics   map[string]groups.Topic // of the cluster, see listTopics
	listedAt time.Time
}

type rosterEntry struct {
	id, instance string
	session      int64 // ms
}

// room takes the gate of a group. leave gives it back.
func (e *Engine) room(ctx context.Context, cluster, name string) (r *room, leave func(), err error) {
	key, now := groupKey(cluster, name), e.now()
	e.rooms.mu.Lock()
	if e.rooms.m == nil {
		e.rooms.m = map[store.Key]*room{}
	}
	if r = e.rooms.m[key]; r == nil {
		if len(e.rooms.m) >= maxRooms {
			for k, old := range e.rooms.m {
				if now.Sub(old.used) > roomLife {
					delete(e.rooms.m, k)
				}
			}
		}
		r = &room{
			e: e, cluster: cluster, name: name, gate: make(chan struct{}, 1), arrived: map[string]time.Time{}, joins: map[string]int64{},
			beats: map[string]time.Time{}, heard: map[string]time.Time{}, others: map[string]int64{},
		}
		e.rooms.m[key] = r
	}
	r.used = now
	e.rooms.mu.Unlock()
	return r, r.leave, r.enter(ctx)
}

func (r *room) enter(ctx context.Context) error {
	select {
	case r.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for group %s: %w", r.name, ctx.Err())
	}
}

func (r *room) leave() { <-r.gate }

// classicAge is how old what a process knows of a group may be where that does no harm.
const classicAge = time.Second

// load reads the group's item, unless that was done a moment ago.
func (r *room) load(ctx context.Context, age time.Duration) error {
	begun := r.e.now()
	if r.record != nil && begun.Sub(r.at) < age {
		return nil
	}
	g, err := r.e.loadRecord(ctx, r.cluster, r.name)
	if err != nil {
		return err
	}
	state := classicOf(g.attrs)
	consumers, err := consumersOf(g.attrs)
	if err != nil {
		return fmt.Errorf("reading group %s: %w", r.name, err)
	}
	listed := state.Roster
	if len(consumers.Members) > 0 {
		listed = listedConsumers(g.attrs.Get(classicWrite))
	}
	switch {
	case listed == r.listed:
	case len(consumers.Members) > 0:
		r.enrol(consumerRoster(g.attrs, consumers), listed)
		r.forget()
	default:
		roster, err := r.readRoster(ctx, state)
		if err != nil {
			return err
		}
		r.enrol(roster, listed)
	}
	r.record, r.state, r.consumers, r.at = g, state, consumers, begun
	return nil
}

func (r *room) readRoster(ctx context.Context, state groups.Classic) (roster []rosterEntry, err error) {
	if state.Roster == "" {
		return nil, nil
	}
	attrs, err := r.e.store.Get(ctx, rosterKey(r.cluster, r.name, state.Generation, state.Roster))
	if err != nil {
		return nil, fmt.Errorf("reading the members of group %s: %w", r.name, err)
	}
	for part := range slices.Chunk(attrs.Get(rosterList).Elems(), 3) {
		var session int64
		if _, err := fmt.Sscan(part[2], &session); err != nil {
			return nil, fmt.Errorf("reading the members of group %s: %w", r.name, err)
		}
		roster = append(roster, rosterEntry{part[0], part[1], session})
	}
	return roster, nil
}

// writeRoster writes the list of members of a generation.
func (r *room) writeRoster(ctx context.Context, generation int64, roster string, entries []rosterEntry) error {
	var list []string
	for _, m := range entries {
		list = append(list, m.id, m.instance, fmt.Sprint(m.session))
	}
	return r.e.store.Load(ctx, []store.Item{{
		Key: rosterKey(r.cluster, r.name, generation, roster), Attrs: store.NewAttrs(store.Attr{Name: rosterList, Value: store.List(list)}),
	}}, nil)
}

// loadMembers reads the members as they have joined last, unless that was done a moment ago.
func (r *room) loadMembers(ctx context.Context, age time.Duration) error {
	begun := r.e.now()
	if !r.membered.IsZero() && begun.Sub(r.membered) < age {
		return nil
	}
	items, err := r.e.queryAll(ctx, store.Query{Partition: groupPartition(r.cluster, r.name), From: kindClassic, To: store.PrefixEnd(kindClassic)})
	if err != nil {
		return fmt.Errorf("reading the members of group %s: %w", r.name, err)
	}
	r.members = nil
	for _, it := range items {
		m, err := groups.DecodeClassicMember(it.Attrs.Get(classicBody).Str())
		if err != nil {
			return fmt.Errorf("reading the members of group %s: %w", r.name, err)
		}
		m.ID, m.Joins = it.Key.Sort[len(kindClassic):], it.Attrs.Get(classicJoins).Num()
		r.members = append(r.members, m)
		r.saw(m.ID, m.Joins)
	}
	r.membered = begun
	r.forget()
	return r.dismissStatic(ctx)
}

// forget drops what is known of those who are no members any more.
func (r *room) forget() {
	is := map[string]bool{}
	for _, m := range r.members {
		is[m.ID] = true
	}
	for _, m := range r.roster {
		is[m.id] = true
	}
	for id := range r.heard {
		if !is[id] {
			delete(r.heard, id)
			delete(r.beats, id)
			delete(r.joins, id)
			delete(r.arrived, id)
		}
	}
}

// dismissStatic takes those out of the list who are static members, and whose instance is another member by now.
func (r *room) dismissStatic(ctx context.Context) error {
	isStatic := func(m *groups.ClassicMember) bool { return m.Instance != "" }
	if !slices.ContainsFunc(r.members, isStatic) {
		return nil
	}
	items, err := r.e.queryAll(ctx, store.Query{Partition: groupPartition(r.cluster, r.name), From: kindStatic, To: store.PrefixEnd(kindStatic)})
	if err != nil {
		return fmt.Errorf("reading the members of group %s: %w", r.name, err)
	}
	now := map[string]string{}
	for _, it := range items {
		now[it.Key.Sort[len(kindStatic):]] = it.Attrs.Get(staticMember).Str()
	}
	var gone []store.Key
	r.members = slices.DeleteFunc(r.members, func(m *groups.ClassicMember) bool {
		if !isStatic(m) || now[m.Instance] == m.ID {
			return false
		}
		gone = append(gone, classicKey(r.cluster, r.name, kindClassic, m.ID))
		return true
	})
	if err := r.e.store.Load(ctx, nil, gone); err != nil {
		return fmt.Errorf("taking members out of group %s: %w", r.name, err)
	}
	return nil
}

// saw notes that a member has joined.
func (r *room) saw(id string, joins int64) {
	if r.joins[id] != joins {
		r.joins[id], r.arrived[id] = joins, r.e.now()
		r.heard[id] = r.e.now()
	}
}

// entry finds a member of the generation.
func (r *room) entry(id string) (rosterEntry, bool) {
	i := slices.IndexFunc(r.roster, func(m rosterEntry) bool { return m.id == id })
	if i < 0 {
		return rosterEntry{}, false
	}
	return r.roster[i], true
}

// write writes the group's state, on the condition that nobody has written it since it was read. errRetry:
// somebody has.
func (r *room) write(ctx context.Context, next groups.Classic, more ...store.Edit) error {
	write := store.Bytes(writeID())
	_, err := r.put(ctx, write, append(append(classicEdits(next, write), store.Remove(consumersBody), store.Remove(consumersEpoch)), more...))
	return err
}

// put writes the group's item, on the same condition. It returns the edits that it has made.
func (r *room) put(ctx context.Context, write store.Value, edits []store.Edit) ([]store.Edit, error) {
	cond := store.And{
		store.Same(classicWrite, r.record.attrs.Get(classicWrite)),
		store.Same(groupGeneration, r.record.attrs.Get(groupGeneration)),
		store.Same(groupIncarnation, r.record.attrs.Get(groupIncarnation)),
	}
	edits = append(edits, store.Default(groupIncarnation, store.Bytes(incarnationOf(r.e.now()))), store.Set(groupUsed, store.Int(r.e.nowMs())))
	key := groupKey(r.cluster, r.name)
	_, err := r.e.store.Apply(ctx, store.Update(key, cond, edits...))
	r.at = time.Time{} // it is to be read again
	ce, changed := unmet(err)
	if errors.Is(err, store.ErrUnknownOutcome) {
		now, readErr := r.e.store.Get(context.WithoutCancel(ctx), key)
		if readErr == nil && !now.Get(classicWrite).Equal(write) {
			return nil, errRetry
		}
		err = readErr
	} else if changed && ce.Old.Get(classicWrite).Equal(write) {
		err = nil
	} else if changed || errors.Is(err, store.ErrConflict) {
		return nil, errRetry
	}
	if err != nil {
		return nil, fmt.Errorf("writing group %s: %w", r.name, err)
	}
	r.e.notifier.notify(key.Partition + kindClassic)
	return edits, nil
}

// list makes the group one that is listed, with a number of members.
func (r *room) list(ctx context.Context, members int) error {
	update := store.Update(groupIndexKey(r.cluster, r.name), nil,
		store.Set(indexInstances, store.Int(int64(members))), store.Default(indexCreated, store.Int(r.e.nowMs())))
	if err := r.e.repeat(ctx, func() error { _, err := r.e.store.Apply(ctx, update); return err }); err != nil {
		return fmt.Errorf("listing group %s: %w", r.name, err)
	}
	return nil
}

// beatEvery is the part of the shortest session timeout after which a process tells others whom it has heard
// of, and reads what the others tell.
const beatEvery = 4

// beat tells others whom this process has heard of and reads what they tell, if it is time.
func (r *room) beat(ctx context.Context) error {
	now := r.e.now()
	if len(r.roster) == 0 || now.Sub(r.lastBeat) < r.shortest/beatEvery {
		return nil
	}
	var ids []string
	for id, at := range r.beats {
		if at.After(r.lastBeat) {
			ids = append(ids, id)
		} else if _, ok := r.entry(id); !ok {
			delete(r.beats, id)
		}
	}
	if len(ids) > 0 {
		slices.Sort(ids)
		item := store.Item{Key: classicKey(r.cluster, r.name, kindSeen, r.e.id), Attrs: store.NewAttrs(
			store.Attr{Name: seenAt, Value: store.Int(now.UnixMilli())},
			store.Attr{Name: seenUntil, Value: store.Int(now.Add(r.longest).UnixMilli())},
			store.Attr{Name: seenMembers, Value: store.List(ids)},
			store.Attr{Name: store.TTLAttr, Value: store.Int((now.UnixMilli()+maxClassicSession.Milliseconds())/1000 + reclaimGrace)})}
		if err := r.e.store.Load(ctx, []store.Item{item}, nil); err != nil {
			return fmt.Errorf("telling who is in group %s: %w", r.name, err)
		}
	}
	r.lastBeat = now
	items, err := r.e.queryAll(ctx, store.Query{Partition: groupPartition(r.cluster, r.name), From: kindSeen, To: store.PrefixEnd(kindSeen)})
	if err != nil {
		return fmt.Errorf("reading who is in group %s: %w", r.name, err)
	}
	for _, it := range items {
		process, at := strings.TrimPrefix(it.Key.Sort, kindSeen), it.Attrs.Get(seenAt).Num()
		if r.others[process] == at {
			continue
		}
		r.others[process] = at
		for _, id := range it.Attrs.Get(seenMembers).Elems() {
			r.heard[id] = now
		}
	}
	return nil
}

// sessionEnd is when a member's session ends, if it is not heard of before.
func (r *room) sessionEnd(id string, session int64) time.Time {
	last := r.heard[id]
	if at := r.beats[id]; at.After(last) {
		last = at
	}
	return last.Add(time.Duration(session) * time.Millisecond)
}

// alive reports whether a member was heard of within its session.
func (r *room) alive(id string, session int64) bool {
	return !r.e.now().After(r.sessionEnd(id, session))
}

// bury takes members out that have not been heard of for their sessions: the others have to join again.
func (r *room) bury(ctx context.Context) error {
	if r.state.State != groups.Stable && r.state.State != groups.Completing {
		return nil
	}
	now := r.e.now()
	if !now.After(r.safe) {
		return nil // a call of each of many members does not look at all of them
	}
	var dead []string
	for i, m := range r.roster {
		end := r.sessionEnd(m.id, m.session)
		if now.After(end) {
			dead = append(dead, m.id)
		}
		if i == 0 || end.Before(r.safe) {
			r.safe = end
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return r.takeOut(ctx, dead)
}

// takeOut deletes members. The others have to join again; if there are none, the group is empty.
func (r *room) takeOut(ctx context.Context, ids []string) error {
	if err := r.loadMembers(ctx, 0); err != nil {
		return err
	}
	var keys []store.Key
	for _, m := range r.members {
		if slices.Contains(ids, m.ID) {
			keys = append(keys, classicKey(r.cluster, r.name, kindClassic, m.ID))
			if m.Instance != "" {
				// Another one may be the instance by now.
				_, err := r.e.store.Apply(ctx, store.Delete(classicKey(r.cluster, r.name, kindStatic, m.Instance), store.Eq(staticMember, store.Bytes(m.ID))))
				if _, ok := unmet(err); err != nil && !ok {
					return fmt.Errorf("taking a member out of group %s: %w", r.name, err)
				}
			}
		}
	}
	if err := r.e.store.Load(ctx, nil, keys); err != nil {
		return fmt.Errorf("taking a member out of group %s: %w", r.name, err)
	}
	r.members = slices.DeleteFunc(r.members, func(m *groups.ClassicMember) bool { return slices.Contains(ids, m.ID) })
	r.safe = time.Time{}
	for _, id := range ids {
		delete(r.beats, id)
		delete(r.heard, id)
		delete(r.joins, id)
		delete(r.arrived, id)
	}
	switch {
	case len(r.members) == 0 && r.state.State != groups.Empty:
		if err := r.write(ctx, groups.Classic{Generation: r.state.Next(), ProtocolType: r.state.ProtocolType}, store.Remove(groupTopics)); err != nil {
			return err
		}
		return r.list(ctx, 0)
	case r.state.State == groups.Stable || r.state.State == groups.Completing:
		return r.write(ctx, r.state.Prepare(r.e.nowMs(), groups.MaxRebalance(r.members)))
	}
	return nil
}
