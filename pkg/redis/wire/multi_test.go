package wire_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestTransactions(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	other := s.login()
	for _, line := range [][2]string{
		{"MULTI", "+OK|"},
		{"SET k v", "+QUEUED|"},
		{"CLIENT GETNAME", "+QUEUED|"},
		{"INCR k", "+QUEUED|"},
		{"PING", "+QUEUED|"},
		{"SELECT 0", "+QUEUED|"},
		{"BLPOP none 0", "+QUEUED|"},
		{"BLMOVE none other LEFT LEFT 0", "+QUEUED|"},
		{"GET k", "+QUEUED|"},
		{"EXEC", "*8|+OK|$-1|-ERR value is not an integer or out of range|+PONG|+OK|*-1|$-1|$1|v|"},
		{"MULTI", "+OK|"},
		{"EXEC", "*0|"},
		{"EXEC", "-ERR EXEC without MULTI|"},
		{"DISCARD", "-ERR DISCARD without MULTI|"},
		{"MULTI", "+OK|"},
		{"MULTI", "-ERR MULTI calls can not be nested|"},
		{"WATCH k", "-ERR WATCH inside MULTI is not allowed|"},
		{"SET k w", "+QUEUED|"},
		{"DISCARD", "+OK|"},
		{"GET k", "$1|v|"},
		{"MULTI", "+OK|"},
		{"NOSUCH a", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' |"},
		{"SET k w", "+QUEUED|"},
		{"EXEC", "-EXECABORT Transaction discarded because of previous errors.|"},
		{"MULTI", "+OK|"},
		{"GET", "-ERR wrong number of arguments for 'get' command|"},
		{"EXEC", "-EXECABORT Transaction discarded because of previous errors.|"},
		{"MULTI", "+OK|"},
		{"HELLO 2", "-ERR Command not allowed inside a transaction|"},
		{"RESET", "+RESET|"},
		{"AUTH " + s.mint(nil), "+OK|"},
		{"EXEC", "-ERR EXEC without MULTI|"},
		{"GET k", "$1|v|"},
	} {
		c.expect(line[0], line[1])
	}
	c.expect("MULTI", "+OK|")
	for i := range 101 {
		c.expect("SET "+strings.Repeat("k", i+1)+" v", "+QUEUED|")
	}
	c.send("EXEC")
	if got := c.reply(); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because of: ERR transaction too large") {
		t.Errorf("a large transaction: %s", got)
	}
	for _, tt := range []struct {
		name     string
		own      []string // before MULTI, behind WATCH w
		others   string
		executed bool
		before   string
	}{
		{name: "nothing", executed: true},
		{name: "another's SET", others: "SET w 2"},
		{name: "the same value", before: "SET w 1", others: "SET w 1"},
		{name: "a SET of its own", own: []string{"SET w 1"}},
		{name: "EXPIRE", before: "SET w 1", others: "EXPIRE w 100"},
		{name: "DEL", before: "SET w 1", others: "DEL w"},
		{name: "DEL of nothing", others: "DEL w", executed: true},
		{name: "a read", before: "SET w 1", others: "GET w", executed: true},
		{name: "another key", others: "SET x 1", executed: true},
		{name: "FLUSHDB", before: "SET w 1", others: "FLUSHDB"},
		{name: "FLUSHDB of nothing", others: "FLUSHDB", executed: true},
		{name: "UNWATCH", own: []string{"UNWATCH"}, others: "SET w 2", executed: true},
		{name: "DISCARD", own: []string{"MULTI", "DISCARD"}, others: "SET w 2", executed: true},
		{name: "a list's element", before: "RPUSH w a", others: "RPUSH w b"},
	} {
		for _, commands := range [][]string{{"SET done 1", "INCR n"}, nil} {
			c.send("DEL w done")
			c.reply()
			if tt.before != "" {
				other.send(tt.before)
				other.reply()
			}
			c.expect("WATCH w", "+OK|")
			for _, line := range tt.own {
				c.send(line)
				c.reply()
			}
			if tt.others != "" {
				other.send(tt.others)
				other.reply()
			}
			c.expect("MULTI", "+OK|")
			for _, line := range commands {
				c.expect(line, "+QUEUED|")
			}
			c.send("EXEC")
			if got := c.reply(); (got != "*-1|") != tt.executed {
				t.Errorf("%s, %d commands: EXEC: %s", tt.name, len(commands), got)
			}
		}
	}
}

// A key that expires counts as changed, though nobody has touched it.
func TestWatchedKeyExpires(t *testing.T) {
	s := newServer(t, nil)
	c := s.login3()
	c.expect("SET w 1 PX 30", "+OK|")
	c.expect("WATCH w", "+OK|")
	for {
		c.send("EXISTS w")
		if c.reply() == ":0|" {
			break
		}
	}
	c.expect("MULTI", "+OK|")
	c.expect("SET k v", "+QUEUED|")
	c.expect("EXEC", "_|")
	c.expect("WATCH w", "+OK|") // it is gone already
	c.expect("MULTI", "+OK|")
	c.expect("ZADD z 1.5 a", "+QUEUED|")
	c.expect("ZRANGE z 0 -1 WITHSCORES", "+QUEUED|")
	c.expect("HGETALL none", "+QUEUED|")
	c.expect("EXEC", "*3|:1|*1|*2|$1|a|,1.5|%0|")
}

// The replies are those of Redis 7.0. No message is within them.
func TestSubscribingInTransactions(t *testing.T) {
	s := newServer(t, nil)
	other := s.login()
	for _, proto := range []string{"2", "3"} {
		push := map[string]string{"2": "*", "3": ">"}[proto]
		null := map[string]string{"2": "$-1", "3": "_"}[proto]
		c := s.login()
		c.send("HELLO " + proto)
		c.reply()
		queue := func(commands ...string) {
			t.Helper()
			c.expect("MULTI", "+OK|")
			for _, command := range commands {
				c.expect(command, "+QUEUED|")
			}
			c.send("EXEC")
		}
		confirms := func(kind, channel string, n int) {
			t.Helper()
			c.next(push + "3|" + bulk(kind) + bulk(channel) + fmt.Sprintf(":%d|", n))
		}
		queue("UNSUBSCRIBE", "MONITOR")
		c.next("*2|" + push + "3|" + bulk("unsubscribe") + null + "|:0|-ERR MONITOR isn't allowed for DENY BLOCKING client|")
		queue("SUBSCRIBE a b", "SET k v", "PSUBSCRIBE p*", "SSUBSCRIBE s", "UNSUBSCRIBE a", "SUNSUBSCRIBE s", "GET k")
		c.next("*7|" + push + "3|" + bulk("subscribe") + bulk("a") + ":1|" + push + "3|" + bulk("subscribe") + bulk("b") + ":2|+OK|" +
			push + "3|" + bulk("psubscribe") + bulk("p*") + ":3|-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client|" +
			push + "3|" + bulk("unsubscribe") + bulk("a") + ":2|" + push + "3|" + bulk("sunsubscribe") + bulk("s") + ":0|")
		c.next(bulk("v")) // a subscription to two channels has two confirmations: the last reply is behind the array
		other.expect("PUBLISH a no", ":0|")
		other.expect("PUBLISH b yes", ":1|")
		c.next(push + "3|" + bulk("message") + bulk("b") + bulk("yes"))
		if proto == "3" { // those of RESP2 may begin no transaction while they are subscribed
			queue("UNSUBSCRIBE b", "PUNSUBSCRIBE p*", "SUBSCRIBE c", "PING")
			c.next("*4|" + push + "3|" + bulk("unsubscribe") + bulk("b") + ":1|" + push + "3|" + bulk("punsubscribe") + bulk("p*") + ":0|" +
				push + "3|" + bulk("subscribe") + bulk("c") + ":1|+PONG|")
			other.expect("PUBLISH c x", ":1|")
			c.next(push + "3|" + bulk("message") + bulk("c") + bulk("x"))
		}
		c.send("UNSUBSCRIBE x")
		confirms("unsubscribe", "x", map[string]int{"2": 2, "3": 1}[proto])
		c.expect("RESET", "+RESET|")
	}
}

// bulk is a string as it is sent, as client.reply shows it.
func bulk(s string) string { return fmt.Sprintf("$%d|%s|", len(s), s) }
