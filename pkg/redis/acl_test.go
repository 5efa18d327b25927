package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/skystash/skystash/pkg/redis"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/resp"
)

const password = "correct-horse-battery"

// addUser makes a user and returns what it may do, as found out by its token.
func addUser(t *testing.T, d *testDB, name string, rules ...string) (token string, a redis.Access) {
	t.Helper()
	if got := d.do(append([]string{"ACL", "SETUSER", name, "on", ">" + password}, rules...)...); got != "OK" {
		t.Fatalf("ACL SETUSER: %s", got)
	}
	token = strings.Trim(d.do("ACL", "RESTTOKEN", name, password), `"`)
	db, a, err := d.e.Authenticate(t.Context(), token)
	if err != nil || db.ID != d.id {
		t.Fatalf("%v, %v", db, err)
	}
	return token, a
}

func (d *testDB) doAs(a redis.Access, line string) string {
	d.t.Helper()
	var w resp.Writer
	if err := d.e.Do(d.t.Context(), d.database(), a, strings.Fields(line), &w); err != nil {
		d.t.Fatalf("%s: %v", line, err)
	}
	return render(d.t, w.Buf)
}

func TestRulesAreEnforced(t *testing.T) {
	const (
		key     = "(error) NOPERM No permissions to access a key"
		channel = "(error) NOPERM No permissions to access a channel"
	)
	command := func(name string) string {
		return "(error) NOPERM this user has no permissions to run the '" + name + "' command or its subcommand"
	}
	for _, tt := range []struct {
		rules string
		lines [][2]string
	}{
		{"", [][2]string{{"get k", command("get")}, {"ping", command("ping")}, {"acl whoami", command("acl|whoami")}}},
		{"+@all ~*", [][2]string{{"set k v", "OK"}, {"acl whoami", `"u"`}, {"publish c m", channel}}},
		{"+@all -@write -get ~*", [][2]string{{"set k v", command("set")}, {"get k", command("get")}, {"strlen k", "(integer) 0"}, {"flushdb", command("flushdb")}}},
		{"+@read +@string -@dangerous ~*", [][2]string{{"set k v", "OK"}, {"lpush l a", command("lpush")}, {"lrange l 0 -1", "[]"}, {"keys *", command("keys")}}},
		{"+config ~*", [][2]string{{"config get x", "[]"}, {"get k", command("get")}, {"config resetstat", "OK"}}},
		{"+@all ~app:* ~x?", [][2]string{
			{"set app:1 v", "OK"}, {"set other v", key}, {"mget app:1 x1", `["v" (nil)]`}, {"mget app:1 other", key}, {"del app:1 other", key},
			{"rename app:1 other", key}, {"sort xl by w_*", key}, {"sort xl by nosort get #", key}, {"sort xl", "[]"},
		}},
		{"+@all %R~r* %W~w* %RW~both", [][2]string{
			{"get r", "(nil)"}, {"set r v", key}, {"set w v", "OK"}, {"get w", key}, {"set w v get", key}, {"incr w", key}, {"set both 1", "OK"}, {"incr both", "(integer) 2"},
			{"copy r w", "(integer) 0"}, {"copy w r", key}, {"sunionstore w2 r1 r2", "(integer) 0"}, {"sunionstore r w", key}, {"sunionstore w r w", key},
			{"rename both w", "OK"}, {"rename w both", key}, {"lmove both w left left", "(nil)"}, {"lmove r w left left", key}, {"lpush w3 a", "(integer) 1"}, {"lpop w3", key},
			{"sort r store w9", "(integer) 0"}, {"sort r store r9", key}, {"pfmerge both r3", "OK"}, {"pfmerge w5 r3", key},
		}},
		{"+publish &news:*", [][2]string{{"publish news:1 m", "(integer) 0"}, {"publish other m", channel}}},
		{"+@all ~* &* -acl", [][2]string{{"acl setuser u +@all", command("acl|setuser")}, {"publish any m", "(integer) 0"}}},
	} {
		d := newTestEngine(t)
		_, a := addUser(t, d, "u", strings.Fields(tt.rules)...)
		for _, l := range tt.lines {
			if got := d.doAs(a, l[0]); got != l[1] {
				t.Errorf("rules %q: %s: %s, want %s", tt.rules, l[0], got, l[1])
			}
		}
	}
}

func TestRulesHoldInTransactions(t *testing.T) {
	d := newTestEngine(t)
	_, a := addUser(t, d, "u", "+set", "~mine:*")
	var w resp.Writer
	err := d.e.Multi(t.Context(), d.database(), a, [][]string{{"SET", "mine:1", "v"}, {"SET", "theirs", "v"}}, &w)
	if err == nil || err.Error() != "NOPERM No permissions to access a key" {
		t.Errorf("got %v", err)
	}
	d.check([2]string{"exists mine:1", "(integer) 0"})
	w.Reset()
	d.e.Pipeline(t.Context(), d.database(), a, [][]string{{"SET", "mine:1", "v"}, {"SET", "theirs", "v"}, {"GET", "mine:1"}}, &w)
	if got := string(w.Buf); !strings.HasPrefix(got, "+OK\r\n-NOPERM No permissions to access a key\r\n-NOPERM this user") {
		t.Errorf("got %q", got)
	}
	if _, err := d.multi("acl setuser x on", "ping"); err != nil {
		t.Error(err)
	}
	d.check([2]string{"acl getuser x", "(nil)"})
}

func TestRulesHoldInScripts(t *testing.T) {
	d := newTestEngine(t)
	_, a := addUser(t, d, "u", "+eval", "+eval_ro", "+get", "+set", "+publish", "~mine:*", "&mine")
	for _, tt := range []struct{ script, want string }{
		{`return redis.call('set', KEYS[1], 'v')`, "OK"},
		{`return redis.call('get', KEYS[1])`, `"v"`},
		{`return redis.pcall('get', 'theirs').err`, "key"},
		{`return redis.pcall('del', KEYS[1]).err`, "run the 'del' command"},
		{`return redis.pcall('publish', 'theirs', 'm').err`, "channel"},
		{`return redis.call('publish', 'mine', 'm')`, "(integer) 0"},
	} {
		var w resp.Writer
		if err := d.e.Do(t.Context(), d.database(), a, []string{"EVAL", tt.script, "1", "mine:k"}, &w); err != nil {
			t.Fatal(err)
		}
		if got := render(t, w.Buf); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s, want %s", tt.script, got, tt.want)
		}
	}
	var w resp.Writer
	if err := d.e.Do(t.Context(), d.database(), a, []string{"EVAL", "return 1", "1", "theirs"}, &w); err != nil || render(t, w.Buf) != "(error) NOPERM No permissions to access a key" {
		t.Errorf("%q, %v", w.Buf, err)
	}
}

func TestRulesForSubscriptions(t *testing.T) {
	d := newTestEngine(t)
	_, a := addUser(t, d, "u", "+@pubsub", "&news:*", "&exact")
	for _, tt := range []struct {
		channels, patterns []string
		want               string
	}{
		{[]string{"news:1", "exact"}, nil, ""},
		{[]string{"news:1", "other"}, nil, "NOPERM No permissions to access a channel"},
		{nil, []string{"news:*"}, ""},
		{nil, []string{"news:a*"}, "NOPERM No permissions to access a channel"},
		{nil, []string{"*"}, "NOPERM No permissions to access a channel"},
	} {
		s, err := d.e.Subscribe(t.Context(), d.database(), a, tt.channels, tt.patterns)
		if err == nil {
			s.Close()
		}
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%q %q: %v, want %q", tt.channels, tt.patterns, err, tt.want)
		}
	}
	if _, err := d.e.Monitor(t.Context(), d.database(), a); err == nil {
		t.Error("MONITOR is allowed")
	}
	_, silent := addUser(t, d, "v", "+@all", "-subscribe", "allchannels", "resetchannels", "allchannels")
	if _, err := d.e.Subscribe(t.Context(), d.database(), silent, []string{"c"}, nil); err == nil || !strings.Contains(err.Error(), "'subscribe'") {
		t.Errorf("got %v", err)
	}
}

func TestDryrunKnowsChannels(t *testing.T) {
	d := newTestEngine(t)
	d.check(
		[2]string{"acl setuser alice on +@all ~a* &c*", "OK"},
		[2]string{"acl dryrun alice publish c m", "OK"},
		[2]string{"acl dryrun alice publish x m", `"User alice has no permissions to access the 'x' channel"`},
	)
}

func TestUserTokens(t *testing.T) {
	d := newTestEngine(t)
	generated := strings.Trim(d.cmd("acl gentoken bob"), `"`)
	if _, _, err := d.e.Authenticate(t.Context(), generated); !errors.Is(err, redis.ErrNoUser) {
		t.Errorf("before there is a user: %v", err)
	}
	d.check([2]string{"acl setuser bob on >" + generated + " +get ~*", "OK"})
	token := strings.Trim(d.cmd("acl resttoken bob "+generated), `"`)
	_, a, err := d.e.Authenticate(t.Context(), token)
	if err != nil || d.doAs(a, "get k") != "(nil)" {
		t.Fatal(err)
	}
	if text := d.cmd("acl getuser bob"); strings.Contains(text, generated) {
		t.Error("a password is kept as it is")
	}
	for name, change := range map[string]string{
		"off": "acl setuser bob off", "other password": "acl setuser bob on resetpass", "gone": "acl deluser bob",
	} {
		d.cmd(change)
		if _, _, err := d.e.Authenticate(t.Context(), token); !errors.Is(err, redis.ErrNoUser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "acl_", "acl_!!", "acl_" + strings.Repeat("A", 5000), token[:len(token)-3], "acl_dGVzdAB1AA"} {
		if _, _, err := d.e.Authenticate(t.Context(), bad); !errors.Is(err, redis.ErrNoUser) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// Hashes of passwords are for the maker of a user, and for those who may do everything: others could guess at them.
func TestHashesOfPasswordsAreForMakers(t *testing.T) {
	d := newTestEngine(t)
	addUser(t, d, "owners", "+@all", "~*")
	_, bounded := addUser(t, d, "bounded", "+@all", "~app:*")
	if got := d.doAs(bounded, "acl setuser own on >"+password+" +get ~app:*"); got != "OK" {
		t.Fatal(got)
	}
	hash := command.HashPassword(password)
	for _, tt := range []struct {
		access redis.Access
		line   string
		times  int
	}{
		{redis.Access{}, "acl list", 3}, {redis.Access{}, "acl getuser owners", 1},
		{bounded, "acl list", 1}, {bounded, "acl getuser own", 1}, {bounded, "acl getuser owners", 0}, {bounded, "acl getuser bounded", 0},
	} {
		if got := d.doAs(tt.access, tt.line); strings.Count(got, hash) != tt.times {
			t.Errorf("%s shows %d hashes, want %d: %s", tt.line, strings.Count(got, hash), tt.times, got)
		}
	}
}
