package command

// CLIENT CACHING, GETNAME, GETREDIR, ID, INFO, KILL, LIST, NO-EVICT, NO-TOUCH, REPLY, SETINFO, SETNAME, TRACKING,
// TRACKINGINFO, UNBLOCK, HELP.
//
// The engine knows no connections: these commands check their arguments as Redis
// does and answer for a client of which nothing is known. A server of connections answers them itself.

func clientCommand() *Command {
	const group, f = "connection", Session | NoScript
	return &Command{Name: "client", Arity: -2, Flags: f, Group: group, Since: "2.4.0", Summary: "Looks at and names connections.",
		Subcommands: Subcommands(
			&Command{Name: "getname", Arity: 2, Flags: f, Group: group, Since: "2.6.9", Summary: "Returns the connection's name.", Run: clientGetName},
			&Command{Name: "id", Arity: 2, Flags: f, Group: group, Since: "5.0.0", Summary: "Returns the connection's number.", Run: clientID},
			&Command{Name: "info", Arity: 2, Flags: f, Tips: "nondeterministic_output", Group: group, Since: "6.2.0", Summary: "Describes the connection.", Run: clientInfo},
			&Command{Name: "list", Arity: -2, Flags: f | Admin, Tips: "nondeterministic_output", Group: group, Since: "2.4.0", Summary: "Describes all connections.", Run: clientList},
			&Command{Name: "no-evict", Arity: 3, Flags: f | Admin, Group: group, Since: "7.0.0", Summary: "Accepted without effect: connections are not evicted.", Run: clientSwitch},
			&Command{Name: "no-touch", Arity: 3, Flags: f, Group: group, Since: "7.2.0", Summary: "Accepted without effect: accesses are not recorded.", Run: clientSwitch},
			&Command{Name: "setinfo", Arity: 4, Flags: f, Group: group, Since: "7.2.0", Summary: "Says which library the connection uses.", Run: clientSetInfo},
			&Command{Name: "kill", Arity: -3, Flags: f | Admin, Group: group, Since: "2.4.0", Summary: "Closes connections."},
			&Command{Name: "pause", Arity: -3, Flags: f | Admin, Group: group, Since: "2.9.50", Summary: "Holds up the commands of all connections."},
			&Command{Name: "unpause", Arity: 2, Flags: f | Admin, Group: group, Since: "6.2.0", Summary: "Ends what CLIENT PAUSE has begun."},
			&Command{Name: "unblock", Arity: -3, Flags: f | Admin, Group: group, Since: "5.0.0", Summary: "Ends the wait of a blocked connection."},
			&Command{Name: "reply", Arity: 3, Flags: f, Group: group, Since: "3.2.0", Summary: "Says whether commands are answered."},
			&Command{Name: "tracking", Arity: -3, Flags: f, Group: group, Since: "6.0.0", Summary: "Refused: clients are not told of changes."},
			&Command{Name: "trackinginfo", Arity: 2, Flags: f, Group: group, Since: "6.2.0", Summary: "Says that tracking is off."},
			&Command{Name: "caching", Arity: 3, Flags: f, Group: group, Since: "6.0.0", Summary: "Refused: tracking is off."},
			&Command{Name: "getredir", Arity: 2, Flags: f, Group: group, Since: "6.0.0", Summary: "Returns -1: tracking is off."},
			&Command{Name: "setname", Arity: 3, Flags: f, Group: group, Since: "2.6.9", Summary: "Names the connection.", Run: clientSetName},
			Help(group, "5.0.0",
				"GETNAME", "    Name of the connection.",
				"ID", "    Number of the connection.",
				"INFO", "    Description of the connection.",
				"KILL (<ip:port>|<option> <value> [<option> <value> ...])", "    Close connections of the database in this process. Options:",
				"    * ADDR (<ip:port>)", "    * ID <client-id>", "    * USER <username>", "    * TYPE (NORMAL|PUBSUB)", "    * SKIPME (YES|NO)",
				"LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [<client-id> ...]]", "    Description of connections.",
				"NO-EVICT (ON|OFF)", "    Accepted without effect.",
				"NO-TOUCH (ON|OFF)", "    Accepted without effect.",
				"REPLY (ON|OFF|SKIP)", "    Whether commands are answered.",
				"SETINFO (LIB-NAME|LIB-VER) <value>", "    Say which library the connection uses.",
				"SETNAME <name>", "    Name the connection.",
				"UNBLOCK <clientid> [TIMEOUT|ERROR]", "    End the wait of a blocked connection."),
		)}
}

// theClient describes the one client that a command knows of: its own.
const theClient = "id=1 addr=0.0.0.0:0 laddr=0.0.0.0:0 fd=0 name= db=0 sub=0 psub=0 ssub=0 multi=-1 resp=2 user=default lib-name= lib-ver=\n"

// CLIENT GETNAME
func clientGetName(c *Call) error {
	c.W.Null()
	return nil
}

// CLIENT ID
func clientID(c *Call) error {
	c.W.Int(1)
	return nil
}

// CLIENT INFO
func clientInfo(c *Call) error {
	c.W.Verbatim(theClient)
	return nil
}

// CLIENT LIST [TYPE (NORMAL | MASTER | REPLICA | PUBSUB)] [ID client-id [client-id ...]]
func clientList(c *Call) error {
	listed := true
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 4 && c.Is(2, "type"):
		switch {
		case c.Is(3, "normal"):
		case c.Is(3, "master"), c.Is(3, "replica"), c.Is(3, "slave"), c.Is(3, "pubsub"):
			listed = false
		default:
			return Error("ERR Unknown client type '" + c.Args[3] + "'")
		}
	case len(c.Args) > 3 && c.Is(2, "id"):
		listed = false
		for i := 3; i < len(c.Args); i++ {
			id, err := c.Int(i)
			if err != nil {
				return Error("ERR Invalid client ID")
			}
			listed = listed || id == 1
		}
	default:
		return ErrSyntax
	}
	if listed {
		c.W.Verbatim(theClient)
	} else {
		c.W.Verbatim("")
	}
	return nil
}

// CLIENT NO-EVICT (ON | OFF)
// CLIENT NO-TOUCH (ON | OFF)
func clientSwitch(c *Call) error {
	if !c.Is(2, "on") && !c.Is(2, "off") {
		return ErrSyntax
	}
	c.W.OK()
	return nil
}

// CLIENT SETINFO (LIB-NAME libname | LIB-VER libver)
func clientSetInfo(c *Call) error {
	var name string
	switch {
	case c.Is(2, "lib-name"):
		name = "lib-name"
	case c.Is(2, "lib-ver"):
		name = "lib-ver"
	default:
		return Error("ERR Unrecognized option '" + c.Args[2] + "'")
	}
	if !printable(c.Args[3]) {
		return Error("ERR " + name + " cannot contain spaces, newlines or special characters.")
	}
	c.W.OK()
	return nil
}

// CLIENT SETNAME connection-name
func clientSetName(c *Call) error {
	if !printable(c.Args[2]) {
		return Error("ERR Client names cannot contain spaces, newlines or special characters.")
	}
	c.W.OK()
	return nil
}

// printable reports whether a text may be shown in a client list.
func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}
