package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// Pauses between looks at a group whose members join, or wait for their part, in other processes.
const (
	firstClassicLook = 50 * time.Millisecond
	lastClassicLook  = 250 * time.Millisecond
)

// maxJoins bounds how often a call joins again because the others went on without it.
const maxJoins = 5

// checkJoin refuses requests that make no sense.
func checkJoin(r *JoinRequest) error {
	if r.RebalanceTimeout == 0 {
		r.RebalanceTimeout = r.SessionTimeout
	}
	switch {
	case checkName("group", r.Group) != nil:
		return groupError(CodeInvalidGroupID, "illegal group id")
	case len(r.Instance) > maxName || r.Instance != "" && checkName("instance", r.Instance) != nil:
		return groupError(CodeInvalidRequest, "illegal group instance id")
	case r.SessionTimeout < minClassicSession || r.SessionTimeout > maxClassicSession:
		return groupError(CodeInvalidSessionTimeout, "the session timeout must be %v to %v", minClassicSession, maxClassicSession)
	case r.RebalanceTimeout < 0 || r.RebalanceTimeout > maxRebalanceTimeout:
		return groupError(CodeInvalidRequest, "the rebalance timeout must be at most %v", maxRebalanceTimeout)
	case r.ProtocolType == "" || len(r.Protocols) == 0:
		return groupError(CodeInconsistentProtocol, "the member has no protocol")
	}
	size := 0
	for _, p := range r.Protocols {
		size += len(p.Name) + len(p.Metadata)
	}
	if size > maxMemberMetadataBytes {
		return groupError(CodeInvalidRequest, "the metadata of a member's protocols take more than %d bytes", maxMemberMetadataBytes)
	}
	return nil
}

func (r *JoinRequest) member() *groups.ClassicMember {
	m := &groups.ClassicMember{
		ID: r.Member, Instance: r.Instance, ClientID: r.ClientID, ClientHost: r.ClientHost, Type: r.ProtocolType,
		Session: r.SessionTimeout.Milliseconds(), Rebalance: r.RebalanceTimeout.Milliseconds(),
	}
	for _, p := range r.Protocols {
		m.Protocols = append(m.Protocols, groups.Protocol{Name: p.Name, Metadata: string(p.Metadata)})
	}
	return m
}

// JoinGroup joins a group, or joins it again. It waits until the group's members have come, at most for
// the longest rebalance timeout of the members. If the context ends the wait, the member stays one. If the
// engine is closed meanwhile, the error has CodeNotCoordinator.
func (e *Engine) JoinGroup(ctx context.Context, c *Cluster, r JoinRequest) (JoinResponse, error) {
	if err := checkJoin(&r); err != nil {
		return JoinResponse{Member: r.Member}, err
	}
	j := &classicJoin{e: e, c: c, r: r, me: r.member()}
	attempts := e.retry.Begin()
	for tries := 1; ; tries++ {
		out, done, err := j.try(ctx)
		switch {
		case store.Contended(err) || err == nil && !done && tries < maxJoins:
			if err := attempts.Wait(ctx, errRetry); err != nil {
				return JoinResponse{Member: j.me.ID}, fmt.Errorf("joining group %s: %w", r.Group, err)
			}
		case err == nil && !done:
			return JoinResponse{Member: j.me.ID}, groupError(CodeRebalanceInProgress, "the group goes on without the member")
		default:
			if out.Member == "" {
				out.Member = j.me.ID
			}
			return out, err
		}
	}
}

// classicJoin is a call of JoinGroup.
type classicJoin struct {
	e  *Engine
	c  *Cluster
	r  JoinRequest
	me *groups.ClassicMember
}

// try joins once and waits. done is false if the group went on without the member.
func (j *classicJoin) try(ctx context.Context) (out JoinResponse, done bool, err error) {
	key := groupKey(j.c.ID, j.r.Group)
	news, stop := j.e.notifier.watch([]string{key.Partition + kindClassic})
	defer stop()
	room, leave, err := j.e.room(ctx, j.c.ID, j.r.Group)
	if err != nil {
		return out, false, err
	}
	out, done, err = j.enter(ctx, room)
	leave()
	if err != nil || done {
		return out, done, err
	}
	sleep := j.e.wakened(news)
	for pause := firstClassicLook; ; pause = min(2*pause, lastClassicLook) {
		if err := j.e.classicPause(ctx, sleep, pause); err != nil {
			return out, false, err
		}
		if err := room.enter(ctx); err != nil {
			return out, false, err
		}
		out, done, over, err := j.look(ctx, room)
		room.leave()
		if err != nil || done || over {
			return out, done, err
		}
	}
}

// classicPause waits. The error has CodeNotCoordinator once the engine is closed.
func (e *Engine) classicPause(ctx context.Context, sleep func(context.Context, time.Duration) error, pause time.Duration) error {
	until, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(e.life, cancel)
	defer stop()
	if e.life.Err() != nil {
		return groupError(CodeNotCoordinator, "the server is going down")
	}
	err := sleep(until, pause)
	if e.life.Err() != nil {
		return groupError(CodeNotCoordinator, "the server is going down")
	}
	return err
}

// enter makes the member one that joins. It reports done if there is nothing to wait for.
func (j *classicJoin) enter(ctx context.Context, room *room) (out JoinResponse, done bool, err error) {
	if err := room.load(ctx, classicAge); err != nil {
		return out, false, err
	}
	if err := j.checkKind(ctx, room); err != nil {
		return out, false, err
	}
	if err := room.loadMembers(ctx, classicAge); err != nil {
		return out, false, err
	}
	if !j.me.Fits(room.present()) {
		return out, false, groupError(CodeInconsistentProtocol, "the group's members have another protocol type, or no protocol in common with the member")
	}
	if err := j.identify(ctx, room); err != nil {
		return JoinResponse{Member: j.me.ID}, false, err
	}
	if err := j.dismiss(ctx, room); err != nil {
		return out, false, err
	}
	if !slices.ContainsFunc(room.members, func(m *groups.ClassicMember) bool { return m.ID == j.me.ID }) && len(room.members) >= maxClassicMembers {
		return out, false, groupError(CodeGroupMaxSizeReached, "a group has at most %d members", maxClassicMembers)
	}
	if out, done, err := j.asBefore(ctx, room); done || err != nil {
		return out, done, err
	}
	j.me.Joins = room.state.Next()
	if err := j.e.store.Load(ctx, []store.Item{j.item()}, nil); err != nil {
		return out, false, fmt.Errorf("joining group %s: %w", j.r.Group, err)
	}
	room.add(j.me)
	if room.state.State == groups.Preparing {
		return out, false, nil
	}
	if room.record.attrs == nil {
		if err := room.list(ctx, 1); err != nil {
			return out, false, err
		}
	}
	return out, false, room.write(ctx, room.state.Prepare(j.e.nowMs(), groups.MaxRebalance(room.members)))
}

// checkKind refuses to join a group that has members of the REST API, or of the consumer protocol.
func (j *classicJoin) checkKind(ctx context.Context, room *room) error {
	if room.state.State != groups.Empty {
		return nil
	}
	if err := room.refuseConsumers(ctx); err != nil {
		return err
	}
	return room.refuseInstances(ctx, j.c, CodeInconsistentProtocol)
}

// refuseInstances refuses with a code if the group, which has no other members, has some of the REST API.
func (r *room) refuseInstances(ctx context.Context, c *Cluster, code Code) error {
	if r.asked == r.state.Generation+1 {
		return nil
	}
	if lease := r.record.attrs.Get(groupLease); !lease.IsZero() && leaseSince(lease) > r.e.nowMs()-deadLease {
		r.at = time.Time{} // instances may be about to become members: that is to be seen first
		return errRetry
	}
	asked := r.state.Generation + 1
	g, err := r.e.loadGroup(ctx, r.cluster, r.name)
	if err != nil {
		return err
	}
	if len(g.live(r.e.nowMs())) > 0 {
		return groupError(code, "the group has instances of the REST API")
	}
	if slices.ContainsFunc(g.seats, func(s *seat) bool { return s.Member != nil }) { // they have expired
		if _, err := r.e.press(ctx, c, r.name, g.seats[0].Name, func(store.Attrs) bool { return false }); err != nil {
			return err
		}
		return r.load(ctx, 0)
	}
	r.asked = asked
	return nil
}

// identify finds out who the member is.
func (j *classicJoin) identify(ctx context.Context, room *room) error {
	known := func(id string) bool {
		return slices.ContainsFunc(room.members, func(m *groups.ClassicMember) bool { return m.ID == id })
	}
	switch {
	case j.r.Instance != "":
		return j.identifyStatic(ctx, room)
	case j.me.ID == "":
		id, err := j.e.newMemberID(ctx, j.c.ID, j.r.Group, j.r.ClientID)
		if err != nil {
			return err
		}
		j.me.ID = id
		if j.r.RequireMemberID {
			return groupError(CodeMemberIDRequired, "the member has to join with its id")
		}
	case !known(j.me.ID):
		ok, err := j.e.isMemberID(ctx, j.c.ID, j.r.Group, j.me.ID)
		if err != nil {
			return err
		}
		if !ok {
			return groupError(CodeUnknownMember, "the group does not know the member")
		}
	}
	return nil
}

// identifyStatic makes the call the instance's: of several with one instance id, the last one counts.
func (j *classicJoin) identifyStatic(ctx context.Context, room *room) error {
	key := classicKey(j.c.ID, j.r.Group, kindStatic, j.r.Instance)
	now, err := j.e.store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("joining group %s: %w", j.r.Group, err)
	}
	before := now.Get(staticMember).Str()
	if j.me.ID != "" {
		switch before {
		case j.me.ID:
			return nil
		case "":
			return groupError(CodeUnknownMember, "the group does not know the member")
		}
		return groupError(CodeFencedInstance, "another member has the instance id")
	}
	id, err := j.e.newMemberID(ctx, j.c.ID, j.r.Group, j.r.ClientID)
	if err != nil {
		return err
	}
	_, err = j.e.store.Apply(ctx, store.Update(key, store.Same(staticMember, now.Get(staticMember)), store.Set(staticMember, store.Bytes(id))))
	if _, ok := unmet(err); ok || errors.Is(err, store.ErrUnknownOutcome) {
		return errRetry
	}
	if err != nil {
		return fmt.Errorf("joining group %s: %w", j.r.Group, err)
	}
	j.me.ID = id
	if before == "" {
		return nil
	}
	return j.replace(ctx, room, before)
}

// replace gives a static member the part of the one that was the instance before, if the group is stable, and
// the member says the same to the leader. Then nobody has to join again.
func (j *classicJoin) replace(ctx context.Context, room *room, before string) error {
	i := slices.IndexFunc(room.members, func(m *groups.ClassicMember) bool { return m.ID == before })
	_, in := room.entry(before)
	if i < 0 || !in || room.state.State != groups.Stable || !room.members[i].Same(j.me) {
		return nil
	}
	generation := room.state.Generation
	part, err := j.e.store.Get(ctx, assignmentKey(j.c.ID, j.r.Group, generation, before))
	if err != nil {
		return fmt.Errorf("joining group %s: %w", j.r.Group, err)
	}
	j.me.Joins = room.members[i].Joins
	puts := []store.Item{j.item()}
	if part != nil {
		puts = append(puts, store.Item{Key: assignmentKey(j.c.ID, j.r.Group, generation, j.me.ID), Attrs: part})
	}
	if err := j.e.store.Load(ctx, puts, nil); err != nil {
		return fmt.Errorf("joining group %s: %w", j.r.Group, err)
	}
	next := room.state
	next.Roster = writeID()
	if next.Leader == before {
		next.Leader = j.me.ID
	}
	entries := slices.Clone(room.roster)
	for n := range entries {
		if entries[n].id == before {
			entries[n] = rosterEntry{j.me.ID, j.r.Instance, j.me.Session}
		}
	}
	if err := room.writeRoster(ctx, generation, next.Roster, entries); err != nil {
		return err
	}
	if err := room.write(ctx, next); err != nil {
		return err
	}
	room.add(j.me)
	return room.load(ctx, 0)
}

// dismiss deletes members that were the static member's instance before.
func (j *classicJoin) dismiss(ctx context.Context, room *room) error {
	if j.r.Instance == "" {
		return nil
	}
	var keys []store.Key
	for _, m := range room.members {
		if m.Instance == j.r.Instance && m.ID != j.me.ID {
			keys = append(keys, classicKey(j.c.ID, j.r.Group, kindClassic, m.ID))
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if err := j.e.store.Load(ctx, nil, keys); err != nil {
		return fmt.Errorf("joining group %s: %w", j.r.Group, err)
	}
	room.members = slices.DeleteFunc(room.members, func(m *groups.ClassicMember) bool { return m.Instance == j.r.Instance && m.ID != j.me.ID })
	return nil
}

// item is the member's item.
func (j *classicJoin) item() store.Item {
	return store.Item{Key: classicKey(j.c.ID, j.r.Group, kindClassic, j.me.ID), Attrs: store.NewAttrs(
		store.Attr{Name: classicBody, Value: store.Bytes(j.me.Encode())}, store.Attr{Name: classicJoins, Value: store.Int(j.me.Joins)})}
}

// add notes a member that has joined here.
func (r *room) add(m *groups.ClassicMember) {
	me := *m
	r.members = append(slices.DeleteFunc(r.members, func(m *groups.ClassicMember) bool { return m.ID == me.ID }), &me)
	r.joins[me.ID] = 0 // it joins anew, even if for the same generation
	r.saw(me.ID, me.Joins)
}

// asBefore answers a member that has its place already: a follower that joins a stable group with what it has
// said before, or any member whose answer to its last join was lost.
func (j *classicJoin) asBefore(ctx context.Context, room *room) (out JoinResponse, done bool, err error) {
	i := slices.IndexFunc(room.members, func(m *groups.ClassicMember) bool { return m.ID == j.me.ID })
	_, in := room.entry(j.me.ID)
	if i < 0 || !in || !room.members[i].Same(j.me) {
		return out, false, nil
	}
	if err := room.load(ctx, 0); err != nil {
		return out, false, err
	}
	if _, in = room.entry(j.me.ID); !in {
		return out, false, nil
	}
	replaced := j.r.Member == "" // a static member with a new id
	switch {
	case room.state.State == groups.Completing:
	case room.state.State == groups.Stable && (room.state.Leader != j.me.ID || replaced):
	default:
		return out, false, nil
	}
	room.beats[j.me.ID] = j.e.now()
	out, err = j.answer(ctx, room, room.state.State == groups.Completing)
	return out, err == nil, err
}

// present are the members, without what an empty group has left of some.
func (r *room) present() (members []*groups.ClassicMember) {
	for _, m := range r.members {
		if r.state.State != groups.Empty || m.Joins == r.state.Next() {
			members = append(members, m)
		}
	}
	return members
}

// look sees whether the rebalance is over, and ends it if it is time. over: it is, and the member is not
// part of the generation.
func (j *classicJoin) look(ctx context.Context, room *room) (out JoinResponse, done, over bool, err error) {
	if err := room.load(ctx, firstClassicLook); err != nil {
		return out, false, false, err
	}
	if room.state.Generation < j.me.Joins && room.state.State == groups.Preparing {
		if err := room.complete(ctx); err != nil && !errors.Is(err, errRetry) {
			return out, false, false, err
		}
		if err := room.load(ctx, firstClassicLook); err != nil {
			return out, false, false, err
		}
	}
	if room.state.Generation < j.me.Joins {
		// Somebody may have ended the rebalance without a new generation, or deleted the group.
		return out, false, room.state.State != groups.Preparing, nil
	}
	if _, in := room.entry(j.me.ID); !in || room.state.Generation != j.me.Joins || room.state.State == groups.Preparing {
		return out, false, true, nil
	}
	room.beats[j.me.ID] = j.e.now()
	out, err = j.answer(ctx, room, true)
	return out, err == nil, false, err
}

// answer says what the group is. A leader is told of the members.
func (j *classicJoin) answer(ctx context.Context, room *room, leads bool) (JoinResponse, error) {
	out := JoinResponse{
		Generation: int32(room.state.Generation), ProtocolType: room.state.ProtocolType, Protocol: room.state.Protocol,
		Leader: room.state.Leader, Member: j.me.ID,
	}
	if !leads || out.Leader != j.me.ID {
		return out, nil
	}
	if room.membered.Before(room.at) { // it was completed elsewhere
		if err := room.loadMembers(ctx, 0); err != nil {
			return out, err
		}
	}
	for _, m := range room.members {
		if _, in := room.entry(m.ID); in {
			out.Members = append(out.Members, JoinedMember{m.ID, m.Instance, []byte(m.Metadata(out.Protocol))})
		}
	}
	slices.SortFunc(out.Members, func(a, b JoinedMember) int { return strings.Compare(a.Member, b.Member) })
	return out, nil
}
