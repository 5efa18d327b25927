package redis

// CLIENT CACHING, GETNAME, GETREDIR, ID, INFO, KILL, LIST, NO-EVICT, NO-TOUCH, REPLY, SETINFO, SETNAME, TRACKING,
// TRACKINGINFO, UNBLOCK, HELP.
//
// The engine knows no connections: these commands check their arguments as Redis
// does and answer for a client of which nothing is known. A server of connections answers them itself.

func clientCommand() *command {
	const group, f = "connection", session | noscript
	return &command{name: "client", arity: -2, flags: f, group: group, since: "2.4.0", summary: "Looks at and names connections.",
		subs: subcommands(
			&command{name: "getname", arity: 2, flags: f, group: group, since: "2.6.9", summary: "Returns the connection's name.", run: clientGetName},
			&command{name: "id", arity: 2, flags: f, group: group, since: "5.0.0", summary: "Returns the connection's number.", run: clientID},
			&command{name: "info", arity: 2, flags: f, tips: "nondeterministic_output", group: group, since: "6.2.0", summary: "Describes the connection.", run: clientInfo},
			&command{name: "list", arity: -2, flags: f, tips: "nondeterministic_output", group: group, since: "2.4.0", summary: "Describes all connections.", run: clientList},
			&command{name: "no-evict", arity: 3, flags: f | admin, group: group, since: "7.0.0", summary: "Accepted without effect: connections are not evicted.", run: clientSwitch},
			&command{name: "no-touch", arity: 3, flags: f, group: group, since: "7.2.0", summary: "Accepted without effect: accesses are not recorded.", run: clientSwitch},
			&command{name: "setinfo", arity: 4, flags: f, group: group, since: "7.2.0", summary: "Says which library the connection uses.", run: clientSetInfo},
			&command{name: "kill", arity: -3, flags: f | admin, group: group, since: "2.4.0", summary: "Closes connections."},
			&command{name: "unblock", arity: -3, flags: f | admin, group: group, since: "5.0.0", summary: "Ends the wait of a blocked connection."},
			&command{name: "reply", arity: 3, flags: f, group: group, since: "3.2.0", summary: "Says whether commands are answered."},
			&command{name: "tracking", arity: -3, flags: f, group: group, since: "6.0.0", summary: "Refused: clients are not told of changes."},
			&command{name: "trackinginfo", arity: 2, flags: f, group: group, since: "6.2.0", summary: "Says that tracking is off."},
			&command{name: "caching", arity: 3, flags: f, group: group, since: "6.0.0", summary: "Refused: tracking is off."},
			&command{name: "getredir", arity: 2, flags: f, group: group, since: "6.0.0", summary: "Returns -1: tracking is off."},
			&command{name: "setname", arity: 3, flags: f, group: group, since: "2.6.9", summary: "Names the connection.", run: clientSetName},
			helpCommand(group, "5.0.0",
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
func clientGetName(c *call) error {
	c.w.Null()
	return nil
}

// CLIENT ID
func clientID(c *call) error {
	c.w.Int(1)
	return nil
}

// CLIENT INFO
func clientInfo(c *call) error {
	c.w.Verbatim(theClient)
	return nil
}

// CLIENT LIST [TYPE (NORMAL | MASTER | REPLICA | PUBSUB)] [ID client-id [client-id ...]]
func clientList(c *call) error {
	listed := true
	switch {
	case len(c.args) == 2:
	case len(c.args) == 4 && c.is(2, "type"):
		switch {
		case c.is(3, "normal"):
		case c.is(3, "master"), c.is(3, "replica"), c.is(3, "slave"), c.is(3, "pubsub"):
			listed = false
		default:
			return Error("ERR Unknown client type '" + c.args[3] + "'")
		}
	case len(c.args) > 3 && c.is(2, "id"):
		listed = false
		for i := 3; i < len(c.args); i++ {
			id, err := c.int(i)
			if err != nil {
				return Error("ERR Invalid client ID")
			}
			listed = listed || id == 1
		}
	default:
		return errSyntax
	}
	if listed {
		c.w.Verbatim(theClient)
	} else {
		c.w.Verbatim("")
	}
	return nil
}

// CLIENT NO-EVICT (ON | OFF)
// CLIENT NO-TOUCH (ON | OFF)
func clientSwitch(c *call) error {
	if !c.is(2, "on") && !c.is(2, "off") {
		return errSyntax
	}
	c.w.OK()
	return nil
}

// CLIENT SETINFO (LIB-NAME libname | LIB-VER libver)
func clientSetInfo(c *call) error {
	var name string
	switch {
	case c.is(2, "lib-name"):
		name = "lib-name"
	case c.is(2, "lib-ver"):
		name = "lib-ver"
	default:
		return Error("ERR Unrecognized option '" + c.args[2] + "'")
	}
	if !printable(c.args[3]) {
		return Error("ERR " + name + " cannot contain spaces, newlines or special characters.")
	}
	c.w.OK()
	return nil
}

// CLIENT SETNAME connection-name
func clientSetName(c *call) error {
	if !printable(c.args[2]) {
		return Error("ERR Client names cannot contain spaces, newlines or special characters.")
	}
	c.w.OK()
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
