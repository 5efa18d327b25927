package wire_test

import (
	"strings"
	"testing"
)

func TestSubscribersOfRESP2(t *testing.T) {
	s := newServer(t, nil)
	c, p := s.login(), s.login()
	c.send("SUBSCRIBE a b a")
	c.next("*3|$9|subscribe|$1|a|:1|")
	c.next("*3|$9|subscribe|$1|b|:2|")
	c.next("*3|$9|subscribe|$1|a|:2|")
	c.expect("PSUBSCRIBE a*", "*3|$10|psubscribe|$2|a*|:3|")
	p.expect("PUBLISH a hello", ":2|")
	got := []string{c.reply(), c.reply()}
	for _, want := range []string{"*3|$7|message|$1|a|$5|hello|", "*4|$8|pmessage|$2|a*|$1|a|$5|hello|"} {
		if got[0] != want && got[1] != want {
			t.Errorf("got %q, without %s", got, want)
		}
	}
	c.expect("GET k", "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context|")
	c.expect("BLPOP l 0", "-ERR Can't execute 'blpop': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context|")
	c.expect("PING", "*2|$4|pong|$0||")
	c.expect("PING x", "*2|$4|pong|$1|x|")
	c.expect("UNSUBSCRIBE b", "*3|$11|unsubscribe|$1|b|:2|")
	p.expect("PUBLISH b hello", ":0|")
	p.expect("PUBSUB NUMSUB a b", "*4|$1|a|:1|$1|b|:0|")
	c.expect("UNSUBSCRIBE", "*3|$11|unsubscribe|$1|a|:1|")
	c.expect("UNSUBSCRIBE", "*3|$11|unsubscribe|$-1|:1|")
	c.expect("PUNSUBSCRIBE a* x", "*3|$12|punsubscribe|$2|a*|:0|")
	c.next("*3|$12|punsubscribe|$1|x|:0|")
	c.send("CLIENT REPLY OFF", "SET k v", "SUBSCRIBE b", "UNSUBSCRIBE b", "CLIENT REPLY ON")
	c.next("*3|$9|subscribe|$1|b|:1|")
	c.next("*3|$11|unsubscribe|$1|b|:0|")
	c.next("+OK|")
	c.expect("PING", "+PONG|")
	c.expect("SUBSCRIBE a", "*3|$9|subscribe|$1|a|:1|")
	c.expect("RESET", "+RESET|")
	p.expect("PUBLISH a hello", ":0|")
	c = s.login()
	c.expect("SUBSCRIBE a", "*3|$9|subscribe|$1|a|:1|")
	c.expect("QUIT", "+OK|")
	c.ends()
}

func TestSubscribersOfRESP3(t *testing.T) {
	s := newServer(t, nil)
	c := s.login3()
	c.expect("SUBSCRIBE a", ">3|$9|subscribe|$1|a|:1|")
	c.expect("SET k v", "+OK|")
	c.expect("PING", "+PONG|")
	c.send("PUBLISH a hello")
	got := []string{c.reply(), c.reply()}
	for _, want := range []string{":1|", ">3|$7|message|$1|a|$5|hello|"} {
		if got[0] != want && got[1] != want {
			t.Errorf("got %q, without %s", got, want)
		}
	}
	c.send("CLIENT REPLY OFF", "SUBSCRIBE b", "SET k v", "UNSUBSCRIBE b", "CLIENT REPLY ON")
	c.next(">3|$9|subscribe|$1|b|:2|")
	c.next(">3|$11|unsubscribe|$1|b|:1|")
	c.next("+OK|")
	c.expect("UNSUBSCRIBE a", ">3|$11|unsubscribe|$1|a|:0|")
	other := s.dial()
	other.expect("AUTH "+s.mint(nil), "+OK|")
	other.expect("PUBLISH a x", ":0|")
}

// Messages come in order, and none is within a reply.
func TestMessagesAndRepliesDoNotMix(t *testing.T) {
	s := newServer(t, nil)
	c, p := s.login3(), s.login()
	c.expect("SUBSCRIBE a", ">3|$9|subscribe|$1|a|:1|")
	const n = 200
	for range n {
		p.send("PUBLISH a hello")
		c.send("MGET k l m")
	}
	for range n {
		p.next(":1|")
	}
	counts := map[string]int{}
	for range 2 * n {
		counts[c.reply()]++
	}
	if counts["*3|_|_|_|"] != n || counts[">3|$7|message|$1|a|$5|hello|"] != n {
		t.Errorf("received: %v", counts)
	}
}

func TestMonitor(t *testing.T) {
	s := newServer(t, nil)
	for _, c := range []*client{s.login(), s.login3()} {
		p := s.login()
		c.expect("MONITOR", "+OK|")
		p.expect("SET k \"a b\"", "+OK|")
		got := c.reply()
		if !strings.HasPrefix(got, "+") || !strings.HasSuffix(got, ` [0 `+p.LocalAddr().String()+`] "SET" "k" "a b"|`) {
			t.Errorf("a line of MONITOR: %s", got)
		}
		c.expect("RESET", "+RESET|")
	}
}

// Shard channels are apart from others: they have their own names, counts and messages, and no pattern matches them.
func TestShardChannels(t *testing.T) {
	s := newServer(t, nil)
	for _, resp3 := range []bool{false, true} {
		c, all, p := s.login(), s.login(), s.login()
		push := "*"
		if resp3 {
			c, push = s.login3(), ">"
		}
		all.expect("PSUBSCRIBE *", "*3|$10|psubscribe|$1|*|:1|")
		c.send("SSUBSCRIBE a b")
		c.next(push + "3|$10|ssubscribe|$1|a|:1|")
		c.next(push + "3|$10|ssubscribe|$1|b|:2|")
		c.expect("SUBSCRIBE a", push+"3|$9|subscribe|$1|a|:1|")
		p.expect("SPUBLISH a hello", ":1|")
		c.next(push + "3|$8|smessage|$1|a|$5|hello|")
		p.expect("PUBLISH a other", ":2|")
		c.next(push + "3|$7|message|$1|a|$5|other|")
		all.next("*4|$8|pmessage|$1|*|$1|a|$5|other|") // the first that it hears
		p.expect("PUBSUB SHARDNUMSUB a b x", "*6|$1|a|:1|$1|b|:1|$1|x|:0|")
		p.expect("PUBSUB NUMSUB a b", "*4|$1|a|:1|$1|b|:0|")
		p.expect("PUBSUB SHARDCHANNELS b*", "*1|$1|b|")
		p.expect("PUBSUB CHANNELS", "*1|$1|a|")
		p.expect("MULTI", "+OK|")
		p.expect("SPUBLISH b x", "+QUEUED|")
		p.expect("EXEC", "*1|:1|")
		c.next(push + "3|$8|smessage|$1|b|$1|x|")
		c.expect("SUNSUBSCRIBE a", push+"3|$12|sunsubscribe|$1|a|:1|")
		p.expect("SPUBLISH a hello", ":0|")
		c.expect("UNSUBSCRIBE", push+"3|$11|unsubscribe|$1|a|:0|")
		c.expect("SUNSUBSCRIBE", push+"3|$12|sunsubscribe|$1|b|:0|")
		c.expect("PING", "+PONG|")
		all.expect("RESET", "+RESET|")
	}
}
