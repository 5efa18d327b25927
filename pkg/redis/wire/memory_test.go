package wire_test

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/token"
)

// field is a number in the line of CLIENT LIST of a client with a name; -1: there is no such client.
func (c *client) field(name, field string) int {
	c.Helper()
	c.send("CLIENT LIST")
	for line := range strings.SplitSeq(c.reply(), "\n") {
		if strings.Contains(line, " name="+name+" ") {
			m := regexp.MustCompile(` ` + field + `=(\d+) `).FindStringSubmatch(line)
			if m == nil {
				c.Fatalf("no %s in %q", field, line)
			}
			n, err := strconv.Atoi(m[1])
			if err != nil {
				c.Fatal(err)
			}
			return n
		}
	}
	return -1
}

// until waits until a condition holds.
func (s *server) until(what string, holds func() bool) {
	s.Helper()
	for start := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		if time.Since(start) > testTimeout {
			s.Fatal("it is never true that " + what)
		}
	}
}

// slow makes the system hold little for a client that does not read.
func (c *client) slow() *client {
	c.Helper()
	if err := c.Conn.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		c.Fatal(err)
	}
	return c
}

// A client that sends and does not read costs little, however much it asks for. It is shown, and nothing is lost when it reads.
func TestSlowReadersAreHeldUp(t *testing.T) {
	s := newServer(t, nil)
	look, c := s.login(), s.login().slow()
	look.sendArgs("SET", "large", strings.Repeat("x", 1<<20))
	look.next("+OK|")
	c.expect("CLIENT SETNAME slow", "+OK|")
	const replies = 50
	c.send(strings.Repeat("GET large\r\n", replies-1) + "GET large")
	s.until("replies wait", func() bool { return look.field("slow", "omem") > 0 })
	for range 20 {
		if all, out := look.field("slow", "tot-mem"), look.field("slow", "omem"); all > 4<<20 || all < out {
			t.Errorf("tot-mem=%d omem=%d", all, out)
		}
	}
	for range replies {
		if got := c.reply(); len(got) < 1<<20 {
			t.Fatalf("a reply of %d bytes", len(got))
		}
	}
	c.expect("PING", "+PONG|")
	s.until("nothing waits", func() bool { return look.field("slow", "omem") == 0 })
}

func TestRepliesBeyondTheHardLimitCloseTheConnection(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.Outputs.Normal.HardBytes = 100 << 10 })
	look, c := s.login(), s.login()
	look.sendArgs("SET", "large", strings.Repeat("x", 60<<10))
	look.next("+OK|")
	c.expect("STRLEN large", ":61440|")
	c.send("MULTI", "GET large", "GET large")
	for _, want := range []string{"+OK|", "+QUEUED|", "+QUEUED|"} {
		c.next(want)
	}
	c.send("EXEC")
	c.ends()
	look.send("INFO stats")
	if got := look.reply(); !strings.Contains(got, "client_output_buffer_limit_disconnections:1|") {
		t.Errorf("INFO: %s", got)
	}
	look.expect("CONFIG GET client-output-buffer-limit", "*2|$26|client-output-buffer-limit|$42|normal 102400 0 0 slave 0 0 0 pubsub 0 0 0|")
}

// Subscribers and MONITOR that do not read are closed by the limits, and others get everything.
func TestSlowSubscribersAreClosed(t *testing.T) {
	for name, limit := range map[string]wire.OutputLimit{
		"hard": {HardBytes: 64 << 10},
		"soft": {SoftBytes: 64 << 10, SoftTime: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, func(c *wire.Config) { c.Outputs.PubSub, c.Outputs.Normal = limit, limit })
			look, slow, monitor := s.login(), s.login().slow(), s.login().slow()
			slow.expect("CLIENT SETNAME slow", "+OK|")
			slow.expect("SUBSCRIBE news", "*3|$9|subscribe|$4|news|:1|")
			monitor.expect("CLIENT SETNAME monitor", "+OK|")
			monitor.expect("MONITOR", "+OK|")
			good := s.login()
			good.expect("SUBSCRIBE news", "*3|$9|subscribe|$4|news|:1|")
			text := strings.Repeat("x", 30<<10)
			s.until("both are closed", func() bool {
				look.sendArgs("PUBLISH", "news", text)
				look.reply()
				good.next("*3|$7|message|$4|news|$30720|" + text + "|")
				return look.field("slow", "omem") < 0 && look.field("monitor", "omem") < 0
			})
		})
	}
}

// If all connections together hold too much, those that hold most are closed.
func TestConnectionsThatHoldMostAreClosed(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.MaxMemory = 2 << 20 })
	small, large := s.login(), s.login()
	large.expect("CLIENT SETNAME large", "+OK|")
	for _, c := range []*client{small, large} {
		c.expect("MULTI", "+OK|")
		c.sendArgs("SET", "k", strings.Repeat("x", 100<<10))
		c.next("+QUEUED|")
	}
	look := s.login()
	value := strings.Repeat("x", 500<<10)
	for range 2 {
		large.sendArgs("SET", "k", value)
		large.next("+QUEUED|")
	}
	// A request counts, too, until it is queued: the next one or the one after it is too much.
	_, _ = io.WriteString(large.Conn, strings.Repeat("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$512000\r\n"+value+"\r\n", 2))
	s.until("it is closed", func() bool { return look.field("large", "tot-mem") < 0 })
	small.expect("EXEC", "*1|+OK|")
	look.send("INFO stats")
	if got := look.reply(); !strings.Contains(got, "evicted_clients:1|") {
		t.Errorf("INFO: %s", got)
	}
}

// A request that was announced, and has not arrived, counts for nothing.
func TestMultiAndRequestsAreShown(t *testing.T) {
	s := newServer(t, nil)
	look, c := s.login(), s.login()
	c.expect("CLIENT SETNAME c", "+OK|")
	c.expect("MULTI", "+OK|")
	c.sendArgs("SET", "k", strings.Repeat("x", 100<<10))
	c.next("+QUEUED|")
	if n := look.field("c", "multi-mem"); n < 100<<10 || n > 110<<10 {
		t.Errorf("multi-mem=%d", n)
	}
	c.expect("DISCARD", "+OK|")
	if n := look.field("c", "multi-mem"); n != 0 {
		t.Errorf("multi-mem=%d after DISCARD", n)
	}
	c.send("*3", "$3", "SET", "$1", "k", "$9000000", strings.Repeat("x", 500<<10))
	s.until("half a megabyte has arrived", func() bool { return look.field("c", "qbuf") >= 500<<10 })
	if n := look.field("c", "qbuf"); n > 2<<20 {
		t.Errorf("qbuf=%d", n)
	}
}

// manyArgs is a request of many empty arguments, all but the last n of which are sent.
func manyArgs(n, missing int) string {
	return "*" + strconv.Itoa(n+1) + "\r\n$3\r\nDEL\r\n" + strings.Repeat("$0\r\n\r\n", n-missing)
}

// Arguments take memory, even empty ones: a request that is not whole, and a transaction, count them.
func TestEmptyArgumentsTakeMemory(t *testing.T) {
	s := newServer(t, nil)
	look, c := s.login(), s.login()
	c.expect("CLIENT SETNAME c", "+OK|")
	const n = 100_000
	_, _ = io.WriteString(c.Conn, manyArgs(n, 1))
	s.until("all but one have arrived", func() bool { return look.field("c", "qbuf") >= 16*(n-1) })
	_, _ = io.WriteString(c.Conn, "$0\r\n\r\n")
	c.next(":0|")
	c.expect("MULTI", "+OK|")
	for i := range 100 {
		_, _ = io.WriteString(c.Conn, manyArgs(n, 0))
		if got := c.reply(); got != "+QUEUED|" {
			if i < 5 || !strings.HasPrefix(got, "-ERR transaction too large") {
				t.Errorf("command %d: %s", i, got)
			}
			return
		}
	}
	t.Error("ten million arguments are queued")
}

// What the connections of one account hold together is bounded. They are told so, and others have room.
func TestConnectionsOfAnAccountShareTheirMemory(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.MaxMemory = 4 << 20 })
	const refused = "-ERR max memory of connections exceeded. Limit: 3145728 bytes|"
	value := strings.Repeat("x", 200<<10)
	var queued, queuing int
	for range 30 { // transactions
		c := s.login()
		c.expect("MULTI", "+OK|")
		c.sendArgs("SET", "k", value)
		if got := c.reply(); got == "+QUEUED|" {
			queued++
		} else if queuing++; got != refused {
			t.Errorf("%.200s", got)
		}
	}
	if queued < 14 || queued > 16 || queuing == 0 {
		t.Errorf("%d queued, %d refused", queued, queuing)
	}
	c := s.login() // a transaction of many small commands
	c.expect("MULTI", "+OK|")
	for n := 0; ; n++ {
		c.sendArgs("SET", "k", value[:3000])
		if got := c.reply(); got == refused {
			break
		} else if got != "+QUEUED|" || n > 1000 {
			t.Fatalf("%d: %.200s", n, got)
		}
	}
	c.expect("EXEC", "-EXECABORT Transaction discarded because of previous errors.|")
	c = s.login() // requests that do not arrive whole
	_, _ = io.WriteString(c.Conn, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n"+value)
	c.next(refused)
	c.ends()

	otherDB, err := s.engine.Database(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	other := s.dial()
	other.expect("AUTH "+s.mint(func(c *token.Claims) { c.Resource, c.Generation = "other", otherDB.CredentialGeneration }), "+OK|")
	other.sendArgs("SET", "k", value)
	other.next("+OK|")
	other.expect("MULTI", "+OK|")
	other.sendArgs("SET", "k", value)
	other.next("+QUEUED|")
	other.expect("EXEC", "*1|+OK|")
	s.login().expect("GET small", "$-1|") // what is small is never refused
}

// Connections that have not logged in hold little together, and keep nobody from logging in.
func TestStrangersShareTheirMemory(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.MaxMemory = 1 << 20 })
	const refused = "-ERR max memory of connections exceeded. Limit: 131072 bytes\r\n"
	for range 20 {
		c := s.dial()
		_, _ = io.WriteString(c.Conn, "*10\r\n"+strings.Repeat("$16000\r\n"+strings.Repeat("x", 16000)+"\r\n", 9)+"$1\r\n")
		if text, err := c.r.ReadString('\n'); err != nil || text != refused {
			t.Errorf("%q, %v", text, err)
		}
	}
	for range 20 {
		_, _ = io.WriteString(s.dial().Conn, "*10\r\n"+strings.Repeat("$16000\r\n"+strings.Repeat("x", 16000)+"\r\n", 3)+"$1\r\n")
	}
	look := s.login()
	s.until("the others are refused, too", func() bool {
		look.send("INFO stats")
		n := regexp.MustCompile(`evicted_clients:(\d+)`).FindStringSubmatch(look.reply())
		return len(n) == 2 && len(n[1]) == 2 && n[1] >= "37"
	})
	s.login().expect("PING", "+PONG|")
}

// Names of channels stay in memory as long as they are subscribed to.
func TestNamesOfChannelsTakeMemory(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.MaxMemory = 1 << 20 })
	const most = (3 << 18) / 3000
	c := s.login3()
	for round := range 2 {
		for n := 0; ; n++ {
			c.sendArgs("SUBSCRIBE", fmt.Sprintf("%d-%d-%s", round, n, strings.Repeat("x", 3000)))
			got := c.reply()
			if got == "-ERR max memory of connections exceeded. Limit: 786432 bytes|" && n > most/2 {
				break
			}
			if !strings.HasPrefix(got, ">3|$30") && !strings.HasPrefix(got, ">3|$9|subscribe|") || n > most {
				t.Fatalf("%d: %.200s", n, got)
			}
		}
		c.expect("PING", "+PONG|")
		c.send("UNSUBSCRIBE", "PING")
		for c.reply() != "+PONG|" {
		}
	}
}
