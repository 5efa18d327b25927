package wire_test

import "testing"

// Who writes, or everybody, is held up until the pause is over, and then goes on where it was.
func TestClientPause(t *testing.T) {
	s := newServer(t, nil)
	admin, c, other := s.login(), s.login(), s.login()
	c.expect("SET k 1", "+OK|")
	c.sendArgs("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function{function_name='reads', callback=function() return 7 end, flags={'no-writes'}}")
	c.next("$1|l|")
	admin.expect("CLIENT PAUSE 60000 WRITE", "+OK|")
	c.expect("GET k", "$1|1|")
	c.send("GET k")
	c.send("INCR k")
	c.send("GET k")
	c.next("$1|1|")
	other.expect("MULTI", "+OK|")
	other.expect("INCR k", "+QUEUED|")
	other.send("EXEC")
	admin.expect("GET k", "$1|1|") // both are held up, or have yet to come
	c3 := s.login()
	c3.expect("SET k", "-ERR wrong number of arguments for 'set' command|")
	c3.sendArgs("EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", "1", "k")
	c3.next("$1|1|")
	c3.expect("FCALL reads 0", ":7|")
	admin.expect("CLIENT UNPAUSE", "+OK|")
	one, two := c.reply(), other.reply()
	if one+two != ":2|*1|:3|" && one+two != ":3|*1|:2|" {
		t.Errorf("%q, %q", one, two)
	}
	c.reply()

	admin.expect("CLIENT PAUSE 60000", "+OK|")
	c.send("GET k")
	c2 := s.login() // who only logs in is not held up
	c2.expect("CLIENT PAUSE 1 WRITE", "+OK|")
	c2.send("SET k 5") // held up: the pause did not become shorter
	admin.expect("CLIENT UNPAUSE", "+OK|")
	c.reply()
	c2.next("+OK|")
	admin.expect("GET k", "$1|5|")

	admin.expect("CLIENT PAUSE 20", "+OK|")
	c.expect("GET k", "$1|5|")
	c.expect("MEMORY PURGE", "+OK|")
}
