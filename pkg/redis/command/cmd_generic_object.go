package command

import (
	"strconv"
	"strings"
)

// OBJECT ENCODING, FREQ, IDLETIME, REFCOUNT, HELP.
//
// Values have neither of Redis's encodings here. The names are those that Redis
// 7.2 would have chosen with its default configuration.

func objectCommand() *Command {
	const f = ReadOnly | Silent
	key := KeySpec{First: 2, Last: 2, Step: 1}
	return &Command{Name: "object", Arity: -2, Group: "generic", Since: "2.2.3", Summary: "Looks into the representation of values.",
		Subcommands: Subcommands(
			&Command{Name: "encoding", Arity: 3, Flags: f, Keys: key, Use: "RO", Tips: "nondeterministic_output", Group: "generic", Since: "2.2.3", Summary: "Returns the name of the encoding Redis would use.", Run: objectEncoding},
			&Command{Name: "freq", Arity: 3, Flags: f, Keys: key, Use: "RO", Tips: "nondeterministic_output", Group: "generic", Since: "4.0.0", Summary: "Access frequencies are not recorded.", Run: objectFreq},
			&Command{Name: "idletime", Arity: 3, Flags: f, Keys: key, Use: "RO", Tips: "nondeterministic_output", Group: "generic", Since: "2.2.3", Summary: "Accesses are not recorded: always 0.", Run: objectIdleTime},
			&Command{Name: "refcount", Arity: 3, Flags: f, Keys: key, Use: "RO", Tips: "nondeterministic_output", Group: "generic", Since: "2.2.3", Summary: "Returns the number of references to the value.", Run: objectRefCount},
			Help("generic", "6.2.0",
				"ENCODING <key>", "    Name the encoding that Redis would use for the key's value.",
				"FREQ <key>", "    Not available: access frequencies are not recorded.",
				"IDLETIME <key>", "    Always 0: accesses are not recorded.",
				"REFCOUNT <key>", "    Number of references to the key's value."),
		)}
}

// Subcommands indexes subcommands by name.
func Subcommands(cmds ...*Command) map[string]*Command {
	m := make(map[string]*Command, len(cmds))
	for _, cmd := range cmds {
		m[cmd.Name] = cmd
	}
	return m
}

// Help is the HELP subcommand with its lines, to which it adds its own.
func Help(group, since string, lines ...string) *Command {
	return &Command{Name: "help", Arity: 2, Flags: Harmless, Group: group, Since: since, Summary: "Lists the subcommands.", Run: func(c *Call) error {
		c.W.Array(len(lines) + 3)
		c.W.Simple(strings.ToUpper(c.Args[0]) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
		for _, line := range lines {
			c.W.Simple(line)
		}
		c.W.Simple("HELP")
		c.W.Simple("    Print this help.")
		return nil
	}}
}

// OBJECT ENCODING key
func objectEncoding(c *Call) error {
	c.W.BulkOrNull(c.Txn.Encoding(c.Args[2]))
	return nil
}

// OBJECT FREQ key
func objectFreq(c *Call) error {
	if !c.Txn.Exists(c.Args[2]) {
		c.W.Null()
		return nil
	}
	return Error("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.")
}

// OBJECT IDLETIME key
func objectIdleTime(c *Call) error {
	if !c.Txn.Exists(c.Args[2]) {
		c.W.Null()
		return nil
	}
	c.W.Int(0)
	return nil
}

// sharedIntegers is how many small integers all keys of Redis share.
const sharedIntegers = 10000

// OBJECT REFCOUNT key
func objectRefCount(c *Call) error {
	key := c.Args[2]
	if !c.Txn.Exists(key) {
		c.W.Null()
		return nil
	}
	if n, err := c.Txn.StringLen(key); err == nil && n <= 4 {
		s, _, _ := c.Txn.String(key)
		if n, err := strconv.ParseUint(s, 10, 32); err == nil && n < sharedIntegers && strconv.FormatUint(n, 10) == s {
			c.W.Int(1<<31 - 1)
			return nil
		}
	}
	c.W.Int(1)
	return nil
}
