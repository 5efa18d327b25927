package command

// AUTH, HELLO, QUIT, RESET, READONLY, READWRITE, ASKING; MULTI, EXEC, DISCARD, WATCH, UNWATCH;
// SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE; MONITOR; ROLE, LASTSAVE, MODULE, SLOWLOG, LATENCY,
// CLUSTER, DEBUG.
//
// These commands belong to a connection, or describe the process that serves it. A server of connections
// (package wire) carries them out. They are in the table because COMMAND, access rules and metering
// are about them too. Without a connection they are refused.

func sessionCommands() []*Command {
	const (
		f     = Session | NoScript
		admit = f | Fast | noauth
	)
	return []*Command{
		{Name: "auth", Arity: -2, Flags: admit, Words: "no_auth allow_busy", Group: "connection", Since: "1.0.0", Summary: "Logs the connection in."},
		{Name: "hello", Arity: -1, Flags: admit, Words: "no_auth allow_busy", Group: "connection", Since: "6.0.0", Summary: "Chooses the protocol, logs the connection in and names it."},
		{Name: "reset", Arity: 1, Flags: admit, Words: "no_auth allow_busy", Group: "connection", Since: "6.2.0", Summary: "Makes the connection as it was at first, without its login."},
		{Name: "quit", Arity: -1, Flags: admit, Words: "no_auth allow_busy", Group: "connection", Since: "1.0.0", Summary: "Closes the connection."},
		{Name: "readonly", Arity: 1, Flags: Session | Fast, Group: "connection", Since: "3.0.0", Summary: "Refused: there is no cluster."},
		{Name: "readwrite", Arity: 1, Flags: Session | Fast, Group: "connection", Since: "3.0.0", Summary: "Refused: there is no cluster."},
		{Name: "asking", Arity: 1, Flags: Session | Fast, Group: "connection", Since: "3.0.0", Summary: "Refused: there is no cluster."},

		{Name: "multi", Arity: 1, Flags: f | Fast, Words: "allow_busy", Group: "transactions", Since: "1.2.0", Summary: "Begins a transaction."},
		{Name: "exec", Arity: 1, Flags: f | Harmless, Group: "transactions", Since: "1.2.0", Summary: "Carries a transaction out."},
		{Name: "discard", Arity: 1, Flags: f | Fast, Words: "allow_busy", Group: "transactions", Since: "2.0.0", Summary: "Drops a transaction."},
		{Name: "watch", Arity: -2, Flags: f | Fast, Words: "allow_busy", Keys: AllKeys, Use: "RO", Group: "transactions", Since: "2.2.0", Summary: "Lets the next transaction depend on keys that nobody changes."},
		{Name: "unwatch", Arity: 1, Flags: f | Fast, Words: "allow_busy", Group: "transactions", Since: "2.2.0", Summary: "Forgets what is watched."},

		{Name: "subscribe", Arity: -2, Flags: f, Group: "pubsub", Since: "2.0.0", Summary: "Receives the messages of channels."},
		{Name: "psubscribe", Arity: -2, Flags: f, Group: "pubsub", Since: "2.0.0", Summary: "Receives the messages of channels that match patterns."},
		{Name: "unsubscribe", Arity: -1, Flags: f, Group: "pubsub", Since: "2.0.0", Summary: "Receives the messages of channels no more."},
		{Name: "punsubscribe", Arity: -1, Flags: f, Group: "pubsub", Since: "2.0.0", Summary: "Receives the messages of patterns no more."},
		{Name: "ssubscribe", Arity: -2, Flags: f, Group: "pubsub", Since: "7.0.0", Summary: "Receives the messages of shard channels."},
		{Name: "sunsubscribe", Arity: -1, Flags: f, Group: "pubsub", Since: "7.0.0", Summary: "Receives the messages of shard channels no more."},
		{Name: "monitor", Arity: 1, Flags: f | Admin, Group: "server", Since: "1.0.0", Summary: "Receives every command that the database runs."},

		{Name: "role", Arity: 1, Flags: f | Fast, Group: "server", Since: "2.8.12", Summary: "Says that the server is a master."},
		{Name: "lastsave", Arity: 1, Flags: Session | Fast | Harmless, Tips: "nondeterministic_output", Group: "server", Since: "1.0.0", Summary: "Returns the time: everything is saved always."},
		{Name: "cluster", Arity: -2, Flags: Session | Harmless, Group: "server", Since: "3.0.0", Summary: "Refused: there is no cluster."},
		{Name: "debug", Arity: -2, Flags: f | Admin, Group: "server", Since: "1.0.0", Summary: "Waits, or shows replies of each type; what would look into memory is refused."},
		{Name: "module", Arity: -2, Flags: Session, Group: "server", Since: "4.0.0", Summary: "Tells about modules.", Subcommands: Subcommands(
			&Command{Name: "list", Arity: 2, Flags: f | Admin, Tips: "nondeterministic_output_order", Group: "server", Since: "4.0.0", Summary: "Returns nothing: there are no modules."},
			Help("server", "5.0.0", "LIST", "    Nothing: there are no modules."),
		)},
		slowlogCommand(),
		latencyCommand(),
	}
}

func slowlogCommand() *Command {
	const group, f = "server", Session | Admin
	return &Command{Name: "slowlog", Arity: -2, Flags: Session, Group: group, Since: "2.2.12", Summary: "Tells about slow commands.", Subcommands: Subcommands(
		&Command{Name: "get", Arity: -2, Flags: f, Tips: "request_policy:all_nodes nondeterministic_output", Group: group, Since: "2.2.12", Summary: "Returns the slow commands of this process."},
		&Command{Name: "len", Arity: 2, Flags: f, Tips: "request_policy:all_nodes response_policy:agg_sum nondeterministic_output", Group: group, Since: "2.2.12", Summary: "Returns how many there are."},
		&Command{Name: "reset", Arity: 2, Flags: f, Tips: "request_policy:all_nodes response_policy:all_succeeded", Group: group, Since: "2.2.12", Summary: "Forgets them."},
		Help(group, "6.2.0",
			"GET [<count>]", "    Slow commands of this process, the latest first: number, time, microseconds, arguments, client, its name.",
			"LEN", "    Number of them.",
			"RESET", "    Forget them."),
	)}
}

func latencyCommand() *Command {
	const group, f = "server", Session | Admin | NoScript
	sub := func(name string, arity int, tips, since, summary string) *Command {
		return &Command{Name: name, Arity: arity, Flags: f, Tips: tips, Group: group, Since: since, Summary: summary}
	}
	const special = "nondeterministic_output request_policy:all_nodes response_policy:special"
	return &Command{Name: "latency", Arity: -2, Flags: Session, Group: group, Since: "2.8.13", Summary: "Tells how long commands take.", Subcommands: Subcommands(
		sub("latest", 2, special, "2.8.13", "Returns the latest slow command of each event."),
		sub("history", 3, special, "2.8.13", "Returns the slow commands of an event."),
		sub("graph", 3, special, "2.8.13", "Draws the slow commands of an event."),
		sub("reset", -2, "request_policy:all_nodes response_policy:all_succeeded", "2.8.13", "Forgets events."),
		sub("doctor", 2, special, "2.8.13", "Reports on all events."),
		sub("histogram", -2, special, "7.0.0", "Returns how many calls of commands took how long."),
		Help(group, "2.8.13",
			"DOCTOR", "    A report.",
			"GRAPH <event>", "    The event as a graph of characters.",
			"HISTOGRAM [COMMAND ...]", "    How many calls of the commands (default: all) took how many microseconds at most.",
			"HISTORY <event>", "    The times of the event's slow commands, and what they took in ms.",
			"LATEST", "    The latest slow command of each event.",
			"RESET [<event> ...]", "    Forget events (default: all).",
			"Events are command and fast-command: what took latency-monitor-threshold or longer,",
			"of this database in this process."),
	)}
}
