package acl_test

import (
	"strings"
	"testing"
	"time"

	"github.com/skystash/skystash/pkg/redis/acl"
	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/command/commandtest"
	"github.com/skystash/skystash/pkg/store"
)

const password = "correct-horse-battery"

// instance is a database with its users, as one process has it.
type instance struct {
	*commandtest.DB
	t     *testing.T
	users *acl.Users
}

// instances are n processes that share a store. Each may use for an hour what it has read.
func instances(t *testing.T, n int) []*instance {
	t.Helper()
	st, clock := commandtest.Memory(t), commandtest.NewClock()
	var all []*instance
	for range n {
		all = append(all, newInstance(t, st, clock, "test"))
	}
	return all
}

func newInstance(t *testing.T, st store.Store, clock *commandtest.Clock, id string) *instance {
	t.Helper()
	in := &instance{t: t, DB: commandtest.New(t, st, clock, id)}
	in.users = acl.New(acl.Config{
		Store: st, Now: clock.Now, Retry: store.Retry{}.WithClock(clock.Now), Locks: store.NewLocks(), Commands: in.Table, MaxAge: time.Hour,
	})
	in.Table.Add(in.users.Commands())
	return in
}

// addUser makes a user with the password.
func (in *instance) addUser(name string, rules ...string) {
	in.t.Helper()
	if got := in.Do(append([]string{"ACL", "SETUSER", name, "on", ">" + password}, rules...)...); got != "OK" {
		in.t.Fatalf("ACL SETUSER: %s", got)
	}
}

// access is what a user may do who gives a password.
func (in *instance) access(name, with string) (command.Access, bool) {
	in.t.Helper()
	a, ok, err := in.users.Access(in.t.Context(), in.Database, name, with)
	if err != nil {
		in.t.Fatal(err)
	}
	return a, ok
}

func TestACLCommands(t *testing.T) {
	d := instances(t, 1)[0]
	d.Check(
		[2]string{"acl whoami", `"default"`},
		[2]string{"acl users", `["default"]`},
		[2]string{"acl list", `["user default on ~* &* +@all"]`},
		[2]string{"acl getuser nobody", "(nil)"},
		[2]string{"acl setuser alice on +@all -@write +set ~a:* %R~b:* &c", "OK"},
		[2]string{"acl setuser alice -set +@write", "OK"},
		[2]string{"acl getuser alice", `["flags" ["on"] "passwords" [] "commands" "+@all -set +@write" "keys" "~a:* %R~b:*" "channels" "&c"]`},
		[2]string{"acl users", `["default" "alice"]`},
		[2]string{"acl list", `["user default on ~* &* +@all" "user alice on ~a:* %R~b:* &c +@all -set +@write"]`},
		[2]string{"acl setuser alice reset", "OK"},
		[2]string{"acl getuser alice", `["flags" ["off"] "passwords" [] "commands" "-@all" "keys" "" "channels" ""]`},
		[2]string{"acl dryrun alice get k", `"User alice has no permissions to run the 'get' command"`},
		[2]string{"acl setuser alice +@all ~a* &c*", "OK"},
		[2]string{"acl dryrun alice get k", `"User alice has no permissions to access the 'k' key"`},
		[2]string{"acl dryrun alice get a", "OK"},
		[2]string{"acl dryrun default get k", "OK"},
		[2]string{"acl dryrun nobody get k", "(error) ERR User 'nobody' not found"},
		[2]string{"acl dryrun alice nosuch", "(error) ERR Command 'nosuch' not found"},
		[2]string{"acl deluser alice nobody", "(integer) 1"},
		[2]string{"acl users", `["default"]`},
		[2]string{"acl log", "[]"}, [2]string{"acl log 10", "[]"}, [2]string{"acl log reset", "OK"},
		[2]string{"acl load", "OK"}, [2]string{"acl save", "OK"},
		[2]string{"acl cat hyperloglog", `["pfadd" "pfcount" "pfmerge"]`},
		[2]string{"acl cat nosuch", "(error) ERR Unknown category 'nosuch'"},
		[2]string{"acl genpass 0", "(error) ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"},
		[2]string{"acl deluser default", "(error) ERR The 'default' user cannot be removed"},
		[2]string{"acl setuser default off", "(error) ERR The 'default' user cannot be changed"},
		[2]string{"acl setuser u +nosuch", "(error) ERR Error in ACL SETUSER modifier '+nosuch': Unknown command or category name in ACL"},
		[2]string{"acl setuser u +@nosuch", "(error) ERR Error in ACL SETUSER modifier '+@nosuch': Unknown command or category name in ACL"},
		[2]string{"acl setuser u +config|get", "(error) ERR Error in ACL SETUSER modifier '+config|get': rules for subcommands are not supported"},
		[2]string{"acl setuser u nopass", "(error) ERR Error in ACL SETUSER modifier 'nopass': users without a password are not supported"},
		[2]string{"acl setuser u #abc", "(error) ERR Error in ACL SETUSER modifier '#abc': hashes of passwords are not supported"},
		[2]string{"acl setuser u (+get)", "(error) ERR Error in ACL SETUSER modifier '(+get)': selectors are not supported"},
		[2]string{"acl setuser u bogus", "(error) ERR Error in ACL SETUSER modifier 'bogus': Syntax error"},
		[2]string{"acl setuser u %X~k", "(error) ERR Error in ACL SETUSER modifier '%X~k': Syntax error"},
		[2]string{"acl setuser u allkeys ~x", "(error) ERR Error in ACL SETUSER modifier '~x': Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns"},
		[2]string{"acl getuser u", "(nil)"},
		[2]string{"acl resttoken u wrong", `(error) ERR Wrong password or user "u" does not exist`},
	)
	if got := d.Line("acl setuser u >secret-weak"); strings.Contains(got, "secret") || !strings.Contains(got, "too weak") {
		t.Errorf("a weak password: %s", got)
	}
	if got := d.Line("acl genpass 5"); len(got) != 4 {
		t.Errorf("a password of 5 bits: %s", got)
	}
}

func TestAccessWantsTheUserAndThePassword(t *testing.T) {
	d := instances(t, 1)[0]
	d.addUser("u", "+get", "~*")
	a, ok := d.access("u", password)
	if !ok || a.User != "u" || d.DoAs(a, "get", "k") != "(nil)" || !strings.Contains(d.DoAs(a, "set", "k", "v"), "NOPERM") {
		t.Errorf("%+v, %v", a, ok)
	}
	for name, with := range map[string]string{"u": "another-" + password, "nobody": password, "": password} {
		if a, ok := d.access(name, with); ok || a.User != "" {
			t.Errorf("user %q, password %q: %+v", name, with, a)
		}
	}
	d.Check([2]string{"acl setuser u off", "OK"})
	if _, ok := d.access("u", password); ok {
		t.Error("a user that is switched off opens the database")
	}
}

// Users belong to one database.
func TestUsersOfOtherDatabases(t *testing.T) {
	d := instances(t, 1)[0]
	other := newInstance(t, d.Store, d.Clock, "test2")
	d.addUser("u", "+@all", "~*")
	other.Check([2]string{"acl users", `["default"]`}, [2]string{"acl getuser u", "(nil)"}, [2]string{"acl deluser u", "(integer) 0"},
		[2]string{"acl resttoken u " + password, `(error) ERR Wrong password or user "u" does not exist`})
	other.addUser("u", "+get", "~*")
	if a, ok := other.access("u", password); !ok || other.DoAs(a, "set", "k", "v") == "OK" {
		t.Errorf("%+v, %v", a, ok)
	}
	d.Check([2]string{"acl dryrun u set k v", "OK"})
}

// A change reaches other processes within Config.MaxAge.
func TestChangesOfUsersReachOtherProcesses(t *testing.T) {
	ds := instances(t, 2)
	ds[0].addUser("u", "+get", "~*")
	if a, ok := ds[1].access("u", password); !ok || ds[1].DoAs(a, "get", "k") != "(nil)" {
		t.Fatalf("%+v, %v", a, ok)
	}
	ds[0].Check([2]string{"acl setuser u -get", "OK"})
	ds[0].Clock.Advance(time.Hour)
	if a, ok := ds[1].access("u", password); !ok || !strings.Contains(ds[1].DoAs(a, "get", "k"), "NOPERM") {
		t.Errorf("%+v, %v", a, ok)
	}
}
