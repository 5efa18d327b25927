package wire_test

import (
	"regexp"
	"testing"

	"github.com/skystash/skystash/pkg/token"
)

func TestDebug(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	const refused = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.|"
	for _, tt := range []struct{ send, want string }{
		{"DEBUG SLEEP 0", "+OK|"},
		{"DEBUG sleep 0.001", "+OK|"},
		{"DEBUG SLEEP 61", "-ERR DEBUG SLEEP takes 0 to 60 seconds|"},
		{"DEBUG SLEEP nan", "-ERR DEBUG SLEEP takes 0 to 60 seconds|"},
		{"DEBUG JMAP", "+OK|"},
		{"DEBUG RELOAD", "+OK|"},
		{"DEBUG SET-ACTIVE-EXPIRE 0", "+OK|"},
		{"DEBUG SET-ACTIVE-EXPIRE", refused},
		{"DEBUG OBJECT", refused},
		{"DEBUG OBJECT none", "-ERR no such key|"},
		{"DEBUG SEGFAULT", refused},
		{"DEBUG", "-ERR wrong number of arguments for 'debug' command|"},
		{"DEBUG PROTOCOL map", "*6|:0|:0|:1|:1|:2|:0|"},
		{"DEBUG PROTOCOL true", ":1|"},
		{"DEBUG PROTOCOL nosuch", "-ERR Wrong protocol type name. Please use one of the following: string|integer|double|null|array|set|map|verbatim|true|false|"},
		{"MULTI", "+OK|"},
		{"DEBUG SLEEP 0", "+QUEUED|"},
		{"EXEC", "*1|+OK|"},
	} {
		c.expect(tt.send, tt.want)
	}
	// Of a string the length is that of Redis 7.0. Of a hash DUMP has another form.
	c.expect("SET k 12345", "+OK|")
	c.expect("RPUSH l a b c", ":3|")
	c.expect("HSET h a b", ":1|")
	for key, want := range map[string]string{"k": "int serializedlength:3", "h": `listpack serializedlength:\d+`} {
		c.send("DEBUG OBJECT " + key)
		if got := c.reply(); !regexp.MustCompile(`^\+Value at:0x0 refcount:1 encoding:` + want + ` lru:\d+ lru_seconds_idle:0\|$`).MatchString(got) {
			t.Errorf("%s: %s", key, got)
		}
	}
	reader := s.dial()
	reader.expect("AUTH "+s.mint(func(c *token.Claims) { c.Scope = token.ReadOnly }), "+OK|")
	reader.expect("DEBUG SLEEP 0", "-NOPERM this user has no permissions to run the 'debug' command or its subcommand|")
}

// Parameters without a meaning here are accepted. Those that tell how it is cannot be changed.
func TestConfigSet(t *testing.T) {
	c := newServer(t, nil).login()
	for _, tt := range []struct{ send, want string }{
		{"CONFIG SET hash-max-listpack-entries 5 hash-max-ziplist-value 7", "+OK|"},
		{"CONFIG GET hash-max-listpack-entries", "*2|$25|hash-max-listpack-entries|$3|128|"},
		{"CONFIG GET hash-max-zip*-value", "*2|$22|hash-max-ziplist-value|$2|64|"},
		{"CONFIG SET HZ x", "-ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed into an integer|"},
		{"CONFIG SET activedefrag 1", "-ERR CONFIG SET failed (possibly related to argument 'activedefrag') - argument must be 'yes' or 'no'|"},
		{"CONFIG SET maxmemory 0 appendonly yes", "+OK|"},
		{"CONFIG SET maxmemory 100mb", "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable config|"},
		{"CONFIG SET appendonly no", "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - can't set immutable config|"},
		{"CONFIG SET nosuch 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'|"},
	} {
		c.expect(tt.send, tt.want)
	}
}
