package differential

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/resp/resptest"
	"github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/token"
)

// wireTable is commands whose replies are compared byte by byte, in both protocols. Each part begins with an empty database.
var wireTable = map[string]string{
	"strings": `
		SET k v|GET k|GET none|SET k w GET|SET k w NX|SETNX k x|GETSET k 5|INCR k|INCRBYFLOAT k 1.5|APPEND k x|STRLEN k|GETRANGE k 0 2
		MSET a 1 b 2|MGET a none b|MSETNX a 1 c 2|GETDEL a|GETEX b|SETRANGE b 1 x|LCS a b|LCS k b IDX|INCR b|GET|SET k|SET k v EX 0|NOSUCH a "b c"|DECRBY n 3`,
	"keys": `
		SET k v|EXISTS k none k|TYPE k|TYPE none|EXPIRE k 100|PERSIST k|TTL k|TTL none|RENAME k l|RENAME none x|COPY l m|DEL l m none|RANDOMKEY|KEYS *
		SCAN 0|SET z 1|SCAN 0 COUNT 10|DUMP none|TOUCH z|OBJECT ENCODING z|OBJECT HELP x|SORT none|EXPIRETIME z|DBSIZE|UNLINK z`,
	"hashes": `
		HSET h f v|HGETALL h|HGETALL none|HGET h f|HGET h none|HMGET h f none|HKEYS h|HVALS h|HLEN h|HINCRBY h n 2|HINCRBYFLOAT h x 1.5|HDEL h n x
		HRANDFIELD h|HRANDFIELD h 1|HRANDFIELD h 1 WITHVALUES|HRANDFIELD none 1|HRANDFIELD none 1 WITHVALUES|HRANDFIELD none|HSCAN h 0|HEXISTS h f|HSTRLEN h f|HSETNX h f w|GET h|HSET h f`,
	"lists": `
		RPUSH l a b c|LRANGE l 0 -1|LRANGE none 0 -1|LPOP l|LPOP l 2|LPOP none|LPOP none 2|RPOP none 2|RPUSH l a b a|LPOS l a|LPOS l z|LPOS l a COUNT 0
		LINDEX l 0|LINDEX l 9|LMOVE l m LEFT RIGHT|LMOVE none m LEFT RIGHT|RPOPLPUSH none m|LMPOP 1 l LEFT COUNT 2|LMPOP 1 none LEFT|LINSERT m BEFORE a x|LSET m 0 y|LSET m 9 y
		BLPOP m 0|BLPOP none 0.01|BRPOPLPUSH none m 0.01|BLMOVE none m LEFT LEFT 0.01|BLMPOP 0.01 1 none LEFT|BLPOP none x|BLPOP none -1|LLEN m`,
	"sets": `
		SADD s a|SMEMBERS s|SMEMBERS none|SISMEMBER s a|SMISMEMBER s a b|SCARD s|SINTER s s|SUNION s none|SDIFF s none|SINTERCARD 1 s|SRANDMEMBER s|SRANDMEMBER none
		SRANDMEMBER s 1|SRANDMEMBER none 1|SRANDMEMBER s -2|SSCAN s 0|SPOP none|SPOP none 1|SPOP s 1|SADD s a|SPOP s|SMOVE s t a|SREM s a`,
	"sorted sets": `
		ZADD z 1 a 2.5 b|ZRANGE z 0 -1|ZRANGE z 0 -1 WITHSCORES|ZRANGE none 0 -1 WITHSCORES|ZRANGEBYSCORE z 1 2 WITHSCORES|ZREVRANGE z 0 -1 WITHSCORES|ZRANGEBYLEX z - +
		ZSCORE z b|ZSCORE z none|ZMSCORE z a none|ZINCRBY z 1 a|ZADD z INCR 1 a|ZADD z NX INCR 1 a|ZRANK z a|ZRANK z none|ZCARD z|ZCOUNT z -inf +inf|ZSCAN z 0
		ZRANDMEMBER none 1 WITHSCORES|ZRANDMEMBER none|ZUNION 1 z WITHSCORES|ZINTER 1 z WITHSCORES|ZDIFF 1 z WITHSCORES|ZUNION 1 z|ZADD i inf x -inf y|ZRANGE i 0 -1 WITHSCORES
		ZPOPMIN none|ZPOPMIN none 1|ZPOPMIN z|ZPOPMAX z 1|ZADD z 1 a 2 b 3 c|ZMPOP 1 z MIN COUNT 2|ZMPOP 1 none MIN|BZPOPMIN z 0|BZPOPMAX none 0.01|ZADD z 7 a|BZMPOP 0 1 z MAX|BZMPOP 0.01 1 none MAX`,
	"streams": `
		XADD s 1-1 f v|XADD s 2-1 f v g w|XLEN s|XRANGE s - +|XREVRANGE s + -|XREAD STREAMS s 0|XREAD STREAMS none 0|XREAD COUNT 1 STREAMS s none 0 0|XREAD BLOCK 10 STREAMS s 2-1
		XGROUP CREATE s g 0|XINFO GROUPS s|XINFO CONSUMERS s g|XREADGROUP GROUP g c COUNT 1 STREAMS s >|XREADGROUP GROUP g c STREAMS s 0|XPENDING s g|XACK s g 1-1|XREADGROUP GROUP none c STREAMS s >
		XCLAIM s g d 0 2-1|XAUTOCLAIM s g d 0 0|XDEL s 1-1|XTRIM s MAXLEN 0|XADD s 1-1 f v|XADD s NOMKSTREAM 3-1 f v|XADD none NOMKSTREAM * f v|XINFO GROUPS none
		XADD x 1-1 f v|XADD x 2-1 f v|XADD x 3-1 f v|XGROUP CREATE x h 0|XREADGROUP GROUP h c COUNT 2 STREAMS x >|XDEL x 2-1|XINFO GROUPS x|XAUTOCLAIM x h e 0 0|XINFO GROUPS x|XPENDING x h|XAUTOCLAIM x h c 0 0 JUSTID|XINFO GROUPS x|XGROUP DELCONSUMER x h e|XINFO GROUPS x`,
	"geo": `
		GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania|GEOPOS g Palermo none|GEODIST g Palermo Catania km|GEODIST g Palermo none|GEOHASH g Palermo none
		GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST|GEOSEARCH none FROMLONLAT 15 37 BYRADIUS 200 km`,
	"bits and counters": `
		SETBIT b 7 1|GETBIT b 7|BITCOUNT b|BITPOS b 1|BITFIELD b GET u8 0 INCRBY u8 0 1 OVERFLOW FAIL INCRBY u8 0 255|PFADD p a b|PFCOUNT p|BITOP NOT c b`,
	"scripts": `
		EVAL "return {1,'a',false,{2}}" 0|EVAL "return redis.call('hgetall','none')" 0|EVAL "return true" 0|EVAL "return false" 0|EVAL "return nil" 0|EVAL "return 3.7" 0
		EVAL "return {double=1.5}" 0|EVAL "return redis.status_reply('FINE')" 0|EVAL "return redis.error_reply('MY error')" 0|EVAL "return {map={a=1}}" 0|EVAL "return {set={a=true}}" 0
		EVALSHA 0123456789012345678901234567890123456789 0|SCRIPT EXISTS 0123456789012345678901234567890123456789|EVAL "redis.setresp(3) redis.call('hset','h','f','v') return redis.call('hgetall','h')" 0
		EVAL "redis.setresp(3) redis.call('zadd','z','1.5','m') return redis.call('zrange','z',0,-1,'withscores')" 0|EVAL "return redis.call('zrange','z',0,-1,'withscores')" 0`,
	"transactions": `
		MULTI|SET k v|GET k|ZADD z 1.5 a|ZRANGE z 0 -1 WITHSCORES|HGETALL none|LPOP none 2|INCR z|XREAD STREAMS none 0|EXEC|EXEC|DISCARD|MULTI|MULTI|WATCH k|EXEC
		MULTI|GET|EXEC|MULTI|NOSUCH|EXEC|MULTI|DISCARD|WATCH k|SET k w|MULTI|GET k|EXEC|WATCH k|UNWATCH|MULTI|PING|BLPOP none 0|BLMOVE none k LEFT LEFT 0|EXEC|WATCH|MULTI|EXEC`,
	"connections": `
		PING|PING a|PING a b|ECHO a|ECHO|SELECT 0|SELECT x|CLIENT GETNAME|CLIENT SETNAME me|CLIENT GETNAME|CLIENT SETNAME "a b"|CLIENT NOSUCH|CLIENT|CLIENT KILL 1.2.3.4:5|CLIENT KILL ID x
		CLIENT KILL ID 0|CLIENT KILL TYPE x|CLIENT PAUSE x|CLIENT PAUSE -1|CLIENT PAUSE 1 x|CLIENT PAUSE 1 WRITE|CLIENT PAUSE 1|CLIENT UNPAUSE|CLIENT UNPAUSE|CLIENT PAUSE|MEMORY PURGE|CLIENT NO-EVICT on|CLIENT NO-EVICT x|CLIENT TRACKINGINFO|CLIENT GETREDIR|CLIENT UNBLOCK x|CLIENT UNBLOCK 99999|CLIENT REPLY x|CLIENT CACHING yes
		HELLO 4|HELLO x|AUTH a b c|CLUSTER INFO|READONLY|ROLE|WAIT 0 0|WAIT x 0|MODULE LIST|LATENCY RESET|LATENCY LATEST|LATENCY HISTORY x|CONFIG SET slowlog-log-slower-than -1|SLOWLOG RESET|SLOWLOG LEN|MEMORY USAGE none|COMMAND INFO nosuch
		CONFIG GET nosuch|CONFIG GET save|COMMAND GETKEYS SET k v|COMMAND COUNT x`,
	"subscribers": `
		SUBSCRIBE a|SUBSCRIBE a|PSUBSCRIBE a*|PING|PING x|UNSUBSCRIBE b|UNSUBSCRIBE a|UNSUBSCRIBE|PUNSUBSCRIBE|PING|UNSUBSCRIBE|PUBSUB NUMSUB a|PUBSUB CHANNELS|PUBSUB NUMPAT
		SSUBSCRIBE a|SSUBSCRIBE a|SUBSCRIBE b|PING|SUNSUBSCRIBE x|SUNSUBSCRIBE a|SUNSUBSCRIBE|UNSUBSCRIBE|SUNSUBSCRIBE|SPUBLISH a x|PUBSUB SHARDCHANNELS|PUBSUB SHARDNUMSUB a b|SSUBSCRIBE a b|SUNSUBSCRIBE a b|PING|SPUBLISH a|SSUBSCRIBE`,
}

// anyToken is a verifier that takes anything for a token.
type anyToken struct{}

func (anyToken) Verify(context.Context, string) (token.Claims, error) {
	return token.Claims{CredentialID: "c", Resource: "db", Products: []string{token.ProductRedis}, Scope: token.ReadWrite, Generation: 1}, nil
}

// startWire starts a server of Redis's protocol over an empty store in memory, and returns its address.
func startWire(t *testing.T) string {
	t.Helper()
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	engine := redis.New(redis.Config{Store: st})
	t.Cleanup(engine.Close)
	if _, err := engine.CreateDatabase(t.Context(), redis.DatabaseOptions{ID: "db"}); err != nil {
		t.Fatal(err)
	}
	server := wire.New(wire.Config{Engine: engine, Verifier: anyToken{}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close(context.Background())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// rawConn is a connection whose replies are compared byte by byte.
type rawConn struct {
	net.Conn
	in *bufio.Reader
}

func (c *rawConn) send(t *testing.T, line string) string {
	t.Helper()
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		t.Fatal(err)
	}
	reply, err := resptest.Read(c.in)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.ReplaceAll(reply, "\r\n", " ")
}

// dialRaw connects to a server; the connection is closed when the test ends.
func dialRaw(t *testing.T, network, addr string) *rawConn {
	t.Helper()
	nc, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &rawConn{nc, bufio.NewReader(nc)}
}

// TestWire compares replies byte by byte.
func TestWire(t *testing.T) {
	real := startRedis(t)
	addr := startWire(t)
	for part, text := range wireTable {
		for _, proto := range []int{2, 3} {
			both := [2]*rawConn{dialRaw(t, "unix", real.conn.RemoteAddr().String()), dialRaw(t, "tcp", addr)}
			both[1].send(t, "AUTH token")
			for _, c := range both {
				c.send(t, fmt.Sprintf("HELLO %d", proto))
				c.send(t, "FLUSHALL")
			}
			for _, lines := range strings.Split(strings.TrimSpace(text), "\n") {
				for _, line := range strings.Split(strings.TrimSpace(lines), "|") {
					want, got := both[0].send(t, line), both[1].send(t, line)
					if got != want {
						t.Errorf("RESP%d, %s: %s: Redis has %s, ours is %s", proto, part, line, want, got)
					}
				}
			}
		}
	}
}
