package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/ledger"
)

func newLedger(t *testing.T) *ledger.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return ledger.New(st)
}

// left lists a store's items but for the database's record.
func left(l *ledger.Store) []string {
	var out []string
	for _, k := range l.Keys() {
		if k.Partition[0] != 'd' {
			out = append(out, fmt.Sprintf("%q %q", k.Partition, k.Sort))
		}
	}
	slices.Sort(out)
	return out
}

func numbered(prefix string, from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%06d", prefix, i))
	}
	return out
}

func (d *testDB) strings(args ...string) []string {
	d.t.Helper()
	reply, err := resp.Decode(d.raw(args...))
	if err != nil {
		d.t.Fatal(err)
	}
	list, ok := reply.([]any)
	if set, isSet := reply.(resp.Set); isSet {
		list, ok = set, true
	}
	if !ok {
		d.t.Fatalf("%s replies %.200v", args[0], reply)
	}
	out := make([]string, len(list))
	for i, element := range list {
		out[i] = element.(string)
	}
	return out
}

// splitReply takes a rendered array of plain strings apart.
func splitReply(s string) []string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if s == "" {
		return nil
	}
	out := strings.Split(s, " ")
	for i := range out {
		out[i] = strings.Trim(out[i], `"`)
	}
	return out
}

func TestSpreadList(t *testing.T) {
	d := newTestEngine(t)
	model := numbered("e", 0, 1000)
	d.do(append([]string{"rpush", "l"}, model...)...)
	same := func(step string) {
		t.Helper()
		if got := d.strings("lrange", "l", "0", "-1"); !slices.Equal(got, model) {
			t.Fatalf("%s: list has %d elements, want %d; or they differ", step, len(got), len(model))
		}
		if got, want := d.cmd("llen l"), fmt.Sprintf("(integer) %d", len(model)); got != want {
			t.Fatalf("%s: LLEN %s, want %s", step, got, want)
		}
	}
	same("created")
	more := numbered("r", 0, 500)
	d.do(append([]string{"rpush", "l"}, more...)...)
	model = append(model, more...)
	same("500 pushed right")
	front := numbered("f", 0, 300)
	d.do(append([]string{"lpush", "l"}, front...)...)
	slices.Reverse(front)
	model = append(front, model...)
	same("300 pushed left")
	d.cmd("lpop l 250")
	model = model[250:]
	same("250 popped left")
	d.cmd("rpop l 111")
	model = model[:len(model)-111]
	same("111 popped right")
	for i, at := range []int{3, len(model) - 3, len(model) / 2} {
		v := fmt.Sprintf("new%d", i)
		d.do("linsert", "l", "before", model[at], v)
		model = slices.Insert(model, at, v)
		same("inserted at " + fmt.Sprint(at))
	}
	d.do("lset", "l", "700", "set")
	model[700] = "set"
	same("set")
	d.do("lrem", "l", "0", model[900])
	model = slices.Delete(model, 900, 901)
	same("removed")
	d.do("ltrim", "l", "5", "-6")
	model = model[5 : len(model)-5]
	same("trimmed a little")
	d.do("ltrim", "l", "200", "800")
	model = model[200:801]
	same("trimmed a lot")
	if got := d.do("lindex", "l", "-2"); got != fmt.Sprintf("%q", model[len(model)-2]) {
		t.Errorf("LINDEX -2: %s", got)
	}
	if got := d.do("lpos", "l", model[500]); got != "(integer) 500" {
		t.Errorf("LPOS: %s", got)
	}
}

func TestListAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := newTestEngine(t)
	var model []string
	big := strings.Repeat("x", 60) // so that some 70 elements are spread
	for step := range 1500 {
		v := fmt.Sprintf("%d-%s", step, big)
		n := len(model)
		switch op := rng.IntN(12); {
		case op < 3:
			d.do("rpush", "l", v, v+"b")
			model = append(model, v, v+"b")
		case op < 5:
			d.do("lpush", "l", v)
			model = slices.Insert(model, 0, v)
		case n == 0:
		case op < 7:
			d.cmd("lpop l")
			model = model[1:]
		case op < 8:
			k := min(n, 3)
			d.cmd("rpop l 3")
			model = model[:n-k]
		case op < 9:
			i := rng.IntN(n)
			d.do("lset", "l", fmt.Sprint(i), v)
			model[i] = v
		case op < 10:
			i := rng.IntN(n)
			d.do("linsert", "l", "after", model[i], v)
			model = slices.Insert(model, i+1, v)
		case op < 11:
			i := rng.IntN(n)
			d.do("lrem", "l", "1", model[i])
			model = slices.Delete(model, i, i+1)
		case rng.IntN(5) == 0:
			a, b := rng.IntN(n), n-1-rng.IntN(min(n, 4))
			d.do("ltrim", "l", fmt.Sprint(a/8), fmt.Sprint(b))
			if a/8 > b {
				model = nil
			} else {
				model = model[a/8 : b+1]
			}
		}
		if got := d.strings("lrange", "l", "0", "-1"); !slices.Equal(got, model) {
			t.Fatalf("step %d: list %v, want %v", step, got, model)
		}
	}
}

func TestSpreadSet(t *testing.T) {
	d := newTestEngine(t)
	model := map[string]bool{}
	add := func(ms ...string) {
		d.do(append([]string{"sadd", "s"}, ms...)...)
		for _, m := range ms {
			model[m] = true
		}
	}
	check := func(step string) {
		t.Helper()
		if got := d.cmd("scard s"); got != fmt.Sprintf("(integer) %d", len(model)) {
			t.Fatalf("%s: SCARD %s, want %d", step, got, len(model))
		}
		seen := map[string]int{}
		cursor := "0"
		for {
			reply := d.do("sscan", "s", cursor, "count", "100")
			next, rest, _ := strings.Cut(strings.TrimPrefix(reply, "["), " ")
			for _, m := range splitReply(strings.TrimSuffix(rest, "]")) {
				seen[m]++
			}
			if cursor = strings.Trim(next, `"`); cursor == "0" {
				break
			}
		}
		for m := range model {
			if seen[m] != 1 {
				t.Fatalf("%s: SSCAN returned %q %d times", step, m, seen[m])
			}
		}
		if len(seen) != len(model) {
			t.Fatalf("%s: SSCAN returned %d members, want %d", step, len(seen), len(model))
		}
	}
	add(numbered("m", 0, 1500)...)
	check("created")
	add(numbered("m", 1000, 1900)...)
	check("grown in steps")
	gone := numbered("m", 100, 400)
	d.do(append([]string{"srem", "s"}, gone...)...)
	for _, m := range gone {
		delete(model, m)
	}
	check("shrunk in steps")
	for _, m := range d.strings("spop", "s", "50") {
		if !model[m] {
			t.Fatalf("SPOP returned %q, which is not a member", m)
		}
		delete(model, m)
	}
	check("popped")
	add("long" + strings.Repeat("y", 5000))
	check("long member")
	d.do("sunionstore", "t", "s", "none")
	if a, b := d.cmd("scard t"), d.cmd("scard s"); a != b {
		t.Errorf("SUNIONSTORE: %s, want %s", a, b)
	}
	d.do("sadd", "few", "m000500", "m000501", "q")
	if got := d.cmd("sintercard 2 s few"); got != "(integer) 2" && model["m000500"] && model["m000501"] {
		t.Errorf("SINTERCARD: %s", got)
	}
}

func TestNothingLeaks(t *testing.T) {
	led := newLedger(t)
	d := newTestEngineOn(t, led)
	big := strings.Repeat("z", 1<<20)
	round := func() {
		d.do(append([]string{"rpush", "list"}, numbered("e", 0, 600)...)...)
		d.do(append([]string{"sadd", "set"}, numbered("m", 0, 600)...)...)
		d.do("set", "str", big)
		if got := d.do("get", "str"); got != fmt.Sprintf("%q", big) {
			t.Fatal("a large string did not come back")
		}
		d.do("set", "str", big+"again")
		d.cmd("spop set 590")
		d.cmd("ltrim list 100 200")
		d.cmd("lpop list 101")
		d.cmd("sadd other a b c")
		d.cmd("set list x")
	}
	round()
	for _, k := range []string{"list", "set", "str", "other"} {
		d.e.Do(context.Background(), d.database(), redis.Access{}, []string{"spop", k, "1000"}, new(resp.Writer))
	}
	d.cmd("set set x")
	d.cmd("set str x")
	d.clock.advance(time.Hour)
	if _, err := d.e.Reclaim(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := left(led); len(got) != 3 { // list, set, str
		t.Errorf("%d items are left, want the 3 heads: %v", len(got), got)
	}
	round()
	d.cmd("flushdb")
	d.clock.advance(time.Hour)
	if _, err := d.e.Reclaim(context.Background()); err != nil {
		t.Fatal(err)
	}
	d.clock.advance(time.Hour)
	if _, err := d.e.Reclaim(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := left(led); len(got) != 0 {
		t.Errorf("after FLUSHDB %d items are left: %v", len(got), got)
	}
}
