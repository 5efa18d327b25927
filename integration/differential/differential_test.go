package differential

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

var (
	seedFlag     = flag.Uint64("seed", 1, "seed of the first round; 0 draws one")
	commandsFlag = flag.Int("commands", 0, "steps of a round; 0: 1500 in memory, 250 on DynamoDB Local")
	roundsFlag   = flag.Int("rounds", 2, "rounds of a family; every second one with big collections")
)

// Two servers of the same kind must agree; if they do not, a comparison is at fault.
func TestRealRedisAgreesWithItself(t *testing.T) {
	compareFamilies(t, startRedis(t), 200)
}

// compareFamilies runs the rounds of all families, each as a subtest.
func compareFamilies(t *testing.T, ours subject, steps int) {
	t.Helper()
	if *commandsFlag > 0 {
		steps = *commandsFlag
	}
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	p := pair{redis: startRedis(t), ours: failing{ours}}
	all := parseFamilies(t)
	for _, home := range all {
		t.Run(home.name, func(t *testing.T) {
			reported := map[string]int{}
			for round := range *roundsFlag {
				g := newGen(seed+uint64(round), round%2 == 1)
				compareRound(t, p, drawSteps(g, all, home, steps), reported,
					fmt.Sprintf("-run '%s' -seed %d -rounds %d -commands %d", t.Name(), seed, round+1, steps))
			}
		})
	}
}

// compareRound runs steps to their end. At a difference it reports, starts anew
// from an empty database and goes on.
func compareRound(t *testing.T, p pair, steps []step, reported map[string]int, again string) {
	t.Helper()
	for len(steps) > 0 {
		i, diff, err := runSteps(p, steps)
		if err != nil {
			t.Fatalf("%v\n  step: %v\n  again with %s", err, steps[i], again)
		}
		if i < 0 {
			return
		}
		name := steps[i].name()
		reported[name]++
		if reported[name] > 2 {
			t.Fail()
			steps = steps[i+1:]
			continue
		}
		short, err := shrink(p, steps[:i+1], 40*len(steps))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for n, s := range short {
			fmt.Fprintf(&b, "  %4d %v\n", n+1, s)
		}
		t.Errorf("%s differs\n      %s\n%s  again with %s", name, diff, b.String(), again)
		steps = steps[i+1:]
	}
}
