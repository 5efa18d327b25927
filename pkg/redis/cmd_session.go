package redis

// AUTH, HELLO, QUIT, RESET, READONLY, READWRITE, ASKING; MULTI, EXEC, DISCARD, WATCH, UNWATCH;
// SUBSCRIBE, PSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE; MONITOR; ROLE, LASTSAVE, MODULE, SLOWLOG, LATENCY,
// CLUSTER, DEBUG.
//
// These commands belong to a connection, or describe the process that serves it. A server of connections
// (package wire) carries them out. They are in the table because COMMAND, access rules and metering
// are about them too. Without a connection they are refused.

func sessionCommands() []*command {
	const (
		f     = session | noscript
		admit = f | fast | noauth
	)
	return []*command{
		{name: "auth", arity: -2, flags: admit, words: "no_auth allow_busy", group: "connection", since: "1.0.0", summary: "Logs the connection in."},
		{name: "hello", arity: -1, flags: admit, words: "no_auth allow_busy", group: "connection", since: "6.0.0", summary: "Chooses the protocol, logs the connection in and names it."},
		{name: "reset", arity: 1, flags: admit, words: "no_auth allow_busy", group: "connection", since: "6.2.0", summary: "Makes the connection as it was at first, without its login."},
		{name: "quit", arity: -1, flags: admit, words: "no_auth allow_busy", group: "connection", since: "1.0.0", summary: "Closes the connection."},
		{name: "readonly", arity: 1, flags: session | fast, group: "connection", since: "3.0.0", summary: "Refused: there is no cluster."},
		{name: "readwrite", arity: 1, flags: session | fast, group: "connection", since: "3.0.0", summary: "Refused: there is no cluster."},
		{name: "asking", arity: 1, flags: session | fast, group: "connection", since: "3.0.0", summary: "Refused: there is no cluster."},

		{name: "multi", arity: 1, flags: f | fast, words: "allow_busy", group: "transactions", since: "1.2.0", summary: "Begins a transaction."},
		{name: "exec", arity: 1, flags: f | harmless, group: "transactions", since: "1.2.0", summary: "Carries a transaction out."},
		{name: "discard", arity: 1, flags: f | fast, words: "allow_busy", group: "transactions", since: "2.0.0", summary: "Drops a transaction."},
		{name: "watch", arity: -2, flags: f | fast, words: "allow_busy", keys: allKeys, use: "RO", group: "transactions", since: "2.2.0", summary: "Lets the next transaction depend on keys that nobody changes."},
		{name: "unwatch", arity: 1, flags: f | fast, words: "allow_busy", group: "transactions", since: "2.2.0", summary: "Forgets what is watched."},

		{name: "subscribe", arity: -2, flags: f, group: "pubsub", since: "2.0.0", summary: "Receives the messages of channels."},
		{name: "psubscribe", arity: -2, flags: f, group: "pubsub", since: "2.0.0", summary: "Receives the messages of channels that match patterns."},
		{name: "unsubscribe", arity: -1, flags: f, group: "pubsub", since: "2.0.0", summary: "Receives the messages of channels no more."},
		{name: "punsubscribe", arity: -1, flags: f, group: "pubsub", since: "2.0.0", summary: "Receives the messages of patterns no more."},
		{name: "monitor", arity: 1, flags: f | admin, group: "server", since: "1.0.0", summary: "Receives every command that the database runs."},

		{name: "role", arity: 1, flags: f | fast, group: "server", since: "2.8.12", summary: "Says that the server is a master."},
		{name: "lastsave", arity: 1, flags: session | fast | harmless, tips: "nondeterministic_output", group: "server", since: "1.0.0", summary: "Returns the time: everything is saved always."},
		{name: "cluster", arity: -2, flags: session | harmless, group: "server", since: "3.0.0", summary: "Refused: there is no cluster."},
		{name: "debug", arity: -2, flags: f | admin, group: "server", since: "1.0.0", summary: "Refused."},
		{name: "module", arity: -2, flags: session, group: "server", since: "4.0.0", summary: "Tells about modules.", subs: subcommands(
			&command{name: "list", arity: 2, flags: f | admin, tips: "nondeterministic_output_order", group: "server", since: "4.0.0", summary: "Returns nothing: there are no modules."},
		)},
		slowlogCommand(),
		latencyCommand(),
	}
}

func slowlogCommand() *command {
	const group, f = "server", session | admin
	return &command{name: "slowlog", arity: -2, flags: session, group: group, since: "2.2.12", summary: "Tells about slow commands.", subs: subcommands(
		&command{name: "get", arity: -2, flags: f, tips: "request_policy:all_nodes nondeterministic_output", group: group, since: "2.2.12", summary: "Returns the slow commands of this process."},
		&command{name: "len", arity: 2, flags: f, tips: "request_policy:all_nodes response_policy:agg_sum nondeterministic_output", group: group, since: "2.2.12", summary: "Returns how many there are."},
		&command{name: "reset", arity: 2, flags: f, tips: "request_policy:all_nodes response_policy:all_succeeded", group: group, since: "2.2.12", summary: "Forgets them."},
		helpCommand(group, "6.2.0",
			"GET [<count>]", "    Slow commands of this process, the latest first: number, time, microseconds, arguments, client, its name.",
			"LEN", "    Number of them.",
			"RESET", "    Forget them."),
	)}
}

func latencyCommand() *command {
	const group, f = "server", session | admin | noscript
	sub := func(name string, arity int, tips, since, summary string) *command {
		return &command{name: name, arity: arity, flags: f, tips: tips, group: group, since: since, summary: summary}
	}
	const special = "nondeterministic_output request_policy:all_nodes response_policy:special"
	return &command{name: "latency", arity: -2, flags: session, group: group, since: "2.8.13", summary: "Tells about delays, of which none are recorded.", subs: subcommands(
		sub("latest", 2, special, "2.8.13", "Returns nothing."),
		sub("history", 3, special, "2.8.13", "Returns nothing."),
		sub("reset", -2, "request_policy:all_nodes response_policy:all_succeeded", "2.8.13", "Returns 0."),
		sub("doctor", 2, special, "2.8.13", "Says that nothing is recorded."),
		sub("histogram", -2, special, "7.0.0", "Returns nothing."),
		helpCommand(group, "2.8.13",
			"DOCTOR", "    A report.",
			"HISTOGRAM [COMMAND ...]", "    Nothing.",
			"HISTORY <event>", "    Nothing.",
			"LATEST", "    Nothing.",
			"RESET [<event> ...]", "    Nothing to reset."),
	)}
}
