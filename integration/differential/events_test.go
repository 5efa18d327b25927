package differential

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis/resp/resptest"
)

// eventTable is commands whose keyspace events are compared with Redis's. Each part begins with an empty database.
var eventTable = map[string]string{
	"strings": `
		SET k v|SET k v|SET k v EX 100|SET k w KEEPTTL|SET k w NX|SET k w XX PX 100000|SET k w GET|SETNX k a|SETNX n a|SETEX e 100 v|PSETEX e 100000 v|GETSET k x|GETSET new x|SET k w XX GET
		GETEX e|GETEX e EX 200|GETEX e PERSIST|GETEX e PERSIST|GETEX e EXAT 1|GETDEL k|GETDEL k|MSET a 1 b 2|MSET a 1 c 3|MSETNX a 1 z 2|MSETNX y 1 z 2|INCR i|INCRBY i 2|DECR i|DECRBY i 2
		INCRBYFLOAT i 1.5|INCR a|INCR i|APPEND s x|APPEND s y|SETRANGE s 1 z|SETRANGE s 1 ""|SETRANGE none 0 ""|SETRANGE other 3 x|GET s|GET none|GETEX none|SET none v GET|GETSET none w|MGET no1 s no2|STRLEN s|LCS s a`,
	"bits and counters": `
		SETBIT b 7 1|SETBIT b 7 1|GETBIT b 7|BITFIELD b SET u8 0 5|BITFIELD b GET u8 0|BITFIELD c INCRBY u8 0 1|BITOP NOT d b|BITOP AND d none1 none2|BITOP AND d none1 none2|PFADD p a|PFADD p a|PFADD p b c|PFADD q
		PFMERGE r p q|PFMERGE r p|PFCOUNT p`,
	"keys": `
		SET k v|EXPIRE k 100|EXPIRE k 100|EXPIRE k 50 GT|PEXPIRE k 100000|EXPIREAT k 99999999999|PEXPIREAT k 99999999999000|EXPIRE none 100|PERSIST k|PERSIST k|PERSIST none|EXPIRE k -1|EXPIRE k -1|SET k v|PEXPIREAT k 1
		SET a v|RENAME a b|RENAME none b|SET a v|RENAME a b|SET a v|RENAMENX a b|RENAMENX a c|COPY b d|COPY b d|COPY c d REPLACE|COPY none d|TOUCH b|DEL b none c|UNLINK d|UNLINK d|RPUSH l b a|SORT l ALPHA STORE m
		SORT none STORE m|SORT none STORE m|SORT l ALPHA|RESTORE r 0 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce"|MOVE l 0|EXISTS l no|TYPE no|TTL no|OBJECT ENCODING no|DUMP no|EXPIRETIME no|TOUCH no|MEMORY USAGE no|DEL l l m`,
	"hashes": `
		HSET h f v|HSET h f v|HSET h f w g x|HMSET h a 1|HSETNX h a 2|HSETNX h b 2|HINCRBY h a 2|HINCRBYFLOAT h a 1.5|HINCRBY new f 1|HDEL h none|HDEL h f g|HDEL h a b|HDEL h a|HGETALL new|HGET none f|HRANDFIELD new`,
	"lists": `
		RPUSH l a b c|LPUSH l a b c d e f|RPUSHX l x|LPUSHX l x|RPUSHX none x|LPUSHX none x|LSET l 0 y|LSET l 0 y|LINSERT l BEFORE a z|LINSERT l AFTER none z|LINSERT none AFTER a z|LREM l 0 a|LREM l 0 none|LTRIM l 0 -1
		LTRIM l 0 3|LTRIM none 0 1|LPOP l|RPOP l|LPOP none|LPOP l 0|LMOVE l m LEFT RIGHT|LMOVE l m RIGHT LEFT|LMOVE none m LEFT LEFT|RPOPLPUSH m l|RPOPLPUSH m l|RPOPLPUSH l l|LMPOP 2 none l LEFT|LMPOP 1 l RIGHT COUNT 9
		RPUSH l a b c d e f g|BLPOP none l 0.01|BRPOP l 0.01|BLMOVE l m LEFT LEFT 0.01|BRPOPLPUSH l m 0.01|BLMPOP 0.01 1 l LEFT|LTRIM l 5 0|RPOP m|LPOP m 9|RPUSH one a|LMOVE one one LEFT RIGHT|RPUSH l 1|LREM l 0 1`,
	"sets": `
		SADD s a b c|SADD s a|SADD s a d|SREM s none|SREM s d|SREM none d|SMOVE s t a|SMOVE s t none|SMOVE none t a|SADD t b|SMOVE s t b|SMOVE s t c|SMOVE t t a|SADD s a x|SINTERSTORE d s t|SINTERSTORE d s none|SINTERSTORE d s none
		SUNIONSTORE d s t|SUNIONSTORE d none|SUNIONSTORE d none|SDIFFSTORE d s t|SDIFFSTORE d s s|SDIFFSTORE d s s|SPOP s|SPOP s|SPOP s|SADD s a b|SPOP s 5|SPOP none 5|SADD s a b|SPOP s 0|SREM s a b|SET str v|SINTERSTORE str t t`,
	"sorted sets": `
		ZADD z 1 a 2 b 3 c 4 d|ZADD z 1 a|ZADD z 2 a|ZADD z XX 5 none|ZADD z NX 5 a|ZADD z CH 5 a 6 e|ZADD z INCR 1 a|ZADD z NX INCR 1 a|ZADD z GT 0 a|ZINCRBY z 1 a|ZINCRBY z 0 a|ZINCRBY new 1 a|ZREM z none|ZREM z a
		ZREMRANGEBYRANK z 0 0|ZREMRANGEBYRANK z 9 9|ZREMRANGEBYSCORE z 3 3|ZREMRANGEBYSCORE z 100 101|ZREMRANGEBYLEX z - +|ZREMRANGEBYLEX z - +|ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h|ZPOPMIN z|ZPOPMAX z|ZPOPMIN none|ZPOPMIN z 0
		ZMPOP 1 z MIN|ZMPOP 2 none z MAX|ZMPOP 1 none MAX|BZPOPMIN z 0.01|BZPOPMAX none z 0.01|BZMPOP 0.01 1 z MIN|ZUNIONSTORE d 2 z new|ZUNIONSTORE d 1 none|ZUNIONSTORE d 1 none|ZINTERSTORE d 1 z|ZINTERSTORE d 2 z none|ZDIFFSTORE d 1 z
		ZDIFFSTORE d 2 z z|ZRANGESTORE d z 0 -1|ZRANGESTORE d z 9 9|ZRANGESTORE d z 9 9|ZRANGESTORE d no 0 -1|ZPOPMAX z 9|GEOADD g 13.361389 38.115556 a|GEOADD g 13.361389 38.115556 a|GEOADD g XX 1 1 none|GEOSEARCHSTORE d g FROMLONLAT 13 38 BYRADIUS 200 km
		GEOSEARCHSTORE d g FROMLONLAT 1 3 BYRADIUS 2 km|GEOSEARCHSTORE d g FROMLONLAT 1 3 BYRADIUS 2 km|GEOSEARCHSTORE d no FROMLONLAT 1 3 BYRADIUS 2 km|GEORADIUS no 13 38 200 km STORE d|GEORADIUS g 13 38 200 km STORE d|GEORADIUS g 1 3 2 km STORE d|GEORADIUSBYMEMBER g a 200 km STOREDIST d|GEORADIUS g 13 38 200 km`,
	"streams": `
		XADD s 1-1 f v|XADD s NOMKSTREAM 2-1 f v|XADD none NOMKSTREAM 2-1 f v|XADD s MAXLEN 2 3-1 f v|XADD s MAXLEN 9 4-1 f v|XDEL s 9-9|XDEL s 4-1|XTRIM s MAXLEN 9|XTRIM s MAXLEN 1|XSETID s 9-9|XGROUP CREATE s g 0|XGROUP CREATE t g 0 MKSTREAM
		XGROUP SETID s g 0|XGROUP CREATECONSUMER s g c|XGROUP CREATECONSUMER s g c|XREADGROUP GROUP g d STREAMS s >|XREADGROUP GROUP g d STREAMS s 0|XACK s g 3-1|XGROUP DELCONSUMER s g c|XGROUP DELCONSUMER s g c
		XADD s 10-1 f v|XREADGROUP GROUP g d STREAMS s >|XCLAIM s g e 0 10-1|XAUTOCLAIM s g h 0 0|XGROUP DESTROY s g|XGROUP DESTROY s g|XDEL s 3-1 10-1|XTRIM s MAXLEN 0|XREAD STREAMS s 0|XADD s 11-1 f v|XREADGROUP GROUP none d STREAMS s >`,
	"transactions and scripts": `
		MULTI|SET a 1|RPUSH l x|LPOP l|INCR l|EXEC|EVAL "redis.call('set', KEYS[1], 1, 'ex', 100) redis.call('lpush', KEYS[2], 1) return redis.call('lpop', KEYS[2])" 2 a ll
		EVAL "redis.call('del', KEYS[1])" 1 a|MULTI|SET b 1|DEL b|DISCARD|MULTI|SET c 1|DEL c|EXEC|EVAL "return redis.call('get', KEYS[1])" 1 c|WATCH none|MULTI|SET none 1|EXEC`,
}

// eventDifferences are the events that are meant to be others than Redis's, with the reason. The key is the
// command, and what is different about it.
var eventDifferences = map[string]string{}

// TestEvents compares keyspace events, byte by byte as subscribers to all of them hear them: with every class, in both protocols.
func TestEvents(t *testing.T) {
	real := startRedis(t)
	addr := startWire(t)
	networks := [2][2]string{{"unix", real.conn.RemoteAddr().String()}, {"tcp", addr}}
	for _, proto := range []int{2, 3} {
		var clients, listeners, publishers [2]*rawConn
		for i, n := range networks {
			clients[i], listeners[i], publishers[i] = dialRaw(t, n[0], n[1]), dialRaw(t, n[0], n[1]), dialRaw(t, n[0], n[1])
			if i == 1 {
				for _, c := range []*rawConn{clients[i], listeners[i], publishers[i]} {
					c.send(t, "AUTH token")
				}
			}
			listeners[i].send(t, fmt.Sprintf("HELLO %d", proto))
			listeners[i].send(t, "PSUBSCRIBE __key*@0__:*")
			clients[i].send(t, "CONFIG SET notify-keyspace-events KEAmn")
		}
		heard := func(i int, line string) string {
			clients[i].send(t, line)
			publishers[i].send(t, "PUBLISH __keyevent@0__:over .")
			var all []string
			for {
				m, err := resptest.Read(listeners[i].in)
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if strings.Contains(m, "@0__:over") {
					return strings.Join(all, "\n")
				}
				all = append(all, strings.ReplaceAll(m, "\r\n", " "))
			}
		}
		for part, text := range eventTable {
			for _, c := range clients {
				c.send(t, "FLUSHALL")
			}
			for _, lines := range strings.Split(strings.TrimSpace(text), "\n") {
				for _, line := range strings.Split(strings.TrimSpace(lines), "|") {
					want, got := heard(0, line), heard(1, line)
					if want != got && eventDifferences[line] == "" {
						t.Errorf("RESP%d, %s: %s: Redis tells\n%s\nours tells\n%s", proto, part, line, want, got)
					}
					if want == got && eventDifferences[line] != "" {
						t.Errorf("%s: there is no difference", line)
					}
				}
			}
		}
	}
}

// Every command of Redis's that writes is in the table, unless it writes no key here.
func TestEventsOfAllWritingCommands(t *testing.T) {
	real := startRedis(t)
	without := []string{
		"flushdb", "flushall", "swapdb", "migrate", "restore-asking", "pfdebug", "blmpop", // no events of keys, or not served
		"eval", "evalsha", "fcall", "function", "function|load", "function|delete", "function|flush", "function|restore",
	}
	used := map[string]bool{}
	for _, text := range eventTable {
		for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '|' || r == '\n' }) {
			if words := strings.Fields(strings.ToLower(line)); len(words) > 1 {
				used[words[0]] = true
				used[words[0]+"|"+words[1]] = true
			}
		}
	}
	list, err := real.do("COMMAND", "LIST", "FILTERBY", "ACLCAT", "write")
	if err != nil {
		t.Fatal(err)
	}
	if len(list.elems) < 100 {
		t.Fatalf("Redis has %d commands that write", len(list.elems))
	}
	for _, name := range list.elems {
		if !used[name.text] && !slices.Contains(without, name.text) {
			t.Errorf("%s is not in the table", name.text)
		}
	}
}
