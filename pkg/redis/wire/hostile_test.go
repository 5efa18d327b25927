package wire_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/store/embedded"
	"github.com/skystash/skystash/pkg/store/slow"
)

// What had arrived on a connection is not carried out any more when the connection was closed from here, as it is by
// a revocation.
func TestWhatHasArrivedEndsWithItsConnection(t *testing.T) {
	st, err := embedded.Open(embedded.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := newServerOver(t, slow.New(st, slow.Options{Latency: 20 * time.Millisecond}), time.Minute, nil)
	admin, victim := s.login(), s.login()
	victim.send("CLIENT SETNAME victim")
	victim.reply()
	victim.send(strings.TrimSuffix(strings.Repeat("INCR n\r\n", 900), "\r\n"))
	for begun := false; !begun; {
		admin.send("GET n")
		begun = admin.reply() != "$-1|"
	}
	admin.expect("CLIENT KILL ID 2", ":1|")
	for there := true; there; {
		admin.send("CLIENT LIST")
		there = strings.Contains(admin.reply(), "name=victim")
	}
	admin.send("GET n")
	if got := admin.reply(); len(strings.Split(got, "|")[1]) > 2 {
		t.Errorf("%s of 900 commands were carried out", got)
	}
}

// What a connection says of itself stays as long as it does, and is short.
func TestConnectionsKeepLittleOfThemselves(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	long := strings.Repeat("x", 1<<20)
	for _, args := range [][]string{{"CLIENT", "SETNAME", long}, {"CLIENT", "SETINFO", "LIB-NAME", long}, {"CLIENT", "SETINFO", "LIB-VER", long}, {"HELLO", "3", "SETNAME", long}, {long}, {"GET " + long}} {
		c.sendArgs(args...)
		if got := c.reply(); got[0] != '-' {
			t.Errorf("%.30q is answered %.100s", args, got)
		}
	}
	s.login().expect("CLIENT KILL ID 1 ID 7 TYPE pubsub ID 9", ":0|") // the last ID counts
	c.sendArgs(long)
	c.reply()
	other := s.login()
	other.send("CLIENT LIST")
	if got := other.reply(); len(got) > 4000 {
		t.Errorf("CLIENT LIST has %d bytes", len(got))
	}
}

// Names that are given many times, or are many, are looked at once each.
func TestManyChannels(t *testing.T) {
	s := newServer(t, nil)
	c := s.login3()
	var names []string
	for i := range 10_000 {
		names = append(names, "channel-"+strconv.Itoa(i))
	}
	c.sendArgs(append([]string{"SUBSCRIBE"}, names...)...)
	for range names {
		c.reply()
	}
	for range 10 {
		c.sendArgs(append([]string{"UNSUBSCRIBE"}, names...)...)
		for range names {
			c.reply()
		}
	}
	c.expect("UNSUBSCRIBE", ">3|$11|unsubscribe|_|:0|")
	c.expect("SUBSCRIBE a b", ">3|$9|subscribe|$1|a|:1|")
	c.next(">3|$9|subscribe|$1|b|:2|")
	c.send("UNSUBSCRIBE")
	c.next(">3|$11|unsubscribe|$1|a|:1|")
	c.next(">3|$11|unsubscribe|$1|b|:0|")
}
