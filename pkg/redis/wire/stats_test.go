package wire_test

import (
	"context"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/faulty"
	"github.com/skystash/skystash/pkg/token"
)

// section is what INFO says in a section, without its heading; each line ends in '|'.
func (c *client) section(name string) string {
	c.Helper()
	c.send("INFO " + name)
	_, text, _ := strings.Cut(c.reply(), "|")
	_, text, _ = strings.Cut(text, "|")
	return text
}

// figures takes the times out of lines of statistics.
func figures(text string) string {
	return regexp.MustCompile(`usec=\d+,usec_per_call=[\d.]+,`).ReplaceAllString(text, "")
}

func TestCommandsAreCounted(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	other := s.dial()
	other.expect("AUTH "+s.mint(func(c *token.Claims) { c.Resource = "other" }), "+OK|")
	c.expect("CONFIG RESETSTAT", "+OK|")
	c.sendArgs("EVAL", "redis.call('SET', KEYS[1], 1) redis.pcall('LPUSH', KEYS[1], 1) return redis.pcall('HGET', KEYS[1], 'f')", "1", "k")
	c.next("-WRONGTYPE Operation against a key holding the wrong kind of value|")
	c.send("GET k", "GET k", "GET", "NOSUCH", "CLIENT GETNAME", "LPUSH k x", "EXEC", "BLPOP none 0.01", "BLPOP none x")
	for _, want := range []string{
		"$1|1|", "$1|1|", "-ERR wrong number of arguments for 'get' command|", "-ERR unknown command 'NOSUCH', with args beginning with: |", "$-1|",
		"-WRONGTYPE Operation against a key holding the wrong kind of value|", "-ERR EXEC without MULTI|", "*-1|", "-ERR timeout is not a float or out of range|",
	} {
		c.next(want)
	}
	c.send("MULTI", "SET k 2", "LPUSH k x", "CLIENT GETNAME", "EXEC", "MULTI", "SET k", "EXEC")
	for _, want := range []string{
		"+OK|", "+QUEUED|", "+QUEUED|", "+QUEUED|", "*3|+OK|-WRONGTYPE Operation against a key holding the wrong kind of value|$-1|",
		"+OK|", "-ERR wrong number of arguments for 'set' command|", "-EXECABORT Transaction discarded because of previous errors.|",
	} {
		c.next(want)
	}
	const want = "cmdstat_blpop:calls=2,rejected_calls=0,failed_calls=1|" +
		"cmdstat_client|getname:calls=2,rejected_calls=0,failed_calls=0|" +
		"cmdstat_config|resetstat:calls=1,rejected_calls=0,failed_calls=0|" +
		"cmdstat_eval:calls=1,rejected_calls=0,failed_calls=1|" +
		"cmdstat_exec:calls=3,rejected_calls=0,failed_calls=2|" +
		"cmdstat_get:calls=2,rejected_calls=1,failed_calls=0|" +
		"cmdstat_hget:calls=1,rejected_calls=0,failed_calls=1|" +
		"cmdstat_lpush:calls=3,rejected_calls=0,failed_calls=3|" +
		"cmdstat_multi:calls=2,rejected_calls=0,failed_calls=0|" +
		"cmdstat_set:calls=2,rejected_calls=1,failed_calls=0||"
	if got := figures(c.section("commandstats")); got != want {
		t.Errorf("commandstats:\n%s, want\n%s", got, want)
	}
	if got, want := c.section("errorstats"), "errorstat_ERR:count=5|errorstat_EXECABORT:count=1|errorstat_WRONGTYPE:count=4||"; got != want {
		t.Errorf("errorstats: %s, want %s", got, want)
	}
	if got := c.section("stats"); !strings.Contains(got, "|total_error_replies:10|") {
		t.Errorf("stats: %s", got)
	}
	if got := c.section("latencystats"); !regexp.MustCompile(`\|latency_percentiles_usec_get:p50=[\d.]+,p99=[\d.]+,p99.9=[\d.]+\|`).MatchString(got) {
		t.Errorf("latencystats: %s", got)
	}
	if got := other.section("commandstats"); strings.Contains(got, "get") {
		t.Errorf("another database's client sees %s", got)
	}
	if got := c.section("default"); strings.Contains(got, "cmdstat") || !strings.Contains(got, "|used_cpu_user:") {
		t.Errorf("INFO default: %s", got)
	}
}

func TestLatency(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	c.expect("LATENCY LATEST", "*0|")
	c.expect("LATENCY HISTORY command", "*0|")
	c.expect("LATENCY GRAPH command", "-ERR No samples available for event 'command'|")
	c.expect("LATENCY RESET", ":0|")
	c.expect("CONFIG GET latency-*", "*6|$25|latency-monitor-threshold|$1|0|$16|latency-tracking|$3|yes|$33|latency-tracking-info-percentiles|$10|50 99 99.9|")
	c.expect("CONFIG SET latency-monitor-threshold -1", "-ERR CONFIG SET failed (possibly related to argument 'latency-monitor-threshold') - argument must be between 0 and 9223372036854775807 inclusive|")
	c.expect("CONFIG SET latency-monitor-threshold 20", "+OK|")
	c.expect("DEBUG SLEEP 0.02", "+OK|")
	c.send("LATENCY LATEST")
	if got := c.reply(); !regexp.MustCompile(`^\*1\|\*4\|\$7\|command\|:\d+\|:[2-9]\d+\|:[2-9]\d+\|$`).MatchString(got) {
		t.Errorf("LATENCY LATEST: %s", got)
	}
	c.send("LATENCY GRAPH command")
	if got := c.reply(); !regexp.MustCompile(`^\$\d+\|command - high (\d+) ms, low \d+ ms \(all time high \d+ ms\)\n-{80}\n`).MatchString(got) {
		t.Errorf("LATENCY GRAPH: %q", got)
	}
	c.expect("LATENCY RESET fast-command nosuch", ":0|")
	c.expect("LATENCY RESET", ":1|")
	c.expect("CONFIG RESETSTAT", "+OK|")
	c.expect("LATENCY HISTOGRAM get nosuch", "*0|")
	c.expect("SET k v", "+OK|")
	c.send("LATENCY HISTOGRAM nosuch SET config set")
	if got := c.reply(); !regexp.MustCompile(`^\*4\|\$3\|set\|\*4\|\$5\|calls\|:1\|\$14\|histogram_usec\|\*2\|:\d+\|:1\|\$16\|config\|resetstat\|\*4\|\$5\|calls\|:1\|`).MatchString(got) {
		t.Errorf("LATENCY HISTOGRAM: %s", got)
	}
	c.expect("CONFIG SET latency-tracking no", "+OK|")
	c.expect("CONFIG RESETSTAT", "+OK|")
	c.expect("LATENCY HISTOGRAM", "*0|")
}

// Of a script that others were faster than, the commands count once.
func TestCommandsOfScriptsThatRunAgainAreCountedOnce(t *testing.T) {
	inner, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	st := faulty.New(inner, faulty.Plan{})
	t.Cleanup(func() { st.Close() })
	s := newServerOver(t, st, 0, nil)
	c := s.login()
	c.expect("CONFIG RESETSTAT", "+OK|")
	var writes atomic.Int32
	st.SetPlan(faulty.Plan{Conflict: 1, Before: func(_ context.Context, method string) {
		if method == "Apply" || method == "Commit" {
			if writes.Add(1) > 2 {
				st.SetPlan(faulty.Plan{})
			}
		}
	}})
	c.sendArgs("EVAL", "redis.call('INCR', KEYS[1]) redis.pcall('LPUSH', KEYS[1], 'x') return redis.call('INCR', KEYS[1])", "1", "k")
	c.next(":2|")
	if n := writes.Load(); n != 3 {
		t.Errorf("the script was committed %d times", n)
	}
	if got, want := figures(c.section("commandstats")), "cmdstat_config|resetstat:calls=1,rejected_calls=0,failed_calls=0|"+
		"cmdstat_eval:calls=1,rejected_calls=0,failed_calls=0|"+
		"cmdstat_incr:calls=2,rejected_calls=0,failed_calls=0|cmdstat_lpush:calls=1,rejected_calls=0,failed_calls=1||"; got != want {
		t.Errorf("commandstats:\n%s, want\n%s", got, want)
	}
	c.sendArgs("EVAL", "return redis.call('INCR', KEYS[1])", "1", "k") // counts again
	c.next(":3|")
	if got := c.section("commandstats"); !strings.Contains(got, "cmdstat_incr:calls=3,") {
		t.Errorf("commandstats: %s", got)
	}
}

// Keys that commands look for, and channels that connections are subscribed to, are counted by databases.
func TestHitsAndChannelsAreCounted(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	other := s.dial()
	other.expect("AUTH "+s.mint(func(c *token.Claims) { c.Resource = "other" }), "+OK|")
	other.send("GET k", "SUBSCRIBE x")
	other.next("$-1|")
	other.reply()
	c.send("CONFIG RESETSTAT", "MSET a 1 b 2", "MGET a none b", "GET none", "EXISTS a b none", "MULTI", "GET a", "GET none", "EXEC", "SET a 2")
	for range 10 {
		c.reply()
	}
	for _, names := range []string{"one two", "two three"} {
		sub := s.login()
		sub.send("SUBSCRIBE "+names, "PSUBSCRIBE p*", "SSUBSCRIBE "+names)
		for range 5 {
			sub.reply()
		}
	}
	got := c.section("stats")
	for _, want := range []string{"keyspace_hits:5|", "keyspace_misses:4|", "pubsub_channels:3|", "pubsub_patterns:1|", "pubsubshard_channels:3|"} {
		if !strings.Contains(got, "|"+want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
