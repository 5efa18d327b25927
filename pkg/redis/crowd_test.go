package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp"
	"github.com/skystash/skystash/pkg/store"
	"github.com/skystash/skystash/pkg/store/slow/crowdtest"
)

// doAs runs commands as caller i, whose number stands for @ in them: one alone, several as a transaction.
func doAs(ctx context.Context, e *redis.Engine, i int, cmds ...[]string) (string, error) {
	db, err := e.Database(ctx, "test")
	if err != nil {
		return "", err
	}
	var all [][]string
	for _, cmd := range cmds {
		args := make([]string, len(cmd))
		for n, arg := range cmd {
			args[n] = strings.ReplaceAll(arg, "@", fmt.Sprint(i))
		}
		all = append(all, args)
	}
	w := &resp.Writer{}
	if len(all) > 1 {
		err = e.Multi(ctx, db, redis.Access{}, all, w)
	} else {
		err = e.Do(ctx, db, redis.Access{}, all[0], w)
	}
	if err != nil {
		return "", err
	}
	reply := string(w.Buf)
	if strings.HasPrefix(reply, "-") {
		return "", fmt.Errorf("%v: %s", all, reply)
	}
	return reply, nil
}

func TestCrowds(t *testing.T) {
	type row struct {
		name    string
		prepare [][]string
		cmds    [][]string
		look    []string
		want    string // what look answers, with N for the number of callers, and L for its digits
	}
	const load = "#!lua name=lib\nredis.register_function('f', function() return 1 end) -- @"
	const increment = "return redis.call('SET', KEYS[1], (tonumber(redis.call('GET', KEYS[1]) or '0') + 1))"
	pushes := strings.Fields("RPUSH l" + strings.Repeat(" v", 2*crowdtest.Callers))
	rows := []row{
		{name: "INCR", cmds: [][]string{{"INCR", "k"}}, look: []string{"GET", "k"}, want: "$L\r\nN\r\n"},
		{name: "SET NX", cmds: [][]string{{"SET", "k", "v", "NX"}}, look: []string{"EXISTS", "k"}, want: ":1\r\n"},
		// Transactions of ten processes meet: each is refused, and paid for, until it is alone at its items. Those of one
		// process go one after the other, and know from each other how many there are elsewhere. Measured: 1.5 times the
		// calls and the units, 1.2 times in four processes. Of a hundred processes with one transaction each, none of which
		// knows of the others, 99 are refused at least once: 1.99 times is the least, and 5.1 times was measured.
		{name: "MULTI of two keys", cmds: [][]string{{"INCR", "a"}, {"INCR", "b"}}, look: []string{"GET", "b"}, want: "$L\r\nN\r\n"},
		{name: "Lua", cmds: [][]string{{"EVAL", increment, "1", "k"}}, look: []string{"GET", "k"}, want: "$L\r\nN\r\n"},
		{name: "LPUSH", cmds: [][]string{{"LPUSH", "l", "v@"}}, look: []string{"LLEN", "l"}, want: ":N\r\n"},
		{name: "LPOP", prepare: [][]string{pushes}, cmds: [][]string{{"LPOP", "l"}}},
		{name: "ACL SETUSER", cmds: [][]string{{"ACL", "SETUSER", "u", "~k@"}}},
		// Changes of one process that wait are carried out together.
		{name: "FUNCTION LOAD", cmds: [][]string{{"FUNCTION", "LOAD", "REPLACE", load}}, look: []string{"FCALL", "f", "0"}, want: ":1\r\n"},
	}
	for _, r := range rows {
		crowdtest.Operation[*redis.Engine]{
			Name: r.name,
			New: func(_ testing.TB, st store.Store) *redis.Engine {
				return redis.New(redis.Config{Store: st, RecordTTL: time.Second})
			},
			Prepare: func(ctx context.Context, e *redis.Engine) error {
				if _, err := e.CreateDatabase(ctx, redis.DatabaseOptions{ID: "test"}); err != nil {
					return err
				}
				for _, cmd := range r.prepare {
					if _, err := doAs(ctx, e, 0, cmd); err != nil {
						return err
					}
				}
				return nil
			},
			Warm: func(ctx context.Context, e *redis.Engine) error {
				_, err := e.Database(ctx, "test")
				return err
			},
			Do: func(ctx context.Context, e *redis.Engine, i int) error {
				_, err := doAs(ctx, e, i, r.cmds...)
				return err
			},
			Check: func(t *testing.T, e *redis.Engine, callers int) {
				if r.look == nil {
					return
				}
				n := fmt.Sprint(callers)
				want := strings.NewReplacer("N", n, "L", fmt.Sprint(len(n))).Replace(r.want)
				if got, err := doAs(t.Context(), e, callers, r.look); err != nil || got != want {
					t.Errorf("%v answers %q (%v), want %q", r.look, got, err, want)
				}
			},
		}.Run(t)
	}
}
