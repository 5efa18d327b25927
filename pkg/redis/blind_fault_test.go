package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store/faulty"
)

// interrupted runs a blind write of one engine while its answer is lost and, before that engine
// looks again, another one runs other commands. It returns the reply, or the error.
func (f *fleet) interrupted(fate faulty.Plan, line string, meanwhile ...string) string {
	f.t.Helper()
	ctx := context.Background()
	applies, looked := 0, false
	fate.Before = func(_ context.Context, method string) {
		switch {
		case method == "Apply":
			applies++
		case method == "Get" && applies == 1 && !looked:
			looked = true
			f.faults.SetPlan(faulty.Plan{})
			for _, m := range meanwhile {
				f.do(1, m)
			}
		}
	}
	f.faults.SetPlan(fate)
	defer f.faults.SetPlan(faulty.Plan{})
	db, err := f.engines[0].Database(ctx, f.id)
	if err != nil {
		f.t.Fatal(err)
	}
	var w resp.Writer
	if err := f.engines[0].Do(ctx, db, redis.Access{}, strings.Fields(line), &w); err != nil {
		return redis.FailureText(err)
	}
	if !looked {
		f.t.Errorf("%s: nothing was lost", line)
	}
	return render(f.t, w.Buf)
}

const unknownOutcome = "ERR the outcome of the command is unknown: it may have been carried out"

// A blind write that was applied, but whose answer was lost, is not applied again on top of
// what another client has written meanwhile.
func TestBlindUpdatesAreNotRepeatedOverOthers(t *testing.T) {
	long := strings.Repeat("long", 1000) // which is compressed
	for _, tc := range []struct {
		name, before, blind, meanwhile string
		reply                          string // of the blind write
		look, want                     string
	}{
		{"SET KEEPTTL", "set k 0", "set k 1 keepttl", "incrby k 5", "OK", "get k", `"6"`},
		{"GETEX", "set k v", "getex k exat 4000000000", "persist k", unknownOutcome, "expiretime k", "(integer) -1"},
		{"GETEX PERSIST", "set k v exat 4000000000", "getex k persist", "expireat k 4000000001", unknownOutcome, "expiretime k", "(integer) 4000000001"},
		{"EXPIRE", "set k v", "expireat k 4000000000", "persist k", "(integer) 1", "expiretime k", "(integer) -1"},
		{"EXPIRE of a stream", "xadd k 1-1 f v", "expireat k 4000000000", "persist k", "(integer) 1", "expiretime k", "(integer) -1"},
		{"PERSIST", "set k v exat 4000000000", "persist k", "expireat k 4000000001", "(integer) 1", "expiretime k", "(integer) 4000000001"},
		{"HSET", "hset k f 0", "hset k f 1", "hset k f 2", unknownOutcome, "hget k f", `"2"`},
		{"HMSET", "hset k f 0", "hmset k f 1", "hset k f 2", "OK", "hget k f", `"2"`},
		{"HSETNX", "hset k g 0", "hsetnx k f 1", "hset k f 2", "(integer) 1", "hget k f", `"2"`},
		{"HDEL", "hset k f 0 g 0", "hdel k f", "hset k f 2", unknownOutcome, "hget k f", `"2"`},
		{"SADD", "sadd k a", "sadd k b", "srem k b", unknownOutcome, "sismember k b", "(integer) 0"},
		{"SREM", "sadd k a b", "srem k b", "sadd k b", unknownOutcome, "sismember k b", "(integer) 1"},
		{"ZADD", "zadd k 1 m", "zadd k 2 m", "zadd k 3 m", unknownOutcome, "zscore k m", "3"},
		{"ZREM", "zadd k 1 m 1 o", "zrem k m", "zadd k 3 m", unknownOutcome, "zscore k m", "3"},
		{"JSON.SET", "json.set k $ 0", "json.set k $ 1", "json.set k $ 2", "OK", "json.get k", `"2"`},
		{"SET KEEPTTL of a long value", "set k 0", "set k " + long + " keepttl", "append k x", "OK", "strlen k", "(integer) 4001"},
		{"SET KEEPTTL over a long value", "set k " + long, "set k 1 keepttl", "incr k", "OK", "get k", `"2"`},
		{"GETEX of a long value", "set k " + long, "getex k exat 4000000000", "persist k", unknownOutcome, "strlen k", "(integer) 4000"},
		{"JSON.SET of a long document", "json.set k $ 0", `json.set k $ "` + long + `"`, "json.set k $ 2", "OK", "json.get k", `"2"`},
		{"JSON.SET over a long document", `json.set k $ "` + long + `"`, "json.set k $ 2", `json.strlen k`, "OK", "json.get k", `"2"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFleet(t, 2)
			f.do(0, tc.before)
			f.clock.advance(time.Hour) // the key is older than any attempt
			if got := f.interrupted(faulty.Plan{LostApplied: 1}, tc.blind, tc.meanwhile); got != tc.reply {
				t.Errorf("%s replied %s, want %s", tc.blind, got, tc.reply)
			}
			if got, _ := f.do(1, tc.look); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.look, got, tc.want)
			}
		})
	}
}

// A blind write that was carried out again, because it had not arrived, does nothing when it arrives in the
// end, whatever has been done to its key since.
func TestLateBlindWritesDoNothing(t *testing.T) {
	for _, tc := range []struct {
		name, before, blind string
		meanwhile           string // before the engine carries the write out again
		reply               string
		after               string // before the write arrives
		look, want          string
	}{
		{"INCR, then SET", "set k 1", "incr k", "", "(integer) 2", "set k 7", "get k", `"7"`},
		{"INCR, then DEL", "set k 1", "incr k", "", "(integer) 2", "del k", "get k", "(nil)"},
		{"INCR, then MSET", "set k 1", "incr k", "", "(integer) 2", "mset k 7 j 7", "get k", `"7"`},
		{"INCR, then GETDEL", "set k 1", "incr k", "", "(integer) 2", "getdel k", "exists k", "(integer) 0"},
		{"INCR, then RENAME", "set k 1", "incr k", "", "(integer) 2", "rename k j", "get k", "(nil)"},
		{"SET KEEPTTL, then SET", "set k 1", "set k 2 keepttl", "", "OK", "set k 7", "get k", `"7"`},
		{"SET, then SET", "set k 1", "set k 2", "", "OK", "set k 7", "get k", `"7"`},
		{"SET of a long value, then SET", "set k 1", "set k " + strings.Repeat("long", 1000), "", "OK", "set k 7", "get k", `"7"`},
		{"SET, then SET of a long value", "set k 1", "set k 2", "", "OK", "set k " + strings.Repeat("long", 1000), "strlen k", "(integer) 4000"},
		{"DEL, then SET", "set k 1", "del k", "", "(integer) 1", "set k 7", "get k", `"7"`},
		{"DEL, then HSET", "set k 1", "del k", "", "(integer) 1", "hset k f 7", "hgetall k", `["f" "7"]`},
		{"DEL, then RPUSH", "rpush k 1", "del k", "", "(integer) 1", "rpush k 7", "lrange k 0 -1", `["7"]`},
		{"EXPIRE in the past, then SET", "set k 1", "expireat k 1", "", "(integer) 1", "set k 7", "get k", `"7"`},
		{"SREM of the last member, then SADD", "sadd k a", "srem k a", "", "(integer) 1", "sadd k a", "smembers k", `["a"]`},
		{"SADD, then SREM of the last member", "sadd k a", "sadd k a", "", "(integer) 0", "srem k a", "smembers k", "[]"},
		{"RPUSH, then LPOP", "rpush k 1", "rpush k 2", "", "(integer) 2", "lpop k 2", "llen k", "(integer) 0"},
		{"HSETNX of a field set meanwhile", "hset k g 1", "hsetnx k f 1", "hset k f 2", "(integer) 0", "hdel k f", "hgetall k", `["g" "1"]`},
		{"EXPIRE NX of a key that expires meanwhile", "set k v", "expireat k 4000000000 nx", "expireat k 4000000001", "(integer) 0", "persist k", "expiretime k", "(integer) -1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFleet(t, 2)
			f.do(0, tc.before)
			f.clock.advance(time.Hour)
			var meanwhile []string
			if tc.meanwhile != "" {
				meanwhile = []string{tc.meanwhile}
			}
			if got := f.interrupted(faulty.Plan{LostLate: 1, LateCalls: 1000}, tc.blind, meanwhile...); got != tc.reply {
				t.Errorf("%s replied %s, want %s", tc.blind, got, tc.reply)
			}
			f.do(1, tc.after)
			f.faults.Flush()
			if got, _ := f.do(1, tc.look); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.look, got, tc.want)
			}
			// Once nothing can be under way any more, all is as it is without faults.
			f.clock.advance(time.Minute)
			for _, c := range [][2]string{{"set k 1", "OK"}, {"incr k", "(integer) 2"}, {"dbsize", ""}, {"del k", "(integer) 1"}, {"exists k", "(integer) 0"}} {
				if got, _ := f.do(0, c[0]); got != c[1] && c[1] != "" {
					t.Errorf("a minute later, %s: got %s, want %s", c[0], got, c[1])
				}
			}
		})
	}
}
