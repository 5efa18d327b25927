package kafka

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/skystash/skystash/pkg/kafka/groups"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// Three processes serve a group of the consumer protocol whose members come, go, die and commit, some of them long after others have their
// partitions, over a store that loses answers. No partition is used by two at once, and a commit of a former owner is refused once a later one
// was told where to start.
func TestConsumerGroupsAreLinearizable(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { consumerGroupsAreLinearizable(t, seed) })
		})
	}
}

// servedHistory is what members of the group were told, and believe.
type servedHistory struct {
	*classicHistory
	owners map[int]string // by partition: the member that has claimed it last
	epochs map[int]int32  // since when
	moves  int
}

func consumerGroupsAreLinearizable(t *testing.T, seed uint64) {
	const engines, clients, calls, partitions = 3, 4, 300, 4
	st, all := overFaultyStore(t, engines, partitions)
	defer st.Close()
	w := &classicWorld{T: t, engines: all}
	st.SetPlan(faulty.Plan{Seed: seed, Throttle: 0.01, Conflict: 0.01, Unavailable: 0.01, LostApplied: 0.02, LostUnapplied: 0.02})
	h := &servedHistory{classicHistory: &classicHistory{T: t}, owners: map[int]string{}, epochs: map[int]int32{}}
	var work sync.WaitGroup
	for client := range clients {
		work.Go(func() { h.client(w, client, rand.New(rand.NewPCG(seed, uint64(client))), calls) })
	}
	work.Wait()
	if h.commits < 20 || h.refusals < 3 || h.moves < 10 {
		t.Errorf("only %d commits, %d refusals and %d changes of owners", h.commits, h.refusals, h.moves)
	}
	if !porcupine.CheckOperations(fencedOffsets.ToModel(), h.offsets) {
		t.Errorf("%d calls are not linearizable", len(h.offsets))
	}

	// In peace, whoever is left gets everything.
	st.SetPlan(faulty.Plan{})
	time.Sleep(5 * time.Minute)
	last := w.served(0, "last")
	for range 20 {
		_ = last.beat(t.Context())
		time.Sleep(5 * time.Second)
	}
	w.wantShares([]*servedMember{last}, partitions)
}

// client is one member after the other.
func (h *servedHistory) client(w *classicWorld, client int, dice *rand.Rand, calls int) {
	ctx := h.Context()
	type zombie struct {
		ref   MemberRef
		owned []int
	}
	var zombies []zombie
	var m *servedMember
	names := 0
	commit := func(ref MemberRef, owned []int) {
		if len(owned) == 0 {
			return
		}
		p, offset := owned[dice.IntN(len(owned))], dice.Int64N(1_000_000)
		h.do(client, fencedCall{p, true, ref.Generation, offset}, func() (int64, error) {
			e := w.engines[dice.IntN(len(w.engines))]
			errs, all := e.CommitOffsets(ctx, e.c, ref, []OffsetCommit{{TopicOffset{TopicPartition{"red", p}, offset}, -1, ""}})
			return 0, errors.Join(append(errs, all)...)
		})
	}
	for range calls {
		if m == nil {
			names++
			m = w.served(0, fmt.Sprint("m", client, "-", names))
			if dice.IntN(3) == 0 {
				m.instance = fmt.Sprint("static", client)
			}
		}
		m.e = w.engines[dice.IntN(len(w.engines))]
		switch n := dice.IntN(100); {
		case n < 25 && m.epoch > 0:
			commit(m.ref(), m.owned)
		case n < 35 && len(zombies) > 0:
			z := zombies[dice.IntN(len(zombies))]
			commit(z.ref, z.owned)
		case n < 37 && m.epoch > 0: // dies
			zombies = append(zombies, zombie{m.ref(), m.owned})
			m = nil
		case n < 41 && m.epoch > 0:
			zombies = append(zombies, zombie{m.ref(), m.owned})
			if m.epoch = groups.LeaveEpoch; m.instance != "" {
				m.epoch = groups.LeftEpoch
			}
			_ = m.beat(ctx)
			m = nil
		default:
			had := map[int]bool{}
			for _, p := range m.owned {
				had[p] = true
			}
			was := zombie{m.ref(), m.owned}
			if err := m.beat(ctx); err != nil && m.epoch == 0 {
				zombies = append(zombies, was)
				if CodeOf(err) == CodeFencedInstance {
					m = nil
				}
				break
			}
			for _, p := range m.owned {
				if !had[p] {
					h.take(client, m, p)
				}
			}
		}
		time.Sleep(time.Duration(dice.IntN(3000)) * time.Millisecond)
	}
}

// take reads where to start in a partition that a member has got.
func (h *servedHistory) take(client int, m *servedMember, partition int) {
	h.do(client, fencedCall{partition, false, m.epoch, 0}, func() (int64, error) { return m.fetch(h.Context(), m.ref(), partition) })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.owners[partition] == m.id {
		return
	}
	if h.epochs[partition] >= m.epoch {
		h.Errorf("partition %d: %s has it in epoch %d, and %s had it in %d", partition, m.id, m.epoch, h.owners[partition], h.epochs[partition])
	}
	h.owners[partition], h.epochs[partition] = m.id, m.epoch
	h.moves++
}
