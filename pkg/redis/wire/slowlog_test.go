package wire_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/token"
)

func TestSlowCommandsAreLogged(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	other := s.dial()
	other.expect("AUTH "+s.mint(func(c *token.Claims) { c.Resource = "other" }), "+OK|")
	c.expect("CLIENT SETNAME me", "+OK|")
	c.expect("SLOWLOG GET", "*0|")
	c.expect("CONFIG GET slowlog-log-slower-than", "*2|$23|slowlog-log-slower-than|$5|10000|")
	c.expect("CONFIG SET slowlog-log-slower-than 0", "+OK|")
	c.expect("SLOWLOG RESET", "+OK|")
	c.sendArgs("SET", "k", strings.Repeat("x", 130))
	c.next("+OK|")
	c.sendArgs(append([]string{"DEL"}, strings.Fields(strings.Repeat("k ", 40))...)...)
	c.next(":1|")
	c.expect("ACL SETUSER bob on >correct-horse-battery +@all", "+OK|")
	c.expect("AUTH "+s.mint(nil), "+OK|")
	c.send("MULTI", "GET secret", "EXEC", "BLPOP none 0.01")
	for _, want := range []string{"+OK|", "+QUEUED|", "*1|$-1|", "*-1|"} {
		c.next(want)
	}
	c.expect("SLOWLOG LEN", ":7|")
	c.send("SLOWLOG GET -1")
	got := c.reply()
	want := regexp.MustCompile(`^\*8\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*2\|\$7\|SLOWLOG\|\$3\|LEN\|\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*3\|\$5\|BLPOP\|\$4\|none\|\$4\|0.01\|\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*1\|\$4\|EXEC\|\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*1\|\$5\|MULTI\|\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*6\|\$3\|ACL\|\$7\|SETUSER\|(\$10\|\(redacted\)\|){4}\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*32\|\$3\|DEL\|(\$1\|k\|){30}\$23\|\.\.\. \(10 more arguments\)\|\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*3\|\$3\|SET\|\$1\|k\|\$146\|x{128}\.\.\. \(2 more bytes\)\|\$\d+\|127[^|]+\|\$2\|me\|` +
		`\*6\|:\d+\|:\d+\|:\d+\|\*2\|\$7\|SLOWLOG\|\$5\|RESET\|\$\d+\|127[^|]+\|\$2\|me\|$`)
	if !want.MatchString(got) {
		t.Errorf("SLOWLOG GET: %s", got)
	}
	c.send("SLOWLOG GET 1")
	if got := c.reply(); !strings.HasPrefix(got, "*1|*6|") || !strings.Contains(got, "|SLOWLOG|$3|GET|$2|-1|") {
		t.Errorf("SLOWLOG GET 1: %s", got)
	}
	other.expect("SLOWLOG GET", "*0|")
	other.expect("SLOWLOG GET -2", "-ERR count should be greater than or equal to -1|")
	c.expect("CONFIG SET slowlog-max-len 2", "+OK|")
	c.expect("SLOWLOG LEN", ":2|")
	c.expect("CONFIG SET slowlog-log-slower-than -1", "+OK|")
	c.expect("SLOWLOG RESET", "+OK|")
	c.expect("SET k v", "+OK|")
	c.expect("SLOWLOG LEN", ":0|")
	c.expect("CONFIG SET slowlog-max-len x", "-ERR CONFIG SET failed (possibly related to argument 'slowlog-max-len') - argument couldn't be parsed into an integer|")
}
