package kafkadifferential

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// defaultRounds are as many as it takes to meet all that is on the list of exceptions.
const defaultRounds = 40

var (
	seedFlag   = flag.Uint64("seed", 1, "seed of the first round; 0 draws one")
	roundsFlag = flag.Int("rounds", defaultRounds, "rounds, each from an empty cluster")
	stepsFlag  = flag.Int("steps", 150, "requests of a round")
)

// TestMain lets more rounds run at once than there are processors: they wait most of the time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "20"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// round is a sequence of requests to two brokers that were empty.
type round struct {
	w          *world
	seed       uint64
	fake, ours *side
}

func (r *round) sides() []*side { return []*side{r.fake, r.ours} }

// Every answer is that of kfake, but for what is listed.
func TestAnswersAreThoseOfKafka(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	seen := &counts{of: map[string]int{}}
	t.Run("rounds", func(t *testing.T) { // which ends when all of them have
		for i := range uint64(*roundsFlag) {
			t.Run(fmt.Sprint("seed=", seed+i), func(t *testing.T) {
				t.Parallel()
				r := &round{w: newWorld(seed + i), seed: seed + i, fake: startFake(t), ours: startOurs(t)}
				r.w.versions = common(r.fake.versions(), r.ours.versions())
				for step := range *stepsFlag {
					if !r.step(t, step, seen) {
						break
					}
				}
			})
		}
	})
	for _, e := range exceptions {
		t.Logf("%6d × %s", seen.of[e.reason], e.reason)
		if seen.of[e.reason] == 0 && *roundsFlag >= defaultRounds && !t.Failed() {
			t.Errorf("this does not occur any more, and is to be taken off the list: %s", e.reason)
		}
	}
}

// step makes a request of both sides. It returns false if they may differ from now on.
func (r *round) step(t *testing.T, n int, seen *counts) bool {
	t.Helper()
	var diffs []difference
	var sent [2]kmsg.Request
	var got [2]kmsg.Response
	what := "members join"
	if r.w.IntN(12) == 0 {
		name := groupNames[r.w.IntN(len(groupNames))]
		what += " " + name
		diffs = r.rebalance(name)
	} else {
		seed := r.w.Uint64()
		for i, s := range r.sides() {
			sent[i] = r.draw(s, seed)
			if key := sent[i].Key(); r.w.unsettled && key != int16(kmsg.Produce) {
				s.settle(r.w.topics)
			}
			got[i] = s.do(sent[i])
		}
		if sent[0].Key() != int16(kmsg.Produce) {
			r.w.unsettled = false
		}
		what = fmt.Sprintf("%s version %d: %+v", kmsg.NameForKey(sent[1].Key()), sent[1].GetVersion(), sent[1])
		diffs = compare(sent[1], r.fake, r.ours, got[0], got[1])
	}
	rest, goOn := allow(diffs, seen)
	if len(rest) > 0 {
		t.Errorf("step %d: %s", n, what)
		for _, d := range rest {
			t.Errorf("  %v", d)
		}
		t.Logf("again with -seed %d -rounds 1", r.seed)
		return false
	}
	if goOn && got[1] != nil {
		r.learn(sent[1], got[1])
	}
	if storesNothing(got[1]) {
		r.unmake(sent[1].(*kmsg.OffsetCommitRequest).Group)
	}
	return goOn
}

// unmake deletes a group that kfake has and we do not.
func (r *round) unmake(group string) {
	for _, g := range r.ours.do(kmsg.NewPtrListGroupsRequest()).(*kmsg.ListGroupsResponse).Groups {
		if g.Group == group {
			return
		}
	}
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{group}
	r.fake.do(req)
}

// storesNothing reports whether an answer is to a commit whose partitions are all unknown: kfake makes a group of it, brokers do not.
func storesNothing(resp kmsg.Response) bool {
	commit, ok := resp.(*kmsg.OffsetCommitResponse)
	if !ok {
		return false
	}
	for _, t := range commit.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != kerr.UnknownTopicOrPartition.Code {
				return false
			}
		}
	}
	return true
}

// draw draws a request for a side.
func (r *round) draw(s *side, seed uint64) kmsg.Request {
	d := &draw{rand.New(rand.NewPCG(seed, 1)), r.w, s}
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	n := d.IntN(sum)
	for _, k := range kinds {
		if n -= k.weight; n >= 0 {
			continue
		}
		req := k.draw(d)
		if req.GetVersion() <= 0 {
			d.version(req)
		}
		return req
	}
	panic("unreachable")
}
