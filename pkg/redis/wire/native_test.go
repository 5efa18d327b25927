package wire_test

import "testing"

// Where the service that has the REST API differs from Redis, a client of Redis's own protocol gets what Redis answers.
func TestNativeReplies(t *testing.T) {
	c := newServer(t, nil).login()
	for _, tt := range []struct{ send, want string }{
		{"ZADD z 1 a 2 b", ":2|"},
		{"ZRANGE z 0 -1 LIMIT 1 1", "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX|"},
		{"COPY z z", "-ERR source and destination objects are the same|"},
		{"DEL", "-ERR wrong number of arguments for 'del' command|"},
		{"UNLINK", "-ERR wrong number of arguments for 'unlink' command|"},
		{"XGROUP CREATE s g $ MKSTREAM", "+OK|"},
		{"XINFO CONSUMERS s none", "-NOGROUP No such consumer group 'none' for key name 's'|"},
		{"XADD s 1-1 f v", "$3|1-1|"},
		{"XREADGROUP GROUP g c NOACK STREAMS s >", "*1|*2|$1|s|*1|*2|$3|1-1|*2|$1|f|$1|v|"},
		{"XGROUP DELCONSUMER s g c", ":0|"},
		{"XREADGROUP GROUP g c COUNT 1 STREAMS s", "-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.|"},
		{"XREAD STREAMS s t 0", "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified.|"},
		{`EVAL "return redis.pcall('xread', 'BLOCK', 0, 'STREAMS', 's', '$')" 0`, "-ERR xread command is not allowed with BLOCK option from scripts|"},
		{`EVAL "return redis.call('wait', 1, 0)" 0`, ":0|"},
		{"CLIENT KILL USER nobody", "-ERR No such user 'nobody'|"},
		{"CLIENT KILL USER default", ":0|"},
		{"ACL SETUSER alice on >correct-horse-battery +@all", "+OK|"},
		{"CLIENT KILL USER alice", ":0|"},
		{"BLPOP l 1e18", "-ERR timeout is out of range|"},
		{"SADD set d a c b", ":4|"},
		{`EVAL "return redis.call('sort', KEYS[1], 'by', '_')" 1 set`, "*4|$1|a|$1|b|$1|c|$1|d|"},
		{`FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function() return 1 end)"`, "$1|l|"},
		{"FCALL F 0", ":1|"},
		{"FUNCTION FLUSH a b", "-ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.|"},
	} {
		c.expect(tt.send, tt.want)
	}
}
