package redis_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/dynamo"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/testenv/dynamolocal"
)

var (
	historySeed = flag.Uint64("history-seed", 1, "`seed` of the first history of TestLinearizable")
	histories   = flag.Int("histories", 12, "`number` of histories of each kind that TestLinearizable checks")
	dynamoOps   = flag.Int("dynamodb-ops", 3000, "`number` of operations, at least, that TestLinearizableOnDynamoDB checks")
)

// Of a history: few enough operations that checking it takes no time.
const (
	historyClients = 4
	historyOps     = 12 // of each client
	preludeOps     = 6  // in every other history, before
)

// checkTimeout is far more than a check takes, also on a machine that is busy with other things: a check
// that was cut off says nothing.
const checkTimeout = 10 * time.Minute

// failing is a store at its worst.
var failing = faulty.Plan{Throttle: 0.02, Conflict: 0.05, Unavailable: 0.02, LostApplied: 0.03, LostUnapplied: 0.03, LostLate: 0.03}

// TestLinearizable has clients of several engines on one store run random commands on the same
// keys, and looks for an order of these, compatible with when they ran, in which a
// plain model of Redis gives the same replies.
func TestLinearizable(t *testing.T) {
	t.Parallel()
	plans := map[string]faulty.Plan{"healthy": {}, "failing": failing}
	for _, fam := range families() {
		for name, plan := range plans {
			t.Run(fam.name+"/"+name, func(t *testing.T) {
				c := check{fam: fam, plan: plan}
				for i := range uint64(*histories) {
					if !c.one(newFleet(t, 3), *historySeed+i) {
						return
					}
				}
				c.log(t)
			})
		}
	}
}

// TestLinearizableOnDynamoDB is TestLinearizable on DynamoDB Local, whose answers come late enough for
// operations to overlap in ways that they do not in a store in memory.
func TestLinearizableOnDynamoDB(t *testing.T) {
	t.Parallel()
	client := dynamolocal.Client(t)
	st := dynamo.New(client, dynamolocal.Table(t, client))
	t.Cleanup(func() { st.Close() })
	fams := families()
	each := (*dynamoOps + len(fams) - 1) / len(fams)
	for _, fam := range fams {
		t.Run(fam.name, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			c := check{fam: fam, plan: failing}
			for seed := *historySeed; c.ops < each; seed++ {
				if !c.one(newFleetOn(t, st, strings.ReplaceAll(fmt.Sprint(fam.name, seed), " ", ""), 3), seed) {
					return
				}
			}
			c.log(t)
		})
	}
}

// check checks histories of one kind.
type check struct {
	fam  family
	plan faulty.Plan

	histories, ops, unknown int
}

// one records and checks a history, and reports whether all is well.
func (c *check) one(f *fleet, seed uint64) bool {
	f.t.Helper()
	c.plan.Seed = seed
	history := record(f, c.fam, c.plan, seed)
	c.histories++
	c.ops += len(history)
	for _, op := range history {
		if op.Output == nil {
			c.unknown++
		}
	}
	result, info := porcupine.CheckOperationsVerbose(model, history, checkTimeout)
	if result != porcupine.Ok {
		f.t.Errorf("seed %d: the history is %s%s", seed, result, explain(history, info))
	}
	return result == porcupine.Ok
}

func (c *check) log(t *testing.T) {
	t.Helper()
	t.Logf("%d histories, %d operations, %d of them of unknown outcome", c.histories, c.ops, c.unknown)
}

// model steps through operations ([]string, commands). An output of nil
// means that nobody knows it: whether and when the operation took effect.
var model = porcupine.Model{
	Init: func() any { return state{text: "", ks: keyspace{}} },
	Step: func(s, input, output any) (bool, any) {
		ks := s.(state).ks.clone()
		lines := input.([]string)
		if lines[0] == failingScript {
			return output == nil || output == "(error) ERR Error running script: @user_script:1: late", s
		}
		var replies []string
		for _, line := range lines {
			if line != wholeScript {
				replies = append(replies, ks.run(strings.Fields(line)))
			}
		}
		return output == nil || output == strings.Join(replies, " "), state{ks.text(), ks}
	},
	Equal: func(a, b any) bool { return a.(state).text == b.(state).text },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%v: %v", shorten(strings.Join(input.([]string), "; ")), shorten(fmt.Sprint(output)))
	},
}

type state struct {
	text string
	ks   keyspace
}

// shorten leaves out the padding of values.
func shorten(s string) string { return strings.ReplaceAll(s, pad, "") }

// explain shows how far a history can be put into an order, and what then is left of it.
func explain(history []porcupine.Operation, info porcupine.LinearizationInfo) string {
	var longest []porcupine.Operation
	for _, orders := range info.PartialLinearizationsOperations() {
		for _, order := range orders {
			if len(order) > len(longest) {
				longest = order
			}
		}
	}
	var b strings.Builder
	show := func(title string, ops []porcupine.Operation) {
		fmt.Fprintf(&b, "\n%s", title)
		for _, op := range ops {
			end := "?"
			if op.Return != math.MaxInt64 {
				end = fmt.Sprint(time.Duration(op.Return))
			}
			fmt.Fprintf(&b, "\n%v - %v client %d: %s", time.Duration(op.Call), end, op.ClientId, model.DescribeOperation(op.Input, op.Output))
		}
	}
	show("a possible order:", longest)
	used := map[string]bool{}
	key := func(op porcupine.Operation) string { return fmt.Sprint(op.ClientId, op.Call) }
	for _, op := range longest {
		used[key(op)] = true
	}
	left := slices.DeleteFunc(slices.Clone(history), func(op porcupine.Operation) bool { return used[key(op)] })
	slices.SortFunc(left, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	show("what is left:", left)
	return b.String()
}

// record runs random operations and returns what happened. In every other history
// there are keys that are older than any attempt may take.
func record(f *fleet, fam family, plan faulty.Plan, seed uint64) []porcupine.Operation {
	f.t.Helper()
	var mu sync.Mutex
	var history []porcupine.Operation
	begin := time.Now()
	run := func(client, n int) {
		rng := rand.New(rand.NewPCG(seed, uint64(client)))
		for range n {
			lines := fam.op(rng)
			op := porcupine.Operation{ClientId: client, Input: lines, Call: int64(time.Since(begin))}
			reply, known := f.attempt(client, lines)
			op.Return = int64(time.Since(begin))
			if known {
				op.Output = reply
			} else {
				op.Return = math.MaxInt64 // it may still take effect
			}
			mu.Lock()
			history = append(history, op)
			mu.Unlock()
		}
	}
	if seed%2 == 0 {
		run(historyClients, preludeOps)
		f.clock.advance(time.Hour)
	}
	f.faults.SetPlan(plan)
	var clients sync.WaitGroup
	for client := range historyClients {
		clients.Go(func() { run(client, historyOps) })
	}
	clients.Wait()
	f.faults.SetPlan(faulty.Plan{})
	f.faults.Flush()
	return history
}

// attempt runs a command or a transaction until it is known to have been
// carried out, or might have been: then, not known.
func (f *fleet) attempt(engine int, lines []string) (reply string, known bool) {
	e := f.engines[engine%len(f.engines)]
	ctx := context.Background()
	db, err := e.Database(ctx, f.id)
	if err != nil {
		f.t.Error(err)
		return "", false
	}
	cmds := make([][]string, len(lines))
	for i, l := range lines {
		cmds[i] = strings.Fields(l)
	}
	for {
		var w resp.Writer
		script := lines[0] == wholeScript || lines[0] == failingScript
		switch {
		case script:
			err = e.Do(ctx, db, redis.Access{}, scriptOf(lines), &w)
		case len(cmds) == 1:
			err = e.Do(ctx, db, redis.Access{}, cmds[0], &w)
		default:
			err = e.Multi(ctx, db, redis.Access{}, cmds, &w)
		}
		switch {
		case err == nil && script:
			return strings.TrimSuffix(strings.TrimPrefix(render(f.t, w.Buf), "["), "]"), true
		case err == nil:
			return strings.Join(renderAll(f.t, w.Buf), " "), true
		case errors.Is(err, store.ErrUnknownOutcome):
			return "", false
		case errors.Is(err, store.ErrThrottled), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnavailable):
		default:
			f.t.Error(err)
			return "", false
		}
	}
}

// First lines of operations that are scripts, which run the commands of the other lines. One of them then fails.
const (
	wholeScript   = "script:"
	failingScript = "failing script:"
)

// scriptOf is the EVAL of such an operation. It declares its first key.
func scriptOf(lines []string) []string {
	source := "local out = {} for i, line in ipairs(ARGV) do local words = {} for w in line:gmatch('%S+') do words[#words + 1] = w end out[i] = redis.call(unpack(words)) end"
	if lines[0] == failingScript {
		source += " error('late')"
	}
	return append([]string{"eval", source + " return out", "1", strings.Fields(lines[1])[1]}, lines[1:]...)
}
