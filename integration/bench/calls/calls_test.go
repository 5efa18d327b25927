package calls

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
)

const file = "../CALLS.md"

var update = flag.Bool("update", false, "write "+file+" instead of comparing with it")

// TestCalls measures all commands and compares with the table that is checked in.
func TestCalls(t *testing.T) {
	b := newBench(t)
	var out table
	out.text(preface())
	b.small(&out)
	out.section("Instances that were idle, or are new", "request", "before it", b.idle())
	out.section("Several commands in one request", "request", "commands", b.batches())
	out.section(fmt.Sprintf("Large collections, of %d elements each", largeSize), "command", "", b.large())
	out.section(fmt.Sprintf("Busy keys: after %d writes of the same key at one moment", busyWrites), "command", "key before", b.busy())
	out.section("Messages", "command", "subscribers", b.messages())
	out.section("Large values", "command", "key before", b.blocks(largeValues(), func(block, []string, row) {}))

	measured := strings.TrimSpace(out.String()) + "\n"
	if *update {
		if t.Failed() {
			t.Fatalf("%s is left as it is", file)
		}
		if err := os.WriteFile(file, []byte(measured), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	checkedIn, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if diff := difference(string(checkedIn), measured); diff != "" {
		t.Errorf("%s is not what was measured (-: the file, +: measured).\nIf that is meant: go test ./integration/bench/calls -update\n%s", file, diff)
	}
}

// small measures commands on small values and holds them against their goals.
func (b *bench) small(out *table) {
	b.t.Helper()
	db := b.database()
	all := b.catalogue(db)
	seen, met, excused := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, g := range groups() {
		rows := b.blocks(g.blocks, func(bl block, args []string, r row) {
			name, err := all.nameOf(args)
			if err != nil {
				b.t.Errorf("row %q: %v", r.what, err)
				return
			}
			if !all[name].touchesData() {
				b.t.Errorf("row %q: the command touches no data", r.what)
			}
			seen[name] = true
			want, key := goal(name, args, b.keysOf(db, args)), bl.before+": "+strings.Join(args, " ")
			switch e, is := exceptions[key]; {
			case is && e.calls != r.calls():
				b.t.Errorf("%s: %d calls, the exception says %d", key, r.calls(), e.calls)
			case is && r.calls() <= want:
				b.t.Errorf("%s: %d calls are within the goal of %d: drop the exception", key, r.calls(), want)
			case is:
				excused[key] = true
			case want > 0 && r.calls() > want:
				b.t.Errorf("%s: %d calls (%s), goal %d", key, r.calls(), describe(r.requests), want)
			case want == 1:
				met[name] = true
			}
			if g.title != wholeDatabase {
				_, excepted := exceptions[key]
				b.checkUnits(key, r.cost, want > 0 && name[0] != 'm' && !excepted)
			}
		})
		out.section(g.title, "command", "key before", rows)
	}
	for name, c := range all {
		if c.touchesData() && !seen[name] {
			b.t.Errorf("command %s has no row", name)
		}
	}
	for _, name := range oneCall {
		if !met[name] {
			b.t.Errorf("command %s: no row shows that it makes one call", name)
		}
	}
	for key := range exceptions {
		if !excused[key] {
			b.t.Errorf("exception %q: there is no such row", key)
		}
	}
}

// checkUnits makes sure that the units are the least that DynamoDB takes for
// the requests, and that a command of one key does without transactions.
func (b *bench) checkUnits(key string, c cost, plain bool) {
	b.t.Helper()
	for _, r := range c.requests {
		if plain && r.items > 0 {
			b.t.Errorf("%s: a %s for one key", key, r.op)
		}
		if reads, writes := leastUnits(r); r.reads != reads || r.writes != writes {
			b.t.Errorf("%s: %s takes %v read and %v write units, not %v and %v", key, r.op, r.reads, r.writes, reads, writes)
		}
	}
}

// blocks measures commands and hands each row to check.
func (b *bench) blocks(blocks []block, check func(block, []string, row)) []row {
	b.t.Helper()
	var rows []row
	for _, bl := range blocks {
		var db *redis.Database
		for _, line := range bl.cmds {
			if db == nil || !bl.reads {
				db = b.database()
				b.prepare(db, bl.prepare)
			}
			args := b.fill(db, split(line))
			r := row{what: shorten(line), before: bl.before, cost: b.cost(db, args, bl.random, bl.refusal)}
			check(bl, args, r)
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(x, y row) int {
		return strings.Compare(strings.Fields(x.what)[0], strings.Fields(y.what)[0])
	})
	return rows
}

// fill puts what DUMP replies for the key in the place of "<dump>".
func (b *bench) fill(db *redis.Database, args []string) []string {
	b.t.Helper()
	for i, a := range args {
		dump := []string{"DUMP", "k"}
		switch a {
		case "<dump>":
		case "<functions>":
			dump = []string{"FUNCTION", "DUMP"}
		default:
			continue
		}
		payload, err := b.do(b.t.Context(), db, dump...)
		if err != nil {
			b.t.Fatal(err)
		}
		args[i] = payload.(string)
	}
	return args
}

// batches measures requests with several commands.
func (b *bench) batches() []row {
	b.t.Helper()
	var rows []row
	for _, bt := range batches() {
		db := b.database()
		b.prepare(db, bt.prepare)
		r := row{what: "POST " + bt.path, before: bt.title, cost: b.post(db, bt.path, bt.cmds)}
		if r.calls() != bt.calls {
			b.t.Errorf("%s, %s: %d calls (%s), goal %d", bt.path, bt.title, r.calls(), describe(r.requests), bt.calls)
		}
		b.checkUnits(bt.path+", "+bt.title, r.cost, false)
		rows = append(rows, r)
	}
	return rows
}

// busy measures writes of keys that were written many times just before.
func (b *bench) busy() []row {
	b.t.Helper()
	var rows []row
	for _, br := range busyRows() {
		db := b.database()
		b.prepare(db, []string{br.prepare})
		args := split(br.cmd)
		run := func(ctx context.Context) error {
			_, err := b.do(ctx, db, args...)
			return err
		}
		first := b.measureNow(br.cmd, run)
		for range busyWrites - 1 {
			if err := run(b.t.Context()); err != nil {
				b.t.Fatal(err)
			}
		}
		r := row{what: br.cmd, before: br.before, cost: b.measureNow(br.cmd, run)}
		if r.reads != first.reads || r.writes != first.writes || r.calls() != first.calls() {
			b.t.Errorf("%s: %d calls, %v read and %v write units at first, %d, %v and %v after %d times",
				br.cmd, first.calls(), first.reads, first.writes, r.calls(), r.reads, r.writes, busyWrites)
		}
		b.clock.advance(tracesGone)
		rows = append(rows, r)
	}
	return rows
}

// large measures commands on large collections. Those about single elements
// make as many calls on smaller ones.
func (b *bench) large() []row {
	b.t.Helper()
	smaller, rows := b.largeOf(smallerSize), b.largeOf(largeSize)
	for i, r := range largeRows() {
		if few, many := smaller[i].calls(), rows[i].calls(); r.single && few != many {
			b.t.Errorf("%s: %d calls with %d elements, %d with %d", r.cmd, few, smallerSize, many, largeSize)
		}
	}
	return rows
}

func (b *bench) largeOf(size int) []row {
	b.t.Helper()
	db := b.database()
	for _, args := range collections(size) {
		if _, err := b.do(b.t.Context(), db, args...); err != nil {
			b.t.Fatal(err)
		}
	}
	b.clock.advance(tracesGone)
	var rows []row
	for _, lr := range largeRows() {
		rows = append(rows, row{what: lr.cmd, cost: b.cost(db, split(lr.cmd), lr.random, "")})
	}
	return rows
}
