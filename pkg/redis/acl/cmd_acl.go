package acl

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/skystash/skystash/pkg/redis/command"
	"github.com/skystash/skystash/pkg/redis/internal/num"
	"github.com/skystash/skystash/pkg/redis/resp"
)

// ACL CAT, DELUSER, DRYRUN, GENPASS, GENTOKEN, GETUSER, HELP, LIST, LOAD, LOG, RESTTOKEN, SAVE, SETUSER, USERS, WHOAMI.

// Commands are the commands about users, for the table.
func (us *Users) Commands() []*command.Command {
	const group = "server"
	sub := func(name string, arity int, summary string, run func(c *command.Call) error) *command.Command {
		return &command.Command{Name: name, Arity: arity, Flags: command.Admin | command.NoScript, Group: group, Since: "6.0.0", Summary: summary, Run: run}
	}
	return []*command.Command{{Name: "acl", Arity: -2, Group: group, Since: "6.0.0", Summary: "Says who may do what.", Subcommands: command.Subcommands(
		&command.Command{Name: "cat", Arity: -2, Flags: command.NoScript, Group: group, Since: "6.0.0", Summary: "Lists the categories, or the commands of one.", Run: us.aclCat},
		&command.Command{Name: "whoami", Arity: 2, Flags: command.NoScript, Group: group, Since: "6.0.0", Summary: "Returns the caller's user.", Run: aclWhoami},
		&command.Command{Name: "genpass", Arity: -2, Flags: command.NoScript, Group: group, Since: "6.0.0", Summary: "Returns a random password.", Run: aclGenpass},
		sub("gentoken", -3, "Makes a token for a user, which does not change the user.", aclGentoken),
		sub("resttoken", 4, "Returns the token with which a user may use the REST API.", us.aclResttoken),
		sub("setuser", -3, "Makes a user, or changes one.", us.aclSetuser),
		sub("getuser", 3, "Returns a user's rules.", us.aclGetuser),
		sub("deluser", -3, "Deletes users.", us.aclDeluser),
		sub("list", 2, "Lists the users with their rules.", us.aclList),
		sub("users", 2, "Lists the users' names.", us.aclUsers),
		&command.Command{Name: "dryrun", Arity: -4, Flags: command.Admin | command.NoScript, Group: group, Since: "7.0.0", Summary: "Tells whether a user may run a command.", Run: us.aclDryrun},
		sub("log", -2, "Returns nothing: refusals are not logged.", aclLog),
		sub("load", 2, "Accepted without effect: users are stored at once.", aclOK),
		sub("save", 2, "Accepted without effect: users are stored at once.", aclOK),
		command.Help(group, "6.0.0",
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
func (us *Users) aclCat(c *command.Call) error {
	switch len(c.Args) {
	case 2:
		c.W.Array(len(command.Categories))
		for _, name := range command.Categories {
			c.W.Simple(name[1:])
		}
		return nil
	case 3:
	default:
		return command.ErrSubArgs(c.Args[0], c.Args[1])
	}
	category := "@" + strings.ToLower(c.Args[2])
	if !slices.Contains(command.Categories, category) {
		return resp.Error(fmt.Sprintf("ERR Unknown category '%.128s'", c.Args[2]))
	}
	var names []string
	us.commands.Each(func(full string, cmd *command.Command) {
		if slices.Contains(cmd.Categories(), category) {
			names = append(names, full)
		}
	})
	slices.Sort(names)
	c.W.Strings(names)
	return nil
}

// ACL WHOAMI
func aclWhoami(c *command.Call) error {
	if c.Access.User == "" {
		c.W.Bulk(defaultUser)
	} else {
		c.W.Bulk(c.Access.User)
	}
	return nil
}

// ACL GENPASS [bits]
func aclGenpass(c *command.Call) error {
	bits := int64(256)
	if len(c.Args) > 2 {
		n, ok := num.ParseInt(c.Args[2])
		if len(c.Args) > 3 || !ok || n < 1 || n > 4096 {
			return resp.Error("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096")
		}
		bits = n
	}
	b := make([]byte, (bits+7)/8)
	rand.Read(b) // never fails
	c.W.Bulk(hex.EncodeToString(b)[:(bits+3)/4])
	return nil
}

// checkUserName refuses what cannot be a user's name.
func checkUserName(name string) error {
	if name == "" || len(name) > maxUserName || strings.ContainsAny(name, " \t\r\n\x00") {
		return resp.Error("ERR Usernames can't contain spaces or null characters")
	}
	return nil
}

// ACL GENTOKEN username [password]
func aclGentoken(c *command.Call) error {
	if len(c.Args) > 4 {
		return command.ErrSubArgs(c.Args[0], c.Args[1])
	}
	if err := checkUserName(c.Args[2]); err != nil {
		return err
	}
	password := command.NewPassword()
	if len(c.Args) == 4 {
		var err error
		if password, err = command.GivenPassword(c.Args[3]); err != nil {
			return resp.Error("ERR " + err.Error())
		}
	}
	c.W.Bulk(command.UserToken(c.Txn.Database().ID, c.Args[2], password))
	return nil
}

// ACL RESTTOKEN username password
func (us *Users) aclResttoken(c *command.Call) error {
	name, password := c.Args[2], c.Args[3]
	if _, of, inside, ok := command.SplitUserToken(password); ok && of == name {
		password = inside
	}
	u, err := us.readUser(c.Txn.Context(), c.Txn.Database().ID, name)
	if err != nil {
		return err
	}
	_, alive, err := us.accessOfUser(c.Txn.Context(), c.Txn.Database(), name, u)
	if err != nil {
		return err
	}
	if !alive || !u.opens(password) {
		return resp.Error(fmt.Sprintf("ERR Wrong password or user \"%.256s\" does not exist", name))
	}
	c.W.Bulk(command.UserToken(c.Txn.Database().ID, name, password))
	return nil
}

// changesUsers refuses to be one of several commands, with which it would not be atomic.
func changesUsers(c *command.Call) error {
	if c.Multi {
		return resp.Error("ERR ACL " + strings.ToUpper(c.Command.Name) + " is not allowed in transactions")
	}
	return nil
}

// ACL SETUSER username [rule [rule ...]]
func (us *Users) aclSetuser(c *command.Call) error {
	if err := changesUsers(c); err != nil {
		return err
	}
	if err := checkUserName(c.Args[2]); err != nil {
		return err
	}
	if c.Args[2] == defaultUser {
		return resp.Error("ERR The 'default' user cannot be changed")
	}
	if err := us.setUser(c.Txn.Context(), c.Txn.Database(), c.Access, c.Args[2], c.Args[3:]); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

// ACL DELUSER username [username ...]
func (us *Users) aclDeluser(c *command.Call) error {
	if err := changesUsers(c); err != nil {
		return err
	}
	if slices.Contains(c.Args[2:], defaultUser) {
		return resp.Error("ERR The 'default' user cannot be removed")
	}
	n := int64(0)
	for _, name := range c.Args[2:] {
		was, err := us.deleteUser(c.Txn.Context(), c.Txn.Database(), c.Access, name)
		if err != nil {
			return err
		}
		if was {
			n++
		}
	}
	c.W.Int(n)
	return nil
}

// defaultRules are those of the default user, for show.
func defaultRules() *command.Rules {
	return &command.Rules{Enabled: true, Keys: []command.KeyRule{{Pattern: "*", Read: true, Write: true}}, Channels: []string{"*"}, Words: []string{"+@all"}}
}

// ACL GETUSER username
func (us *Users) aclGetuser(c *command.Call) error {
	r := defaultRules()
	if c.Args[2] != defaultUser {
		u, err := us.readUser(c.Txn.Context(), c.Txn.Database().ID, c.Args[2])
		if err != nil {
			return err
		}
		_, alive, err := us.accessOfUser(c.Txn.Context(), c.Txn.Database(), c.Args[2], u)
		if err != nil {
			return err
		}
		if !alive {
			c.W.Null()
			return nil
		}
		r = rulesFor(c, u)
	}
	flag := "off"
	if r.Enabled {
		flag = "on"
	}
	var keys, channels []string
	for _, k := range r.Keys {
		keys = append(keys, k.String())
	}
	for _, ch := range r.Channels {
		channels = append(channels, "&"+ch)
	}
	c.W.Map(5)
	c.W.Bulk("flags")
	c.W.Strings([]string{flag})
	c.W.Bulk("passwords")
	c.W.Strings(r.Passwords)
	for _, kv := range [][2]string{{"commands", strings.Join(r.Words, " ")}, {"keys", strings.Join(keys, " ")}, {"channels", strings.Join(channels, " ")}} {
		c.W.Bulk(kv[0])
		c.W.Bulk(kv[1])
	}
	return nil
}

// rulesFor are a user's rules as the caller may see them. A caller with bounds sees the hashes of passwords of those users
// alone that it has made: who guesses another one's password has more than its own rights.
func rulesFor(c *command.Call, u user) *command.Rules {
	if c.Access.Rules == nil || u.maker.Same(makerOf(c.Access, c.Txn.Database())) {
		return u.rules
	}
	r := *u.rules
	r.Passwords = nil
	return &r
}

// allUsers are the users with the default one.
func (us *Users) allUsers(c *command.Call) ([]namedUser, error) {
	list, err := us.listUsers(c.Txn.Context(), c.Txn.Database())
	return append([]namedUser{{name: defaultUser, user: user{rules: defaultRules()}}}, list...), err
}

// ACL LIST
func (us *Users) aclList(c *command.Call) error {
	list, err := us.allUsers(c)
	if err != nil {
		return err
	}
	c.W.Array(len(list))
	for _, u := range list {
		c.W.Bulk("user " + u.name + " " + strings.Join(rulesFor(c, u.user).Text(), " "))
	}
	return nil
}

// ACL USERS
func (us *Users) aclUsers(c *command.Call) error {
	list, err := us.allUsers(c)
	if err != nil {
		return err
	}
	c.W.Array(len(list))
	for _, u := range list {
		c.W.Bulk(u.name)
	}
	return nil
}

// ACL DRYRUN username command [arg [arg ...]]
func (us *Users) aclDryrun(c *command.Call) error {
	name, args := c.Args[2], c.Args[3:]
	access := command.Access{}
	if name != defaultUser {
		u, err := us.readUser(c.Txn.Context(), c.Txn.Database().ID, name)
		if err != nil {
			return err
		}
		alive := false
		if access, alive, err = us.accessOfUser(c.Txn.Context(), c.Txn.Database(), name, u); err != nil {
			return err
		}
		if !alive {
			return resp.Error(fmt.Sprintf("ERR User '%.256s' not found", name))
		}
	}
	cmd, err := us.commands.Find(args)
	if err != nil {
		if us.commands.Lookup(args[0]) == nil {
			return resp.Error(fmt.Sprintf("ERR Command '%.128s' not found", args[0]))
		}
		return err
	}
	keys := cmd.KeysOf(args)
	work, err := access.Check(cmd, args, keys)
	if err := c.Txn.Spend(work); err != nil {
		return err
	}
	switch err {
	case nil:
		c.W.OK()
	case command.ErrNoPermKey:
		c.W.Bulk(fmt.Sprintf("User %s has no permissions to access the '%s' key", name, access.DeniedKey(cmd, args, keys)))
	case command.ErrNoPermChannel:
		c.W.Bulk(fmt.Sprintf("User %s has no permissions to access the '%s' channel", name, args[1]))
	default:
		c.W.Bulk(fmt.Sprintf("User %s has no permissions to run the '%s' command", name, cmd.FullName(args)))
	}
	return nil
}

// ACL LOG [count | RESET]
func aclLog(c *command.Call) error {
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 3 && c.Is(2, "reset"):
		c.W.OK()
		return nil
	case len(c.Args) > 3:
		return command.ErrSubArgs(c.Args[0], c.Args[1])
	default:
		if n, err := c.Int(2); err != nil || n < 0 {
			return command.ErrNotInteger
		}
	}
	c.W.Array(0)
	return nil
}

// ACL LOAD, ACL SAVE
func aclOK(c *command.Call) error {
	c.W.OK()
	return nil
}
