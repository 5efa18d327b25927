package redis

import (
	"strconv"
	"strings"
)

// OBJECT ENCODING, FREQ, IDLETIME, REFCOUNT, HELP.
//
// Values have neither of Redis's encodings here. The names are those that Redis
// 7.2 would have chosen with its default configuration.

func objectCommand() *command {
	const f = readonly
	key := keySpec{first: 2, last: 2, step: 1}
	return &command{name: "object", arity: -2, group: "generic", since: "2.2.3", summary: "Looks into the representation of values.",
		subs: subcommands(
			&command{name: "encoding", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "2.2.3", summary: "Returns the name of the encoding Redis would use.", run: objectEncoding},
			&command{name: "freq", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "4.0.0", summary: "Access frequencies are not recorded.", run: objectFreq},
			&command{name: "idletime", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "2.2.3", summary: "Accesses are not recorded: always 0.", run: objectIdleTime},
			&command{name: "refcount", arity: 3, flags: f, keys: key, use: "RO", tips: "nondeterministic_output", group: "generic", since: "2.2.3", summary: "Returns the number of references to the value.", run: objectRefCount},
			helpCommand("generic", "6.2.0",
				"ENCODING <key>", "    Name the encoding that Redis would use for the key's value.",
				"FREQ <key>", "    Not available: access frequencies are not recorded.",
				"IDLETIME <key>", "    Always 0: accesses are not recorded.",
				"REFCOUNT <key>", "    Number of references to the key's value."),
		)}
}

// subcommands indexes subcommands by name.
func subcommands(cmds ...*command) map[string]*command {
	m := make(map[string]*command, len(cmds))
	for _, cmd := range cmds {
		m[cmd.name] = cmd
	}
	return m
}

// helpCommand is the HELP subcommand with its lines, to which it adds its own.
func helpCommand(group, since string, lines ...string) *command {
	return &command{name: "help", arity: 2, flags: harmless, group: group, since: since, summary: "Lists the subcommands.", run: func(c *call) error {
		c.w.Array(len(lines) + 3)
		c.w.Simple(strings.ToUpper(c.args[0]) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
		for _, line := range lines {
			c.w.Simple(line)
		}
		c.w.Simple("HELP")
		c.w.Simple("    Print this help.")
		return nil
	}}
}

// OBJECT ENCODING key
func objectEncoding(c *call) error {
	c.w.BulkOrNull(c.tx.Encoding(c.args[2]))
	return nil
}

// OBJECT FREQ key
func objectFreq(c *call) error {
	if !c.tx.Exists(c.args[2]) {
		c.w.Null()
		return nil
	}
	return Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
}

// OBJECT IDLETIME key
func objectIdleTime(c *call) error {
	if !c.tx.Exists(c.args[2]) {
		c.w.Null()
		return nil
	}
	c.w.Int(0)
	return nil
}

// sharedIntegers is how many small integers all keys of Redis share.
const sharedIntegers = 10000

// OBJECT REFCOUNT key
func objectRefCount(c *call) error {
	key := c.args[2]
	if !c.tx.Exists(key) {
		c.w.Null()
		return nil
	}
	if n, err := c.tx.StringLen(key); err == nil && n <= 4 {
		s, _, _ := c.tx.String(key)
		if n, err := strconv.ParseUint(s, 10, 32); err == nil && n < sharedIntegers && strconv.FormatUint(n, 10) == s {
			c.w.Int(1<<31 - 1)
			return nil
		}
	}
	c.w.Int(1)
	return nil
}
