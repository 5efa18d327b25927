package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/kafka/groups"
)

// servedMember is a client of the consumer protocol that follows it.
type servedMember struct {
	e            crowdEngine
	id, instance string
	epoch        int32
	owned        []int // partitions of red
	edit         func(*ConsumerHeartbeat)
}

func testID(number int64) (id [16]byte) {
	copy(id[:], fmt.Sprint("topic ", number))
	return id
}

func (m *servedMember) request() ConsumerHeartbeat {
	r := ConsumerHeartbeat{
		Group: "g", Member: m.id, Instance: m.instance, ClientID: "client", ClientHost: "/127.0.0.1", Epoch: m.epoch, RebalanceTimeout: 20 * time.Second,
		Topics: []string{"red"}, Owns: true, MayRead: func(string) bool { return true }, IDOf: testID,
	}
	if len(m.owned) > 0 {
		r.Owned = []IDPartitions{{testID(1), m.owned}}
	}
	if m.edit != nil {
		m.edit(&r)
	}
	return r
}

// beat sends a heartbeat. Whoever is refused gives up what it has, and joins with the next one.
func (m *servedMember) beat(ctx context.Context) error {
	got, err := m.e.ConsumerHeartbeat(ctx, m.e.c, m.request())
	switch CodeOf(err) {
	case 0:
		if m.epoch = got.Epoch; got.Assigned != nil {
			m.owned = nil
			for _, t := range got.Assigned {
				m.owned = append(m.owned, t.Partitions...)
			}
		}
	case CodeCoordinatorNotAvailable:
	default:
		m.epoch, m.owned = 0, nil
	}
	return err
}

func (m *servedMember) ref() MemberRef {
	return MemberRef{Group: "g", Member: m.id, Instance: m.instance, Generation: m.epoch}
}

func (m *servedMember) commit(ctx context.Context, ref MemberRef, partition int, offset int64) error {
	errs, err := m.e.CommitOffsets(ctx, m.e.c, ref, []OffsetCommit{{TopicOffset{TopicPartition{"red", partition}, offset}, -1, ""}})
	if err != nil {
		return err
	}
	return errs[0]
}

func (m *servedMember) fetch(ctx context.Context, ref MemberRef, partition int) (int64, error) {
	got, err := m.e.FetchMemberOffsets(ctx, m.e.c, ref, []TopicPartition{{"red", partition}})
	if err != nil {
		return 0, err
	}
	return got[0].Offset, nil
}

func (w *classicWorld) served(engine int, id string) *servedMember {
	return &servedMember{e: w.engines[engine], id: id}
}

// settle lets members beat until they have come to rest.
func (w *classicWorld) settle(members ...*servedMember) {
	w.Helper()
	for range 8 {
		for _, m := range members {
			if err := m.beat(w.Context()); err != nil {
				w.Fatalf("%s: %v", m.id, err)
			}
		}
		time.Sleep(2 * time.Second) // what a process knows of a group may be a second old
	}
}

func (w *classicWorld) wantShares(members []*servedMember, sizes ...int) {
	w.Helper()
	has := map[int]string{}
	for i, m := range members {
		for _, p := range m.owned {
			if has[p] != "" {
				w.Errorf("partition %d is %s's and %s's", p, has[p], m.id)
			}
			has[p] = m.id
		}
		if len(m.owned) != sizes[i] {
			w.Errorf("%s has %v, want %d partitions", m.id, m.owned, sizes[i])
		}
	}
}

func TestConsumersShareAGroupOverProcesses(t *testing.T) {
	inClassicBubble(t, 3, 6, func(w *classicWorld) {
		ctx := w.Context()
		a, b, c := w.served(0, "a"), w.served(1, "b"), w.served(2, "c")
		w.settle(a)
		w.wantShares([]*servedMember{a}, 6)
		w.wantCode("commit", a.commit(ctx, a.ref(), 0, 5), 0)
		late := a.ref()
		w.settle(a, b, c)
		w.wantShares([]*servedMember{a, b, c}, 2, 2, 2)
		w.wantCode("commit of an earlier epoch", a.commit(ctx, late, a.owned[0], 6), CodeStaleMemberEpoch)
		w.wantCode("commit of another's partition", a.commit(ctx, a.ref(), b.owned[0], 6), CodeStaleMemberEpoch)
		w.wantCode("commit of nobody", a.commit(ctx, MemberRef{Group: "g", Generation: -1}, a.owned[0], 6), CodeUnknownMember)
		w.wantCode("commit of a stranger", a.commit(ctx, MemberRef{Group: "g", Member: "x", Generation: 1}, a.owned[0], 6), CodeUnknownMember)
		if _, err := a.fetch(ctx, late, 0); CodeOf(err) != CodeStaleMemberEpoch {
			w.Errorf("offsets for an earlier epoch: %v", err)
		}
		d, _, err := c.e.DescribeConsumers(ctx, c.e.c, "g")
		if err != nil || d.State != StateStable || d.Assignor != groups.UniformAssignor || len(d.Members) != 3 || len(d.Members[0].Assigned["red"]) != 2 {
			w.Errorf("described as %+v, %v", d, err)
		}
		listed, err := c.e.Groups(ctx, c.e.c)
		if err != nil || len(listed) != 1 || len(listed[0].Instances) != 3 || len(listed[0].Instances[0].Partitions) != 2 {
			w.Errorf("listed as %+v, %v", listed, err)
		}
		w.wantCode("deleting a group with members", c.e.RemoveGroup(ctx, c.e.c, "g"), CodeNonEmptyGroup)
		if topics, err := c.e.GroupTopics(ctx, c.e.c, "g"); err != nil || !slices.Equal(topics, []string{"red"}) {
			w.Errorf("topics %v, %v", topics, err)
		}

		// All live for long: nobody is taken for dead. Then one goes without a word.
		for range 60 {
			w.wantCode("heartbeat", a.beat(ctx), 0)
			w.wantCode("heartbeat", b.beat(ctx), 0)
			w.wantCode("heartbeat", c.beat(ctx), 0)
			time.Sleep(5 * time.Second)
		}
		w.wantShares([]*servedMember{a, b, c}, 2, 2, 2)
		for range 20 {
			w.wantCode("heartbeat", a.beat(ctx), 0)
			w.wantCode("heartbeat", b.beat(ctx), 0)
			time.Sleep(5 * time.Second)
		}
		w.wantShares([]*servedMember{a, b}, 3, 3)
		w.wantCode("heartbeat of the dead", c.beat(ctx), CodeUnknownMember)

		for _, m := range []*servedMember{a, b} {
			m.epoch = groups.LeaveEpoch
			w.wantCode("leaving", m.beat(ctx), 0)
			m.epoch = groups.LeaveEpoch
			w.wantCode("leaving again", m.beat(ctx), CodeUnknownMember)
		}
		time.Sleep(time.Minute)
		w.wantCode("commit to an empty group", b.commit(ctx, MemberRef{Group: "g", Generation: -1}, 0, 3), 0)
		if err := b.e.ResetOffsets(ctx, b.e.c, "g", []TopicOffset{{TopicPartition{"red", 1}, 4}}); err != nil {
			w.Errorf("reset: %v", err)
		}
		errs, err := b.e.DeleteOffsets(ctx, b.e.c, "g", []TopicPartition{{"red", 1}})
		w.wantCode("deleting an offset", err, 0)
		w.wantCode("deleting an offset", errs[0], 0)
		if got, err := b.e.FetchOffsets(ctx, b.e.c, "g", nil); err != nil || len(got) != 1 || got[0].Offset != 3 {
			w.Errorf("offsets %v, %v", got, err)
		}
		w.wantCode("deleting an empty group", c.e.RemoveGroup(ctx, c.e.c, "g"), 0)
	})
}

func TestConsumersThatAreRefused(t *testing.T) {
	inClassicBubble(t, 2, 4, func(w *classicWorld) {
		ctx := w.Context()
		first := w.served(0, "first")
		first.instance = "static"
		w.settle(first)
		text := func(s string) *string { return &s }
		for _, tt := range []struct {
			name string
			edit func(*ConsumerHeartbeat)
			want Code
		}{
			{"no group", func(r *ConsumerHeartbeat) { r.Group = "" }, CodeInvalidGroupID},
			{"no member id", func(r *ConsumerHeartbeat) { r.Member = "" }, CodeInvalidRequest},
			{"an epoch that there is not", func(r *ConsumerHeartbeat) { r.Epoch = -3 }, CodeInvalidRequest},
			{"a dynamic member that leaves for a while", func(r *ConsumerHeartbeat) { r.Epoch = -2 }, CodeInvalidRequest},
			{"no rebalance timeout", func(r *ConsumerHeartbeat) { r.RebalanceTimeout = -1 }, CodeInvalidRequest},
			{"partitions at once", func(r *ConsumerHeartbeat) { r.Owned = []IDPartitions{{testID(1), []int{0}}} }, CodeInvalidRequest},
			{"no subscription", func(r *ConsumerHeartbeat) { r.Topics = nil }, CodeInvalidRequest},
			{"an assignor that there is not", func(r *ConsumerHeartbeat) { r.Assignor = text("sticky") }, CodeUnsupportedAssignor},
			{"an expression that is none", func(r *ConsumerHeartbeat) { r.Regex = text("(") }, CodeInvalidRegularExpression},
			{"a large subscription", func(r *ConsumerHeartbeat) { r.Topics = make([]string, 300); r.Topics[0] = string(make([]byte, 70<<10)) }, CodeInvalidRequest},
			{"an epoch of a member that is not", func(r *ConsumerHeartbeat) { r.Epoch = 1 }, CodeUnknownMember},
			{"an instance that is another's", func(r *ConsumerHeartbeat) { r.Instance = "static" }, CodeUnreleasedInstance},
			{"an epoch of an instance that is another's", func(r *ConsumerHeartbeat) { r.Instance, r.Epoch = "static", 1 }, CodeFencedInstance},
			{"leaving as an instance that is another's", func(r *ConsumerHeartbeat) { r.Instance, r.Epoch = "static", -2 }, CodeFencedInstance},
			{"a later epoch", func(r *ConsumerHeartbeat) { r.Instance, r.Member, r.Epoch = "static", "first", 99 }, CodeFencedMemberEpoch},
		} {
			for i := range w.engines {
				m := w.served(i, "new")
				m.edit = tt.edit
				w.wantCode(tt.name, m.beat(ctx), tt.want)
			}
		}
		w.wantCode("the member's next heartbeat", first.beat(ctx), 0)
		w.wantShares([]*servedMember{first}, 4)

		// A member that gives nothing back in time is out.
		other := w.served(1, "other")
		keep := slices.Clone(first.owned)
		first.edit = func(r *ConsumerHeartbeat) { r.Owned = []IDPartitions{{testID(1), keep}} }
		var err error
		for range 20 {
			w.wantCode("heartbeat", other.beat(ctx), 0)
			if err = first.beat(ctx); err != nil {
				break
			}
			time.Sleep(2 * time.Second)
		}
		w.wantCode("a member that keeps what is another's", err, CodeUnknownMember)
		w.settle(other)
		w.wantShares([]*servedMember{other}, 4)
	})
}

// Members of one kind keep those of others out, and an empty group may become any kind, at the offsets that there are.
func TestConsumersDoNotMixWithOtherKinds(t *testing.T) {
	inClassicBubble(t, 2, 2, func(w *classicWorld) {
		ctx := w.Context()
		served, classic := w.served(0, "a"), w.member(1)
		consume := func() error {
			e := w.engines[1]
			_, err := e.Consume(ctx, e.c, "g", "instance", []string{"red"}, auto, 0)
			return err
		}
		for round := range int64(2) {
			w.settle(served)
			if _, err := served.fetch(ctx, served.ref(), 0); err != nil {
				w.Errorf("round %d: %v", round, err)
			}
			w.wantCode("commit", served.commit(ctx, served.ref(), 0, 10*round+1), 0)
			w.wantCode("a classic member joins", classic.join(ctx), CodeInconsistentProtocol)
			if err := consume(); !IsKind(err, InUse) {
				w.Errorf("round %d: an instance of the REST API joins: %v", round, err)
			}
			late := served.ref()
			if served.epoch = groups.LeaveEpoch; round == 0 {
				w.wantCode("leaving", served.beat(ctx), 0)
			} else { // it dies
				time.Sleep(2 * time.Minute)
			}
			if err := classic.join(ctx); err != nil {
				w.Fatalf("round %d: a classic member joins: %v", round, err)
			}
			got, err := classic.e.FetchOffsets(ctx, classic.e.c, "g", []TopicPartition{{"red", 0}})
			if err != nil || got[0].Offset != 10*round+1 {
				w.Errorf("round %d: %v, %v", round, got, err)
			}
			if err := served.commit(ctx, late, 0, 99); err == nil {
				w.Errorf("round %d: a member of before commits", round)
			}
			served.epoch, served.owned = 0, nil
			w.wantCode("a member joins a classic group", served.beat(ctx), CodeGroupNotFound)
			w.wantCode("commit", classic.commit(ctx, 10*round+2), 0)
			if _, err := classic.e.LeaveGroup(ctx, classic.e.c, "g", []Leaver{{Member: classic.request.Member}}); err != nil {
				w.Fatal(err)
			}
			classic.request.Member = ""
			if err := consume(); err != nil {
				w.Fatalf("round %d: an instance of the REST API joins: %v", round, err)
			}
			w.wantCode("a member joins a group of instances", served.beat(ctx), CodeGroupNotFound)
			if err := w.engines[0].DeleteInstance(ctx, w.engines[0].c, "g", "instance"); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Minute)
			w.settle(served)
			if at, err := served.fetch(ctx, served.ref(), 0); err != nil || at != 10*round+2 {
				w.Errorf("round %d: begins at %d, %v", round, at, err)
			}
			w.wantShares([]*servedMember{served}, 2)
		}
	})
}

// However many of all kinds come at once, to whatever process, a group has members of one kind.
func TestAllKindsThatComeAtOnceDoNotMix(t *testing.T) {
	came := map[string]int{}
	for delay := range 24 {
		inClassicBubble(t, 3, 10, func(w *classicWorld) {
			var joining sync.WaitGroup
			for i := range 3 {
				joining.Go(func() {
					time.Sleep(time.Duration(delay%8) * 10 * time.Millisecond)
					e := w.engines[i]
					if _, err := e.Consume(w.Context(), e.c, "g", fmt.Sprint(i), []string{"red"}, auto, 0); err != nil && !IsKind(err, InUse) {
						w.Errorf("an instance of the REST API: %v", err)
					}
				})
				joining.Go(func() {
					time.Sleep(time.Duration(delay/8) * 25 * time.Millisecond)
					if code := CodeOf(w.member((i + 1) % 3).join(w.Context())); code != 0 && code != CodeInconsistentProtocol {
						w.Errorf("a classic member: %d", code)
					}
				})
				joining.Go(func() {
					time.Sleep(30 * time.Millisecond)
					if code := CodeOf(w.served((i+2)%3, fmt.Sprint("m", i)).beat(w.Context())); code != 0 && code != CodeGroupNotFound {
						w.Errorf("a member of the consumer protocol: %d", code)
					}
				})
			}
			joining.Wait()
			e := w.engines[0]
			g, err := e.loadGroup(w.Context(), "c1", "g")
			if err != nil {
				w.Fatal(err)
			}
			consumers, err := consumersOf(g.attrs)
			if err != nil {
				w.Fatal(err)
			}
			kinds := 0
			for kind, n := range map[string]int{"REST": len(g.live(e.nowMs())), "classic": len(classicOf(g.attrs).State), "consumer": len(consumers.Members)} {
				if n > 0 {
					kinds++
					came[kind]++
				}
			}
			if kinds != 1 {
				w.Errorf("delay %d: %d kinds: %d instances, state %q, %d consumers", delay, kinds, len(g.live(e.nowMs())), classicOf(g.attrs).State, len(consumers.Members))
			}
		})
	}
	if len(came) != 3 {
		t.Errorf("not all kinds came first once: %v", came)
	}
}

// A process that has yet to learn that a partition is another's now lets no late commit through, once the new owner has read where to start.
func TestLateCommitsOfConsumersAreRefusedByWhoDoesNotKnowYet(t *testing.T) {
	inClassicBubble(t, 3, 1, func(w *classicWorld) {
		ctx := w.Context()
		a, b := w.served(0, "a"), w.served(1, "b")
		for round := range int64(3) {
			w.settle(a)
			late, stale := a.ref(), &servedMember{e: w.engines[2]}
			w.wantCode("commit", stale.commit(ctx, late, 0, 10*round), 0) // the third process knows a now
			a.epoch = groups.LeaveEpoch
			w.wantCode("leaving", a.beat(ctx), 0)
			w.wantCode("commit before the next owner has read", stale.commit(ctx, late, 0, 10*round+1), 0)
			w.wantCode("joining", b.beat(ctx), 0)
			w.wantShares([]*servedMember{b}, 1)
			if at, err := b.fetch(ctx, b.ref(), 0); err != nil || at != 10*round+1 {
				w.Errorf("the next owner begins at %d, %v", at, err)
			}
			if stale.e.rooms.m[groupKey("c1", "g")].consumers.Find("a") == nil {
				w.Fatal("the third process knows already")
			}
			w.wantCode("late commit", stale.commit(ctx, late, 0, 10*round+2), CodeStaleMemberEpoch)
			w.wantCode("commit", b.commit(ctx, b.ref(), 0, 10*round+3), 0)
			b.epoch = groups.LeaveEpoch
			w.wantCode("leaving", b.beat(ctx), 0)
			a.epoch, a.owned, b.epoch, b.owned = 0, nil, 0, nil
		}
	})
}
