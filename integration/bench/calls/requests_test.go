package calls

// batch is a request over HTTP with several commands.
type batch struct {
	title   string
	path    string
	prepare []string
	cmds    []string
	calls   int // goal; 0: none
}

func batches() []batch {
	strings := []string{"MSET " + pairs(10)}
	mixed := []string{"SET k1 value", "HSET k2 f one g two", "RPUSH k3 a b", "SADD k4 a b", "ZADD k5 1 a 2 b"}
	two := []string{"SET k1 41", "HSET k2 f one"}
	return []batch{
		{title: "1 GET, as the official client sends it", path: "/pipeline", prepare: strings, cmds: repeat(1, "GET key%04d"), calls: 1},
		{title: "10 GETs", path: "/pipeline", prepare: strings, cmds: repeat(10, "GET key%04d"), calls: 1},
		{title: "reads of 5 types", path: "/pipeline", prepare: mixed, cmds: []string{"GET k1", "HGETALL k2", "LRANGE k3 0 -1", "SMEMBERS k4", "ZRANGE k5 0 -1"}, calls: 1},
		{title: "10 SETs", path: "/pipeline", prepare: strings, cmds: repeat(10, "SET key%04d other"), calls: 10},
		{title: "5 GETs, SET, 4 GETs", path: "/pipeline", prepare: strings, cmds: append(append(repeat(5, "GET key%04d"), "SET key0009 other"), repeat(4, "GET key%04d")...), calls: 3},
		{title: "4 commands on 2 keys: INCR, GET, HSET, EXPIRE", path: "/multi-exec", prepare: two, cmds: []string{"INCR k1", "GET k1", "HSET k2 f uno g two", "EXPIRE k2 600"}, calls: 2},
		{title: "4 commands on 1 key: INCR, INCR, GET, EXPIRE", path: "/multi-exec", prepare: two, cmds: []string{"INCR k1", "INCR k1", "GET k1", "EXPIRE k1 600"}, calls: 2},
		{title: "4 reads of 2 keys: GET, TTL, HGET, HLEN", path: "/multi-exec", prepare: two, cmds: []string{"GET k1", "TTL k1", "HGET k2 f", "HLEN k2"}, calls: 1},
		{title: "10 SETs", path: "/multi-exec", prepare: strings, cmds: repeat(10, "SET key%04d other"), calls: 2},
	}
}
