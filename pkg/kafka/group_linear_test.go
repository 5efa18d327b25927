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

	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/store/slow"
)

// offsetCall is a call about the committed offset of one partition.
type offsetCall struct {
	partition int
	writes    bool  // a commit or a reset of offset, else a read
	offset    int64 // of a write
}

// offsetResult is what it returned.
type offsetResult struct {
	offset  int64 // of a read
	refused bool  // a write had no effect
	unknown bool  // it may have had one
}

// committedOffsets is a register for each partition.
var committedOffsets = porcupine.NondeterministicModel{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byPartition := map[int][]porcupine.Operation{}
		for _, op := range history {
			p := op.Input.(offsetCall).partition
			byPartition[p] = append(byPartition[p], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range byPartition {
			out = append(out, ops)
		}
		return out
	},
	Init: func() []any { return []any{int64(-1)} },
	Step: func(state, input, output any) []any {
		in, out := input.(offsetCall), output.(offsetResult)
		switch {
		case !in.writes && out.unknown, out.refused:
			return []any{state}
		case !in.writes:
			if out.offset != state.(int64) {
				return nil
			}
			return []any{state}
		case out.unknown:
			return []any{state, in.offset}
		}
		return []any{in.offset}
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// overFaultyStore makes processes over one slow store, which has no faults until it is given a plan. The caller
// closes it.
func overFaultyStore(t *testing.T, engines, partitions int) (*faulty.Store, []crowdEngine) {
	t.Helper()
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	st := faulty.New(slow.New(inner, slow.Options{Latency: 5 * time.Millisecond}), faulty.Plan{})
	var all []crowdEngine
	for range engines {
		all = append(all, newCrowdEngine(t, st))
	}
	if err := all[0].prepare(t.Context(), partitions); err != nil {
		t.Fatal(err)
	}
	return st, all
}

// Three processes serve a group whose instances come, go, expire and commit, over a store that loses
// answers. What is committed is a register for each partition, which rebalances do not touch.
func TestCommittedOffsetsAreLinearizable(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { committedOffsetsAreLinearizable(t, seed) })
		})
	}
}

func committedOffsetsAreLinearizable(t *testing.T, seed uint64) {
	const engines, clients, calls, partitions = 3, 6, 80, 4
	st, all := overFaultyStore(t, engines, partitions)
	defer st.Close()
	st.SetPlan(faulty.Plan{Seed: seed, Throttle: 0.01, Conflict: 0.02, Unavailable: 0.01, LostApplied: 0.02, LostUnapplied: 0.02})
	o := manualCommit.with(func(o *InstanceOptions) { o.SessionTimeout = 5 * time.Second })

	var mu sync.Mutex
	var history []porcupine.Operation
	writes, refused := 0, 0
	record := func(client int, in offsetCall, do func() (int64, error)) {
		begin := time.Now().UnixNano()
		offset, err := do()
		out := offsetResult{offset: offset}
		switch {
		case IsKind(err, Lost) || IsKind(err, NotFound) || IsKind(err, InUse):
			out.refused = true
		case err != nil:
			out.unknown = true
		}
		mu.Lock()
		defer mu.Unlock()
		if in.writes && err == nil {
			writes++
		}
		if out.refused {
			refused++
		}
		history = append(history, porcupine.Operation{ClientId: client, Input: in, Output: out, Call: begin, Return: time.Now().UnixNano()})
	}
	var work sync.WaitGroup
	for client := range clients {
		work.Go(func() {
			dice := rand.New(rand.NewPCG(seed, uint64(client)))
			for range calls {
				e := all[dice.IntN(engines)]
				name := fmt.Sprint("i", client%3) // two clients use each instance
				tp := TopicPartition{"red", dice.IntN(partitions)}
				in := offsetCall{partition: tp.Partition, writes: true, offset: dice.Int64N(1_000_000)}
				switch n := dice.IntN(100); {
				case n < 25:
					_, _ = e.Consume(t.Context(), e.c, "g", name, []string{"red"}, o, time.Duration(dice.IntN(300))*time.Millisecond)
				case n < 30:
					_ = e.DeleteInstance(t.Context(), e.c, "g", name)
				case n < 65:
					record(client, in, func() (int64, error) {
						err := e.Commit(t.Context(), e.c, "g", name, []TopicOffset{{tp, in.offset}})
						var partly *CommitError
						if errors.As(err, &partly) {
							return 0, partly.Unwrap()
						}
						return 0, err
					})
				case n < 68:
					record(client, in, func() (int64, error) {
						return 0, e.ResetOffsets(t.Context(), e.c, "g", []TopicOffset{{tp, in.offset}})
					})
				case n < 70:
					time.Sleep(time.Duration(dice.IntN(8000)) * time.Millisecond) // so that sessions end
				default:
					in.writes = false
					record(client, in, func() (int64, error) {
						got, err := e.Committed(t.Context(), e.c, "g", []TopicPartition{tp})
						if err != nil {
							return 0, err
						}
						return got[0].Offset, nil
					})
				}
				time.Sleep(time.Duration(dice.IntN(20)) * time.Millisecond)
			}
		})
	}
	work.Wait()
	if writes < 20 || refused < 5 {
		t.Errorf("only %d writes, and %d refusals", writes, refused)
	}
	if !porcupine.CheckOperations(committedOffsets.ToModel(), history) {
		t.Errorf("%d calls are not linearizable", len(history))
	}
}
