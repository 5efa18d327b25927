package redis_test

import (
	"testing"
)

func TestListsAndSets(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"set a 1", "OK"},
		[2]string{"get a", `"1"`},
		[2]string{"incr a", "(integer) 2"},
		[2]string{"incr b", "(integer) 1"},
		[2]string{"lpush l a b c", "(integer) 3"},
		[2]string{"rpush l d", "(integer) 4"},
		[2]string{"lrange l 0 -1", `["c" "b" "a" "d"]`},
		[2]string{"lpop l", `"c"`},
		[2]string{"rpop l 2", `["d" "a"]`},
		[2]string{"lpop l", `"b"`},
		[2]string{"lpop l", `(nil)`},
		[2]string{"llen l", `(integer) 0`},
		[2]string{"sadd s x y x", "(integer) 2"},
		[2]string{"sadd s x z", "(integer) 1"},
		[2]string{"scard s", "(integer) 3"},
		[2]string{"srem s x q", "(integer) 1"},
		[2]string{"sismember s y", "(integer) 1"},
		[2]string{"hset h f 1 g 2", "(integer) 2"},
		[2]string{"hset h f 2", "(integer) 0"},
		[2]string{"hget h f", `"2"`},
		[2]string{"lpush s a", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"},
		[2]string{"dbsize", "(integer) 4"},
		[2]string{"flushdb", "OK"},
		[2]string{"dbsize", "(integer) 0"},
	)
	got, err := d.multi("set a 5", "incr a", "lpush l 1", "lpop l", "rpush l 2", "get l", "lrange l 0 -1")
	if err != nil {
		t.Fatal(err)
	}
	want := `OK (integer) 6 (integer) 1 "1" (integer) 1 (error) WRONGTYPE Operation against a key holding the wrong kind of value ["2"]`
	if got != want {
		t.Errorf("multi: got %s, want %s", got, want)
	}
}
