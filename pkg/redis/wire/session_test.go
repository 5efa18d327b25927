package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/wire"
	"github.com/skystash/skystash/pkg/token"
)

const (
	noAuth    = "-NOAUTH Authentication required.|"
	wrongPass = "-WRONGPASS invalid username-password pair or user is disabled.|"
)

func TestLogin(t *testing.T) {
	s := newServer(t, nil)
	db, err := s.engine.Database(t.Context(), "db")
	if err != nil {
		t.Fatal(err)
	}
	good := s.mint(nil)
	foreign := s.mint(func(c *token.Claims) { c.Products = []string{token.ProductQStash} })
	admin := s.login()
	admin.expect("ACL SETUSER alice on >correct-horse-battery ~a:* +@all", "+OK|")
	user := redis.UserToken("db", "alice", "correct-horse-battery")
	for _, tt := range []struct{ send, want string }{
		{"AUTH " + good, "+OK|"},
		{"AUTH default " + good, "+OK|"},
		{"AUTH anybody " + good, "+OK|"},
		{"AUTH " + good + " \"\"", "+OK|"},
		{"AUTH " + good + " x", "+OK|"},
		{"AUTH " + user, "+OK|"},
		{"AUTH alice " + user, "+OK|"},
		{"AUTH db/alice correct-horse-battery", "+OK|"},
		{"AUTH alice correct-horse-battery", wrongPass}, // of which database?
		{"AUTH other/alice correct-horse-battery", wrongPass},
		{"AUTH db/alice wrong-horse-battery", wrongPass},
		{"AUTH db/bob correct-horse-battery", wrongPass},
		{"AUTH nonsense", wrongPass},
		{"AUTH default \"\"", wrongPass},
		{"AUTH \"\"", wrongPass},
		{"AUTH " + foreign, wrongPass},
		{"AUTH " + good + "x", wrongPass},
		{"AUTH a b c", "-ERR syntax error|"},
		{"AUTH", "-ERR wrong number of arguments for 'auth' command|"},
		{"PING", noAuth},
		{"GET a:k", noAuth},
		{"NOSUCH", noAuth},
		{"CLIENT NOSUCH", noAuth},
		{"MULTI", noAuth},
		{"SUBSCRIBE c", noAuth},
		{"BLPOP l 0", noAuth},
		{"HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time|"},
		{"HELLO 3 AUTH default nonsense", wrongPass},
		{"HELLO 4 AUTH default " + good, "-NOPROTO unsupported protocol version|"},
		{"HELLO x", "-ERR Protocol version is not an integer or out of range|"},
		{"HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'|"},
		{"HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'|"},
		{"RESET", "+RESET|"},
		{"QUIT", "+OK|"},
	} {
		c := s.dial()
		c.expect(tt.send, tt.want)
		after := "+PONG|"
		switch {
		case tt.send == "QUIT":
			c.ends()
			continue
		case !strings.HasPrefix(tt.want, "+OK"):
			after = noAuth
		}
		c.expect("PING", after)
	}
	c := s.dial()
	c.expect("AUTH db/alice correct-horse-battery", "+OK|")
	c.expect("SET a:k v", "+OK|")
	c.expect("SET b:k v", "-NOPERM No permissions to access a key|")
	c.expect("ACL WHOAMI", "$5|alice|")
	c.expect("AUTH nonsense", wrongPass)
	c.expect("GET a:k", "$1|v|") // the login stays
	_ = db
}

func TestHello(t *testing.T) {
	s := newServer(t, nil)
	c := s.dial()
	c.send("hello 3 setname me auth default " + s.mint(nil))
	got := c.reply()
	if !strings.HasPrefix(got, "%7|$6|server|$5|redis|$7|version|$5|"+redis.Version+"|$5|proto|:3|$2|id|:") ||
		!strings.HasSuffix(got, "|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|") {
		t.Errorf("HELLO 3: %s", got)
	}
	c.expect("CLIENT GETNAME", "$2|me|")
	c.expect("GET none", "_|")
	c.expect("HELLO 3 SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters.|")
	c.send("HELLO 2")
	if got := c.reply(); !strings.HasPrefix(got, "*14|$6|server|") || !strings.Contains(got, "|$5|proto|:2|") {
		t.Errorf("HELLO 2: %s", got)
	}
	c.expect("GET none", "$-1|")
	c.expect("RESET", "+RESET|")
	c.expect("GET none", noAuth)
}

// What clients send when they connect, in one packet.
func TestPacketsOfClients(t *testing.T) {
	s := newServer(t, nil)
	c := s.dial()
	c.send("AUTH "+s.mint(nil), "CLIENT SETINFO LIB-NAME ioredis", "CLIENT SETINFO LIB-VER 5.11.1", "SELECT 0", "MSET a 1 b 2 c 3 d 4 e 5 f 6", "GET f")
	for _, want := range []string{"+OK|", "+OK|", "+OK|", "+OK|", "+OK|", "$1|6|"} {
		c.next(want)
	}
	c = s.dial()
	c.send("AUTH nonsense", "CLIENT SETINFO LIB-NAME redis-py", "SELECT 0")
	for _, want := range []string{wrongPass, noAuth, noAuth} {
		c.next(want)
	}
	c.expect("AUTH "+s.mint(nil), "+OK|")
	c.expect("CLIENT MAINT_NOTIFICATIONS ON", "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.|")
	c.expect("CLIENT TRACKING ON OPTIN", "-ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.|")
	c.expect("CLIENT TRACKING OFF", "+OK|")
	c.expect("CLUSTER SLOTS", "-ERR This instance has cluster support disabled|")
	c.expect("NOSUCH a b", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' |")
	c.sendArgs("")
	c.next("-ERR unknown command '', with args beginning with: |")
	c.expect("CLIENT", "-ERR wrong number of arguments for 'client' command|")
	c.expect("pInG", "+PONG|")
	c.expect("ECHO \"a b\"", "$3|a b|")
	c.expect("QUIT now", "+OK|")
	c.ends()
}

func TestSelect(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	c.expect("SELECT x", "-ERR value is not an integer or out of range|")
	c.expect("SET k v", "+OK|")
	c.expect("SELECT 1", "-ERR DB index is out of range|")
	c.expect("SET k w", "-ERR DB index is out of range|") // nothing gets mixed
	c.expect("BLPOP l 0", "-ERR DB index is out of range|")
	c.expect("SELECT 0", "+OK|")
	c.expect("GET k", "$1|v|")
}

func TestBrokenRequests(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	c.send("SET k v", "GET k", "*a")
	c.next("+OK|")
	c.next("$1|v|")
	c.next("-ERR Protocol error: invalid multibulk length|")
	c.ends()
	for _, silent := range []string{"POST / HTTP/1.1", "\x16\x03\x01\x02\x00"} {
		c = s.dial()
		c.send(silent)
		c.ends()
	}
}

func TestRightsOfTokens(t *testing.T) {
	s := newServer(t, nil)
	s.login().expect("SET k v", "+OK|")
	c := s.dial()
	c.expect("AUTH "+s.mint(func(c *token.Claims) { c.Scope, c.CredentialID = token.ReadOnly, "r" }), "+OK|")
	c.expect("GET k", "$1|v|")
	c.expect("SET k w", "-NOPERM this user has no permissions to run the 'set' command or its subcommand|")
	c.expect("MONITOR", "-NOPERM this user has no permissions to run the 'monitor' command or its subcommand|")
	c.expect("MULTI", "+OK|")
	c.expect("GET k", "+QUEUED|")
	c.expect("EXEC", "*1|$1|v|")
	other := s.dial()
	other.expect("AUTH "+s.mint(func(c *token.Claims) { c.Resource = "other" }), "+OK|")
	other.expect("GET k", "$-1|")
}

func TestRevocation(t *testing.T) {
	s := newServer(t, nil)
	idle, busy, blocked, subscribed := s.login(), s.login(), s.login(), s.login()
	blocked.send("BLPOP l 0")
	s.isBlocked(1)
	subscribed.expect("SUBSCRIBE c", "*3|$9|subscribe|$1|c|:1|")
	busy.expect("PING", "+PONG|")
	if err := s.engine.RevokeCredential(t.Context(), "db", "w", time.Time{}); err != nil {
		t.Fatal(err)
	}
	busy.expect("PING", noAuth)
	busy.ends()
	for _, c := range []*client{idle, blocked, subscribed} {
		c.ends()
	}
	s.dial().expect("AUTH "+s.mint(nil), wrongPass)
}

func TestLimitsOfConnections(t *testing.T) {
	s := newServer(t, func(c *wire.Config) { c.MaxPerCredential = 2 })
	s.login()
	s.login().expect("PING", "+PONG|")
	third := s.dial()
	third.expect("AUTH "+s.mint(nil), "-ERR max number of clients reached|")
	third.ends()
	s.dial().expect("AUTH "+s.mint(func(c *token.Claims) { c.CredentialID = "x" }), "+OK|")

	s = newServer(t, func(c *wire.Config) { c.MaxClients = 2 })
	first, second := s.login(), s.login()
	third = s.dial()
	third.next("-ERR max number of clients reached|")
	third.ends()
	first.expect("PING", "+PONG|")
	second.expect("PING", "+PONG|")

	// Those who do not log in leave room for others.
	s = newServer(t, func(c *wire.Config) { c.MaxClients = 4 })
	s.dial().expect("PING", noAuth)
	s.dial().expect("PING", noAuth)
	third = s.dial()
	third.next("-ERR max number of clients reached|")
	third.ends()
	s = newServer(t, func(c *wire.Config) { c.MaxClients = 4 })
	s.login()
	s.login()
	s.login().expect("PING", "+PONG|")
}

func TestMetering(t *testing.T) {
	s := newServer(t, nil)
	c := s.login()
	c.send("SET k v", "GET k", "PING")
	for range 3 {
		c.reply()
	}
	got := s.usage.sum()
	if got.Commands != 3 || got.BytesIn == 0 || got.BytesOut != int64(len("+OK||$1||v||+PONG||")) || got.Calls == 0 {
		t.Errorf("used: %+v", got)
	}
	c.send("MULTI", "SET k w", "EXEC")
	for range 3 {
		c.reply()
	}
	if got := s.usage.sum().Commands; got != 6 {
		t.Errorf("%d commands were counted, want 6", got)
	}
}
