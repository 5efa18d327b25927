package wire_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/resp/resptest"
)

// isBlocked waits until a number of connections wait.
func (s *server) isBlocked(n int) {
	s.Helper()
	c := s.login()
	for start := time.Now(); ; {
		c.send("CLIENT LIST")
		if strings.Count(c.reply(), "flags=b ") == n {
			break
		}
		if time.Since(start) > testTimeout {
			s.Fatal("nobody waits")
		}
	}
	c.Close()
}

func TestWaiting(t *testing.T) {
	s := newServer(t, nil)
	c, p := s.login(), s.login()
	c.send("RPUSH m x", "BLPOP l 0", "PING", "BLPOP l 0.01", "XREAD BLOCK 0 STREAMS st 0")
	c.next(":1|") // though the next command waits
	s.isBlocked(1)
	p.expect("RPUSH l a", ":1|")
	c.next("*2|$1|l|$1|a|")
	c.next("+PONG|")
	c.next("*-1|")
	s.isBlocked(1)
	p.expect("XADD st 1-1 f v", "$3|1-1|")
	c.next("*1|*2|$2|st|*1|*2|$3|1-1|*2|$1|f|$1|v|")
	c = s.login3()
	c.expect("BLMOVE none m LEFT LEFT 0.01", "_|")
	c.send("XREAD BLOCK 0 STREAMS st 1-1", "BZPOPMIN z 0")
	s.isBlocked(1)
	p.expect("XADD st 2-1 f v", "$3|2-1|")
	c.next("%1|$2|st|*1|*2|$3|2-1|*2|$1|f|$1|v|")
	s.isBlocked(1)
	p.expect("ZADD z 1.5 m", ":1|")
	c.next("*3|$1|z|$1|m|,1.5|")
}

func TestUnblock(t *testing.T) {
	s := newServer(t, nil)
	for _, tt := range []struct{ how, want string }{{"", "*-1|"}, {" TIMEOUT", "*-1|"}, {" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK|"}} {
		c, p := s.login(), s.login()
		c.send("CLIENT ID")
		id := strings.Trim(c.reply(), ":|")
		p.expect("CLIENT UNBLOCK "+id, ":0|")
		c.send("BLPOP l 0")
		s.isBlocked(1)
		p.expect("CLIENT UNBLOCK "+id+tt.how, ":1|")
		c.next(tt.want)
		c.expect("PING", "+PONG|")
	}
}

// What is pushed after its client has gone goes to nobody.
func TestNothingIsLostToClientsThatHaveGone(t *testing.T) {
	s := newServer(t, nil)
	p := s.login()
	for range 20 {
		c := s.login()
		c.send("BLPOP l 0")
		s.isBlocked(1)
		c.Close()
		s.isBlocked(0)
		p.expect("RPUSH l a", ":1|")
		p.expect("LPOP l", "$1|a|")
	}
}

func TestDrain(t *testing.T) {
	s := newServer(t, nil)
	idle, blocked, busy := s.login(), s.login(), s.login()
	blocked.send("BLPOP l 0")
	s.isBlocked(1)
	busy.send(strings.Repeat("INCR n\r\n", 500) + "INCR n")
	busy.next(":1|")
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	s.wire.Close(ctx)
	idle.ends()
	blocked.next("*-1|")
	blocked.ends()
	for {
		if _, err := resptest.Read(busy.r); err != nil {
			break // behind a whole reply
		}
	}
}

// Who writes and does not read is not read from any more, and gets all replies in the end.
func TestBackPressure(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	value := strings.Repeat("x", 100<<10)
	c.sendArgs("SET", "k", value)
	c.next("+OK|")
	const n = 1000 // replies of 100 MB
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range n {
			c.send("GET k")
		}
	}()
	<-sent
	for range n {
		if got := c.reply(); len(got) != len("$102400||")+len(value) {
			t.Fatalf("a reply of %d bytes", len(got))
		}
	}
	c.expect("PING", "+PONG|")
}
