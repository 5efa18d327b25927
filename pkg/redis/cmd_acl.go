package redis

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/internal/num"
)

// ACL CAT, DELUSER, DRYRUN, GENPASS, GENTOKEN, GETUSER, HELP, LIST, LOAD, LOG, RESTTOKEN, SAVE, SETUSER, USERS, WHOAMI.

func (e *Engine) aclCommands() []*command {
	const group = "server"
	sub := func(name string, arity int, summary string, run func(c *call) error) *command {
		return &command{name: name, arity: arity, flags: admin | noscript, group: group, since: "6.0.0", summary: summary, run: run}
	}
	return []*command{{name: "acl", arity: -2, group: group, since: "6.0.0", summary: "Says who may do what.", subs: subcommands(
		&command{name: "cat", arity: -2, flags: noscript, group: group, since: "6.0.0", summary: "Lists the categories, or the commands of one.", run: e.aclCat},
		&command{name: "whoami", arity: 2, flags: noscript, group: group, since: "6.0.0", summary: "Returns the caller's user.", run: aclWhoami},
		&command{name: "genpass", arity: -2, flags: noscript, group: group, since: "6.0.0", summary: "Returns a random password.", run: aclGenpass},
		sub("gentoken", -3, "Makes a token for a user, which does not change the user.", aclGentoken),
		sub("resttoken", 4, "Returns the token with which a user may use the REST API.", e.aclResttoken),
		sub("setuser", -3, "Makes a user, or changes one.", e.aclSetuser),
		sub("getuser", 3, "Returns a user's rules.", e.aclGetuser),
		sub("deluser", -3, "Deletes users.", e.aclDeluser),
		sub("list", 2, "Lists the users with their rules.", e.aclList),
		sub("users", 2, "Lists the users' names.", e.aclUsers),
		sub("dryrun", -4, "Tells whether a user may run a command.", e.aclDryrun),
		sub("log", -2, "Returns nothing: refusals are not logged.", aclLog),
		sub("load", 2, "Accepted without effect: users are stored at once.", aclOK),
		sub("save", 2, "Accepted without effect: users are stored at once.", aclOK),
		helpCommand(group, "6.0.0",
			"CAT [<category>]", "    Categories, or the commands of one.",
			"DELUSER <username> [<username> ...]", "    Delete users.",
			"DRYRUN <username> <command> [<arg> ...]", "    Whether a user may run a command.",
			"GENPASS [<bits>]", "    A random password of 256 bits, or of <bits>.",
			"GENTOKEN <username> [<password>]", "    A token that holds a password, a random one by default.",
			"GETUSER <username>", "    A user's rules.",
			"LIST", "    Users with their rules.",
			"LOAD", "    Accepted without effect.",
			"LOG [<count>|RESET]", "    Nothing.",
			"RESTTOKEN <username> <password or token>", "    The token for the REST API.",
			"SAVE", "    Accepted without effect.",
			"SETUSER <username> <rule> [<rule> ...]", "    Make or change a user.",
			"USERS", "    Names of the users.",
			"WHOAMI", "    The caller's user."),
	)}}
}

// ACL CAT [category]
func (e *Engine) aclCat(c *call) error {
	switch len(c.args) {
	case 2:
		c.w.Array(len(aclCategories))
		for _, name := range aclCategories {
			c.w.Simple(name[1:])
		}
		return nil
	case 3:
	default:
		return errSubArgs(c.args[0], c.args[1])
	}
	category := "@" + strings.ToLower(c.args[2])
	if !slices.Contains(aclCategories, category) {
		return Error(fmt.Sprintf("ERR Unknown category '%.128s'", c.args[2]))
	}
	var names []string
	e.commands.each(func(full string, cmd *command) {
		if slices.Contains(cmd.categories(), category) {
			names = append(names, full)
		}
	})
	slices.Sort(names)
	c.w.Strings(names)
	return nil
}

// ACL WHOAMI
func aclWhoami(c *call) error {
	if c.access.User == "" {
		c.w.Bulk(defaultUser)
	} else {
		c.w.Bulk(c.access.User)
	}
	return nil
}

// ACL GENPASS [bits]
func aclGenpass(c *call) error {
	bits := int64(256)
	if len(c.args) > 2 {
		n, ok := num.ParseInt(c.args[2])
		if len(c.args) > 3 || !ok || n < 1 || n > 4096 {
			return Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		}
		bits = n
	}
	b := make([]byte, (bits+7)/8)
	rand.Read(b) // never fails
	c.w.Bulk(hex.EncodeToString(b)[:(bits+3)/4])
	return nil
}

// checkUserName refuses what cannot be a user's name.
func checkUserName(name string) error {
	if name == "" || len(name) > maxUserName || strings.ContainsAny(name, " \t\r\n\x00") {
		return Error("ERR Usernames can't contain spaces or null characters")
	}
	return nil
}

// ACL GENTOKEN username [password]
func aclGentoken(c *call) error {
	if len(c.args) > 4 {
		return errSubArgs(c.args[0], c.args[1])
	}
	if err := checkUserName(c.args[2]); err != nil {
		return err
	}
	password := newPassword()
	if len(c.args) == 4 {
		var err error
		if password, err = givenPassword(c.args[3]); err != nil {
			return Error("ERR " + err.Error())
		}
	}
	c.w.Bulk(userToken(c.tx.Database().ID, c.args[2], password))
	return nil
}

// ACL RESTTOKEN username password
func (e *Engine) aclResttoken(c *call) error {
	name, password := c.args[2], c.args[3]
	if _, of, inside, ok := splitUserToken(password); ok && of == name {
		password = inside
	}
	u, err := e.readUser(c.tx.Context(), c.tx.Database().ID, name)
	if err != nil {
		return err
	}
	_, alive, err := e.accessOfUser(c.tx.Context(), c.tx.Database(), name, u)
	if err != nil {
		return err
	}
	if !alive || !u.opens(password) {
		return Error(fmt.Sprintf("ERR Wrong password or user \"%.256s\" does not exist", name))
	}
	c.w.Bulk(userToken(c.tx.Database().ID, name, password))
	return nil
}

// changesUsers refuses to be one of several commands, with which it would not be atomic.
func changesUsers(c *call) error {
	if c.multi {
		return Error("ERR ACL " + strings.ToUpper(c.cmd.name) + " is not allowed in transactions")
	}
	return nil
}

// ACL SETUSER username [rule [rule ...]]
func (e *Engine) aclSetuser(c *call) error {
	if err := changesUsers(c); err != nil {
		return err
	}
	if err := checkUserName(c.args[2]); err != nil {
		return err
	}
	if c.args[2] == defaultUser {
		return Error("ERR The 'default' user cannot be changed")
	}
	if err := e.setUser(c.tx.Context(), c.tx.Database(), c.access, c.args[2], c.args[3:]); err != nil {
		return err
	}
	c.w.OK()
	return nil
}

// ACL DELUSER username [username ...]
func (e *Engine) aclDeluser(c *call) error {
	if err := changesUsers(c); err != nil {
		return err
	}
	if slices.Contains(c.args[2:], defaultUser) {
		return Error("ERR The 'default' user cannot be removed")
	}
	n := int64(0)
	for _, name := range c.args[2:] {
		was, err := e.deleteUser(c.tx.Context(), c.tx.Database(), c.access, name)
		if err != nil {
			return err
		}
		if was {
			n++
		}
	}
	c.w.Int(n)
	return nil
}

// defaultRules are those of the default user, for show.
func defaultRules() *Rules {
	return &Rules{enabled: true, keys: []keyRule{{"*", true, true}}, channels: []string{"*"}, words: []string{"+@all"}}
}

// ACL GETUSER username
func (e *Engine) aclGetuser(c *call) error {
	r := defaultRules()
	if c.args[2] != defaultUser {
		u, err := e.readUser(c.tx.Context(), c.tx.Database().ID, c.args[2])
		if err != nil {
			return err
		}
		_, alive, err := e.accessOfUser(c.tx.Context(), c.tx.Database(), c.args[2], u)
		if err != nil {
			return err
		}
		if !alive {
			c.w.Null()
			return nil
		}
		r = u.rules
	}
	flag := "off"
	if r.enabled {
		flag = "on"
	}
	var keys, channels []string
	for _, k := range r.keys {
		keys = append(keys, k.String())
	}
	for _, ch := range r.channels {
		channels = append(channels, "&"+ch)
	}
	c.w.Map(5)
	c.w.Bulk("flags")
	c.w.Strings([]string{flag})
	c.w.Bulk("passwords")
	c.w.Strings(r.passwords)
	for _, kv := range [][2]string{{"commands", strings.Join(r.words, " ")}, {"keys", strings.Join(keys, " ")}, {"channels", strings.Join(channels, " ")}} {
		c.w.Bulk(kv[0])
		c.w.Bulk(kv[1])
	}
	return nil
}

// allUsers are the users with the default one.
func (e *Engine) allUsers(c *call) ([]namedUser, error) {
	list, err := e.listUsers(c.tx.Context(), c.tx.Database())
	return append([]namedUser{{name: defaultUser, user: user{rules: defaultRules()}}}, list...), err
}

// ACL LIST
func (e *Engine) aclList(c *call) error {
	list, err := e.allUsers(c)
	if err != nil {
		return err
	}
	c.w.Array(len(list))
	for _, u := range list {
		c.w.Bulk("user " + u.name + " " + strings.Join(u.rules.text(), " "))
	}
	return nil
}

// ACL USERS
func (e *Engine) aclUsers(c *call) error {
	list, err := e.allUsers(c)
	if err != nil {
		return err
	}
	c.w.Array(len(list))
	for _, u := range list {
		c.w.Bulk(u.name)
	}
	return nil
}

// ACL DRYRUN username command [arg [arg ...]]
func (e *Engine) aclDryrun(c *call) error {
	name, args := c.args[2], c.args[3:]
	access := Access{}
	if name != defaultUser {
		u, err := e.readUser(c.tx.Context(), c.tx.Database().ID, name)
		if err != nil {
			return err
		}
		alive := false
		if access, alive, err = e.accessOfUser(c.tx.Context(), c.tx.Database(), name, u); err != nil {
			return err
		}
		if !alive {
			return Error(fmt.Sprintf("ERR User '%.256s' not found", name))
		}
	}
	cmd, err := e.commands.find(args)
	if err != nil {
		if e.commands.lookup(args[0]) == nil {
			return Error(fmt.Sprintf("ERR Command '%.128s' not found", args[0]))
		}
		return err
	}
	keys := cmd.keysOf(args)
	switch access.check(cmd, args, keys) {
	case nil:
		c.w.OK()
	case errNoPermKey:
		c.w.Bulk(fmt.Sprintf("User %s has no permissions to access the '%s' key", name, access.deniedKey(cmd, args, keys)))
	case errNoPermChannel:
		c.w.Bulk(fmt.Sprintf("User %s has no permissions to access the '%s' channel", name, args[1]))
	default:
		c.w.Bulk(fmt.Sprintf("User %s has no permissions to run the '%s' command", name, cmd.fullName(args)))
	}
	return nil
}

// ACL LOG [count | RESET]
func aclLog(c *call) error {
	switch {
	case len(c.args) == 2:
	case len(c.args) == 3 && c.is(2, "reset"):
		c.w.OK()
		return nil
	case len(c.args) > 3:
		return errSubArgs(c.args[0], c.args[1])
	default:
		if n, err := c.int(2); err != nil || n < 0 {
			return errNotInteger
		}
	}
	c.w.Array(0)
	return nil
}

// ACL LOAD, ACL SAVE
func aclOK(c *call) error {
	c.w.OK()
	return nil
}
