package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store"
)

// check says whether a call is of a member of the present generation. What this process knows may be a
// moment old; before it refuses somebody, it looks again.
func (r *room) check(ctx context.Context, m MemberRef) error {
	if err := r.load(ctx, classicAge); err != nil {
		return err
	}
	refused := r.refusal(m)
	if refused == nil {
		return nil
	}
	if err := r.load(ctx, 0); err != nil {
		return err
	}
	return r.refusal(m)
}

func (r *room) refusal(m MemberRef) error {
	if m.Instance != "" {
		i := slices.IndexFunc(r.roster, func(e rosterEntry) bool { return e.instance == m.Instance })
		_, in := r.entry(m.Member)
		switch {
		case i >= 0 && r.roster[i].id != m.Member:
			return groupError(CodeFencedInstance, "another member has the instance id")
		case i < 0 && in:
			return groupError(CodeUnknownMember, "the member has no such instance id")
		}
	}
	if _, in := r.entry(m.Member); !in || r.state.State == groups.Empty {
		if r.state.State == groups.Preparing && r.joins[m.Member] == r.state.Next() {
			return groupError(CodeRebalanceInProgress, "the group's members join")
		}
		return groupError(CodeUnknownMember, "the group does not know the member")
	}
	if int64(m.Generation) != r.state.Generation {
		return groupError(CodeIllegalGeneration, "the group's generation is %d", r.state.Generation)
	}
	return nil
}

func checkMember(m MemberRef) error {
	if checkName("group", m.Group) != nil {
		return groupError(CodeInvalidGroupID, "illegal group id")
	}
	if m.Member == "" {
		return groupError(CodeUnknownMember, "there is no member id")
	}
	return nil
}

// Heartbeat says that a member is there. CodeRebalanceInProgress: it has to join again.
func (e *Engine) Heartbeat(ctx context.Context, c *Cluster, m MemberRef) error {
	if err := checkMember(m); err != nil {
		return err
	}
	room, leave, err := e.room(ctx, c.ID, m.Group)
	if err != nil {
		return err
	}
	defer leave()
	if err := room.check(ctx, m); err != nil {
		return err
	}
	room.beats[m.Member] = e.now()
	if err := room.beat(ctx); err != nil {
		return err
	}
	if err := room.bury(ctx); err != nil && !errors.Is(err, errRetry) {
		return err
	}
	if room.state.State == groups.Completing && e.nowMs() > room.state.Deadline {
		// The leader has not said who gets what.
		err := room.write(ctx, room.state.Prepare(e.nowMs(), groups.MaxRebalance(room.members)))
		if err != nil && !errors.Is(err, errRetry) {
			return err
		}
	}
	if err := room.load(ctx, classicAge); err != nil {
		return err
	}
	if room.state.State == groups.Preparing {
		return groupError(CodeRebalanceInProgress, "the group's members join")
	}
	return nil
}

// SyncGroup stores the leader's assignments, or waits for them.
func (e *Engine) SyncGroup(ctx context.Context, c *Cluster, r SyncRequest) (SyncResponse, error) {
	if err := checkMember(r.MemberRef); err != nil {
		return SyncResponse{}, err
	}
	for _, part := range r.Assignments {
		if len(part) > maxMemberMetadataBytes {
			return SyncResponse{}, groupError(CodeInvalidRequest, "an assignment takes more than %d bytes", maxMemberMetadataBytes)
		}
	}
	key := groupKey(c.ID, r.Group)
	news, stop := e.notifier.watch([]string{key.Partition + kindClassic})
	defer stop()
	sleep := e.wakened(news)
	for pause := firstClassicLook; ; pause = min(2*pause, lastClassicLook) {
		out, done, err := e.sync(ctx, c, r)
		if err != nil && !errors.Is(err, errRetry) || done {
			return out, err
		}
		if err := e.classicPause(ctx, sleep, pause); err != nil {
			return SyncResponse{}, err
		}
	}
}

// sync looks once. It reports done if the member has its part.
func (e *Engine) sync(ctx context.Context, c *Cluster, r SyncRequest) (out SyncResponse, done bool, err error) {
	state, done, err := e.syncState(ctx, c, r)
	if err != nil || !done {
		return out, false, err
	}
	out = SyncResponse{ProtocolType: state.ProtocolType, Protocol: state.Protocol}
	if state.State == groups.Completing { // it was the leader's call, which has stored all parts
		out.Assignment = r.Assignments[r.Member]
		return out, true, nil
	}
	part, err := e.store.Get(ctx, assignmentKey(c.ID, r.Group, state.Generation, r.Member))
	if err != nil {
		return out, false, fmt.Errorf("reading what a member of group %s gets: %w", r.Group, err)
	}
	out.Assignment = []byte(part.Get(classicBody).Str())
	return out, true, nil
}

// syncState looks at the group. It reports done if the members have their parts. Of a leader's call that has
// just given them, the state is the one before.
func (e *Engine) syncState(ctx context.Context, c *Cluster, r SyncRequest) (state groups.Classic, done bool, err error) {
	room, leave, err := e.room(ctx, c.ID, r.Group)
	if err != nil {
		return state, false, err
	}
	defer leave()
	if err := room.check(ctx, r.MemberRef); err != nil {
		return state, false, err
	}
	if room.state.State != groups.Stable { // it may be by now
		if err := room.load(ctx, firstClassicLook); err != nil {
			return state, false, err
		}
		if err := room.refusal(r.MemberRef); err != nil {
			return state, false, err
		}
	}
	state = room.state
	room.beats[r.Member] = e.now()
	switch {
	case r.ProtocolType != "" && r.ProtocolType != state.ProtocolType, r.Protocol != "" && r.Protocol != state.Protocol:
		return state, false, groupError(CodeInconsistentProtocol, "the group's protocol is %s", state.Protocol)
	case state.State == groups.Preparing:
		return state, false, groupError(CodeRebalanceInProgress, "the group's members join")
	case state.State == groups.Completing && state.Leader == r.Member:
		err := room.assign(ctx, r.Assignments)
		return state, err == nil, err
	case state.State == groups.Completing:
		if e.nowMs() > state.Deadline {
			return state, false, room.write(ctx, state.Prepare(e.nowMs(), groups.MaxRebalance(room.members)))
		}
		return state, false, nil
	}
	return state, true, nil
}

// assign stores what the leader gives the members, each in an item of its own, which nobody changes after.
// Then the group is stable.
func (r *room) assign(ctx context.Context, parts map[string][]byte) error {
	var puts []store.Item
	for _, m := range r.roster {
		if part := parts[m.id]; len(part) > 0 {
			puts = append(puts, store.Item{Key: assignmentKey(r.cluster, r.name, r.state.Generation, m.id),
				Attrs: store.NewAttrs(store.Attr{Name: classicBody, Value: store.Bytes(string(part))})})
		}
	}
	if err := r.e.store.Load(ctx, puts, nil); err != nil {
		return fmt.Errorf("storing what the members of group %s get: %w", r.name, err)
	}
	next := r.state
	next.State, next.Deadline = groups.Stable, 0
	return r.write(ctx, next)
}

// LeaveGroup takes members out. The errors are one for each leaver, in order, nil if it has left; err is
// for all of them.
func (e *Engine) LeaveGroup(ctx context.Context, c *Cluster, group string, who []Leaver) (errs []error, err error) {
	if checkName("group", group) != nil {
		return nil, groupError(CodeInvalidGroupID, "illegal group id")
	}
	var ids []string // of who leaves; nil: that is not known yet
	err = e.retry.Do(ctx, func(ctx context.Context) error {
		room, leave, err := e.room(ctx, c.ID, group)
		if err != nil {
			return err
		}
		defer leave()
		if err := room.load(ctx, 0); err != nil {
			return err
		}
		if ids == nil { // another attempt may find that they have gone already
			if err := room.loadMembers(ctx, 0); err != nil {
				return err
			}
			ids, errs = room.leavers(who)
		}
		if len(ids) == 0 {
			return nil
		}
		return room.takeOut(ctx, ids)
	})
	return errs, err
}

// leavers finds members.
func (r *room) leavers(who []Leaver) (ids []string, errs []error) {
	ids, errs = []string{}, make([]error, len(who))
	for i, l := range who {
		n := slices.IndexFunc(r.members, func(m *groups.ClassicMember) bool {
			return l.Instance != "" && m.Instance == l.Instance || l.Instance == "" && m.ID == l.Member
		})
		switch {
		case n < 0:
			errs[i] = groupError(CodeUnknownMember, "the group does not know the member")
		case l.Instance != "" && l.Member != "" && r.members[n].ID != l.Member:
			errs[i] = groupError(CodeFencedInstance, "another member has the instance id")
		default:
			ids = append(ids, r.members[n].ID)
		}
	}
	return ids, errs
}
